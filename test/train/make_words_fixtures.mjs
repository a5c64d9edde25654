// Makes fixtures/words-run.safetensors, words-groups.safetensors and words-loop.safetensors: checkpoints as the writer of commit
// 758724b made them, which told optimizers, losses and schedules in words, before there were descriptions. Run with that
// commit's package: node make_words_fixtures.mjs
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  adam,
  cosineDecay,
  crossEntropy,
  fit,
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
  saveCheckpoint,
  sequential,
  sgd,
  spec,
  standardize,
  warmup,
} from "carillon";

const x = Array.from({ length: 12 }, (_, row) => [row / 4, (row * 5) % 12, 3 - row]);
const labels = x.map((_, row) => row % 2);
/** @param {string} name */
const path = (name) => fileURLToPath(new URL(`fixtures/words-${name}.safetensors`, import.meta.url));
const common = { data: { x, y: labels }, inputs: standardize(), steps: 5, batchSize: 4, seed: 7 };

const first = await fit(sequential(linear(3, 4, { regularizer: l1(0.01) }), relu(), linear(4, 2)), {
  ...common,
  loss: crossEntropy({ labelSmoothing: 0.1 }),
  optimizer: adam({ lr: warmup(cosineDecay({ lr: 0.1, steps: 20 }), { steps: 2 }) }),
  regularizer: [l2(0.01)],
});
writeFileSync(path("run"), first.checkpoint());

/** @type {import("carillon").Loss} */
const absolute = (output, target) => ops.mean(ops.absolute(ops.subtract(output, target)), { axis: "last" });
const second = await fit(sequential(linear(3, 4), relu(), linear(4, 1)), {
  ...common,
  loss: absolute,
  optimizer: partition([
    ["linear1.weight", muon({ lr: 0.1 })],
    ["linear1.bias", null],
    ["*", sgd({ lr: ({ step }) => 0.1 / step, momentum: 0.5 })],
  ]),
});
writeFileSync(path("groups"), second.checkpoint());

const model = sequential(linear(2, 1)).initialize(1);
const trainer = minimizer(model, adam({ lr: 0.1 }));
const step = program({
  inputs: { x: spec([4, 2]), y: spec([4, 1]) },
  body({ x, y }) {
    const loss = ops.mean(mse()(model.forward(x), y));
    trainer.minimize(loss);
    return { loss };
  },
});
const batch = { x: Float32Array.from({ length: 8 }, (_, i) => i / 4), y: Float32Array.of(1, 2, 3, 4) };
for (let i = 0; i < 3; i++) await step.run(batch);
await saveCheckpoint(path("loop"), { models: model, minimizers: trainer, programs: step, state: { epoch: 1 } });
