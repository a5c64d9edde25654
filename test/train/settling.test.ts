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
