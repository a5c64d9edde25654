import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { dataset, fit, linear, mse, type StreamExample, sequential, sgd, standardize } from "../../lib/index.js";
import { example, inOrder, make, options, ROWS, refusal, rows, trained, x, y } from "./streamed.js";

describe("what a source does", () => {
  test("it is pulled as needed and closed in the end", async () => {
    let pulled = 0;
    let closed = 0;
    const data = dataset(function* () {
      try {
        for (;;) {
          pulled += 1;
          yield example(pulled % ROWS);
        }
      } finally {
        closed += 1;
      }
    });
    await fit(make(), { ...options, data, steps: 5 });
    expect(pulled).toBe(5 * 8 + 1); // one more, to know whether the epoch ends there
    expect(closed).toBe(1);
  });

  test("it is never asked for more than the buffer and two blocks ahead of the training", async () => {
    const wide = 2000;
    const total = 4000;
    const shuffleBuffer = 100;
    const blockRows = 32 * Math.floor(2 ** 21 / (32 * 4 * (wide + 1))); // blocks of whole batches in 2 MiB
    let pulled = 0;
    let ahead = 0;
    const data = dataset(
      function* () {
        for (; pulled < total; pulled++) yield { x: new Float32Array(wide).fill(pulled / total), y: pulled / total };
      },
      { shuffleBuffer },
    );
    const decide = async ({ step }: { readonly step: number }): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve)); // the source could run ahead now
      ahead = Math.max(ahead, pulled - 32 * step);
    };
    const model = sequential(linear(wide, 1));
    const callbacks = [{ name: "watch", every: { steps: 1 }, decide }];
    await fit(model, { data, loss: mse(), optimizer: sgd({ lr: 1e-4 }), epochs: 1, callbacks });
    expect(pulled).toBe(total);
    expect(ahead).toBeLessThanOrEqual(shuffleBuffer + 2 * blockRows + 1);
    expect(ahead).toBeGreaterThan(shuffleBuffer); // it is read while the run is elsewhere
  });

  test("a stopped or aborted run does not wait for it", async () => {
    const forever = dataset(async function* () {
      for (const row of rows.slice(0, 20)) yield example(row);
      await new Promise(() => undefined);
    });
    const run = fit(make(), { ...options, data: forever, epochs: 1 });
    setTimeout(() => run.stop(), 50);
    const { reason, step } = await run;
    expect(reason).toBe("stopped");
    expect(step).toBeLessThanOrEqual(2);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(fit(make(), { ...options, data: forever, epochs: 1, signal: controller.signal })).rejects.toThrow(
      "enough",
    );
  });

  test("an abort or a stop does not wait for the pass that transforms need, nor for the first example", async () => {
    let closed = 0;
    const endless = dataset(function* () {
      try {
        for (;;) yield* inOrder();
      } finally {
        closed += 1;
      }
    });
    const never = dataset(async function* () {
      await new Promise(() => undefined);
      yield example(0);
    });
    for (const [data, inputs] of [
      [endless, standardize()],
      [never, standardize()],
      [never, undefined],
      [dataset(() => new Promise<never>(() => undefined)), undefined],
    ] as const) {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new Error("enough")), 20);
      const model = make();
      const run = fit(model, { ...options, data, inputs, epochs: 1, signal: controller.signal });
      await expect(run).rejects.toThrow("enough");
      await fit(model, { ...options, data: { x, y }, steps: 1 }); // the model is free again

      const other = make();
      const signal = new AbortController().signal;
      const stopped = fit(other, { ...options, data, inputs, epochs: 1, signal });
      setTimeout(() => stopped.stop(), 20);
      const result = await stopped;
      expect(result).toMatchObject({ reason: "stopped", stoppedBy: null, step: 0, history: [], best: undefined });
      expect(() => result.checkpoint()).toThrow(expect.objectContaining({ code: "ERR_STATE", where: "checkpoint" }));
      const kinds: string[] = [];
      for await (const { kind } of stopped) kinds.push(kind);
      expect(kinds).toEqual(["end"]);
      expect(other.initialized).toBe(false);
      expect(getEventListeners(signal, "abort")).toEqual([]);
      await fit(other, { ...options, data, inputs, epochs: 1 })[Symbol.asyncDispose]();
    }
    expect(closed).toBe(2); // aborted, stopped; the third was left before the source was opened
  });

  test("any true value of 'done' ends it, as it ends for await", async () => {
    const cursor = (): AsyncIterable<StreamExample> => {
      let given = 0;
      const next = async () => (given < 16 ? { value: example(given++) } : { done: 1, value: example(0) });
      return { [Symbol.asyncIterator]: () => ({ next }) as unknown as AsyncIterator<StreamExample> };
    };
    const { step } = await fit(make(), { ...options, data: dataset(cursor), epochs: 1 });
    expect(step).toBe(2);
  });

  test("a source that opens after the stop is closed", async () => {
    let closed = 0;
    let open = (_rows: AsyncIterable<StreamExample>): void => undefined;
    const data = dataset(() => new Promise<AsyncIterable<StreamExample>>((resolve) => (open = resolve)));
    const run = fit(make(), { ...options, data, epochs: 1 });
    setTimeout(() => run.stop(), 5);
    expect((await run).reason).toBe("stopped");
    open({
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ value: example(0), done: false }),
        return() {
          closed += 1;
          return Promise.resolve({ value: undefined, done: true });
        },
      }),
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toBe(1);
  });

  test("batches that are there are trained while the next are waited for", async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const data = dataset(async function* () {
      for (const row of rows.slice(0, 16)) yield example(row);
      for (const row of rows.slice(16, 40)) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        yield example(row);
      }
      await gate; // opened by the first step: all would stand still if the run waited for a whole block
      for (const row of rows.slice(40)) yield example(row);
    });
    const callbacks = [{ name: "opener", every: { steps: 1 }, decide: (): void => release() }];
    const { step } = await fit(make(), { ...options, data, epochs: 1, callbacks });
    expect(step).toBe(13);
  });

  test("an error of the source rejects the run with it, after what came before", async () => {
    const failing = dataset(function* () {
      yield* [...inOrder()].slice(0, 30);
      throw new Error("the cursor broke");
    });
    await expect(fit(make(), { ...options, data: failing, epochs: 1 })).rejects.toThrow("the cursor broke");
  });

  test("epochs of different lengths are counted as they come", async () => {
    let opened = 0;
    const data = dataset(() => {
      opened += 1;
      return [...inOrder()].slice(0, 8 * opened);
    });
    const { history } = await fit(make(), { ...options, data, epochs: 3 });
    expect(history.map(({ epoch, step }) => [epoch, step])).toEqual([
      [1, 1],
      [2, 3],
      [3, 6],
    ]);
  });

  test.each<[string, unknown, string, string]>([
    ["nothing at all", [], "ERR_DATA", "at least one example"],
    ["no example", [5], "ERR_DATA", "{ x, y } in the item from example 0 on"],
    ["undefined", [undefined], "ERR_DATA", "{ x, y } in the item from example 0 on"],
    [
      "too few values",
      [example(0), { x: [1, 2], y: 0 }],
      "ERR_DATA",
      "rows of 3 values (a multiple of 3) in the item from example 1 on",
    ],
    [
      "no numbers",
      [{ x: "abc", y: 0 }],
      "ERR_DTYPE",
      "a typed array, an array of rows or a tensor in the item from example 0 on",
    ],
    ["a string", [example(0), { x: [1, "2", 3], y: 0 }], "ERR_DATA", "example 1, column 1"],
    ["not finite", [{ x: [1, 2, Number.NaN], y: 0 }], "ERR_DATA", "example 0, column 2"],
    ["too large for float32", [{ x: [1, 2, 1e39], y: 0 }], "ERR_DATA", "example 0, column 2"],
    [
      "no label",
      [example(0), { x: [1, 2, 3], y: 2 }],
      "ERR_LABEL",
      "an integer in [0, 1] for 'fit.data.y' but received 2 in example 1",
    ],
    ["too many labels", [{ x: [1, 2, 3], y: [0, 1, 1] }], "ERR_DATA", "1 row, as x has, in the item from example 0 on"],
    ["numbers behind bytes", [{ x: Uint8Array.of(1, 2, 3), y: 0 }, example(0)], "ERR_DTYPE", "a Uint8Array"],
    ["a negative weight", [{ x: [1, 2, 3], y: 0, weight: -1 }], "ERR_DATA", "a weight >= 0"],
    ["a weight that is missing", [{ x: [1, 2, 3], y: 0, weight: 1 }, example(0)], "ERR_DATA", "a weight, as the first"],
    ["a weight too many", [example(0), { x: [1, 2, 3], y: 0, weight: 1 }], "ERR_DATA", "no weight, as the first"],
  ])("%s is refused with the place", async (_name, items, code, text) => {
    const error = await refusal(trained(dataset(() => items as StreamExample[])));
    expect(error.code).toBe(code);
    expect(error.message).toContain(text);
    expect(error.where.startsWith("fit.data")).toBe(true);
  });

  test("a factory that gives nothing to iterate is refused", async () => {
    const error = await refusal(trained(dataset((() => 5) as never)));
    expect([error.code, error.where]).toEqual(["ERR_DATA", "fit.data"]);
  });

  test("a buffer that no memory can hold is refused", async () => {
    const wide = 100_000; // times 2³¹ examples: 800 terabytes
    const data = dataset(() => [{ x: new Float32Array(wide), y: 0 }], { shuffleBuffer: 2 ** 31 - 1 });
    const error = await refusal(fit(sequential(linear(wide, 2)), { ...options, data, epochs: 1 }));
    expect([error.code, error.where]).toEqual(["ERR_OPTION", "dataset.shuffleBuffer"]);
  });

  test.each([1e9, 2 ** 40, 2 ** 52])(
    "batches of %d rows are refused with the memory they would take",
    async (batchSize) => {
      const wide = 100;
      const items = () => [{ x: new Float32Array(wide), y: 0 }];
      const error = await refusal(
        fit(sequential(linear(wide, 2)), { ...options, data: dataset(items), epochs: 1, batchSize }),
      );
      expect([error.code, error.where]).toEqual(["ERR_OPTION", "fit.batchSize"]);
      expect(error.message).toMatch(
        /fits into memory but received \d+: two blocks of its rows take [\d.]+ GB, and there are/,
      );
    },
  );

  test("so are batches whose rows fit, but not what a network makes of them", async () => {
    const many = 10_000; // outputs a row
    const items = () => [{ x: Uint8Array.of(1), y: 0 }];
    const run = fit(sequential(linear(1, many)), { ...options, data: dataset(items), epochs: 1, batchSize: 1e6 });
    const error = await refusal(run);
    expect([error.code, error.where]).toEqual(["ERR_OPTION", "batchSize"]);
    expect(error.message).toMatch(/received 1000000 rows, whose values take \d+\.\d GB/);
  });

  test("options are strict", () => {
    expect(() => dataset(inOrder, { shufleBuffer: 3 } as never)).toThrow("Did you mean 'shuffleBuffer'?");
    for (const shuffleBuffer of [0, -1, 1.5, Number.NaN]) expect(() => dataset(inOrder, { shuffleBuffer })).toThrow();
    expect(() => dataset(5 as never)).toThrow("a function that opens a stream");
  });
});
