// What examples/l1-vs-l2 is there to show, on the same data with the same seeds, at the strengths that its rule chooses.
import { beforeAll, describe, expect, test } from "vitest";
import { loadDigits } from "../../examples/digits/digits.js";
import { concentrationOf } from "../../examples/l1-vs-l2/concentration.js";
import { bySize, shrunkOnce } from "../../examples/l1-vs-l2/shrinkage.js";
import {
  ALLOWED_LOSS,
  choose,
  type Method,
  PENALTIES,
  type Setting,
  textbook,
  trainAll,
} from "../../examples/l1-vs-l2/sweep.js";

const CHOSEN: Readonly<Record<Method, number>> = { L2: 0.01, L1: 0.001, "proximal L1": 0.001 };
const METHODS = Object.keys(CHOSEN) as Method[];

let plain: Setting;
const settings = new Map<Method, Setting>();
const settingOf = (method: Method): Setting => settings.get(method) ?? plain;

beforeAll(async () => {
  const recipe = { ...(await loadDigits()), optimizer: textbook, epochs: 100, seeds: [0, 1, 2] };
  plain = await trainAll(recipe, 0, null);
  for (const method of METHODS) settings.set(method, await trainAll(recipe, CHOSEN[method], PENALTIES[method]));
});

describe("L1 against L2", () => {
  test.for(METHODS)("%s costs at most one point of accuracy", (method) => {
    expect(plain.mean.accuracy).toBeGreaterThan(0.97);
    expect(settingOf(method).mean.accuracy).toBeGreaterThanOrEqual(plain.mean.accuracy - ALLOWED_LOSS);
    expect(choose([settingOf(method)], plain)).toBe(settingOf(method));
  });

  test("proximal L1 makes four fifths of the first layer's weights exactly 0", () => {
    for (const { outcome } of settingOf("proximal L1").runs) expect(outcome.zeros).toBeGreaterThanOrEqual(0.8);
  });

  test("L2 makes none, and neither does L1 by its subgradient, which only brings them near", () => {
    for (const method of ["L2", "L1"] as const) {
      for (const { outcome } of settingOf(method).runs) expect(outcome.zeros).toBe(0);
    }
    expect(settingOf("L1").mean.small).toBeGreaterThan(0.9);
    expect(settingOf("L2").mean.small).toBeLessThan(0.5);
  });

  test("proximal L1 stops looking at pixels, L2 looks at all", () => {
    expect(settingOf("proximal L1").mean.pixelsNotZero).toBeLessThan(50);
    expect(settingOf("L2").mean.pixelsNotZero).toBe(64);
  });

  test("L1 leaves its weight in fewer connections", () => {
    const topTenth = (method: Method): number => {
      return concentrationOf(settingOf(method).runs[0]?.weights ?? new Float32Array()).topTenth;
    };
    expect(topTenth("L2")).toBeLessThan(0.6);
    expect(topTenth("L1")).toBeGreaterThan(0.9);
    expect(topTenth("proximal L1")).toBeGreaterThan(0.9);
  });
});

describe("one step without data", () => {
  const RATE = 1;
  const LAMBDA = 0.01;
  const taken = (method: Method) => {
    const [run] = plain.runs;
    if (run === undefined) throw new Error("nothing was trained");
    const after = shrunkOnce(run, PENALTIES[method](LAMBDA), RATE);
    return { before: run.weights, after, bins: bySize(run.weights, after, 10) };
  };

  test("L2 takes the same share of every weight", () => {
    for (const { before, after } of taken("L2").bins) expect(after / before).toBeCloseTo(1 - RATE * LAMBDA, 6);
  });

  test.for(["L1", "proximal L1"] as const)("%s takes the same from every weight that is larger", (method) => {
    const { before, after } = taken(method);
    for (const [index, weight] of before.entries()) {
      const [size, left] = [Math.abs(weight), Math.abs(after[index] ?? Number.NaN)];
      if (size > RATE * LAMBDA) expect(Math.abs(size - left - RATE * LAMBDA)).toBeLessThan(1e-6);
      else if (method === "proximal L1") expect(left).toBe(0);
    }
  });
});
