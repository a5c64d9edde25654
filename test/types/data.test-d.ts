// What the compiler says about streams, folds and units, checked by `tsc -p test/types`: a line under an expected error must
// not compile.
import { Readable } from "node:stream";
import {
  adam,
  crossEntropy,
  type Dataset,
  dataset,
  divideBy,
  type Evaluation,
  type Fold,
  fit,
  kFold,
  linear,
  minMax,
  mse,
  type StreamExample,
  sequential,
  split,
  standardize,
} from "carillon";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the type argument is exactly `true`. */
declare function holds<T extends true>(): T;

const options = { loss: crossEntropy(), optimizer: adam(), epochs: 1 };
const model = sequential(linear(2, 2));

// Whatever can be iterated, or opens something that can.
declare const rows: AsyncIterable<{ features: Float32Array; label: number }>;
const data = dataset(
  async function* () {
    for await (const row of rows) yield { x: row.features, y: row.label };
  },
  { shuffleBuffer: 10_000 },
);
holds<Equal<typeof data, Dataset<{ x: Float32Array; y: number }>>>();
data satisfies Dataset;
dataset(function* () {
  yield { x: [1, 2], y: 0, weight: 2 };
  yield { x: Uint8Array.of(1, 2, 3, 4), y: [0, 1], weight: [1, 2] };
});
dataset(() => Readable.from([]) as AsyncIterable<StreamExample>);
dataset(async () => [{ x: [1], y: Float32Array.of(1) }]);
dataset([{ x: [1], y: 1 }]);
// @ts-expect-error an example has a target
dataset(() => [{ x: [1] }]);
// @ts-expect-error text is no number
dataset(() => [{ x: ["1"], y: 0 }]);
// @ts-expect-error no such option
dataset(() => [{ x: [1], y: 0 }], { shuffle: 10 });
// @ts-expect-error a function opens something that can be iterated
dataset(() => 5);

// Streams stand where data stands.
fit(model, { ...options, data });
const run = fit(model, { ...options, data, validation: data, metrics: ["accuracy"] });
holds<Equal<Awaited<typeof run>["history"][number]["validation"], Evaluation<"accuracy">>>();
model.evaluate(data, { loss: crossEntropy() });
for await (const event of run) {
  if (event.kind !== "start") continue;
  holds<Equal<typeof event.steps, number | undefined>>();
}

// Units.
fit(model, { ...options, data, inputs: standardize() });
fit(model, { ...options, data, inputs: divideBy(255), targets: null });
fit(model, { ...options, loss: mse(), data, inputs: undefined, targets: minMax({ range: [-1, 1] }) });
// @ts-expect-error a transform is made by a call
fit(model, { ...options, data, inputs: standardize });
// @ts-expect-error two ends
minMax({ range: [0] });
// @ts-expect-error a divisor is required
divideBy();
holds<Equal<(typeof model.transforms)["inputs"], Parameters<typeof fit>[0]["transforms"]["inputs"]>>();

// Folds keep the types of their data.
const folds = kFold({ x: new Uint8Array(8), y: [0, 1, 0, 1] }, 2, { stratify: true, seed: 1 });
holds<Equal<typeof folds, Iterable<Fold<Uint8Array<ArrayBuffer>, number[]>>>>();
for (const { train, validation } of folds) {
  holds<Equal<typeof train.x, Uint8Array<ArrayBuffer>>>();
  fit(model, { ...options, data: train, validation });
}
// @ts-expect-error no such option
kFold({ x: [[1], [2]], y: [0, 1] }, 2, { shuffle: true });
for (const { train, rows: numbers } of kFold([{ patient: "a", age: 1 }], 2, { groups: ({ patient }) => patient })) {
  holds<Equal<typeof train, { patient: string; age: number }[]>>();
  holds<Equal<typeof numbers.train, Uint32Array>>();
}
// @ts-expect-error rows have no such member
kFold([{ patient: "a" }], 2, { groups: ({ doctor }) => doctor });
// @ts-expect-error there are no rows to call a function with
kFold({ x: [[1], [2]], y: [0, 1] }, 2, { groups: () => 1 });
kFold({ x: [[1], [2]], y: ["a", "b"] }, 2, { groups: [1n, 2n], order: "random" });

// Parts keep the types of their data, and there are three of them with `test`.
const three = split({ x: new Uint8Array(8), y: ["a", "b", "a", "b"] }, { validation: 1, test: 1, stratify: true });
holds<Equal<typeof three.test.y, string[]>>();
const visits = split([{ age: 1, ill: true }], { validation: 0.5, stratify: ({ ill }) => String(ill) });
holds<Equal<typeof visits.train, { age: number; ill: boolean }[]>>();
// @ts-expect-error two parts
visits.test;
const examples = split([{ x: [1, 2], y: 1 }], { validation: 0.5, test: 0.1, stratify: true });
fit(model, { ...options, data: dataset(examples.train), validation: dataset(examples.test) });

// @ts-expect-error a number of folds is required
kFold({ x: [[1], [2]], y: [0, 1] });
