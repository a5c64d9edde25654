// What the compiler says about data, losses, figures and answers of networks with named inputs and outputs, checked by
// `tsc -p test/types`: a line under an expected error must not compile.
import {
  type AnyModel,
  adam,
  binaryCrossEntropy,
  dataset,
  defineLayer,
  type Evaluation,
  fit,
  type Layer,
  linear,
  loadModel,
  type Model,
  mse,
  network,
  ops,
  parameter,
  sequential,
  spec,
  split,
  standardize,
  type Tensor,
  tensor,
} from "carillon";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the type argument is exactly `true`. */
declare function holds<T extends true>(): T;

const users: Layer<number, { append: 4 }, "i32"> = defineLayer({
  kind: "users",
  takes: "i32",
  outputs: { append: 4 },
  parameters: { table: parameter([10, 4]) },
  forward: (x, { table }) => ops.take(table, x),
});
const model = network({
  inputs: { user: spec(["batch"], "i32"), age: spec(["batch", 1]) },
  layers: { users, rate: linear(5, 1), press: linear(5, 1) },
  forward({ user, age }, layers) {
    const all = ops.concat([layers.users(user), age]);
    return { rating: layers.rate(all), click: layers.press(all) };
  },
});
const x = { user: Int32Array.of(1, 2), age: [20, 30] };
const y = { rating: [1, 2], click: [0, 1] };
const loss = { rating: mse(), click: binaryCrossEntropy() };
const options = { loss, optimizer: adam(), epochs: 1 } as const;

// Data, losses, units and metrics by name.
const run = fit(model, {
  ...options,
  data: { x, y, weight: { click: [1, 2] } },
  validation: { x, y },
  lossWeights: { click: 2 },
  inputs: { age: standardize() },
  classWeights: { click: "balanced" },
  metrics: { rating: ["mae"], click: ["auc", "confusionMatrix"] },
});
type Keys = "rating.mae" | "click.auc" | "click.confusionMatrix";
holds<Equal<Awaited<typeof run>["history"][number]["validation"], Evaluation<Keys>>>();
fit(model, { ...options, data: dataset(() => [{ x: { user: 1, age: 20 }, y: { rating: 1, click: 0 } }]) });
const { train } = split({ x, y }, { validation: 1 });
holds<Equal<typeof train.x.user, Int32Array<ArrayBuffer>>>();
fit(model, { ...options, data: train });
// @ts-expect-error an input is missing
fit(model, { ...options, data: { x: { user: x.user }, y } });
// @ts-expect-error an input is misspelt
fit(model, { ...options, data: { x: { user: x.user, ages: x.age }, y } });
// @ts-expect-error a target is missing
fit(model, { ...options, data: { x, y: { rating: [1, 2] } } });
// @ts-expect-error no record
fit(model, { ...options, data: { x: x.user, y } });
// @ts-expect-error a loss for an output that is not there
fit(model, { ...options, data: { x, y }, loss: { ...loss, clicks: mse() } });
// @ts-expect-error a loss is missing
fit(model, { ...options, data: { x, y }, loss: { rating: mse() } });
// @ts-expect-error one loss for two outputs
fit(model, { ...options, data: { x, y }, loss: mse() });
// @ts-expect-error metrics of an output that is not there
fit(model, { ...options, data: { x, y }, metrics: { clicks: ["auc"] } });
// @ts-expect-error no such metric
fit(model, { ...options, data: { x, y }, metrics: { click: ["acu"] } });
// @ts-expect-error units of an input that is not there
fit(model, { ...options, data: { x, y }, inputs: { ages: standardize() } });

// Answers.
const outputs = await model.predict(x);
holds<Equal<typeof outputs, { readonly rating: Tensor<"f32">; readonly click: Tensor<"f32"> }>>();
model.predictSync({ user: 1, age: [20] }).click.data;
const probabilities = await model.predictProbabilities(x);
holds<Equal<typeof probabilities.click, Tensor<"f32"> | undefined>>();
// @ts-expect-error an input is missing
model.predict({ user: x.user });
const predictor = model.predictor();
predictor.run({ user: 1, age: [20] }).rating.data;
// @ts-expect-error no such output
predictor.run({ user: 1, age: [20] }).ratings;
const { metrics } = await model.evaluate({ x, y }, { loss, metrics: { click: ["auc"] } });
holds<Equal<typeof metrics, { readonly "click.auc": number }>>();
// @ts-expect-error no such figure
metrics["rating.auc"];

// Models with one input and one output are as ever.
const plain = sequential(linear(2, 1));
plain.predictSync([[1, 2]]).data;
// @ts-expect-error there are no names
fit(plain, { data: { x: { user: [1] }, y: [1] }, loss: mse(), optimizer: adam(), epochs: 1 });
// @ts-expect-error there is one loss
fit(plain, { data: { x: [[1, 2]], y: [1] }, loss: { y: mse() }, optimizer: adam(), epochs: 1 });
(await (await loadModel("model.safetensors")).predict([[1, 2]])).data;

// A file may have a model of several inputs.
const loaded: AnyModel = await loadModel("table.safetensors");
await loaded.predict({ numbers: [[1, 2]], categories: Int32Array.of(1) });
fit(loaded, { data: { x: { numbers: [[1, 2]] }, y: [1] }, loss: mse(), optimizer: adam(), epochs: 1 });

// Elements that a type alone tells to be of the other kind.
const floats = Float32Array.of(1, 2);
const integers = Int32Array.of(1, 2);
const training = { loss: mse(), optimizer: adam(), epochs: 1 } as const;
const table = sequential({ input: spec(["batch", 1], "i32") }, users, linear(4, 1));
fit(table, { ...training, data: { x: integers, y: [1, 2] } });
fit(table, { ...training, data: { x: Uint8Array.of(1, 2), y: [1, 2] } });
fit(plain, { ...training, data: { x: floats, y: integers } });
fit(plain, { ...training, data: { x: Uint8Array.of(1, 2), y: [1] } });
// @ts-expect-error the input takes f32, but these are i32: Float32Array.from() makes floats of them
fit(plain, { ...training, data: { x: integers, y: [1] } });
// @ts-expect-error the input takes f32, but these are i32: Float32Array.from() makes floats of them
fit(plain, { ...training, data: { x: tensor(integers, [1, 2]), y: [1] } });
// @ts-expect-error the input takes i32, but these are floats: Int32Array.from() makes integers of them
fit(table, { ...training, data: { x: floats, y: [1, 2] } });
// @ts-expect-error the input takes i32, but these are floats: Int32Array.from() makes integers of them
fit(table, { ...training, data: { x: [floats], y: [1, 2] } });
// @ts-expect-error the input 'user' takes i32, but these are floats: Int32Array.from() makes integers of them
fit(model, { ...options, data: { x: { user: floats, age: x.age }, y } });
// @ts-expect-error the input 'age' takes f32, but these are i32: Float32Array.from() makes floats of them
fit(model, { ...options, data: { x: { user: x.user, age: integers }, y } });
// @ts-expect-error there is no input 'ages'
fit(model, { ...options, data: { x: { ...x, ages: x.age }, y } });
// @ts-expect-error there is no output 'clicks'
fit(model, { ...options, data: { x, y: { ...y, clicks: [1, 2] } } });
// @ts-expect-error there is no member of a data set, 'weights'
fit(plain, { ...training, data: { x: [[1, 2]], y: [1], weights: [1] } });
// @ts-expect-error integers
plain.predict(integers);
// @ts-expect-error integers
plain.predictSync([integers]);
// @ts-expect-error floats
table.predict(floats);
// @ts-expect-error floats
model.predictProbabilities({ user: floats, age: floats });
plain.predict(Float64Array.of(1, 2));
table.predict(integers);
// Of unions, and of models of any elements, the types cannot tell.
declare const either: Float32Array | Int32Array;
fit(plain, { ...training, data: { x: either, y: [1] } });
declare const anyModel: Model;
anyModel.predict(integers);
fit(anyModel, { ...training, data: { x: integers, y: [1] } });
anyModel satisfies Model;
const kept: Model = table;
for (const each of [plain, table, kept]) each.predict([[1, 2]]);
