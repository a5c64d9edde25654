import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import {
  type CarillonError,
  cosineDecay,
  crossEntropy,
  type Dataset,
  type Decision,
  dataset,
  fit,
  linear,
  mse,
  oneCycle,
  polynomialDecay,
  type StreamExample,
  sequential,
  sgd,
  stepDecay,
  warmup,
} from "../../lib/index.js";
import { bitsOf } from "../train/synthetic.js";
import { example, FEATURES, inOrder, make, options, ROWS, refusal, rows, trained, x, y } from "./streamed.js";

describe("a stream in its order gives the bits of the same data in memory", () => {
  const sources: readonly [string, () => Dataset][] = [
    ["a generator", () => dataset(inOrder)],
    [
      "an async generator",
      () =>
        dataset(async function* () {
          for (const row of rows) {
            if (row % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
            yield example(row);
          }
        }),
    ],
    ["a Node stream", () => dataset(() => Readable.from(inOrder()))],
    ["a promise of a stream", () => dataset(() => Promise.resolve(Readable.from(inOrder())))],
    ["a web stream", () => dataset(() => Readable.toWeb(Readable.from(inOrder())) as AsyncIterable<StreamExample>)],
    ["an array", () => dataset([...inOrder()])],
    ["plain numbers", () => dataset(rows.map((row) => ({ x: [...(example(row).x as Float32Array)], y: y[row] ?? 0 })))],
    [
      "several examples an item",
      () =>
        dataset(function* () {
          for (let begin = 0; begin < ROWS; begin += 17) {
            yield { x: x.subarray(begin * FEATURES, (begin + 17) * FEATURES), y: y.subarray(begin, begin + 17) };
          }
        }),
    ],
  ];
  test.each(sources)("%s", async (_name, source) => {
    const inMemory = make();
    const extra = { accumulate: 3, validation: { x, y }, metrics: ["accuracy"] } as const;
    const { history } = await fit(inMemory, { ...options, epochs: 4, data: { x, y }, shuffle: false, ...extra });
    const model = make();
    const result = await fit(model, { ...options, epochs: 4, data: source(), ...extra, validation: source() });
    expect(bitsOf(model)).toBe(bitsOf(inMemory));
    const figures = ({ step, epoch, loss, metrics, validation }: (typeof history)[number]): unknown => {
      return { step, epoch, loss, metrics, validation };
    };
    expect(result.history.map(figures)).toEqual(history.map(figures));
    expect(result.step).toBe(4 * Math.ceil(ROWS / 8));
    expect(result.reason).toBe("finished");
  });

  test("with weights, factors of classes, and bytes", async () => {
    const bytes = Uint8Array.from(x, (value) => Math.round(128 + 100 * value));
    const weight = Float32Array.from(rows, (row) => (row % 5) / 4);
    for (const classWeights of [undefined, [0.5, 2], "balanced"] as const) {
      const inMemory = make();
      const extra = { ...options, epochs: 3, classWeights };
      await fit(inMemory, { ...extra, data: { x: bytes, y, weight }, shuffle: false });
      const model = make();
      const data = dataset(() =>
        rows.map((row) => ({
          x: bytes.subarray(row * FEATURES, (row + 1) * FEATURES),
          y: y[row] ?? 0,
          weight: weight[row],
        })),
      );
      await fit(model, { ...extra, data });
      expect(bitsOf(model)).toBe(bitsOf(inMemory));
    }
  });

  test("more steps than a block has room for", async () => {
    const wide = 2000; // 8 batches of 32 rows are 2 MiB
    const many = 700;
    const inputs = Float32Array.from({ length: many * wide }, (_, index) => ((index * 101) % 257) / 257);
    const targets = Float32Array.from({ length: many }, (_, row) => (row % 7) / 7);
    const regression = { loss: mse(), optimizer: sgd({ lr: 1e-4 }), epochs: 2 };
    const inMemory = sequential(linear(wide, 1));
    await fit(inMemory, { ...regression, data: { x: inputs, y: targets }, shuffle: false });
    const model = sequential(linear(wide, 1));
    const data = dataset(() =>
      Array.from(targets, (target, row) => ({ x: inputs.subarray(row * wide, (row + 1) * wide), y: target })),
    );
    await fit(model, { ...regression, data });
    expect(bitsOf(model)).toBe(bitsOf(inMemory));
  });
});

describe("shuffle buffer", () => {
  /** Orders in which a run sees the numbers of the rows, epoch by epoch: its targets, logged by a loss of one weight. */
  async function orders(count: number, shuffleBuffer: number, seed: number, epochs: number): Promise<number[][]> {
    const model = sequential(linear(1, 1, { bias: false, init: 0 }));
    const data = dataset(() => Array.from({ length: count }, (_, row) => ({ x: [1], y: row })), { shuffleBuffer });
    const seen: number[][] = [];
    const run = fit(model, {
      data,
      loss: mse(),
      optimizer: sgd({ lr: 0 }),
      batchSize: 1,
      epochs,
      seed,
      reportEvery: 1,
      callbacks: [{ name: "pace", every: { steps: 1 }, decide: () => new Promise((resolve) => setImmediate(resolve)) }],
    });
    for await (const event of run) {
      if (event.kind !== "step") continue;
      const order = seen[event.epoch - 1] ?? [];
      seen[event.epoch - 1] = order;
      order.push(Math.round(Math.sqrt(event.loss))); // the loss of row r is r²
    }
    return seen;
  }

  test("gives every example once an epoch, in another order each", async () => {
    const all = await orders(50, 20, 1, 3);
    for (const order of all) expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(new Set(all.map((order) => order.join())).size).toBe(3);
    expect(await orders(50, 20, 1, 3)).toEqual(all);
    expect(await orders(50, 20, 2, 3)).not.toEqual(all);
  });

  test("an example comes at most `shuffleBuffer` − 1 places before its own, and some come far behind", async () => {
    const [order = []] = await orders(200, 10, 3, 1);
    for (const [place, row] of order.entries()) expect(row - place).toBeLessThan(10);
    expect(order.some((row, place) => place - row > 10)).toBe(true);
  });

  test("of all examples, every order is equally likely", async () => {
    const counts = new Map<string, number>();
    const seeds = 10;
    const epochs = 240;
    for (let seed = 0; seed < seeds; seed++) {
      for (const order of await orders(4, 4, seed, epochs)) {
        counts.set(order.join(), (counts.get(order.join()) ?? 0) + 1);
      }
    }
    // χ² of 24 orders with 23 degrees of freedom: 49.7 is passed with probability 0.001 by chance; the seeds are fixed.
    const expected = (seeds * epochs) / 24;
    expect(counts.size).toBe(24);
    const chi2 = [...counts.values()].reduce(
      (sum, count) => sum + ((count - expected) * (count - expected)) / expected,
      0,
    );
    expect(chi2).toBeLessThan(49.7);
  });

  test("shuffle: false keeps the order", async () => {
    expect(await trained(dataset(inOrder, { shuffleBuffer: 50 }), { shuffle: false })).toBe(
      await trained(dataset(inOrder)),
    );
    expect(await trained(dataset(inOrder, { shuffleBuffer: 50 }))).not.toBe(await trained(dataset(inOrder)));
  });

  test("does not depend on how the examples come", async () => {
    const buffered = { shuffleBuffer: 32 };
    const expected = await trained(dataset(inOrder, buffered));
    expect(await trained(dataset(() => Readable.from(inOrder()), buffered))).toBe(expected);
    const wide = dataset(() => [{ x, y }], buffered);
    expect(await trained(wide)).toBe(expected);
    for (const threads of [1, 3]) expect(await trained(dataset(inOrder, buffered), { threads })).toBe(expected);
  });
});

describe("resume", () => {
  const data = (): Dataset => dataset(inOrder, { shuffleBuffer: 40 });

  test.each([1, 5, 13, 14, 26, 30, 51])("from step %i gives the bits of a run that was never cut", async (cut) => {
    const whole = make();
    await fit(whole, { ...options, data: data(), epochs: 4 });
    const first = make();
    const { checkpoint } = await fit(first, { ...options, data: data(), epochs: 4, steps: cut });
    const model = make();
    const result = await fit(model, { ...options, data: data(), epochs: 4, resume: checkpoint() });
    expect(bitsOf(model)).toBe(bitsOf(whole));
    expect(result.step).toBe(52);
    expect(result.history.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]); // those before the cut as well
  });

  test("from a stop in the middle of a block, by a callback", async () => {
    const whole = make();
    await fit(whole, { ...options, data: data(), epochs: 4 });
    const callbacks = [{ name: "stop", every: { steps: 17 }, decide: (at: Decision): void => at.stop() }];
    const { checkpoint, step, reason } = await fit(make(), { ...options, data: data(), epochs: 4, callbacks });
    expect([step, reason]).toEqual([17, "stopped"]);
    const model = make();
    await fit(model, { ...options, data: data(), epochs: 4, resume: checkpoint() });
    expect(bitsOf(model)).toBe(bitsOf(whole));
  });

  test("of a finished run does nothing", async () => {
    const first = make();
    const { checkpoint } = await fit(first, { ...options, data: data(), epochs: 2 });
    let opened = 0;
    const counted = dataset(
      () => {
        opened += 1;
        return inOrder();
      },
      { shuffleBuffer: 40 },
    );
    const model = make();
    const { step } = await fit(model, { ...options, data: counted, epochs: 2, resume: checkpoint() });
    expect([step, opened]).toEqual([26, 1]); // opened to look at the first example
    expect(bitsOf(model)).toBe(bitsOf(first));
  });

  test("refuses other data", async () => {
    const { checkpoint } = await fit(make(), { ...options, data: data(), epochs: 4, steps: 20 });
    const resume = checkpoint();
    const again = (other: object): Promise<CarillonError> => {
      return refusal(fit(make(), { ...options, data: data(), epochs: 4, resume, ...other }));
    };
    expect((await again({ data: dataset(inOrder) })).message).toContain("shuffleBuffer 40");
    expect((await again({ data: { x, y } })).code).toBe("ERR_STATE");
    const oneShot = await again({ data: dataset(inOrder(), { shuffleBuffer: 40 }) });
    expect([oneShot.code, oneShot.where]).toEqual(["ERR_STATE", "fit.data"]);
    expect(oneShot.message).toContain("pass a function that opens it anew");
    const short = await again({ data: dataset(() => [...inOrder()].slice(0, 40), { shuffleBuffer: 40 }) });
    expect(short.code).toBe("ERR_STATE");
    expect(short.message).toContain("more than 56 examples in epoch 2");
  });
});

describe("one pass only", () => {
  test("serves one epoch", async () => {
    expect(await trained(dataset(inOrder()), { epochs: 1 })).toBe(await trained(dataset(inOrder), { epochs: 1 }));
    expect(await trained(dataset(Readable.from(inOrder())), { epochs: undefined, steps: 13 })).toBe(
      await trained(dataset(inOrder), { epochs: 1 }),
    );
  });

  test.each<[string, () => Dataset]>([
    ["a generator", () => dataset(inOrder())],
    ["a Node stream", () => dataset(Readable.from(inOrder()))],
    [
      "a factory that gives the same stream again",
      () => {
        const stream = Readable.from(inOrder());
        return dataset(() => stream);
      },
    ],
  ])("a second epoch of %s is refused with the reason", async (_name, source) => {
    const error = await refusal(trained(source(), { epochs: 2 }));
    expect([error.code, error.where]).toEqual(["ERR_STATE", "fit.data"]);
    expect(error.message).toContain("epoch 2 reads the stream once more");
    expect(error.message).toContain("pass a function that opens it anew");
  });

  test("before anything is read, where it is known; else behind the first epoch", async () => {
    const model = make();
    let pulled = 0;
    const items = (function* () {
      for (const item of inOrder()) {
        pulled += 1;
        yield item;
      }
    })();
    const error = await refusal(fit(model, { ...options, data: dataset(items), epochs: 2 }));
    expect(error.message).toContain("received a generator, which can be read only once: pass a function");
    expect([pulled, model.initialized]).toEqual([0, false]);
    const stream = Readable.from(inOrder());
    await refusal(fit(model, { ...options, data: dataset(() => stream), epochs: 2 }));
    expect(bitsOf(model)).toBe(await trained(dataset(inOrder), { epochs: 1 }));
  });

  test("serves one validation", async () => {
    const run = (more: object) => fit(make(), { ...options, data: { x, y }, epochs: 4, ...more });
    for (const validate of [undefined, { every: { epochs: 3 } }]) {
      const error = await refusal(run({ validation: dataset(inOrder()), validate }));
      expect([error.code, error.where]).toEqual(["ERR_STATE", "fit.validation"]);
      expect(error.message).toContain("validation 2 reads the stream once more");
    }
    const often = { epochs: undefined, steps: 9, validate: { every: { steps: 4 } } };
    expect((await refusal(run({ validation: dataset(inOrder()), ...often }))).where).toBe("fit.validation");
    const { history } = await run({ validation: dataset(inOrder()), validate: { every: { epochs: 4 } } });
    expect(history.at(-1)?.step).toBe(52);
  });
});

describe("schedules", () => {
  const falling = ({ step, steps }: { readonly step: number; readonly steps: number }): number =>
    0.1 * (1 - step / steps);

  test("are told the steps if the options say them", async () => {
    const optimizer = sgd({ lr: falling });
    const inMemory = make();
    await fit(inMemory, { ...options, optimizer, data: { x, y }, shuffle: false, steps: 20 });
    const model = make();
    await fit(model, { ...options, optimizer, data: dataset(inOrder), steps: 20 });
    expect(bitsOf(model)).toBe(bitsOf(inMemory));
    const error = await refusal(fit(make(), { ...options, optimizer, data: dataset(inOrder), epochs: 2 }));
    expect([error.code, error.where]).toEqual(["ERR_OPTION", "schedule"]);
    expect(error.message).toContain("a stream does not tell how many");
  });

  test.each([
    ["cosineDecay", cosineDecay({ lr: 0.1, steps: 30 })],
    ["cosineDecay with restarts", cosineDecay({ lr: 0.1, restarts: { period: 5 } })],
    ["oneCycle", oneCycle({ max: 0.1, steps: 40 })],
    ["polynomialDecay", polynomialDecay({ lr: 0.1, steps: 30 })],
    ["warmup of a number", warmup(0.1, { steps: 5 })],
    ["warmup of a schedule", warmup(cosineDecay({ lr: 0.1, steps: 30 }), { steps: 5 })],
    ["stepDecay by epochs", stepDecay({ lr: 0.1, factor: 0.5, every: { epochs: 1 } })],
  ])("%s needs no more than it is told", async (_name, lr) => {
    const optimizer = sgd({ lr });
    const inMemory = make();
    await fit(inMemory, { ...options, optimizer, data: { x, y }, shuffle: false, epochs: 3 });
    const model = make();
    await fit(model, { ...options, optimizer, data: dataset(inOrder), epochs: 3 });
    expect(bitsOf(model)).toBe(bitsOf(inMemory));
  });

  test("see the epoch", async () => {
    const optimizer = sgd({ lr: ({ epoch }) => 0.1 / epoch });
    const inMemory = make();
    await fit(inMemory, { ...options, optimizer, data: { x, y }, shuffle: false, epochs: 3 });
    const model = make();
    await fit(model, { ...options, optimizer, data: dataset(inOrder), epochs: 3 });
    expect(bitsOf(model)).toBe(bitsOf(inMemory));
  });
});

test("callbacks are asked at the same places as with data in memory", async () => {
  const places = async (data: object): Promise<string[]> => {
    const seen: string[] = [];
    const note = (name: string) => (at: { readonly step: number; readonly epoch: number; readonly loss: number }) => {
      seen.push(`${name} ${at.step} ${at.epoch} ${at.loss}`);
    };
    const callbacks = [
      { name: "a", every: { steps: 5 }, decide: note("a") },
      { name: "b", every: { epochs: 2 }, decide: note("b") },
      { name: "c", decide: note("c") },
    ];
    await fit(make(), { ...options, ...data, callbacks, epochs: 4, steps: 47 } as never);
    return seen;
  };
  expect(await places({ data: dataset(inOrder) })).toEqual(await places({ data: { x, y }, shuffle: false }));
});

test("evaluate takes a stream", async () => {
  const model = make().initialize(3);
  const measured = { loss: crossEntropy(), metrics: ["accuracy"] } as const;
  expect(await model.evaluate(dataset(inOrder), measured)).toEqual(await model.evaluate({ x, y }, measured));
});

test("the time left of a resumed run is that of its training, without what is read once more", async () => {
  let slow = false;
  const source = async function* () {
    for (const row of rows) {
      if (slow && row < 30) await new Promise((resolve) => setTimeout(resolve, 10));
      yield example(row);
    }
  };
  const job = { ...options, data: dataset(source), batchSize: 10 };
  const first = await fit(make(), { ...job, steps: 3 });
  slow = true;
  const resumed = fit(make(), { ...job, steps: 4, epochs: undefined, reportEvery: 1, resume: first.checkpoint() });
  for await (const event of resumed) {
    if (event.kind !== "epoch") continue;
    expect(event.seconds).toBeGreaterThan(0.25);
    expect(10 / event.examplesPerSecond).toBeLessThan(event.seconds / 2);
  }
  await resumed;
});
