// What the compiler says about labels, metrics and predictions, checked by `tsc -p test/types`: a line under an expected error must
// not compile.
import {
  adam,
  bestThreshold,
  calibrationError,
  crossEntropy,
  fit,
  linear,
  type PredictedLabels,
  sequential,
  split,
  type Tensor,
} from "carillon";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the type argument is exactly `true`. */
declare function holds<T extends true>(): T;

const model = sequential(linear(2, 2));
const rows = [
  [1, 2],
  [3, 4],
];

const outputs = await model.predict(rows);
holds<Equal<typeof outputs, Tensor<"f32">>>();
const labels = await model.predict(rows, { as: "labels" });
holds<Equal<typeof labels, PredictedLabels>>();
for (const label of labels) holds<Equal<typeof label, string | number>>();
const atOnce = model.predictSync(rows, { as: "labels" });
holds<Equal<typeof atOnce, PredictedLabels>>();
await model.predictProbabilities(rows, { as: "sigmoid", threads: 1 });
// @ts-expect-error: labels are no probabilities
await model.predictProbabilities(rows, { as: "labels" });
// @ts-expect-error: no such thing
await model.predict(rows, { as: "names" });
holds<Equal<typeof model.classNames, readonly string[] | undefined>>();

// Labels of every form; a set keeps its kind.
const { train, validation } = split({ x: rows, y: ["a", "b"] }, { validation: 1 });
holds<Equal<typeof train.y, string[]>>();
const named = [
  bestThreshold({ by: { wrong: 1, missed: 2 }, name: "cheapest" }),
  calibrationError(),
  "logLoss",
] as const;
const run = await fit(model, {
  data: train,
  validation,
  classes: ["a", "b"],
  loss: crossEntropy(),
  optimizer: adam(),
  epochs: 1,
  metrics: named,
});
const figures = run.history[0]?.validation.metrics;
holds<Equal<keyof NonNullable<typeof figures>, "cheapest" | "calibrationError" | "logLoss">>();
await fit(model, { data: { x: rows, y: [0n, 1n] }, loss: crossEntropy(), optimizer: adam(), epochs: 1 });
await fit(model, { data: { x: rows, y: Float64Array.of(0, 1) }, loss: crossEntropy(), optimizer: adam(), epochs: 1 });
await fit(model, { data: { x: rows, y: rows }, loss: crossEntropy(), optimizer: adam(), epochs: 1 });
// @ts-expect-error: truth is no label
await fit(model, { data: { x: rows, y: [true, false] }, loss: crossEntropy(), optimizer: adam(), epochs: 1 });
// @ts-expect-error: no such criterion
bestThreshold({ by: "f2" });
