// Trains the network of the quickstart with five seeds:  npm run quickstart:seeds [-- --quick]
// One number may be luck; the mean of five says how good the recipe is.
import { exampleOptions } from "../options.js";
import { loadDigits } from "./digits.js";
import { accuracyOf, EPOCHS, readDigits, trainDigits } from "./train.js";

const { quick } = exampleOptions("seeds");
const SEEDS = quick ? [0, 1] : [0, 1, 2, 3, 4];

const { train, test } = await loadDigits();
const accuracies: number[] = [];
for (const seed of SEEDS) {
  const { model, seconds } = await trainDigits(train, test, seed, undefined, quick ? 2 : EPOCHS);
  const accuracy = accuracyOf(await readDigits(model, test), test.y);
  accuracies.push(accuracy);
  console.log(`seed ${seed}: test accuracy ${accuracy.toFixed(4)} in ${seconds.toFixed(2)} s`);
}
const mean = accuracies.reduce((sum, accuracy) => sum + accuracy, 0) / accuracies.length;
console.log(
  `mean test accuracy ${mean.toFixed(4)} over ${SEEDS.length} seeds, ${Math.min(...accuracies).toFixed(4)} at least`,
);
