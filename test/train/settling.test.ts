// Code of the caller that never settles, and runs that are to end nevertheless: a stop resolves, an abort rejects, the model is free.
import {
  type Callback,
  crossEntropy,
  dataset,
  defineMetric,
  fit,
  linear,
  type Metric,
  type Model,
  relu,
  sequential,
  sgd,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bitsOf, clusters } from "./synthetic.js";

const DATA = clusters(48, 4, 3);
/** 3 steps an epoch. */
const OPTIONS = { data: DATA, loss: crossEntropy(), optimizer: sgd({ lr: 0.1 }), batchSize: 16, epochs: 4 } as const;

function network(): Model<4, 3> {
  return sequential(linear(4, 8), relu(), linear(8, 3));
}

async function bitsAfter(steps: number): Promise<string> {
  const model = network();
  await fit(model, { ...OPTIONS, epochs: undefined, steps });
  return bitsOf(model);
}

/** A promise that settles when it is told to, and tells when somebody waits for it. */
function hanging<T>() {
  let begun = (): void => undefined;
  const waitedFor = new Promise<void>((resolve) => {
    begun = resolve;
  });
  let fail = (_: Error): void => undefined;
  const work = new Promise<T>((_, reject) => {
    fail = reject;
  });
  const wait = (): Promise<T> => {
    begun();
    return work;
  };
  return { waitedFor, fail: (error: Error) => fail(error), wait };
}

type Hanging = ReturnType<typeof hanging<never>>;

/** A metric whose figure of a set of so many rows never comes. */
function slowMetric(hung: Hanging, rowsOfSet: number): Metric<"slow"> {
  const metric = defineMetric({
    name: "slow",
    start: (): number => 0,
    add: (rows, { rows: more }) => rows + more,
    result: (rows) => (rows === rowsOfSet ? (hung.wait() as unknown as number) : 0),
  });
  return metric;
}

const CASES: [string, (hung: Hanging) => object, number][] = [
  ["a callback", (hung) => ({ callbacks: [{ name: "slow", decide: () => hung.wait() }] }), 3],
  ["the end of a callback", (hung) => ({ callbacks: [{ name: "slow", decide() {}, end: () => hung.wait() }] }), 12],
  ["a metric of training", (hung) => ({ metrics: [slowMetric(hung, 48)] }), 3],
  ["a metric of validation", (hung) => ({ metrics: [slowMetric(hung, 30)], validation: clusters(30, 4, 3, 2) }), 3],
  [
    "a stream of validation",
    (hung) => ({
      validation: dataset(async function* () {
        for (let row = 0; row < 10; row++) yield { x: [1, 2, 3, row], y: row % 3 };
        await hung.wait();
      }),
    }),
    3,
  ],
];

describe.each(CASES)("%s that never settles", (_, make, step) => {
  test("lets a stop resolve; what comes later changes nothing", async () => {
    const hung = hanging<never>();
    const model = network();
    const run = fit(model, { ...OPTIONS, ...make(hung) });
    await hung.waitedFor;
    run.stop();
    const result = await run;
    expect(result).toMatchObject({ reason: step === 12 ? "finished" : "stopped", step });
    expect(bitsOf(model)).toBe(await bitsAfter(step));
    expect((await fit(model, { ...OPTIONS, epochs: 1 })).step).toBe(3);
    hung.fail(new Error("late"));
    await new Promise((resolve) => setTimeout(resolve, 20)); // nobody is told: vitest fails where a rejection is unhandled
  });

  test("lets an abort reject, at once", async () => {
    const hung = hanging<never>();
    const model = network();
    const aborting = new AbortController();
    const run = fit(model, { ...OPTIONS, ...make(hung), signal: aborting.signal });
    const refused = expect(run).rejects.toBe("gone");
    await hung.waitedFor;
    const began = performance.now();
    aborting.abort("gone");
    await refused;
    expect(performance.now() - began).toBeLessThan(400);
    expect(bitsOf(model)).toBe(await bitsAfter(step));
    expect((await fit(model, { ...OPTIONS, epochs: 1 })).step).toBe(3);
    hung.fail(new Error("late"));
    await new Promise((resolve) => setTimeout(resolve, 20));
  });
});

test("evaluate beside a metric that never settles is aborted at once", async () => {
  const hung = hanging<never>();
  const aborting = new AbortController();
  const options = { loss: crossEntropy(), metrics: [slowMetric(hung, 48)], signal: aborting.signal };
  const refused = expect(network().initialize(1).evaluate(DATA, options)).rejects.toBe("gone");
  await hung.waitedFor;
  aborting.abort("gone");
  await refused;
});

test("who was given up at a stop decides in the run that goes on, and so do those behind it", async () => {
  const calls: string[] = [];
  const hung = hanging<never>();
  const noting = (name: string): Callback => ({
    name,
    decide: ({ step }) => {
      calls.push(`${name} ${step}`);
    },
  });
  const slow: Callback = { name: "slow", decide: () => hung.wait() };
  const run = fit(network(), { ...OPTIONS, callbacks: [noting("first"), slow, noting("last")] });
  await hung.waitedFor;
  run.stop();
  const { checkpoint } = await run;
  expect(calls).toEqual(["first 3"]);
  const model = network();
  const callbacks = [noting("first"), noting("slow"), noting("last")];
  await fit(model, { ...OPTIONS, epochs: 2, callbacks, resume: checkpoint() });
  expect(calls.slice(1)).toEqual(["slow 3", "last 3", "first 6", "slow 6", "last 6"]);
  expect(bitsOf(model)).toBe(await bitsAfter(6));
});

test("a callback that stops the run and goes on for a while still has its turn", async () => {
  let bytes: Uint8Array | undefined;
  const stopping: Callback = {
    name: "stopping",
    async decide(at) {
      run.stop();
      await new Promise((resolve) => setTimeout(resolve, 50));
      bytes = at.checkpoint();
      at.rateScale = 0;
    },
  };
  const run = fit(network(), { ...OPTIONS, callbacks: [stopping] });
  expect(await run).toMatchObject({ reason: "stopped", step: 3 });
  const still = network();
  await fit(still, { ...OPTIONS, resume: (await run).checkpoint() });
  expect(bitsOf(still)).toBe(await bitsAfter(3));
  expect(bytes).toBeInstanceOf(Uint8Array);
});

test("a source whose 'return' never settles ends no run late", async () => {
  const source = (): AsyncIterable<{ x: number[]; y: number }> => {
    let row = 0;
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: false, value: { x: [1, 2, 3, row], y: row++ % 3 } }),
        return: () => new Promise(() => undefined),
      }),
    };
  };
  const options = { ...OPTIONS, epochs: undefined, data: dataset(source), steps: 5 };
  expect(await fit(network(), options)).toMatchObject({ reason: "finished", step: 5 });
  const run = fit(network(), { ...options, steps: 1_000_000 });
  setTimeout(() => run.stop(), 20);
  expect(await run).toMatchObject({ reason: "stopped" });
});

describe("what is not waited for", () => {
  const own = (part: object): Metric<"own"> => {
    const whole = { name: "own", start: () => ({ n: 0 }), add: (state: object) => state, result: () => 1 };
    return defineMetric({ ...whole, ...part } as unknown as Parameters<typeof defineMetric<"own", { n: number }>>[0]);
  };
  const late = () => Promise.reject(new Error("let go"));

  test.each([
    ["own.start", { start: late }],
    ["own.start", { start: () => undefined }],
    ["own.add", { add: late }],
    ["own.add", { add: () => undefined }],
    ["own.result", { result: () => "1" }],
    ["own.result", { result: async () => "1" }],
  ])("a metric gives its state at once, and a number: %s", async (where, part) => {
    const run = fit(network(), { ...OPTIONS, metrics: [own(part)] });
    await expect(run).rejects.toMatchObject({ code: "ERR_OPTION", where });
  });

  test("a callback begins at once; its promise that rejects ends no process", async () => {
    const callback = (part: Partial<Callback>): Callback => ({ name: "own", decide: () => undefined, ...part });
    const run = fit(network(), { ...OPTIONS, callbacks: [callback({ start: late })] });
    await expect(run).rejects.toMatchObject({ code: "ERR_OPTION", where: "own.start" });
    const first = await fit(network(), { ...OPTIONS, epochs: 1, callbacks: [callback({ state: () => 1 })] });
    const callbacks = [callback({ state: () => 1, restore: late })];
    const again = fit(network(), { ...OPTIONS, callbacks, resume: first.checkpoint() });
    await expect(again).rejects.toMatchObject({ code: "ERR_OPTION", where: "own.restore" });
    const begin = late as unknown as () => Callback;
    const begun = fit(network(), { ...OPTIONS, callbacks: [callback({ begin })] });
    await expect(begun).rejects.toMatchObject({ code: "ERR_OPTION", where: "own.begin" });
    const state = late as unknown as () => number;
    const kept = await fit(network(), { ...OPTIONS, epochs: 1, callbacks: [callback({ state })] });
    expect(() => kept.checkpoint()).toThrow(expect.objectContaining({ code: "ERR_STATE" }));
  });

  test("a decision is over when 'decide' is: no late stop", async () => {
    const errors: unknown[] = [];
    const decide: Callback["decide"] = (at) => {
      setTimeout(() => {
        try {
          at.stop();
        } catch (error) {
          errors.push(error);
        }
      });
    };
    const callback: Callback = { name: "own", decide };
    const wait: Callback = { name: "wait", decide: () => new Promise((resolve) => setTimeout(resolve, 5)) };
    const { reason } = await fit(network(), { ...OPTIONS, callbacks: [callback, wait] });
    expect(reason).toBe("finished");
    expect(errors).toHaveLength(4);
    expect(errors[0]).toMatchObject({ code: "ERR_STATE", where: "own" });
  });

  test("an iterator answers with objects, and may fail to close", async () => {
    const answers = (next: () => unknown) => dataset(() => ({ [Symbol.iterator]: () => ({ next }) }) as never);
    for (const next of [() => undefined, async () => 3]) {
      const run = fit(network(), { ...OPTIONS, data: answers(next) });
      await expect(run).rejects.toMatchObject({ code: "ERR_DATA", where: "dataset" });
    }
    const endless = {
      next: () => ({ value: { x: [1, 2, 3, 4], y: 1 }, done: false }),
      return: () => {
        throw new Error("let go");
      },
    };
    const data = dataset(() => ({ [Symbol.iterator]: () => endless }));
    const { epochs: _, ...options } = OPTIONS;
    expect((await fit(network(), { ...options, steps: 3, data })).reason).toBe("finished");
  });
});
