// What the compiler says about predictors. A line under an expected error must not compile.
import { linear, type PredictedLabels, type Predictor, relu, sequential, type Tensor } from "carillon";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the type argument is exactly `true`. */
declare function holds<T extends true>(): T;

const model = sequential(linear(4, 8), relu(), linear(8, 3));
const row = [1, 2, 3, 4];

const predictor = model.predictor();
holds<Equal<typeof predictor, Predictor<"outputs">>>();
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
