import { describe, expect, test } from "vitest";
import { grad } from "../../lib/graph/grad.js";
import { program, spec } from "../../lib/graph/program.js";
import * as ops from "../../lib/ops/index.js";
import { type OperationName, rules } from "../../lib/ops/rules.js";
import { tensor } from "../../lib/tensor/tensor.js";
import { gamma, U } from "./bounds.js";
import { coordinates, jacobian, secondDerivatives } from "./differences.js";
import { apart, floats, numbersOf } from "./sample.js";
import { samples } from "./samples.js";
import * as ways from "./ways.js";

const names = Object.keys(rules) as OperationName[];

/** Of more inputs no derivatives are taken. */
const MOST = 1200;

function isBig(named: ways.Named): boolean {
  return coordinates(named).length > MOST;
}

/** Of more inputs no second derivatives are taken: they cost the square. */
const MOST_SECOND = 40;

/** Roundings in the formula of one derivative, functions of 2 ulp counted as 4; and in one of second order. */
const ROUNDINGS = 16;
const SECOND_ROUNDINGS = 40;

/**
 * What differences of differences leave: the reference is off by some 2⁻⁵³·Σ|x|, which their weights, 3/h each, magnify by
 * 9·2²⁰, and their formula by h⁴ = 2⁻⁴⁰ of the sixth derivative. In all less than 2⁻²⁹·(1 + Σ|x|) a second derivative.
 */
const NOISE = 2 ** -29;

test("every rule has samples, and no samples lack a rule", () => {
  expect(Object.keys(samples).sort()).toEqual(Object.keys(rules).sort());
});

describe.each(names)("%s", (operation) => {
  const all = ways.namedSamples(operation, samples[operation]);
  const computable = all.filter(({ usage }) => usage.programOnly !== true);
  const smooth = computable.filter((named) => !named.large && ways.reached(named).length > 0 && !isBig(named));

  test("is differentiable as its rule says", () => {
    const reached = all.some((named) => ways.reached(named).length > 0);
    expect(rules[operation].gradient !== null).toBe(reached);
  });

  test.each(all)("$name: float32 is within the bound of float64", async (named) => {
    const { usage, sample } = named;
    const [value] = usage.programOnly === true ? await ways.inProgram(named, { batch: true }) : ways.eager(named);
    const expected = usage.reference(...sample.inputs);
    const allowed = usage.error(expected, ...sample.inputs);
    const actual = numbersOf(value);
    expect(actual.length).toBe(expected.length);
    expect(outside(actual, expected, allowed)).toBeUndefined();
  });

  /*
   * An element of the gradient is Σᵢ cᵢ·∂yᵢ/∂x: at most 16 roundings a term and one more for every further term that is not
   * 0. Where a derivative is itself a difference (1 − y² of tanh), its roundings are relative to the terms m that cancel.
   */
  test.each(smooth)("$name: gradient equals finite differences", (named) => {
    const c = ways.projection(named).data;
    const m = named.usage.cancellation ?? 0;
    const [, ...gradients] = ways.eager(named);
    const actual = gradients.flatMap(numbersOf);
    const slopes = jacobian(named);
    expect(actual.length).toBe(slopes.length);
    const expected = slopes.map((slope) => sum(slope.map((s, i) => s * (c[i] ?? 0))));
    const allowed = slopes.map((slope) => {
      const terms = slope.filter((s) => s !== 0).length;
      const size = sum(slope.map((s, i) => Math.abs(c[i] ?? 0) * (s === 0 ? 0 : Math.abs(s) + m)));
      return gamma(ROUNDINGS + terms) * size;
    });
    expect(outside(actual, expected, allowed)).toBeUndefined();
  });

  /* h = Σⱼ dⱼ·∂ℓ/∂xⱼ with fixed random d: its gradient is Σᵢⱼ cᵢ·dⱼ·∂²yᵢ/∂xⱼ∂x, by the same count of roundings. */
  const second = smooth.filter((named) => coordinates(named).length <= MOST_SECOND);
  test.each(second)("$name: gradient of the gradient equals finite differences", (named) => {
    const { usage, sample } = named;
    const c = ways.projection(named);
    const inputs = sample.inputs.map(ways.toTensor);
    const over = ways.chosen(inputs, ways.reached(named));
    const d = over.map(({ shape }) => floats(shape, apart(0.5, 1.5)));
    const first = grad(ways.lossOf(named, inputs, ways.toTensor(c)));
    const actual = grad((...values) => {
      const parts = first(...values).map((g, index) => {
        const factors = d[index];
        return factors === undefined ? g : ops.sum(ops.multiply(g, ways.toTensor(factors)));
      });
      return parts.reduce((total, part) => ops.add(total, part));
    })(...over).flatMap(numbersOf);
    const along = d.flatMap(({ data }) => data);
    const m = usage.cancellation ?? 0;
    const slopes = jacobian(named);
    const left = (1 + sum(sample.inputs.flatMap(({ data }) => data.map(Math.abs)))) * sum(along.map(Math.abs));
    const expected: number[] = [];
    const allowed: number[] = [];
    for (const bends of secondDerivatives(named)) {
      const products = bends.flatMap((bend, j) => bend.map((b, i) => b * (c.data[i] ?? 0) * (along[j] ?? 0)));
      // A slope that cancels bends by its terms: m a result that x reaches at all.
      const reach = slopes[expected.length] ?? [];
      const cancelled = reach.reduce((size, s, i) => size + (s === 0 ? 0 : m * Math.abs(c.data[i] ?? 0)), 0);
      const size = sum(products.map(Math.abs)) + cancelled * sum(along.map(Math.abs));
      expected.push(sum(products));
      allowed.push(gamma(SECOND_ROUNDINGS + bends.length) * size + NOISE * left);
    }
    expect(actual.length).toBe(expected.length);
    expect(outside(actual, expected, allowed)).toBeUndefined();
  });

  test.each(computable)("$name: a program computes the same bits as a call", async (named) => {
    const expected = ways.eager(named);
    const fixed = await ways.inProgram(named, { batch: false });
    expect(ways.difference(fixed, expected)).toBeUndefined();
    if (!ways.isBatchable(named)) return;
    const batch = await ways.inProgram(named, { batch: true });
    expect(ways.difference(batch, expected)).toBeUndefined();
    expect(batch.map(({ shape }) => shape)).toEqual(fixed.map(({ shape }) => shape));
  });

  test.each(all.filter(({ large }) => large))("$name: 1, 2 and 3 threads compute the same bits", async (named) => {
    const results = await Promise.all([1, 2, 3].map((threads) => ways.inProgram(named, { batch: false, threads })));
    const [alone = [], ...others] = results;
    expect(alone.length).toBeGreaterThan(0);
    for (const other of others) expect(ways.difference(other, alone)).toBeUndefined();
  });

  const rowwise = computable.filter((named) => named.usage.rowwise === true && ways.isBatchable(named));
  test.each(rowwise)("$name: a row alone equals the row in its batch", (named) => {
    expect(ways.keepsBatch(named)).toBe(true);
    const [value] = ways.eager(named);
    const words = value === undefined ? new Uint32Array() : ways.bits(value);
    const rows = value?.shape[0] ?? 0;
    for (let row = 0; row < rows; row += Math.ceil(rows / 17)) {
      const [alone] = ways.eager(ways.rowOf(named, row));
      const each = words.length / rows;
      expect(alone === undefined ? [] : ways.bits(alone)).toEqual(words.subarray(row * each, (row + 1) * each));
    }
  });

  const refusals = samples[operation].flatMap(({ apply, refusals: list = [] }) =>
    list.map((one) => ({ apply, ...one })),
  );
  const described = refusals.map((one) => ({
    ...one,
    text: one.inputs.map(([shape, type]) => `${type ?? "f32"}[${shape}]`),
  }));
  test.each(described)("refuses $text with $code, on tensors and in a program", ({ apply, inputs, code, where }) => {
    const error = expect.objectContaining({
      name: "CarillonError",
      code,
      where,
      message: expect.stringContaining(where),
    });
    const zeros = inputs.map(([shape, dtype = "f32"]) => {
      return { shape, dtype, data: new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(0) };
    });
    expect(() => apply(...zeros.map(ways.toTensor))).toThrow(error);
    const specs = inputs.map(([shape, dtype], index) => [`x${index}`, spec(shape, dtype)] as const);
    const body = (symbols: Record<string, Parameters<typeof apply>[0]>) => ({ y: apply(...Object.values(symbols)) });
    expect(() => program({ inputs: Object.fromEntries(specs), body })).toThrow(error);
  });
});

/** The first element outside of what is allowed; `undefined` if none is. */
function outside(
  actual: readonly number[],
  expected: readonly number[],
  allowed: readonly number[],
): object | undefined {
  const index = actual.findIndex((value, at) => {
    return !(Math.abs(value - (expected[at] ?? Number.NaN)) <= (allowed[at] ?? 0) + U ** 2);
  });
  return index < 0 ? undefined : { index, value: actual[index], expected: expected[index], allowed: allowed[index] };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

test("values have data only where they are tensors", () => {
  const symbol = ways.symbol([3], "f32");
  expect(() => Reflect.get(symbol, "data")).toThrow(expect.objectContaining({ code: "ERR_TRACE", where: "data" }));
  expect(Object.keys(symbol)).toEqual(["dtype", "shape"]);
  expect(Object.hasOwn(tensor([1, 2, 3]), "data")).toBe(true);
});
