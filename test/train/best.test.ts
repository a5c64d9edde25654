// The best is the best: every figure goes with the weights of the step that it was measured at, wherever validations, ends of
// epochs, checkpoints, callbacks and the end of the run fall.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  type Callback,
  type CheckpointEvent,
  crossEntropy,
  defineMetric,
  dropout,
  earlyStopping,
  type FitEvent,
  fit,
  linear,
  type Metric,
  type Model,
  reduceOnPlateau,
  relu,
  sequential,
} from "carillon";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeSafetensors } from "../io/whole_file.js";
import { listing } from "./listing.js";
import { bitsOf, clusters, hashOf } from "./synthetic.js";

/** 7 steps an epoch. */
const DATA = clusters(56, 4, 3);
const HELD_OUT = clusters(20, 4, 3, 2);
const OPTIONS = { data: DATA, loss: crossEntropy(), optimizer: adam({ lr: 0.01 }), batchSize: 8, seed: 6 } as const;
const VALIDATED = { ...OPTIONS, validation: HELD_OUT } as const;

function network(): Model<4, 3> {
  return sequential(linear(4, 12), relu(), dropout(0.25), linear(12, 3));
}

async function bitsAfter(steps: number): Promise<string> {
  const model = network();
  await fit(model, { ...OPTIONS, steps });
  return bitsOf(model);
}

/** Gives one of `values` after another, a validation each; of training examples 0. */
function scripted(values: readonly number[]): Metric<"figure"> {
  let next = 0;
  return defineMetric({
    name: "figure",
    start: (): number => 0,
    add: (rows, { rows: more }) => rows + more,
    result: (rows) => (rows === 20 ? (values[next++] ?? Number.NaN) : 0),
  });
}

/** Tells at which steps it was asked, and whether the validation was one of that step. */
function looking(seen: number[], monitor?: string, every?: Callback["every"]): Callback {
  return {
    name: "looking",
    monitor,
    every,
    decide: ({ step }) => {
      seen.push(step);
    },
  };
}

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "carillon-best-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const nameOf = (step: number): string => `step-${String(step).padStart(9, "0")}.safetensors`;

/** Bits of the weights in a checkpoint, in the order of the model. */
function bitsIn(step: number): string {
  const { tensors } = decodeSafetensors(readFileSync(join(dir, nameOf(step))));
  const entries = ["linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"].map((name) => {
    const stored = tensors.get(`weights/${name}`);
    if (stored?.dtype !== "f32") throw new Error(`no ${name}`);
    return [name, stored] as const;
  });
  return hashOf(new Map(entries));
}

async function eventsOf(run: AsyncIterable<FitEvent>): Promise<FitEvent[]> {
  const events: FitEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

describe("the best checkpoint", () => {
  const best = { monitor: "validation.figure", mode: "min" } as const;
  const isBest = (event: FitEvent): event is CheckpointEvent => event.kind === "checkpoint" && event.best;

  test.each([
    [[3, 1, 2, 2, 2, 2], 14],
    [[3, 2, 2, 1, 2, 2], 28],
    [[3, 2, 2, 2, 2, 1], 38],
    [[1, 2, 2, 2, 2, 2], 7],
  ])("of the validations %o is that of step %i, whenever checkpoints are due", async (values, step) => {
    const checkpoint = { dir, every: { steps: 19 }, keep: 1, best };
    const run = fit(network(), { ...VALIDATED, steps: 38, metrics: [scripted(values)], checkpoint });
    const told = (await eventsOf(run)).filter(isBest);
    expect(told.at(-1)?.step).toBe(step);
    expect(listing(dir)).toEqual([...new Set([step, 38])].map(nameOf));
    expect(bitsIn(step)).toBe(await bitsAfter(step));
  });

  test("of a figure of training is one of whole epochs", async () => {
    const checkpoint = { dir, every: { steps: 5 }, keep: 1, best: { monitor: "loss" } };
    const run = fit(network(), { ...OPTIONS, steps: 24, checkpoint });
    const events = await eventsOf(run);
    const epochs = events.flatMap((event) => (event.kind === "epoch" && event.step % 7 === 0 ? [event] : []));
    const least = Math.min(...epochs.map(({ loss }) => loss));
    const step = epochs.find(({ loss }) => loss === least)?.step ?? 0;
    expect(events.filter(isBest).at(-1)?.step).toBe(step);
    expect(listing(dir)).toEqual([step, 24].map(nameOf));
    expect(bitsIn(step)).toBe(await bitsAfter(step));
  });

  test("outlives a stop and a resume", async () => {
    const checkpoint = { dir, every: { steps: 19 }, keep: 1, best };
    const values = [3, 1, 2, 2, 2, 2];
    const stop: Callback = { name: "stop", every: { steps: 17 }, decide: (at) => at.stop() };
    await fit(network(), { ...VALIDATED, steps: 38, metrics: [scripted(values)], checkpoint, callbacks: [stop] });
    expect(listing(dir)).toEqual([14, 17].map(nameOf));
    const metrics = [scripted(values.slice(2))];
    await fit(network(), { ...VALIDATED, steps: 38, metrics, checkpoint, resume: "auto" });
    expect(listing(dir)).toEqual([14, 38].map(nameOf));
  });
});

describe("a run that ends in the middle of an epoch", () => {
  const early = () => earlyStopping({ monitor: "validation.figure", mode: "min", patience: 9, restoreBest: true });

  test.each([
    [[3, 2, 1], { step: 20, epoch: 3 }],
    [[3, 1, 2], { step: 14, epoch: 2 }],
    [[1, 2, 3], { step: 7, epoch: 1 }],
  ])("with the validations %o is best at %o", async (values, { step, epoch }) => {
    const model = network();
    const { best, reason } = await fit(model, {
      ...VALIDATED,
      steps: 20,
      metrics: [scripted(values)],
      callbacks: [early()],
    });
    expect(reason).toBe("finished");
    expect(best).toEqual({ monitor: "validation.figure", value: 1, epoch, step });
    expect(bitsOf(model)).toBe(await bitsAfter(step));
  });

  test("asks who has no time of its own, but nobody whose epoch is not over", async () => {
    const seen: Record<string, number[]> = { plain: [], own: [], training: [], validation: [] };
    const callbacks = [
      looking(seen.plain ?? []),
      { ...looking(seen.own ?? [], undefined, { steps: 3 }), name: "own" },
      { ...looking(seen.training ?? [], "loss"), name: "training" },
      { ...looking(seen.validation ?? [], "validation.loss"), name: "validation" },
    ];
    await fit(network(), { ...VALIDATED, steps: 10, callbacks });
    expect(seen).toEqual({ plain: [7, 10], own: [3, 6, 9], training: [7], validation: [7, 10] });
  });

  test.each([
    ["plainly", {}],
    ["with averages", { averageWeights: { decay: 0.9 } }],
  ])("and goes on as one that never ended there, %s", async (_, more) => {
    // No loss is better by 10: the rate falls at each look but the first.
    const make = () => [
      reduceOnPlateau({ monitor: "validation.loss", factor: 0.5, patience: 1, minDelta: 10 }),
      earlyStopping({ monitor: "validation.loss", patience: 99, restoreBest: true }),
    ];
    for (const validate of [undefined, { every: { steps: 5 } }, { every: { epochs: 2 } }]) {
      const options = { ...VALIDATED, ...more, validate };
      const whole = network();
      const { best } = await fit(whole, { ...options, steps: 33, callbacks: make() });
      for (const steps of [1, 12, 20, 21]) {
        const first = network();
        const cut = await fit(first, { ...options, steps, callbacks: make() });
        const resumed = network();
        const run = await fit(resumed, { ...options, steps: 33, callbacks: make(), resume: cut.checkpoint() });
        expect([run.best, bitsOf(resumed)]).toEqual([best, bitsOf(whole)]);
        // The same job once more is over, with the same best.
        const again = network();
        const over = await fit(again, { ...options, steps, callbacks: make(), resume: cut.checkpoint() });
        expect([over.best, over.reason, bitsOf(again)]).toEqual([cut.best, cut.reason, bitsOf(first)]);
      }
    }
  });

  test("its last checkpoint is the best one, if it is", async () => {
    const checkpoint = { dir, keep: 2, best: { monitor: "validation.figure", mode: "min" } } as const;
    const metrics = (): [Metric<"figure">] => [scripted([3, 2, 1])];
    const callbacks = () => [earlyStopping({ monitor: "validation.figure", mode: "min", patience: 9 })];
    const job = { ...VALIDATED, steps: 20, checkpoint, resume: "auto" } as const;
    const events = await eventsOf(fit(network(), { ...job, metrics: metrics(), callbacks: callbacks() }));
    const written = events.flatMap((event) => (event.kind === "checkpoint" ? [[event.step, event.best]] : []));
    expect(written).toEqual([
      [7, true],
      [14, true],
      [20, true],
    ]);
    const files = listing(dir);
    const again = await fit(network(), { ...job, metrics: [scripted([1])], callbacks: callbacks() });
    expect(again).toMatchObject({ step: 20, reason: "finished", best: { step: 20, value: 1 } });
    expect(listing(dir)).toEqual(files);
  });
});

describe("patience", () => {
  const same = () => scripted(new Array<number>(50).fill(1));
  const early = (every?: Callback["every"]) => {
    return earlyStopping({ monitor: "validation.figure", mode: "min", patience: 3, restoreBest: true, every });
  };

  test("counts validations: 5, 10, 15 and 20, where the first is the best", async () => {
    const seen: number[] = [];
    const model = network();
    const { step, best, stoppedBy } = await fit(model, {
      ...VALIDATED,
      epochs: 30,
      validate: { every: { steps: 5 } },
      metrics: [same()],
      callbacks: [looking(seen, "validation.figure"), early()],
    });
    expect(seen).toEqual([5, 10, 15, 20]);
    expect([step, best?.step, stoppedBy]).toEqual([20, 5, "earlyStopping"]);
    expect(bitsOf(model)).toBe(await bitsAfter(5));
  });

  test("counts validations that are rarer than epochs", async () => {
    const options = { ...VALIDATED, epochs: 30, validate: { every: { epochs: 2 } }, metrics: [same()] };
    const { step, best } = await fit(network(), { ...options, callbacks: [early()] });
    expect([step, best?.step]).toEqual([4 * 14, 14]);
  });

  // Validations at 5, 10, …: the ends of epochs 7, 14, 21, 28 are heard of at 10, 15, 25 and 30.
  test.each([undefined, 4, 8, 12, 22, 24])(
    "with a period of its own counts the first one behind it, cut at %o",
    async (cut) => {
      const seen: number[] = [];
      const options = { ...VALIDATED, epochs: 30, validate: { every: { steps: 5 } } };
      const callbacks = () => [looking(seen, "validation.figure", { epochs: 1 }), early({ epochs: 1 })];
      let resume: Uint8Array | undefined;
      if (cut !== undefined) {
        const stop: Callback = { name: "stop", every: { steps: cut }, decide: (at) => at.stop() };
        const first = await fit(network(), { ...options, metrics: [same()], callbacks: [...callbacks(), stop] });
        resume = first.checkpoint();
      }
      const { step, best } = await fit(network(), { ...options, metrics: [same()], callbacks: callbacks(), resume });
      expect(seen).toEqual([10, 15, 25, 30]);
      expect([step, best?.step]).toEqual([30, 10]);
    },
  );
});

describe("what was best for something else", () => {
  const callbacksWith = (options: object) => [
    earlyStopping({ monitor: "validation.figure", mode: "min", patience: 50, ...options }),
  ];
  const JOB = { ...VALIDATED, epochs: 6 };
  const first = async (options: object): Promise<Uint8Array> => {
    const callbacks = callbacksWith(options);
    return (await fit(network(), { ...JOB, epochs: 2, metrics: [scripted([5, 1])], callbacks })).checkpoint();
  };
  const then = async (resume: Uint8Array, options: object, values: readonly number[]) => {
    const model = network();
    const callbacks = callbacksWith(options);
    const { best } = await fit(model, { ...JOB, metrics: [scripted(values)], callbacks, resume });
    return [best?.step, best?.value, bitsOf(model)];
  };
  const WORSE = [7, 3, 4, 9];

  test("weights that nobody has kept are not restored: the best is one that they go with", async () => {
    const resume = await first({ restoreBest: false });
    expect(await then(resume, { restoreBest: true }, WORSE)).toEqual([28, 3, await bitsAfter(28)]);
  });

  test("weights that were kept are not restored where that is not asked for", async () => {
    const resume = await first({ restoreBest: true });
    expect(await then(resume, { restoreBest: true }, WORSE)).toEqual([14, 1, await bitsAfter(14)]);
    expect(await then(resume, { restoreBest: false }, WORSE)).toEqual([14, 1, await bitsAfter(42)]);
  });

  test("another mode or figure begins anew", async () => {
    const resume = await first({ restoreBest: true });
    const max = { restoreBest: true, mode: "max" };
    expect(await then(resume, max, [0, 0.5, 0.25, 0])).toEqual([28, 0.5, await bitsAfter(28)]);
    const [step, , bits] = await then(resume, { restoreBest: true, monitor: "loss" }, WORSE);
    expect(step).toBeGreaterThan(14);
    expect(bits).toBe(await bitsAfter(Number(step)));
  });

  test("a rate waits for the figure that it is told now", async () => {
    const plateau = (mode: "min" | "max") =>
      reduceOnPlateau({ monitor: "validation.figure", mode, patience: 2, factor: 0.5 });
    const scales: number[] = [];
    const push = (scale: number): void => {
      scales.push(scale);
    };
    const watch: Callback = { name: "watch", decide: ({ rateScale }) => push(rateScale) };
    const job = { ...JOB, epochs: 3, callbacks: [plateau("min"), watch] };
    const resume = (await fit(network(), { ...job, metrics: [scripted([9, 8, 8])] })).checkpoint();
    const again = { ...job, epochs: 6, callbacks: [plateau("max"), watch], resume };
    await fit(network(), { ...again, metrics: [scripted([1, 2, 2])] });
    expect(scales).toEqual([1, 1, 1, 1, 1, 1]); // 1, 2 and 2 are all worse than 9 for who goes on with that
  });

  test("of two that restore their best, the result tells of the one whose weights the model has", async () => {
    const model = network();
    const restoring = (monitor: string, name: string) =>
      earlyStopping({ monitor, mode: "min", patience: 50, restoreBest: true, name });
    const callbacks = [restoring("validation.figure", "a"), restoring("loss", "b")];
    const { best } = await fit(model, { ...JOB, metrics: [scripted([5, 1, 7, 8, 9, 9])], callbacks });
    expect(best?.monitor).toBe("loss");
    expect(bitsOf(model)).toBe(await bitsAfter(best?.step ?? 0));
  });

  test("nor is a checkpoint the best by another figure's value", async () => {
    const dir = mkdtempSync(join(tmpdir(), "carillon-aim-"));
    try {
      const job = { ...JOB, resume: "auto" } as const;
      const best = { monitor: "validation.figure", mode: "min" } as const;
      await fit(network(), { ...job, epochs: 2, metrics: [scripted([5, 1])], checkpoint: { dir, best } });
      const checkpoint = { dir, best: { monitor: "validation.figure", mode: "max" } } as const;
      const events = await eventsOf(fit(network(), { ...job, metrics: [scripted([0, 0.5, 0.25, 0])], checkpoint }));
      const written = events.flatMap((event) => (event.kind === "checkpoint" ? [[event.step, event.best]] : []));
      expect(written).toEqual([
        [21, true],
        [28, true],
        [35, false],
        [42, false],
      ]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
