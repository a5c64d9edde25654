// What the compiler says about inputs of lists. A line under an expected error must not compile.
import {
  adam,
  dataset,
  embedding,
  embeddingBag,
  fit,
  flatten,
  type Lists,
  linear,
  mse,
  network,
  ops,
  ragged,
  sequential,
  spec,
  split,
} from "carillon";

const lists = { offsets: Int32Array.of(0, 1, 3), ids: Int32Array.of(4, 5, 6) };
const weighted: Lists = { ...lists, weights: Float32Array.of(1, 2, 3) };
const options = { loss: mse(), optimizer: adam(), epochs: 1 } as const;

const words = sequential({ input: ragged("i32", { longest: 9 }) }, embeddingBag(100, 8), linear(8, 1));
const y = [1, 2];
fit(words, { ...options, data: { x: lists, y }, validation: { x: weighted, y } });
fit(words, {
  ...options,
  data: dataset(() => [
    { x: [1, 2], y: 1 },
    { x: { ids: [3], weights: [1] }, y: 2 },
  ]),
});
fit(words, { ...options, data: split({ x: weighted, y }, { validation: 1 }).train });
words.predictSync(lists).data;
words.predictSync([1, 2]).data;
words.predictSync(Int32Array.of(1, 2)).data;
words.predictor().run({ ids: [1], weights: [2] }).data;
// @ts-expect-error floats are no lists
fit(words, { ...options, data: { x: new Float32Array(2), y } });
// @ts-expect-error rows of ids are none
fit(words, { ...options, data: { x: [[1], [2]], y } });
// @ts-expect-error nor are ids of 64 bits
fit(words, { ...options, data: { x: { ...lists, ids: [4, 5, 6] }, y } });
// @ts-expect-error floats are no lists
words.predict(new Float32Array(2));
// @ts-expect-error floats are no lists
words.evaluate({ x: new Float32Array(2), y }, { loss: mse() });

// @ts-expect-error an embedding takes no lists
sequential({ input: ragged("i32") }, embedding(8, 2));
// @ts-expect-error nor does a linear
sequential({ input: ragged("i32") }, linear(8, 2));
// @ts-expect-error nor a layer that takes all rows
sequential({ input: ragged("i32") }, flatten());
// @ts-expect-error a bag takes no floats
sequential(linear(2, 2), embeddingBag(8, 2));
// @ts-expect-error a bag gives 2 features
sequential({ input: ragged("i32") }, embeddingBag(8, 2), linear(3, 1));
// @ts-expect-error lists are of integers
ragged("f32");
// @ts-expect-error no such option
ragged("i32", { most: 3 });

const films = network({
  inputs: { seen: ragged("i32"), age: spec(["batch", 1]) },
  layers: { bag: embeddingBag(100, 3), out: linear(4, 1) },
  forward: ({ seen, age }, { bag, out }) => out(ops.concat([bag(seen), age])),
});
fit(films, { ...options, data: { x: { seen: lists, age: [1, 2] }, y } });
films.predictSync({ seen: [1, 2, 3], age: [1] }).data;
// @ts-expect-error floats are no lists
fit(films, { ...options, data: { x: { seen: new Float32Array(2), age: [1, 2] }, y } });
// @ts-expect-error lists are no floats
fit(films, { ...options, data: { x: { seen: lists, age: lists }, y } });
