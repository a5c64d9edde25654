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
