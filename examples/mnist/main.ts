// Reads handwritten digits, 28×28 pixels, with one hidden layer:  npm run example:mnist [-- --quick] [--out FOLDER]
import { mkdir, writeFile } from "node:fs/promises";
import { runtime } from "carillon";
import { exampleOptions } from "../options.js";
import { percent, table } from "../table.js";
import { loadMnist } from "./images.js";
import { type Progress, type Recipe, trainMnist } from "./train.js";

const { quick, out: OUT } = exampleOptions("mnist");
const RECIPE: Recipe = { epochs: quick ? 1 : 30, batchSize: 64, seed: 1 };

const { train, test } = await loadMnist();
console.log(
  `784 → 256 → 10, relu, dropout 0.5, Adam with a rate falling to 0; ${train.y.length} images for training,\n` +
    `${test.y.length} for testing; batches of ${RECIPE.batchSize}, seed ${RECIPE.seed}. Of training: with dropout, as the weights change.\n`,
);
const started = performance.now();
const epochs: Progress[] = [];
const { model, last } = await trainMnist(train, test, RECIPE, (progress) => epochs.push(progress));
const seconds = (performance.now() - started) / 1000;
console.log(
  table(
    ["epoch", "loss", "accuracy", "test loss", "test accuracy", "seconds"],
    epochs.map((epoch) => [
      String(epoch.epoch),
      epoch.loss.toFixed(4),
      percent(epoch.accuracy, 2),
      epoch.testLoss.toFixed(4),
      percent(epoch.testAccuracy, 2),
      epoch.seconds.toFixed(2),
    ]),
  ),
);
await mkdir(OUT, { recursive: true });
await model.save(`${OUT}/model.safetensors`);
const summary = {
  network: "784-256-10",
  dropout: 0.5,
  optimizer: "adam",
  ...RECIPE,
  trainingImages: train.y.length,
  testImages: test.y.length,
  trainingLoss: last.loss,
  testLoss: last.testLoss,
  testAccuracy: last.testAccuracy,
  seconds,
  threads: runtime.threads,
  isa: runtime.isa,
  history: epochs,
};
await writeFile(`${OUT}/summary.json`, `${JSON.stringify(summary, undefined, 2)}\n`);
console.log(`\n${percent(last.testAccuracy, 2)} of the test images read, after ${seconds.toFixed(1)} s of training`);
console.log(`${OUT}: model.safetensors and summary.json`);
