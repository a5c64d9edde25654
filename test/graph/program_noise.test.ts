// Numbers that the body of a program draws: normal and uniform, new in every step.
import { describe, expect, test } from "vitest";
import { type ProgramContext, program, spec } from "../../lib/graph/program.js";
import * as ops from "../../lib/ops/index.js";
import type { Shape } from "../../lib/tensor/shape.js";
import { type Tensor, tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";

type Draw = (context: ProgramContext) => Readonly<Record<string, Value>>;

const drawing = (draw: Draw, seed = 1) => program({ seed, inputs: {}, body: (_inputs, context) => draw(context) });
const numbers = (x: Tensor | undefined): number[] => Array.from(x?.data ?? []);
const COUNT = 100_000;

/** E f over the numbers. */
const meanOf = (x: readonly number[], f: (z: number) => number): number =>
  x.reduce((sum, z) => sum + f(z), 0) / x.length;

describe("distribution", () => {
  /** Largest distance of the share of numbers up to some place from the probability of that. */
  function kolmogorov(x: readonly number[], probability: (z: number) => number): number {
    const sorted = [...x].sort((a, b) => a - b);
    return Math.max(...sorted.map((z, index) => Math.abs((index + 0.5) / sorted.length - probability(z))));
  }
  /** P(√n·D > 1.95) = 0.001 (Kolmogorov). */
  const CRITICAL = 1.95 / Math.sqrt(COUNT);
  /** Φ(z) by its series (Marsaglia 2004), to about 1e-15 for |z| < 6. */
  function normalShare(z: number): number {
    let [term, sum] = [z, z];
    for (let i = 3; i < 200; i += 2) {
      term *= (z * z) / i;
      sum += term;
    }
    return 0.5 + sum * Math.exp(-0.5 * z * z) * 0.3989422804014327;
  }

  test("normal", async () => {
    const z = numbers((await drawing(({ normal }) => ({ z: normal([COUNT]) })).run({})).z);
    expect(kolmogorov(z, normalShare)).toBeLessThan(CRITICAL);
    // Deviations of the means of z, z² and z³: √(1/n), √(2/n), √(15/n); at most 4 of them.
    expect(Math.abs(meanOf(z, (each) => each))).toBeLessThan(4 * Math.sqrt(1 / COUNT));
    expect(Math.abs(meanOf(z, (each) => each * each) - 1)).toBeLessThan(4 * Math.sqrt(2 / COUNT));
    expect(Math.abs(meanOf(z, (each) => each ** 3))).toBeLessThan(4 * Math.sqrt(15 / COUNT));
  });

  test("uniform", async () => {
    const u = numbers((await drawing(({ uniform }) => ({ u: uniform([COUNT]) })).run({})).u);
    expect(u.every((each) => each >= 0 && each <= 1)).toBe(true);
    expect(kolmogorov(u, (each) => each)).toBeLessThan(CRITICAL);
  });
});

describe("what a number depends on", () => {
  const both: Draw = ({ normal, uniform }) => ({ a: normal([64]), b: normal([64]), c: uniform([64]) });
  const sets = async (seed: number): Promise<number[][]> => {
    const step = drawing(both, seed);
    const [first, second] = [await step.run({}), await step.run({})];
    return [first.a, first.b, first.c, second.a, second.b, second.c].map(numbers);
  };

  test("the seed, the step and the place in the body", async () => {
    const [one, again, other] = [await sets(1), await sets(1), await sets(2)];
    expect(again).toEqual(one);
    const texts = [...one, ...other].map((each) => JSON.stringify(each));
    expect(new Set(texts).size).toBe(12);
  });

  test("not the rows that a batch has", () => {
    const step = () =>
      program({
        inputs: { x: spec(["batch", 3]) },
        maxBatch: 50,
        body: ({ x }, { normal }) => ({ z: ops.add(ops.multiply(x, 0), normal(["batch", 3])) }),
      });
    const [long, short] = [50, 7].map((rows) => step().runSync({ x: new Float32Array(3 * rows) }).z);
    expect(short?.shape).toEqual([7, 3]);
    expect(numbers(short)).toEqual(numbers(long).slice(0, 21));
  });

  test("its site is its own, beside those of dropout", () => {
    const sites: number[] = [];
    const step = drawing(({ nextSite, normal }) => {
      sites.push(nextSite());
      const z = normal([4]);
      sites.push(nextSite());
      return { z };
    });
    expect(sites).toEqual([0, 2]);
    expect(step.step).toBe(0);
  });
});

test("the context says whether the program trains", () => {
  const told: boolean[] = [];
  const body = (_inputs: object, { training }: ProgramContext) => {
    told.push(training);
    return { one: tensor(1) };
  };
  program({ inputs: {}, body });
  program({ inputs: {}, training: true, body });
  expect(told).toEqual([false, true]);
});

test.each<[Shape]>([[[0]], [[2, "batch"]], [[1.5]]])("%o is no shape", (shape) => {
  const failure = expect.objectContaining({ name: "CarillonError", code: "ERR_SHAPE" });
  expect(() => drawing(({ normal }) => ({ z: normal(shape) }))).toThrow(failure);
  expect(() => drawing(({ uniform }) => ({ z: uniform(shape) }))).toThrow(failure);
});
