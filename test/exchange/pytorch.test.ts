// PyTorch's state dicts: files that PyTorch 2.13 has written, and the answers of its modules in float64 (make_pytorch_fixture.py).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type AnyModel,
  attention,
  batchNorm,
  CarillonError,
  concat,
  conv1d,
  conv2d,
  convTransposed2d,
  defineLayer,
  dropout,
  embedding,
  flatten,
  gelu,
  groupNorm,
  gru,
  layerNorm,
  linear,
  lstm,
  maxPool2d,
  network,
  ops,
  parameter,
  relu,
  reshape,
  residual,
  rmsNorm,
  rnn,
  scale,
  sequential,
  spec,
  tanh,
  transformerBlock,
} from "carillon";
import { loadStateDict, nameMap, saveStateDict, stateDict } from "carillon/exchange";
import { afterAll, beforeAll, expect, test } from "vitest";

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

interface Case {
  readonly x: readonly number[];
  readonly xShape: readonly number[];
  readonly y: readonly number[];
  readonly names: Readonly<Record<string, readonly number[]>>;
}

const cases = JSON.parse(readFileSync(fixture("pytorch.json"), "utf8")) as Readonly<Record<string, Case>>;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "carillon-exchange-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const steps = { input: [5, 3] } as const;
const inner = (_layer: string, standard: string): string => standard.replace(/^0/, "inner");

/** The same network here, and what its layers are called there. */
const MODELS: Readonly<Record<string, () => readonly [AnyModel, Parameters<typeof loadStateDict>[2]?]>> = {
  mlp: () => [
    sequential(linear(4, 6), batchNorm(6, { preset: "pytorch" }), relu(), dropout({ rate: 0.5 }), linear(6, 3)),
  ],
  lenet: () => [
    sequential(
      { input: [8, 8, 2] },
      conv2d(2, 4, { kernel: 3 }),
      batchNorm(4, { preset: "pytorch" }),
      relu(),
      maxPool2d(2),
      conv2d(4, 6, { kernel: 2, groups: 2 }),
      flatten(),
      batchNorm(24, { preset: "pytorch" }),
      linear(24, 3),
    ),
  ],
  series: () => [
    sequential({ input: [5, 3] }, conv1d(3, 4, { kernel: 3, padding: 1 }), gelu(), flatten(), linear(20, 2)),
  ],
  grows: () => [
    sequential({ input: [3, 3, 3] }, convTransposed2d(3, 4, { kernel: 3, stride: 2, padding: 1, outputPadding: 1 })),
  ],
  normed: () => [sequential(linear(4, 6), layerNorm(6), linear(6, 6, { bias: false }), rmsNorm(6))],
  grouped: () => [sequential({ input: [3, 3, 2] }, conv2d(2, 4, { kernel: 1 }), groupNorm(4, 2))],
  lstm: () => [sequential(steps, lstm(3, 4, { layers: 2, bidirectional: true, preset: "pytorch" })), { map: inner }],
  gru: () => [sequential(steps, gru(3, 4, { preset: "pytorch" })), { map: inner }],
  rnn: () => [sequential(steps, rnn(3, 4, { activation: "relu", preset: "pytorch" })), { map: inner }],
  attention: () => [sequential({ input: [5, 8] }, attention(8, 2)), { map: inner }],
  post: () => [
    sequential({ input: [5, 8] }, transformerBlock(8, 2, { feedForward: 16, norm: "post", name: "block" })),
    { map: { block: "" } },
  ],
  pre: () => [
    sequential({ input: [5, 8] }, transformerBlock(8, 2, { feedForward: 16, activation: "relu", name: "block" })),
    { map: { block: "" } },
  ],
  own: () => [
    network({
      inputs: { x: spec(["batch", 4, 4, 2]) },
      layers: { features: conv2d(2, 3, { kernel: 3, padding: 1 }), fc1: linear(48, 5), fc2: linear(5, 2) },
      forward: ({ x }, { features, fc1, fc2 }) => fc2(ops.tanh(fc1(ops.reshape(ops.relu(features(x)), ["batch", 48])))),
    }),
    { images: { fc1: [4, 4, 3] } },
  ],
  table: () => [sequential({ input: spec(["batch", 4], "i32") }, embedding(7, 3), flatten(), linear(12, 2))],
};

const of = (name: string): readonly [AnyModel, Parameters<typeof loadStateDict>[2]] => {
  const [model, options = {}] = MODELS[name]?.() ?? [];
  if (model === undefined) throw new Error(name);
  return [model, options];
};

const bits = (model: AnyModel): string => Buffer.from(model.bytes()).toString("hex");

/** Rows of a case as the model takes them. */
const rowsOf = ({ x }: Case, model: AnyModel): unknown =>
  model.rows.inputs[0]?.dtype === "i32" ? Int32Array.from(x) : Float32Array.from(x);

test("a norm that begins a series says that channels are its first axis there", async () => {
  type Told = { readonly state: Parameters<typeof loadStateDict>[1] } & Pick<Case, "x" | "y">;
  const told = JSON.parse(readFileSync(fixture("normed-series.json"), "utf8")) as Readonly<Record<string, Told>>;
  const norms = { batch: batchNorm(3, { preset: "pytorch" }), group: groupNorm(3, 1) };
  for (const [name, norm] of Object.entries(norms)) {
    const model = sequential({ input: [4, 3] }, norm, tanh(), flatten(), linear(12, 2));
    const { state = {}, x = [], y = [] } = told[name] ?? {};
    const verify = { inputs: Float32Array.from(x), outputs: y, tolerance: 2e-6 };
    expect((await loadStateDict(model, state, { verify })).missing).toEqual([]);
  }
});

test("every case of the fixture has a network", () => {
  expect(Object.keys(MODELS).sort()).toEqual(Object.keys(cases).sort());
});

test.each(Object.keys(cases))("%s: names and shapes are PyTorch's, in its order", (name) => {
  const [model, options] = of(name);
  const { map, images } = options ?? {};
  const { pairs } = nameMap(model, { images, map: map === "order" ? undefined : map });
  expect(pairs.map(({ theirs, shape }) => [theirs, shape])).toEqual(Object.entries(cases[name]?.names ?? {}));
});

test.each(Object.keys(cases))("%s: the answers are PyTorch's", async (name) => {
  const [model, options] = of(name);
  const one = cases[name];
  if (one === undefined) throw new Error(name);
  const verify = { inputs: rowsOf(one, model), outputs: one.y, tolerance: 2e-6 };
  const report = await loadStateDict(model, fixture("pytorch.pt"), { ...options, key: name, verify });
  expect(report.missing).toEqual([]);
  expect(report.loaded.length).toBe(Object.keys(one.names).length);
});

test.each(Object.keys(cases))("%s: there and back has the same bits, in memory and by a file", async (name) => {
  const [model, options] = of(name);
  const { map, images } = options ?? {};
  const names = { images, map: map === "order" ? undefined : map };
  model.initialize(5);
  const [other] = of(name);
  await loadStateDict(other, stateDict(model, names), options);
  expect(bits(other)).toBe(bits(model));
  const path = join(folder, `${name}.safetensors`);
  await saveStateDict(model, path, names);
  const [third] = of(name);
  await loadStateDict(third, path, options);
  expect(bits(third)).toBe(bits(model));
});

test("layers without a preset of PyTorch cross too: one bias here, two there", async () => {
  for (const make of [
    () => lstm(3, 4),
    () => gru(3, 4),
    () => rnn(3, 4),
    () => gru(3, 4, { preset: "keras" }),
    () => gru(3, 4, { bias: false }),
  ]) {
    const model = sequential(steps, make()).initialize(2);
    const filled = [...model.weights()].map(([name, { data }]) => {
      return [name, /ias/.test(name) ? data.map((_, at) => at / 7 - 0.4) : data] as const;
    });
    model.setWeights(new Map(filled));
    const other = sequential(steps, make());
    await loadStateDict(other, stateDict(model));
    expect(bits(other)).toBe(bits(model));
    const x = Float32Array.from({ length: 30 }, (_, at) => Math.sin(at));
    const theirs = sequential(
      steps,
      model.layers[0]?.kind === "gru"
        ? gru(3, 4, { preset: "pytorch", bias: !/false/.test(String(make)) })
        : model.layers[0]?.kind === "rnn"
          ? rnn(3, 4, { preset: "pytorch" })
          : lstm(3, 4, { preset: "pytorch" }),
    );
    await loadStateDict(theirs, stateDict(model));
    const [a, b] = [model.predictSync(x).data, theirs.predictSync(x).data];
    for (const [at, value] of a.entries()) expect(Math.abs(value - (b[at] ?? 0))).toBeLessThan(1e-6);
  }
});

test("a name map is a table", () => {
  const map = nameMap(
    sequential({ input: [4, 4, 1] }, conv2d(1, 2, { kernel: 3 }), flatten(), linear(8, 2, { name: "out" })),
  );
  expect(String(map)).toBe(
    [
      "0.weight    [2, 1, 3, 3]  nn.Conv2d  conv2d1.weight  axes 0 3 1 2 of ours",
      "0.bias      [2]           nn.Conv2d  conv2d1.bias",
      "out.weight  [2, 8]        nn.Linear  out.weight      axis 1 in the order 0 2 4 6 1 3 5 7",
      "out.bias    [2]           nn.Linear  out.bias",
    ].join("\n"),
  );
});

test("what is missing, too many or of another shape is refused, and lenient loading tells it", async () => {
  const made = sequential(linear(4, 6), relu(), linear(6, 3)).initialize(1);
  const dict = new Map(stateDict(made));
  const bias = dict.get("2.bias");
  dict.delete("2.bias");
  if (bias !== undefined) dict.set("2.bais", bias);
  const model = sequential(linear(4, 6), relu(), linear(6, 3)).initialize(2);
  const before = bits(model);
  await expect(loadStateDict(model, dict)).rejects.toThrow("2.bais [3] (2.bias?)");
  const other = sequential(linear(4, 5), relu(), linear(5, 3));
  await expect(loadStateDict(other, dict)).rejects.toThrow("0.weight [6, 4] in the place of [5, 4]");
  expect(bits(model)).toBe(before);
  const report = await loadStateDict(model, dict, { strict: false });
  expect(report).toEqual({ loaded: ["0.weight", "0.bias", "2.weight"], missing: ["2.bias"], unexpected: ["2.bais"] });
  expect(model.weights().get("linear1.weight")?.data).toEqual(made.weights().get("linear1.weight")?.data);
  expect(model.weights().get("linear2.bias")?.data).not.toBe(undefined);
});

test("a state dict goes by its order, where names are others", async () => {
  const model = sequential(
    { input: [4, 4, 2] },
    conv2d(2, 3, { kernel: 3, padding: 1 }),
    relu(),
    flatten(),
    linear(48, 5),
    tanh(),
    linear(5, 2),
  );
  const one = cases.own;
  const verify = { inputs: Float32Array.from(one?.x ?? []), outputs: one?.y ?? [], tolerance: 2e-6 };
  await loadStateDict(model, fixture("pytorch.pt"), { key: "own", map: "order", verify });
  await expect(
    loadStateDict(sequential(linear(4, 6)), fixture("pytorch.pt"), { key: "own", map: "order" }),
  ).rejects.toThrow("as tensor 1");
});

test("names of wrappers are left out", async () => {
  const model = sequential(linear(2, 2)).initialize(1);
  const wrapped = Object.fromEntries([...stateDict(model)].map(([name, value]) => [`module._orig_mod.${name}`, value]));
  const other = sequential(linear(2, 2));
  await loadStateDict(other, wrapped);
  expect(bits(other)).toBe(bits(model));
});

test("what does not give the answers of the other side leaves the weights as they were", async () => {
  const model = sequential(linear(2, 1)).initialize(1);
  const before = bits(model);
  const dict = stateDict(sequential(linear(2, 1)).initialize(2));
  const verify = { inputs: [[1, 2]], outputs: [1000] };
  await expect(loadStateDict(model, dict, { verify })).rejects.toThrow("element 0");
  expect(bits(model)).toBe(before);
});

test.each([
  ["scale", () => sequential(scale(3)), "scale1"],
  [
    "a GRU in front of whose product the gate resets",
    () => sequential(steps, gru(3, 4, { resetAfter: false })),
    "resetAfter: true",
  ],
  [
    "heads that share keys",
    () => sequential({ input: [5, 8] }, attention(8, 4, { keyValueHeads: 2 })),
    "keyValueHeads",
  ],
  ["attention that turns", () => sequential({ input: [5, 8] }, attention(8, 2, { rotary: true })), "rotary"],
  [
    "images of a row of features",
    () => sequential(linear(3, 12), reshape([2, 2, 3]), conv2d(3, 1, { kernel: 1 })),
    "reshape1",
  ],
  [
    "a layer of one's own",
    () =>
      sequential(
        defineLayer({
          kind: "mine",
          inputs: 2,
          outputs: 2,
          parameters: { a: parameter([2], { init: 1 }) },
          forward: (x, { a }) => ops.multiply(x, a),
        }),
      ),
    "a layer of your own",
  ],
] as const)("%s is refused by its name, with what would cross", (_, make, told) => {
  const model: AnyModel = make();
  expect(() => stateDict(model.initialize(1) as never)).toThrow(told);
  expect(() => nameMap(model)).toThrow(CarillonError);
});

test("branches of flattened images keep the order of each", async () => {
  const make = () =>
    sequential(
      { input: [2, 2, 3] },
      concat(sequential({ input: [2, 2, 3] }, conv2d(3, 2, { kernel: 1 }), flatten()), flatten()),
      linear(20, 2),
    );
  const model = make().initialize(1);
  const other = make();
  await loadStateDict(other, stateDict(model));
  expect(bits(other)).toBe(bits(model));
  expect(String(nameMap(model))).toContain("1.weight");
});

test("a sum over a flattened image is refused", () => {
  expect(() =>
    nameMap(
      sequential({ input: [2, 2, 2] }, conv2d(2, 2, { kernel: 1 }), flatten(), residual(linear(8, 8)), linear(8, 1)),
    ),
  ).toThrow("residual1");
});

test.each([
  [{ map: { linaer1: "fc" } }, "Did you mean 'linear1'"],
  [{ map: 3 }, "names by the paths of layers"],
  [{ images: { linear1: [2] } }, "shapes [height, width, channels]"],
  [{ maps: {} }, "Did you mean 'map'"],
  [{ strict: 1 }, "true or false"],
  [{ key: 3 }, "a key"],
  [{ limits: { tensors: -1 } }, "limits.tensors"],
  [{ verify: { input: 1 } }, "Did you mean 'inputs'"],
] as const)("%j is refused", async (options, told) => {
  await expect(loadStateDict(sequential(linear(2, 1)), {}, options as never)).rejects.toThrow(told);
});

test("integers are no weights", async () => {
  const dict = { "0.weight": { shape: [1, 2], data: Int32Array.of(1, 2) }, "0.bias": { shape: [1], data: [1] } };
  await expect(loadStateDict(sequential(linear(2, 1)), dict)).rejects.toThrow("floating-point numbers");
});

test("what torch.save has of a training is found by its key", async () => {
  writeFileSync(join(folder, "none.pt"), "");
  await expect(loadStateDict(sequential(linear(2, 1)), join(folder, "none.pt"))).rejects.toThrow("an empty file");
  await expect(loadStateDict(sequential(linear(2, 1)), fixture("pytorch.pt"))).rejects.toThrow(
    "{ key } that says which",
  );
  await expect(loadStateDict(sequential(linear(2, 1)), fixture("pytorch.pt"), { key: "mpl" })).rejects.toThrow("'mpl'");
});
