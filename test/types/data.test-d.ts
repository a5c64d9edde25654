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
  flatten,
  images,
  kFold,
  linear,
  type Model,
  minMax,
  mse,
  type StreamExample,
  sequential,
  split,
  standardize,
  tensor,
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

// Images of bytes.
const seeing = sequential(images({ height: 4, width: 4, channels: 3 }), flatten(), linear(48, 2));
holds<Equal<typeof seeing, Model<readonly [4, 4, 3], 2, "u8">>>();
const cut = sequential(images({ height: 8, width: 6, channels: 1, augment: { crop: [5, 4], flip: true } }), flatten());
holds<Equal<typeof cut, Model<readonly [8, 6, 1], 20, "u8">>>();
sequential(
  images({ height: 8, width: 8, channels: 1, augment: { crop: 5 } }),
  flatten(),
  // @ts-expect-error layer 3 takes 64 features, but layer 2 gives 25
  linear(64, 2),
);
// @ts-expect-error layer 1 takes u8, but the input has f32
sequential({ input: [4, 4, 3] }, images({ height: 4, width: 4, channels: 3 }));
const pixels = new Uint8Array(96);
fit(seeing, { ...options, data: { x: pixels, y: [0, 1] } });
fit(seeing, { ...options, data: { x: tensor(pixels, [2, 4, 4, 3]), y: [0, 1] } });
fit(seeing, { ...options, data: { x: [new Uint8ClampedArray(48), new Uint8ClampedArray(48)], y: [0, 1] } });
// @ts-expect-error these are no bytes
fit(seeing, { ...options, data: { x: new Float32Array(96), y: [0, 1] } });
// @ts-expect-error these are no bytes
fit(seeing, { ...options, data: { x: [new Int32Array(48)], y: [0] } });
seeing.predict(pixels);
// @ts-expect-error these are no bytes
seeing.predict(new Float32Array(48));
// @ts-expect-error no such augmentation
images({ height: 4, width: 4, channels: 3, augment: { rotate: 10 } });
// @ts-expect-error channels are not known without
images({ height: 4, width: 4 });
