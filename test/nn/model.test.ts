import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  crossEntropy,
  defineLayer,
  dropout,
  fit,
  type Layer,
  linear,
  loadModel,
  type Model,
  mse,
  ops,
  parameter,
  program,
  relu,
  sequential,
  sgd,
  sigmoid,
  spec,
  Tensor,
  tanh,
  tensor,
} from "carillon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bitsOf, clusters, hashOf, weightsOf } from "../train/synthetic.js";

const DATA = clusters(40, 6, 3);

function network(): Model<6, 3> {
  return sequential(linear(6, 8), relu(), linear(8, 3));
}

const namesOf = (model: Model): string[] => model.parameters.map(({ name }) => name);

describe("names", () => {
  test("are kind, ordinal and role, or the layer's own", () => {
    const model = sequential(
      linear(6, 8),
      relu(),
      linear(8, 8, { name: "middle" }),
      dropout(0.5),
      linear(8, 3, { bias: false }),
    );
    expect(model.parameters).toEqual([
      { name: "linear1.weight", shape: [8, 6] },
      { name: "linear1.bias", shape: [8] },
      { name: "middle.weight", shape: [8, 8] },
      { name: "middle.bias", shape: [8] },
      { name: "linear3.weight", shape: [3, 8] },
    ]);
    expect([...model.weights().keys()]).toEqual(namesOf(model));
  });

  test("do not change with an activation between", () => {
    expect(namesOf(sequential(linear(6, 8), relu(), dropout(0.1), linear(8, 3)))).toEqual(namesOf(network()));
  });

  test("stand once", () => {
    const twice = () => sequential(linear(2, 2, { name: "a" }), linear(2, 2, { name: "a" }));
    expect(twice).toThrow(expect.objectContaining({ name: "CarillonError", code: "ERR_OPTION", where: "a" }));
    const taken = () => sequential(linear(2, 2, { name: "linear2" }), linear(2, 2));
    expect(taken).toThrow(expect.objectContaining({ code: "ERR_OPTION", where: "linear2" }));
    for (const name of ["", "a.b", "1", "a b"]) {
      expect(() => linear(2, 2, { name })).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    }
  });
});

describe("initial weights", () => {
  test("are a function of seed and name: another layer leaves them as they are", () => {
    const small = sequential(linear(6, 8), linear(8, 3, { name: "last" }))
      .initialize(5)
      .weights();
    const large = sequential(linear(6, 8), relu(), linear(8, 8), linear(8, 3, { name: "last" }))
      .initialize(5)
      .weights();
    for (const [name, { data }] of small) expect(large.get(name)?.data).toEqual(data);
    expect(weightsOf(network().initialize(5), "linear1.weight")).not.toEqual(
      weightsOf(network().initialize(6), "linear1.weight"),
    );
  });

  test("differ from layer to layer, lie within the bounds of their draw, and biases are 0", () => {
    const model = sequential(linear(32, 32), linear(32, 32)).initialize(1);
    const first = weightsOf(model, "linear1.weight");
    expect(first).not.toEqual(weightsOf(model, "linear2.weight"));
    const bound = Math.sqrt(6 / 64);
    expect(Math.max(...first.map(Math.abs))).toBeLessThanOrEqual(Math.fround(bound));
    const variance = first.reduce((sum, one) => sum + one * one, 0) / first.length;
    // The mean square of 1,024 uniform draws: relative deviation √(4/5/1024), six of them.
    expect(Math.abs(variance / ((bound * bound) / 3) - 1)).toBeLessThan(6 * Math.sqrt(0.8 / 1024));
    expect(weightsOf(model, "linear1.bias")).toEqual(new Array(32).fill(0));
  });

  test("a number fills, and 0 is not taken for absent", () => {
    const model = sequential(linear(2, 2, { init: 0, biasInit: 0.5 })).initialize(1);
    expect(weightsOf(model, "linear1.weight")).toEqual([0, 0, 0, 0]);
    expect(weightsOf(model, "linear1.bias")).toEqual([0.5, 0.5]);
  });

  test.each([-1, 0.5, Number.NaN, "1", 2 ** 53])("a seed of %o is refused", (seed) => {
    expect(() => network().initialize(seed as number)).toThrow(expect.objectContaining({ where: "initialize.seed" }));
  });
});

describe("a layer that stands twice", () => {
  const shared = linear(6, 6);

  test("shares its weights", async () => {
    const model = sequential(shared, tanh(), shared, linear(6, 3));
    expect(namesOf(model)).toEqual(["linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"]);
    await fit(model, { data: DATA, loss: crossEntropy(), optimizer: adam(), steps: 5 });
    const apart = sequential(linear(6, 6), tanh(), linear(6, 6), linear(6, 3));
    const weights = new Map([...model.weights()].map(([name, value]) => [name.replace("linear2", "linear3"), value]));
    for (const role of ["weight", "bias"])
      weights.set(`linear2.${role}`, weights.get(`linear1.${role}`) ?? tensor([0]));
    apart.setWeights(weights);
    expect(model.predictSync(DATA.x).data).toEqual(apart.predictSync(DATA.x).data);
  });

  test("has the sum of both gradients", async () => {
    // y = w·w·x: with w = 2, x = 1, target 0, dℓ/dw = 2y·2w = 32.
    const factor = linear(1, 1, { init: 2, bias: false });
    const model = sequential(factor, factor);
    await fit(model, { data: { x: [[1]], y: [0] }, loss: mse(), optimizer: sgd({ lr: 1 / 32 }), steps: 1 });
    expect(weightsOf(model, "linear1.weight")).toEqual([1]);
  });
});

describe("saved and loaded", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "carillon-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const shared = linear(6, 6);
  const make: Readonly<Record<string, () => Model>> = {
    plain: network,
    everything: () =>
      sequential(
        linear(6, 8, { name: "first" }),
        tanh(),
        dropout({ keep: 0.75, scaling: "classic" }),
        linear(8, 8, { bias: false }),
        sigmoid(),
        dropout(0.25),
        relu(),
        linear(8, 3),
      ),
    shared: () => sequential(shared, relu(), shared, relu(), linear(6, 3)),
  };

  test.each(Object.keys(make))("%s: the same bits, the same predictions, the same file", async (kind) => {
    const model = make[kind]?.() ?? network();
    await fit(model, { data: DATA, loss: crossEntropy(), optimizer: adam(), epochs: 3 });
    const path = join(folder, "deep", "down", `${kind}.safetensors`);
    await model.save(path);
    const expected = await model.predict(DATA.x);
    const fresh = await (make[kind]?.() ?? network()).load(path);
    const anew = await loadModel(path);
    for (const other of [fresh, anew]) {
      expect(bitsOf(other)).toBe(bitsOf(model));
      expect((await other.predict(DATA.x)).data).toEqual(expected.data);
      expect(Buffer.from(other.bytes()).equals(model.bytes())).toBe(true);
    }
    // And it goes on learning in the same way.
    const more = { data: DATA, loss: crossEntropy(), optimizer: adam(), epochs: 2, seed: 1 };
    await Promise.all([fit(model, more), fit(anew, more)]);
    expect(bitsOf(anew)).toBe(bitsOf(model));
  });
});

describe("clone and setWeights", () => {
  test("a clone has the same weights, and they are its own", async () => {
    const model = network().initialize(3);
    const clone = model.clone();
    expect(bitsOf(clone)).toBe(bitsOf(model));
    await fit(clone, { data: DATA, loss: crossEntropy(), optimizer: adam(), steps: 2 });
    expect(bitsOf(model)).toBe(bitsOf(network().initialize(3)));
    expect(bitsOf(clone)).not.toBe(bitsOf(model));
    expect(network().clone().initialized).toBe(false);
  });

  test("weights are copies", () => {
    const model = network().initialize(3);
    const before = bitsOf(model);
    for (const { data } of model.weights().values()) data.fill(7);
    expect(bitsOf(model)).toBe(before);
  });

  test("what was read can be written", () => {
    const weights = network().initialize(8).weights();
    expect(bitsOf(network().setWeights(weights))).toBe(hashOf(weights));
  });

  test.each<[string, (weights: Map<string, Tensor | Float32Array>) => void, string, string]>([
    ["one is missing", (weights) => weights.delete("linear2.bias"), "ERR_STATE", "linear2.bias"],
    ["one is too many", (weights) => weights.set("linear3.bias", new Float32Array(3)), "ERR_STATE", "linear3.bias"],
    ["one is too short", (weights) => weights.set("linear2.bias", new Float32Array(2)), "ERR_STATE", "linear2.bias"],
    [
      "one has another shape",
      (weights) => weights.set("linear2.weight", tensor(new Float32Array(24), [8, 3])),
      "ERR_STATE",
      "linear2.weight",
    ],
    [
      "one is of integers",
      (weights) => weights.set("linear2.bias", tensor(new Int32Array(3))),
      "ERR_DTYPE",
      "linear2.bias",
    ],
  ])("all or nothing where %s", (_, change, code, name) => {
    const model = network().initialize(1);
    const before = bitsOf(model);
    const weights = new Map<string, Tensor | Float32Array>(network().initialize(2).weights());
    change(weights);
    expect(() => model.setWeights(weights)).toThrow(
      expect.objectContaining({ name: "CarillonError", code, message: expect.stringContaining(name) }),
    );
    expect(bitsOf(model)).toBe(before);
  });
});

describe("predict", () => {
  const large = clusters(1000, 6, 3, 7);

  test("is predictSync, is one row alone, whatever the batch", async () => {
    const model = sequential(linear(6, 300), relu(), linear(300, 3)).initialize(4);
    const all = await model.predict(large.x);
    expect(all).toBeInstanceOf(Tensor);
    expect(all.shape).toEqual([1000, 3]);
    expect(model.predictSync(large.x).data).toEqual(all.data);
    for (const row of [0, 1, 255, 256, 511, 999]) {
      const one = large.x.subarray(row * 6, row * 6 + 6);
      const expected = all.data.subarray(row * 3, row * 3 + 3);
      expect(model.predictSync(one).data).toEqual(expected);
      expect((await model.predict(one)).data).toEqual(expected);
    }
  });

  test("takes u8 data, rows and tensors", async () => {
    const model = network().initialize(4);
    const bytes = Uint8Array.from({ length: 60 }, (_, index) => (index * 31) % 256);
    const expected = (await model.predict(Float32Array.from(bytes))).data;
    expect((await model.predict(bytes)).data).toEqual(expected);
    expect(model.predictSync(tensor(bytes, [10, 6])).data).toEqual(expected);
    const rows = Array.from({ length: 10 }, (_, row) => Array.from(bytes.subarray(row * 6, row * 6 + 6)));
    expect((await model.predict(rows)).data).toEqual(expected);
  });

  test("several at once do not disturb each other", async () => {
    const model = network().initialize(4);
    const parts = [0, 1, 2, 3].map((part) => large.x.subarray(part * 1500, (part + 1) * 1500));
    const together = await Promise.all(parts.map((part) => model.predict(part)));
    expect(together.flatMap(({ data }) => Array.from(data))).toEqual(Array.from(model.predictSync(large.x).data));
  });

  test("sees the weights as they are now", async () => {
    const model = network().initialize(4);
    const before = (await model.predict(DATA.x)).data;
    model.initialize(5);
    expect((await model.predict(DATA.x)).data).not.toEqual(before);
    expect((await model.predict(DATA.x)).data).toEqual(network().initialize(5).predictSync(DATA.x).data);
  });

  test("probabilities of the classes: rows sum to 1", async () => {
    const probabilities = await network().initialize(4).predictProbabilities(large.x);
    for (let row = 0; row < 1000; row++) {
      const own = probabilities.data.subarray(row * 3, row * 3 + 3);
      expect(own.every((one) => one > 0 && one < 1)).toBe(true);
      // Three quotients and their sum: at most 5 roundings of numbers up to 1.
      expect(Math.abs(own.reduce((sum, one) => sum + one, 0) - 1)).toBeLessThan(5 * 2 ** -24);
    }
  });

  test("probabilities are softmax of the outputs, or sigmoid of a single one, to the bit", async () => {
    const several = network().initialize(4);
    const rows = await several.predict(large.x);
    expect((await several.predictProbabilities(large.x)).data).toEqual(ops.softmax(rows).data);
    const single = sequential(linear(6, 1)).initialize(4);
    const logits = await single.predict(large.x, { threads: 2 });
    expect((await single.predictProbabilities(large.x)).data).toEqual(ops.sigmoid(logits).data);
  });

  test.each<[string, unknown, string]>([
    ["another width", new Float32Array(7), "ERR_DATA"],
    ["nothing", new Float32Array(0), "ERR_DATA"],
    ["NaN", Float32Array.of(1, 2, 3, 4, 5, Number.NaN), "ERR_DATA"],
    ["text", "abc", "ERR_DTYPE"],
    ["bigints", new BigInt64Array(6), "ERR_DTYPE"],
  ])("%s is refused, and the model goes on working", async (_, x, code) => {
    const model = network().initialize(4);
    const wrong = x as Float32Array;
    await expect(model.predict(wrong)).rejects.toMatchObject({ name: "CarillonError", code, where: "predict.x" });
    expect(() => model.predictSync(wrong)).toThrow(expect.objectContaining({ code, where: "predictSync.x" }));
    expect((await model.predict(DATA.x)).shape).toEqual([40, 3]);
  });
});

test.each<[string, () => unknown, string, string | RegExp]>([
  ["a width of 0", () => linear(0, 3), "ERR_OPTION", "linear.inputs"],
  ["a width of text", () => linear("a" as unknown as number, 3), "ERR_OPTION", "linear.inputs"],
  ["no outputs", () => linear(3, undefined as unknown as number), "ERR_OPTION", "linear.outputs"],
  ["half an output", () => linear(3, 1.5), "ERR_OPTION", "linear.outputs"],
  ["a bias of text", () => linear(3, 3, { bias: "no" as unknown as boolean }), "ERR_OPTION", "linear.bias"],
  ["an unknown option", () => linear(3, 3, { biass: false } as object), "ERR_UNKNOWN_OPTION", "Did you mean 'bias'"],
  [
    "a bare number as regularizer",
    () => linear(3, 3, { regularizer: 0.1 as never }),
    "ERR_OPTION",
    "linear.regularizer",
  ],
  [
    "a bare number as penalty of a parameter",
    () => parameter([2, 2], { regularizer: 1 as never }),
    "ERR_OPTION",
    "parameter.regularizer",
  ],
  ["a rate of 1", () => dropout(1), "ERR_OPTION", "dropout.rate"],
  ["a rate of text", () => dropout("0.5" as unknown as number), "ERR_OPTION", "dropout"],
  ["rate and keep", () => dropout({ rate: 0.5, keep: 0.5 }), "ERR_OPTION", "either rate or keep"],
  ["no layers", () => sequential(), "ERR_OPTION", "sequential"],
  ["layers without sizes", () => sequential(relu(), dropout(0.5)), "ERR_SHAPE", "sequential"],
  ["what is no layer", () => sequential(linear(2, 2), relu as never), "ERR_OPTION", "sequential: layer 2"],
  ["null for a layer", () => sequential(null as never), "ERR_OPTION", "sequential: layer 1"],
  [
    "layers that do not fit",
    () => sequential(linear(4, 8) as Layer, relu(), linear(9, 2)),
    "ERR_SHAPE",
    "layer 3 takes 9 features, but layer 1 gives 8",
  ],
  ["a layer of no kind", () => defineLayer({ kind: "", outputs: "same", forward: (x) => x }), "ERR_OPTION", "kind"],
  [
    "a layer without forward",
    () => defineLayer({ kind: "a", outputs: "same" } as never),
    "ERR_OPTION",
    "defineLayer.forward",
  ],
])("%s is refused by name", (_, make, code, says) => {
  expect(make).toThrow(expect.objectContaining({ name: "CarillonError", code, message: expect.stringMatching(says) }));
});

describe("a layer of one's own", () => {
  const affine = (size: number) =>
    defineLayer({
      kind: "affine",
      inputs: size,
      outputs: "same",
      parameters: { factor: parameter([size], { init: 1 }), shift: parameter([size]) },
      forward: (x, { factor, shift }) => ops.add(ops.multiply(x, factor), shift),
    });

  test("trains, beside others", async () => {
    // y = 2x − 1 in each of two features.
    const x = Array.from({ length: 32 }, (_, row) => [row / 16 - 1, 1 - row / 32]);
    const y = x.map((row) => row.map((one) => 2 * one - 1));
    const model = sequential(affine(2));
    expect(namesOf(model)).toEqual(["affine1.factor", "affine1.shift"]);
    await fit(model, { data: { x, y }, loss: mse(), optimizer: sgd({ lr: 0.5 }), epochs: 400, batchSize: 32 });
    for (const factor of weightsOf(model, "affine1.factor")) expect(Math.abs(factor - 2)).toBeLessThan(1e-3);
    for (const shift of weightsOf(model, "affine1.shift")) expect(Math.abs(shift + 1)).toBeLessThan(1e-3);

    const deep = sequential(linear(6, 8), affine(8), relu(), linear(8, 3));
    const { history } = await fit(deep, {
      data: DATA,
      loss: crossEntropy(),
      optimizer: adam({ lr: 0.02 }),
      epochs: 40,
    });
    expect(history.at(-1)?.loss).toBeLessThan(0.5 * (history[0]?.loss ?? 0));
    expect(weightsOf(deep, "affine1.factor")).not.toContain(1);
  });

  test("is saved and loaded by its model, not by loadModel", async () => {
    const folder = await mkdtemp(join(tmpdir(), "carillon-"));
    const path = join(folder, "own.safetensors");
    const model = sequential(affine(2)).initialize(1);
    await model.save(path);
    expect(bitsOf(await sequential(affine(2)).load(path))).toBe(bitsOf(model));
    await expect(loadModel(path)).rejects.toMatchObject({ code: "ERR_FILE", message: /'affine'/ });
    await rm(folder, { recursive: true });
  });

  test("forward takes a batch of a fixed size too", async () => {
    const model = network().initialize(2);
    const step = program({ inputs: { x: spec([4, 6]) }, body: ({ x }) => ({ y: model.forward(x) }) });
    const { y } = await step.run({ x: tensor(DATA.x.slice(0, 24), [4, 6]) });
    expect(y.data).toEqual(model.predictSync(DATA.x.subarray(0, 24)).data);
  });
});
