// Reads handwritten digits, 28×28 pixels, with two convolutions:  npm run example:lenet [-- --quick] [--out FOLDER]
import { mkdir, writeFile } from "node:fs/promises";
import {
  adam,
  conv2d,
  crossEntropy,
  dropout,
  fit,
  flatten,
  heNormal,
  linear,
  maxPool2d,
  relu,
  runtime,
  type Schedule,
  sequential,
  spatialDropout,
  type Tensor,
  tensor,
} from "carillon";
import { exampleOptions } from "../options.js";
import { percent, table } from "../table.js";
import { DIGITS, type Images, loadMnist } from "./images.js";

const { quick, out: OUT } = exampleOptions("lenet");
const EPOCHS = quick ? 1 : 30;
const init = heNormal();

/** LeNet-5's form (LeCun, Bottou, Bengio, Haffner 1998) with relu, largest elements and dropout of units and of channels. */
const model = sequential(
  { input: [28, 28, 1] },
  conv2d(1, 16, { kernel: 5, init }), // [24, 24, 16]
  relu(),
  maxPool2d(2), // [12, 12, 16]
  conv2d(16, 32, { kernel: 5, init }), // [8, 8, 32]
  relu(),
  maxPool2d(2), // [4, 4, 32]
  spatialDropout(0.2),
  flatten(),
  linear(512, 128, { init }),
  relu(),
  dropout(0.5),
  linear(128, DIGITS, { init }),
);

/** Falls to almost 0 in a straight line: large steps first, small ones to settle. */
const learningRate: Schedule = ({ step, steps }) => 0.002 * (1 - (step - 1) / steps);

const asImages = ({ x, y }: Images): { readonly x: Tensor<"f32">; readonly y: Uint8Array } => ({
  x: tensor(x, [y.length, 28, 28, 1]),
  y,
});

const { train, test } = await loadMnist();
console.log(
  `two convolutions of 5 × 5, 512 → 128 → 10; ${train.y.length} images for training, ${test.y.length} for testing; ` +
    `${runtime.isa}, ${runtime.threads} threads\n`,
);
const started = performance.now();
const run = fit(model, {
  data: asImages(train),
  validation: asImages(test),
  loss: crossEntropy(),
  optimizer: adam({ lr: learningRate }),
  metrics: ["accuracy"],
  epochs: EPOCHS,
  batchSize: 64,
  seed: 1,
});
const lines: string[][] = [];
let testAccuracy = 0;
for await (const event of run) {
  if (event.kind !== "epoch") continue;
  const { epoch, loss, metrics, validation, seconds } = event;
  testAccuracy = validation.metrics.accuracy;
  const accuracies = [percent(metrics.accuracy, 2), percent(testAccuracy, 2)];
  lines.push([String(epoch), loss.toFixed(4), ...accuracies, seconds.toFixed(2)]);
}
const seconds = (performance.now() - started) / 1000;
console.log(table(["epoch", "loss", "accuracy", "test accuracy", "seconds"], lines));

await mkdir(OUT, { recursive: true });
await model.save(`${OUT}/model.safetensors`);
await writeFile(`${OUT}/summary.json`, `${JSON.stringify({ testAccuracy, seconds, epochs: EPOCHS }, undefined, 2)}\n`);
console.log(`\n${percent(testAccuracy, 2)} of the test images read, after ${seconds.toFixed(1)} s of training`);
console.log(`${OUT}: model.safetensors and summary.json`);
