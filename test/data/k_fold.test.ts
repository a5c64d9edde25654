import { describe, expect, test } from "vitest";
import { kFold } from "../../lib/index.js";
import fixture from "./fixtures/k_fold.json" with { type: "json" };

/** Examples whose x is the number of the row, and how many of each class there are. */
function sample(sizes: readonly number[]): { readonly x: number[][]; readonly y: number[] } {
  const labels = sizes.flatMap((size, label) => new Array<number>(size).fill(label));
  // Rows of a class do not stand together.
  const y = labels.map((_, row) => labels[(row * 37) % labels.length] ?? 0);
  return { x: y.map((_, row) => [row]), y };
}

const rowsOf = (x: readonly (readonly number[])[]): number[] => x.map(([row = -1]) => row);
const descending = (values: readonly number[]): number[] => [...values].sort((a, b) => b - a);

describe.each(fixture.cases)("$sizes in $k folds", ({ sizes, k, stratified, plain }) => {
  const data = sample(sizes);
  const total = data.y.length;

  test.each([true, false])("every row is held out once (stratify: %s)", (stratify) => {
    const folds = [...kFold(data, k, { stratify, seed: 3 })];
    expect(folds.map(({ fold }) => fold)).toEqual(Array.from({ length: k }, (_, index) => index + 1));
    const held = folds.flatMap(({ validation }) => rowsOf(validation.x)).sort((a, b) => a - b);
    expect(held).toEqual(Array.from({ length: total }, (_, row) => row));
    for (const { train, validation } of folds) {
      const both = [...rowsOf(train.x), ...rowsOf(validation.x)].sort((a, b) => a - b);
      expect(both).toEqual(Array.from({ length: total }, (_, row) => row));
      for (const part of [train, validation]) {
        expect(rowsOf(part.x)).toEqual([...rowsOf(part.x)].sort((a, b) => a - b));
        for (const [index, row] of rowsOf(part.x).entries()) expect(part.y[index]).toBe(data.y[row]);
      }
    }
  });

  test("sizes are scikit-learn's", () => {
    const lengths = [...kFold(data, k)].map(({ validation }) => validation.y.length);
    expect(descending(lengths)).toEqual(descending(plain));
  });

  test("so are the numbers of each class with stratify", () => {
    const counts = [...kFold(data, k, { stratify: true })].map(({ validation }) =>
      sizes.map((_, label) => validation.y.filter((one) => one === label).length),
    );
    expect(counts.map((fold) => fold.join()).sort()).toEqual(stratified.map((fold) => fold.join()).sort());
  });
});

const data = sample([20, 10]);

test("the seed fixes the folds, and they may be asked for again", () => {
  const held = (seed?: number): string =>
    [...kFold(data, 3, { seed })].map(({ validation }) => rowsOf(validation.x)).join("|");
  expect(held(1)).toBe(held(1));
  expect(held(1)).not.toBe(held(2));
  expect(held()).toBe(held(0));
  const folds = kFold(data, 3);
  expect([...folds]).toEqual([...folds]);
});

test("rows go to every fold alike", () => {
  // Of 300 seeds, row 0 is in a given of 3 folds 100 times in the mean, with a deviation of √(300·1/3·2/3) = 8.2.
  const counts = [0, 0, 0];
  for (let seed = 0; seed < 300; seed++) {
    for (const { fold, validation } of kFold(data, 3, { seed })) {
      if (rowsOf(validation.x).includes(0)) counts[fold - 1] = (counts[fold - 1] ?? 0) + 1;
    }
  }
  for (const count of counts) expect(Math.abs(count - 100)).toBeLessThan(4 * 8.2);
});

test("types are kept, weights divided too", () => {
  const x = Uint8Array.from({ length: 60 }, (_, index) => index);
  const weight = Float32Array.from(data.y, (_, row) => row / 10);
  for (const { train, validation } of kFold({ x, y: Int32Array.from(data.y), weight }, 4)) {
    const bytes: Uint8Array = validation.x;
    const labels: Int32Array = train.y;
    expect([bytes instanceof Uint8Array, labels instanceof Int32Array]).toEqual([true, true]);
    expect(bytes.length).toBe(2 * validation.y.length);
    expect([...(validation.weight ?? [])]).toEqual(
      [...bytes].filter((_, i) => i % 2 === 0).map((v) => Math.fround(v / 20)),
    );
  }
});

test.each<[string, () => unknown, string]>([
  ["one fold", () => kFold(data, 1), "ERR_OPTION"],
  ["more folds than rows", () => kFold(data, 31), "ERR_OPTION"],
  ["half a fold", () => kFold(data, 2.5), "ERR_OPTION"],
  ["an unknown option", () => kFold(data, 3, { stratified: true } as never), "ERR_UNKNOWN_OPTION"],
  ["classes that are all too small", () => kFold(sample([3, 4]), 5, { stratify: true }), "ERR_OPTION"],
  ["targets that are no labels", () => kFold({ x: [[1], [2]], y: [0.5, 1] }, 2, { stratify: true }), "ERR_LABEL"],
  ["members of different lengths", () => kFold({ x: data.x, y: data.y.slice(1) }, 3), "ERR_DATA"],
])("%s is refused at once", (_name, make, code) => {
  expect(make).toThrow(expect.objectContaining({ code }));
});
