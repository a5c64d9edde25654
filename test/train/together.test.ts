// Streams, units, metrics, early stopping, checkpoint folders and the guard in one run: each has tests of its own, here
// is what they owe each other.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Callback,
  type Dataset,
  dataset,
  defineLayer,
  divideBy,
  earlyStopping,
  fit,
  type Layer,
  linear,
  type Model,
  mse,
  ops,
  reduceOnPlateau,
  sequential,
  sgd,
  standardize,
} from "carillon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inOrder, make, options, refusal, x, y } from "../data/streamed.js";
import { bitsOf } from "./synthetic.js";

let root = "";
let folders = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "carillon-together-"));
});

afterAll(() => rm(root, { recursive: true, force: true }));

function folder(): string {
  folders += 1;
  return join(root, `run-${folders}`);
}

const shuffled = (): Dataset => dataset(inOrder, { shuffleBuffer: 40 });

/** 13 steps an epoch, the last of them with 7 rows. */
const EPOCHS = 4;
const whole = {
  ...options,
  epochs: EPOCHS,
  inputs: standardize(),
  validate: { every: { steps: 5 } },
  averageWeights: { decay: 0.9 },
  metrics: ["accuracy", "auc", "f1"],
} as const;

const sources = [
  ["a stream", (): object => ({ data: shuffled(), validation: dataset(inOrder) })],
  ["data in memory", (): object => ({ data: { x, y }, validation: { x, y } })],
] as const;

/** New ones for each run: they have a state. */
function watching(): readonly Callback[] {
  return [
    reduceOnPlateau({ monitor: "validation.loss", factor: 0.5, patience: 1, minDelta: 0.2, every: { steps: 5 } }),
    earlyStopping({ monitor: "validation.auc", patience: 50, restoreBest: true, every: { steps: 5 } }),
  ];
}

interface Ended {
  readonly bits: string;
  /** Without what clocks tell. */
  readonly history: readonly object[];
  readonly best: object | undefined;
}

async function ended(extra: object, more: readonly Callback[] = []): Promise<Ended> {
  const model = make();
  const { data } = { data: { x, y }, ...extra };
  const callbacks = [...watching(), ...more];
  const { history, best } = await fit(model, { ...whole, validation: { x, y }, ...extra, data, callbacks });
  return {
    bits: bitsOf(model),
    history: history.map(({ epoch, step, loss, metrics, validation }) => ({ epoch, step, loss, metrics, validation })),
    best,
  };
}

describe.each(sources)("a run over %s in a folder", (_, source) => {
  test.each([2, 5, 13, 15, 17, 26, 38])("stopped after step %i, goes on as if it never was", async (cut) => {
    const undisturbed = await ended(source());
    const best = { monitor: "validation.auc" };
    const checkpoint = { dir: folder(), every: { steps: 3 }, best };
    const stop: Callback = {
      name: "stop",
      every: { steps: 1 },
      decide: (at) => (at.step === cut ? at.stop() : undefined),
    };
    await ended({ ...source(), checkpoint, resume: "auto" }, [stop]);
    const continued = await ended({ ...source(), checkpoint, resume: "auto" });
    expect(continued.bits).toBe(undisturbed.bits);
    expect(continued.best).toEqual(undisturbed.best);
    expect(continued.history).toEqual(undisturbed.history);
  });

  test("aborted, goes on from the newest file", async () => {
    const undisturbed = await ended(source());
    const checkpoint = { dir: folder(), every: { steps: 3 } };
    const controller = new AbortController();
    const abort: Callback = {
      name: "abort",
      every: { steps: 1 },
      decide: (at) => (at.step === 20 ? controller.abort() : undefined),
    };
    const error = await refusal(ended({ ...source(), checkpoint, signal: controller.signal }, [abort]));
    expect(error).toBe(controller.signal.reason);
    const model = make();
    const run = fit(model, {
      ...whole,
      data: { x, y },
      validation: { x, y },
      ...source(),
      callbacks: watching(),
      checkpoint,
      resume: "auto",
    });
    for await (const event of run) if (event.kind === "start") expect(event.step).toBe(18);
    expect(bitsOf(model)).toBe(undisturbed.bits);
  });
});

describe("resume: 'auto' of a stream", () => {
  async function begun(dir: string): Promise<void> {
    await fit(make(), { ...options, inputs: standardize(), data: shuffled(), epochs: 1, checkpoint: { dir } });
  }

  test.each<[string, object]>([
    ["another shuffle buffer", { data: dataset(inOrder, { shuffleBuffer: 41 }) }],
    ["data in memory", { data: { x, y } }],
    ["other units", { inputs: divideBy(3) }],
    ["other numbers", { data: dataset(() => [...inOrder()].slice(1), { shuffleBuffer: 40 }) }],
  ])("refuses %s", async (_name, other) => {
    const dir = folder();
    await begun(dir);
    const again = { ...options, inputs: standardize(), data: shuffled(), epochs: 2, ...other } as const;
    const { code } = await refusal(fit(make(), { ...again, checkpoint: { dir }, resume: "auto" }));
    expect(code).toBe("ERR_STATE");
  });

  test("that has a single pass begins where there is nothing to resume, and is refused where there is", async () => {
    const once = { ...options, epochs: 1, checkpoint: { dir: folder() }, resume: "auto" } as const;
    const { step } = await fit(make(), { ...once, data: dataset(inOrder()) });
    expect(step).toBe(13);
    const error = await refusal(fit(make(), { ...once, data: dataset(inOrder()) }));
    expect([error.code, error.where]).toEqual(["ERR_STATE", "fit.data"]);
  });
});

describe("a number that is not finite, from a stream", () => {
  const BATCH = 8;
  /** ln x: NaN where x < 0. */
  const logarithm = (): Layer<number, "same"> =>
    defineLayer({ kind: "logarithm", outputs: "same", forward: (input) => ops.log(input) });
  const network = (): Model => sequential(logarithm(), linear(2, 1));

  /** The example at `bad` has no logarithm if `broken`. */
  function* examples(bad: number, broken: boolean): Generator<{ readonly x: number[]; readonly y: number }> {
    for (let row = 0; row < 29; row++) yield { x: [1 + row, row === bad && broken ? -1 : 2], y: 1 };
  }

  /** Broken when it is read for the `time`-th time. */
  function failing(bad: number, shuffleBuffer: number, time = 2): Dataset {
    let times = 0;
    return dataset(
      () => {
        times += 1;
        return examples(bad, times === time);
      },
      { shuffleBuffer },
    );
  }

  const run = { loss: mse(), optimizer: sgd({ lr: 1e-3 }), batchSize: BATCH, epochs: 3, seed: 2 } as const;

  test.each([
    [0, 5, "examples 0 to 7"],
    [17, 7, "examples 16 to 23"],
    [28, 8, "examples 24 to 28"], // of the short batch
  ])("at place %i: the step, the place and the layer are told", async (bad, step, batch) => {
    const model = network();
    const error = await refusal(fit(model, { ...run, data: failing(bad, 1), metrics: ["mae"] }));
    expect([error.code, error.where]).toEqual(["ERR_NON_FINITE", "logarithm1"]);
    expect(error.message).toContain(`first in the output of 'logarithm1' for example ${bad}`);
    expect(error.message).toContain(`the batch of step ${step}: ${batch} of its epoch, in the order of training`);
    const sound = network();
    await fit(sound, { ...run, data: failing(bad, 1), steps: step - 1 });
    expect(bitsOf(model)).toBe(bitsOf(sound));
  });

  test("with units and a shuffle buffer, and no file of it is written", async () => {
    const checkpoint = { dir: folder(), every: { steps: 1 } };
    const steps: number[] = [];
    const training = fit(network(), { ...run, data: failing(11, 10, 3), inputs: divideBy(2), checkpoint });
    const error = await refusal(
      (async () => {
        for await (const event of training) if (event.kind === "checkpoint") steps.push(event.step);
      })(),
    );
    expect(error.where).toBe("logarithm1");
    const failed = Number(/the batch of step (\d+)/.exec(error.message)?.[1]);
    expect(Math.floor((failed - 1) / 4)).toBe(1); // four steps an epoch
    expect(error.message).toContain("for example 11, in");
    expect(error.message).toMatch(/: examples [\d, ]*\b11\b[\d, ]* of its epoch, in the order of training/);
    expect(steps).toEqual(Array.from({ length: failed - 1 }, (_, index) => index + 1));
  });
});
