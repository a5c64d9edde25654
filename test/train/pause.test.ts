// A run rests between two steps and goes on with the same bits; stop and abort reach it wherever it is, also in the middle of
// a validation, and so they do evaluate and predict.
import {
  adam,
  type Callback,
  crossEntropy,
  defineMetric,
  dropout,
  earlyStopping,
  type FitEvent,
  fit,
  linear,
  type Metric,
  type Model,
  relu,
  sequential,
} from "carillon";
import { describe, expect, test, vi } from "vitest";
import { native } from "../../lib/binding/native.js";
import { RunControl } from "../../lib/nn/evaluation/run_control.js";
import { Throughput } from "../../lib/train/run/throughput.js";
import { bitsOf, clusters } from "./synthetic.js";

const DATA = clusters(120, 4, 3);
/** More than a call of evaluation takes in. */
const LARGE = clusters(60_000, 4, 3);
const OPTIONS = { data: DATA, loss: crossEntropy(), optimizer: adam(), batchSize: 16, seed: 2 } as const;

function network(): Model<4, 3> {
  return sequential(linear(4, 16), relu(), dropout(0.25), linear(16, 3));
}

/** The event loop's other work has had its turn, many times. */
async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
}

async function bitsAfter(steps: number): Promise<string> {
  const model = network();
  await fit(model, { ...OPTIONS, steps });
  return bitsOf(model);
}

/** Calls `act` when it has been shown so many rows; tells how many it was shown in all. */
function trigger(after: number, act: () => void): { readonly metric: Metric<"trigger">; readonly shown: () => number } {
  let shown = 0;
  const metric = defineMetric({
    name: "trigger",
    start: () => 0,
    add(state, { rows }) {
      if (shown < after && shown + rows >= after) act();
      shown += rows;
      return state;
    },
    result: (state) => state,
  });
  return { metric, shown: () => shown };
}

describe("pause", () => {
  test("holds the weights still until resume, and the run ends with its bits", async () => {
    const model = network();
    const run = fit(model, { ...OPTIONS, steps: 200_000 });
    await turns(3);
    run.pause();
    await turns();
    const bits = bitsOf(model);
    await turns();
    expect(bitsOf(model)).toBe(bits);
    run.resume();
    while (bitsOf(model) === bits) await turns(1);
    run.stop();
    const { step, reason } = await run;
    expect(reason).toBe("stopped");
    expect(bitsOf(model)).toBe(await bitsAfter(step));
  });

  test("before the first step, and several times, is the same", async () => {
    const model = network();
    const run = fit(model, { ...OPTIONS, steps: 30 });
    run.pause();
    run.pause();
    await turns();
    expect(bitsOf(model)).toBe(bitsOf(network().initialize(2)));
    run.resume();
    run.resume();
    expect(await run).toMatchObject({ reason: "finished", step: 30 });
    expect(bitsOf(model)).toBe(await bitsAfter(30));
    run.pause(); // a run that is over has nothing to hold
  });

  test("stop and abort reach a resting run", async () => {
    const stopped = fit(network(), { ...OPTIONS, steps: 1_000_000 });
    stopped.pause();
    await turns();
    stopped.stop();
    expect(await stopped).toMatchObject({ reason: "stopped", step: 0 });

    const aborting = new AbortController();
    const aborted = fit(network(), { ...OPTIONS, steps: 1_000_000, signal: aborting.signal });
    aborted.pause();
    await turns();
    aborting.abort("gone");
    await expect(aborted).rejects.toBe("gone");
  });

  test("leaving a resting run ends it", async () => {
    const run = fit(network(), { ...OPTIONS, steps: 1_000_000 });
    run.pause();
    for await (const event of run) {
      expect(event.kind).toBe("start");
      break;
    }
    expect((await run).reason).toBe("stopped");
  });

  test("rests in the middle of a validation as well", async () => {
    const { metric, shown } = trigger(10_000, () => run.pause());
    const options = { ...OPTIONS, epochs: 1, validation: LARGE, metrics: ["accuracy", metric] as const };
    const run = fit(network(), options);
    while (shown() < 10_000) await turns(1);
    await turns();
    const rows = shown();
    await turns();
    expect(shown()).toBe(rows);
    expect(rows).toBeLessThan(60_000);
    run.resume();
    const { history } = await run;
    const { history: whole } = await fit(network(), { ...options, metrics: ["accuracy"] });
    expect(history[0]?.validation.metrics.accuracy).toBe(whole[0]?.validation.metrics.accuracy);
    expect(history[0]?.validation.loss).toBe(whole[0]?.validation.loss);
    expect(shown()).toBe(60_000 + 120);
  });

  test("is no time of the run", async () => {
    let now = 1000;
    const clock = vi.spyOn(native, "now").mockImplementation(() => now);
    try {
      const control = new RunControl();
      const throughput = new Throughput(control);
      throughput.count(300);
      now += 2000;
      control.pause();
      const waiting = control.passable();
      now += 60_000;
      control.resume();
      expect(await waiting).toBe(true);
      now += 1000;
      expect(throughput.figures(6, 4)).toEqual({ seconds: 3, examplesPerSecond: 100, secondsLeft: 2 });

      const resumed = new Throughput(control);
      now += 60_000; // a stream is read again up to where the run goes on
      resumed.begin();
      resumed.count(300);
      now += 3000;
      expect(resumed.figures(6, 4)).toEqual({ seconds: 63, examplesPerSecond: 100, secondsLeft: 2 });
    } finally {
      clock.mockRestore();
    }
  });
});

describe("in the middle of a validation", () => {
  test("abort rejects with the reason; the weights are those of the step", async () => {
    const aborting = new AbortController();
    const { metric, shown } = trigger(10_000, () => aborting.abort("gone"));
    const model = network();
    const options = { ...OPTIONS, epochs: 3, validation: LARGE, metrics: [metric], signal: aborting.signal };
    await expect(fit(model, options)).rejects.toBe("gone");
    expect(shown()).toBeLessThan(40_000);
    expect(bitsOf(model)).toBe(await bitsAfter(8));
  });

  test("stop resolves, without the event of the epoch; a resumed run makes up for it", async () => {
    const decided: string[] = [];
    const noting = (name: string): Callback => ({
      name,
      decide: ({ epoch, validationStep }) => {
        decided.push(`${name} ${epoch} ${validationStep}`);
      },
      state: () => null,
      restore: () => undefined,
    });
    const { metric, shown } = trigger(10_000, () => run.stop());
    const options = { ...OPTIONS, epochs: 2, validation: LARGE, metrics: ["accuracy", "auc"] as const };
    const callbacks = [noting("first"), earlyStopping({ monitor: "validation.loss", patience: 5 })];
    const run = fit(network(), { ...options, metrics: [...options.metrics, metric], callbacks });
    const { reason, step, history, checkpoint } = await run;
    expect([reason, step, history.length, shown() < 40_000]).toEqual(["stopped", 8, 0, true]);
    expect(decided).toEqual([]);

    const resumed = network();
    const events: FitEvent[] = [];
    const second = fit(resumed, { ...options, callbacks, resume: checkpoint() });
    for await (const event of second) events.push(event);
    expect(events.map(({ kind, step: at }) => `${kind} ${at}`)).toEqual(["start 8", "epoch 8", "epoch 16", "end 16"]);
    expect(decided).toEqual(["first 1 8", "first 2 16"]);
    const whole = network();
    const { history: expected, best } = await fit(whole, { ...options, callbacks });
    expect(bitsOf(resumed)).toBe(bitsOf(whole));
    const result = await second;
    expect(result.best).toEqual(best);
    for (const [index, { metrics, validation, loss }] of expected.entries()) {
      expect(result.history[index]).toMatchObject({ metrics, validation, loss });
    }
  });

  test("stop at the last step is no finish", async () => {
    const { metric } = trigger(10_000, () => run.stop());
    const run = fit(network(), { ...OPTIONS, epochs: 1, validation: LARGE, metrics: [metric] });
    expect(await run).toMatchObject({ reason: "stopped", step: 8 });
  });
});

describe("evaluate", () => {
  test("is aborted between two batches", async () => {
    const aborting = new AbortController();
    const { metric, shown } = trigger(10_000, () => aborting.abort("gone"));
    const model = network().initialize(1);
    const options = { loss: crossEntropy(), metrics: [metric], signal: aborting.signal };
    await expect(model.evaluate(LARGE, options)).rejects.toBe("gone");
    expect(shown()).toBeLessThan(40_000);
    expect(await model.evaluate(DATA, { loss: crossEntropy() })).toMatchObject({ metrics: {} });
  });

  test("with a signal that is aborted already measures nothing", async () => {
    const { metric, shown } = trigger(1, () => undefined);
    const options = { loss: crossEntropy(), metrics: [metric], signal: AbortSignal.abort("no") };
    await expect(network().evaluate(DATA, options)).rejects.toBe("no");
    expect(shown()).toBe(0);
  });
});

describe("predict", () => {
  const x = new Float32Array(4 * 1_000_000);

  test("is aborted in the middle, at once, and the next one works", async () => {
    const model = network().initialize(1);
    const aborting = new AbortController();
    const predicting = model.predict(x, { signal: aborting.signal });
    const waiting = model.predict(x, { signal: aborting.signal });
    const after = model.predict(DATA.x, { threads: 1 });
    setImmediate(() => aborting.abort("gone"));
    await expect(predicting).rejects.toBe("gone");
    await expect(waiting).rejects.toBe("gone");
    expect((await after).data).toEqual(model.predictSync(DATA.x).data);
  });

  test("with a signal that is aborted already works nothing", async () => {
    const signal = AbortSignal.abort("no");
    await expect(network().predict(x, { signal })).rejects.toBe("no");
    await expect(network().predictProbabilities(x, { signal })).rejects.toBe("no");
  });

  test.each([
    [{ thread: 1 }, "ERR_UNKNOWN_OPTION"],
    [{ threads: 0 }, "ERR_OPTION"],
    [{ signal: {} }, "ERR_OPTION"],
  ])("refuses %o", async (options, code) => {
    const predict = async () => await network().predict(DATA.x, options as { threads: number });
    await expect(predict()).rejects.toMatchObject({ name: "CarillonError", code });
  });
});
