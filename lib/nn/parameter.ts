import { fail } from "../errors.js";
import { checkKeys, checkNumber } from "../options.js";
import type { Regularizer } from "../regularizers/index.js";
import { checkShape } from "../tensor/shape.js";
import { type Initializer, toInitializer, xavierUniform } from "./initializers.js";

/** A weight that training changes, as a layer declares it. */
export interface ParameterSpec {
  readonly shape: readonly number[];
  readonly init: Initializer;
  /** A penalty of its own; `null`: none; `undefined`: the model-wide one, if the rank is 2 or more. */
  readonly regularizer: Regularizer | null | undefined;
}

/** Options of {@link parameter}. */
export interface ParameterOptions {
  /** Initializer, or the constant to fill with. Xavier uniform by default, 0 for rank < 2. */
  readonly init?: Initializer | number | undefined;
  readonly regularizer?: Regularizer | null | undefined;
}

/** `value` as a regularizer, `null` or `undefined`; else `ERR_OPTION`: a bare number is none. */
export function checkRegularizer<R extends Regularizer | null | undefined>(where: string, value: R): R {
  if (value === undefined || value === null) return value;
  if (typeof value !== "object" || value.kind !== "l2")
    fail("ERR_OPTION", where, "a regularizer such as l2(1e-4)", value);
  checkNumber(`${where}.lambda`, value.lambda, { min: 0 });
  return value;
}

/** Declares a parameter of `shape` for {@link defineLayer}. */
export function parameter(shape: readonly number[], options: ParameterOptions = {}): ParameterSpec {
  checkKeys("parameter", options, ["init", "regularizer"]);
  checkShape("parameter", shape);
  const fallback = shape.length >= 2 ? xavierUniform() : toInitializer("parameter.init", 0, xavierUniform());
  return {
    shape: [...shape],
    init: toInitializer("parameter.init", options.init, fallback),
    regularizer: checkRegularizer("parameter.regularizer", options.regularizer),
  };
}
