// A run that is cut after any step and continued is the run that was not cut: weights, states, events.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import {
  adam,
  type Callback,
  crossEntropy,
  dropout,
  type EpochEvent,
  type FitResult,
  fit,
  l2,
  linear,
  type Model,
  type Optimizer,
  relu,
  type State,
  sequential,
  sgd,
  sgdMomentum,
} from "carillon";
import { describe, expect, test } from "vitest";
import { stoppedAtStart } from "./stopped.js";
import { bitsOf, clusters } from "./synthetic.js";

const DATA = clusters(50, 6, 3);
const HELD_OUT = clusters(20, 6, 3, 2);
/** Four steps an epoch, the last of 2 rows. */
const BATCH = 16;
const EPOCHS = 4;
const STEPS = 16;

function network(): Model {
  return sequential(linear(6, 20), relu(), dropout(0.4), linear(20, 3));
}

/** Its decisions depend on everything that it has seen: its own state, the epoch so far, the last validation. */
class Pacing implements Callback {
  readonly name = "pacing";
  readonly every = { steps: 1 };
  #seen = 0;
  #best = Number.POSITIVE_INFINITY;

  decide(at: Parameters<Callback["decide"]>[0]): void {
    this.#seen += at.loss + (at.validation?.loss ?? 0.25) + (at.metrics.accuracy ?? 0);
    this.#best = at.step < 3 ? this.#best : Math.min(this.#best, at.dataLoss);
    at.rateScale = (1 + (this.#seen % 1)) * (Number.isFinite(this.#best) ? this.#best : 0.5);
  }

  state(): State {
    return { seen: this.#seen, best: this.#best };
  }

  restore(state: State): void {
    if (typeof state !== "object" || state === null || !("seen" in state && "best" in state)) throw new Error("state");
    this.#seen = Number(state.seen);
    this.#best = Number(state.best);
  }
}

interface Continuation {
  readonly resume?: Uint8Array;
  readonly threads?: number;
  readonly callbacks?: readonly Callback[];
  readonly signal?: AbortSignal;
}

/** Everything that may differ between two runs, in one run. */
function start(model: Model, optimizer: Optimizer, { threads = 1, callbacks = [], ...rest }: Continuation = {}) {
  return fit(model, {
    data: DATA,
    validation: HELD_OUT,
    metrics: ["accuracy"],
    loss: crossEntropy(),
    optimizer,
    regularizer: l2(1e-3),
    batchSize: BATCH,
    epochs: EPOCHS,
    seed: 21,
    threads,
    callbacks: [new Pacing(), ...callbacks],
    ...rest,
  });
}

/** Events without the clock. */
function timeless(history: readonly EpochEvent[]): unknown[] {
  return history.map(({ seconds: _, examplesPerSecond: __, secondsLeft: ___, ...event }) => event);
}

function stopAt(step: number): Callback {
  return {
    name: "stop",
    every: { steps: 1 },
    decide(at) {
      if (at.step === step) at.stop();
    },
  };
}

const lr = ({ step, steps }: { readonly step: number; readonly steps: number }): number =>
  0.2 * (1 - step / (2 * steps));

const OPTIMIZERS: readonly (readonly [string, () => Optimizer])[] = [
  ["adam", () => adam({ lr: 0.01 })],
  ["sgd with a schedule and momentum", () => sgd({ lr, momentum: 0.9, nesterov: true })],
  ["sgdMomentum", () => sgdMomentum({ lr: 0.1 })],
  ["sgd", () => sgd({ lr })],
];

describe.each(OPTIMIZERS)("%s", (_, optimizer) => {
  test("cut by a callback at every step, the threads changed", async () => {
    const whole = network();
    const { history, checkpoint } = await start(whole, optimizer());
    expect(history.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
    const end = checkpoint();
    for (let cut = 1; cut < STEPS; cut++) {
      const first = await start(network(), optimizer(), { callbacks: [stopAt(cut)] });
      expect([first.reason, first.step]).toEqual(["stopped", cut]);
      const model = network();
      const second = await start(model, optimizer(), { resume: first.checkpoint(), threads: 1 + (cut % 3) });
      expect([second.reason, second.step, bitsOf(model)]).toEqual(["finished", STEPS, bitsOf(whole)]);
      // Of the epochs before, too; their clock is not kept.
      expect(timeless(second.history)).toEqual(timeless(history));
      expect(second.history.map(({ seconds }) => Number.isNaN(seconds))).toEqual(
        history.map(({ step }) => step < cut || (step === cut && cut % 4 === 0)),
      );
      expect([first.bitEqual, second.bitEqual]).toEqual([true, true]);
      // States and progress too: the checkpoint of the end is the same, byte by byte.
      expect(Buffer.from(second.checkpoint()).equals(end)).toBe(true);
    }
  });
});

test("cut many times in one run", async () => {
  const whole = network();
  await start(whole, adam());
  let bytes: Uint8Array | undefined;
  const model = network();
  for (const cut of [1, 2, 7, 8, 9, 15, 16]) {
    const part: FitResult = await start(model, adam(), {
      callbacks: [stopAt(cut)],
      ...(bytes === undefined ? {} : { resume: bytes }),
    });
    expect(part.step).toBe(cut);
    bytes = part.checkpoint();
  }
  expect(bitsOf(model)).toBe(bitsOf(whole));
});

test("a checkpoint of the run under way, before and after the callbacks beside it", async () => {
  const saved = new Map<string, Uint8Array>();
  const saving = (name: string): Callback => ({
    name,
    every: { steps: 1 },
    decide(at) {
      saved.set(`${name} ${at.step}`, at.checkpoint());
    },
  });
  const halving: Callback = {
    name: "halving",
    every: { steps: 5 },
    decide(at) {
      at.rateScale /= 2;
      saved.set(`halving ${at.step}`, at.checkpoint());
    },
  };
  const callbacks = (): readonly Callback[] => [saving("before"), halving, saving("after")];
  const whole = network();
  await start(whole, adam(), { callbacks: callbacks() });
  expect(saved.size).toBe(16 + 3 + 16);
  for (const [place, resume] of [...saved]) {
    const model = network();
    await start(model, adam(), { callbacks: callbacks(), resume });
    expect(`${place}: ${bitsOf(model)}`).toBe(`${place}: ${bitsOf(whole)}`);
  }
});

test("a checkpoint's bytes may be those of another realm", async () => {
  const options = { data: DATA, loss: crossEntropy(), batchSize: BATCH, seed: 21, optimizer: adam() } as const;
  const { checkpoint } = await fit(network(), { ...options, steps: 7 });
  const foreign: Uint8Array = runInNewContext("Uint8Array.from(list)", { list: [...checkpoint()] });
  expect(foreign).not.toBeInstanceOf(Uint8Array);
  const [resumed, whole] = [network(), network()];
  await fit(resumed, { ...options, steps: 12, resume: foreign });
  await fit(whole, { ...options, steps: 12 });
  expect(bitsOf(resumed)).toBe(bitsOf(whole));
});

describe("cut from outside, wherever it happens to be", () => {
  const many = { data: DATA, loss: crossEntropy(), batchSize: BATCH, seed: 21, steps: 40_000 } as const;

  test("stop()", async () => {
    const model = network();
    const run = fit(model, { ...many, optimizer: adam(), reportEvery: 1 });
    for await (const { kind } of run) if (kind === "step") run.stop();
    const { reason, step, checkpoint } = await run;
    expect(reason).toBe("stopped");
    expect(step).toBeLessThan(many.steps);
    const steps = step + 10;
    const resumed = network();
    await fit(resumed, { ...many, steps, optimizer: adam(), resume: checkpoint() });
    const whole = network();
    await fit(whole, { ...many, steps, optimizer: adam() });
    expect(bitsOf(resumed)).toBe(bitsOf(whole));
  });

  test("stop() before the first step of a continuation changes nothing", async () => {
    const { checkpoint } = await fit(network(), { ...many, steps: 6, optimizer: adam() });
    const model = network();
    const { step, ...stopped } = await stoppedAtStart(fit(model, { ...many, optimizer: adam(), resume: checkpoint() }));
    expect([step, model.initialized]).toEqual([6, false]);
    expect(() => stopped.checkpoint()).toThrow(expect.objectContaining({ code: "ERR_STATE", where: "checkpoint" }));
  });

  test("an aborted run leaves the weights of a finished step, and a checkpoint of a callback continues it", async () => {
    let last: Uint8Array | undefined;
    let step = 0;
    const aborting = new AbortController();
    const saving: Callback = {
      name: "saving",
      every: { steps: 1 },
      decide(at) {
        last = at.checkpoint();
        step = at.step;
        if (step === 7) aborting.abort(new Error("enough"));
      },
    };
    const model = network();
    const run = start(model, adam(), { callbacks: [saving], signal: aborting.signal });
    await expect(run).rejects.toThrow("enough");
    expect(step).toBe(7);
    const seven = network();
    await start(seven, adam(), { callbacks: [stopAt(7)] });
    expect(bitsOf(model)).toBe(bitsOf(seven));

    const resumed = network();
    await start(resumed, adam(), {
      callbacks: [{ ...saving, decide: () => undefined }],
      resume: last ?? new Uint8Array(),
    });
    const whole = network();
    await start(whole, adam());
    expect(bitsOf(resumed)).toBe(bitsOf(whole));
  });
});

test("a resume takes the seed of its checkpoint, and a run without weights of its own does not need them", async () => {
  const base = { data: DATA, loss: crossEntropy(), optimizer: adam(), batchSize: BATCH } as const;
  const { checkpoint } = await fit(network(), { ...base, steps: 3, seed: 99 });
  const resumed = network();
  await fit(resumed, { ...base, steps: 9, resume: checkpoint() });
  const whole = network();
  await fit(whole, { ...base, steps: 9, seed: 99 });
  expect(bitsOf(resumed)).toBe(bitsOf(whole));
});

test("states that are not finite survive a resume", async () => {
  const odd: State = { a: Number.NaN, b: [Number.NEGATIVE_INFINITY, -0.5] };
  const seen: State[] = [];
  const make = (): Callback => ({
    name: "odd",
    decide: () => undefined,
    state: () => odd,
    restore(state) {
      seen.push(state);
    },
  });
  const base = { data: DATA, loss: crossEntropy(), optimizer: adam(), batchSize: BATCH, steps: 3 } as const;
  const { checkpoint } = await fit(network(), { ...base, callbacks: [make()] });
  const again = await fit(network(), { ...base, callbacks: [make()], resume: checkpoint() });
  expect(seen).toEqual([odd]);
  expect(Buffer.from(again.checkpoint()).equals(checkpoint())).toBe(true);
});

test("a result's checkpoint is that of the end of the run, or an error", async () => {
  const model = network();
  const { checkpoint } = await fit(model, { data: DATA, loss: crossEntropy(), optimizer: adam(), steps: 3 });
  const bytes = checkpoint();
  expect(checkpoint()).toEqual(bytes);
  model.initialize(5);
  expect(checkpoint).toThrow(expect.objectContaining({ code: "ERR_STATE" }));
});

test("a decision that is over gives no checkpoint", async () => {
  let late: (() => Uint8Array) | undefined;
  const keeping: Callback = {
    name: "keeping",
    decide(at) {
      late = () => at.checkpoint();
    },
  };
  await fit(network(), { data: DATA, loss: crossEntropy(), optimizer: adam(), epochs: 1, callbacks: [keeping] });
  expect(late).toThrow(expect.objectContaining({ code: "ERR_STATE" }));
});

test("a job that is stopped at its first event each time, a validation that it owes, comes to its end", async () => {
  const dir = mkdtempSync(join(tmpdir(), "carillon-owed-"));
  const steps: number[] = [];
  try {
    for (let start = 0; start < 40 && steps.at(-1) !== STEPS; start++) {
      const run = fit(network(), {
        data: DATA,
        validation: HELD_OUT,
        validate: { every: { steps: 3 } },
        loss: crossEntropy(),
        optimizer: adam(),
        batchSize: BATCH,
        epochs: EPOCHS,
        checkpoint: { dir, every: { steps: 5 } },
        resume: "auto",
        reportEvery: 1,
      });
      for await (const { kind, step } of run) {
        if (kind !== "start" && kind !== "end") run.stop();
        if (kind === "end") steps.push(step);
      }
    }
    expect(steps.at(-1)).toBe(STEPS);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
