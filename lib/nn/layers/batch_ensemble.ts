import { madeBy } from "../../described.js";
import { CarillonError, fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkBoolean, checkKeys, checkNumber, checkOneOf } from "../../options.js";
import { checked, type Regularizers } from "../../regularizers/index.js";
import { formatShape, type Shape } from "../../tensor/shape.js";
import type { Value, ValueSpec } from "../../tensor/value.js";
import { type Initializer, repeated, toInitializer, uniform } from "../parameters/initializers.js";
import { parameter } from "../parameters/parameter.js";
import { defineLayer, type Layer } from "../structure/layer.js";
import { ofMembers } from "../structure/members.js";

/** Options of {@link memberLinear}. */
export interface MemberLinearOptions {
  /** Members k; 32 by default. */
  readonly members?: number | undefined;
  /** Adds biases, true by default. */
  readonly bias?: boolean | undefined;
  /** Of the weights; U(±1/√inputs) by default. A number is a constant. */
  readonly init?: Initializer | number | undefined;
  /** Of the weights; `null`: none, `undefined`: the model-wide one. */
  readonly regularizer?: Regularizers | undefined;
  readonly name?: string | undefined;
}

/** Options of {@link batchEnsemble}. */
export interface BatchEnsembleOptions extends MemberLinearOptions {
  /** Of r, the factors of what each member is given; 1 by default, in front of a network `signs()`. */
  readonly inputInit?: Initializer | number | undefined;
}

const DEFAULT_MEMBERS = 32;

/** Sizes and options that both layers have, checked. */
function sizesOf(kind: string, inputs: number, outputs: number, options: MemberLinearOptions) {
  checkNumber(`${kind}.inputs`, inputs, { min: 1, integer: true });
  checkNumber(`${kind}.outputs`, outputs, { min: 1, integer: true });
  const members = checkNumber(`${kind}.members`, options.members ?? DEFAULT_MEMBERS, { min: 1, integer: true });
  const bias = checkBoolean(`${kind}.bias`, options.bias ?? true);
  const near = uniform({ high: 1 / Math.sqrt(inputs) });
  const init = toInitializer(`${kind}.init`, options.init, near);
  const regularizer = checked(`${kind}.regularizer`, options.regularizer);
  return { members, bias, near, init, regularizer };
}

/** [batch, members, n] of [batch, n], or of what every member has its own of; `ERR_SHAPE`. */
function byMember(kind: string, x: Value, members: number): Value {
  const [batch = 1, ...row] = x.shape;
  if (row.length === 1) return ops.reshape(x, [batch, 1, ...row]);
  if (row.length === 2 && row[0] === members) return x;
  return refuse(kind, x.shape, members);
}

/** [batch, members, outputs] of what {@link byMember} takes. */
function told(kind: string, { shape }: ValueSpec, members: number, outputs: number): ValueSpec {
  const [batch = 1, ...row] = shape;
  if (row.length === 1 || (row.length === 2 && row[0] === members))
    return { shape: [batch, members, outputs], dtype: "f32" };
  return refuse(kind, shape, members);
}

function refuse(kind: string, shape: Shape, members: number): never {
  const expected = `expected [batch, n] or [batch, ${members}, n] for '${kind}'`;
  throw new CarillonError("ERR_SHAPE", kind, `${expected} but received ${formatShape(shape)}`);
}

/**
 * One linear layer for k members that share its weight: y = ((r ⊙ x)·Wᵀ) ⊙ s + b, x: [batch, inputs] or [batch, k, inputs], y: [batch, k, outputs], weight:
 * [outputs, inputs], r: [k, inputs], s and bias: [k, outputs]. s and r are 1 at first, r of a network's first layer better `signs()`, so that members
 * differ; biases are drawn once for all members, U(±1/√inputs).
 *
 * Wen, Tran, Ba 2020; in TabM Gorishniy, Kotelnikov, Babenko 2024, `tabm.LinearBatchEnsemble`. End such a network with {@link memberLinear} and
 * {@link meanOfMembers}.
 */
export function batchEnsemble<const In extends number, const Out extends number>(
  inputs: In,
  outputs: Out,
  options: BatchEnsembleOptions = {},
): Layer<In, { readonly last: Out }, "f32"> {
  const kind = "batchEnsemble";
  checkKeys(kind, options, ["members", "bias", "init", "inputInit", "regularizer", "name"]);
  const { members, bias: biased, near, init, regularizer } = sizesOf(kind, inputs, outputs, options);
  const { name } = options;
  const given = parameter([members, inputs], { role: "scale", init: options.inputInit });
  const parameters = {
    weight: parameter([outputs, inputs], { init, regularizer }),
    given,
    gives: parameter([members, outputs], { role: "scale" }),
    ...(biased ? { bias: parameter([members, outputs], { role: "bias", init: repeated(near) }) } : {}),
  };
  const layer = defineLayer({
    ...{ kind, inputs, outputs: { last: outputs }, name, parameters },
    infer: (x) => told(kind, x, members, outputs),
    config: { inputs, outputs, members, bias: biased },
    forward(x, own) {
      const { weight, given: r, gives: s, bias } = own as Readonly<Record<string, Value>>;
      if (weight === undefined || r === undefined || s === undefined) return x;
      const y = ops.multiply(ops.linear(ops.multiply(byMember(kind, x, members), r), weight), s);
      return bias === undefined ? y : ops.add(y, bias);
    },
  });
  return madeBy(
    kind,
    { inputs, outputs, members, bias: biased, init, inputInit: given.init, regularizer, name },
    layer,
  );
}

/**
 * A linear layer of each of k members' own: y: [batch, k, outputs] from x: [batch, k, inputs], or [batch, inputs] for all, weight: [k, outputs, inputs], bias: [k,
 * outputs], both U(±1/√inputs) at first: the heads at a network's end. `tabm.LinearEnsemble`.
 */
export function memberLinear<const In extends number, const Out extends number>(
  inputs: In,
  outputs: Out,
  options: MemberLinearOptions = {},
): Layer<In, { readonly last: Out }, "f32"> {
  const kind = "memberLinear";
  checkKeys(kind, options, ["members", "bias", "init", "regularizer", "name"]);
  const { members, bias: biased, near, init, regularizer } = sizesOf(kind, inputs, outputs, options);
  const { name } = options;
  const parameters = {
    weight: parameter([members, outputs, inputs], { init, regularizer }),
    ...(biased ? { bias: parameter([members, outputs], { role: "bias", init: near }) } : {}),
  };
  const layer = defineLayer({
    ...{ kind, inputs, outputs: { last: outputs }, name, parameters },
    infer: (x) => told(kind, x, members, outputs),
    config: { inputs, outputs, members, bias: biased },
    forward(x, own) {
      const { weight, bias } = own as Readonly<Record<string, Value>>;
      if (weight === undefined) return x;
      const given = byMember(kind, x, members);
      const y = oneByOne(given, weight);
      return bias === undefined ? y : ops.add(y, bias);
    },
  });
  return madeBy(kind, { inputs, outputs, members, bias: biased, init, regularizer, name }, layer);
}

/** [batch, k, outputs] of x: [batch, k or 1, inputs] and weight: [k, outputs, inputs], member by member. */
function oneByOne(x: Value, weight: Value): Value {
  const [members = 1, outputs = 1, inputs = 1] = weight.shape;
  const [batch = 1, groups = 1] = x.shape;
  return ops.concat(
    Array.from({ length: Number(members) }, (_, at) => {
      const place = groups === 1 ? 0 : at;
      const own = ops.reshape(ops.slice(x, place, place + 1, { axis: 1 }), [batch, inputs]);
      const y = ops.linear(own, ops.reshape(ops.slice(weight, at, at + 1, { axis: 0 }), [outputs, inputs]));
      return ops.reshape(y, [batch, 1, outputs]);
    }),
    { axis: 1 },
  );
}

/** What members answer: logits of classes, logits of several yes and no, or values. */
export type MemberAnswers = "classes" | "labels" | "values";

/** Options of {@link meanOfMembers}. */
export interface MeanOfMembersOptions {
  readonly of: MemberAnswers;
  readonly name?: string | undefined;
}

/** A probability that is 0 counts as this, so that it has a logarithm. */
const LEAST = 1e-37;

/** The mean over axis 1 of [batch, k, n]: of values, or of probabilities, as logits. */
function together(x: Value, of: MemberAnswers): Value {
  const mean = (value: Value): Value => ops.mean(value, { axis: 1 });
  const log = (share: Value): Value => ops.log(ops.maximum(share, LEAST));
  if (of === "values") return mean(x);
  if (of === "classes") return log(mean(ops.softmax(x)));
  return ops.subtract(log(mean(ops.sigmoid(x))), log(mean(ops.sigmoid(ops.negate(x)))));
}

/**
 * The one answer of k members, y: [batch, n] from x: [batch, k, n], or that of one, [batch, n], as it is, as the last layer of a network: the mean of their values; of `classes` ln(mean softmax), logits of
 * the mean probabilities; of `labels` the logit of mean σ. The loss of a training step is the mean of the losses of the members, each by itself.
 *
 * Gorishniy, Kotelnikov, Babenko 2024 (TabM).
 */
export function meanOfMembers(options: MeanOfMembersOptions): Layer<number, "same", "f32"> {
  const kind = "meanOfMembers";
  checkKeys(kind, options, ["of", "name"]);
  const of = checkOneOf(`${kind}.of`, options.of, ["classes", "labels", "values"]);
  const { name } = options;
  const layer = defineLayer({
    kind,
    outputs: "same",
    name,
    config: { of },
    infer: (x) => {
      const [batch = 1, , n = 1] = x.shape;
      if (x.shape.length === 2) return x;
      if (x.shape.length === 3) return { shape: [batch, n], dtype: "f32" };
      return fail("ERR_SHAPE", kind, "[batch, members, n]", formatShape(x.shape));
    },
    forward(x, _parameters, { training }) {
      if (x.shape.length === 2) return x;
      const y = together(x, of);
      if (!training) return y;
      const [batch = 1, members = 1, n = 1] = x.shape;
      return ofMembers(
        y,
        Array.from({ length: Number(members) }, (_, at) =>
          ops.reshape(ops.slice(x, at, at + 1, { axis: 1 }), [batch, n]),
        ),
      );
    },
  });
  return madeBy(kind, { of, name }, layer);
}
