// What the compiler says about predictors. A line under an expected error must not compile.
import {
  embedding,
  flatten,
  linear,
  network,
  ops,
  type PredictedLabels,
  type Predictor,
  relu,
  sequential,
  spec,
  type Tensor,
} from "carillon";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the type argument is exactly `true`. */
declare function holds<T extends true>(): T;

const model = sequential(linear(4, 8), relu(), linear(8, 3));
const row = [1, 2, 3, 4];

const predictor = model.predictor();
predictor satisfies Predictor<"outputs">;
const outputs = predictor.run(row);
holds<Equal<typeof outputs, Tensor<"f32">>>();
const submitted = await predictor.submit([row], { signal: AbortSignal.timeout(100) });
holds<Equal<typeof submitted, Tensor<"f32">>>();
const into = predictor.run(Float32Array.of(1, 2, 3, 4), new Float32Array(3));
holds<Equal<typeof into, Float32Array<ArrayBuffer>>>();

const labels = model.predictor({ as: "labels", maxBatch: 64 });
const named = labels.run(row);
holds<Equal<typeof named, PredictedLabels>>();
const submittedLabels = await labels.submit(row);
holds<Equal<typeof submittedLabels, PredictedLabels>>();
// @ts-expect-error: labels are no floats
labels.run(row, new Float32Array(1));
const chances = await model.predictor({ as: "probabilities", weights: "int8", threads: 1, maxQueue: 1000 }).submit(row);
holds<Equal<typeof chances, Tensor<"f32">>>();
model.predictor({
  weights: [
    ["linear2.*", "f32"],
    ["*", "bf16"],
  ],
});
// @ts-expect-error: no such form
model.predictor({ weights: "f16" });
// @ts-expect-error: no such answer
model.predictor({ as: "classes" });
// @ts-expect-error: no such option
model.predictor({ batch: 4 });
const { maxAbsolute, labelAgreement } = await predictor.error([row, row]);
holds<Equal<[typeof maxAbsolute, typeof labelAgreement], [number, number | undefined]>>();
holds<Equal<ReturnType<typeof predictor.close>, Promise<void>>>();
await using served = model.predictor();
served.run(row);

// The elements of its inputs are those of the model.
const categories = sequential(
  { input: spec(["batch", 2], "i32") },
  embedding(9, 3),
  flatten(),
  linear(6, 1),
).predictor();
categories.run(Int32Array.of(1, 2));
categories.run([1, 2]);
// @ts-expect-error: floats are no numbers of rows
categories.run(Float32Array.of(1, 2));
// @ts-expect-error: floats are no numbers of rows
categories.submit(Float64Array.of(1, 2));
// @ts-expect-error: integers are no floats
predictor.run(Int32Array.of(1, 2, 3, 4));
const rated = network({
  inputs: { user: spec(["batch", 2]), item: spec(["batch"], "i32") },
  layers: { items: embedding(9, 3), out: linear(5, 1) },
  forward: ({ user, item }, { items, out }) => out(ops.concat([user, items(item)])),
}).predictor();
rated.run({ user: [[1, 2]], item: Int32Array.of(1) });
// @ts-expect-error: floats are no numbers of rows
rated.run({ user: [[1, 2]], item: Float32Array.of(1) });
// @ts-expect-error: integers are no floats
rated.submit({ user: Int32Array.of(1, 2), item: Int32Array.of(1) });
// @ts-expect-error: an input is missing
rated.submit({ user: [[1, 2]] });
