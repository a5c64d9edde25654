// Muon against its definition in float64 (Jordan et al. 2024), for wide, tall and square matrices.
import { adam, fit, linear, type Model, type MuonOptions, mse, muon, partition, relu, sequential } from "carillon";
import { describe, expect, test } from "vitest";
import { signed, startAt } from "../regularizers/probe.js";
import { bitsOf, numbers } from "../train/synthetic.js";

const U = 2 ** -24;

type Matrix = readonly (readonly number[])[];

const matrixOf = (data: ArrayLike<number>, columns: number): Matrix =>
  Array.from({ length: data.length / columns }, (_, row) =>
    Array.from({ length: columns }, (_, column) => data[row * columns + column] ?? Number.NaN),
  );
const transposed = (a: Matrix): Matrix => (a[0] ?? []).map((_, column) => a.map((row) => row[column] ?? 0));
/** What is done to every intermediate result: nothing in float64, Math.fround in float32. */
type Rounding = (value: number) => number;
const unrounded: Rounding = (value) => value;

const product = (a: Matrix, b: Matrix, round: Rounding): Matrix => {
  const columns = transposed(b);
  const dot = (row: readonly number[], column: readonly number[]): number =>
    row.reduce((sum, one, index) => round(sum + round(one * (column[index] ?? 0))), 0);
  return a.map((row) => columns.map((column) => dot(row, column)));
};
const combined = (x: number, a: Matrix, y: number, b: Matrix, round: Rounding = unrounded): Matrix =>
  a.map((row, at) => row.map((one, index) => round(round(round(x) * one) + round(round(y) * (b[at]?.[index] ?? 0)))));
const normOf = (a: Matrix): number => Math.sqrt(a.flat().reduce((sum, one) => sum + one * one, 0));

/** X/‖X‖, then five times aX + (bA + cA²)X with A = XXᵀ. */
function orthogonalized(matrix: Matrix, round: Rounding = unrounded): Matrix {
  const norm = Math.max(normOf(matrix), 1e-7);
  let x: Matrix = matrix.map((row) => row.map((one) => round(one / norm)));
  for (let step = 0; step < 5; step++) {
    const square = product(x, transposed(x), round);
    const polynomial = combined(-4.775, square, 2.0315, product(square, square, round), round);
    x = combined(3.4445, x, 1, product(polynomial, x, round), round);
  }
  return x;
}

interface Options {
  readonly lr: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
}

interface Reference {
  readonly weight: Matrix;
  readonly momentum: Matrix;
  /** How far float32 may be off in `weight`, in the Frobenius norm. */
  readonly error: number;
}

/** How often as far off as a plain float32 evaluation ours may be. */
const SLACK = 8;

/**
 * One step in float64. What float32 makes of the iteration has no useful bound in closed form: each of the five steps may
 * enlarge an error 3.9 times (the largest slope of aσ + bσ³ + cσ⁵ up to σ = 1.2), and rounding errors of products add up
 * at random. So the iteration is made a second time here, all of it rounded to float32, and its distance is the measure.
 */
function stepped(before: Reference, gradient: Matrix, options: Options): Reference {
  const { lr, momentum: beta, nesterov, weightDecay } = options;
  const momentum = combined(beta, before.momentum, 1, gradient);
  const direction = nesterov ? combined(1, gradient, beta, momentum) : momentum;
  const x = orthogonalized(direction);
  const off = normOf(combined(1, x, -1, orthogonalized(direction, Math.fround)));
  const scale = Math.sqrt(Math.max(1, gradient.length / (gradient[0]?.length ?? 1)));
  const weight = combined(1 - lr * weightDecay, before.weight, -lr * scale, x);
  // Beside the iteration: six roundings of θ and of the step, among them those of the momentum.
  const roundings = 6 * U * (normOf(before.weight) + lr * scale * normOf(x));
  return { weight, momentum, error: before.error + lr * scale * SLACK * off + roundings };
}

describe.each([
  ["square", 12, 12],
  ["wide", 6, 40],
  ["tall", 40, 6],
  ["one row", 1, 9],
  ["one column", 9, 1],
  ["one number", 1, 1],
])("%s", (_name, rows, columns) => {
  test.each<[string, Partial<Options>]>([
    ["as it comes", {}],
    ["without Nesterov", { nesterov: false }],
    ["with decay", { weightDecay: 0.5, lr: 0.1 }],
    ["without momentum", { momentum: 0 }],
  ])("%s", async (_options, given) => {
    const options = { lr: 0.02, momentum: 0.95, nesterov: true, weightDecay: 0, ...given };
    const count = rows * columns;
    const next = numbers(rows + columns);
    const draw = (): Float32Array => Float32Array.from({ length: count }, () => 2 * next() - 1);
    const start = draw();
    // The bias is no matrix.
    const groups = partition([
      ["probe.weight", muon(given)],
      ["*", null],
    ]);
    const probe = startAt([rows, columns], start, groups);
    const none = matrixOf(new Float32Array(count), columns);
    let reference: Reference = { weight: matrixOf(start, columns), momentum: none, error: 0 };
    for (let step = 1; step <= 3; step++) {
      const gradient = draw();
      await probe.step(gradient);
      reference = stepped(reference, matrixOf(gradient, columns), options);
      const received = matrixOf(probe.weight, columns);
      expect(normOf(combined(1, received, -1, reference.weight))).toBeLessThan(reference.error);
      // A wrong digit of a coefficient is far larger.
      expect(reference.error).toBeLessThan(1e-4 * normOf(reference.weight));
      const state = probe.look().states.get("momentum/probe.weight") ?? [];
      const off = reference.momentum.flat().map((one, at) => Math.abs(one - (state[at] ?? Number.NaN)));
      expect(Math.max(...off)).toBeLessThan(step * 4 * 3 * U);
    }
  });

  test("directions are learned alike: singular values of the step near 1", async () => {
    const count = rows * columns;
    const groups = partition([
      ["probe.weight", muon({ lr: 1 })],
      ["*", null],
    ]);
    const probe = startAt([rows, columns], new Float32Array(count), groups);
    const next = numbers(2);
    await probe.step(Float32Array.from({ length: count }, () => 1000 * (2 * next() - 1)));
    const scale = Math.sqrt(Math.max(1, rows / columns));
    const x = matrixOf(probe.weight, columns).map((row) => row.map((one) => one / scale));
    const gram = rows <= columns ? product(x, transposed(x), unrounded) : product(transposed(x), x, unrounded);
    // The iteration ends in [0.68, 1.13] (Jordan): their squares are the eigenvalues, whose mean is the trace's.
    const mean = gram.reduce((sum, row, at) => sum + (row[at] ?? 0), 0) / gram.length;
    expect(mean).toBeGreaterThan(0.4);
    expect(mean).toBeLessThan(1.3);
  });
});

test("a gradient of 0 gives a step of 0 and no NaN", async () => {
  const start = signed(24, 3);
  const groups = partition([
    ["probe.weight", muon({ lr: 1 })],
    ["*", null],
  ]);
  const probe = startAt([4, 6], start, groups);
  await probe.step(new Float32Array(24));
  expect(Array.from(probe.weight, (one) => one + 0)).toEqual(Array.from(start, (one) => one + 0));
  await probe.step(new Float32Array(24).fill(1e-30));
  expect([...probe.weight].every(Number.isFinite)).toBe(true);
});

test("trains a network, the rest by Adam; the bits are those of any number of threads", async () => {
  const next = numbers(9);
  const x = Array.from({ length: 96 }, () => [2 * next() - 1, 2 * next() - 1]);
  const y = x.map(([a = 0, b = 0]) => a * b);
  const trained = async (threads: number) => {
    const model: Model = sequential(linear(2, 16), relu(), linear(16, 16), relu(), linear(16, 1));
    const optimizer = partition([
      ["linear2.weight", muon({ lr: 0.01 })],
      ["*", adam({ lr: 0.01 })],
    ]);
    const { history } = await fit(model, {
      data: { x, y },
      loss: mse(),
      optimizer,
      epochs: 30,
      batchSize: 32,
      threads,
    });
    return { bits: bitsOf(model), first: history[0]?.loss ?? 0, last: history.at(-1)?.loss ?? 1 };
  };
  const one = await trained(1);
  expect(one.last).toBeLessThan(0.2 * one.first);
  expect((await trained(2)).bits).toBe(one.bits);
});

describe("refusals", () => {
  test("what is no matrix is named", async () => {
    const model = sequential(linear(2, 3));
    const run = fit(model, { data: { x: [[1, 2]], y: [[0, 0, 0]] }, loss: mse(), optimizer: muon(), epochs: 1 });
    const error = {
      code: "ERR_SHAPE",
      where: "linear1.bias",
      message: expect.stringContaining("'linear1.bias' is [3]"),
    };
    await expect(run).rejects.toThrow(expect.objectContaining(error));
    expect(model.initialized).toBe(false);
  });

  test.each<[unknown, string, string]>([
    [{ momentum: 1 }, "muon.momentum", "[0, 1)"],
    [{ momentum: -0.1 }, "muon.momentum", "[0, 1)"],
    [{ momentum: Number.NaN }, "muon.momentum", "[0, 1)"],
    [{ lr: -1 }, "muon.lr", ">= 0"],
    [{ lr: "1" }, "muon.lr", ">= 0"],
    [{ weightDecay: -1 }, "muon.weightDecay", ">= 0"],
    [{ nesterov: 1 }, "muon.nesterov", "true or false"],
    [0.1, "muon", "an object of options"],
    [{ beta: 0.9 }, "muon.beta", "known option"],
  ])("%o", (given, where, says) => {
    const call = () => muon(given as MuonOptions);
    expect(call).toThrow(expect.objectContaining({ where, message: expect.stringContaining(says) }));
  });
});
