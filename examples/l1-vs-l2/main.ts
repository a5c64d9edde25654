// What L1 and L2 do to the weights of a network that reads digits:  npm run example:l1-vs-l2 [-- --quick] [--out FOLDER]
import { mkdir, writeFile } from "node:fs/promises";
import { adam, l1, polynomialDecay } from "carillon";
import { INK, loadDigits, PIXELS } from "../digits/digits.js";
import { exampleOptions } from "../options.js";
import { writePicture } from "../plot.js";
import { percent, table } from "../table.js";
import { concentrationOf } from "./concentration.js";
import {
  accuracyPicture,
  histogramPicture,
  markOf,
  pixelPicture,
  type Shrunk,
  type Sweeps,
  shrinkagePicture,
  zerosPicture,
} from "./pictures.js";
import { concentrationTable, lambdaText, pixelMaps, settingsTable, shrinkageTable } from "./report.js";
import { bySize, shrunkOnce } from "./shrinkage.js";
import {
  choose,
  METHODS,
  nearestMeanSize,
  PENALTIES,
  type Penalty,
  pixelNorms,
  type Recipe,
  type Setting,
  sweep,
  textbook,
  trainAll,
} from "./sweep.js";

const { quick, out: OUT } = exampleOptions("l1-vs-l2");
const LAMBDAS = quick ? [1e-4, 1e-2] : [1e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2];

const started = performance.now();
const { train, test } = await loadDigits();
const recipe: Recipe = { train, test, optimizer: textbook, epochs: quick ? 1 : 100, seeds: quick ? [0] : [0, 1, 2] };
console.log(
  `Digits, 64 → 128 → 10, ${recipe.epochs} epochs of sgdMomentum, seeds ${recipe.seeds.join(", ")}: ` +
    `every figure is of ${test.y.length} test images or of the first layer's ${PIXELS * 128} weights, and a mean of the seeds.\n`,
);

// Accuracy, zeros and pixels over λ.
const plain = await trainAll(recipe, 0, null);
const sweeps: Record<(typeof METHODS)[number], readonly Setting[]> = { L2: [], L1: [], "proximal L1": [] };
for (const method of METHODS) {
  sweeps[method] = await sweep(recipe, LAMBDAS, PENALTIES[method]);
  console.log(`${method}\n${settingsTable([plain, ...sweeps[method]], choose(sweeps[method], plain))}\n`);
}
console.log("◀ the largest λ whose accuracy is within one point of that without a penalty\n");
const chosen = METHODS.map((method) => ({ method, setting: choose(sweeps[method], plain) }));

// What a penalty does by itself, in one step, to weights of each size.
const RATE = 1;
const BINS = 10;
const [first] = plain.runs;
if (first === undefined) throw new Error("no seed was trained");
const steps = chosen.map(({ method, setting }) => {
  return { method, setting, after: shrunkOnce(first, PENALTIES[method](setting.lambda), RATE) };
});
console.log(`One step of η = ${RATE} in which the data gradient is 0, from the weights trained without a penalty:`);
console.log(
  `${shrinkageTable(steps.map(({ method, after }) => [method, bySize(first.weights, after, BINS)]))}\n` +
    "L2 takes the same share of every weight, L1 the same amount: small weights lose more to L1, large ones to L2.\n",
);

// Where it leads: penalties that leave weights equally large on average.
const l2Chosen = chosen.find(({ method }) => method === "L2")?.setting ?? plain;
const equallyStrong = METHODS.map((method) => {
  const setting = method === "L2" ? l2Chosen : nearestMeanSize(sweeps[method], l2Chosen.mean.meanSize);
  return { label: `${method}, λ = ${lambdaText(setting?.lambda ?? 0)}`, setting: setting ?? plain };
});
const concentrations = [{ label: "no penalty", setting: plain }, ...equallyStrong].map(({ label, setting }) => {
  return { label, ...concentrationOf(setting.runs[0]?.weights ?? first.weights) };
});
console.log("The same strength, judged by mean |θ|, seed 0: L1 leaves its weight in few connections.");
console.log(`${concentrationTable(concentrations.map((one) => [one.label, one]))}\n`);

// The metric of the proximal step matters under an adaptive rule.
const METRIC_LAMBDAS: readonly (readonly [metric: "adaptive" | "euclidean", lambdas: readonly number[]])[] = [
  ["adaptive", [3e-4, 1e-3, 2e-3]],
  ["euclidean", [1e-3, 1e-2, 1e-1, 2e-1]],
];
const adaptive: Recipe = { ...recipe, optimizer: adam({ lr: polynomialDecay({ lr: 0.003 }) }) };
const adamPlain = await trainAll(adaptive, 0, null);
const metrics: { metric: string; lambda: number; accuracy: number; zeros: number }[] = [];
for (const [metric, lambdas] of METRIC_LAMBDAS) {
  const penalty: Penalty = (lambda) => l1(lambda, { proximal: true, metric });
  for (const { lambda, mean } of await sweep(adaptive, lambdas, penalty)) {
    metrics.push({ metric, lambda, accuracy: mean.accuracy, zeros: mean.zeros });
  }
}
console.log("Proximal L1 under adam, by the metric of its step:");
console.log(
  `${table(
    ["metric", "λ", "test accuracy", "θ = 0"],
    [
      ["no penalty", "0", percent(adamPlain.mean.accuracy, 2), percent(adamPlain.mean.zeros)],
      ...metrics.map(({ metric, lambda, accuracy, zeros }) => {
        return [metric, lambdaText(lambda), percent(accuracy, 2), percent(zeros)];
      }),
    ],
  )}\n`,
);

// Which pixels stay.
const marks = [markOf(null, plain), ...chosen.map(({ method, setting }) => markOf(method, setting))];
console.log("Norm of the weights that leave each pixel, seed 0; a dot is a pixel that nothing looks at:");
console.log(`${pixelMaps(marks.map(({ label, weights }) => [label, pixelNorms(weights)]))}\n`);

await mkdir(OUT, { recursive: true });
/** Every sixtieth weight, so that points can be told apart. */
const sampled = (weights: Float32Array): Float32Array => weights.filter((_, index) => index % 60 === 0);
const shrunk = steps.flatMap(({ method, setting: { lambda }, after }) => {
  const left = sampled(after);
  return Array.from(sampled(first.weights), (weight, index): Shrunk => {
    const size = Math.abs(weight);
    return { method, lambda, size, taken: size - Math.abs(left[index] ?? 0) };
  });
});
const ink = Array.from({ length: PIXELS }, (_, pixel) => {
  const column = train.x.filter((_value, index) => index % PIXELS === pixel);
  return column.reduce((sum, value) => sum + value, 0) / column.length / INK;
});
const all: Sweeps = sweeps;
await writePicture(`${OUT}/accuracy.svg`, accuracyPicture(all, plain));
await writePicture(`${OUT}/zeros.svg`, zerosPicture(all));
await writePicture(`${OUT}/shrinkage.svg`, shrinkagePicture(shrunk, RATE));
await writePicture(`${OUT}/histograms.svg`, histogramPicture(marks));
await writePicture(`${OUT}/pixels.svg`, pixelPicture(marks, ink));

const seconds = (performance.now() - started) / 1000;
const rowsOf = (settings: readonly Setting[]): readonly object[] =>
  settings.map(({ lambda, mean }) => ({ lambda, ...mean }));
const summary = {
  seeds: recipe.seeds,
  epochs: recipe.epochs,
  plain: plain.mean,
  chosen: Object.fromEntries(chosen.map(({ method, setting: { lambda, mean } }) => [method, { lambda, ...mean }])),
  sweeps: Object.fromEntries(METHODS.map((method) => [method, rowsOf(sweeps[method])])),
  shrinkage: Object.fromEntries(
    steps.map(({ method, setting: { lambda }, after }) => [
      method,
      { lambda, rate: RATE, bins: bySize(first.weights, after, BINS) },
    ]),
  ),
  concentration: concentrations,
  adam: { plain: adamPlain.mean, proximal: metrics },
  seconds,
};
await writeFile(`${OUT}/summary.json`, `${JSON.stringify(summary, undefined, 2)}\n`);

for (const { method, setting } of chosen) {
  const { accuracy, zeros, small, pixels, pixelsNotZero } = setting.mean;
  const cost = 100 * (plain.mean.accuracy - accuracy);
  console.log(
    `${method}, λ = ${lambdaText(setting.lambda)}: ${cost.toFixed(2)} points below the network without a penalty; ` +
      `${percent(zeros)} of its first layer's weights are exactly 0, ${percent(small)} below 0.001; ` +
      `${pixels.toFixed(1)} of ${PIXELS} pixels have a weight of 0.001 or more, ${pixelsNotZero.toFixed(1)} one that is not 0`,
  );
}
console.log(
  `${OUT}: accuracy, zeros, shrinkage, histograms, pixels (.svg) and summary.json, in ${seconds.toFixed(1)} s`,
);
