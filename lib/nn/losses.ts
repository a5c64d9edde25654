import { CarillonError } from "../errors.js";
import * as ops from "../ops/index.js";
import { extent, formatShape, isBatched, sameShape } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";

/**
 * One number an example from the network's output and the target: [batch]. The engine forms Σ wℓ/Σ w of them.
 *
 * `target` says what the data must be: `'classes'`, integers (i32, [batch]), or `'values'` (f32, as wide as the output);
 * `'values'` where a function does not say.
 */
export interface Loss {
  (output: Value, target: Value): Value;
  readonly kind?: string | undefined;
  readonly target?: "classes" | "values" | undefined;
}

function loss(kind: string, target: "classes" | "values", compute: (output: Value, target: Value) => Value): Loss {
  return Object.freeze(Object.assign((output: Value, given: Value) => compute(output, given), { kind, target }));
}

/** Behind operations that keep the order of classes: was the output normalized already? */
function isNormalized(output: Value): boolean {
  return output.source.kind === "operation" && output.source.applied.name === "softmax";
}

/**
 * Cross-entropy of softmax(output) with integer labels: ℓ = ln Σ e^(x − max) − (x[label] − max).
 *
 * output: [batch, classes] logits; target: [batch] integers in [0, classes). A softmax before it is `ERR_OPTION`.
 */
export function crossEntropy(): Loss {
  return loss("crossEntropy", "classes", (output, target) => {
    if (isNormalized(output)) {
      throw new CarillonError(
        "ERR_OPTION",
        "crossEntropy",
        "expected logits for 'crossEntropy' but the model ends in a softmax: it applies its own",
      );
    }
    return ops.softmaxCrossEntropy(output, target);
  });
}

/**
 * Mean squared error of each example: ℓ = (1/n)·Σ (output − target)².
 *
 * output, target: [batch, n]; a target [batch] fits an output [batch, 1]. Any other difference in shape is `ERR_SHAPE`.
 */
export function mse(): Loss {
  return loss("mse", "values", (output, target) => {
    const column = extent(output.shape) === extent(target.shape) && isBatched(output.shape) === isBatched(target.shape);
    if (!(sameShape(output.shape, target.shape) || (column && output.shape.at(-1) === 1))) {
      throw new CarillonError(
        "ERR_SHAPE",
        "mse.target",
        `expected ${formatShape(output.shape)} for 'mse.target' but received ${formatShape(target.shape)}`,
      );
    }
    return ops.mean(ops.square(ops.subtract(output, ops.reshape(target, output.shape))), { axis: "last" });
  });
}
