// What dropped and kept elements become, by kind, and what flows back.
import { grad, ops, type Tensor, tensor } from "carillon";
import { describe, expect, test } from "vitest";
import { numbers } from "../train/synthetic.js";
import { mask, ones } from "./masks.js";

const U = 2 ** -24;
const PLACE = { seed: 5, step: 3, site: 1 };
const COUNT = 999;
const RATES = [0, 0.1, 0.5, 1 / 3, 0.9];

/** Numbers of [−3, 3), none of them 0. */
function inputs(count: number, seed = 4): Float32Array {
  const next = numbers(seed);
  return Float32Array.from({ length: count }, () => 6 * next() - 3 || 1);
}

const x = inputs(COUNT);
const slopes = inputs(COUNT, 6);

/** ∂/∂x Σ slopes ⊙ drop(x). */
function flowing(drop: (x: Tensor<"f32">) => Tensor<"f32">): Float32Array {
  const [gradient] = grad((value) => ops.sum(ops.multiply(drop(value as Tensor<"f32">), tensor(slopes))))(tensor(x));
  return (gradient as Tensor<"f32">).data;
}

describe("inverted and classic", () => {
  test.each(RATES)("rate %f", (rate) => {
    const kept = mask([COUNT], 1 - rate, PLACE);
    for (const [scaling, scale] of [
      ["inverted", Math.fround(1 / (1 - rate))],
      ["classic", 1],
    ] as const) {
      const drop = (value: Tensor<"f32">): Tensor<"f32"> => ops.dropout(value, { rate, scaling, ...PLACE });
      const scaled = (data: Float32Array): number[] =>
        Array.from(data, (one, index) => (kept[index] === 1 ? Math.fround(one * scale) : 0));
      expect(Array.from(drop(tensor(x)).data)).toEqual(scaled(x));
      expect(Array.from(flowing(drop), (one) => one + 0)).toEqual(scaled(slopes).map((one) => one + 0));
    }
  });

  test("inverted is the default, and keep is 1 − rate", () => {
    const inverted = ops.dropout(tensor(x), { rate: 0.25, ...PLACE });
    expect(ops.dropout(tensor(x), { keep: 0.75, ...PLACE })).toEqual(inverted);
    expect(ops.dropout(tensor(x), { keep: 0.75, scaling: "inverted", ...PLACE })).toEqual(inverted);
  });

  test("NaN and infinities are kept or dropped like any number: no 0·∞", () => {
    const odd = new Float32Array(COUNT).fill(Number.POSITIVE_INFINITY);
    const dropped = ops.dropout(tensor(odd), { rate: 0.5, ...PLACE }).data;
    expect(new Set(dropped)).toEqual(new Set([0, Number.POSITIVE_INFINITY]));
  });
});

describe("spatial", () => {
  const [EXAMPLES, PLACES, CHANNELS] = [7, 5, 19];
  const shape = [EXAMPLES, PLACES, CHANNELS];
  const data = inputs(EXAMPLES * PLACES * CHANNELS);

  test("the mask of [examples, channels], once a place", () => {
    const small = mask([EXAMPLES, CHANNELS], 0.6, PLACE);
    const y = ops.spatialDropout(tensor(data, shape), { keep: 0.6, ...PLACE }).data;
    const scale = Math.fround(1 / 0.6);
    const expected = Array.from(data, (one, index) => {
      const example = Math.floor(index / (PLACES * CHANNELS));
      const kept = small[example * CHANNELS + (index % CHANNELS)] === 1;
      return kept ? Math.fround(one * scale) : 0;
    });
    expect(Array.from(y)).toEqual(expected);
    expect(new Set(small).size).toBe(2);
  });

  test("over more axes all places share it; over none it is plain dropout", () => {
    const one = ops.spatialDropout(tensor(data, shape), { keep: 0.6, ...PLACE }).data;
    const images = tensor(data, [EXAMPLES, PLACES, 1, CHANNELS]);
    expect(ops.spatialDropout(images, { keep: 0.6, ...PLACE }).data).toEqual(one);
    const matrix = tensor(data, [EXAMPLES * PLACES, CHANNELS]);
    const plain = ops.dropout(matrix, { keep: 0.6, ...PLACE }).data;
    expect(ops.spatialDropout(matrix, { keep: 0.6, ...PLACE }).data).toEqual(plain);
    expect(one).not.toEqual(plain);
  });

  test("backward has the same channels", () => {
    const [gradient] = grad((value) => ops.sum(ops.spatialDropout(value, { keep: 0.6, ...PLACE })))(
      tensor(data, shape),
    );
    const y = ops.spatialDropout(ones(shape), { keep: 0.6, ...PLACE }).data;
    expect((gradient as Tensor<"f32">).data).toEqual(y);
  });
});

/** λ, α of SELU (Klambauer et al. 2017). */
const FLOOR = -1.0507009873554805 * 1.6732632423543772;

/** a and b of alpha dropout, from the paper's section on it. */
function affine(keep: number): readonly [a: number, b: number] {
  const a = 1 / Math.sqrt(keep + FLOOR ** 2 * keep * (1 - keep));
  return [a, -a * (1 - keep) * FLOOR];
}

describe("alpha", () => {
  test.each(RATES)("rate %f: a·x + b, and a·α′ + b where dropped", (rate) => {
    const [a, b] = affine(1 - rate);
    const kept = mask([COUNT], 1 - rate, PLACE);
    const y = ops.alphaDropout(tensor(x), { rate, ...PLACE }).data;
    const wrong = [...y].filter((received, index) => {
      const value = kept[index] === 1 ? (x[index] ?? 0) : FLOOR;
      // a and b are rounded to float32 once, and so is the result.
      return !(
        Math.abs(received - (a * value + b)) <=
        U * (Math.abs(a * value) + Math.abs(b) + 2 * Math.abs(a * value + b))
      );
    });
    expect(wrong).toEqual([]);
    expect(new Set([...y].filter((_, index) => kept[index] === 0)).size).toBeLessThanOrEqual(1);
    const slope = flowing((value) => ops.alphaDropout(value, { rate, ...PLACE }));
    const expected = Array.from(slopes, (one, index) => (kept[index] === 1 ? Math.fround(one * Math.fround(a)) : 0));
    expect(Array.from(slope, (one) => one + 0)).toEqual(expected.map((one) => one + 0));
  });

  test.each([0.05, 0.1, 1 / 3, 0.5])("rate %f keeps mean 0 and variance 1 of SELU units", (rate) => {
    const count = 2 ** 18;
    const next = numbers(77);
    const selu = Float32Array.from({ length: count }, () => {
      const z = Math.sqrt(-2 * Math.log(next() + 2 ** -33)) * Math.cos(2 * Math.PI * next());
      return z > 0 ? 1.0507009873554805 * z : -FLOOR * Math.expm1(z);
    });
    const y = ops.alphaDropout(tensor(selu), { rate, ...PLACE }).data;
    const moment = (data: Float32Array, power: number): number => {
      return data.reduce((sum, one) => sum + one ** power, 0) / count;
    };
    // Five standard errors: of the mean √(var/n), of the variance √((κ − 1)/n), κ from the sample itself.
    for (const data of [selu, y]) {
      const fourth = moment(data, 4);
      expect(Math.abs(moment(data, 1))).toBeLessThan(5 / Math.sqrt(count));
      expect(Math.abs(moment(data, 2) - 1)).toBeLessThan(5 * Math.sqrt((fourth - 1) / count));
      expect(fourth).toBeLessThan(10);
    }
    // Inverted dropout does not: its variance is 1/keep.
    expect(moment(ops.dropout(tensor(selu), { rate, ...PLACE }).data, 2)).toBeCloseTo(1 / (1 - rate), 1);
  });
});

describe("Gaussian", () => {
  test.each([0.1, 0.5])("rate %f: forward and backward multiply by the same factor, none of them 0", (rate) => {
    const factors = ops.gaussianDropout(ones([COUNT]), { rate, ...PLACE }).data;
    expect([...factors].every((one) => one !== 0)).toBe(true);
    const y = ops.gaussianDropout(tensor(x), { rate, ...PLACE }).data;
    expect(Array.from(y)).toEqual(Array.from(x, (one, index) => Math.fround(one * (factors[index] ?? 0))));
    const slope = flowing((value) => ops.gaussianDropout(value, { rate, ...PLACE }));
    expect(Array.from(slope)).toEqual(Array.from(slopes, (one, index) => Math.fround(one * (factors[index] ?? 0))));
  });

  test("rate 0 is the identity", () => {
    expect(ops.gaussianDropout(tensor(x), { rate: 0, ...PLACE }).data).toEqual(x);
    expect(ops.gaussianDropout(tensor(x), { keep: 1, ...PLACE }).data).toEqual(x);
  });
});
