import { checkKeys } from "../options.js";
import { checkBiasRegularizers, checked, type Regularizers } from "../regularizers/index.js";
import { checkShape } from "../tensor/shape.js";
import { type Initializer, toInitializer, xavierUniform } from "./initializers.js";

/** A weight that training changes, as a layer declares it. */
export interface ParameterSpec {
  readonly shape: readonly number[];
  readonly init: Initializer;
  /** A penalty of its own; `null`: none; `undefined`: the model-wide one of its rank. */
  readonly regularizer: Regularizers | undefined;
}

/** Options of {@link parameter}. */
export interface ParameterOptions {
  /** Initializer, or the constant to fill with. Xavier uniform by default, 0 for rank < 2. */
  readonly init?: Initializer | number | undefined;
  /** `null`: none; `undefined`: the model-wide one, which for rank < 2 is that of biases. */
  readonly regularizer?: Regularizers | undefined;
}

/** Declares a parameter of `shape` for {@link defineLayer}. */
export function parameter(shape: readonly number[], options: ParameterOptions = {}): ParameterSpec {
  checkKeys("parameter", options, ["init", "regularizer"]);
  checkShape("parameter", shape);
  if (shape.length < 2) checkBiasRegularizers("parameter.regularizer", options.regularizer);
  const fallback = shape.length >= 2 ? xavierUniform() : toInitializer("parameter.init", 0, xavierUniform());
  return {
    shape: [...shape],
    init: toInitializer("parameter.init", options.init, fallback),
    regularizer: checked("parameter.regularizer", options.regularizer),
  };
}
