// Stop, abort, busy models, and callbacks that decide.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  type Callback,
  crossEntropy,
  type Decision,
  type FitResult,
  fit,
  linear,
  type Model,
  type Run,
  relu,
  sequential,
  standardize,
} from "carillon";
import { afterAll, describe, expect, test } from "vitest";
import { stoppedAtStart } from "./stopped.js";
import { bitsOf, clusters, hashOf } from "./synthetic.js";

const DATA = clusters(60, 4, 3);
const OPTIONS = { data: DATA, loss: crossEntropy(), optimizer: adam(), batchSize: 16 } as const;
const ENDLESS = { ...OPTIONS, steps: 1_000_000 } as const;

function network(): Model<4, 3> {
  return sequential(linear(4, 16), relu(), linear(16, 3));
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

function note<T>(list: T[], one: T): void {
  list.push(one);
}

async function bitsAfter(steps: number): Promise<string> {
  const model = network();
  if (steps === 0) model.initialize(0);
  else await fit(model, { ...OPTIONS, steps });
  return bitsOf(model);
}

describe("stop", () => {
  test("resolves with 'stopped', in the middle of a call, and leaves the weights of its step", async () => {
    const model = network();
    const run = fit(model, ENDLESS);
    await turn();
    run.stop();
    const { reason, step } = await run;
    expect(reason).toBe("stopped");
    expect(bitsOf(model)).toBe(await bitsAfter(step));
  });

  test("twice, and after the end, is nothing", async () => {
    const run = fit(network(), { ...OPTIONS, steps: 5 });
    const { reason } = await run;
    run.stop();
    run.stop();
    expect([reason, (await run).reason]).toEqual(["finished", "finished"]);
  });

  test("while a callback is being waited for ends the run at its step", async () => {
    const model = network();
    const slow: Callback = { name: "slow", every: { steps: 3 }, decide: () => turn().then(() => run.stop()) };
    const run = fit(model, { ...ENDLESS, callbacks: [slow] });
    expect(await run).toMatchObject({ reason: "stopped", step: 3 });
    expect(bitsOf(model)).toBe(await bitsAfter(3));
  });
});

describe("stop before the first step", () => {
  const dir = mkdtempSync(join(tmpdir(), "carillon-stop-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const stopping = (wait: (stop: () => void) => void) => (run: Run<FitResult>) => {
    wait(() => run.stop());
    return run;
  };
  const paused = (run: Run<FitResult>) => {
    run.pause();
    return stopping((stop) => setTimeout(stop, 30))(run);
  };
  const ways: [string, (run: Run<FitResult>) => Promise<FitResult>][] = [
    ["at once", stopping((stop) => stop())],
    ["in a microtask", stopping(queueMicrotask)],
    ["when it is ready", stoppedAtStart],
    ["in a pause", paused],
  ];

  test.each(ways)("%s leaves model, folder and callbacks as they were", async (_, stop) => {
    const folder = join(dir, "folder");
    const calls: string[] = [];
    const callback: Callback = { name: "c", start: () => note(calls, "start"), decide: () => note(calls, "decide") };
    const slow = { x: new Float32Array(4 * 200_000), y: new Int32Array(200_000) };
    const options = {
      ...ENDLESS,
      data: slow,
      inputs: standardize(),
      checkpoint: { dir: folder },
      callbacks: [callback],
    };
    const fresh = network();
    const result = await stop(fit(fresh, options));
    expect(result).toMatchObject({ reason: "stopped", stoppedBy: null, step: 0, history: [], best: undefined });
    expect(() => result.checkpoint()).toThrow(expect.objectContaining({ code: "ERR_STATE", where: "checkpoint" }));
    expect([fresh.initialized, fresh.transforms, existsSync(folder), calls]).toEqual([false, {}, false, []]);

    const trained = network();
    const resume = (await fit(trained, { ...OPTIONS, steps: 5 })).checkpoint();
    const bits = bitsOf(trained);
    await stop(fit(trained, { ...options, inputs: undefined }));
    await stop(fit(trained, { ...ENDLESS, resume }));
    expect([bitsOf(trained), existsSync(folder), calls]).toEqual([bits, false, []]);
  });
});

describe("abort", () => {
  test("rejects with the reason of the signal, and leaves the weights of a finished step", async () => {
    const model = network();
    const reason = new Error("the request is gone");
    const aborting = new AbortController();
    const run = fit(model, { ...ENDLESS, signal: aborting.signal, reportEvery: 1 });
    let last = 0;
    const reading = (async () => {
      for await (const { step } of run) last = step;
    })();
    await turn();
    aborting.abort(reason);
    await expect(reading).rejects.toBe(reason);
    await expect(run).rejects.toBe(reason);
    // A reader is told of the last step whatever happens.
    expect(bitsOf(model)).toBe(await bitsAfter(last));
  });

  test("before the run rejects at once and touches nothing", async () => {
    const model = network().initialize(4);
    const bits = bitsOf(model);
    await expect(fit(model, { ...ENDLESS, signal: AbortSignal.abort("no") })).rejects.toBe("no");
    expect(bitsOf(model)).toBe(bits);
    const fresh = network();
    await expect(fit(fresh, { ...ENDLESS, signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
    expect(fresh.initialized).toBe(false);
  });

  test("in the same turn of the event loop", async () => {
    const aborting = new AbortController();
    const run = fit(network(), { ...ENDLESS, signal: aborting.signal });
    aborting.abort("at once");
    await expect(run).rejects.toBe("at once");
  });

  test("while a callback is being waited for ends the run at its step", async () => {
    const model = network();
    const aborting = new AbortController();
    const slow: Callback = {
      name: "slow",
      every: { steps: 3 },
      decide: () => turn().then(() => aborting.abort("in a callback")),
    };
    await expect(fit(model, { ...ENDLESS, signal: aborting.signal, callbacks: [slow] })).rejects.toBe("in a callback");
    expect(bitsOf(model)).toBe(await bitsAfter(3));
  });

  test("a timeout is a signal as well, and a run that is over no longer listens", async () => {
    const signal = AbortSignal.timeout(5);
    await expect(fit(network(), { ...ENDLESS, signal })).rejects.toMatchObject({ name: "TimeoutError" });
    const aborting = new AbortController();
    const model = network();
    await fit(model, { ...OPTIONS, steps: 4, signal: aborting.signal });
    const second = fit(model, { ...OPTIONS, steps: 50 });
    aborting.abort();
    expect(await second).toMatchObject({ reason: "finished", step: 50 });
  });
});

describe("a busy model", () => {
  test("takes no second run and no new weights, and is free afterwards", async () => {
    const model = network();
    const weights = model.initialize(2).weights();
    const run = fit(model, ENDLESS);
    const busy = expect.objectContaining({ name: "CarillonError", code: "ERR_BUSY" });
    await expect(fit(model, { ...OPTIONS, steps: 1 })).rejects.toEqual(busy);
    expect(() => model.initialize(1)).toThrow(busy);
    expect(() => model.setWeights(weights)).toThrow(busy);
    run.stop();
    await run;
    model.setWeights(weights);
    expect(bitsOf(model)).toBe(hashOf(weights));
    await fit(model, { ...OPTIONS, steps: 1 });
  });

  test("still predicts, evaluates, clones and saves", async () => {
    const model = network();
    const run = fit(model, ENDLESS);
    await turn();
    const clone = model.clone();
    expect(bitsOf(clone)).toMatch(/^[0-9a-f]{64}$/);
    clone.initialize(1);
    expect((await model.predict(DATA.x)).shape).toEqual([60, 3]);
    expect(model.predictSync(DATA.x.subarray(0, 4)).shape).toEqual([1, 3]);
    expect((await model.evaluate(DATA, { loss: crossEntropy() })).loss).toBeGreaterThan(0);
    expect(model.bytes().length).toBeGreaterThan(4 * 131);
    run.stop();
    expect((await run).reason).toBe("stopped");
  });
});

describe("callbacks", () => {
  test("decide at their steps and epochs, in their order, and the run waits", async () => {
    const calls: string[] = [];
    const make = (name: string, every?: Callback["every"]): Callback => ({
      name,
      every,
      async decide({ step, epoch }) {
        calls.push(`${name} ${step} ${epoch}`);
        await turn();
        calls.push(`${name} done`);
      },
    });
    const callbacks = [make("three", { steps: 3 }), make("epoch"), make("two", { epochs: 2 })];
    await fit(network(), { ...OPTIONS, epochs: 2, callbacks });
    const order = ["three 3 1", "epoch 4 1", "three 6 2", "epoch 8 2", "two 8 2"];
    expect(calls).toEqual(order.flatMap((call) => [call, `${call.split(" ")[0]} done`]));
  });

  test("are told means of the epoch so far, as its event tells them", async () => {
    const seen: Decision[] = [];
    const looking: Callback = { name: "looking", decide: (at) => note(seen, { ...at }) };
    const options = { ...OPTIONS, epochs: 2, validation: DATA, metrics: ["accuracy"] as const };
    const { history } = await fit(network(), { ...options, callbacks: [looking] });
    for (const [index, event] of history.entries()) {
      const { epoch, step, loss, dataLoss, penalty, metrics, validation } = event;
      expect(seen[index]).toMatchObject({ epoch, step, loss, dataLoss, penalty, metrics, validation });
    }
    expect(seen).toHaveLength(2);
  });

  test.each<[string, Callback["decide"]]>([
    [
      "that throws",
      () => {
        throw new Error("mine");
      },
    ],
    ["that rejects", () => Promise.reject(new Error("mine"))],
  ])("%s rejects the run and frees the model", async (_, decide) => {
    const model = network();
    const every = { steps: 5 };
    await expect(fit(model, { ...ENDLESS, callbacks: [{ name: "bad", every, decide }] })).rejects.toThrow("mine");
    expect(bitsOf(model)).toBe(await bitsAfter(5));
    expect((await fit(model, { ...OPTIONS, steps: 3 })).reason).toBe("finished");
  });

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY, "2", undefined])(
    "a rateScale of %o is refused",
    async (scale) => {
      const model = network();
      const bad: Callback = {
        name: "pacing",
        every: { steps: 2 },
        decide(at) {
          at.rateScale = scale as number;
        },
      };
      const run = fit(model, { ...ENDLESS, callbacks: [bad] });
      await expect(run).rejects.toMatchObject({ code: "ERR_OPTION", where: "pacing.rateScale" });
      expect(bitsOf(model)).toBe(await bitsAfter(2));
    },
  );

  test("stop() of a decision lets the others decide, then ends the run", async () => {
    const calls: string[] = [];
    const callbacks: Callback[] = [
      { name: "first", every: { steps: 2 }, decide: (at) => at.stop() },
      { name: "second", every: { steps: 2 }, decide: () => note(calls, "second") },
    ];
    expect(await fit(network(), { ...ENDLESS, callbacks })).toMatchObject({ reason: "stopped", step: 2 });
    expect(calls).toEqual(["second"]);
  });

  test("a rate of 0 holds the weights still", async () => {
    const freezing: Callback = {
      name: "freezing",
      every: { steps: 1 },
      decide(at) {
        at.rateScale = 0;
      },
    };
    const model = network();
    await fit(model, { ...OPTIONS, steps: 9, callbacks: [freezing] });
    expect(bitsOf(model)).toBe(await bitsAfter(1));
  });
});

test("a model is usable after any failure", async () => {
  const model = network().initialize(0);
  const bits = bitsOf(model);
  for (const options of [
    { ...OPTIONS, epochs: 0 },
    { ...OPTIONS, steps: 1, resume: new Uint8Array(3) },
  ]) {
    await expect(fit(model, options)).rejects.toMatchObject({ name: "CarillonError" });
    expect(bitsOf(model)).toBe(bits);
  }
  await fit(model, { ...OPTIONS, steps: 2 });
  expect(bitsOf(model)).toBe(await bitsAfter(2));
});
