// Data in memory and streams take the same values and refuse the same ones, with the same code and nearly the same sentence.
import { runInNewContext } from "node:vm";
import {
  binaryCrossEntropy,
  CarillonError,
  crossEntropy,
  dataset,
  type FitData,
  fit,
  type Loss,
  linear,
  mse,
  type StreamExample,
  sequential,
  sgd,
  standardize,
} from "carillon";
import { describe, expect, test } from "vitest";
import { fitAnything } from "../train/wrong.js";

const ROWS = 12;

/** Members by rows, as JavaScript may give them. */
interface Given {
  readonly x: readonly unknown[];
  readonly y: readonly unknown[];
  readonly weight?: readonly unknown[] | undefined;
}

const x = Array.from({ length: ROWS }, (_, row) => [row / 8, (row % 3) - 1]);
const labels = Array.from({ length: ROWS }, (_, row) => row % 2);
const ones = new Array<unknown>(ROWS).fill(1);

/** `values` with another one in a row. */
function withRow(values: readonly unknown[], row: number, value: unknown): readonly unknown[] {
  return values.map((one, index) => (index === row ? value : one));
}

function blocks(data: Given, size: number): unknown {
  return dataset(function* () {
    for (let begin = 0; begin < ROWS; begin += size) {
      const part = (values: readonly unknown[]): unknown => {
        const some = values.slice(begin, begin + size);
        return size === 1 ? some[0] : some;
      };
      const { weight } = data;
      const block = { x: part(data.x), y: part(data.y) };
      yield (weight === undefined ? block : { ...block, weight: part(weight) }) as StreamExample;
    }
  });
}

const settings = { optimizer: sgd({ lr: 0.1 }), epochs: 2, batchSize: 4, shuffle: false, seed: 1 };

async function refusal(
  data: unknown,
  loss: Loss,
  more: object,
): Promise<{ code: string; where: string; text: string }> {
  const outputs = loss.target === "classes" ? 2 : 1;
  const error = await fitAnything(sequential(linear(2, outputs)), { data, loss, ...settings, ...more }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof CarillonError)) throw new Error(`expected a refusal but there was ${String(error)}`);
  const text = error.message
    .replace(/ in the item from example \d+ on/, "")
    .replace(/example (\d+)/, "row $1")
    .replace(/ in epoch \d+/, "");
  return { code: error.code, where: error.where, text };
}

describe("refused alike in memory, one by one and in blocks", () => {
  const classes = crossEntropy();
  const binary = binaryCrossEntropy();
  test.each<[string, Given, string, string, string, Loss?, object?]>([
    ["NaN in x", { x: withRow(x, 5, [1, Number.NaN]), y: labels }, "ERR_DATA", "x", "row 5, column 1"],
    ["infinity in x", { x: withRow(x, 5, [Number.NEGATIVE_INFINITY, 1]), y: labels }, "ERR_DATA", "x", "received -Inf"],
    ["x beyond float32", { x: withRow(x, 11, [1, 1e39]), y: labels }, "ERR_DATA", "x", "received 1e+39"],
    ["text in x", { x: withRow(x, 5, [1, "2"]), y: labels }, "ERR_DATA", "x", 'received "2"'],
    ["a hole in x", { x: withRow(x, 5, [1, undefined]), y: labels }, "ERR_DATA", "x", "received undefined"],
    ["a bigint in x", { x: withRow(x, 5, [1, 2n]), y: labels }, "ERR_DATA", "x", "received 2n"],
    ["a label too large", { x, y: withRow(labels, 5, 2) }, "ERR_LABEL", "y", "received 2 in row 5"],
    ["a negative label", { x, y: withRow(labels, 5, -1) }, "ERR_LABEL", "y", "received -1 in row 5"],
    ["half a label", { x, y: withRow(labels, 5, 0.5) }, "ERR_LABEL", "y", "received 0.5 in row 5"],
    ["a label that is NaN", { x, y: withRow(labels, 5, Number.NaN) }, "ERR_LABEL", "y", "received NaN in row 5"],
    ["text for a label", { x, y: withRow(labels, 5, "1") }, "ERR_LABEL", "y", 'received "1" in row 5'],
    ["a probability above 1", { x, y: withRow(labels, 5, 1.5) }, "ERR_LABEL", "y", "received 1.5", binary],
    ["a target that is NaN", { x, y: withRow(labels, 5, Number.NaN) }, "ERR_DATA", "y", "row 5, column 0", mse()],
    [
      "half a class with class weights",
      { x, y: withRow(labels, 5, 0.5) },
      "ERR_LABEL",
      "y",
      "0 or 1, as there are class weights",
      binary,
      { classWeights: [1, 2] },
    ],
    ["a negative weight", { x, y: labels, weight: withRow(ones, 5, -1) }, "ERR_DATA", "weight", "received -1 in row 5"],
    [
      "a weight that is NaN",
      { x, y: labels, weight: withRow(ones, 5, Number.NaN) },
      "ERR_DATA",
      "weight",
      "NaN in row",
    ],
    ["an infinite weight", { x, y: labels, weight: withRow(ones, 5, 1e39) }, "ERR_DATA", "weight", "received 1e+39"],
    ["text for a weight", { x, y: labels, weight: withRow(ones, 5, "1") }, "ERR_DATA", "weight", 'received "1"'],
    ["only weights of 0", { x, y: labels, weight: ones.map(() => 0) }, "ERR_DATA", "weight", "above 0 somewhere"],
    [
      "only classes of weight 0",
      { x, y: ones.map(() => 1) },
      "ERR_DATA",
      "weight",
      "above 0 somewhere",
      classes,
      { classWeights: [1, 0] },
    ],
  ])("%s", async (_name, data, code, member, says, loss = classes, more = {}) => {
    const expected = { code, where: `fit.data.${member}`, text: expect.stringContaining(says) };
    const inMemory = await refusal(data, loss, more);
    expect(inMemory).toEqual(expected);
    for (const size of [1, 4, ROWS]) expect(await refusal(blocks(data, size), loss, more)).toEqual(inMemory);
    if (says === "received 1e+39" && member === "x") return; // which new units bring back
    const inputs = standardize();
    const measured = await refusal(data, loss, { ...more, inputs });
    expect(await refusal(blocks(data, 4), loss, { ...more, inputs })).toEqual(measured);
    expect([measured.code, measured.where]).toEqual([code, `fit.data.${member}`]);
  });

  test.each<[string, unknown, string, string, string]>([
    ["ragged rows", { x: [[1, 2], [1]], y: [0, 1] }, "ERR_DATA", "fit.data.x", "2 values in row 1"],
    ["a column too many", { x: [[1, 2, 3]], y: [0] }, "ERR_DATA", "fit.data.x", "2 values in row 0"],
    ["a part of a row", { x: Float32Array.of(1, 2, 3), y: [0] }, "ERR_DATA", "fit.data.x", "a multiple of 2"],
    ["no rows", { x: [], y: [] }, "ERR_DATA", "fit.data.x", "at least one row"],
    ["no numbers", { x: new Float32Array(), y: [] }, "ERR_DATA", "fit.data.x", "at least one row"],
    [
      "y too short",
      {
        x: [
          [1, 2],
          [3, 4],
        ],
        y: [1],
      },
      "ERR_DATA",
      "fit.data.y",
      "2 rows, as x has",
    ],
    [
      "weights too short",
      {
        x: [
          [1, 2],
          [3, 4],
        ],
        y: [1, 0],
        weight: [1],
      },
      "ERR_DATA",
      "fit.data.weight",
      "2 rows, as x",
    ],
    [
      "a tensor of another width",
      { x: { shape: [1, 3], data: new Float32Array(3) }, y: [1] },
      "ERR_SHAPE",
      "fit.data.x",
      "[rows, 2]",
    ],
    ["no y", { x: [[1, 2]] }, "ERR_DATA", "fit.data", "{ x, y }"],
    ["BigInts", { x: new BigInt64Array(2), y: [0] }, "ERR_DTYPE", "fit.data.x", "Float64Array.from(array, Number)"],
    ["text", { x: "1,2", y: [0] }, "ERR_DTYPE", "fit.data.x", 'received "1,2"'],
    ["a promise", { x: Promise.resolve([[1, 2]]), y: [0] }, "ERR_DTYPE", "fit.data.x", "a Promise (await it)"],
    ["a generator", { x: (function* () {})(), y: [0] }, "ERR_DTYPE", "fit.data.x", "a generator"],
    ["weights", { x: [[1, 2]], y: [0], weights: [1] }, "ERR_UNKNOWN_OPTION", "fit.data.weights", "mean 'weight'"],
    [
      "sample_weight",
      { x: [[1, 2]], y: [0], sample_weight: [1] },
      "ERR_UNKNOWN_OPTION",
      "fit.data.sample_weight",
      "mean 'weight'",
    ],
    ["labels", { x: [[1, 2]], labels: [0] }, "ERR_UNKNOWN_OPTION", "fit.data.labels", "mean 'y'"],
  ])("%s", async (_name, data, code, where, says) => {
    const inMemory = await refusal(data, crossEntropy(), {});
    expect(inMemory).toEqual({ code, where, text: expect.stringContaining(says) });
    const good = {
      x: [
        [1, 2],
        [3, 4],
      ],
      y: [0, 1],
    };
    expect(await refusal(dataset([data] as StreamExample[]), crossEntropy(), {})).toEqual(inMemory);
    const later = await refusal(dataset([good, data] as StreamExample[]), crossEntropy(), {});
    expect([later.code, later.where]).toEqual([code, where]);
  });

  test("a weight of nothing is legal in a batch, not in an epoch", async () => {
    const weight = ones.map((_, row) => (row < 8 ? 0 : 1));
    const { step } = await fit(sequential(linear(2, 2)), {
      data: blocks({ x, y: labels, weight }, 1) as FitData,
      loss: crossEntropy(),
      ...settings,
    });
    expect(step).toBe(6);
    let epoch = 0;
    const later = dataset(function* () {
      epoch += 1;
      for (const [row, given] of x.entries()) yield { x: given, y: labels[row] ?? 0, weight: epoch === 1 ? 1 : 0 };
    });
    await expect(fit(sequential(linear(2, 2)), { data: later, loss: crossEntropy(), ...settings })).rejects.toThrow(
      "expected a weight above 0 somewhere in epoch 2 for 'fit.data.weight'",
    );
    const zeros = blocks({ x, y: labels, weight: ones.map(() => 0) }, 4) as FitData;
    const validated = fit(sequential(linear(2, 2)), {
      data: { x, y: labels },
      validation: zeros,
      loss: crossEntropy(),
      ...settings,
    });
    await expect(validated).rejects.toThrow("'fit.validation.weight'");
  });
});

describe("typed arrays of every kind give the bits of numbers", () => {
  const small = Array.from({ length: 2 * ROWS }, (_, index) => (index * 37) % 101);
  const targets = Array.from({ length: ROWS }, (_, row) => (row * 5) % 7);

  async function trained(data: unknown, inputs?: "standardize"): Promise<readonly number[]> {
    const model = sequential(linear(2, 1));
    const units = inputs === undefined ? undefined : standardize();
    await fit(model, { data: data as FitData, loss: mse(), ...settings, optimizer: sgd({ lr: 1e-5 }), inputs: units });
    return [...model.weights().values()].flatMap(({ data: values }) => [...values]);
  }

  const nested = (values: readonly number[]): number[][] => targets.map((_, row) => values.slice(2 * row, 2 * row + 2));
  const kinds = [
    Float32Array,
    Float64Array,
    Int8Array,
    Int16Array,
    Int32Array,
    Uint8Array,
    Uint8ClampedArray,
    Uint16Array,
    Uint32Array,
  ];
  test.each(kinds.map((made) => [made.name, made] as const))("%s", async (name, made) => {
    const flat = made.from(small);
    const weight = made.from(targets);
    for (const inputs of [undefined, "standardize"] as const) {
      const expected = await trained({ x: nested(small), y: targets, weight: targets }, inputs);
      const foreign = runInNewContext(`({ x: ${name}.from([${small}]), y: ${name}.from([${targets}]) })`);
      const forms = [
        { x: flat, y: made.from(targets), weight },
        { x: nested(small).map((row) => made.from(row)), y: targets.map((value) => made.of(value)), weight },
        { x: { shape: [ROWS, 2], data: flat }, y: { shape: [ROWS], data: made.from(targets) }, weight },
        { x: foreign.x, y: foreign.y, weight },
      ];
      for (const form of forms) {
        // Bytes are standardized by the program, in float32, where their columns differ.
        const close = inputs !== undefined && (name === "Uint8Array" || name === "Uint8ClampedArray");
        const found = await trained(form, inputs);
        const streamed = await trained(dataset([form] as StreamExample[]), inputs);
        expect(streamed).toEqual(found);
        if (!close) expect(found).toEqual(expected);
        for (const [index, value] of found.entries()) expect(value).toBeCloseTo(expected[index] ?? 0, 5);
      }
    }
  });

  test("doubles are rounded once, behind the change of units", async () => {
    const times = Array.from({ length: 2 * ROWS }, (_, index) => 1.7e9 + index / 3);
    const expected = await trained({ x: nested(times), y: targets }, "standardize");
    expect(await trained({ x: Float64Array.from(times), y: targets }, "standardize")).toEqual(expected);
    expect(await trained({ x: Float32Array.from(times), y: targets }, "standardize")).not.toEqual(expected);
  });

  test("one input needs no rows", async () => {
    const model = sequential(linear(1, 1)).initialize(1);
    const line = targets.map((value) => value / 7);
    const rows = line.map((value) => [value]);
    const all = await model.predict(rows);
    expect((await model.predict(line)).data).toEqual(all.data);
    expect(model.predictSync(Float64Array.from(line)).data).toEqual(all.data);
    const loss = mse();
    const inMemory = await model.evaluate({ x: rows, y: targets }, { loss });
    expect(await model.evaluate({ x: line, y: targets }, { loss })).toEqual(inMemory);
    const items = dataset(() => line.map((value, row) => ({ x: value, y: targets[row] ?? 0 })));
    expect(await model.evaluate(items, { loss })).toEqual(inMemory);
  });
});
