import { expect, test } from "vitest";
import { cos, exp, log, normalArea, normalDensity, power, sineAndCosine } from "../../lib/tensor/exact.js";

/** Distance of doubles at |x|. */
function ulp(x: number): number {
  return 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), -1022) - 52);
}

/** A fixed sequence in [0, 1) that fills it evenly (Weyl). */
function* fractions(count: number): Generator<number> {
  for (let index = 1; index <= count; index++) yield (index * 0.6180339887498949) % 1;
}

/** Largest distance of f from `reference` in ulp. Math.* of V8 is a port of msun itself: below 1 ulp of the truth. */
function worst(f: (x: number) => number, reference: (x: number) => number, draw: (u: number) => number): number {
  let most = 0;
  for (const u of fractions(200_000)) {
    const x = draw(u);
    const expected = reference(x);
    most = Math.max(most, Math.abs(f(x) - expected) / ulp(expected));
  }
  return most;
}

// Below 1 ulp each, Math.* and ours, from the truth: at most 2 from each other (and the results are doubles: 0, 1 or 2).
test.each<[string, (x: number) => number, (x: number) => number, (u: number) => number]>([
  ["exp near 0", exp, Math.exp, (u) => 2 * u - 1],
  ["exp everywhere", exp, Math.exp, (u) => 1400 * u - 700],
  ["exp of tiny numbers", exp, Math.exp, (u) => 2 ** (-60 * u)],
  ["log near 1", log, Math.log, (u) => 0.5 + u],
  ["log everywhere", log, Math.log, (u) => 2 ** (2000 * u - 1000)],
  ["log next to 1", log, Math.log, (u) => 1 + 2 ** (-52 * u)],
  ["cos in [0, π]", cos, Math.cos, (u) => Math.PI * u],
  ["cos next to π/2", cos, Math.cos, (u) => Math.PI / 2 + 2 ** (-52 * u)],
  ["cos everywhere", cos, Math.cos, (u) => 2000 * u - 1000],
  ["sine of large angles", (x) => sineAndCosine(x).sine, Math.sin, (u) => 1e6 * u],
  ["cosine of large angles", (x) => sineAndCosine(x).cosine, Math.cos, (u) => 1e6 * u],
])("%s is below 2 ulp", (_, f, reference, draw) => {
  const most = worst(f, reference, draw);
  expect(most).toBeLessThan(2);
});

test("exp of denormal results is right to 2 ulp of them", () => {
  expect(worst(exp, Math.exp, (u) => -708 - 37 * u)).toBeLessThanOrEqual(2);
});

test("what the functions say at the ends", () => {
  expect([exp(0), exp(710), exp(-746), exp(Number.NEGATIVE_INFINITY)]).toEqual([1, Number.POSITIVE_INFINITY, 0, 0]);
  expect([log(1), log(0), log(-1), log(Number.POSITIVE_INFINITY)]).toEqual([
    0,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ]);
  expect(log(5e-324)).toBe(Math.log(5e-324));
  expect([cos(0), cos(Math.PI), cos(1001), cos(Number.NaN)]).toEqual([1, -1, Number.NaN, Number.NaN]);
  expect([exp(Number.NaN), log(Number.NaN), power(Number.NaN, 2)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
});

test("integer powers are exact where they can be, and by squaring", () => {
  expect([power(2, 10), power(3, 5), power(10, -2), power(7, 0), power(0, 0), power(-2, 3)]).toEqual([
    1024, 243, 0.01, 1, 1, -8,
  ]);
  // At most 2·n roundings of 2⁻⁵³, beside those of Math.pow.
  for (const n of [2, 3, 17, 100, 1000]) {
    expect(Math.abs(power(0.999, n) / 0.999 ** n - 1)).toBeLessThan((2 * n + 2) * 2 ** -53);
  }
});

test("real powers are off by what the logarithm's rounding becomes", () => {
  expect([power(0, 0.5), power(0, 1.5), power(1, 0.3), power(4, 0.5)]).toEqual([0, 0, 1, 2]);
  for (const u of fractions(20_000)) {
    for (const y of [0.5, 0.9, 2.5, -1.3, 12.75]) {
      const x = 10 * u;
      const bound = (3 + 2 * Math.abs(y * Math.log(x))) * 2 ** -52;
      expect(Math.abs(power(x, y) / x ** y - 1)).toBeLessThan(bound);
    }
  }
});

// Abramowitz, Stegun, table 26.1 to 15 digits: half a unit of the last one, and roundings.
test.each([
  [0, 0],
  [1, 0.34134_47460_68543],
  [2, 0.47724_98680_51821],
  [-2, -0.47724_98680_51821],
  [3, 0.49865_01019_6837],
])("the normal area up to %o", (x, expected) => {
  expect(Math.abs(normalArea(x) - expected)).toBeLessThan(1e-15);
});

test("the normal density", () => {
  expect(normalDensity(0)).toBeCloseTo(0.3989422804014327, 15);
  expect(normalDensity(1)).toBeCloseTo(0.24197072451914337, 15);
});
