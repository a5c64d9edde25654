import type { NativeFault } from "../binding/native.js";
import { CarillonError } from "../errors.js";
import type { CompiledProgram } from "../graph/compiled.js";
import { CALL_STEPS, type Evaluation, Evaluator, Sums } from "../nn/evaluator.js";
import type { MetricName } from "../nn/metrics.js";
import type { Model } from "../nn/model.js";
import { LOG } from "../nn/objective.js";
import { Minimizer } from "../optim/minimizer.js";
import { checkNumber } from "../options.js";
import type { Callback, Decision } from "./callback.js";
import { type Best, type DecodedCheckpoint, metadataOf, type Progress, stretchesOf } from "./checkpoint.js";
import { figureOf } from "./checkpoint_options.js";
import { type CheckpointFile, CheckpointStore, prepareFolder, takeFolder } from "./checkpoint_store.js";
import type { EndReason, EpochEvent, FitEvent } from "./events.js";
import { nonFinite } from "./guard.js";
import { type CheckedOptions, checkOptions, type FitData, type FitOptions, type ValidationOf } from "./options.js";
import { FROM_THE_BEGINNING, findCheckpoint, RESUME, type Resumed } from "./resume.js";
import { type Run, type RunContext, startRun } from "./run.js";
import { type Settings, settingsOf } from "./settings.js";
import { Snapshot } from "./snapshot.js";
import { compileStep } from "./step.js";

/** How a run ended. */
export interface FitResult<K extends string = string, V = Evaluation<K> | undefined> {
  readonly reason: EndReason;
  /** Steps done. */
  readonly step: number;
  readonly seconds: number;
  /** One event an epoch. */
  readonly history: readonly EpochEvent<K, V>[];
  /**
   * The averaged weights by name, with `averageWeights`, for {@link Model.setWeights}; otherwise `undefined`. `ERR_STATE`
   * once the model was changed after the run.
   */
  averaged(): ReadonlyMap<string, Float32Array> | undefined;
  /**
   * Everything that determines what would come next, as bytes that `resume` takes. `ERR_STATE` once the model was
   * changed after the run.
   */
  checkpoint(): Uint8Array;
}

type AnyOptions = FitOptions<readonly MetricName[], FitData | undefined>;
type Context = RunContext<FitEvent>;

/** Milliseconds between two looks at a call under way, for step events. */
const REPORT_INTERVAL = 50;

/** One run: its programs, where it stands, and what it tells. */
class Fitting {
  readonly #model: Model;
  readonly #options: CheckedOptions;
  readonly #context: Context;
  readonly #seed: number;
  readonly #minimizer: Minimizer;
  readonly #program: CompiledProgram;
  /** What validation measures: the model, or one with the averaged weights. */
  readonly #measured: Model;
  readonly #evaluator: Evaluator | undefined;
  readonly #sums: Sums;
  readonly #history: EpochEvent[] = [];
  readonly #started = performance.now();
  readonly #firstStep: number;
  readonly #resumed: Resumed;
  readonly #store: CheckpointStore | undefined;
  #snapshot: Snapshot | undefined;
  #settings: Settings | undefined;

  #step = 0;
  #rateScale = 1;
  #stopping = false;
  #validation: Evaluation | undefined;
  /** Callbacks that have still to decide at this step. */
  #pending: readonly string[] = [];
  #seen = 0;
  #examples = 0;

  constructor(
    model: Model,
    options: CheckedOptions,
    context: Context,
    minimizer: Minimizer,
    resumed: Resumed,
    files: readonly CheckpointFile[],
  ) {
    this.#model = model;
    this.#options = options;
    this.#context = context;
    this.#sums = new Sums(options.metrics);
    this.#minimizer = minimizer;
    this.#resumed = resumed;
    const { checkpoint } = resumed;
    this.#seed = checkpoint?.progress.seed ?? options.seed ?? 0;
    this.#program = compileStep(model, this.#minimizer, this.#seed, { ...options, guarded: true });
    this.#measured = options.averageWeights === undefined ? model : model.clone();
    this.#evaluator =
      options.validation === undefined
        ? undefined
        : new Evaluator(this.#measured, options.loss, options.metrics, options.validation, EVALUATION_BATCH);
    // Everything fits: only now is anything written.
    if (checkpoint !== undefined) this.#resume(checkpoint);
    if (!model.initialized) model.restoreInitial(this.#seed);
    if (checkpoint === undefined) this.#minimizer.resetAverages();
    this.#firstStep = this.#step;
    if (options.checkpoint !== undefined) {
      const snapshot = new Snapshot(stretchesOf(model, minimizer));
      const best = checkpoint?.progress.best ?? null;
      this.#store = new CheckpointStore(options.checkpoint, snapshot, files, best, (written) => {
        context.emit({ kind: "checkpoint", ...written });
      });
    }
    context.onStop(() => this.#program.stop());
    options.signal?.addEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void => this.#program.stop();

  /** Runs to the end; the model holds the weights of a finished step however it ends. */
  async run(): Promise<FitResult> {
    try {
      this.#emitStart();
      const { callbacks } = this.#options;
      await this.#askAll(callbacks.filter(({ name }) => this.#pending.includes(name)));
      while (this.#step < this.#options.steps && !this.#halted) {
        const target = this.#nextStop();
        await this.#advance(target);
        if (this.#options.signal?.aborted === true) throw this.#options.signal.reason;
        if (this.#step !== target) continue;
        await this.#decide();
        if (this.#checkpointDue) await this.#save();
      }
      if (this.#options.signal?.aborted === true) throw this.#options.signal.reason;
      if (this.#step !== this.#store?.last) await this.#save();
      await this.#store?.settle();
      return this.#finish();
    } finally {
      await this.#store?.settle().catch(() => undefined);
      this.#options.signal?.removeEventListener("abort", this.#onAbort);
    }
  }

  get #halted(): boolean {
    return this.#stopping || this.#context.stopped || this.#options.signal?.aborted === true;
  }

  get #epoch(): number {
    return Math.ceil(this.#step / this.#options.stepsPerEpoch);
  }

  get #checkpointDue(): boolean {
    const { checkpoint, stepsPerEpoch } = this.#options;
    return checkpoint !== undefined && this.#step % periodOf(checkpoint, stepsPerEpoch) === 0;
  }

  /** Takes a checkpoint of this step and begins to write it. */
  async #save(): Promise<void> {
    const { dataLoss, penalty } = this.#figures;
    const { metrics } = this.#sums;
    const monitor = this.#options.checkpoint?.best?.monitor;
    const figures = { loss: dataLoss + penalty, dataLoss, penalty, metrics, validation: this.#validation };
    await this.#store?.save({
      step: this.#step,
      figure: monitor === undefined ? undefined : figureOf(monitor, figures),
      metadata: (best) => this.#metadata(best),
    });
  }

  #resume({ progress, weights, states }: DecodedCheckpoint): void {
    for (const callback of this.#options.callbacks) callback.restore?.(progress.callbacks[callback.name] ?? null);
    this.#model.restore(weights, RESUME);
    this.#minimizer.restore(this.#model, states);
    this.#step = progress.step;
    this.#rateScale = progress.rateScale;
    this.#sums.restore(progress.sums);
    this.#validation = progress.validation ?? undefined;
    this.#pending = progress.pending;
  }

  /** The nearest step at which anything may be decided. Only those who decide make one; who listens does not. */
  #nextStop(): number {
    const { steps, stepsPerEpoch, callbacks, checkpoint } = this.#options;
    const after = (period: number): number => (Math.floor(this.#step / period) + 1) * period;
    const stops = callbacks.map((callback) => after(periodOf(callback, stepsPerEpoch)));
    if (this.#evaluator !== undefined) stops.push(after(stepsPerEpoch));
    if (checkpoint !== undefined) stops.push(after(periodOf(checkpoint, stepsPerEpoch)));
    return Math.min(steps, this.#step + CALL_STEPS, ...stops);
  }

  async #advance(target: number): Promise<void> {
    const first = this.#step + 1;
    const { threads, steps, stepsPerEpoch, reportEvery } = this.#options;
    this.#seen = 0;
    const timer =
      reportEvery > 0 || this.#context.hasReaders()
        ? setInterval(() => this.#report(first), REPORT_INTERVAL).unref()
        : undefined;
    let fault: NativeFault | null = null;
    try {
      ({ fault } = await this.#program.run({
        firstStep: first,
        steps: target - this.#step,
        threads,
        totalSteps: steps,
        stepsPerEpoch,
        rateScale: this.#rateScale,
      }));
    } finally {
      clearInterval(timer);
      this.#report(first);
    }
    if (fault === null) return;
    const { loss, train, batchSize, shuffle } = this.#options;
    const [model, program, seed, step] = [this.#model, this.#program, this.#seed, this.#step + 1];
    throw await nonFinite({ model, program, fault, step, seed, train, loss, batchSize, shuffle });
  }

  /** Takes in what the call has logged so far. */
  #report(first: number): void {
    const { logColumns } = this.#program;
    const finished = this.#program.finished;
    if (finished === this.#seen) return;
    const log = this.#program.log(this.#seen, finished);
    for (let row = 0; row < finished - this.#seen; row++) {
      this.#take(first + this.#seen + row, log.subarray(row * logColumns, (row + 1) * logColumns));
    }
    this.#seen = finished;
  }

  #take(step: number, row: Float32Array): void {
    const { reportEvery, stepsPerEpoch, steps } = this.#options;
    if (this.#step % stepsPerEpoch === 0) this.#sums.clear();
    this.#step = step;
    this.#sums.add(row);
    this.#examples += row[LOG.rows] ?? 0;
    if (reportEvery > 0 && step % reportEvery === 0) {
      const penalty = row[LOG.penalty] ?? 0;
      const dataLoss = (row[LOG.total] ?? 0) / (row[LOG.weight] ?? 1);
      this.#context.emit({ kind: "step", step, epoch: this.#epoch, loss: dataLoss + penalty, dataLoss, penalty });
    }
    const ends = step % stepsPerEpoch === 0 || step === steps;
    if (ends && this.#evaluator === undefined) this.#emitEpoch(undefined);
  }

  /** At a stop point: validation, then callbacks in their order. */
  async #decide(): Promise<void> {
    const { stepsPerEpoch, steps, callbacks, threads } = this.#options;
    const epochEnds = this.#step % stepsPerEpoch === 0 || this.#step === steps;
    if (epochEnds && this.#evaluator !== undefined) {
      const averages = this.#minimizer.averages(this.#model, this.#step);
      if (averages !== undefined) this.#measured.restore(averages, "averageWeights");
      this.#validation = await this.#evaluator.run(threads);
      this.#emitEpoch(this.#validation);
    }
    await this.#askAll(callbacks.filter((callback) => this.#step % periodOf(callback, stepsPerEpoch) === 0));
  }

  async #askAll(callbacks: readonly Callback[]): Promise<void> {
    for (const [index, callback] of callbacks.entries()) {
      this.#pending = callbacks.slice(index + 1).map(({ name }) => name);
      await this.#ask(callback);
    }
  }

  async #ask(callback: Callback): Promise<void> {
    const { dataLoss, penalty } = this.#figures;
    let over = false;
    const decision: Decision = {
      step: this.#step,
      epoch: this.#epoch,
      loss: dataLoss + penalty,
      dataLoss,
      penalty,
      metrics: this.#sums.metrics,
      validation: this.#validation,
      rateScale: this.#rateScale,
      stop: () => {
        this.#stopping = true;
      },
      checkpoint: () => {
        if (over) throw new CarillonError("ERR_STATE", callback.name, `the decision of '${callback.name}' is over`);
        this.#takeRate(callback, decision);
        return this.#checkpoint();
      },
    };
    await callback.decide(decision);
    over = true;
    this.#takeRate(callback, decision);
  }

  #takeRate({ name }: Callback, { rateScale }: Decision): void {
    this.#rateScale = checkNumber(`${name}.rateScale`, rateScale, { min: 0 });
  }

  get #figures(): { readonly dataLoss: number; readonly penalty: number } {
    return { dataLoss: this.#sums.loss, penalty: this.#sums.penalty };
  }

  get #seconds(): number {
    return (performance.now() - this.#started) / MILLISECONDS;
  }

  #emitStart(): void {
    const { steps, stepsPerEpoch, train, threads } = this.#options;
    const parameters = this.#model.segments.reduce((total, { count }) => total + count, 0);
    this.#context.emit({
      kind: "start",
      steps,
      step: this.#step,
      stepsPerEpoch,
      samples: train.samples,
      parameters,
      threads,
      resumedFrom: this.#resumed.path,
      passedOver: this.#resumed.passedOver,
    });
  }

  #emitEpoch(validation: Evaluation | undefined): void {
    const { dataLoss, penalty } = this.#figures;
    const seconds = this.#seconds;
    const done = this.#step - this.#firstStep;
    const event: EpochEvent = {
      kind: "epoch",
      epoch: this.#epoch,
      step: this.#step,
      loss: dataLoss + penalty,
      dataLoss,
      penalty,
      metrics: this.#sums.metrics,
      validation,
      seconds,
      examplesPerSecond: this.#examples / seconds,
      secondsLeft: (seconds / done) * (this.#options.steps - this.#step),
    };
    this.#history.push(event);
    this.#context.emit(event);
  }

  #checkpoint(): Uint8Array {
    this.#snapshot ??= new Snapshot(stretchesOf(this.#model, this.#minimizer));
    this.#snapshot.take();
    return this.#snapshot.bytes(this.#metadata(this.#store?.best ?? null));
  }

  #metadata(best: Best | null): Readonly<Record<string, string>> {
    const { batchSize, shuffle, callbacks, train } = this.#options;
    const progress: Progress = {
      step: this.#step,
      seed: this.#seed,
      samples: train.samples,
      batchSize,
      shuffle,
      rateScale: this.#rateScale,
      sums: this.#sums.state(),
      validation: this.#validation ?? null,
      pending: this.#pending,
      callbacks: Object.fromEntries(callbacks.map((callback) => [callback.name, callback.state?.() ?? null])),
      best,
    };
    this.#settings ??= settingsOf(this.#model, this.#minimizer, this.#options);
    return metadataOf(this.#minimizer, this.#settings, progress);
  }

  #finish(): FitResult {
    const reason: EndReason = this.#step < this.#options.steps ? "stopped" : "finished";
    const seconds = this.#seconds;
    const step = this.#step;
    this.#context.emit({ kind: "end", reason, step, seconds });
    const { version } = this.#model;
    const unchanged = <T>(where: string, give: () => T): T => {
      if (this.#model.version === version) return give();
      throw new CarillonError("ERR_STATE", where, "the model was changed after the run");
    };
    return {
      reason,
      step,
      seconds,
      history: this.#history,
      averaged: () => unchanged("averaged", () => this.#minimizer.averages(this.#model, step)),
      checkpoint: () => unchanged("checkpoint", () => this.#checkpoint()),
    };
  }
}

const MILLISECONDS = 1000;
/** Rows of a batch at validation. */
const EVALUATION_BATCH = 256;

function periodOf({ every = { epochs: 1 } }: Pick<Callback, "every">, stepsPerEpoch: number): number {
  return every.steps ?? every.epochs * stepsPerEpoch;
}

async function train(model: Model, options: AnyOptions, context: Context): Promise<FitResult> {
  const checked = checkOptions(model, options);
  checked.signal?.throwIfAborted();
  const { checkpoint, resume } = checked;
  model.acquire("fit");
  let leaveFolder: (() => void) | undefined;
  try {
    leaveFolder = checkpoint === undefined ? undefined : takeFolder(checkpoint.dir);
    const minimizer = new Minimizer([model], checked.optimizer, {
      regularizer: checked.regularizer,
      clip: checked.clip,
      averageWeights: checked.averageWeights,
    });
    const resumed = resume === undefined ? FROM_THE_BEGINNING : await findCheckpoint(model, minimizer, checked);
    const step = resumed.checkpoint?.progress.step ?? 0;
    const passedOver = resumed.passedOver.map(({ path }) => path);
    const files = checkpoint === undefined ? [] : await prepareFolder(checkpoint.dir, step, passedOver);
    return await new Fitting(model, checked, context, minimizer, resumed, files).run();
  } finally {
    leaveFolder?.();
    model.release();
  }
}

/**
 * Trains `model` on native threads. The run starts at once; await it for the result, iterate it for events:
 *
 * @example
 * const run = fit(model, { data: { x, y }, loss: crossEntropy(), optimizer: adam(), epochs: 10 });
 * for await (const event of run) if (event.kind === 'epoch') console.log(event.epoch, event.loss);
 * const { history } = await run;
 *
 * Every step: gather a batch in the order of the epoch, forward, Σ wℓ/Σ w, backward, and one update pass over all
 * parameters with the penalties folded in. The same seed gives the same bits on any processor and number of threads.
 *
 * Rejects with `CarillonError`: `ERR_OPTION`, `ERR_UNKNOWN_OPTION`, `ERR_DATA`, `ERR_LABEL`, `ERR_SHAPE`, `ERR_DTYPE`,
 * `ERR_DETACHED`, `ERR_TRACE` (a loss that leaves a parameter out), `ERR_BUSY` (another run has the model), `ERR_FILE` and `ERR_STATE` (a checkpoint that does not fit).
 */
export function fit<const M extends readonly MetricName[] = readonly [], V extends FitData | undefined = undefined>(
  model: Model,
  options: FitOptions<M, V>,
): Run<FitResult<M[number], ValidationOf<M, V>>, FitEvent<M[number], ValidationOf<M, V>>>;
export function fit(model: Model, options: AnyOptions): Run<FitResult, FitEvent> {
  return startRun<FitResult, FitEvent>((context) => train(model, options, context));
}
