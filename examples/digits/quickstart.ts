// Trains a network that reads handwritten digits:  npm run quickstart -- [--seed N] [--epochs N] [--quiet] [--out FOLDER]
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { runtime, type Tensor } from "carillon";
import { type Digits, loadDigits } from "./digits.js";
import { drawConfusion, drawDigits } from "./draw.js";
import { accuracyOf, CLASSES, EPOCHS, type Progress, readDigits, trainDigits } from "./train.js";

/** Images drawn at the end. */
const DRAWN = 6;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "0" },
    epochs: { type: "string" },
    quiet: { type: "boolean", default: false },
    out: { type: "string", default: "runs/quickstart" },
  },
});
const OUT = values.out;

function say(text: string): void {
  if (!values.quiet) console.log(text);
}

function sayProgress({ epoch, epochs, loss, dataLoss, penalty, accuracy, ...test }: Progress): void {
  say(
    `epoch ${String(epoch).padStart(2)}/${epochs}  loss ${loss.toFixed(4)} (data ${dataLoss.toFixed(4)}` +
      ` + penalty ${penalty.toFixed(4)})  accuracy ${accuracy.toFixed(4)}` +
      `  test loss ${test.testLoss.toFixed(4)}  test accuracy ${test.testAccuracy.toFixed(4)}  ${test.seconds.toFixed(2)} s`,
  );
}

/** Row numbers of a few images: the misread ones first, then others. */
function worthSeeing({ y }: Digits, predicted: readonly number[]): number[] {
  const rows = predicted.map((_, row) => row);
  const misread = rows.filter((row) => predicted[row] !== y[row]).slice(0, DRAWN / 2);
  const correct = rows.filter((row) => predicted[row] === y[row]);
  return [...misread, ...correct].slice(0, DRAWN);
}

/** One hash of all weights, in the order of the parameters: equal hashes are equal models, to the last bit. */
function hashOf(weights: ReadonlyMap<string, Tensor>): string {
  const hash = createHash("sha256");
  for (const { data } of weights.values()) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex");
}

const { train, test } = await loadDigits();
say(
  `${train.y.length} images for training, ${test.y.length} for testing; ${runtime.isa}, ${runtime.threads} threads\n`,
);

const { model, seconds } = await trainDigits(
  train,
  test,
  Number(values.seed),
  sayProgress,
  Number(values.epochs ?? EPOCHS),
);

const predicted = await readDigits(model, test);
const testAccuracy = accuracyOf(predicted, test.y);
say(`\n${drawConfusion(test.y, predicted, CLASSES)}\n\n${drawDigits(test, predicted, worthSeeing(test, predicted))}\n`);

await mkdir(OUT, { recursive: true });
await model.save(`${OUT}/model.safetensors`);
const { isa, threads } = runtime;
const summary = { testAccuracy, seconds, isa, threads, weightsHash: hashOf(model.weights()) };
await writeFile(`${OUT}/summary.json`, `${JSON.stringify(summary, undefined, 2)}\n`);
say(`${OUT}/model.safetensors and summary.json written`);

console.log(`test accuracy ${testAccuracy.toFixed(4)} on ${test.y.length} images in ${seconds.toFixed(2)} s`);
