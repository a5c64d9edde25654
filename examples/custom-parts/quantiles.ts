import {
  adam,
  cosineDecay,
  defineLayer,
  defineMetric,
  fit,
  type Initializer,
  type Layer,
  type Loss,
  linear,
  type Model,
  ops,
  parameter,
  sequential,
  tensor,
} from "carillon";
import type { Noisy } from "./noisy.js";

/** Quantiles that are learned: four fifths of the data lie between the outer ones. */
export const QUANTILES = [0.1, 0.5, 0.9] as const;

/** Uniform in [−1, 1], drawn from the seed and the parameter's name. */
const anywhere: Initializer = { kind: "anywhere", resolve: () => ({ kind: "uniform", low: -1, high: 1 }) };

/**
 * A layer of one's own, radial basis functions of a number: yⱼ = exp(−½·((x − cⱼ)/w)²) with x: [batch, 1], y: [batch, count].
 * The centers c: [count] and the width w: [1] are trained.
 */
export function radialBasis<const N extends number>(count: N): Layer<1, N> {
  return defineLayer({
    kind: "radialBasis",
    inputs: 1,
    outputs: count,
    parameters: { center: parameter([count], { init: anywhere }), width: parameter([1], { init: 0.3 }) },
    forward(x, { center, width }) {
      const [rows = 1] = x.shape;
      const apart = ops.subtract(ops.broadcast(x, [rows, count]), center);
      return ops.exp(ops.multiply(-0.5, ops.square(ops.divide(apart, width))));
    },
  });
}

/**
 * A loss of one's own, the pinball loss: the mean over the quantiles q of max(q·d, (q − 1)·d) = q·d + max(0, −d) with
 * d = target − output. It is least where the share q of the targets lies below the output (Koenker and Bassett 1978).
 */
export const pinball: Loss = (output, target) => {
  const distance = ops.subtract(target, output);
  const tilted = ops.multiply(distance, tensor(QUANTILES));
  return ops.mean(ops.add(tilted, ops.relu(ops.negate(distance))), { axis: "last" });
};

/** A metric of one's own: the share of the targets between the outer quantiles. */
export const coverage = defineMetric({
  name: "coverage",
  start: () => ({ between: 0, weight: 0 }),
  add(state, { rows, columns, outputs, targets, weights }) {
    for (let row = 0; row < rows; row++) {
      const [low = 0, , high = 0] = outputs.subarray(row * columns, (row + 1) * columns);
      const target = targets[row * columns] ?? Number.NaN;
      const weight = weights[row] ?? 0;
      if (low <= target && target <= high) state.between += weight;
      state.weight += weight;
    }
    return state;
  },
  result: ({ between, weight }) => between / weight,
});

/** What an epoch tells of points that were not trained on. */
export interface Progress {
  readonly epoch: number;
  readonly loss: number;
  readonly coverage: number;
}

/** Learns three quantiles of y given x, telling of every epoch. */
export async function learnQuantiles(
  train: Noisy,
  test: Noisy,
  { epochs, seed }: { readonly epochs: number; readonly seed: number },
  tell: (progress: Progress) => void = () => {},
): Promise<Model<1, 3>> {
  const model = sequential(radialBasis(24), linear(24, 3));
  const run = fit(model, {
    data: train,
    validation: test,
    loss: pinball,
    optimizer: adam({ lr: cosineDecay({ lr: 0.03, end: 0.0003 }) }),
    metrics: [coverage],
    batchSize: 64,
    epochs,
    seed,
  });
  for await (const event of run) {
    if (event.kind !== "epoch") continue;
    const { loss, metrics } = event.validation;
    tell({ epoch: event.epoch, loss, coverage: metrics.coverage });
  }
  await run;
  return model;
}
