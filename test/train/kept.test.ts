// What a run remembers is bounded, however long it is; what is kept of it holds no data.
import {
  adam,
  crossEntropy,
  defineMetric,
  type FitEvent,
  fit,
  l2,
  linear,
  type Model,
  mse,
  relu,
  sequential,
  sgd,
  standardize,
} from "carillon";
import { describe, expect, test } from "vitest";
import { figureBytes } from "../../lib/train/run/events.js";
import { arrayBytes, Thinned, withoutArrays } from "../../lib/train/run/thinned.js";
import { bundle, runChild } from "./child.js";
import { clusters } from "./synthetic.js";

const TWO = { x: [[1], [2]], y: [[1], [3]] };
/** One step an epoch. */
const OPTIONS = { data: TWO, loss: mse(), optimizer: sgd({ lr: 1e-3 }) } as const;

function line(): Model<1, 1> {
  return sequential(linear(1, 1));
}

describe("a thinned sequence", () => {
  const fill = (count: number, items: number): number[] => {
    const kept = new Thinned<number>(() => 0, { items, bytes: 0 });
    for (let index = 1; index <= count; index++) kept.add(index);
    return kept.items;
  };

  test.each([0, 1, 2, 7, 8])("of %i is whole within 8", (count) => {
    expect(fill(count, 8)).toEqual(Array.from({ length: count }, (_, index) => index + 1));
  });

  test.each([
    [9, [1, 3, 5, 7, 9]],
    [10, [1, 3, 5, 7, 9, 10]],
    [15, [1, 3, 5, 7, 9, 11, 13, 15]],
    [16, [1, 5, 9, 13, 16]],
    [100, [1, 17, 33, 49, 65, 81, 97, 100]],
  ])("of %i within 8 has the first, the last and every k-th one", (count, expected) => {
    expect(fill(count, 8)).toEqual(expected);
  });

  test("never has more, and always those at its ends", () => {
    for (let count = 2; count < 300; count++) {
      for (const items of [2, 3, 5]) {
        const kept = fill(count, items);
        expect(kept.length).toBeLessThanOrEqual(items);
        expect([kept[0], kept.at(-1)]).toEqual([1, count]);
      }
    }
  });

  test("keeps arrays within their bytes, and the last ones", () => {
    const kept = new Thinned<{ readonly at: number; readonly matrix: number[][] }>((item) => arrayBytes(item.matrix), {
      items: 100,
      bytes: 250,
    });
    const matrix = [
      [1, 2],
      [3, 4],
    ];
    expect(arrayBytes(matrix)).toBe(6 * 8);
    for (let at = 0; at < 14; at++) kept.add({ at, matrix });
    const { items } = kept;
    expect(items.map(({ at }) => at)).toEqual(Array.from({ length: 14 }, (_, index) => index));
    expect(items.filter((item) => item.matrix.length > 0).map(({ at }) => at)).toEqual([0, 4, 8, 12, 13]);
    expect(items[1]?.matrix).toEqual([]);
    expect(withoutArrays({ a: 1, b: { c: [[1]], d: "e" } })).toEqual({ a: 1, b: { c: [], d: "e" } });
  });
});

describe("a run of 25,000 epochs", () => {
  const EPOCHS = 25_000;
  const epochsOf = (events: readonly FitEvent[]) => events.flatMap((event) => (event.kind === "epoch" ? [event] : []));

  test("has a history of at most 10,000, evenly thinned, and tells all of them", async () => {
    const run = fit(line(), { ...OPTIONS, epochs: EPOCHS });
    const events: FitEvent[] = [];
    for await (const event of run) events.push(event);
    const all = epochsOf(events);
    expect(all.map(({ epoch }) => epoch)).toEqual(Array.from({ length: EPOCHS }, (_, index) => index + 1));
    const { history } = await run;
    expect(history.length).toBe(6251);
    expect(history[0]).toEqual(all[0]);
    expect(history.at(-1)).toEqual(all.at(-1));
    for (const [index, event] of history.slice(0, -1).entries()) expect(event.epoch).toBe(4 * index + 1);
    const late: FitEvent[] = [];
    for await (const event of run) late.push(event);
    expect([late[0]?.kind, late.at(-1)?.kind]).toEqual(["start", "end"]);
    expect(epochsOf(late)).toEqual(history);
  });

  test("a reader that is slow loses events of steps first, and no kind of event as a whole", async () => {
    const data = { x: [[1]], y: [[1]] };
    const options = { data, loss: mse(), optimizer: sgd({ lr: 0.01 }), epochs: 12_000 } as const;
    const run = fit(sequential(linear(1, 1)), { ...options, reportEvery: 1 }); // a step and an epoch in turn
    const reader = run[Symbol.asyncIterator]();
    await reader.next();
    await run;
    const epochs: number[] = [];
    for (let next = await reader.next(); !next.done; next = await reader.next()) {
      if (next.value.kind === "epoch") epochs.push(next.value.epoch);
    }
    expect(epochs).toEqual(Array.from({ length: 12_000 }, (_, index) => index + 1));
  });

  test("a reader that does not read keeps no more than 20,000 events waiting", async () => {
    const run = fit(line(), { ...OPTIONS, epochs: EPOCHS });
    const reader = run[Symbol.asyncIterator]();
    await run;
    const events: FitEvent[] = [];
    for (let next = await reader.next(); next.done !== true; next = await reader.next()) events.push(next.value);
    expect(events.length).toBeLessThanOrEqual(20_000);
    expect(events.length).toBeGreaterThan(10_000);
    expect([events[0]?.kind, events.at(-1)?.kind]).toEqual(["start", "end"]);
    expect(epochsOf(events).at(-1)?.epoch).toBe(EPOCHS);
  });
});

test("a history keeps 32 MiB of confusion matrices, and of all epochs the numbers", async () => {
  const classes = 200; // 330 KB a matrix
  const model = sequential(linear(4, classes));
  const data = clusters(400, 4, classes);
  const { history } = await fit(model, {
    data,
    validation: data,
    loss: crossEntropy(),
    optimizer: adam(),
    metrics: ["confusionMatrix", "accuracy"],
    batchSize: 400,
    epochs: 150,
  });
  expect(history.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 150 }, (_, index) => index + 1));
  expect(history.every(({ metrics, validation }) => metrics.accuracy >= 0 && validation.metrics.accuracy >= 0)).toBe(
    true,
  );
  const whole = history.filter(({ metrics }) => metrics.confusionMatrix.length > 0);
  expect(whole.map(({ epoch }) => epoch)).toEqual([...Array.from({ length: 38 }, (_, index) => 4 * index + 1), 150]);
  const bytes = history.slice(0, -1).reduce((sum, event) => sum + figureBytes(event), 0);
  expect(bytes).toBeLessThanOrEqual(32 * 2 ** 20);
  for (const { validation } of whole)
    expect(validation.metrics.confusionMatrix.flat().reduce((a, b) => a + b)).toBe(400);
});

describe("log: 'steps'", () => {
  const data = clusters(100, 4, 3);
  const options = { data, loss: crossEntropy(), optimizer: adam({ lr: 0.01 }), batchSize: 32, seed: 3 } as const;
  const network = (): Model<4, 3> => sequential(linear(4, 8), relu(), linear(8, 3));

  test("keeps the losses of all steps, as step events tell them", async () => {
    const told: FitEvent[] = [];
    const reading = { ...options, epochs: 5, regularizer: l2(0.1), reportEvery: 1, log: "steps" } as const;
    const run = fit(network(), {
      ...reading,
      callbacks: [{ name: "each", every: { steps: 1 }, decide: () => new Promise((r) => setImmediate(r)) }],
    });
    for await (const event of run) if (event.kind === "step") told.push(event);
    const { losses, step } = await run;
    expect(step).toBe(20);
    expect(told.length).toBe(20);
    expect(losses).toEqual({
      firstStep: 1,
      loss: Float32Array.from(told, (event) => ("loss" in event ? event.loss : 0)),
      penalty: Float32Array.from(told, (event) => ("penalty" in event ? event.penalty : 0)),
    });
    expect(losses?.penalty[0]).toBeGreaterThan(0);
  });

  test("nothing is kept otherwise; a resumed run begins where it goes on", async () => {
    const plain = await fit(network(), { ...options, steps: 3000 });
    expect(plain.losses).toBeUndefined();
    const whole = await fit(network(), { ...options, steps: 3000, log: "steps" });
    expect(whole.losses?.loss.length).toBe(3000);
    const first = await fit(network(), { ...options, steps: 6 });
    const { losses } = await fit(network(), { ...options, steps: 3000, log: "steps", resume: first.checkpoint() });
    expect(losses).toEqual({
      firstStep: 7,
      loss: whole.losses?.loss.slice(6),
      penalty: whole.losses?.penalty.slice(6),
    });
  });

  test("is refused for more steps than it keeps, and by another name", async () => {
    const refused = fit(network(), { ...options, epochs: 2 ** 26, log: "steps" });
    await expect(refused).rejects.toMatchObject({ code: "ERR_OPTION", where: "fit.epochs" });
    const other = { ...options, epochs: 1, log: "epochs" as "steps" };
    await expect(fit(network(), other)).rejects.toMatchObject({ code: "ERR_OPTION", where: "fit.log" });
  });
});

describe("more steps than 32 bits count", () => {
  const model = line();
  const inputs = standardize();
  const most = 2 ** 32 - 1;

  test.each<[object, string]>([
    [{ steps: most + 1 }, "fit.steps"],
    [{ epochs: most + 1 }, "fit.epochs"],
    [{ epochs: most, batchSize: 1 }, "fit.epochs"],
    [{ epochs: 2 ** 31, batchSize: 1 }, "fit.epochs"],
    [{ epochs: Number.MAX_SAFE_INTEGER, steps: most + 1 }, "fit.steps"],
  ])("%o is refused before anything is done", async (length, where) => {
    const run = fit(model, { ...OPTIONS, inputs, ...length });
    await expect(run).rejects.toMatchObject({ name: "CarillonError", code: "ERR_OPTION", where });
    await expect(run).rejects.toThrow("4294967295 steps");
    expect([model.initialized, model.transforms]).toEqual([false, {}]);
  });

  test("is refused for a resumed run as well, and as many as they count are not", async () => {
    const first = await fit(line(), { ...OPTIONS, epochs: 2 });
    const resume = first.checkpoint();
    const run = fit(line(), { ...OPTIONS, epochs: most + 1, resume });
    await expect(run).rejects.toMatchObject({ code: "ERR_OPTION", where: "fit.epochs" });
    for (const length of [{ epochs: most }, { steps: most }, { epochs: most + 1, steps: 9 }]) {
      const begun = fit(line(), { ...OPTIONS, ...length, resume });
      for await (const { kind } of begun) if (kind === "epoch") break;
      expect(["stopped", "finished"]).toContain((await begun).reason);
    }
  });
});

test("200,000 epochs of two rows, in a heap of 24 MB", { timeout: 120_000 }, async () => {
  const node = ["--max-old-space-size=24", "--max-semi-space-size=1"];
  const { code, stdout, stderr } = await runChild(await bundle("many-epochs"), { node, args: ["200000"] });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(JSON.parse(stdout)).toMatchObject({ epochs: 200_000, first: 1, last: 200_000, best: 200_000 });
});

test("kept runs and results hold no data", { timeout: 120_000 }, async () => {
  const { code, stdout, stderr } = await runChild(await bundle("kept-results"), { node: ["--expose-gc"] });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { kept, data, checkpoints } = JSON.parse(stdout) as Readonly<Record<"kept" | "data" | "checkpoints", number>>;
  expect(checkpoints).toBe(6);
  expect(kept).toBeLessThan(data / 10);
});

test("a metric has the same figures whether its numbers come at once or not", async () => {
  const count = (name: string, wait: boolean) =>
    defineMetric({
      name,
      start: (): number => 0,
      add: (sum, { rows }) => sum + rows,
      result: (sum) =>
        wait ? (new Promise((resolve) => setTimeout(() => resolve(sum), 1)) as unknown as number) : sum,
    });
  const metrics = [count("a", true), count("b", false), count("c", true)];
  const { history } = await fit(line(), { ...OPTIONS, epochs: 3, metrics });
  expect(history.map(({ metrics: figures }) => Object.entries(figures))).toEqual(
    new Array(3).fill([
      ["a", 2],
      ["b", 2],
      ["c", 2],
    ]),
  );
});
