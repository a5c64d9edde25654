import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import * as carillon from "../lib/index.js";

const { adam, crossEntropy, dropout, fit, linear, minimizer, ops, program, relu, sequential, spec } = carillon;

const network = () => sequential(linear(4, 8, { name: "first" }), relu(), dropout(0.1), linear(8, 3));
const data = {
  x: Array.from({ length: 12 }, (_, row) => [row, 1, 0, row % 3]),
  y: Array.from({ length: 12 }, (_, row) => row % 3),
};

const TABLE = `Model 4 → 3, 67 parameters
  layer     output      parameters
  first     [batch, 8]          40  weight [8, 4], bias [8]
  relu1     [batch, 8]           0
  dropout1  [batch, 8]           0  keep 0.9, scaling inverted
  linear2   [batch, 3]          27  weight [3, 8], bias [3]`;

describe("a model", () => {
  test("shows its layers, what they give, and its parameters", () => {
    const model = network();
    expect(model.summary()).toBe(TABLE);
    expect(inspect(model)).toBe(TABLE);
    expect(inspect({ model }, { depth: 0 })).toBe("{ model: [Model 4 → 3] }");
  });

  test("counts what two places share once", () => {
    const shared = linear(4, 4);
    const model = sequential(shared, relu(), shared, linear(4, 1000, { bias: false }));
    expect(model.summary().split("\n")).toEqual([
      "Model 4 → 1000, 4,020 parameters",
      "  layer    output         parameters",
      "  linear1  [batch, 4]             20  weight [4, 4], bias [4]",
      "  relu1    [batch, 4]              0",
      "  linear1  [batch, 4]              0  those of linear1 above",
      "  linear2  [batch, 1000]       4,000  weight [1000, 4]",
    ]);
  });

  test("sums what it lists: the parameters that it has", () => {
    const model = network();
    const count = model.parameters.reduce((sum, { shape }) => sum + shape.reduce((all, size) => all * size, 1), 0);
    expect(count).toBe(67);
  });

  test("cannot be copied to another thread: what it does not own as plain data would be lost", () => {
    expect(() => structuredClone(network())).toThrow(expect.objectContaining({ name: "DataCloneError" }));
    const { port1 } = new MessageChannel();
    expect(() => port1.postMessage(network())).toThrow(expect.objectContaining({ name: "DataCloneError" }));
    port1.close();
  });
});

describe("what is more than plain data has no copy, and says so instead of losing it", () => {
  const model = network();
  test.each<[string, unknown]>([
    ["model", model],
    ["program", program({ inputs: { x: spec([2]) }, body: ({ x }) => ({ y: ops.negate(x) }) })],
    ["minimizer", minimizer(model, adam())],
    ["dataset", carillon.dataset(() => [])],
    ["layer", linear(2, 2)],
    ["loss", crossEntropy()],
    ["optimizer", adam()],
    ["callback", carillon.earlyStopping({ monitor: "loss", patience: 1 })],
    ["metric", carillon.topK(2)],
    ["initializer", carillon.heNormal()],
    ["transform", carillon.standardize()],
    ["schedule", carillon.cosineDecay({ lr: 1 })],
  ])("%s", (_, object) => {
    expect(() => structuredClone(object)).toThrow(expect.objectContaining({ name: "DataCloneError" }));
  });

  test.each<[string, object]>([
    ["penalty", carillon.l2(1)],
    ["specification", spec(["batch", 2])],
    ["optimizer without scalars", carillon.sgd({ lr: 1 })],
    ["examples of a stream that are in memory", { ...carillon.dataset([{ x: [1], y: 0 }]) }],
  ])("%s is plain data, and has one", (_, object) => {
    expect(structuredClone(object)).toEqual(object);
  });
});

describe("what the package gives shows itself in a few lines", () => {
  const model = network();
  const trained = minimizer(network(), adam());
  const step = program({
    maxBatch: 4,
    inputs: { x: spec(["batch", 4]), y: spec(["batch"], "i32") },
    body: ({ x, y }) => ({ loss: ops.mean(crossEntropy()(model.forward(x), y)) }),
  });

  test.each<[string, unknown, string]>([
    ["layer", linear(4, 8), "Layer linear 4 → 8 { weight: '[8, 4]', bias: '[8]', dropConnect: 0 }"],
    ["layer without sizes", relu(), "Layer relu"],
    ["layer with settings", dropout(0.1), "Layer dropout { keep: 0.9, scaling: 'inverted' }"],
    ["optimizer", adam(), "Optimizer adam { lr: 0.001, states: 'firstMoment, secondMoment' }"],
    [
      "optimizer of operations",
      carillon.muon({ lr: 0.1, weightDecay: 0.5 }),
      "Optimizer muon { lr: 0.1, states: 'momentum', weightDecay: 0.5 }",
    ],
    ["stream", carillon.dataset([{ x: [1], y: 0 }]), "Dataset { shuffleBuffer: 1, source: 'array of 1' }"],
    [
      "callback",
      carillon.earlyStopping({ monitor: "loss", patience: 2 }),
      "Callback earlyStopping { monitor: 'loss', patience: 2 }",
    ],
    [
      "plateau",
      carillon.reduceOnPlateau({ monitor: "loss", factor: 0.5, patience: 1 }),
      "Callback reduceOnPlateau { monitor: 'loss', factor: 0.5, patience: 1 }",
    ],
    ["loss", crossEntropy(), "Loss crossEntropy { target: 'classes' }"],
    ["minimizer", trained, "Minimizer { models: [ '4 → 3' ], '*': 'adam' }"],
    [
      "program",
      step,
      "Program {\n  step: 0,\n  inputs: { x: 'f32 [batch, 4]', y: 'i32 [batch]' },\n  outputs: { loss: 'f32 []' }\n}",
    ],
  ])("%s", (_, object, text) => {
    expect(inspect(object)).toBe(text);
  });

  test.each<[string, unknown]>([
    ["loss", crossEntropy()],
    ["dataset", carillon.dataset([])],
    ["penalty", carillon.l2(1)],
    ["initializer", carillon.heNormal()],
    ["transform", carillon.standardize()],
    ["metric", carillon.topK(3)],
    ["partition", carillon.partition([["*", adam()]])],
    ["runtime", carillon.runtime],
    ["specification", spec([2])],
    ["parameter", carillon.parameter([2, 3])],
    ["schedule", carillon.cosineDecay({ lr: 1 })],
    ["the data of a model's parameters", model.parameters],
  ])("%s", (_, object) => {
    const text = inspect(object);
    expect(text.split("\n").length, text).toBeLessThanOrEqual(10);
    expect(text).not.toMatch(/slab|External/i);
  });

  test("a run, its result and an evaluation", async () => {
    const run = fit(network(), { data, loss: crossEntropy(), optimizer: adam(), epochs: 30, metrics: ["accuracy"] });
    expect(inspect(run)).toBe("Run under way");
    const result = await run;
    expect(inspect(run)).toMatch(/^Run over \{\n? *event: 'epoch',\s+step: 30,\s+epoch: 30,\s+loss: [\d.]+\s*\}$/);
    expect(inspect(result)).toMatch(/^FitResult \{\n {2}reason: 'finished',\n {2}step: 30,\n {2}seconds: [\d.e-]+,\n/);
    expect(inspect(result)).toMatch(/epochs: 30,\n {2}last: \{ loss: [\d.]+, accuracy: [\d.]+ \}\n\}$/);
    expect(result.history).toHaveLength(30);
    expect({ ...result }).toEqual(result);
    const evaluation = await network().evaluate(data, { loss: crossEntropy(), metrics: ["accuracy"] });
    expect(inspect(evaluation)).toMatch(/^\{ loss: [\d.]+, metrics: \{ accuracy: [\d.]+ \} \}$/);
  });

  test("a run that is held, and one that failed", async () => {
    const held = fit(network(), { data, loss: crossEntropy(), optimizer: adam(), epochs: 1 });
    held.pause();
    expect(inspect(held)).toBe("Run held");
    held.stop();
    await held;
    const failed = fit(network(), { data: { ...data, y: [9] }, loss: crossEntropy(), optimizer: adam(), epochs: 1 });
    await failed.catch(() => undefined);
    expect(inspect(failed)).toMatch(/^Run failed \{\n? *error: CarillonError: expected/);
  });
});
