// What the compiler says about items of streams that a model does not take, and about data that is measured, checked by
// `tsc -p test/types`: a line under an expected error must not compile.
import {
  adam,
  binaryCrossEntropy,
  type Dataset,
  dataset,
  embedding,
  embeddingBag,
  findLearningRate,
  fit,
  flatten,
  linear,
  type Model,
  mse,
  network,
  ops,
  ragged,
  type StreamExample,
  sequential,
  spec,
} from "carillon";

const towers = network({
  inputs: { user: spec(["batch"], "i32"), age: spec(["batch", 1]) },
  layers: { users: embedding(10, 4), rate: linear(5, 1), press: linear(5, 1) },
  forward({ user, age }, layers) {
    const all = ops.concat([layers.users(user), age]);
    return { rating: layers.rate(all), click: layers.press(all) };
  },
});
const losses = { loss: { rating: mse(), click: binaryCrossEntropy() } };
const options = { ...losses, optimizer: adam(), epochs: 1 } as const;
const x = { user: 1, age: 20 };
const y = { rating: 1, click: 0 };
const floats = Float32Array.of(1, 2);
const integers = Int32Array.of(1, 2);

// One example, blocks, both; with weights; from any source.
fit(towers, { ...options, data: dataset(() => [{ x, y }]) });
fit(towers, { ...options, data: dataset([{ x, y, weight: 2 }]), validation: dataset(() => [{ x, y }]) });
const blocks = dataset(function* () {
  yield { x, y };
  yield { x: { user: integers, age: floats }, y: { rating: floats, click: [0, 1] }, weight: { click: [1, 2] } };
});
fit(towers, { ...options, data: blocks });
towers.evaluate(blocks, losses);
towers.refreshStatistics(blocks);
findLearningRate(towers, { ...losses, optimizer: adam(), data: blocks });
declare const unknownItems: Dataset;
declare const anyItems: AsyncIterable<StreamExample>;
fit(towers, { ...options, data: unknownItems, validation: dataset(anyItems) });
declare const named: Model<Readonly<Record<string, number>>, Readonly<Record<string, number>>>;
fit(named, { data: dataset(() => [{ x, y }]), loss: { rating: mse() }, optimizer: adam(), epochs: 1 });
declare const anyModel: Model;
fit(anyModel, { data: dataset(() => [{ x: integers, y: 1 }]), loss: mse(), optimizer: adam(), epochs: 1 });

// @ts-expect-error the input 'age' is missing
fit(towers, { ...options, data: dataset(() => [{ x: { user: 1 }, y }]) });
// @ts-expect-error there is no input 'ages'
fit(towers, { ...options, data: dataset(() => [{ x: { user: 1, ages: 20 }, y }]) });
// @ts-expect-error there is no input 'ages'
fit(towers, { ...options, data: dataset(() => [{ x: { ...x, ages: 20 }, y }]) });
// @ts-expect-error x names every input: 'user' | 'age'
fit(towers, { ...options, data: dataset(() => [{ x: [1, 20], y }]) });
// @ts-expect-error the output 'click' is missing
fit(towers, { ...options, data: dataset(() => [{ x, y: { rating: 1 } }]) });
// @ts-expect-error there is no output 'clicks'
fit(towers, { ...options, data: dataset(() => [{ x, y: { ...y, clicks: 1 } }]) });
// @ts-expect-error y names every output: 'rating' | 'click'
fit(towers, { ...options, data: dataset(() => [{ x, y: 1 }]) });
// @ts-expect-error there is no output 'clicks'
fit(towers, { ...options, data: dataset(() => [{ x, y, weight: { clicks: 1 } }]) });
// @ts-expect-error there is no member of an item, 'weights'
fit(towers, { ...options, data: dataset(() => [{ x, y, weights: 1 }]) });
// @ts-expect-error the input 'user' takes i32, but these are floats: Int32Array.from() makes integers of them
fit(towers, { ...options, data: dataset(() => [{ x: { user: floats, age: floats }, y }]) });
// @ts-expect-error the input 'age' takes f32, but these are i32: Float32Array.from() makes floats of them
fit(towers, { ...options, data: dataset(() => [{ x: { user: integers, age: integers }, y }]) });
// @ts-expect-error one of two forms lacks an input
fit(towers, { ...options, data: dataset(() => (Math.random() < 1 ? [{ x, y }] : [{ x: { user: 1 }, y }])) });
const withoutAge = dataset(function* () {
  yield { x: { user: 1 }, y };
});
// @ts-expect-error the input 'age' is missing
fit(towers, { ...options, data: blocks, validation: withoutAge });
// @ts-expect-error the input 'age' is missing
towers.evaluate(withoutAge, losses);
// @ts-expect-error the input 'age' is missing
towers.refreshStatistics(withoutAge);
// @ts-expect-error the input 'age' is missing
findLearningRate(towers, { ...losses, optimizer: adam(), data: withoutAge });
// @ts-expect-error a loss for an output that is not there
fit(towers, { ...options, data: blocks, loss: { ...losses.loss, clicks: mse() } });
// @ts-expect-error a loss for an output that is not there
towers.evaluate(blocks, { loss: { ...losses.loss, clicks: mse() } });

// Data in memory that is measured is looked at as that of a run.
const inMemory = { x: { user: integers, age: floats }, y: { rating: floats, click: floats } };
towers.evaluate(inMemory, losses);
towers.refreshStatistics(inMemory);
// @ts-expect-error the input 'user' takes i32, but these are floats: Int32Array.from() makes integers of them
towers.evaluate({ ...inMemory, x: { user: floats, age: floats } }, losses);
// @ts-expect-error the input 'age' takes f32, but these are i32: Float32Array.from() makes floats of them
towers.refreshStatistics({ x: { user: integers, age: integers } });
// @ts-expect-error the input 'user' takes i32, but these are floats: Int32Array.from() makes integers of them
fit(towers, { ...options, data: inMemory, validation: { ...inMemory, x: { user: floats, age: floats } } });

// One input and one output.
const one = { loss: mse(), optimizer: adam(), epochs: 1 } as const;
const plain = sequential(linear(2, 1));
const table = sequential({ input: spec(["batch", 2], "i32") }, embedding(8, 2), flatten(), linear(4, 1));
fit(plain, { ...one, data: dataset(() => [{ x: [1, 2], y: 1 }]) });
fit(plain, { ...one, data: dataset(() => [{ x: Uint8Array.of(1, 2), y: 1n, weight: 1 }]) });
fit(table, { ...one, data: dataset(() => [{ x: integers, y: "a" }]) });
// @ts-expect-error the input takes f32, but these are i32: Float32Array.from() makes floats of them
fit(plain, { ...one, data: dataset(() => [{ x: integers, y: 1 }]) });
// @ts-expect-error the input takes i32, but these are floats: Int32Array.from() makes integers of them
fit(table, { ...one, data: dataset(() => [{ x: floats, y: 1 }]) });
// @ts-expect-error the input takes numbers: one row, or several
fit(plain, { ...one, data: dataset(() => [{ x: { user: 1 }, y: 1 }]) });
// @ts-expect-error y is that of one output, which has no name
fit(plain, { ...one, data: dataset(() => [{ x: [1, 2], y: { rating: 1 } }]) });
// @ts-expect-error weight is that of one output, which has no name
fit(plain, { ...one, data: dataset(() => [{ x: [1, 2], y: 1, weight: { rating: 1 } }]) });

// Lists.
const lists = { offsets: Int32Array.of(0, 1, 2), ids: integers };
const words = sequential({ input: ragged("i32", { longest: 9 }) }, embeddingBag(100, 8), linear(8, 1));
fit(words, { ...one, data: dataset(() => [{ x: lists, y: [1, 2] }]) });
fit(words, { ...one, data: dataset(() => [{ x: integers, y: 1 }]) });
// @ts-expect-error the input takes lists of integers: one by itself, or { offsets, ids }
fit(words, { ...one, data: dataset(() => [{ x: floats, y: 1 }]) });
// @ts-expect-error the input takes lists of integers: one by itself, or { offsets, ids }
fit(words, { ...one, data: dataset(() => [{ x: 1, y: 1 }]) });
// @ts-expect-error there is no member of lists, 'x'
fit(words, { ...one, data: dataset(() => [{ x: { ...lists, x: 1 }, y: [1, 2] }]) });
// @ts-expect-error there is no member of lists, 'x'
fit(words, { ...one, data: { x: { ...lists, x: 1 }, y: [1, 2] } });
// @ts-expect-error there is no member of lists, 'x'
words.evaluate({ x: { ...lists, x: 1 }, y: [1, 2] }, { loss: mse() });
const films = network({
  inputs: { seen: ragged("i32", { longest: 9 }) },
  layers: { bag: embeddingBag(100, 1) },
  forward: ({ seen }, { bag }) => bag(seen),
});
fit(films, { ...one, data: { x: { seen: { ...lists, weights: floats } }, y: [1, 2] } });
fit(films, { ...one, data: dataset(() => [{ x: { seen: { ids: [1, 2], weights: [1, 2] } }, y: 1 }]) });
// @ts-expect-error there is no member of lists, 'x'
fit(films, { ...one, data: { x: { seen: { ...lists, x: 1 } }, y: [1, 2] } });
// @ts-expect-error there is no member of lists, 'weight'
fit(films, { ...one, data: dataset(() => [{ x: { seen: { ids: [1, 2], weight: [1, 2] } }, y: 1 }]) });
