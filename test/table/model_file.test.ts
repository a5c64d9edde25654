// A preparation belongs to the model that it was fitted for: in its copies, its files, its checkpoints.
import { expect, test } from "vitest";
import {
  adam,
  crossEntropy,
  fit,
  linear,
  loadModel,
  preparationOf,
  prepare,
  type Schema,
  sequential,
  table,
} from "../../lib/index.js";

const schema: Schema = {
  columns: { x: { kind: "number" }, y: { kind: "number" }, c: { kind: "category" } },
  target: "c",
};
const source = await table({ x: [1, 2, 3, 4], y: [4, 1, null, 2], c: ["a", "b", "a", "b"] });
const preparation = await prepare(source, { schema });

test("a loaded model has it, and gives the same answers to raw rows", async () => {
  const { x, y } = preparation.examples(source);
  if (x.numbers === undefined || !(y instanceof Int32Array)) throw new Error("expected numbers and classes");
  const model = sequential(linear(3, 2)).keepPreparation(preparation);
  const options = { loss: crossEntropy(), optimizer: adam(), epochs: 2, classes: preparation.classes };
  const run = await fit(model, { ...options, data: { x: x.numbers, y } });
  expect(run.step).toBe(2);
  expect(model.preparation).toEqual(preparation.toJSON());
  const loaded = await loadModel(await model.bytes());
  const again = preparationOf(loaded.preparation);
  const raw = { x: 2.5, y: null };
  const [own, theirs] = [preparation.encode(raw).x.numbers, again.encode(raw).x.numbers];
  if (own === undefined || theirs === undefined) throw new Error("expected numbers");
  const labels = await model.predict(own, { as: "labels" });
  expect(await loaded.predict(theirs, { as: "labels" })).toEqual(labels);
  expect([...(await loaded.predict(theirs)).data]).toEqual([...(await model.predict(own)).data]);
  expect(loaded.classNames).toEqual(["a", "b"]);
});

test("a model without one has none, and one that is taken away is gone", async () => {
  const model = sequential(linear(3, 2)).initialize(1);
  expect(model.preparation).toBeUndefined();
  expect((await loadModel(await model.bytes())).preparation).toBeUndefined();
  model.keepPreparation(preparation);
  const other = sequential(linear(3, 2));
  await other.load(await model.bytes());
  expect(other.preparation).toEqual(preparation.toJSON());
  model.keepPreparation(undefined);
  await other.load(await model.bytes());
  expect(other.preparation).toBeUndefined();
});
