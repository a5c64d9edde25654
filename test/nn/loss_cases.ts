// Losses of tensors beside those of other frameworks, as their fixtures have them.
import { type Loss, ops, type Tensor, tensor, valueAndGrad } from "carillon";

export interface LossCase {
  readonly shape: readonly number[];
  readonly output: readonly number[];
  readonly target: readonly number[];
  /** Where it is not that of the output. */
  readonly targetShape?: readonly number[];
  readonly losses: readonly number[];
  readonly gradient: readonly number[];
}

function targetOf(loss: Loss, { shape, target, targetShape = shape }: LossCase): Tensor {
  return loss.target === "classes" ? tensor(Int32Array.from(target)) : tensor(Float32Array.from(target), targetShape);
}

/** Losses, and the gradient of their sum with factors 1, 2, … */
export function computed(loss: Loss, one: LossCase): Pick<LossCase, "losses" | "gradient"> {
  const x = tensor(Float32Array.from(one.output), one.shape);
  const target = targetOf(loss, one);
  const losses = loss(x, target) as Tensor<"f32">;
  const factors = tensor(Float32Array.from(one.losses, (_, row) => row + 1));
  const [, [gradient]] = valueAndGrad((output) => ops.sum(ops.multiply(loss(output ?? x, target), factors)))(x);
  return { losses: [...losses.data], gradient: [...gradient.data] };
}
