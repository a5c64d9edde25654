// Trains one member, and keeps the weights of its best epoch.
import { Dataset } from "../data/stream.js";
import type { Priority } from "../graph/compiled.js";
import type { State } from "../io/state.js";
import type { Loss } from "../nn/losses/loss.js";
import type { AnyModel } from "../nn/model/model.js";
import type { Optimizer } from "../optim/optimizer.js";
import type { Partition } from "../optim/partition.js";
import type { Regularizers } from "../regularizers/index.js";
import type { Callback, CallbackHooks } from "../train/callbacks/callback.js";
import { fitAny } from "../train/fit.js";
import type { AnyData } from "../train/options.js";
import type { EndReason, EpochEvent } from "../train/run/events.js";

/** An epoch, in the units of the network. */
export interface MemberEpoch {
  readonly epoch: number;
  readonly step: number;
  readonly loss: number;
  readonly validationLoss: number;
  /** What the best epoch is chosen by. */
  readonly value: number;
  readonly best: { readonly epoch: number; readonly value: number };
}

/** A step now and then. */
export interface MemberStep {
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly examplesPerSecond: number;
}

/** How a member is trained. */
export interface MemberTraining {
  readonly loss: Loss;
  readonly optimizer: Optimizer | Partition;
  readonly regularizer: Regularizers | undefined;
  readonly epochs: number;
  readonly batchSize: number;
  readonly stepsPerEpoch: number;
  readonly seed: number;
  readonly threads: number;
  readonly priority: Priority | undefined;
  /** `validation.accuracy`, `validation.rmse`, or `validation.loss`. */
  readonly monitor: "accuracy" | "rmse" | "loss";
  /** Epochs without a better one after which it is stopped. */
  readonly patience: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly checkpoint: { readonly dir: string; readonly resume: boolean } | undefined;
  /** Is told behind which step it begins. */
  onBegin(step: number): void;
  onStep(step: MemberStep): void;
  onEpoch(epoch: MemberEpoch): void;
  /** Is given what stops this member. */
  onStart(stop: { stop(): void; pause(): void; resume(): void }): void;
}

/** What came of it. */
export interface TrainedMember {
  readonly reason: EndReason;
  readonly step: number;
  readonly best: { readonly epoch: number; readonly value: number } | undefined;
  /** Its epochs, those before a break among them; of more than 10,000 every k-th. */
  readonly epochs: readonly Omit<MemberEpoch, "best">[];
}

/** Steps of an epoch from which on checkpoints stand so many steps apart, rather than epochs. */
const LONG = 1000;

/** Steps between two looks at the pace. */
const REPORT = 50;

interface Kept {
  readonly best: { readonly epoch: number; readonly value: number; readonly step: number } | undefined;
  readonly weights: ReadonlyMap<string, Float32Array> | undefined;
  /** Epochs since. */
  readonly waited: number;
}

const NOTHING: Kept = { best: undefined, weights: undefined, waited: 0 };

/** Keeps the weights of the best epoch, of several that are alike those of the last, and gives them to the model in the end. */
function keepBest(
  monitor: string,
  isHigher: boolean,
  patience: number | undefined,
  restored: (best: Kept["best"]) => void,
): Callback {
  let kept = NOTHING;
  const name = `validation.${monitor}`;
  const hooks: CallbackHooks = {
    get best() {
      return kept.best === undefined ? undefined : { monitor: name, ...kept.best };
    },
    start() {
      kept = NOTHING;
    },
    decide(at) {
      const value = monitor === "loss" ? at.validation?.loss : at.validation?.metrics[monitor];
      if (value === undefined || at.validationStep !== at.step) return;
      const before = kept.best?.value;
      const waited = before === value ? kept.waited + 1 : 0;
      if (before !== undefined && (isHigher ? value < before : value > before))
        kept = { ...kept, waited: kept.waited + 1 };
      else kept = { best: { epoch: at.epoch, value, step: at.step }, weights: at.weights(), waited };
      if (patience !== undefined && kept.waited >= patience) at.stop();
    },
    end(at) {
      if (kept.weights !== undefined) at.setWeights(kept.weights);
    },
    state: () => ({
      best: kept.best === undefined ? null : { ...kept.best },
      waited: kept.waited,
      weights: kept.weights === undefined ? null : Object.fromEntries(kept.weights),
    }),
    restore(state: State) {
      const { best, weights, waited } = state as {
        readonly best: NonNullable<Kept["best"]> | null;
        readonly waited: number;
        readonly weights: Readonly<Record<string, Float32Array>> | null;
      };
      kept = {
        best: best ?? undefined,
        weights: weights === null ? undefined : new Map(Object.entries(weights)),
        waited,
      };
      restored(kept.best);
    },
  };
  const begin = (): CallbackHooks => hooks;
  return Object.assign({ name: "keepBest", monitor: name, begin }, { decide: hooks.decide });
}

/** Batches of one size, give or take a row: as many as whole ones of `size` fit, so that no small one is left over. */
export function batchOf(rows: number, size: number): { readonly batchSize: number; readonly steps: number } {
  const steps = Math.max(1, Math.floor(rows / size));
  const batchSize = Math.ceil(rows / steps);
  return { batchSize, steps: Math.ceil(rows / batchSize) };
}

/**
 * Ends a run behind so many epochs, with the rates that it would have in all of them. Its name tells how many: a run that another one has ended would stay over when it is resumed, and goes on where there are more
 * epochs by now.
 */
function endBehind(epochs: number): Callback {
  const decide: CallbackHooks["decide"] = (at) => {
    if (at.epoch >= epochs) at.stop();
  };
  return { name: `epochsThatWereBest${epochs}`, decide, begin: () => ({ decide }) };
}

/** What the trainings of a member have in common. */
function fitOptions(data: AnyData, training: Omit<MemberTraining, "onEpoch" | "monitor" | "patience">) {
  const {
    checkpoint,
    loss,
    optimizer,
    regularizer,
    epochs,
    batchSize,
    stepsPerEpoch,
    seed,
    threads,
    priority,
    signal,
  } = training;
  return {
    data,
    loss,
    optimizer,
    ...(regularizer === undefined ? {} : { regularizer }),
    epochs,
    // A stream does not tell how long it is, and rates go by the steps of all epochs.
    ...(data instanceof Dataset ? { steps: epochs * stepsPerEpoch } : {}),
    batchSize,
    seed,
    threads,
    ...(priority === undefined ? {} : { priority }),
    reportEvery: REPORT,
    ...(signal === undefined ? {} : { signal }),
    ...(checkpoint === undefined
      ? {}
      : {
          checkpoint: {
            dir: checkpoint.dir,
            every: stepsPerEpoch > LONG ? { steps: LONG } : { epochs: 16 },
            keep: 1,
          },
          ...(checkpoint.resume ? { resume: "auto" as const } : {}),
        }),
  };
}

/** Trains `model` once more, on all rows, for the epochs that were best; `false` where the run was stopped before. */
export async function trainAgain(
  model: AnyModel,
  data: AnyData,
  epochs: number,
  training: Omit<MemberTraining, "onEpoch" | "monitor" | "patience">,
): Promise<boolean> {
  const ends = endBehind(epochs);
  const run = fitAny(model, { ...fitOptions(data, training), callbacks: [ends] });
  training.onStart(run);
  for await (const event of run) {
    if (event.kind === "start") training.onBegin(event.step);
    if (event.kind === "step") training.onStep(event);
  }
  const { reason, stoppedBy } = await run;
  return reason === "finished" || stoppedBy === ends.name;
}

/** Trains `model`; it has the weights of its best epoch then. */
export async function trainMember(
  model: AnyModel,
  train: AnyData,
  validation: AnyData,
  training: MemberTraining,
): Promise<TrainedMember> {
  const { monitor } = training;
  let best: TrainedMember["best"];
  const callback = keepBest(monitor, monitor === "accuracy", training.patience, (before) => {
    best = before;
  });
  const metrics = monitor === "loss" ? [] : [monitor];
  const run = fitAny(model, { ...fitOptions(train, training), validation, metrics, callbacks: [callback] });
  training.onStart(run);
  for await (const event of run) {
    if (event.kind === "start") training.onBegin(event.step);
    if (event.kind === "step") training.onStep(event);
    const told = event.kind === "epoch" ? toldOf(event, monitor) : undefined;
    if (told === undefined) continue;
    const { epoch, value } = told;
    if (best === undefined || (monitor === "accuracy" ? value >= best.value : value <= best.value))
      best = { epoch, value };
    training.onEpoch({ ...told, best });
  }
  const { reason, step, best: last, history } = await run;
  const told = history.map((event) => toldOf(event, monitor));
  return { reason, step, best: last ?? best, epochs: told.filter((one) => one !== undefined) };
}

/** What is told of an epoch that was measured. */
function toldOf(event: EpochEvent, monitor: MemberTraining["monitor"]): Omit<MemberEpoch, "best"> | undefined {
  const { validation, epoch, step, loss } = event;
  if (validation === undefined) return undefined;
  const value = monitor === "loss" ? validation.loss : Number(validation.metrics[monitor]);
  return { epoch, step, loss, validationLoss: validation.loss, value };
}
