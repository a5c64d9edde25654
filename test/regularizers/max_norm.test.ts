// Rows with ‖·‖₂ > c are scaled to c after the step, the others are not touched.
import {
  type AverageWeights,
  adam,
  l2,
  maxNorm,
  minimizer,
  type Optimizer,
  ops,
  program,
  sgd,
  spec,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import { elementsOf, type Probe, probe, signed, startAt } from "./probe.js";

const U = 2 ** -24;

const normOf = (row: ArrayLike<number>): number => Math.sqrt(Array.from(row).reduce((sum, one) => sum + one * one, 0));

/** The rows of a weight. */
function rowsOf(data: Float32Array, columns: number): Float32Array[] {
  return Array.from({ length: data.length / columns }, (_, row) => data.slice(row * columns, (row + 1) * columns));
}

/**
 * Relative bound of a row's norm: Σx² in blocks of 4096 over 16 lanes, so ≤ 256 terms a lane, 4 levels of the lanes' tree and
 * one a block; halved by the root; then the root, the quotient and the product are rounded.
 */
const bound = (columns: number): number => ((Math.min(columns, 4096) / 16 + 4 + Math.ceil(columns / 4096)) / 2 + 4) * U;

describe.each([[1], [3], [16], [61], [4096], [4097], [9001]])("rows of %i", (columns) => {
  const shape = [9, columns];
  const count = elementsOf(shape);
  const c = 2 * Math.sqrt(columns);
  /** Every third row is far too long, every third just fits, the others are short. */
  const weight = signed(count + 6, 2)
    .slice(6)
    .map((one, index) => one * ([100, 1, 1e-3][Math.floor(index / columns) % 3] ?? 1));

  test.each<[string, Optimizer]>([
    ["sgd", sgd({ lr: 0.125 })],
    ["adam", adam({ lr: 0.01 })],
  ])("%s: too long ones end at c, the others at the bits of no bound", async (_name, optimizer) => {
    const free = startAt(shape, weight, optimizer);
    const held = startAt(shape, weight, optimizer, { regularizer: maxNorm(c) });
    const gradient = signed(count, 3);
    await free.step(gradient);
    await held.step(gradient);
    const before = rowsOf(free.weight, columns);
    const after = rowsOf(held.weight, columns);
    let [scaled, whole] = [0, 0];
    for (const [index, row] of after.entries()) {
      const original = before[index] ?? new Float32Array();
      const norm = normOf(original);
      if (norm <= c) {
        expect(row).toEqual(original);
        whole += 1;
        continue;
      }
      scaled += 1;
      expect(Math.abs(normOf(row) - c)).toBeLessThanOrEqual(c * bound(columns));
      const slack = original.map((one) => Math.abs((one * c) / norm) * bound(columns) + 2 ** -149);
      const wrong = [...row].filter(
        (one, at) => !(Math.abs(one - ((original[at] ?? 0) * c) / norm) <= (slack[at] ?? 0)),
      );
      expect(wrong).toEqual([]);
    }
    expect(scaled).toBe(3);
    expect(whole).toBe(6);
    // The bias, as long as the weight, has no rows.
    const bias = (one: Probe): Float32Array | undefined => one.look().weights.get("probe.bias");
    expect(bias(held)).toEqual(bias(free));
  });
});

test("a row exactly as long as the bound is not touched", async () => {
  const weight = Float32Array.of(3, 4, 0.1, 0.3);
  const probe = startAt([2, 2], weight, sgd({ lr: 0 }), { regularizer: maxNorm(5) });
  await probe.step(new Float32Array(4));
  expect(probe.weight).toEqual(weight);
});

test("rows of zeros stay zeros", async () => {
  const probe = startAt([2, 3], new Float32Array(6), sgd({ lr: 1 }), { regularizer: maxNorm(1e-3) });
  await probe.step(new Float32Array(6));
  expect(Array.from(probe.weight)).toEqual([0, 0, 0, 0, 0, 0]);
});

test("for a weight of higher rank the rows are those of its first axis", async () => {
  const of = async (shape: readonly number[]): Promise<Float32Array> => {
    const probe = startAt(shape, signed(60, 4, 3), sgd({ lr: 0.1 }), { regularizer: maxNorm(1) });
    await probe.step(signed(60, 5));
    return probe.weight;
  };
  const weight = await of([3, 4, 5]);
  expect(weight).toEqual(await of([3, 20]));
  for (const row of rowsOf(weight, 20)) expect(Math.abs(normOf(row) - 1)).toBeLessThan(bound(20));
});

test("of two bounds the smaller holds, beside other regularizers", async () => {
  const of = async (...regularizer: Parameters<typeof Array.of<ReturnType<typeof l2>>>): Promise<Float32Array> => {
    const probe = startAt([3, 20], signed(60, 4, 3), sgd({ lr: 0.1 }), { regularizer });
    await probe.step(signed(60, 5));
    return probe.weight;
  };
  expect(await of(maxNorm(1), l2(0.5), maxNorm(2))).toEqual(await of(l2(0.5), maxNorm(1)));
  expect(await of(maxNorm(2), maxNorm(1))).toEqual(await of(maxNorm(1)));
});

test("the average sees the weights after the bound", async () => {
  const averageWeights: AverageWeights = { decay: 0 };
  for (const columns of [7, 5000]) {
    const weight = signed(2 * columns, 4, 3);
    const options = { regularizer: maxNorm(1), averageWeights };
    const one = startAt([2, columns], weight, sgd({ lr: 0.1 }), options);
    await one.step(signed(2 * columns, 5));
    // 0·θ̄ + 1·θ: the bits of θ, but for the sign of a zero.
    const average = Array.from(one.trainer.averages(one.model)?.get("probe.weight") ?? [], (value) => value + 0);
    expect(average).toEqual(Array.from(one.weight, (value) => value + 0));
  }
});

test("of several models, each has the bound of its own layer", async () => {
  const models = [probe([2, 8], maxNorm(1), "a"), probe([2, 8], maxNorm(0.25), "b")];
  for (const model of models) {
    model.initialize(0);
    model.setWeights(new Map(model.parameters.map(({ name }) => [name, signed(16, 6)])));
  }
  const trainer = minimizer(models, sgd({ lr: 0.125 }));
  const step = program({
    inputs: { x: spec(["batch", 16]) },
    maxBatch: 1,
    body: ({ x }) => {
      const outputs = models.map((model) => ops.sum(model.forward(x)));
      return { penalty: trainer.minimize(outputs.reduce((a, b) => ops.add(a, b))).penalty };
    },
  });
  const { penalty } = await step.run({ x: tensor(signed(16, 7), [1, 16]) });
  expect(penalty.item()).toBe(0);
  const norms = models.map((model, index) => {
    const weight = model.weights().get(`${index === 0 ? "a" : "b"}.weight`)?.data ?? new Float32Array();
    return rowsOf(weight, 8).map(normOf);
  });
  for (const norm of norms[0] ?? []) expect(Math.abs(norm - 1)).toBeLessThan(bound(8));
  for (const norm of norms[1] ?? []) expect(Math.abs(norm / 0.25 - 1)).toBeLessThan(bound(8));
});
