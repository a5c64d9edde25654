// What examples/mnist is there to show, with fewer epochs.
import { beforeAll, describe, expect, test } from "vitest";
import { DIGITS, type Images, loadMnist, PIXELS } from "../../examples/mnist/images.js";
import { type Progress, trainMnist } from "../../examples/mnist/train.js";

let images: { readonly train: Images; readonly test: Images };

beforeAll(async () => {
  images = await loadMnist();
});

function countsOf(y: Uint8Array): number[] {
  return Array.from({ length: DIGITS }, (_, digit) => y.filter((label) => label === digit).length);
}

describe("the images", () => {
  test("are 8,000 for training and 2,000 for testing, with the same share of every digit", () => {
    const { train, test: held } = images;
    expect([train.y.length, held.y.length]).toEqual([8000, 2000]);
    expect([train.x.length, held.x.length]).toEqual([8000 * PIXELS, 2000 * PIXELS]);
    const all = countsOf(train.y).map((count, digit) => count + (countsOf(held.y)[digit] ?? 0));
    for (const [digit, count] of countsOf(held.y).entries()) {
      expect(Math.abs(count - 0.2 * (all[digit] ?? 0))).toBeLessThan(1);
    }
  });

  test("are from 0 to 1, no two of them the same, and the same every time", async () => {
    const { train, test: held } = images;
    expect(train.x.every((pixel) => pixel >= 0 && pixel <= 1)).toBe(true);
    const bytes = [train.x, held.x].map(({ buffer, byteOffset, byteLength }) =>
      Buffer.from(buffer, byteOffset, byteLength),
    );
    const texts = bytes.flatMap((all) =>
      Array.from({ length: all.length / (4 * PIXELS) }, (_, row) =>
        all.toString("latin1", 4 * PIXELS * row, 4 * PIXELS * (row + 1)),
      ),
    );
    expect(new Set(texts).size).toBe(10_000);
    const again = await loadMnist();
    for (const [part, { buffer, byteOffset, byteLength }] of [again.train.x, again.test.x].entries()) {
      expect(bytes[part]?.equals(Buffer.from(buffer, byteOffset, byteLength))).toBe(true);
    }
    expect([again.train.y, again.test.y]).toEqual([train.y, held.y]);
  });
});

test("ten epochs read 95% of the test images; smaller weights keep that within 0.2 points", async () => {
  const told: Progress[] = [];
  const recipe = { epochs: 10, batchSize: 64, seed: 1 };
  const { model, last } = await trainMnist(images.train, images.test, recipe, (progress) => told.push(progress));
  expect(told.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(told.at(-1)).toBe(last);
  expect(last.loss).toBeLessThan((told[0]?.loss ?? 0) / 2);
  expect(last.testAccuracy).toBeGreaterThan(0.95);
  const outputs = await model.predict(images.test.x);
  const right = images.test.y.filter((digit, row) => {
    const scores = outputs.data.subarray(row * DIGITS, (row + 1) * DIGITS);
    return scores.every((score) => score <= (scores[digit] ?? 0));
  });
  expect(right.length / images.test.y.length).toBeCloseTo(last.testAccuracy, 3);
  for (const weights of ["bf16", "int8"] as const) {
    const predictor = model.predictor({ as: "labels", maxBatch: images.test.y.length, weights });
    const labels: readonly (string | number)[] = predictor.run(images.test.x);
    const read = labels.filter((label, row) => label === images.test.y[row]).length;
    expect(Math.abs(read - right.length) / images.test.y.length, weights).toBeLessThanOrEqual(0.002);
  }
});
