import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bindExamples } from "../../lib/data/bind.js";
import {
  type Affine,
  adam,
  type CarillonError,
  crossEntropy,
  dataset,
  divideBy,
  fit,
  linear,
  loadModel,
  type Model,
  minMax,
  mse,
  relu,
  sequential,
  sgd,
  standardize,
  type Transform,
} from "../../lib/index.js";
import { bitsOf } from "../train/synthetic.js";
import fixture from "./fixtures/transforms.json" with { type: "json" };

const { x, later } = fixture;
const ROWS = x.length;
const COLUMNS = 6;
/** A price of the first and the fourth column, far from 0. */
const y = x.map(([a = 0, , , d = 0]) => 250_000 + 30_000 * a - 120 * d);
const UNIT = 2 ** -53;

const make = (): Model => sequential(linear(COLUMNS, 8), relu(), linear(8, 1));
const options = { loss: mse(), optimizer: adam({ lr: 0.01 }), epochs: 3, seed: 2 } as const;

/** What a run fits on the fixture's columns. */
async function fitted(transform: Transform, data: Parameters<typeof fit>[1]["data"]): Promise<Affine> {
  const model = make();
  await fit(model, { ...options, data, inputs: transform, epochs: undefined, steps: 1 });
  const { inputs } = model.transforms;
  if (inputs === undefined) throw new Error("nothing was fitted");
  return inputs;
}

const apply = ({ shift, scale }: Affine, rows: readonly (readonly number[])[]): number[][] =>
  rows.map((row) => row.map((value, column) => (value - (shift[column] ?? 0)) / (scale[column] ?? 1)));

async function refusal(run: PromiseLike<unknown>): Promise<CarillonError> {
  try {
    await run;
  } catch (error) {
    return error as CarillonError;
  }
  throw new Error("nothing was refused");
}

const inMemory = { x, y };
const streamed = dataset(() => x.map((row, index) => ({ x: row, y: y[index] ?? 0 })));

test.each([standardize(), minMax()])(
  "$kind counts every example once, whatever it weighs, but none of weight 0",
  async (transform) => {
    const weight = x.map((_, row) => (row % 3 === 0 ? 0 : row));
    const some = (values: readonly number[][]) => values.filter((_, row) => row % 3 !== 0);
    const weighed = dataset(() => x.map((row, index) => ({ x: row, y: y[index] ?? 0, weight: weight[index] ?? 0 })));
    const plain = await fitted(transform, { x: some(x), y: some(y.map((value) => [value])).flat() });
    expect(plain).not.toEqual(await fitted(transform, inMemory));
    expect(await fitted(transform, { ...inMemory, weight })).toEqual(plain);
    expect(await fitted(transform, weighed)).toEqual(plain);
  },
);

describe.each([
  ["data in memory", inMemory],
  ["a stream", streamed],
])("the figures of %s are scikit-learn's", (_name, data) => {
  test("standardize", async () => {
    const { kind, shift, scale } = await fitted(standardize(), data);
    expect(kind).toBe("standardize");
    const { mean, deviation } = fixture.standardize;
    for (let column = 0; column < COLUMNS; column++) {
      const [m = 0, d = 0] = [mean[column], deviation[column]];
      const largest = Math.max(...x.map((row) => Math.abs(row[column] ?? 0)));
      // Sums of n terms, here and there: n·u·max|x| each.
      expect(Math.abs((shift[column] ?? 0) - m)).toBeLessThanOrEqual(2 * ROWS * UNIT * largest);
      // Chan, Golub, LeVeque 1983: the relative error of the updated variance is at most about n·κ·u, κ = √(1 + mean²/σ²).
      const condition = Math.sqrt(1 + (m / d) ** 2);
      expect(Math.abs((scale[column] ?? 0) - d) / d).toBeLessThanOrEqual(2 * ROWS * condition * UNIT);
    }
    expect(scale[4]).toBe(1); // the constant column
  });

  test.each([
    ["minMax", minMax(), fixture.minMax.later, 1],
    ["minMax to a range", minMax({ range: [-1, 3] }), fixture.minMaxWide.later, 4],
  ])("%s", async (_kind, transform, expected, width) => {
    const found = apply(await fitted(transform, data), later);
    for (const [row, values] of expected.entries()) {
      for (const [column, value] of values.entries()) {
        const low = Math.min(...x.map((one) => one[column] ?? 0));
        const high = Math.max(...x.map((one) => one[column] ?? 0));
        // min·scale is rounded there, min − from·scale here: units in the last place of max|x|, in new units.
        const size = Math.max(Math.abs(low), Math.abs(high), Math.abs(later[row]?.[column] ?? 0));
        const bound = 8 * UNIT * width * (1 + size / (high > low ? high - low : 1));
        expect(Math.abs((found[row]?.[column] ?? Number.NaN) - value)).toBeLessThanOrEqual(bound);
      }
    }
  });
});

test("the smallest and the largest value go to the ends of the range", async () => {
  const affine = await fitted(minMax({ range: [-1, 3] }), inMemory);
  const all = apply(affine, x);
  for (let column = 0; column < COLUMNS; column++) {
    const values = all.map((row) => Math.fround(row[column] ?? 0));
    const timestamps = column === 1 ? 1e-4 : 0; // 1.7e9 counts in steps of 2⁻²²: 10⁻⁵ of a day at most
    expect(Math.min(...values)).toBeCloseTo(-1, timestamps === 0 ? 6 : 4);
    expect(Math.max(...values)).toBeCloseTo(column === 4 ? -1 : 3, timestamps === 0 ? 6 : 4);
  }
});

describe("a run with transforms", () => {
  const units = { inputs: standardize(), targets: minMax() };
  const validation = { x: later, y: [1e5, 2e5, 3e5, 2.5e5, 4e5] };

  test("has the bits of a run on data that was transformed before", async () => {
    const model = make();
    const { history } = await fit(model, { ...options, ...units, data: inMemory, validation });
    const { inputs, targets } = model.transforms;
    if (inputs === undefined || targets === undefined) throw new Error("nothing was fitted");
    const column = (values: readonly number[]): number[] =>
      apply(
        targets,
        values.map((value) => [value]),
      ).flat();
    const other = make();
    const plain = await fit(other, {
      ...options,
      data: { x: apply(inputs, x), y: column(y) },
      validation: { x: apply(inputs, later), y: column(validation.y) },
    });
    expect(bitsOf(model)).toBe(bitsOf(other));
    expect(history.map(({ loss, validation: v }) => [loss, v])).toEqual(
      plain.history.map(({ loss, validation: v }) => [loss, v]),
    );
    // predict takes and gives the units of the data.
    const scaled = (await other.predict(apply(inputs, later))).data;
    const expected = Float32Array.from(scaled, (value) => value * (targets.scale[0] ?? 1) + (targets.shift[0] ?? 0));
    expect((await model.predict(later)).data).toEqual(expected);
    expect(model.predictSync(later).data).toEqual(expected);
  });

  test("learns what it cannot learn in the units of the data", async () => {
    const model = make();
    await fit(model, { ...options, epochs: 60, inputs: standardize(), targets: standardize(), data: inMemory });
    const mean = y.reduce((sum, value) => sum + value, 0) / ROWS;
    const squares = (of: (row: number) => number): number => y.reduce((sum, _, row) => sum + of(row) ** 2, 0);
    const predicted = (await model.predict(x)).data;
    const residual = squares((row) => (y[row] ?? 0) - (predicted[row] ?? 0));
    expect(residual).toBeLessThan(0.05 * squares((row) => (y[row] ?? 0) - mean));
  });

  test("is the same over a stream, and after a resume", async () => {
    const model = make();
    await fit(model, { ...options, ...units, data: inMemory, shuffle: false, validation });
    const other = make();
    await fit(other, {
      ...options,
      ...units,
      data: streamed,
      validation: dataset(() => [{ x: later.flat(), y: validation.y }]),
    });
    expect(bitsOf(other)).toBe(bitsOf(model));
    expect(other.transforms).toEqual(model.transforms);

    const first = make();
    const { checkpoint } = await fit(first, { ...options, ...units, data: streamed, steps: 11 });
    const resumed = make();
    await fit(resumed, { ...options, ...units, data: streamed, resume: checkpoint() });
    expect(bitsOf(resumed)).toBe(bitsOf(model));
    const without = make(); // units that are left out are those of the checkpoint
    await fit(without, { ...options, data: streamed, resume: checkpoint() });
    expect(bitsOf(without)).toBe(bitsOf(model));
    const none = await refusal(fit(make(), { ...options, inputs: null, data: streamed, resume: checkpoint() }));
    expect([none.code, none.where]).toEqual(["ERR_STATE", "fit.resume.inputs"]);
  });

  test("fits on the training examples only", async () => {
    const alone = make();
    await fit(alone, { ...options, ...units, data: inMemory });
    const beside = make();
    await fit(beside, { ...options, ...units, data: inMemory, validation: { x: later, y: [1e9, -1e9, 0, 1, 2] } });
    expect(beside.transforms).toEqual(alone.transforms);
  });

  test("timestamps keep their seconds: they are transformed before they are rounded", async () => {
    const rows = Array.from({ length: 100 }, (_, row) => [1.7e9 + row]);
    const model = sequential(linear(1, 1, { init: 1 }));
    await fit(model, {
      data: { x: rows, y: rows.map(() => 0) },
      loss: mse(),
      optimizer: sgd({ lr: 0 }),
      inputs: standardize(),
      steps: 1,
    });
    const values = [...model.predictSync(rows).data];
    const deviation = Math.sqrt((100 ** 2 - 1) / 12); // of 100 numbers in a row
    for (const [row, value] of values.entries()) expect(value).toBeCloseTo((row - 49.5) / deviation, 5);
  });
});

describe("metrics are in the units of the data", () => {
  test("while the loss is in the new ones", async () => {
    const model = make();
    await fit(model, { ...options, data: inMemory, inputs: standardize(), targets: standardize() });
    const { transforms } = model;
    const { loss, metrics } = await model.evaluate(inMemory, { loss: mse(), metrics: ["mae"] });
    const predicted = (await model.predict(x)).data;
    const expected = y.reduce((sum, value, row) => sum + Math.abs(value - (predicted[row] ?? 0)), 0) / ROWS;
    // Outputs of about 250,000 are rounded to 2⁻⁶ = 0.016 on either way.
    expect(Math.abs(metrics.mae - expected)).toBeLessThan(0.05);
    const [scale = 1] = transforms.targets?.scale ?? [];
    const squares = y.reduce((sum, value, row) => sum + ((value - (predicted[row] ?? 0)) / scale) ** 2, 0) / ROWS;
    expect(loss).toBeCloseTo(squares, 4);
  });
});

describe("bytes", () => {
  const PIXELS = 20;
  const pixels = Uint8Array.from({ length: 60 * PIXELS }, (_, index) => (index * 7919) % 251);
  const labels = Array.from({ length: 60 }, (_, row) => row % 3);
  const network = (): Model => sequential(linear(PIXELS, 3));
  const shape = {
    inputs: [{ name: "x", shape: [PIXELS], dtype: "f32" }],
    targets: [{ name: "y", shape: [3], dtype: "f32", target: "classes" }],
  } as const;

  test("stay bytes in native memory, and are scaled as they are gathered", async () => {
    const data = { x: pixels, y: labels };
    const plain = await bindExamples("data", data, shape);
    expect(plain.bindings.get("x")).toMatchObject({ dtype: "u8", scale: 1 });
    const inputs = {
      kind: "divideBy",
      shift: new Array<number>(PIXELS).fill(0),
      scale: new Array<number>(PIXELS).fill(255),
    };
    const scaled = await bindExamples("data", data, shape, { units: { inputs: [inputs], targets: [] } });
    expect(scaled.bindings.get("x")).toMatchObject({ dtype: "u8", scale: 1 / 255 });
    expect(scaled.inputs).toEqual([undefined]);
  });

  test.each([
    ["divideBy", divideBy(255)],
    ["standardize", standardize()],
    ["minMax", minMax()],
  ])("%s of bytes is that of the same numbers, from memory and from a stream", async (_name, inputs) => {
    const run = { loss: crossEntropy(), optimizer: sgd({ lr: 0.1 }), epochs: 2, inputs, shuffle: false } as const;
    const [bytes, floats, stream] = [network(), network(), network()];
    await fit(bytes, { ...run, data: { x: pixels, y: labels } });
    await fit(floats, { ...run, data: { x: Float32Array.from(pixels), y: labels } });
    const rows = labels.map((label, row) => ({ x: pixels.subarray(row * PIXELS, (row + 1) * PIXELS), y: label }));
    await fit(stream, { ...run, data: dataset(() => rows) });
    expect(bitsOf(stream)).toBe(bitsOf(bytes));
    expect(bytes.transforms).toEqual(floats.transforms);
    expect([...bytes.predictSync(pixels).data]).toEqual([...bytes.predictSync(Float32Array.from(pixels)).data]);
    // Each input is rounded up to three times instead of once: a few 2⁻²⁴ of values below 4, over 4 steps of rate 0.1.
    const other = floats.predictSync(pixels).data;
    for (const [index, value] of bytes.predictSync(pixels).data.entries())
      expect(value).toBeCloseTo(other[index] ?? 0, 4);
  });
});

describe("a model keeps its transforms", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "carillon-"));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const trained = async (): Promise<Model> => {
    const model = make();
    await fit(model, { ...options, data: inMemory, inputs: standardize(), targets: standardize() });
    return model;
  };

  test("in files, in clones, and in later runs", async () => {
    const model = await trained();
    const path = join(folder, "model.safetensors");
    await model.save(path);
    const expected = (await model.predict(later)).data;
    const loaded = await loadModel(path);
    expect(loaded.transforms).toEqual(model.transforms);
    expect((await loaded.predict(later)).data).toEqual(expected);
    expect((await (await make().load(path)).predict(later)).data).toEqual(expected);
    expect((await model.clone().predict(later)).data).toEqual(expected);

    const before = model.transforms;
    const half = { x: x.slice(0, 100), y: y.slice(0, 100) };
    await fit(model, { ...options, data: half });
    expect(model.transforms).toEqual(before);
    await fit(model, { ...options, data: half, inputs: standardize() });
    expect(model.transforms.inputs).not.toEqual(before.inputs);
    expect(model.transforms.targets).toEqual(before.targets);
    await fit(model, { ...options, data: half, inputs: null, targets: null, optimizer: sgd({ lr: 0 }) });
    expect(model.transforms).toEqual({ inputs: undefined, targets: undefined });
  });

  test("evaluate takes the units of the data", async () => {
    const model = await trained();
    const { loss } = await model.evaluate(inMemory, { loss: mse() });
    expect(await model.evaluate(streamed, { loss: mse() })).toEqual({ loss, metrics: {} });
    const scale = model.transforms.targets?.scale[0] ?? 0;
    const predicted = (await model.predict(x)).data;
    const squares = y.reduce((sum, value, row) => sum + ((value - (predicted[row] ?? 0)) / scale) ** 2, 0) / ROWS;
    expect(loss).toBeCloseTo(squares, 4);
  });

  test("a model without any has a file without any", () => {
    const model = make().initialize(1);
    expect(Buffer.from(model.bytes()).includes('"inputs":"')).toBe(false);
  });

  test.each([
    ['"kind":"standardize"', '"king":"standardize"'],
    ['\\"scale\\":[', '\\"scale\\":{'],
    ['\\"scale\\":[', '\\"scale\\":[],['],
  ])("a file with %s as %s is refused", async (from, to) => {
    const path = join(folder, "broken.safetensors");
    await (await trained()).save(path);
    const bytes = await readFile(path);
    const length = Number(bytes.readBigUInt64LE(0));
    const escaped = from.includes("\\") ? from : from.replaceAll('"', '\\"');
    const header = bytes.toString("utf8", 8, 8 + length);
    expect(header).toContain(escaped);
    const changed = Buffer.from(header.replace(escaped, to.includes("\\") ? to : to.replaceAll('"', '\\"')));
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(changed.length));
    await writeFile(path, Buffer.concat([prefix, changed, bytes.subarray(8 + length)]));
    expect((await refusal(loadModel(path))).code).toBe("ERR_FILE");
    const model = make().initialize(4);
    const before = bitsOf(model);
    expect((await refusal(model.load(path))).code).toBe("ERR_FILE");
    expect(bitsOf(model)).toBe(before);
  });
});

describe("refusals", () => {
  test("targets that are classes are not transformed", async () => {
    const model = sequential(linear(COLUMNS, 2));
    const data = { x, y: x.map(() => 0) };
    const error = await refusal(fit(model, { ...options, data, loss: crossEntropy(), targets: standardize() }));
    expect([error.code, error.where]).toEqual(["ERR_OPTION", "fit.targets"]);
  });

  test.each([5, "standardize", standardize, {}])("inputs: %s", async (inputs) => {
    const error = await refusal(fit(make(), { ...options, data: inMemory, inputs: inputs as never }));
    expect([error.code, error.where]).toEqual(["ERR_OPTION", "fit.inputs"]);
  });

  test("a value that is not finite, with its place", async () => {
    const broken = x.map((row) => [...row]);
    (broken[7] ?? [])[2] = Number.NaN;
    const error = await refusal(fit(make(), { ...options, data: { x: broken, y }, inputs: standardize() }));
    expect([error.code, error.where]).toEqual(["ERR_DATA", "fit.data.x"]);
    expect(error.message).toContain("row 7, column 2");
    const short = x.map((row, index) => (index === 9 ? row.slice(1) : row));
    const other = await refusal(fit(make(), { ...options, data: { x: short, y }, inputs: standardize() }));
    expect(other.message).toContain("6 values in row 9");
  });

  test("a stream with one pass", async () => {
    const once = dataset(x.map((row, index) => ({ x: row, y: y[index] ?? 0 })).values());
    const error = await refusal(fit(make(), { ...options, epochs: 1, data: once, inputs: standardize() }));
    expect([error.code, error.where]).toEqual(["ERR_STATE", "fit.data"]);
    expect(error.message).toContain("'standardize' reads the stream once more");
  });

  test("options are strict", () => {
    expect(() => minMax({ rang: [0, 1] } as never)).toThrow("Did you mean 'range'?");
    expect(() => minMax({ range: [1, 1] })).toThrow("a number > 1");
    expect(() => minMax({ range: [0] as never })).toThrow("two numbers");
    for (const divisor of [0, -1, Number.NaN, "2"]) expect(() => divideBy(divisor as number)).toThrow("a number > 0");
  });
});
