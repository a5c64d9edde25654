// What a run tells: in which order, to whom, and that a failure is told once.
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  adam,
  type Callback,
  crossEntropy,
  type FitEvent,
  fit,
  linear,
  type Model,
  relu,
  sequential,
  sgd,
} from "carillon";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bitsOf, clusters } from "./synthetic.js";

const DATA = clusters(60, 4, 3);
/** 4 steps an epoch. */
const OPTIONS = { data: DATA, loss: crossEntropy(), optimizer: adam(), batchSize: 16 } as const;
/** More steps than any test waits for. */
const ENDLESS = { ...OPTIONS, steps: 1_000_000 } as const;

function network(): Model<4, 3> {
  return sequential(linear(4, 16), relu(), linear(16, 3));
}

const unhandled: unknown[] = [];
const note = (reason: unknown): void => {
  unhandled.push(reason);
};
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));

beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", note);
});

afterEach(async () => {
  await turn();
  process.off("unhandledRejection", note);
});

/** Every step is a call, so that a reader sees each. */
const stepping: Callback = { name: "stepping", every: { steps: 1 }, decide: () => turn() };

function names(events: readonly FitEvent[]): string[] {
  return events.map((event) => (event.kind === "epoch" ? `epoch ${event.epoch}` : event.kind));
}

describe("order", () => {
  test("start, steps, epochs, end", async () => {
    const events: FitEvent[] = [];
    for await (const event of fit(network(), { ...OPTIONS, epochs: 2, reportEvery: 2, callbacks: [stepping] })) {
      events.push(event);
    }
    expect(names(events)).toEqual(["start", "step", "step", "epoch 1", "step", "step", "epoch 2", "end"]);
    expect(events.filter(({ kind }) => kind === "step").map(({ step }) => step)).toEqual([2, 4, 6, 8]);
    expect(events[0]).toMatchObject({ steps: 8, step: 0, stepsPerEpoch: 4, samples: 60, parameters: 131 });
    expect(events.at(-1)).toMatchObject({ kind: "end", reason: "finished", step: 8 });
    expect(JSON.parse(JSON.stringify(events))).toEqual(events);
  });

  test("without reportEvery there are no step events", async () => {
    const events: FitEvent[] = [];
    for await (const event of fit(network(), { ...OPTIONS, epochs: 2 })) events.push(event);
    expect(names(events)).toEqual(["start", "epoch 1", "epoch 2", "end"]);
  });

  test("a step event has the loss of the weights before its step, the same that a callback sees", async () => {
    const seen: number[] = [];
    const looking: Callback = {
      ...stepping,
      async decide({ dataLoss }) {
        seen.push(dataLoss);
        await turn();
      },
    };
    const told: number[] = [];
    const data = { x: DATA.x.subarray(0, 32), y: DATA.y.subarray(0, 8) };
    const one = { ...OPTIONS, data: { x: data.x, y: data.y }, batchSize: 8, reportEvery: 1 };
    for await (const event of fit(network(), { ...one, epochs: 3, callbacks: [looking] })) {
      if (event.kind === "step") told.push(event.dataLoss);
    }
    expect(told).toEqual(seen);
    expect(new Set(told).size).toBe(3);
  });

  test("who comes late is told everything but the steps", async () => {
    const run = fit(network(), { ...OPTIONS, epochs: 2, reportEvery: 1 });
    await run;
    const events: FitEvent[] = [];
    for await (const event of run) events.push(event);
    expect(names(events)).toEqual(["start", "epoch 1", "epoch 2", "end"]);
  });

  test("two readers are told the same", async () => {
    const run = fit(network(), { ...OPTIONS, epochs: 3 });
    const read = async (): Promise<FitEvent[]> => {
      const events: FitEvent[] = [];
      for await (const event of run) events.push(event);
      return events;
    };
    const [first, second] = await Promise.all([read(), read()]);
    expect(first).toEqual(second);
    expect(names(first)).toEqual(["start", "epoch 1", "epoch 2", "epoch 3", "end"]);
  });

  test("an iterator may be asked several times at once", async () => {
    const iterator = fit(network(), { ...OPTIONS, epochs: 1 })[Symbol.asyncIterator]();
    const results = await Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next()]);
    expect(results.map(({ value }) => value?.kind)).toEqual(["start", "epoch", "end", undefined]);
    expect(results.map(({ done }) => done)).toEqual([false, false, false, true]);
  });
});

test("a slow reader loses step events only, and does not slow the run", async () => {
  const steps = 4000;
  const run = fit(network(), { ...OPTIONS, steps, reportEvery: 1 });
  const events: FitEvent[] = [];
  for await (const event of run) {
    if (events.length === 0) await run; // asleep for the whole run
    events.push(event);
  }
  const epochs = events.filter(({ kind }) => kind === "epoch").map((event) => event.kind === "epoch" && event.epoch);
  expect(epochs).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1));
  expect(events.filter(({ kind }) => kind === "step").length).toBeLessThanOrEqual(1000);
  const places = events.slice(1, -1).map(({ step }) => step);
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect([events[0]?.kind, events.at(-1)?.kind]).toEqual(["start", "end"]);
});

describe("leaving", () => {
  test("break stops the run, waits for it, and frees the model", async () => {
    const model = network();
    const run = fit(model, { ...ENDLESS, reportEvery: 1 });
    for await (const event of run) if (event.kind === "epoch") break;
    const settled = bitsOf(model);
    model.setWeights(model.weights());
    expect(await run).toMatchObject({ reason: "stopped" });
    expect(bitsOf(model)).toBe(settled);
  });

  test("a throwing body stops the run, and its error comes through", async () => {
    const model = network();
    const run = fit(model, ENDLESS);
    const reading = async (): Promise<void> => {
      for await (const event of run) if (event.kind === "epoch") throw new Error("mine");
    };
    await expect(reading()).rejects.toThrow("mine");
    model.initialize(1);
    expect((await run).reason).toBe("stopped");
  });

  test("an iterator that was left is done", async () => {
    const iterator = fit(network(), ENDLESS)[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.return?.();
    expect(await iterator.next()).toEqual({ value: undefined, done: true });
  });

  test("await using stops and waits", async () => {
    const model = network();
    let kept: PromiseLike<{ readonly reason: string }> | undefined;
    {
      await using run = fit(model, ENDLESS);
      kept = run;
    }
    model.initialize(1);
    expect((await kept).reason).toBe("stopped");
  });
});

describe("streams", () => {
  test("pipeline into a generator", async () => {
    const lines: string[] = [];
    await pipeline(
      fit(network(), { ...OPTIONS, epochs: 2 }),
      async function* (events: AsyncIterable<FitEvent>) {
        for await (const event of events) yield `${JSON.stringify(event)}\n`;
      },
      async (source: AsyncIterable<string>) => {
        for await (const line of source) lines.push(line);
      },
    );
    expect(lines.map((line) => (JSON.parse(line) as FitEvent).kind)).toEqual(["start", "epoch", "epoch", "end"]);
  });

  test("Readable.from", async () => {
    const events: FitEvent[] = [];
    for await (const event of Readable.from(fit(network(), { ...OPTIONS, epochs: 2 }))) events.push(event as FitEvent);
    expect(names(events)).toEqual(["start", "epoch 1", "epoch 2", "end"]);
  });

  test("a destroyed stream stops the run", async () => {
    const model = network();
    const run = fit(model, ENDLESS);
    const stream = Readable.from(run);
    for await (const event of stream) if ((event as FitEvent).kind === "epoch") break;
    expect((await run).reason).toBe("stopped");
    model.initialize(1);
  });
});

describe("failure", () => {
  const broken: Callback = {
    name: "broken",
    every: { steps: 2 },
    decide() {
      throw new Error("broken on purpose");
    },
  };

  test("reaches who awaits", async () => {
    await expect(fit(network(), { ...OPTIONS, epochs: 2, callbacks: [broken] })).rejects.toThrow("broken on purpose");
  });

  test("reaches who iterates, after the events before it, and nobody else", async () => {
    const events: FitEvent[] = [];
    const reading = async (): Promise<void> => {
      for await (const event of fit(network(), { ...OPTIONS, epochs: 2, callbacks: [broken] })) events.push(event);
    };
    await expect(reading()).rejects.toThrow("broken on purpose");
    await turn();
    expect(names(events)).toEqual(["start"]);
    expect(unhandled).toEqual([]);
  });

  test("reaches both", async () => {
    const run = fit(network(), { ...OPTIONS, epochs: 2, callbacks: [broken] });
    const reading = async (): Promise<void> => {
      for await (const _ of run);
    };
    await expect(reading()).rejects.toThrow("broken on purpose");
    await expect(run).rejects.toThrow("broken on purpose");
    await turn();
    expect(unhandled).toEqual([]);
  });

  test("reaches a pipeline", async () => {
    const run = fit(network(), { ...OPTIONS, epochs: 2, callbacks: [broken] });
    const ignore = async (events: AsyncIterable<FitEvent>): Promise<void> => {
      for await (const _ of events);
    };
    await expect(pipeline(run, ignore)).rejects.toThrow("broken on purpose");
    await turn();
    expect(unhandled).toEqual([]);
  });

  test("is not lost where nobody listens", async () => {
    fit(network(), { ...OPTIONS, epochs: 2, callbacks: [broken] });
    while (unhandled.length === 0) await turn();
    expect(unhandled).toEqual([expect.objectContaining({ message: "broken on purpose" })]);
  });

  test("before the start rejects too, and never throws", async () => {
    const run = fit(network(), { ...OPTIONS, epochs: 0 });
    await expect(run).rejects.toMatchObject({ code: "ERR_OPTION" });
    const reading = async (): Promise<void> => {
      for await (const _ of fit(network(), { ...OPTIONS, epochs: -1 }));
    };
    await expect(reading()).rejects.toMatchObject({ code: "ERR_OPTION" });
    await turn();
    expect(unhandled).toEqual([]);
  });

  test("tells of no step that did not happen", async () => {
    const lr = ({ step }: { readonly step: number }): number => (step === 7 ? Number.NaN : 0.1);
    const model = network();
    const events: FitEvent[] = [];
    const calls: Callback = { name: "calls", every: { steps: 3 }, decide: () => undefined };
    const run = fit(model, { ...OPTIONS, optimizer: sgd({ lr }), epochs: 4, reportEvery: 1, callbacks: [calls] });
    const reading = async (): Promise<void> => {
      for await (const event of run) events.push(event);
    };
    await expect(reading()).rejects.toMatchObject({ code: "ERR_OPTION", where: "sgd.lr" });
    expect(Math.max(...events.map(({ kind, step }) => (kind === "start" ? 0 : step)))).toBe(6);
    const six = network();
    await fit(six, { ...OPTIONS, optimizer: sgd({ lr: 0.1 }), steps: 6 });
    expect(bitsOf(model)).toBe(bitsOf(six));
  });
});
