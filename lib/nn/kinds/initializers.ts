import { Family, type Form, isNumber, kind, orPlain, plain } from "../../described.js";
import {
  constant,
  heNormal,
  heUniform,
  type Initializer,
  identity,
  lecunNormal,
  lecunUniform,
  normal,
  ones,
  orthogonal,
  repeated,
  type SignsOptions,
  signs,
  sparse,
  truncatedNormal,
  uniform,
  xavierNormal,
  xavierUniform,
  zeros,
} from "../parameters/initializers.js";

/** Initializers by kind. */
export const initializers: Family<Initializer> = new Family<Initializer>("initializer", {
  constant: kind(({ value }: { readonly value: number }) => constant(value), { value: plain }),
  zeros: kind(zeros, {}),
  ones: kind(ones, {}),
  xavierUniform: kind(xavierUniform, { gain: plain }),
  xavierNormal: kind(xavierNormal, { gain: plain }),
  heUniform: kind(heUniform, { mode: plain, gain: plain }),
  heNormal: kind(heNormal, { mode: plain, gain: plain }),
  lecunUniform: kind(lecunUniform, { gain: plain }),
  lecunNormal: kind(lecunNormal, { gain: plain }),
  normal: kind(normal, { mean: plain, deviation: plain }),
  uniform: kind(uniform, { low: plain, high: plain }),
  truncatedNormal: kind(truncatedNormal, { mean: plain, deviation: plain, low: plain, high: plain }),
  orthogonal: kind(orthogonal, { gain: plain }),
  signs: kind((options: SignsOptions) => signs(options), { blocks: plain }),
  repeated: kind(({ of }: { readonly of: Initializer | number }) => repeated(of), {
    of: orPlain(isNumber, () => initializers),
  }),
  identity: kind(identity, { gain: plain }),
  sparse: kind(sparse, { sparsity: plain, deviation: plain }),
});

/** An initializer, or the number to fill with. */
export const filling: Form = orPlain(isNumber, () => initializers);
