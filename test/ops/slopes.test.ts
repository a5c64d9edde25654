// Slopes of all activations over the useful range, as gradients give them, against float64. Where a slope has no sign change
// and no saturated output in it, its relative error is bounded down to where it underflows; the others are bounded by their
// distance, in units of 2⁻²⁴, as docs/activations-and-losses.md says.
import { ops, tensor, type Value, valueAndGrad } from "carillon";
import { describe, expect, test } from "vitest";
import { erf, softplus } from "./references.js";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const SCALE = 1.0507009873554805;
const ALPHA = 1.6732632423543772;

/** 1 − tanh²x, without the difference. */
function sech2(x: number): number {
  const e = Math.exp(-2 * Math.abs(x));
  return (4 * e) / ((1 + e) * (1 + e));
}

/** Φ(x); below −2 from the continued fraction of erfc, as the difference would lose the tail. */
function normal(x: number): number {
  if (x > -2) return 0.5 * (1 + erf(x / Math.SQRT2));
  const a = -x / Math.SQRT2;
  let fraction = 0;
  for (let k = 120; k > 0; k--) fraction = k / 2 / (a + fraction);
  return (0.5 * Math.exp(-a * a)) / Math.sqrt(Math.PI) / (a + fraction);
}

const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

function geluTanhSlope(x: number): number {
  const v = 2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
  const rise = 2 * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
  return sigmoid(v) * (1 + x * sigmoid(-v) * rise);
}

type Slope = readonly [f: (x: Value) => Value, reference: (x: number) => number, bound: number];

/** Bounds in units of 2⁻²⁴, a little above the worst that was measured. */
const RELATIVE: Readonly<Record<string, Slope>> = {
  elu: [(x) => ops.elu(x), (x) => (x < 0 ? Math.exp(x) : 1), 2],
  "elu, α = 2": [(x) => ops.elu(x, 2), (x) => (x < 0 ? 2 * Math.exp(x) : 1), 2],
  "elu, α = 0.3": [(x) => ops.elu(x, 0.3), (x) => (x < 0 ? 0.3 * Math.exp(x) : 1), 3],
  selu: [ops.selu, (x) => SCALE * (x < 0 ? ALPHA * Math.exp(x) : 1), 3],
  softplus: [ops.softplus, sigmoid, 2.5],
};

const ABSOLUTE: Readonly<Record<string, Slope>> = {
  sigmoid: [ops.sigmoid, (x) => sigmoid(x) * sigmoid(-x), 1],
  tanh: [ops.tanh, sech2, 2.5],
  silu: [ops.silu, (x) => sigmoid(x) * (1 + x * sigmoid(-x)), 4],
  mish: [ops.mish, (x) => Math.tanh(softplus(x)) + x * sech2(softplus(x)) * sigmoid(x), 5],
  gelu: [(x) => ops.gelu(x), (x) => normal(x) + x * density(x), 2],
  "gelu, tanh": [(x) => ops.gelu(x, { approximate: "tanh" }), geluTanhSlope, 4],
  hardSilu: [ops.hardSilu, (x) => (x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6), 2],
};

/** From −30 to 30, off the kinks. */
const PLACES = Float32Array.from({ length: 24_001 }, (_, index) => (index - 12_000) / 400 + 0.0001234);

function slopes(f: (x: Value) => Value, places: Float32Array): ArrayLike<number> {
  const [, gradients] = valueAndGrad((x: Value) => ops.sum(f(x)))(tensor(places));
  return gradients[0]?.data ?? [];
}

function worst({ f, reference, relative }: { f: Slope[0]; reference: Slope[1]; relative: boolean }) {
  const ours = slopes(f, PLACES);
  let most = { error: 0, at: 0 };
  for (const [index, x] of PLACES.entries()) {
    const slope = reference(x);
    const error = (Math.abs((ours[index] ?? Number.NaN) - slope) * 2 ** 24) / (relative ? Math.abs(slope) : 1);
    if (!(error <= most.error)) most = { error, at: x };
  }
  return most;
}

describe("within a share of the slope", () => {
  test.each(Object.entries(RELATIVE))("%s", (_name, [f, reference, bound]) => {
    const { error, at } = worst({ f, reference, relative: true });
    expect(error, `at ${at}`).toBeLessThan(bound);
    expect(worst({ f, reference, relative: false }).error).toBeLessThan(bound * 2);
  });

  test("elu at −17 is 4.1e-8, not 0, and keeps its digits to where eˣ underflows", () => {
    const places = Float32Array.of(-17, -10, -50, -87);
    const ours = slopes((x) => ops.elu(x), places);
    for (const [index, x] of places.entries()) {
      const slope = Math.exp(x);
      expect(Math.abs((ours[index] ?? 0) - slope)).toBeLessThan(2 * 2 ** -24 * slope);
    }
    expect(ours[0]).toBeCloseTo(4.14e-8, 10);
  });
});

describe("within a distance", () => {
  test.each(Object.entries(ABSOLUTE))("%s", (_name, [f, reference, bound]) => {
    const { error, at } = worst({ f, reference, relative: false });
    expect(error, `at ${at}`).toBeLessThan(bound);
  });
});
