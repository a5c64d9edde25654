// Runs and a loop, of which make_words_fixtures.mjs makes checkpoints and told_in_words.test.ts goes on from them: written as the
// package of that commit takes it too.
import { fileURLToPath } from "node:url";
import {
  adam,
  cosineDecay,
  crossEntropy,
  l1,
  l2,
  linear,
  minimizer,
  mse,
  muon,
  ops,
  partition,
  program,
  relu,
  sequential,
  sgd,
  spec,
  standardize,
  warmup,
} from "carillon";

/** @param {string} name */
export const path = (name) => fileURLToPath(new URL(`fixtures/words-${name}.safetensors`, import.meta.url));

const x = Array.from({ length: 12 }, (_, row) => [row / 4, (row * 5) % 12, 3 - row]);
const y = x.map((_, row) => row % 2);
const COMMON = { data: { x, y }, inputs: standardize(), batchSize: 4, seed: 7 };

/** @type {import("carillon").Loss} */
const absolute = (output, target) => ops.mean(ops.absolute(ops.subtract(output, target)), { axis: "last" });

/** @type {Readonly<Record<"run" | "groups", { make: () => import("carillon").Model, options: (steps: number) => import("carillon").FitOptions }>>} */
export const RUNS = {
  run: {
    make: () => sequential(linear(3, 4, { regularizer: l1(0.01) }), relu(), linear(4, 2)),
    options: (steps) => ({
      ...COMMON,
      steps,
      loss: crossEntropy({ labelSmoothing: 0.1 }),
      optimizer: adam({ lr: warmup(cosineDecay({ lr: 0.1, steps: 20 }), { steps: 2 }) }),
      regularizer: [l2(0.01)],
    }),
  },
  groups: {
    make: () => sequential(linear(3, 4), relu(), linear(4, 1)),
    options: (steps) => ({
      ...COMMON,
      steps,
      loss: absolute,
      optimizer: partition([
        ["linear1.weight", muon({ lr: 0.1 })],
        ["linear1.bias", null],
        ["*", sgd({ lr: ({ step }) => 0.1 / step, momentum: 0.5 })],
      ]),
    }),
  },
};

export function loop(optimizer = adam({ lr: 0.1 })) {
  const model = sequential(linear(2, 1)).initialize(1);
  const trainer = minimizer(model, optimizer);
  const step = program({
    inputs: { x: spec([4, 2]), y: spec([4, 1]) },
    body({ x: rows, y: targets }) {
      const loss = ops.mean(mse()(model.forward(rows), targets));
      trainer.minimize(loss);
      return { loss };
    },
  });
  const batch = { x: Float32Array.from({ length: 8 }, (_, i) => i / 4), y: Float32Array.of(1, 2, 3, 4) };
  /** @param {number} steps */
  const run = async (steps) => {
    for (let i = 0; i < steps; i++) await step.run(batch);
  };
  return { model, parts: { models: model, minimizers: trainer, programs: step }, run };
}
