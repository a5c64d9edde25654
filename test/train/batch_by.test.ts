// Batches of rows of like length.
import {
  adam,
  crossEntropy,
  dataset,
  embedding,
  embeddingBag,
  type FitResult,
  fit,
  flatten,
  gru,
  linear,
  type Model,
  mse,
  network,
  ops,
  padded,
  ragged,
  sequential,
  spec,
} from "carillon";
import { describe, expect, test } from "vitest";
import { ByLength } from "../../lib/data/by_length.js";
import { weightsOf } from "./carried.js";

const [ROWS, LONGEST, BATCH] = [101, 40, 8];
/** Lengths of texts: many short ones, a few long ones. */
const lengths = Int32Array.from({ length: ROWS }, (_, row) => 1 + Math.floor(((row * 37) % 101) ** 2 / 262));
const sequences = Array.from(lengths, (length, row) =>
  Array.from({ length }, (_, t) => [Math.sin(row + t), Math.cos(row * t)]),
);
const steps = padded(sequences, { longest: LONGEST });
const data = {
  x: { steps: steps.values, lengths: steps.lengths },
  y: Array.from(lengths, (length, row) => [Math.sin(row + length)]),
};
const make = () =>
  network({
    inputs: { steps: spec(["batch", LONGEST, 2]), lengths: spec(["batch"], "i32") },
    layers: { cell: gru(2, 6), head: linear(6, 1) },
    forward: ({ steps: x, lengths: ends }, { cell, head }) => head(cell(ops.sequence(x, ends))),
  });
const own = { data, batchSize: BATCH, epochs: 3, seed: 4, loss: mse(), optimizer: adam({ lr: 0.01 }) } as const;
const byLength = { ...own, batchBy: { lengths: "lengths", pool: 4 } } as const;

const run = async (options: object) => {
  const model = make();
  const result = await fit(model, { ...byLength, ...options });
  return { weights: weightsOf(model as unknown as Model), result };
};

describe("the order of an epoch", () => {
  const order = (epoch: number, seed = 4, pool = 4): Int32Array =>
    new ByLength(1, lengths, BATCH, pool, true).orderOf(epoch, seed);

  test("has every row once, and is another one in each epoch and for each seed", () => {
    const all = Array.from({ length: ROWS }, (_, row) => row);
    for (const epoch of [1, 2, 3]) expect([...order(epoch)].sort((a, b) => a - b)).toEqual(all);
    expect(order(1)).toEqual(order(1));
    expect(order(1)).not.toEqual(order(2));
    expect(order(1)).not.toEqual(order(1, 5));
  });

  test("rows of a batch are neighbours among those of a pool", () => {
    const rows = order(2);
    const batches = Array.from({ length: Math.floor(ROWS / BATCH) }, (_, at) =>
      rows.subarray(at * BATCH, (at + 1) * BATCH),
    );
    const ranges = batches
      .map((batch) => [...batch].map((row) => lengths[row] ?? 0))
      .map((all) => [Math.min(...all), Math.max(...all)]);
    for (const batch of batches) {
      const own = [...batch].map((row) => lengths[row] ?? 0);
      expect(own).toEqual([...own].sort((a, b) => b - a));
    }
    // Of three pools of four batches each, at most three batches have any length inside of their range.
    for (let length = 1; length <= LONGEST; length++)
      expect(ranges.filter(([low = 0, high = 0]) => low < length && length < high).length).toBeLessThanOrEqual(3);
  });

  test("saves most of the padding up to the longest row of a batch", () => {
    const paddingOf = (rows: ArrayLike<number>): number => {
      let padding = 0;
      for (let begin = 0; begin < ROWS; begin += BATCH) {
        const batch = Array.from(rows)
          .slice(begin, begin + BATCH)
          .map((row) => lengths[row] ?? 0);
        const longest = Math.max(...batch);
        padding += batch.reduce((sum, length) => sum + longest - length, 0);
      }
      return padding;
    };
    const plain = paddingOf(Array.from({ length: ROWS }, (_, place) => (place * 29) % ROWS));
    for (const epoch of [1, 2, 3]) expect(paddingOf(order(epoch, 4, 12))).toBeLessThan(0.25 * plain);
  });
});

describe("training", () => {
  test("the same bits for any number of threads, and after a resume in the middle of an epoch", async () => {
    const { weights, result } = await run({});
    expect(result.step).toBe(39);
    expect((await run({ threads: 1 })).weights).toEqual(weights);
    for (const stop of [5, 13, 20]) {
      const { result: half } = await run({ steps: stop });
      expect((await run({ resume: half.checkpoint() })).weights, `${stop}`).toEqual(weights);
    }
    expect((await run({ batchBy: undefined })).weights).not.toEqual(weights);
  });

  test("all rows are seen, with their weights, validation and metrics beside", async () => {
    const weight = Float32Array.from({ length: ROWS }, (_, row) => row % 3);
    const { result } = await run({ data: { ...data, weight }, validation: data, metrics: ["mae"], accumulate: 2 });
    expect(result.history.length).toBe(3);
    expect(result.history.at(-1)?.loss).toBeLessThan(result.history[0]?.loss ?? 0);
  });

  test("with rates of 0 an epoch measures what any order does", async () => {
    const still = { optimizer: adam({ lr: 0 }), epochs: 1 };
    const { result } = await run(still);
    const { result: plain } = await run({ ...still, batchBy: undefined });
    expect(result.history[0]?.loss).toBeCloseTo(plain.history[0]?.loss ?? 0, 6);
  });

  test("programs of fewer steps have the bits of those of all", async () => {
    const { weights, result } = await run({ metrics: ["mae"] });
    // The same order, with as many steps as the model says: another input stands for the lengths.
    const alone = network({
      inputs: { steps: spec(["batch", LONGEST, 2]), lengths: spec(["batch"], "i32"), order: spec(["batch"], "i32") },
      layers: { cell: gru(2, 6), head: linear(6, 1) },
      forward: ({ steps: x, lengths: ends }, { cell, head }) => head(cell(ops.sequence(x, ends))),
    });
    const x = { ...data.x, order: steps.lengths };
    const options = {
      ...own,
      data: { x, y: data.y },
      batchBy: { lengths: "order", pool: 4 },
      metrics: ["mae"],
    } as const;
    const { history } = await fit(alone, options);
    expect(weightsOf(alone as unknown as Model)).toEqual(weights);
    expect(history.map(({ loss }) => loss)).toEqual(result.history.map(({ loss }) => loss));
    expect(history.map(({ metrics }) => metrics)).toEqual(result.history.map(({ metrics }) => metrics));
  });

  test("answers a step: losses, masks and metrics of the steps that are there", async () => {
    const tagged = (order: boolean) =>
      network({
        inputs: {
          letters: spec(["batch", LONGEST], "i32"),
          lengths: spec(["batch"], "i32"),
          ...(order ? { order: spec(["batch"], "i32") } : {}),
        },
        layers: { table: embedding(9, 4), cell: gru(4, 6, { sequences: true }), head: linear(6, 3) },
        forward: ({ letters, lengths: ends }, { table, cell, head }) => head(cell(ops.sequence(table(letters), ends))),
      });
    const letters = Array.from({ length: ROWS }, (_, row) =>
      Int32Array.from({ length: LONGEST }, (_own, t) => (row + t * t) % 9),
    );
    const y = letters.map((line) => Int32Array.from(line, (letter) => letter % 3));
    const metrics = ["accuracy", "confusionMatrix"] as const;
    const options = { ...own, loss: crossEntropy(), metrics, accumulate: 2, epochs: 2 };
    const [short, whole] = [tagged(false), tagged(true)];
    const x = { letters, lengths: steps.lengths };
    const trimmed = await fit(short, { ...options, data: { x, y }, batchBy: { lengths: "lengths" } } as never);
    const plain = await fit(whole, {
      ...options,
      data: { x: { ...x, order: steps.lengths }, y },
      batchBy: { lengths: "order" },
    } as never);
    const figures = (result: FitResult) => result.history.map((event) => event.metrics);
    expect(figures(trimmed)).toEqual(figures(plain));
    const losses = (result: FitResult) => result.history.map(({ loss }) => loss);
    // Sums over steps whose terms behind the ends are 0 in another order: two epochs of numbers below 2.
    for (const [at, loss] of losses(trimmed).entries())
      expect(Math.abs(loss - (losses(plain)[at] ?? 0))).toBeLessThan(1e-5);
  });

  test("a network that takes no fewer steps than it says is refused", async () => {
    const flat = network({
      inputs: { steps: spec(["batch", LONGEST, 2]), lengths: spec(["batch"], "i32") },
      layers: { cell: gru(2, 6, { sequences: true }), whole: flatten(), head: linear(6 * LONGEST, 1) },
      forward: ({ steps: x, lengths: ends }, { cell, whole, head }) => head(whole(cell(ops.sequence(x, ends)))),
    });
    await expect(fit(flat, byLength)).rejects.toThrow(/fewer than 40 steps for 'fit.batchBy'/);
  });

  test("lists come by their own lengths", async () => {
    const offsets = new Int32Array(ROWS + 1);
    for (const [row, length] of lengths.entries()) offsets[row + 1] = (offsets[row] ?? 0) + length;
    const ids = Int32Array.from({ length: offsets[ROWS] ?? 0 }, (_, at) => (at * 7) % 30);
    const bag = sequential({ input: ragged("i32") }, embeddingBag(30, 5), linear(5, 1));
    const options = { ...own, data: { x: { offsets, ids }, y: data.y }, batchBy: { lengths: "x" } } as const;
    const { history } = await fit(bag, options);
    expect(history.at(-1)?.loss).toBeLessThan(history[0]?.loss ?? 0);
  });
});

describe("what cannot be is refused", () => {
  const refused = async (options: object, message: RegExp): Promise<void> => {
    await expect(fit(make(), { ...byLength, ...options } as never)).rejects.toThrow(message);
  };

  test("names of no lengths, streams, rows that go on from one another", async () => {
    await refused({ batchBy: { lengths: "length" } }, /fit.batchBy.lengths/);
    await refused({ batchBy: { lengths: "steps" } }, /lists, or of a 32-bit integer a row,/);
    await refused({ batchBy: { lengths: "lengths", pool: 0 } }, /fit.batchBy.pool/);
    await refused({ batchBy: "lengths" }, /fit.batchBy/);
    const stream = dataset(() => [{ x: { steps: sequences[0], lengths: 1 }, y: 1 }] as never);
    await refused({ data: stream }, /data in memory, as a stream does not tell all lengths,/);
    await refused({ data: { ...data, carry: new Int32Array(ROWS) } }, /none, as rows go on from one another/);
  });

  test("lengths that are none, by the steps that the network takes", async () => {
    for (const wrong of [-1, LONGEST + 1]) {
      const x = { ...data.x, lengths: lengths.with(17, wrong) };
      await refused({ data: { ...data, x } }, new RegExp(`\\[0, ${LONGEST + 1}\\).*'x.lengths', row 17 .*${wrong}`));
    }
  });

  test("a checkpoint of another order in the middle of an epoch", async () => {
    const { result } = await run({ steps: 5 });
    await refused({ batchBy: undefined, resume: result.checkpoint() }, /fit.batchBy|batchBy/);
    const { result: other } = await run({ steps: 5, batchBy: undefined });
    await refused({ resume: other.checkpoint() }, /batchBy/);
  });
});
