import { once } from "node:events";
import { Worker } from "node:worker_threads";
import {
  adam,
  type Callback,
  crossEntropy,
  dropout,
  fit,
  l2,
  linear,
  type Model,
  relu,
  sequential,
  sgd,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bundle } from "./child.js";
import { bitsOf, clusters } from "./synthetic.js";

/** 5 steps an epoch, the last of 88 rows; every product is large enough to be split. */
const DIGITS = clusters(600, 784, 10);

async function trainDigits(threads: number): Promise<string> {
  const model = sequential(linear(784, 256), relu(), dropout(0.3), linear(256, 10));
  await fit(model, {
    data: DIGITS,
    loss: crossEntropy(),
    optimizer: adam(),
    regularizer: l2(1e-4),
    epochs: 2,
    batchSize: 128,
    seed: 11,
    threads,
  });
  return bitsOf(model);
}

test("one seed gives one model, whatever the threads", async () => {
  const one = await trainDigits(1);
  expect(await trainDigits(2)).toBe(one);
  expect(await trainDigits(3)).toBe(one);
  expect(await trainDigits(1)).toBe(one);
});

test("two runs at once in one process give the bits of each alone", async () => {
  const alone = await trainDigits(2);
  expect(await Promise.all([trainDigits(2), trainDigits(3)])).toEqual([alone, alone]);
});

test("two workers at once give the bits of the main thread", async () => {
  const module = await bundle("train-worker");
  const trained = async (threads: number): Promise<unknown> => {
    const worker = new Worker(module, { workerData: { threads } });
    const [hash]: unknown[] = await once(worker, "message");
    await worker.terminate();
    return hash;
  };
  const [first, second] = await Promise.all([trained(1), trained(3)]);
  expect(first).toMatch(/^[0-9a-f]{64}$/);
  expect(second).toBe(first);
  const { trainSmall } = await import("./programs/train-small.js");
  expect(await trainSmall(2)).toBe(first);
});

const SMALL = clusters(150, 8, 3);
const HELD_OUT = clusters(40, 8, 3, 2);

function smallModel(): Model<8, 3> {
  return sequential(linear(8, 16), relu(), dropout(0.25), linear(16, 3));
}

test("another seed gives another model", async () => {
  const hashes = new Set<string>();
  for (const seed of [0, 1, 2 ** 32, 2 ** 53 - 1]) {
    const model = smallModel();
    await fit(model, { data: SMALL, loss: crossEntropy(), optimizer: adam(), steps: 3, seed });
    hashes.add(bitsOf(model));
  }
  expect(hashes.size).toBe(4);
});

describe("a rate that falls at step 137", () => {
  const options = { data: SMALL, loss: crossEntropy(), epochs: 60, batchSize: 40, seed: 5 } as const; // 240 steps

  test("a callback gives the bits of a schedule", async () => {
    const halving: Callback = {
      name: "halving",
      every: { steps: 1 },
      decide(at) {
        if (at.step === 136) at.rateScale /= 2;
      },
    };
    const asked = smallModel();
    await fit(asked, { ...options, optimizer: sgd({ lr: 0.1, momentum: 0.9 }), callbacks: [halving] });
    const scheduled = smallModel();
    const lr = ({ step }: { readonly step: number }): number => (step < 137 ? 0.1 : 0.05);
    await fit(scheduled, { ...options, optimizer: sgd({ lr, momentum: 0.9 }) });
    expect(bitsOf(asked)).toBe(bitsOf(scheduled));

    const later = smallModel();
    const lrLater = ({ step }: { readonly step: number }): number => (step < 138 ? 0.1 : 0.05);
    await fit(later, { ...options, optimizer: sgd({ lr: lrLater, momentum: 0.9 }) });
    expect(bitsOf(later)).not.toBe(bitsOf(asked));
  });

  test("a schedule is told step, steps and epoch, and is asked once a step in order", async () => {
    const asked: (readonly number[])[] = [];
    const lr = ({ step, steps, epoch }: { step: number; steps: number; epoch: number }): number => {
      asked.push([step, steps, epoch]);
      return 0.1;
    };
    await fit(smallModel(), { ...options, epochs: 3, optimizer: sgd({ lr }) });
    expect(asked).toEqual(Array.from({ length: 12 }, (_, index) => [index + 1, 12, Math.floor(index / 4) + 1]));
  });
});

describe("who only looks changes nothing", () => {
  const options = { data: SMALL, loss: crossEntropy(), optimizer: adam(), batchSize: 16, seed: 3 } as const;

  async function plain(epochs: number): Promise<string> {
    const model = smallModel();
    await fit(model, { ...options, epochs });
    return bitsOf(model);
  }

  test("validation, metrics, events and callbacks", async () => {
    const model = smallModel();
    const looking: Callback = {
      name: "looking",
      every: { steps: 3 },
      async decide(at) {
        model.weights();
        model.predictSync(HELD_OUT.x);
        await model.predict(HELD_OUT.x);
        await model.evaluate(HELD_OUT, { loss: crossEntropy(), metrics: ["accuracy"] });
        model.clone();
        model.bytes();
        at.checkpoint();
      },
    };
    const run = fit(model, {
      ...options,
      epochs: 6,
      validation: HELD_OUT,
      metrics: ["accuracy"],
      reportEvery: 1,
      callbacks: [looking],
    });
    for await (const event of run) JSON.stringify(event);
    expect(bitsOf(model)).toBe(await plain(6));
  });

  test("reads from a timer, between any two steps", async () => {
    const model = smallModel();
    const run = fit(model, { ...options, steps: 1_000_000 });
    const seen = new Set<string>();
    while (seen.size < 6) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      seen.add(bitsOf(model));
      model.predictSync(HELD_OUT.x.subarray(0, 8));
      await model.predict(HELD_OUT.x);
      if (seen.size % 3 === 0) await model.evaluate(HELD_OUT, { loss: crossEntropy() });
    }
    run.stop();
    const { step } = await run;
    // What was read are the weights of finished steps, never of half a step.
    const again = smallModel();
    const finished = new Set([bitsOf(smallModel().initialize(3))]);
    const noting: Callback = {
      name: "noting",
      every: { steps: 1 },
      decide() {
        finished.add(bitsOf(again));
      },
    };
    await fit(again, { ...options, steps: step, callbacks: [noting] });
    expect([...seen].filter((bits) => !finished.has(bits))).toEqual([]);
    expect(bitsOf(model)).toBe(bitsOf(again));
  });
});
