import { describe, expect, test } from "vitest";
import { type SplitOptions, split } from "../../lib/data/split.js";

/** Row i of x is [i, -i]; its label is i % 10 == 0 (class 1) or not (class 0). */
const ROWS = 100;
const x = Float32Array.from({ length: 2 * ROWS }, (_, index) => (index % 2 === 0 ? index / 2 : -(index - 1) / 2));
const y = Uint8Array.from({ length: ROWS }, (_, row) => (row % 10 === 0 ? 1 : 0));

/** The row numbers in an x of the kind above. */
const rowsOf = (values: Float32Array): number[] => [...values].filter((_, index) => index % 2 === 0);

describe("split", () => {
  test("divides the rows, keeps them whole and in order", () => {
    const { train, validation } = split({ x, y }, { validation: 0.2, seed: 1 });
    const held = rowsOf(validation.x);
    const kept = rowsOf(train.x);
    expect([held.length, kept.length]).toEqual([20, 80]);
    expect([...held, ...kept].sort((a, b) => a - b)).toEqual(Array.from({ length: ROWS }, (_, row) => row));
    for (const rows of [held, kept]) expect(rows).toEqual([...rows].sort((a, b) => a - b));
    for (const part of [train, validation]) {
      for (const [index, row] of rowsOf(part.x).entries()) {
        expect(part.x[2 * index + 1]).toBe(-row);
        expect(part.y[index]).toBe(y[row]);
      }
    }
  });

  test("is fixed by the seed", () => {
    const held = (seed?: number): string => rowsOf(split({ x, y }, { validation: 20, seed }).validation.x).join();
    expect(held(1)).toBe(held(1));
    expect(held(1)).not.toBe(held(2));
    expect(held(undefined)).toBe(held(0));
    expect(held(2 ** 40)).not.toBe(held(0));
  });

  test("takes a count or a fraction", () => {
    const size = (validation: number): number => split({ x, y }, { validation }).validation.y.length;
    expect([size(1), size(33), size(99)]).toEqual([1, 33, 99]);
    expect([size(0.005), size(0.333), size(0.999)]).toEqual([1, 33, 99]);
  });

  test("copies: the parts do not change with the source", () => {
    const own = Float32Array.from(x);
    const { train } = split({ x: own, y }, { validation: 10 });
    const before = [...train.x];
    own.fill(-7);
    expect([...train.x]).toEqual(before);
  });

  test("keeps every type", () => {
    const nested = Array.from({ length: 4 }, (_, row) => [row, row]);
    const options = { validation: 1 };
    const numbers: number[][] = split({ x: nested, y: [0, 1, 2, 3] }, options).train.x;
    expect(numbers.length).toBe(3);
    const bytes: Uint8Array = split({ x: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), y: [0, 1, 2, 3] }, options).train.x;
    expect(bytes).toBeInstanceOf(Uint8Array);
    const labels: Int32Array = split({ x: nested, y: Int32Array.of(0, 1, 2, 3) }, options).validation.y;
    expect(labels).toBeInstanceOf(Int32Array);
    const rows: Float32Array[] = split({ x: nested.map((row) => Float32Array.from(row)), y: [0, 1, 2, 3] }, options)
      .train.x;
    expect(rows[0]).toBeInstanceOf(Float32Array);
    const tensor = split({ x: { shape: [4, 2], data: new Float32Array(8) }, y: [0, 1, 2, 3] }, options).train.x;
    expect(tensor).toEqual({ shape: [3, 2], data: new Float32Array(6) });
  });

  test("weights go with their rows, and only if there are any", () => {
    const weight = Float32Array.from({ length: ROWS }, (_, row) => row + 1);
    const { validation } = split({ x, y, weight }, { validation: 5 });
    expect([...(validation.weight ?? [])]).toEqual(rowsOf(validation.x).map((row) => row + 1));
    expect(split({ x, y, weight: [...weight] }, { validation: 5 }).train.weight).toHaveLength(95);
    expect("weight" in split({ x, y }, { validation: 5 }).train).toBe(false);
  });

  test("flat targets of several columns follow the rows of x", () => {
    const nested = Array.from({ length: 5 }, (_, row) => [row]);
    const targets = Float32Array.from({ length: 10 }, (_, index) => Math.floor(index / 2));
    const { train } = split({ x: nested, y: targets }, { validation: 2 });
    expect([...train.y]).toEqual(train.x.flatMap(([row = -1]) => [row, row]));
  });
});

describe("stratified", () => {
  test("every class gives its share", () => {
    for (const seed of [0, 1, 2]) {
      const { train, validation } = split({ x, y }, { validation: 0.2, stratify: true, seed });
      expect([validation.y.length, validation.y.filter((label) => label === 1).length]).toEqual([20, 2]);
      expect([train.y.length, train.y.filter((label) => label === 1).length]).toEqual([80, 8]);
    }
  });

  test("the count is met by the largest remainders, smaller labels first", () => {
    // Quotas of 4 out of 10: 2.0, 1.2, 0.8.
    const labels = [0, 0, 0, 0, 0, 7, 7, 7, 9, 9];
    const { validation } = split({ x: new Float32Array(10), y: labels }, { validation: 4, stratify: true });
    expect(validation.y).toEqual([0, 0, 7, 9]);
    // Equal remainders.
    const even = split({ x: new Float32Array(6), y: [3, 3, 1, 1, 2, 2] }, { validation: 1, stratify: true });
    expect(even.validation.y).toEqual([1]);
  });

  test("the last example of a class stays in training", () => {
    const labels = [0, 0, 0, 0, 1, 2];
    const { train } = split({ x: new Float32Array(6), y: labels }, { validation: 3, stratify: true });
    expect(new Set(train.y)).toEqual(new Set([0, 1, 2]));
    expect(() => split({ x: new Float32Array(6), y: labels }, { validation: 4, stratify: true })).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", where: "split.validation" }),
    );
  });

  test("needs one integer a row", () => {
    const features = new Float32Array(4);
    expect(split({ x: features, y: Float32Array.of(0, 1, 0, 1) }, { validation: 2, stratify: true }).train.y).toEqual(
      Float32Array.of(0, 1),
    );
    for (const labels of [
      [0.5, 1, 2, 3],
      [[0], [1], [2], [3]],
    ]) {
      expect(() => split({ x: features, y: labels as number[] }, { validation: 2, stratify: true })).toThrow(
        expect.objectContaining({ code: "ERR_LABEL" }),
      );
    }
  });
});

describe("refuses", () => {
  test.each<[unknown, string]>([
    [{}, "ERR_OPTION"],
    [{ validation: 0 }, "ERR_OPTION"],
    [{ validation: 1.5 }, "ERR_OPTION"],
    [{ validation: 100 }, "ERR_OPTION"],
    [{ validation: Number.NaN }, "ERR_OPTION"],
    [{ validation: 0.2, seed: -1 }, "ERR_OPTION"],
    [{ validation: 0.2, stratify: 1 }, "ERR_OPTION"],
    [{ validation: 0.2, stratified: true }, "ERR_UNKNOWN_OPTION"],
    [0.2, "ERR_OPTION"],
  ])("options %o with %s", (options, code) => {
    expect(() => split({ x, y }, options as SplitOptions)).toThrow(expect.objectContaining({ code }));
  });

  test.each<[unknown, string]>([
    [{ x, y: y.subarray(0, 99) }, "ERR_DATA"],
    [{ x: [[1], [2]], y: [1, 2, 3] }, "ERR_DATA"],
    [{ x: [[1], [2], [3]], y: [[1], [2]] }, "ERR_DATA"],
    [{ x, y, weight: new Float32Array(99) }, "ERR_DATA"],
    [{ x: new Float32Array(2), y: [1] }, "ERR_DATA"],
    [{ x: new Float32Array(0), y: [0, 1] }, "ERR_DATA"],
    [{ x, y, weights: y }, "ERR_UNKNOWN_OPTION"],
    [{ x }, "ERR_DTYPE"],
    [{ x: "text", y }, "ERR_DTYPE"],
    [null, "ERR_OPTION"],
  ])("%# of the data sets with a mistake", (data, code) => {
    expect(() => split(data as { x: Float32Array; y: number[] }, { validation: 1 })).toThrow(
      expect.objectContaining({ code }),
    );
  });
});
