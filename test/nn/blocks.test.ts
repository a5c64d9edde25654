// Layers in one another: what they compute, against PyTorch, and that everything which goes by names goes by theirs.
import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import {
  adam,
  concat,
  defineLayer,
  fit,
  flatten,
  type Layer,
  l2,
  linear,
  loadModel,
  type Model,
  mse,
  network,
  ops,
  partition,
  relu,
  residual,
  sequential,
  sgd,
  spec,
  type Tensor,
  tanh,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../io/whole_file.js";

interface Trained {
  readonly losses: readonly number[];
  readonly weights: Readonly<Record<string, readonly number[]>>;
  readonly outputs: readonly number[];
}

interface Fixture {
  readonly rate: number;
  readonly keep: number;
  readonly steps: number;
  readonly batch: number;
  readonly x: readonly (readonly number[])[];
  readonly y: readonly (readonly number[])[];
  readonly start: Readonly<Record<string, readonly number[]>>;
  readonly float64: Trained;
  readonly float32: Trained;
}

const fixture: Fixture = JSON.parse(readFileSync(new URL("fixtures/blocks.json", import.meta.url), "utf8"));
const { x, y, rate, keep } = fixture;

function centre(size: number): Layer<number, "same", "f32"> {
  return defineLayer({
    kind: "centre",
    inputs: size,
    outputs: "same",
    state: { mean: { shape: [size], init: 0 } },
    forward(value, _parameters, { training, state: { mean } }) {
      const output = ops.subtract(value, mean);
      if (!training) return output;
      return {
        output,
        state: { mean: ops.add(ops.multiply(mean, keep), ops.multiply(ops.mean(value, { axis: 0 }), 1 - keep)) },
      };
    },
  });
}

const trunk = () =>
  [
    linear(4, 8),
    residual(linear(8, 16), tanh(), residual(linear(16, 16), relu()), linear(16, 8)),
    residual({ project: true }, linear(8, 6), tanh()),
  ] as const;

const build = () => sequential(...trunk(), centre(6), linear(6, 2));

const floats = (weights: Fixture["start"]) =>
  new Map(Object.entries(weights).map(([name, values]) => [name, Float32Array.from(values)]));

/** The largest distance to the run in float64. */
function distance(own: readonly number[], exact: readonly number[]): number {
  return Math.max(...own.map((value, at) => Math.abs(value - (exact[at] ?? Number.NaN))));
}

describe("50 steps beside PyTorch", () => {
  test("are as near to its run in float64 as its own in float32", async () => {
    const model = build().setWeights(floats(fixture.start));
    const losses: number[] = [];
    const run = fit(model, {
      ...{ data: { x, y }, batchSize: fixture.batch, steps: fixture.steps, shuffle: false },
      ...{ loss: mse(), optimizer: sgd({ lr: rate }), reportEvery: 1 },
    });
    for await (const event of run) if (event.kind === "step") losses.push(event.loss);
    await run;
    const { float64, float32 } = fixture;
    const all = (weights: Trained["weights"]) => Object.keys(fixture.start).flatMap((name) => weights[name] ?? []);
    const own = Object.fromEntries([...model.weights()].map(([name, { data }]) => [name, [...data]]));
    const bound = 2 * distance(all(float32.weights), all(float64.weights));
    expect(Object.keys(own).sort()).toEqual(Object.keys(fixture.start).sort());
    expect(distance(all(own), all(float64.weights))).toBeLessThanOrEqual(bound);
    expect(distance([...model.predictSync(x).data], float64.outputs)).toBeLessThanOrEqual(
      2 * distance(float32.outputs, float64.outputs) + 1e-7,
    );
    expect(losses.at(-1)).toBeCloseTo(float64.losses.at(-1) ?? Number.NaN, 5);
  });
});

const data = { x, y };
const still = { data, batchSize: 8, loss: mse(), epochs: 2, seed: 1 } as const;
const plain = () =>
  sequential({ name: "net" }, ...trunk(), sequential({ name: "head" }, linear(6, 4), relu(), linear(4, 2)));
const bytesOf = (model: Model, pattern: RegExp): (readonly [string, Float32Array])[] =>
  [...model.weights()].filter(([name]) => pattern.test(name)).map(([name, { data: values }]) => [name, values]);

describe("names", () => {
  test("nest", () => {
    expect(plain().parameters.map(({ name }) => name)).toEqual([
      ...["linear1.weight", "linear1.bias", "residual1.linear1.weight", "residual1.linear1.bias"],
      ...["residual1.residual1.linear1.weight", "residual1.residual1.linear1.bias"],
      ...["residual1.linear2.weight", "residual1.linear2.bias", "residual2.linear1.weight", "residual2.linear1.bias"],
      ...["residual2.projection.weight", "head.linear1.weight", "head.linear1.bias"],
      ...["head.linear2.weight", "head.linear2.bias"],
    ]);
  });

  test("a layer that stands in two blocks has one set of parameters, under its first name", async () => {
    const shared = linear(4, 4);
    const model = sequential(residual(shared, relu()), sequential(shared, tanh()), shared, linear(4, 2));
    expect(model.parameters.map(({ name }) => name)).toEqual([
      ...["residual1.linear1.weight", "residual1.linear1.bias", "linear2.weight", "linear2.bias"],
    ]);
    await fit(model, { ...still, optimizer: adam() });
    const loaded = await loadModel(model.bytes());
    expect(loaded.predictSync(x)).toEqual(model.predictSync(x));
    expect(loaded.parameters).toEqual(model.parameters);
  });

  test("two of one name are refused", () => {
    expect(() => sequential(residual(linear(2, 2, { name: "a" }), linear(2, 2, { name: "a" })))).toThrow(
      "'a' stands twice",
    );
    expect(() => sequential(residual({ name: "a" }, linear(2, 2)), linear(2, 2, { name: "a" }))).toThrow(
      "'a' stands twice",
    );
  });

  test("partition, penalties and forms of weights go by them", async () => {
    const model = plain().initialize(1);
    const before = bytesOf(model, /^residual1\./);
    const optimizer = partition([
      ["residual1.*", null],
      ["*", sgd({ lr: 0.1 })],
    ]);
    await fit(model, { ...still, optimizer, regularizer: l2(0.01) });
    expect(bytesOf(model, /^residual1\./)).toEqual(before);
    expect(bytesOf(model, /^head\./)).not.toEqual(bytesOf(plain().initialize(1), /^head\./));
    const packed = model.predictor({ weights: [["residual1.*", "bf16"]] });
    expect(packed.run(x)).not.toEqual(model.predictSync(x));
    expect(model.predictor().run(x)).toEqual(model.predictSync(x));
    expect(() => model.predictor({ weights: [["residual3.*", "bf16"]] })).toThrow("residual2.projection.weight");
  });

  test("the guard tells them", async () => {
    const broken = defineLayer({
      kind: "broken",
      outputs: "same",
      forward: (value) => ops.log(ops.negate(ops.square(value))),
    });
    const model = sequential(linear(4, 4), residual(linear(4, 4), sequential(linear(4, 4), broken)), linear(4, 2));
    await expect(fit(model, { ...still, optimizer: sgd({ lr: 0.1 }) })).rejects.toThrow(
      "first in the output of 'residual1.sequential1.broken1'",
    );
  });

  test("without layers there is no block", () => {
    for (const make of [residual, concat] as readonly ((...layers: readonly never[]) => unknown)[])
      expect(() => make()).toThrow(
        expect.objectContaining({ code: "ERR_OPTION", message: expect.stringContaining("a layer or more") }),
      );
  });

  test("a block tells what is inside", () => {
    expect(inspect(residual({ project: true }, linear(8, 6), tanh()))).toBe(
      "Layer residual 8 → 6 { layers: 'linear1, tanh1, projection', project: true }",
    );
    expect(inspect(concat(linear(8, 6), sequential(linear(8, 3), relu())))).toBe(
      "Layer concat 8 → 9 { layers: 'linear1, sequential1' }",
    );
    expect(inspect(concat(linear(8, 6), flatten()))).toMatch(/^Layer concat 8 → any /);
  });

  test("a table shows what branches give, and not what the code of a network makes of its layers", () => {
    const lines = (model: Model): readonly string[] =>
      model
        .summary()
        .split("\n")
        .map((line) => line.trim());
    const sides = lines(sequential(concat(linear(6, 4), sequential(linear(6, 8), relu())), linear(12, 1)));
    expect(sides).toContainEqual(expect.stringMatching(/^concat1 +\[batch, 12\]/));
    expect(sides).toContainEqual(expect.stringMatching(/^concat1\.sequential1\.relu1 +\[batch, 8\]/));
    const added = lines(sequential(residual({ project: true }, linear(6, 4)), linear(4, 1)));
    expect(added).toContainEqual(expect.stringMatching(/^residual1 +\[batch, 4\]$/));
    expect(added).toContainEqual(expect.stringMatching(/^residual1\.projection +\[batch, 4\] +24 +weight \[4, 6\]$/));
    const inner = network({
      inputs: { x: spec(["batch", 4]) },
      layers: { last: linear(8, 2), first: linear(4, 8) },
      forward: ({ x }, { first, last }) => last(first(x)),
    });
    const around = lines(sequential(inner, linear(2, 1)));
    expect(around).toContainEqual(expect.stringMatching(/^network1 +\[batch, 2\]/));
    expect(around).toContainEqual(expect.stringMatching(/^network1\.first +40 +weight \[8, 4\], bias \[8\]$/));
  });

  test("a table shows what is inside", () => {
    const lines = plain().summary().split("\n");
    expect(lines[0]).toBe("Model 4 → 2, 732 parameters");
    expect(lines.map((line) => line.trim().split(/ {2,}/)[0])).toContain("residual1.residual1.linear1");
    expect(lines.find((line) => line.includes("head.linear2"))).toMatch(
      /\[batch, 2\] +10 +weight \[2, 4\], bias \[2\]/,
    );
  });
});

describe("files", () => {
  test("have the blocks, and give the model again", async () => {
    const model = plain();
    await fit(model, { ...still, optimizer: adam() });
    const loaded = await loadModel(model.bytes());
    expect(loaded.predictSync(x)).toEqual(model.predictSync(x));
    expect(loaded.summary()).toBe(model.summary());
    expect(loaded.bytes()).toEqual(model.bytes());
    const { layers = "" } = decodeSafetensors(model.bytes()).metadata;
    expect(JSON.parse(layers)[1]).toMatchObject({
      ...{ kind: "residual", name: null, config: { project: false } },
      layers: [
        { kind: "linear" },
        { kind: "tanh" },
        { kind: "residual", layers: [{ kind: "linear" }, { kind: "relu" }] },
        { kind: "linear" },
      ],
    });
  });

  test("of checkpoints have them too, and a run goes on from one", async () => {
    const options = { ...still, optimizer: adam(), averageWeights: { decay: 0.9 }, epochs: undefined } as const;
    const straight = plain();
    await fit(straight, { ...options, steps: 5 });
    const half = plain();
    const result = await fit(half, { ...options, steps: 2 });
    const checkpoint = result.checkpoint();
    const loaded = await loadModel(checkpoint, { weights: "last" });
    expect(loaded.weights()).toEqual(half.weights());
    const resumed = plain();
    await fit(resumed, { ...options, steps: 5, resume: checkpoint });
    expect(resumed.bytes()).toEqual(straight.bytes());
    const other = sequential(...trunk(), linear(6, 2));
    await expect(fit(other, { ...options, steps: 5, resume: checkpoint })).rejects.toThrow(
      "expected layers[3] sequential",
    );
  });

  test.each<[string, unknown, string]>([
    ["deep ones", deep(40), "at most 32 layers in one another"],
    [
      "a block that refers to itself",
      [{ kind: "residual", name: null, config: {}, same: 0 }],
      "the place of a residual before it",
    ],
    ["blocks without layers", [{ kind: "residual", name: null, config: {}, layers: 5 }], "layers[0].layers"],
    [
      "other layers in blocks",
      [{ kind: "sequential", name: null, config: {}, layers: [{ kind: "mine", name: null, config: {} }] }],
      "'mine'",
    ],
    [
      "sizes that do not fit",
      [{ kind: "residual", name: null, config: { project: false }, layers: [described(4, 3)] }],
      "the layers give 3 features",
    ],
    [
      "rows that are none",
      [{ kind: "sequential", name: null, config: { input: [-1], dtype: "f32" }, layers: [described(4, 4)] }],
      "layers[0]: sequential.input",
    ],
  ])("refuse %s", async (_, layers, message) => {
    const { tensors, metadata } = decodeSafetensors(plain().initialize().bytes());
    const bytes = encodeSafetensors(tensors, { ...metadata, layers: JSON.stringify(layers) });
    await expect(loadModel(bytes)).rejects.toThrow(
      expect.objectContaining({ code: "ERR_FILE", message: expect.stringContaining(message) }),
    );
  });

  test("limits count a block at each of its places", async () => {
    // A block of two equal ones, and so on: 2^30 layers of 31 descriptions.
    const doubled = (depth: number): readonly unknown[] =>
      depth === 0
        ? [described(4, 4)]
        : [
            { kind: "residual", name: null, config: { project: false }, layers: doubled(depth - 1) },
            { kind: "residual", name: null, config: { project: false }, same: 30 - depth },
          ];
    const { tensors, metadata } = decodeSafetensors(plain().initialize().bytes());
    const bytes = encodeSafetensors(tensors, { ...metadata, layers: JSON.stringify(doubled(30)) });
    await expect(loadModel(bytes)).rejects.toThrow(
      "expected at most 10000 layers (limits.layers) for 'loadModel' but received 3221225470",
    );
  });

  test("limits count the layers inside", async () => {
    const bytes = plain().initialize().bytes();
    await expect(loadModel(bytes, { limits: { layers: 10 } })).rejects.toThrow("at most 10 layers (limits.layers)");
    await expect(loadModel(bytes, { limits: { layers: 20 } })).resolves.toBeDefined();
  });
});

function described(inputs: number, outputs: number): unknown {
  return { kind: "linear", name: null, config: { inputs, outputs, bias: true, dropConnect: 0 } };
}

function deep(depth: number): unknown {
  return depth === 0
    ? [described(4, 4)]
    : [{ kind: "residual", name: null, config: { project: false }, layers: deep(depth - 1) }];
}

describe("layers side by side", () => {
  test("follow one another on the last axis, and come back from files", async () => {
    const model = sequential(
      linear(4, 3),
      concat(linear(3, 2), relu(), sequential(linear(3, 5), tanh())),
      linear(10, 2),
    );
    await fit(model, { ...still, optimizer: adam() });
    expect(model.parameters.map(({ name }) => name)).toContain("concat1.sequential1.linear1.weight");
    const values = model.weights();
    const linearOf = (name: string, value: Tensor): Tensor =>
      ops.linear(value, values.get(`${name}.weight`) ?? tensor([]), values.get(`${name}.bias`) ?? tensor([]));
    const hidden = linearOf("linear1", tensor(x));
    const branches = [
      linearOf("concat1.linear1", hidden),
      ops.relu(hidden),
      ops.tanh(linearOf("concat1.sequential1.linear1", hidden)),
    ];
    expect(model.predictSync(x)).toEqual(linearOf("linear2", ops.concat(branches)));
    expect((await loadModel(model.bytes())).predictSync(x)).toEqual(model.predictSync(x));
  });

  test("say which of them does not fit", () => {
    const make =
      (...layers: readonly unknown[]) =>
      () =>
        Reflect.apply(concat, undefined, layers);
    expect(make(linear(8, 4), relu(), linear(7, 4))).toThrow("branch 3 takes 7 features, but branch 1 takes 8");
    expect(make()).toThrow("expected a layer or more for 'concat'");
    expect(() => sequential({ input: [2, 3] }, concat(relu(), flatten()))).toThrow(
      "branch 2 gives [6], but branch 1 gives [2, 3]",
    );
  });
});

describe("a model as a layer", () => {
  test("gives its layers, and refuses where it would leave weights behind", () => {
    const block = sequential(linear(4, 4), relu());
    const model = sequential(block, linear(4, 2)).initialize(3);
    expect(block.initialized).toBe(false);
    expect(model.parameters[0]?.name).toBe("sequential1.linear1.weight");
    block.initialize(1);
    expect(() => sequential(block, linear(4, 2))).toThrow("build its layers anew");
  });

  test("blocks that stand twice in one another are refused before they are walked through", () => {
    const twice = (make: (one: Layer, other: Layer) => Layer): (() => void) => {
      return () => {
        let block: Layer = linear(2, 2);
        for (let depth = 0; depth < 25; depth++) block = make(block, block);
      };
    };
    const mine = (one: Layer, other: Layer) =>
      defineLayer({ kind: "mine", layers: { one, other }, outputs: "same", forward: (value) => value });
    const refused = "expected at most 100000 layers, each at all of its places, for";
    expect(twice((one, other) => residual(one, other))).toThrow(`${refused} 'residual' but received 131070`);
    expect(twice((one, other) => concat(residual(one, other)))).toThrow(refused);
    expect(twice((one, other) => concat(residual({ project: true }, concat(one, other), linear(4, 2))))).toThrow(
      refused,
    );
    expect(twice(mine)).toThrow(`${refused} 'mine.layers' but received 131070`);
  });

  test("too many in one another are refused", () => {
    let block = sequential(linear(2, 2));
    for (let depth = 0; depth < 31; depth++) block = sequential(block) as typeof block;
    expect(block.parameters[0]?.name.split(".")).toHaveLength(33);
    expect(() => sequential(block)).toThrow("at most 32 layers in one another");
  });
});
