import { describe, expect, test } from "vitest";
import { linear } from "../../lib/nn/layers/linear.js";
import type { Model } from "../../lib/nn/model/model.js";
import { sequential } from "../../lib/nn/model/sequential.js";
import { draw } from "../../lib/nn/parameters/draw.js";
import type { Initializer } from "../../lib/nn/parameters/initializers.js";
import * as initializers from "../../lib/nn/parameters/initializers.js";

const ROWS = 160;
const COLUMNS = 250;
const SHAPE = [ROWS, COLUMNS] as const;
const COUNT = ROWS * COLUMNS;

function drawn(initializer: Initializer, seed = 1, shape: readonly number[] = SHAPE, name = "w"): Float32Array {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  draw(name, shape, initializer.resolve(shape), seed, (first, part) => data.set(part, first));
  return data;
}

function moment(values: Iterable<number>, f: (x: number) => number): number {
  const all = Array.from(values, f);
  return all.reduce((sum, value) => sum + value, 0) / all.length;
}

/** Mean, standard deviation and fourth standardized moment (3 for a normal, 1.8 for a uniform distribution). */
interface Expected {
  readonly mean?: number;
  readonly deviation: number;
  readonly kurtosis: number;
}

/** φ and Φ by Math.*, apart from lib/: E zᵏ of a standard normal in [a, b] by the trapezoidal rule, to 10⁻⁸. */
function truncatedMoment(a: number, b: number, f: (z: number) => number): number {
  const STEPS = 20_000;
  let sum = 0;
  let share = 0;
  for (let i = 0; i <= STEPS; i++) {
    const z = a + ((b - a) * i) / STEPS;
    const weight = Math.exp((-z * z) / 2) * (i === 0 || i === STEPS ? 0.5 : 1);
    sum += weight * f(z);
    share += weight;
  }
  return sum / share;
}

/** Kurtosis of a standard normal cut to [a, b]. */
function truncatedKurtosis(a: number, b: number): number {
  const mean = truncatedMoment(a, b, (z) => z);
  const variance = truncatedMoment(a, b, (z) => (z - mean) ** 2);
  return truncatedMoment(a, b, (z) => (z - mean) ** 4) / variance ** 2;
}

const NORMAL = 3;
const UNIFORM = 1.8;

/** Every initializer that draws, and what its elements must be. */
const EXPECTED: Readonly<Record<string, readonly [Initializer, Expected]>> = {
  xavierUniform: [initializers.xavierUniform(), { deviation: Math.sqrt(2 / (ROWS + COLUMNS)), kurtosis: UNIFORM }],
  xavierNormal: [initializers.xavierNormal(), { deviation: Math.sqrt(2 / (ROWS + COLUMNS)), kurtosis: NORMAL }],
  heUniform: [initializers.heUniform(), { deviation: Math.sqrt(2 / COLUMNS), kurtosis: UNIFORM }],
  heNormal: [initializers.heNormal({ mode: "fanOut" }), { deviation: Math.sqrt(2 / ROWS), kurtosis: NORMAL }],
  normal: [initializers.normal({ mean: 2, deviation: 0.5 }), { mean: 2, deviation: 0.5, kurtosis: NORMAL }],
  // U(a, b): mean (a + b)/2, deviation (b − a)/√12.
  uniform: [initializers.uniform({ low: -1, high: 3 }), { mean: 1, deviation: 4 / Math.sqrt(12), kurtosis: UNIFORM }],
  signs: [initializers.signs(), { deviation: 1, kurtosis: 1 }],
  lecunUniform: [initializers.lecunUniform(), { deviation: Math.sqrt(1 / COLUMNS), kurtosis: UNIFORM }],
  lecunNormal: [initializers.lecunNormal({ gain: 2 }), { deviation: Math.sqrt(4 / COLUMNS), kurtosis: NORMAL }],
  truncatedNormal: [
    initializers.truncatedNormal({ mean: 3, deviation: 0.5 }),
    { mean: 3, deviation: 0.5, kurtosis: truncatedKurtosis(-2, 2) },
  ],
  "truncatedNormal, one side": [
    initializers.truncatedNormal({ deviation: 0.5, low: 0, high: 3 }),
    { deviation: 0.5, kurtosis: truncatedKurtosis(0, 3) },
  ],
  "truncatedNormal, a tail": [
    initializers.truncatedNormal({ mean: -1, deviation: 2, low: 1.5, high: 4 }),
    { mean: -1, deviation: 2, kurtosis: truncatedKurtosis(1.5, 4) },
  ],
  // A unit vector of n = 250 elements: variance 1/n; an element is a normal over a length, kurtosis 3n/(n + 2).
  orthogonal: [
    initializers.orthogonal({ gain: 3 }),
    { deviation: 3 / Math.sqrt(COLUMNS), kurtosis: (NORMAL * COLUMNS) / (COLUMNS + 2) },
  ],
  // A share of 0.8 zeros: variance 0.2·σ², fourth moment 0.2·3σ⁴.
  sparse: [
    initializers.sparse({ sparsity: 0.8, deviation: 0.3 }),
    { deviation: 0.3 * Math.sqrt(0.2), kurtosis: NORMAL / 0.2 },
  ],
};

const WITHOUT_DRAWS = ["identity", "constant", "zeros", "ones"];

/** What draws as another one does: see below. */
const BY_ANOTHER = ["repeated"];

test("every initializer stands here", () => {
  const makers = Object.keys(initializers).filter((name) => !["fans", "toInitializer"].includes(name));
  const here = Object.keys(EXPECTED).map((name) => name.split(",")[0]);
  expect([...new Set(here), ...WITHOUT_DRAWS, ...BY_ANOTHER].sort()).toEqual(makers.sort());
});

/*
 * The mean of n draws has the deviation σ/√n, their mean square about it σ²·√((κ − 1)/n), so the root of that half as
 * much relatively. Five such deviations: once in two million seeds. (Orthogonal draws depend on each other so that the
 * sum of squares is fixed: they stay closer.)
 */
test.each(Object.entries(EXPECTED))(
  "%s has the mean and the standard deviation asked for",
  (_, [initializer, expected]) => {
    const { mean = 0, deviation, kurtosis } = expected;
    for (const seed of [1, 2, 3]) {
      const data = drawn(initializer, seed);
      const measured = moment(data, (x) => x);
      expect(Math.abs(measured - mean)).toBeLessThan((5 * deviation) / Math.sqrt(COUNT));
      const spread = Math.sqrt(moment(data, (x) => (x - mean) ** 2));
      expect(Math.abs(spread / deviation - 1)).toBeLessThanOrEqual(5 * 0.5 * Math.sqrt((kurtosis - 1) / COUNT));
    }
  },
);

test.each(Object.entries(EXPECTED))("%s draws by name and seed alone", (_, [initializer]) => {
  const small = [20, 30];
  const one = drawn(initializer, 1, small);
  expect(drawn(initializer, 1, small)).toEqual(one);
  expect(drawn(initializer, 2, small)).not.toEqual(one);
  expect(drawn(initializer, 1, small, "v")).not.toEqual(one);
});

test("repeated is one draw for every index of the first axis", () => {
  const data = drawn(initializers.repeated(initializers.normal()), 3, [4, 6, 5]);
  const one = drawn(initializers.normal(), 3, [6, 5]);
  for (let at = 0; at < 4; at++) expect(data.subarray(30 * at, 30 * (at + 1))).toEqual(one);
});

test("a layer more leaves the weights of the others as they were", () => {
  for (const [init] of Object.values(EXPECTED)) {
    const weightOf = (model: Model, name: string) => model.initialize(5).weights().get(name)?.data;
    const short = sequential(linear(6, 4, { init, name: "a" }), linear(4, 4, { init, name: "z" }));
    const long = sequential(
      linear(6, 4, { init, name: "a" }),
      linear(4, 4, { init, name: "b" }),
      linear(4, 4, { init, name: "z" }),
    );
    for (const name of ["a.weight", "z.weight"]) expect(weightOf(long, name)).toEqual(weightOf(short, name));
  }
});

describe("truncated normal", () => {
  test.each([
    [-2, 2, 0.8796256610342398],
    [-1, 1, 0.539560093754897],
    [-8, 8, 1],
  ])("cut to [%o, %o] the deviation is corrected by %o", (low, high, correction) => {
    const draw = initializers.truncatedNormal({ deviation: 1, low, high }).resolve([1]);
    expect(draw.kind).toBe("truncatedNormal");
    if (draw.kind !== "truncatedNormal") return;
    // √(1 − 2a·φ(a)/erf(a/√2)) with Python's math.erf.
    expect(1 / draw.scale).toBeCloseTo(correction, 12);
    expect(draw.shift).toBeCloseTo(0, 15);
  });

  test("stays within its bounds, and reaches them", () => {
    const draw = initializers.truncatedNormal({ mean: 3, deviation: 0.5 });
    const data = drawn(draw, 7, [1000, 300]);
    const bound = (2 / 0.8796256610342398) * 0.5;
    const far = Math.max(
      ...Array.from({ length: 300 }, (_, i) =>
        Math.max(...data.subarray(1000 * i, 1000 * (i + 1)).map((x) => Math.abs(x - 3))),
      ),
    );
    // One rounding to float32 at 4.
    expect(far).toBeLessThanOrEqual(bound + 2 ** -22);
    expect(far).toBeGreaterThan(0.999 * bound);
  });

  test("uncorrected it would have 12% too little spread", () => {
    const spread = Math.sqrt(moment(drawn(initializers.truncatedNormal({ deviation: 1 })), (x) => x * x));
    expect(spread).toBeGreaterThan(0.98);
    expect(spread).toBeLessThan(1.02);
  });

  test.each([
    [{ deviation: 0 }, "truncatedNormal.deviation"],
    [{}, "truncatedNormal.deviation"],
    [{ deviation: 1, mean: Number.NaN }, "truncatedNormal.mean"],
    [{ deviation: 1, low: -9 }, "truncatedNormal.low"],
    [{ deviation: 1, low: 1, high: 1 }, "truncatedNormal.high"],
    [{ deviation: 1, low: 2, high: 1 }, "truncatedNormal.high"],
    [{ deviation: 1, low: 3, high: 8 }, "truncatedNormal.high"],
  ])("refuses %o", (options, where) => {
    expect(() => initializers.truncatedNormal(options as never)).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", where }),
    );
  });
});

describe("orthogonal", () => {
  /** Largest distance of V·Vᵀ from gain²·1, V the rows or columns that are fewer. */
  function error(data: Float32Array, rows: number, gain: number): number {
    const columns = data.length / rows;
    const at = (vector: number, i: number): number => {
      return (rows <= columns ? data[vector * columns + i] : data[i * columns + vector]) ?? Number.NaN;
    };
    const [few, many] = rows <= columns ? [rows, columns] : [columns, rows];
    let most = 0;
    for (let a = 0; a < few; a++) {
      for (let b = 0; b <= a; b++) {
        let sum = 0;
        for (let i = 0; i < many; i++) sum += at(a, i) * at(b, i);
        most = Math.max(most, Math.abs(sum / gain ** 2 - (a === b ? 1 : 0)));
      }
    }
    return most;
  }

  // Rounding to float32 moves a product of two unit vectors by at most 2·2⁻²⁴ (Cauchy–Schwarz), and little more.
  test.each([
    [[40, 40], 1],
    [[200, 200], 1],
    [[3, 50], 2],
    [[50, 3], 0.5],
    [[1, 1], 1],
    [[7, 1], 1],
    [[8, 3, 3, 4], 1],
  ])("%o, gain %o", (shape, gain) => {
    for (const seed of [0, 1, 2]) {
      const data = drawn(initializers.orthogonal({ gain }), seed, shape);
      expect(error(data, shape[0] ?? 1, gain)).toBeLessThan(2.1 * 2 ** -24);
    }
  });

  test("both signs occur, also where there is one element", () => {
    const signs = new Set(Array.from({ length: 20 }, (_, seed) => drawn(initializers.orthogonal(), seed, [1, 1])[0]));
    expect(signs).toEqual(new Set([1, -1]));
  });

  // Q of a Haar distribution has a trace of mean 0 and variance 1 (Diaconis, Evans 2001); of 400 seeds the mean stays
  // within 5/20. Without the signs of R the trace of a Householder Q would lean to one side.
  test("every orthogonal matrix is equally likely", () => {
    const traces = Array.from({ length: 400 }, (_, seed) => {
      const data = drawn(initializers.orthogonal(), seed, [5, 5]);
      return [0, 6, 12, 18, 24].reduce((sum, index) => sum + (data[index] ?? 0), 0);
    });
    expect(Math.abs(moment(traces, (x) => x))).toBeLessThan(5 / 20);
    // The square has the fourth moment 3 of a normal: variance 2.
    expect(Math.abs(moment(traces, (x) => x * x) - 1)).toBeLessThan((5 * Math.SQRT2) / 20);
  });

  test("needs two axes", () => {
    expect(() => initializers.orthogonal().resolve([4])).toThrow(expect.objectContaining({ code: "ERR_SHAPE" }));
    expect(() => initializers.orthogonal({ gain: 0 })).toThrow(expect.objectContaining({ where: "orthogonal.gain" }));
  });
});

describe("sparse", () => {
  test.each([0, 0.1, 0.57, 0.9, 1])("of each unit's inputs the share %o is 0, exactly", (sparsity) => {
    const data = drawn(initializers.sparse({ sparsity }), 3, [50, 100]);
    for (let row = 0; row < 50; row++) {
      const zeros = data.subarray(100 * row, 100 * (row + 1)).filter((x) => x === 0).length;
      expect(zeros).toBe(Math.round(100 * sparsity));
    }
  });

  // Of 400 rows a column is 0 in 200 ± 10: five deviations are 50.
  test("the places are drawn for each unit, evenly over the inputs", () => {
    const data = drawn(initializers.sparse({ sparsity: 0.5 }), 3, [400, 60]);
    for (let column = 0; column < 60; column++) {
      const zeros = Array.from({ length: 400 }, (_, row) => data[60 * row + column]).filter((x) => x === 0).length;
      expect(Math.abs(zeros - 200)).toBeLessThan(50);
    }
  });

  test("has options", () => {
    expect(() => initializers.sparse({ sparsity: 1.1 })).toThrow(expect.objectContaining({ where: "sparse.sparsity" }));
    expect(() => initializers.sparse({} as never)).toThrow(expect.objectContaining({ where: "sparse.sparsity" }));
    expect(() => initializers.sparse({ sparsity: 0, deviation: 0 })).toThrow(
      expect.objectContaining({ where: "sparse.deviation" }),
    );
    expect(() => initializers.sparse({ sparsity: 0.5 }).resolve([4])).toThrow(
      expect.objectContaining({ code: "ERR_SHAPE" }),
    );
  });
});

test("identity stands on the diagonal, of rectangles too", () => {
  expect(drawn(initializers.identity(), 0, [2, 2])).toEqual(Float32Array.of(1, 0, 0, 1));
  expect(drawn(initializers.identity({ gain: 0.5 }), 0, [2, 3])).toEqual(Float32Array.of(0.5, 0, 0, 0, 0.5, 0));
  expect(drawn(initializers.identity(), 0, [3, 2])).toEqual(Float32Array.of(1, 0, 0, 1, 0, 0));
  expect(() => initializers.identity().resolve([3])).toThrow(expect.objectContaining({ code: "ERR_SHAPE" }));
  expect(() => initializers.identity().resolve([3, 2, 2])).toThrow(expect.objectContaining({ code: "ERR_SHAPE" }));
});

test("constants", () => {
  expect(drawn(initializers.constant(0.1), 0, [3])).toEqual(new Float32Array(3).fill(0.1));
  expect(drawn(initializers.zeros(), 0, [3])).toEqual(new Float32Array(3));
  expect(drawn(initializers.ones(), 0, [])).toEqual(Float32Array.of(1));
});
