import { checkNumber } from "../options.js";

/**
 * A penalty on the size of weights. It belongs to a layer, or to the whole model where a layer names none;
 * it reaches parameters of rank ≥ 2, so biases are never regularized by default.
 */
export interface Regularizer {
  readonly kind: "l2";
  /** Factor λ of the penalty, ≥ 0. */
  readonly lambda: number;
}

/**
 * L2 (squared Frobenius norm): adds `(λ/2)·Σ θ²` to the loss and `λ·θ` to the gradient of θ.
 *
 * The gradient is what is fixed: `θ ← θ − η(g + λθ)`, as in PyTorch's `weight_decay` under SGD. Keras' `l2(λ)`
 * has the penalty `λ·Σ θ²` and so the gradient `2λθ`: for the same effect pass twice its λ.
 * Under adaptive optimizers this is not decoupled weight decay; the gradient `λθ` passes through the rule.
 *
 * @param lambda Factor λ, a finite number ≥ 0; anything else is `ERR_OPTION`.
 */
export function l2(lambda: number): Regularizer {
  return Object.freeze({ kind: "l2", lambda: checkNumber("l2.lambda", lambda, { min: 0 }) });
}
