import { describe, expect, test } from "vitest";
import { gain } from "../../lib/nn/parameters/gain.js";
import {
  constant,
  type Distribution,
  fans,
  heNormal,
  heUniform,
  type Initializer,
  ones,
  toInitializer,
  xavierNormal,
  xavierUniform,
  zeros,
} from "../../lib/nn/parameters/initializers.js";
import { erf, softplus } from "../ops/references.js";

/** 5 inputs, 3 outputs. */
const SHAPE = [3, 5];

/** Variance of a distribution: of U(−a, a) it is a²/3. */
function variance(draw: Distribution): number {
  if (draw.kind === "uniform") {
    expect(draw.low).toBe(-draw.high);
    return (draw.high * draw.high) / 3;
  }
  if (draw.kind === "normal") {
    expect(draw.mean).toBe(0);
    return draw.deviation * draw.deviation;
  }
  throw new Error("a constant");
}

test("fans of [out, in], and of a convolution [out, height, width, in]", () => {
  expect(fans("w", SHAPE)).toEqual({ fanIn: 5, fanOut: 3 });
  expect(fans("w", [8, 3, 2, 4])).toEqual({ fanIn: 24, fanOut: 48 });
});

test.each([[[]], [[4]], [[0, 4]], [[4, 0]], [[4, 1.5]], [[2, 0, 2]]])("%o has no fans", (shape) => {
  for (const make of [xavierUniform, xavierNormal, heUniform, heNormal]) {
    expect(() => make().resolve(shape)).toThrow(expect.objectContaining({ code: "ERR_SHAPE" }));
  }
});

// The variances that the papers ask for: 2/(fanIn + fanOut) and 2/fan, times gain² (over the default gain of He).
test.each<[string, Initializer, number, string]>([
  ["xavierUniform", xavierUniform(), 2 / 8, "uniform"],
  ["xavierNormal", xavierNormal(), 2 / 8, "normal"],
  ["xavierUniform, gain 3", xavierUniform({ gain: 3 }), 18 / 8, "uniform"],
  ["xavierNormal, gain 3", xavierNormal({ gain: 3 }), 18 / 8, "normal"],
  ["heUniform", heUniform(), 2 / 5, "uniform"],
  ["heNormal", heNormal(), 2 / 5, "normal"],
  ["heUniform, fanOut", heUniform({ mode: "fanOut" }), 2 / 3, "uniform"],
  ["heNormal, fanOut, gain 1", heNormal({ mode: "fanOut", gain: 1 }), 1 / 3, "normal"],
])("%s has the variance of its paper", (_, initializer, expected, kind) => {
  const draw = initializer.resolve(SHAPE);
  expect(draw.kind).toBe(kind);
  // Four roundings of relative size 2^-53 at most double in the square.
  expect(Math.abs(variance(draw) / expected - 1)).toBeLessThan(8 * 2 ** -53 * 2);
});

// torch.nn.init.calculate_gain, PyTorch 2.
test("gains are those of PyTorch", () => {
  expect(gain("linear")).toBe(1);
  expect(gain("sigmoid")).toBe(1);
  expect(gain("tanh")).toBe(1.6666666666666667);
  expect(gain("relu")).toBe(Math.SQRT2);
  expect(gain("selu")).toBe(0.75);
  expect(gain("leakyRelu")).toBe(1.4141428569978354);
  expect(gain("leakyRelu", 0.2)).toBe(1.3867504905630728);
  expect(gain("leakyRelu", 0)).toBe(gain("relu"));
});

// Simpson's rule on [−14, 14] with nodes at every kink: the tails hold 10⁻⁴⁰, the rule leaves below 10⁻¹³.
test.each<[Parameters<typeof gain>[0], (x: number) => number]>([
  ["relu", (x) => Math.max(x, 0)],
  ["leakyRelu", (x) => (x < 0 ? 0.01 * x : x)],
  ["relu6", (x) => Math.min(Math.max(x, 0), 6)],
  ["elu", (x) => (x < 0 ? Math.expm1(x) : x)],
  ["gelu", (x) => 0.5 * x * (1 + erf(x / Math.SQRT2))],
  ["silu", (x) => x / (1 + Math.exp(-x))],
  ["mish", (x) => x * Math.tanh(softplus(x))],
  ["softplus", softplus],
  ["hardTanh", (x) => Math.min(Math.max(x, -1), 1)],
  ["hardSigmoid", (x) => Math.min(Math.max(x + 3, 0), 6) / 6],
  ["hardSilu", (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6],
])("the gain of %s keeps the second moment of a standard normal", (name, f) => {
  const STEPS = 28 * 400;
  let sum = 0;
  for (let i = 0; i <= STEPS; i++) {
    const x = -14 + (28 * i) / STEPS;
    const weight = i === 0 || i === STEPS ? 1 : i % 2 === 1 ? 4 : 2;
    sum += weight * f(x) ** 2 * Math.exp((-x * x) / 2);
  }
  const second = (sum * 28) / STEPS / 3 / Math.sqrt(2 * Math.PI);
  expect(gain(name)).toBeCloseTo(1 / Math.sqrt(second), 11);
});

test("gain refuses what it does not know", () => {
  const call: (name: never, parameter?: number) => number = gain;
  expect(() => call("swish" as never)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  expect(() => call("toString" as never)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  expect(() => gain("relu", 0.1)).toThrow(expect.objectContaining({ where: "gain.parameter" }));
  expect(() => gain("leakyRelu", Number.NaN)).toThrow(expect.objectContaining({ where: "gain.parameter" }));
});

describe("options", () => {
  test.each([xavierUniform, xavierNormal, heUniform, heNormal])("%o is strict", (make) => {
    const call: (options: never) => Initializer = make;
    expect(() => call({ gian: 1 } as never)).toThrow(
      expect.objectContaining({ code: "ERR_UNKNOWN_OPTION", message: expect.stringContaining("'gain'") }),
    );
    for (const gain of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, "1"]) {
      expect(() => call({ gain } as never)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    }
    expect(() => call(2 as never)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    expect(call({ gain: undefined } as never).resolve(SHAPE)).toEqual(make().resolve(SHAPE));
    expect(call({} as never).kind).toBe(make.name);
  });

  test("the mode of He is fanIn or fanOut", () => {
    expect(() => heNormal({ mode: "fan_in" as "fanIn" })).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", where: "heNormal.mode" }),
    );
  });
});

test("constants fill any shape", () => {
  expect(constant(0.5).resolve([7])).toEqual({ kind: "constant", value: 0.5 });
  expect(zeros().resolve([])).toEqual({ kind: "constant", value: 0 });
  expect(ones().resolve([2, 2])).toEqual({ kind: "constant", value: 1 });
  expect([constant(0).kind, zeros().kind, ones().kind]).toEqual(["constant", "zeros", "ones"]);
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e39, "1", undefined]) {
    expect(() => constant(value as number)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  }
});

test("an option is an initializer, a number or absent", () => {
  const fallback = zeros();
  const init = heNormal();
  expect(toInitializer("linear.init", init, fallback)).toBe(init);
  expect(toInitializer("linear.init", undefined, fallback)).toBe(fallback);
  expect(toInitializer("linear.init", 0, heNormal()).resolve([4])).toEqual({ kind: "constant", value: 0 });
  for (const value of [null, "zeros", {}, { kind: "mine" }, Number.NaN, xavierUniform]) {
    expect(() => toInitializer("linear.init", value as number, fallback)).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", where: "linear.init" }),
    );
  }
});
