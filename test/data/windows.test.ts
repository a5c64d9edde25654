import { padded, tensor, windows } from "carillon";
import { describe, expect, test } from "vitest";

const rows = (x: { readonly data: Float32Array | Int32Array; readonly shape: readonly number[] }): number[][] => {
  const size = x.data.length / (x.shape[0] ?? 1);
  return Array.from({ length: x.shape[0] ?? 0 }, (_, row) => Array.from(x.data.subarray(row * size, (row + 1) * size)));
};

describe("windows", () => {
  const count = Array.from({ length: 12 }, (_, t) => t);

  test("each is followed by what is to be told", () => {
    const { x, y } = windows(count, { length: 3, horizon: 2, stride: 3 });
    expect(x.shape).toEqual([3, 3, 1]);
    expect(rows(x)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7, 8],
    ]);
    expect(rows(y)).toEqual([
      [3, 4],
      [6, 7],
      [9, 10],
    ]);
  });

  test("several columns, of which some are told", () => {
    const series = count.map((t) => [t, 10 * t]);
    const { x, y } = windows(series, { length: 2, horizon: 2, targets: [1] });
    expect(x.shape).toEqual([9, 2, 2]);
    expect(rows(x)[8]).toEqual([8, 80, 9, 90]);
    expect(rows(y)[8]).toEqual([100, 110]);
  });

  test("of lists, of typed arrays and of tensors they are the same", () => {
    const series = count.map((t) => [t / 3, 10 * t]);
    const options = { length: 3, horizon: 2, targets: [1, 0], stride: 2 };
    const flat = tensor(Float32Array.from(series.flat()), [12, 2]);
    expect(windows(flat, options)).toEqual(windows(series, options));
    const plain = windows(count, { length: 2 });
    for (const values of [Float64Array.from(count), Float32Array.from(count), Uint8Array.from(count)])
      expect(windows(values, { length: 2 })).toEqual(plain);
    expect(windows(tensor(Float32Array.from(count), [12]), { length: 2 })).toEqual(plain);
    // What is made is a copy: the caller may fill its array again.
    const filled = Float32Array.from(count);
    const made = windows(filled, { length: 2 });
    filled.fill(7);
    expect(made).toEqual(plain);
  });

  test("no step that validation reads or tells is read or told in training", () => {
    for (const share of [0.25, 0.4, 0.5]) {
      const { train, validation } = windows(count, { length: 2, horizon: 1, validation: share });
      const seen = new Set([...train.x.data, ...train.y.data]);
      const held = new Set([...validation.x.data, ...validation.y.data]);
      expect([...seen].filter((value) => held.has(value))).toEqual([]);
      expect(Math.max(...seen)).toBeLessThan(Math.min(...held));
    }
  });

  test("what follows every step of a window", () => {
    const { x, y } = windows(count, { length: 3, horizon: 2, stride: 4, sequences: true });
    expect(x.shape).toEqual([2, 3, 1]);
    expect(y.shape).toEqual([2, 3, 2]);
    expect(rows(y)).toEqual([
      [1, 2, 2, 3, 3, 4],
      [5, 6, 6, 7, 7, 8],
    ]);
    const pairs = windows(
      count.map((t) => [t, 10 * t]),
      { length: 2, stride: 5, targets: [1], sequences: true },
    );
    expect(rows(pairs.y)).toEqual([
      [10, 20],
      [60, 70],
    ]);
  });

  test("integers that are looked up", () => {
    const ids = Int32Array.from(count, (t) => 16_777_216 + t);
    const { x, y } = windows(ids, { length: 3, stride: 3, sequences: true, dtype: "i32" });
    expect([x.dtype, x.shape, y.dtype, y.shape]).toEqual(["i32", [3, 3], "i32", [3, 3]]);
    expect(rows(x)[1]).toEqual([3, 4, 5].map((t) => 16_777_216 + t));
    expect(rows(y)[1]).toEqual([4, 5, 6].map((t) => 16_777_216 + t));
    const next = windows(count, { length: 3, stride: 3, dtype: "i32" });
    expect(next.y.shape).toEqual([3]);
    expect(Array.from(next.y.data)).toEqual([3, 6, 9]);
    expect(windows(count, { length: 3, horizon: 2, dtype: "i32" }).y.shape).toEqual([8, 2]);
    const pairs = count.map((t) => [t, t + 1]);
    expect(windows(pairs, { length: 3, dtype: "i32" }).x.shape).toEqual([9, 3, 2]);
    expect(() => windows([1, 0.5], { length: 1, dtype: "i32" })).toThrow(/32-bit integer .*windows.series\[1\]/);
    expect(() => windows([1, 2 ** 31], { length: 1, dtype: "i32" })).toThrow(/32-bit integer .*windows.series\[1\]/);
    expect(() => windows([1, 2], { length: 1, dtype: "f64" as "f32" })).toThrow(/windows.dtype/);
  });

  test("no window lies in two series, and one that is too short has none", () => {
    const series = [Float32Array.from(count), Float32Array.of(50, 51), Float32Array.of(90, 91, 92, 93, 94)];
    const { x, y } = windows(series, { length: 3, stride: 4 });
    expect(rows(x)).toEqual([
      [0, 1, 2],
      [4, 5, 6],
      [8, 9, 10],
      [90, 91, 92],
    ]);
    expect(Array.from(y.data)).toEqual([3, 7, 11, 93]);
    const tables = [
      tensor([
        [1, 2],
        [3, 4],
      ]),
      tensor([
        [5, 6],
        [7, 8],
        [9, 10],
      ]),
    ];
    expect(rows(windows(tables, { length: 1 }).x)).toEqual([
      [1, 2],
      [5, 6],
      [7, 8],
    ]);
    expect(
      windows(
        [
          [
            [1, 2],
            [3, 4],
          ],
          [
            [5, 6],
            [7, 8],
            [9, 10],
          ],
        ],
        { length: 1 },
      ),
    ).toEqual(windows(tables, { length: 1 }));
    const { train, validation } = windows(series, { length: 1, validation: 0.4 });
    expect(Array.from(train.x.data)).toEqual([0, 1, 2, 3, 4, 5, 90, 91]);
    expect(Array.from(validation.x.data)).toEqual([7, 8, 9, 10, 93]);
    expect(() => windows([tables[0] ?? [], count.map((t) => [t])], { length: 1 })).toThrow(
      /2 numbers a step, .*series\[1\]/,
    );
    expect(() => windows([Float32Array.of(1), Float32Array.of(2)], { length: 1 })).toThrow(
      /1 \+ 1 steps or more .* received 1/,
    );
    expect(() => windows([[[1], [Number.NaN]]], { length: 1 })).toThrow(/windows.series\[0\]\[1\]/);
  });

  test("windows that go on from one another leave no gap, and begin anew with each series", () => {
    const series = [Float32Array.from(count), Float32Array.from(count, (t) => 100 + t)];
    const { x, y, carry } = windows(series, { length: 3, carry: true, sequences: true });
    expect(rows(x)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7, 8],
      [100, 101, 102],
      [103, 104, 105],
      [106, 107, 108],
    ]);
    expect(y.shape).toEqual([6, 3, 1]);
    expect(Array.from(carry.data)).toEqual([0, 1, 1, 0, 1, 1]);
    const { validation } = windows(count, { length: 2, carry: true, validation: 0.5 });
    expect(Array.from(validation.carry.data)).toEqual([0, 1]);
    expect("carry" in windows(count, { length: 2 })).toBe(false);
    expect(windows(count, { length: 2, stride: 2, carry: true }).carry.shape).toEqual([5]);
    expect(() => windows(count, { length: 3, stride: 1, carry: true })).toThrow(
      /3, the length of a window .*windows.stride/,
    );
  });

  test("what cannot be is refused with the sizes", () => {
    expect(() => windows(count, { length: 12 })).toThrow(
      /expected 12 \+ 1 steps or more of the series for 'windows' but received 12/,
    );
    expect(() => windows(count, { length: 4, validation: 0.3 })).toThrow(/of validation .* received 4/);
    expect(() => windows([], { length: 1 })).toThrow(/windows.series/);
    expect(() => windows([[1, 2], [3]], { length: 1 })).toThrow(/windows.series\[1\]/);
    expect(() => windows([1, Number.NaN], { length: 1 })).toThrow(/windows.series\[1\]/);
    expect(() => windows([1, 1e300], { length: 1 })).toThrow(/float32 .*windows.series\[1\]/);
    expect(() => windows(Float64Array.of(1, 2, Number.NaN), { length: 1 })).toThrow(/windows.series\[2\]/);
    expect(() => windows(tensor(new Float32Array(8), [2, 2, 2]), { length: 1 })).toThrow(/\[steps, features\]/);
    expect(() => windows(new Float32Array(0), { length: 1 })).toThrow(/windows.series/);
    expect(() => windows(count, { length: 0 })).toThrow(/windows.length/);
    expect(() => windows(count, { length: 2, targets: [1] })).toThrow(/windows.targets/);
  });
});

describe("padded", () => {
  test("sequences side by side, with their lengths", () => {
    const { values, lengths } = padded(
      [
        [[1, 2]],
        [],
        [
          [3, 4],
          [5, 6],
        ],
      ],
      { longest: 3 },
    );
    expect(values.shape).toEqual([3, 3, 2]);
    expect(rows(values)).toEqual([
      [1, 2, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0],
      [3, 4, 5, 6, 0, 0],
    ]);
    expect(Array.from(lengths.data)).toEqual([1, 0, 2]);
  });

  test("what does not fit is told by sequence and step", () => {
    expect(() => padded([[[1]], [[1], [2], [3]]], { longest: 2 })).toThrow(
      /at most 2 steps for 'padded: sequence 1' but received 3/,
    );
    expect(() => padded([[[1, 2]], [[1, 2], [3]]])).toThrow(/sequence 1, step 1/);
    expect(() => padded([])).toThrow(/padded/);
  });
});
