import { CarillonError } from "../errors.js";
import type { CompiledProgram } from "../graph/compiled.js";
import { readFileChecked } from "../io/file.js";
import { CALL_STEPS, type Evaluation, Evaluator, Sums } from "../nn/evaluator.js";
import type { MetricName } from "../nn/metrics.js";
import type { Model } from "../nn/model.js";
import { LOG } from "../nn/objective.js";
import { Minimizer } from "../optim/minimizer.js";
import { checkNumber } from "../options.js";
import type { Callback, Decision, Every } from "./callback.js";
import { type DecodedCheckpoint, decodeCheckpoint, encodeCheckpoint } from "./checkpoint.js";
import { type Course, checkDataProgress, type StreamProgress } from "./course.js";
import { EVALUATION_BATCH, makeCourse, prepareData, shuffleBufferOf } from "./data.js";
import type { EndReason, EpochEvent, FitEvent } from "./events.js";
import { type CheckedOptions, checkSettings, type FitData, type FitOptions, type ValidationOf } from "./options.js";
import { type Run, type RunContext, startRun } from "./run.js";
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
  readonly #course: Course;
  /** What validation measures: the model, or one with the averaged weights. */
  readonly #measured: Model;
  readonly #evaluator: Evaluator | undefined;
  readonly #sums: Sums;
  readonly #history: EpochEvent[] = [];
  readonly #started = performance.now();
  readonly #firstStep: number;

  #step = 0;
  #rateScale = 1;
  #stopping = false;
  #validation: Evaluation | undefined;
  /** Callbacks that have still to decide at this step. */
  #pending: readonly string[] = [];
  #seen = 0;
  #examples = 0;

  constructor(model: Model, options: CheckedOptions, context: Context, resume: Uint8Array | undefined) {
    this.#model = model;
    this.#options = options;
    this.#context = context;
    this.#sums = new Sums(options.metrics);
    this.#minimizer = new Minimizer([model], options.optimizer, {
      regularizer: options.regularizer,
      clip: options.clip,
      averageWeights: options.averageWeights,
    });
    const checkpoint = resume === undefined ? undefined : this.#decode(resume);
    this.#seed = checkpoint?.progress.seed ?? options.seed ?? 0;
    this.#program = compileStep(model, this.#minimizer, this.#seed, options);
    this.#measured = options.averageWeights === undefined ? model : model.clone();
    this.#evaluator =
      options.validation === undefined
        ? undefined
        : new Evaluator(this.#measured, options.loss, options.metrics, options.validation, EVALUATION_BATCH);
    const place = checkpoint === undefined ? null : this.#placeInData(checkpoint);
    // Everything fits: only now is anything written.
    if (checkpoint !== undefined) this.#resume(checkpoint);
    model.changeUnits(options.transforms);
    if (!model.initialized) model.restoreInitial(this.#seed);
    if (checkpoint === undefined) this.#minimizer.resetAverages();
    this.#firstStep = this.#step;
    this.#course = makeCourse(options, this.#seed, this.#step, place);
    context.onStop(this.#interrupt);
    options.signal?.addEventListener("abort", this.#onAbort);
  }

  readonly #interrupt = (): void => {
    this.#program.stop();
    this.#course.stop();
  };

  readonly #onAbort = (): void => {
    this.#interrupt();
    this.#evaluator?.stop();
  };

  /** Runs to the end; the model holds the weights of a finished step however it ends. */
  async run(): Promise<FitResult> {
    try {
      this.#emitStart();
      const { callbacks } = this.#options;
      await this.#askAll(callbacks.filter(({ name }) => this.#pending.includes(name)));
      while (!(this.#course.over(this.#step) || this.#halted)) {
        const ready = await this.#course.ready(this.#step);
        const target = this.#nextStop(ready.steps);
        if (target > this.#step && !this.#halted) {
          await this.#advance(target, target === this.#step + ready.steps ? ready.lastRows : 0);
        }
        if (this.#options.signal?.aborted === true) throw this.#options.signal.reason;
        if (this.#step === target && ready.steps > 0) await this.#decide();
      }
      if (this.#options.signal?.aborted === true) throw this.#options.signal.reason;
      return this.#finish();
    } finally {
      this.#options.signal?.removeEventListener("abort", this.#onAbort);
      await this.#course.close();
    }
  }

  get #halted(): boolean {
    return this.#stopping || this.#context.stopped || this.#options.signal?.aborted === true;
  }

  get #epoch(): number {
    return this.#course.epochOf(this.#step);
  }

  /** A checkpoint, if it is one of this very run. */
  #decode(bytes: Uint8Array): DecodedCheckpoint {
    const where = RESUME;
    const checkpoint = decodeCheckpoint(bytes, where, this.#model, this.#minimizer);
    const { progress } = checkpoint;
    const samples = this.#samples;
    const { batchSize, shuffle, seed = progress.seed } = this.#options;
    for (const [name, now, then] of [
      ["seed", seed, progress.seed],
      ["samples", samples, progress.samples],
      ["batchSize", batchSize, progress.batchSize],
      ["shuffle", shuffle, progress.shuffle],
    ] as const) {
      if (now === then) continue;
      throw new CarillonError(
        "ERR_STATE",
        `${where}.${name}`,
        `expected ${name} ${then} for '${where}' but received ${now}`,
      );
    }
    for (const { name, restore } of this.#options.callbacks) {
      if (restore === undefined || name in progress.callbacks) continue;
      throw new CarillonError("ERR_STATE", where, `expected the state of callback '${name}' in '${where}'`);
    }
    return checkpoint;
  }

  #placeInData({ progress }: DecodedCheckpoint): StreamProgress | null {
    const { transforms } = this.#options;
    const shuffleBuffer = shuffleBufferOf(this.#options);
    return checkDataProgress(RESUME, progress.data, { shuffleBuffer, transforms });
  }

  /** Examples in memory; 0 for a stream. */
  get #samples(): number {
    const { samples, stream } = this.#options.train;
    return stream === undefined ? samples : 0;
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
  #nextStop(ready: number): number {
    const stops = this.#options.callbacks.map(({ every = EVERY_EPOCH }) =>
      every.steps === undefined
        ? this.#course.nextCompletion(this.#step, every.epochs)
        : (Math.floor(this.#step / every.steps) + 1) * every.steps,
    );
    if (this.#evaluator !== undefined) stops.push(this.#course.nextCompletion(this.#step, 1));
    return Math.min(this.#step + Math.min(ready, CALL_STEPS), ...stops);
  }

  async #advance(target: number, lastRows: number): Promise<void> {
    const first = this.#step + 1;
    const { threads, reportEvery } = this.#options;
    const { steps = "unknown", stepsPerEpoch } = this.#course;
    this.#seen = 0;
    const timer =
      reportEvery > 0 || this.#context.hasReaders()
        ? setInterval(() => this.#report(first), REPORT_INTERVAL).unref()
        : undefined;
    try {
      await this.#program.run({
        firstStep: first,
        steps: target - this.#step,
        threads,
        rows: lastRows,
        totalSteps: steps,
        stepsPerEpoch,
        epoch: stepsPerEpoch === undefined ? this.#course.epochOf(first) : undefined,
        rateScale: this.#rateScale,
      });
    } finally {
      clearInterval(timer);
      this.#report(first);
    }
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
    const { reportEvery } = this.#options;
    if (this.#course.begins(step)) this.#sums.clear();
    this.#step = step;
    this.#sums.add(row);
    this.#examples += row[LOG.rows] ?? 0;
    if (reportEvery > 0 && step % reportEvery === 0) {
      const penalty = row[LOG.penalty] ?? 0;
      const dataLoss = (row[LOG.total] ?? 0) / (row[LOG.weight] ?? 1);
      this.#context.emit({ kind: "step", step, epoch: this.#epoch, loss: dataLoss + penalty, dataLoss, penalty });
    }
    if (this.#course.ends(step) && this.#evaluator === undefined) this.#emitEpoch(undefined);
  }

  /** At a stop point: validation, then callbacks in their order. */
  async #decide(): Promise<void> {
    const { callbacks, threads } = this.#options;
    if (this.#course.ends(this.#step) && this.#evaluator !== undefined) {
      const averages = this.#minimizer.averages(this.#model, this.#step);
      if (averages !== undefined) this.#measured.restore(averages, "averageWeights");
      this.#validation = await this.#evaluator.run(threads);
      if (this.#options.signal?.aborted === true) return;
      this.#emitEpoch(this.#validation);
    }
    await this.#askAll(callbacks.filter((callback) => this.#isDue(callback)));
  }

  #isDue({ every = EVERY_EPOCH }: Callback): boolean {
    if (every.steps !== undefined) return this.#step % every.steps === 0;
    return this.#course.completes(this.#step, every.epochs);
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
    const { threads } = this.#options;
    const { steps, stepsPerEpoch, samples } = this.#course;
    const parameters = this.#model.segments.reduce((total, { count }) => total + count, 0);
    this.#context.emit({
      kind: "start",
      steps,
      step: this.#step,
      stepsPerEpoch,
      samples,
      parameters,
      threads,
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
      secondsLeft: (seconds / done) * this.#course.left(this.#step),
    };
    this.#history.push(event);
    this.#context.emit(event);
  }

  #checkpoint(): Uint8Array {
    const { batchSize, shuffle, callbacks, transforms } = this.#options;
    return encodeCheckpoint(this.#model, this.#minimizer, {
      step: this.#step,
      seed: this.#seed,
      samples: this.#samples,
      batchSize,
      shuffle,
      rateScale: this.#rateScale,
      sums: this.#sums.state(),
      validation: this.#validation ?? null,
      pending: this.#pending,
      callbacks: Object.fromEntries(callbacks.map((callback) => [callback.name, callback.state?.() ?? null])),
      data: { stream: this.#course.progressAt(this.#step), transforms },
    });
  }

  #finish(): FitResult {
    const reason: EndReason = this.#course.over(this.#step) ? "finished" : "stopped";
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

const RESUME = "fit.resume";
const MILLISECONDS = 1000;
const EVERY_EPOCH: Every = { epochs: 1 };

async function train(model: Model, options: AnyOptions, context: Context): Promise<FitResult> {
  const settings = checkSettings(model, options);
  const { signal, resume } = settings;
  signal?.throwIfAborted();
  model.acquire("fit");
  try {
    const bytes = typeof resume === "string" ? await readFileChecked(resume) : resume;
    const checked = await prepareData(model, settings, bytes !== undefined);
    try {
      signal?.throwIfAborted();
      return await new Fitting(model, checked, context, bytes).run();
    } finally {
      await checked.train.stream?.close();
      await checked.validation?.stream?.close();
    }
  } finally {
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
