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
const product = (a: Matrix, b: Matrix): Matrix => {
  const columns = transposed(b);
  return a.map((row) => columns.map((column) => row.reduce((sum, one, index) => sum + one * (column[index] ?? 0), 0)));
};
const combined = (x: number, a: Matrix, y: number, b: Matrix): Matrix =>
  a.map((row, at) => row.map((one, index) => x * one + y * (b[at]?.[index] ?? 0)));
const normOf = (a: Matrix): number => Math.sqrt(a.flat().reduce((sum, one) => sum + one * one, 0));

/** X/‖X‖, then five times aX + (bA + cA²)X with A = XXᵀ. */
function orthogonalized(matrix: Matrix): Matrix {
  const norm = Math.max(normOf(matrix), 1e-7);
  let x = matrix.map((row) => row.map((one) => one / norm));
  for (let step = 0; step < 5; step++) {
    const square = product(x, transposed(x));
    const polynomial = combined(-4.775, square, 2.0315, product(square, square));
    x = combined(3.4445, x, 1, product(polynomial, x)).map((row) => [...row]);
  }
  return x;
}

interface Reference {
  weight: Matrix;
  momentum: Matrix;
}

function stepped(
  before: Reference,
  gradient: Matrix,
  options: Required<Omit<MuonOptions, "lr">> & { lr: number },
): Reference {
  const { lr, momentum: beta, nesterov, weightDecay } = options;
  const momentum = combined(beta, before.momentum, 1, gradient);
  const x = orthogonalized(nesterov ? combined(1, gradient, beta, momentum) : momentum);
  const scale = Math.sqrt(Math.max(1, gradient.length / (gradient[0]?.length ?? 1)));
  return { weight: combined(1 - lr * weightDecay, before.weight, -lr * scale, x), momentum };
}

/**
 * How far float32 may be off in X: an iteration multiplies a relative error of its input by at most 3.4445 + 3·4.775 + 5·2.0315
 * < 28 in the worst direction, but where singular values are near 1, as after the first of them, by about |a + 3b + 5c| < 1.
 * A bound of the first kind over five steps says nothing; this one takes 28 for the first two steps, 4 (the slope at 0 and
 * 1 rounded up) for the others, and n + 4 roundings a product.
 */
const slack = (n: number): number => 28 ** 2 * 4 ** 3 * (n + 4) * U * 0.02;

describe.each([
  ["square", 12, 12],
  ["wide", 6, 40],
  ["tall", 40, 6],
  ["one row", 1, 9],
  ["one column", 9, 1],
  ["one number", 1, 1],
])("%s", (_name, rows, columns) => {
  test.each<[string, Partial<MuonOptions>]>([
    ["as it comes", {}],
    ["without Nesterov", { nesterov: false }],
    ["with decay", { weightDecay: 0.5, lr: 0.1 }],
    ["without momentum", { momentum: 0 }],
  ])("%s", async (_options, given) => {
    const options = { lr: 0.02, momentum: 0.95, nesterov: true, weightDecay: 0, ...given } as const;
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
    const reference: Reference = {
      weight: matrixOf(start, columns),
      momentum: matrixOf(new Float32Array(count), columns),
    };
    for (let step = 1; step <= 3; step++) {
      const gradient = draw();
      await probe.step(gradient);
      Object.assign(reference, stepped(reference, matrixOf(gradient, columns), options));
      const allowed = step * options.lr * Math.sqrt(Math.max(1, rows / columns)) * slack(Math.max(rows, columns));
      const weight = reference.weight.flat();
      const worst = weight.reduce(
        (most, one, at) => Math.max(most, Math.abs(one - (probe.weight[at] ?? Number.NaN))),
        0,
      );
      // Beside the orthogonalization, each step rounds θ twice: |θ| < 2.
      expect(worst).toBeLessThan(allowed + step * 4 * U);
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
    const gram = rows <= columns ? product(x, transposed(x)) : product(transposed(x), x);
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
