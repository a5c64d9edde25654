// Reads handwritten digits, 28×28 pixels, with two convolutions, once as they are and once moved by chance:  npm run example:lenet [-- --quick] [--out FOLDER]
import { mkdir, writeFile } from "node:fs/promises";
import {
  adam,
  conv2d,
  crossEntropy,
  dropout,
  fit,
  flatten,
  heNormal,
  type ImagesAugmentation,
  images,
  linear,
  loadModel,
  maxPool2d,
  relu,
  runtime,
  type Schedule,
  sequential,
} from "carillon";
import { exampleOptions } from "../options.js";
import { BLUE, ORANGE, writePicture } from "../plot.js";
import { percent, table } from "../table.js";
import { DIGITS, type Images, loadMnist } from "./images.js";

const { quick, out: OUT } = exampleOptions("lenet");
const EPOCHS = quick ? 1 : 30;
const init = heNormal();

/** Mean and standard deviation of the pixels of MNIST, in [0, 1]. */
const NORMALIZE = { mean: 0.1307, std: 0.3081 } as const;

/** LeNet-5's form (LeCun, Bottou, Bengio, Haffner 1998) with relu, largest elements and dropout of units. */
const lenet = (augment?: ImagesAugmentation<undefined>) =>
  sequential(
    images({ height: 28, width: 28, channels: 1, augment, normalize: NORMALIZE }), // bytes in
    conv2d(1, 16, { kernel: 5, init }), // [24, 24, 16]
    relu(),
    maxPool2d(2), // [12, 12, 16]
    conv2d(16, 32, { kernel: 5, init }), // [8, 8, 32]
    relu(),
    maxPool2d(2), // [4, 4, 32]
    flatten(),
    linear(512, 128, { init }),
    relu(),
    dropout(0.25),
    linear(128, DIGITS, { init }),
  );

/** Falls to almost 0 in a straight line: large steps first, small ones to settle. */
const learningRate: Schedule = ({ step, steps }) => 0.002 * (1 - (step - 1) / steps);

/** Pixels as bytes: a quarter of the memory of floats. */
const inBytes = ({ x, y }: Images) => ({ x: Uint8Array.from(x, (ink) => Math.round(255 * ink)), y });

const { train, test } = await loadMnist();
const [data, validation] = [inBytes(train), inBytes(test)];
console.log(
  `two convolutions of 5 × 5, 512 → 128 → 10; ${train.y.length} images for training, ${test.y.length} for testing; ` +
    `${runtime.isa}, ${runtime.threads} threads\n`,
);

interface Point {
  readonly way: string;
  readonly epoch: number;
  readonly error: number;
}

/** Trains on images that are drawn as `augment` says; gives the share of test images misread by epoch. */
async function trained(way: string, augment?: ImagesAugmentation<undefined>) {
  const model = lenet(augment);
  const started = performance.now();
  const run = fit(model, {
    data,
    validation,
    loss: crossEntropy(),
    optimizer: adam({ lr: learningRate }),
    metrics: ["accuracy"],
    epochs: EPOCHS,
    batchSize: 64,
    seed: 1,
  });
  const points: Point[] = [];
  const lines: string[][] = [];
  let accuracy = 0;
  for await (const event of run) {
    if (event.kind !== "epoch") continue;
    const { epoch, loss, metrics, validation: held, seconds } = event;
    accuracy = held.metrics.accuracy;
    points.push({ way, epoch, error: 100 * (1 - accuracy) });
    lines.push([
      String(epoch),
      loss.toFixed(4),
      percent(metrics.accuracy, 2),
      percent(accuracy, 2),
      seconds.toFixed(2),
    ]);
  }
  const seconds = (performance.now() - started) / 1000;
  console.log(`${way}\n${table(["epoch", "loss", "accuracy", "test accuracy", "seconds"], lines)}\n`);
  return { way, model, points, accuracy, seconds };
}

const plain = await trained("images as they are");
const moved = await trained("moved by up to 2 pixels", { shift: 2 });

await mkdir(OUT, { recursive: true });
await moved.model.save(`${OUT}/model.safetensors`);
await writePicture(`${OUT}/errors.svg`, {
  title: { text: "Test images misread", subtitle: `a LeNet, ${train.y.length} digits of MNIST, seed 1` },
  width: 420,
  height: 260,
  data: { values: [...plain.points, ...moved.points] },
  mark: "line",
  encoding: {
    x: { field: "epoch", type: "quantitative" },
    y: { field: "error", type: "quantitative", title: "%", scale: { type: "log" } },
    color: {
      field: "way",
      type: "nominal",
      title: null,
      scale: { domain: [plain.way, moved.way], range: [BLUE, ORANGE] },
    },
  },
});
const summary = [plain, moved].map(({ way, accuracy, seconds }) => ({ way, testAccuracy: accuracy, seconds }));
await writeFile(`${OUT}/summary.json`, `${JSON.stringify({ epochs: EPOCHS, runs: summary }, undefined, 2)}\n`);

// Whoever asks the saved model gives it bytes again, which it normalizes, and nothing is drawn.
const { shape } = await (await loadModel(`${OUT}/model.safetensors`)).predict(validation.x.subarray(0, 784));
console.log(
  table(
    ["", "test accuracy", "seconds"],
    summary.map(({ way, testAccuracy, seconds }) => [way, percent(testAccuracy, 2), seconds.toFixed(1)]),
  ),
);
console.log(`\n${OUT}: model.safetensors (bytes in, ${shape.at(-1)} scores out), errors.svg and summary.json`);
