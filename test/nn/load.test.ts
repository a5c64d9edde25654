// What models are read from: their files, old ones too, bytes, checkpoints, and files of weights that others wrote.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";
import {
  adam,
  dropout,
  fit,
  type GivenWeights,
  linear,
  loadModel,
  type Model,
  mse,
  partition,
  relu,
  sequential,
  standardize,
  tensor,
} from "carillon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../io/whole_file.js";
import { bitsOf } from "../train/synthetic.js";

const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

const X = Array.from({ length: 24 }, (_, row) => [row / 4, (row * 5) % 12, 3 - row]);
const Y = X.map(([a = 0, b = 0]) => [a + b, a - b]);
const OPTIONS = { data: { x: X, y: Y }, inputs: standardize(), loss: mse(), batchSize: 8, epochs: 3, seed: 2 } as const;

const network = (): Model<3, 2> => sequential(linear(3, 4), relu(), linear(4, 2));

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "carillon-load-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("a file of the first writer, which said no version, is read as ever", async () => {
  const model = await loadModel(fixture("first-model.safetensors"));
  expect(model.layers.map(({ kind, name }) => name ?? kind)).toEqual(["linear", "relu", "dropout", "head"]);
  // As the official package reads them.
  expect([...(model.weights().get("head.bias")?.data ?? [])]).toEqual([-0.027514047920703888, 0.00986113678663969]);
  expect([...(model.weights().get("linear1.weight")?.data ?? [])].slice(0, 3)).toEqual([
    0.011817085556685925, -0.4400140941143036, -0.3536554276943207,
  ]);
  expect(model.transforms.inputs).toMatchObject({ kind: "standardize", shift: [1.375, 5.5, -2.5] });
  expect(model.transforms.targets).toEqual({ kind: "minMax", shift: [0, -6], scale: [12.75, 29] });
  const built = sequential(linear(3, 4), relu(), dropout(0.25), linear(4, 2, { name: "head" }));
  expect(bitsOf(await built.load(fixture("first-model.safetensors")))).toBe(bitsOf(model));
  expect(bitsOf(await loadModel(model.bytes()))).toBe(bitsOf(model));
});

test("keys of metadata that nobody knows change nothing", async () => {
  const { tensors, metadata } = decodeSafetensors(network().initialize(3).bytes());
  const later = encodeSafetensors(tensors, { ...metadata, colour: "blue", inventedLater: '{"a":[1]}' });
  expect(bitsOf(await loadModel(later))).toBe(bitsOf(network().initialize(3)));
});

describe("bytes", () => {
  test("are those of a model, with its units", async () => {
    const model = network();
    await fit(model, { ...OPTIONS, optimizer: adam() });
    for (const bytes of [model.bytes(), Buffer.from(model.bytes())]) {
      const loaded = await loadModel(bytes);
      expect([bitsOf(loaded), loaded.transforms]).toEqual([bitsOf(model), model.transforms]);
      expect(loaded.predictSync(X)).toEqual(expect.objectContaining({ shape: [24, 2] }));
      const other = await network().load(bytes);
      expect([bitsOf(other), other.transforms]).toEqual([bitsOf(model), model.transforms]);
    }
  });

  test("are read before the call returns", async () => {
    const bytes = network().initialize(4).bytes();
    const loading = [loadModel(bytes), network().load(bytes)];
    bytes.fill(0);
    for (const model of await Promise.all(loading)) expect(bitsOf(model)).toBe(bitsOf(network().initialize(4)));
  });

  test("of another realm are bytes too", async () => {
    const bytes = network().initialize(4).bytes();
    const foreign: Uint8Array = runInNewContext("Uint8Array.from(list)", { list: [...bytes] });
    expect(bitsOf(await loadModel(foreign))).toBe(bitsOf(network().initialize(4)));
  });

  test.each<[unknown, string, string]>([
    [new Uint8Array(0), "ERR_FILE", "loadModel"],
    [new Float32Array(4), "ERR_OPTION", "loadModel.path"],
    [undefined, "ERR_OPTION", "loadModel.path"],
    [{ path: "a" }, "ERR_OPTION", "loadModel.path"],
  ])("%o are not", async (source, code, where) => {
    await expect(loadModel(source as Uint8Array)).rejects.toMatchObject({ name: "CarillonError", code, where });
  });

  test("that were transferred away are told as such", async () => {
    const bytes = new Uint8Array(network().initialize(4).bytes());
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    await expect(loadModel(bytes)).rejects.toMatchObject({ code: "ERR_DETACHED", where: "loadModel" });
  });

  test("need a known choice of weights", async () => {
    const bytes = network().initialize(4).bytes();
    const wrong = { weights: "best" } as unknown as { weights: "last" };
    await expect(loadModel(bytes, wrong)).rejects.toMatchObject({ code: "ERR_OPTION", where: "loadModel.weights" });
    await expect(network().load(bytes, wrong)).rejects.toMatchObject({ code: "ERR_OPTION", where: "load.weights" });
    const unknown = { weight: "last" } as unknown as { weights: "last" };
    await expect(loadModel(bytes, unknown)).rejects.toMatchObject({ code: "ERR_UNKNOWN_OPTION" });
  });
});

describe("a checkpoint is a model", () => {
  test("of its last step, with the units of the run", async () => {
    const model = network();
    const dir = join(folder, "run");
    const { checkpoint } = await fit(model, { ...OPTIONS, optimizer: adam(), checkpoint: { dir } });
    for (const source of [checkpoint(), join(dir, "step-000000009.safetensors")]) {
      const loaded = await loadModel(source);
      expect([bitsOf(loaded), loaded.transforms]).toEqual([bitsOf(model), model.transforms]);
      expect(bitsOf(await network().load(source, { weights: "last" }))).toBe(bitsOf(model));
      expect((await loadModel(source)).predictSync(X).data).toEqual(model.predictSync(X).data);
    }
    const none = loadModel(checkpoint(), { weights: "averaged" });
    await expect(none).rejects.toMatchObject({ code: "ERR_FILE", message: expect.stringContaining("averaged") });
  });

  test.each([
    ["from the initial weights", { decay: 0.9 }, adam()],
    ["from 0, corrected", { decay: 0.9, biasCorrection: true }, adam()],
    [
      "with frozen parameters",
      { decay: 0.9, biasCorrection: true },
      partition([
        ["linear1.*", null],
        ["*", adam()],
      ]),
    ],
  ] as const)("of the averages, %s, or of its last step", async (_, averageWeights, optimizer) => {
    const model = network();
    const { checkpoint, averaged } = await fit(model, { ...OPTIONS, optimizer, averageWeights });
    const average = network().setWeights(averaged() ?? new Map());
    expect(bitsOf(average)).not.toBe(bitsOf(model));
    expect(bitsOf(await loadModel(checkpoint()))).toBe(bitsOf(average));
    expect(bitsOf(await loadModel(checkpoint(), { weights: "averaged" }))).toBe(bitsOf(average));
    expect(bitsOf(await loadModel(checkpoint(), { weights: "last" }))).toBe(bitsOf(model));
  });

  test("also with layers of one's own, by load", async () => {
    const model = network();
    const { checkpoint } = await fit(model, { ...OPTIONS, optimizer: adam() });
    const { tensors, metadata } = decodeSafetensors(model.bytes());
    const own = (metadata.layers ?? "").replace('"relu"', '"mine"');
    await expect(loadModel(encodeSafetensors(tensors, { ...metadata, layers: own }))).rejects.toThrow("use its load()");
    expect(bitsOf(await network().load(checkpoint()))).toBe(bitsOf(model));
  });

  test("one of before the layout was written down says so", async () => {
    const loading = loadModel(fixture("first-checkpoint.safetensors"));
    await expect(loading).rejects.toMatchObject({ code: "ERR_FILE", message: expect.stringContaining("layers") });
  });
});

describe("a file of weights alone", () => {
  // make_plain_weights_fixture.py: a network of PyTorch and its outputs, in double.
  test.each(["float64", "float32", "float16", "bfloat16"])("of PyTorch, in %s", async (dtype) => {
    const path = fixture(`plain-${dtype}.safetensors`);
    const { x, outputs } = JSON.parse(await readFile(fixture("plain.json"), "utf8")) as {
      readonly x: number[][];
      readonly outputs: Readonly<Record<string, number[][]>>;
    };
    const model = await network().load(path);
    const expected = (outputs[dtype] ?? []).flat();
    expect(expected).toHaveLength(4);
    // Sums of at most 5 products of numbers below 4: a few roundings of 2⁻²⁴ each.
    for (const [index, value] of model.predictSync(x).data.entries()) {
      expect(Math.abs(value - (expected[index] ?? Number.NaN))).toBeLessThan(1e-6);
    }
    await expect(loadModel(path)).rejects.toThrow("weights alone: build the model and use its load()");
  });

  test("leaves the units of the model as they are", async () => {
    const model = network();
    await fit(model, { ...OPTIONS, optimizer: adam() });
    const { transforms } = model;
    await model.load(fixture("plain-float32.safetensors"));
    expect(model.transforms).toBe(transforms);
  });

  test("with other names is refused with those that are missing and what may be meant", async () => {
    const path = fixture("plain-float32.safetensors");
    const other = sequential(linear(3, 4, { name: "fc1" }), relu(), linear(4, 2, { name: "linear_2" }));
    const before = bitsOf(other.initialize(1));
    await expect(other.load(path)).rejects.toMatchObject({ code: "ERR_FILE", where: path });
    await expect(other.load(path)).rejects.toThrow(
      `expected fc1.weight [4, 3], fc1.bias [4], linear_2.weight [2, 4], linear_2.bias [2] for '${path}' but received ` +
        "linear1.bias [4] (fc1.bias?), linear1.weight [4, 3] (fc1.weight?), linear2.bias [2] (linear_2.bias?), " +
        "linear2.weight [2, 4] (linear_2.weight?)",
    );
    expect(bitsOf(other)).toBe(before);
    const deeper = sequential(linear(3, 4), relu(), linear(4, 2), relu(), linear(2, 1));
    await expect(deeper.load(path)).rejects.toThrow("expected linear3.weight [1, 2], linear3.bias [1]");
    const wider = sequential(linear(3, 5), relu(), linear(5, 2));
    await expect(wider.load(path)).rejects.toThrow(/linear1.weight as f32 \[5, 3\] .* f32 \[4, 3\]/);
  });

  test.each<[string, Parameters<typeof encodeSafetensors>[0], string]>([
    [
      "integers",
      new Map([["linear1.weight", { dtype: "i32", shape: [1, 1], data: new Int32Array(1) }]]),
      "linear1.weight as f32 [1, 1]",
    ],
    [
      "a double that f32 does not reach",
      new Map([["linear1.weight", { dtype: "f64", shape: [1, 1], data: Float64Array.of(1e300) }]]),
      "in the range of f32",
    ],
  ])("of %s is refused", async (_, tensors, says) => {
    const path = join(folder, "odd.safetensors");
    await writeFile(path, encodeSafetensors(tensors));
    const model = sequential(linear(1, 1, { bias: false }));
    await expect(model.load(path)).rejects.toThrow(says);
    expect(model.initialized).toBe(false);
  });
});

describe("setWeights", () => {
  const values = (): Record<string, Float32Array> =>
    Object.fromEntries([...network().initialize(8).weights()].map(([name, { data }]) => [name, data]));

  test("takes an object or a Map, of tensors or arrays, of any realm", () => {
    const expected = bitsOf(network().initialize(8));
    const tensors = network().initialize(8).weights();
    const foreign: GivenWeights = runInNewContext(
      "new Map(Object.entries(given).map(([name, list]) => [name, Float32Array.from(list)]))",
      { given: Object.fromEntries(Object.entries(values()).map(([name, data]) => [name, [...data]])) },
    );
    for (const given of [values(), Object.fromEntries(tensors), tensors, new Map(Object.entries(values())), foreign]) {
      expect(bitsOf(network().setWeights(given))).toBe(expected);
    }
  });

  test.each<[string, unknown, string, string]>([
    ["undefined", undefined, "ERR_OPTION", "setWeights"],
    ["a list", [1, 2], "ERR_OPTION", "setWeights"],
    ["an array", new Float32Array(3), "ERR_OPTION", "setWeights"],
    ["a tensor", tensor([1]), "ERR_OPTION", "setWeights"],
    ["a number in it", { ...values(), "linear1.bias": 3 }, "ERR_DTYPE", "setWeights.linear1.bias"],
    ["a list in it", { ...values(), "linear1.bias": [1, 2, 3, 4] }, "ERR_DTYPE", "setWeights.linear1.bias"],
    ["too few numbers", { ...values(), "linear1.bias": new Float32Array(3) }, "ERR_STATE", "setWeights.linear1.bias"],
    ["nothing in it", {}, "ERR_STATE", "setWeights"],
    ["a name that is wrong", { ...values(), "linear1.bais": new Float32Array(4) }, "ERR_STATE", "setWeights"],
  ])("refuses %s", (_, given, code, where) => {
    const model = network().initialize(1);
    const before = bitsOf(model);
    expect(() => model.setWeights(given as GivenWeights)).toThrow(
      expect.objectContaining({ name: "CarillonError", code, where }),
    );
    expect(bitsOf(model)).toBe(before);
  });

  test("tells which name may be meant", () => {
    const { "linear1.bias": bias = new Float32Array(4), ...rest } = values();
    expect(() => network().setWeights({ ...rest, "linear1.bais": bias })).toThrow(
      "expected linear1.bias [4] for 'setWeights' but received linear1.bais (linear1.bias?)",
    );
  });

  test("of a callback's end takes an object too, and refuses what is none", async () => {
    const ending = (weights: GivenWeights) => ({
      name: "ending",
      decide: () => undefined,
      end: (at: { setWeights(given: GivenWeights): void }) => at.setWeights(weights),
    });
    const model = network();
    await fit(model, { ...OPTIONS, optimizer: adam(), callbacks: [ending(values())] });
    expect(bitsOf(model)).toBe(bitsOf(network().initialize(8)));
    const wrong = fit(network(), { ...OPTIONS, optimizer: adam(), callbacks: [ending({})] });
    await expect(wrong).rejects.toMatchObject({ name: "CarillonError", code: "ERR_STATE" });
  });
});
