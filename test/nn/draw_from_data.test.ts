// First weights by the data: what they promise, computed here in double from the weights that were drawn.
import {
  drawFromData,
  embedding,
  linear,
  mish,
  network,
  ntkLinear,
  ops,
  robustScale,
  selu,
  sequential,
  smoothClip,
  spec,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import { uniforms } from "../ops/sample.js";

const ROWS = 3000; // more than run through at once
const next = uniforms(5);
const x = Array.from({ length: ROWS }, () => [next() * 1000 - 300, next() ** 3, next() - next(), 7]);

const make = () =>
  sequential(
    smoothClip(),
    ntkLinear(4, 12),
    selu(),
    ntkLinear(12, 8),
    mish(),
    linear(8, 3),
    selu(),
    linear(3, 2, { bias: false }),
  );
const options = { seed: 3, inputs: robustScale() };

/** What the units of a layer give, in double: [rows, out] from rows [in]. */
function outputs(
  rows: readonly (readonly number[])[],
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  factor: number,
): number[][] {
  const width = rows[0]?.length ?? 1;
  return rows.map((row) =>
    Array.from({ length: weight.length / width }, (_, unit) =>
      row.reduce((sum, value, at) => sum + value * factor * (weight[unit * width + at] ?? 0), bias[unit] ?? 0),
    ),
  );
}

const column = (rows: readonly (readonly number[])[], at: number): number[] => rows.map((row) => row[at] ?? 0);

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** Median and quartiles as NumPy has them. */
function scaled(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => {
    const place = (sorted.length - 1) * share;
    const [low = 0, high = low] = [sorted[Math.floor(place)], sorted[Math.floor(place) + 1]];
    return low + (high - low) * (place - Math.floor(place));
  };
  const width = at(0.75) - at(0.25);
  return values.map((value) => (width > 0 ? (value - at(0.5)) / width : 0));
}

describe("drawFromData", () => {
  test("every unit has deviation 1 over the data, and is 0 within them", async () => {
    const model = make();
    await drawFromData(model, x, options);
    const weights = model.weights();
    const of = (name: string): ArrayLike<number> => weights.get(name)?.data ?? [];
    const columns = [0, 1, 2, 3].map((at) =>
      scaled(column(x, at)).map((value) => value / Math.sqrt(1 + (value / 3) ** 2)),
    );
    let rows: number[][] = x.map((_, row) => columns.map((values) => values[row] ?? 0));
    const functions = {
      selu: (v: number): number => 1.0507009873554805 * (v < 0 ? 1.6732632423543772 * Math.expm1(v) : v),
      mish: (v: number): number => v * Math.tanh(Math.log1p(Math.exp(v))),
    };
    const layers = [
      { name: "ntkLinear1", factor: 1 / 2, bend: functions.selu },
      { name: "ntkLinear2", factor: 1 / Math.sqrt(12), bend: functions.mish },
      { name: "linear1", factor: 1, bend: functions.selu },
      { name: "linear2", factor: 1, bend: functions.selu },
    ];
    for (const { name, factor, bend } of layers) {
      const z = outputs(rows, of(`${name}.weight`), of(`${name}.bias`), factor);
      for (let unit = 0; unit < (z[0]?.length ?? 0); unit++) {
        const values = column(z, unit);
        // Sums of 12 products in float32, and the roundings of weights: a few 2⁻²⁴ of numbers of the order of 1.
        expect(Math.abs(deviation(values) - 1)).toBeLessThan(2 ** -24 * 30);
        if (name === "linear2") continue;
        expect(Math.min(...values)).toBeLessThan(0);
        expect(Math.max(...values)).toBeGreaterThan(0);
      }
      rows = z.map((row) => row.map(bend));
    }
    expect(of("linear2.bias")).toEqual([]);
  });

  test("the same seed and rows give the same bits, another seed others", async () => {
    const drawn = async (seed: number): Promise<readonly number[]> => {
      const model = make();
      await drawFromData(model, x, { ...options, seed });
      return [...model.weights().values()].flatMap(({ data }) => [...data]);
    };
    expect(await drawn(3)).toEqual(await drawn(3));
    expect(await drawn(4)).not.toEqual(await drawn(3));
  });

  test("rows as a tensor are the same, and a pattern leaves other layers as they were", async () => {
    const [one, other, plain] = [make(), make(), make().initialize(3)];
    const narrow = x.map((row) => row.map(Math.fround));
    await drawFromData(one, tensor(narrow), options);
    await drawFromData(other, narrow, { ...options, layers: "ntk*" });
    const [a, b, c] = [one.weights(), other.weights(), plain.weights()];
    expect(b.get("ntkLinear2.weight")?.data).toEqual(a.get("ntkLinear2.weight")?.data);
    expect(b.get("linear1.weight")?.data).toEqual(c.get("linear1.weight")?.data);
  });

  test("a network of several inputs, of which some are integers", async () => {
    const make = () =>
      network({
        inputs: { numbers: spec(["batch", 4]), city: spec(["batch"], "i32") },
        layers: { city: embedding(5, 3), hidden: ntkLinear(7, 12), bend: selu(), last: ntkLinear(12, 2) },
        forward: ({ numbers, city }, layers) =>
          layers.last(layers.bend(layers.hidden(ops.concat([numbers, layers.city(city)])))),
      });
    const model = make();
    const given = { numbers: tensor(x), city: Int32Array.from({ length: ROWS }, (_, row) => (row * 7) % 5) };
    await drawFromData(model, given, { seed: 2, inputs: { numbers: robustScale() } });
    const of = (name: string): ArrayLike<number> => model.weights().get(name)?.data ?? [];
    const columns = [0, 1, 2, 3].map((at) =>
      scaled(
        column(
          x.map((row) => row.map(Math.fround)),
          at,
        ),
      ),
    );
    const table = of("city.table");
    const rows = Array.from(given.city, (city, row) => [
      ...columns.map((values) => values[row] ?? 0),
      ...[0, 1, 2].map((at) => table[3 * city + at] ?? 0),
    ]);
    const z = outputs(rows, of("hidden.weight"), of("hidden.bias"), 1 / Math.sqrt(7));
    for (let unit = 0; unit < 12; unit++) {
      // As above; numbers of some columns are up to 5 apart.
      expect(Math.abs(deviation(column(z, unit)) - 1)).toBeLessThan(2 ** -24 * 60);
      expect(Math.min(...column(z, unit))).toBeLessThan(0);
      expect(Math.max(...column(z, unit))).toBeGreaterThan(0);
    }
    await expect(drawFromData(make(), given, { inputs: { city: robustScale() } as never })).rejects.toThrow(
      /inputs.city/,
    );
    await expect(drawFromData(make(), { ...given, city: given.city.subarray(1) })).rejects.toThrow(/2999/);
  });

  test("a unit that gives one value keeps its weights", async () => {
    const model = sequential(ntkLinear(1, 2));
    await drawFromData(model, [[2], [2], [2]]);
    const plain = sequential(ntkLinear(1, 2)).initialize(0).weights();
    const weights = model.weights();
    const weight = weights.get("ntkLinear1.weight")?.data ?? new Float32Array();
    expect(weight).toEqual(plain.get("ntkLinear1.weight")?.data);
    const bias = weights.get("ntkLinear1.bias")?.data ?? new Float32Array();
    for (const [unit, value] of weight.entries()) expect((bias[unit] ?? 0) + 2 * value).toBeCloseTo(0, 5);
  });

  test("what cannot be is refused by its name", async () => {
    const { inputs } = options;
    await expect(drawFromData(make(), x, { layers: "conv*" })).rejects.toThrow(/drawFromData.layers/);
    await expect(drawFromData(make(), [[1, 2, 3, Number.NaN]], { inputs })).rejects.toThrow(/NaN/);
    await expect(drawFromData(make(), [[1, 2, 3]] as never)).rejects.toThrow(/4/);
    await expect(drawFromData(make(), [], { inputs })).rejects.toThrow(/drawFromData/);
    await expect(drawFromData(make(), x, { seed: -1 })).rejects.toThrow(/drawFromData.seed/);
    await expect(drawFromData({} as never, x)).rejects.toThrow(/drawFromData.model/);
  });
});
