// What is drawn: probabilities, their exactness, independence. Seeds are fixed, so that nothing here fails by chance; the
// bounds are those that one in some 10⁶ seeds would miss (5 standard deviations: 6·10⁻⁷).
import { ops, tensor } from "carillon";
import { describe, expect, test } from "vitest";
import { agreements, deviations, keptByDefinition, mask, normals, ones, total } from "./masks.js";

const SIGMAS = 5;
/** Among them no multiples of 1/256, and rates below 1/256 and above 255/256. */
const RATES = [0.5, 0.25, 0.1, 1 / 3, 0.7, 1e-3, 0.999, 1e-4, 1 / 256, 255 / 256];

describe("the share that is kept", () => {
  const COUNT = 2 ** 20;

  test.each(RATES)("dropout %f", (rate) => {
    for (const seed of [1, 2 ** 40 + 7]) {
      expect(deviations(total(mask([COUNT], 1 - rate, { seed })), COUNT, 1 - rate)).toBeLessThan(SIGMAS);
    }
  });

  test.each(RATES)("spatial dropout %f: one draw an example and channel", (rate) => {
    const [examples, places, channels] = [512, 3, 512];
    const { data } = ops.spatialDropout(ones([examples, places, channels]), {
      rate,
      scaling: "classic",
      seed: 3,
      step: 1,
      site: 0,
    });
    let kept = 0;
    for (let example = 0; example < examples; example++) {
      const at = (place: number): Float32Array => {
        const first = (example * places + place) * channels;
        return data.subarray(first, first + channels);
      };
      expect(at(1)).toEqual(at(0));
      expect(at(2)).toEqual(at(0));
      kept += total(at(0));
    }
    expect(deviations(kept, examples * channels, 1 - rate)).toBeLessThan(SIGMAS);
  });

  test.each(RATES)("alpha dropout %f", (rate) => {
    const { data } = ops.alphaDropout(tensor(new Float32Array(COUNT).fill(50)), { rate, seed: 4, step: 1, site: 0 });
    const [most] = [data.reduce((a, b) => Math.max(a, b), -1)];
    const kept = data.reduce((count, one) => count + (one === most ? 1 : 0), 0);
    expect(deviations(kept, COUNT, 1 - rate)).toBeLessThan(SIGMAS);
  });

  test("exact to 2⁻³²: every element by the definition, the tied byte too", () => {
    const count = 20_000;
    for (const keep of [...RATES.map((rate) => 1 - rate), 2 ** -32, 1 - 2 ** -32, 0.5 + 2 ** -32, 1]) {
      const place = { seed: 2 ** 45 + 99, step: 12, site: 3 };
      const drawn = mask([count], keep, place);
      const expected = Float32Array.from({ length: count }, (_, index) =>
        keptByDefinition(index, keep, place) ? 1 : 0,
      );
      expect(drawn).toEqual(expected);
    }
  });

  test("a tied byte alone would be 1/256 off: its draw is seen", () => {
    // keep = ½ + ½/256: of the elements whose byte is 128 one half is kept. All or none would be 36 deviations off.
    const n = 2 ** 20;
    const keep = 0.5 + 0.5 / 256;
    expect(deviations(total(mask([n], keep)), n, keep)).toBeLessThan(SIGMAS);
    const ties = Array.from(mask([n], 0.5 + 1 / 256)).map((one, index) => one - (mask05[index] ?? 0));
    const tied = total(ties);
    expect(deviations(tied, n, 1 / 256)).toBeLessThan(SIGMAS);
    const half = total(mask([n], keep)) - total(mask05);
    expect(deviations(half, tied, 0.5)).toBeLessThan(SIGMAS);
  });
  const mask05 = mask([2 ** 20], 0.5);
});

describe("masks are independent", () => {
  const COUNT = 2 ** 16;
  const first = mask([COUNT], 0.5, { seed: 8, step: 5, site: 2 });

  // Two independent fair bits agree with probability ½.
  test.each([
    ["the next step", { seed: 8, step: 6, site: 2 }],
    ["a far step", { seed: 8, step: 1_000_005, site: 2 }],
    ["another site", { seed: 8, step: 5, site: 3 }],
    ["step and site exchanged", { seed: 8, step: 2, site: 5 }],
    ["another seed", { seed: 9, step: 5, site: 2 }],
    ["a seed with another high word", { seed: 8 + 2 ** 32, step: 5, site: 2 }],
  ])("of %s", (_name, place) => {
    expect(deviations(agreements(first, mask([COUNT], 0.5, place)), COUNT, 0.5)).toBeLessThan(SIGMAS);
  });

  test("over all pairs of 12 steps and of 12 sites", () => {
    for (const places of [
      Array.from({ length: 12 }, (_, step) => ({ step: step + 1 })),
      Array.from({ length: 12 }, (_, site) => ({ site })),
    ]) {
      const masks = places.map((place) => mask([8192], 0.5, place));
      const agreed = masks.flatMap((a, i) => masks.slice(i + 1).map((b) => agreements(a, b)));
      expect(agreed).toHaveLength(66);
      for (const count of agreed) expect(deviations(count, 8192, 0.5)).toBeLessThan(SIGMAS);
    }
  });

  test.each([1, 2, 3, 15, 16, 17, 63, 64, 255, 256, 257, 4096])("of elements %i apart", (lag) => {
    const shifted = first.subarray(lag);
    expect(deviations(agreements(first.subarray(0, shifted.length), shifted), shifted.length, 0.5)).toBeLessThan(
      SIGMAS,
    );
  });

  test.each([0.5, 0.3, 0.1])("every pattern of 4 neighbours is as frequent as keep %f says", (keep) => {
    const bits = mask([4 * COUNT], keep, { seed: 21 });
    const observed = new Array<number>(16).fill(0);
    for (let index = 0; index < bits.length; index += 4) {
      const pattern = bits.subarray(index, index + 4).reduce((value, bit) => 2 * value + bit, 0);
      observed[pattern] = (observed[pattern] ?? 0) + 1;
    }
    const chiSquare = observed.reduce((sum, count, pattern) => {
      const kept = [1, 2, 4, 8].filter((bit) => (pattern & bit) !== 0).length;
      const expected = COUNT * keep ** kept * (1 - keep) ** (4 - kept);
      expect(expected).toBeGreaterThan(5);
      return sum + (count - expected) ** 2 / expected;
    }, 0);
    // 15 degrees of freedom: P(χ² > 56) = 1.2·10⁻⁶.
    expect(chiSquare).toBeLessThan(56);
  });

  test("the same place gives the same mask, and a shorter one is its beginning", () => {
    expect(mask([COUNT], 0.5, { seed: 8, step: 5, site: 2 })).toEqual(first);
    expect(mask([1000], 0.5, { seed: 8, step: 5, site: 2 })).toEqual(first.subarray(0, 1000));
    expect(mask([8, 125], 0.5, { seed: 8, step: 5, site: 2 })).toEqual(first.subarray(0, 1000));
  });
});

/** Φ(x) by Abramowitz and Stegun 26.2.17: at most 7.5·10⁻⁸ off. */
function normalDistribution(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const tail = [1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.31938153].reduce((sum, c) => (sum + c) * t, 0);
  const upper = (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * tail;
  return x < 0 ? upper : 1 - upper;
}

describe("Gaussian dropout draws N(1, rate/(1 − rate))", () => {
  const COUNT = 2 ** 17;

  test.each([0.5, 0.1, 1 / 3, 1e-3, 0.9])("rate %f: moments and distribution", (rate) => {
    const z = normals(COUNT, rate, { seed: 31, step: 2 });
    const moment = (power: number): number => z.reduce((sum, one) => sum + one ** power, 0) / COUNT;
    // Standard errors of the moments of a standard normal sample: √1, √2, √15, √96 over √n.
    expect(Math.abs(moment(1))).toBeLessThan((SIGMAS * 1) / Math.sqrt(COUNT));
    expect(Math.abs(moment(2) - 1)).toBeLessThan((SIGMAS * Math.sqrt(2)) / Math.sqrt(COUNT));
    expect(Math.abs(moment(3))).toBeLessThan((SIGMAS * Math.sqrt(15)) / Math.sqrt(COUNT));
    expect(Math.abs(moment(4) - 3)).toBeLessThan((SIGMAS * Math.sqrt(96)) / Math.sqrt(COUNT));
    const sorted = z.toSorted();
    const apart = sorted.reduce((most, one, index) => {
      const at = normalDistribution(one);
      return Math.max(most, Math.abs(at - index / COUNT), Math.abs(at - (index + 1) / COUNT));
    }, 0);
    // Kolmogorov–Smirnov: P(√n·D > 2.7) < 2·e^(−2·2.7²) = 10⁻⁶. Rounding 1 + σz to float32 moves z by 2⁻²⁴·(1/σ + |z|).
    expect(Math.sqrt(COUNT) * apart).toBeLessThan(2.7);
  });

  test("independent between steps, sites and neighbours", () => {
    const z = normals(COUNT, 0.5, { step: 7, site: 1 });
    const others = [
      normals(COUNT, 0.5, { step: 8, site: 1 }),
      normals(COUNT, 0.5, { step: 7, site: 2 }),
      normals(COUNT, 0.5, { step: 7, site: 1, seed: 2 }),
      ...[1, 2, 15, 16, 17, 32, 64].map((lag) => z.subarray(lag)),
    ];
    for (const other of others) {
      const pairs = other.length;
      const products = other.reduce((sum, one, index) => sum + one * (z[index] ?? 0), 0);
      // Also of the squares: the two normals of a pair share their radius only.
      const squares = other.reduce((sum, one, index) => sum + (one * one - 1) * ((z[index] ?? 0) ** 2 - 1), 0);
      expect(Math.abs(products)).toBeLessThan(SIGMAS * Math.sqrt(pairs));
      expect(Math.abs(squares)).toBeLessThan(SIGMAS * 2 * Math.sqrt(pairs));
    }
  });

  test("noise and masks of one place are independent", () => {
    const z = normals(COUNT, 0.5);
    const bits = mask([COUNT], 0.5);
    const products = z.reduce((sum, one, index) => sum + one * (2 * (bits[index] ?? 0) - 1), 0);
    expect(Math.abs(products)).toBeLessThan(SIGMAS * Math.sqrt(COUNT));
  });
});
