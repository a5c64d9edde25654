import { minimizer, ops, program, type Regularizer, sgd, spec, tensor } from "carillon";
import { PIXELS } from "../digits/digits.js";
import { firstWeights, network, type Trained } from "./sweep.js";

/**
 * The first layer's weights after one step of θ ← θ − η(g + penalty's gradient) with g = 0: the data say nothing, so that
 * what changes is what the penalty does. The step begins at the weights of `trained`, which stay as they are.
 */
export function shrunkOnce({ model: trained }: Trained, regularizer: Regularizer, rate: number): Float32Array {
  const model = network().setWeights(trained.weights());
  const trainer = minimizer(model, sgd({ lr: rate }), { regularizer });
  const step = program({
    maxBatch: 1,
    inputs: { x: spec(["batch", PIXELS]) },
    body({ x }) {
      const silence = ops.multiply(0, ops.sum(model.forward(x)));
      trainer.minimize(silence);
      return { silence };
    },
  });
  step.runSync({ x: tensor(new Float32Array(PIXELS), [1, PIXELS]) });
  return firstWeights(model);
}

/** Weights of about one size before, and what became of them. */
export interface Bin {
  /** Mean |θ| before and after. */
  readonly before: number;
  readonly after: number;
}

/** Pairs of weights in bins of equally many, by their size before. */
export function bySize(before: Float32Array, after: Float32Array, bins: number): Bin[] {
  const order = Array.from(before.keys()).sort((a, b) => Math.abs(before[a] ?? 0) - Math.abs(before[b] ?? 0));
  return Array.from({ length: bins }, (_, bin) => {
    const begin = Math.floor((bin * order.length) / bins);
    const members = order.slice(begin, Math.floor(((bin + 1) * order.length) / bins));
    const meanOf = (weights: Float32Array): number =>
      members.reduce((sum, index) => sum + Math.abs(weights[index] ?? 0), 0) / members.length;
    return { before: meanOf(before), after: meanOf(after) };
  });
}
