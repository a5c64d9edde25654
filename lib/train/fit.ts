import { now, repeat } from "../binding/clock.js";
import type { NativeFault } from "../binding/native.js";
import { threadLimit } from "../binding/threads.js";
import { unlessAborted } from "../data/turns.js";
import { CarillonError } from "../errors.js";
import type { CompiledProgram } from "../graph/compiled.js";
import { type Evaluation, runBraked } from "../nn/evaluator.js";
import { rememberedKind } from "../nn/meaning.js";
import type { Meter } from "../nn/meter.js";
import type { MetricKey, Metrics } from "../nn/metrics.js";
import type { Model } from "../nn/model.js";
import type { Minimizer } from "../optim/minimizer.js";
import { checkNumber } from "../options.js";
import type { Callback, Decision, Ending, Every } from "./callback.js";
import type { DecodedCheckpoint } from "./checkpoint.js";
import { CheckpointMaker, type RunProgress } from "./checkpoint_maker.js";
import { takeFolder } from "./checkpoint_store.js";
import type { Course } from "./course.js";
import { holdData, makeCourse, prepareData, samplesOf } from "./data.js";
import type { EndReason, FitEvent } from "./events.js";
import { describedResult, type FitResult } from "./fit_result.js";
import { nonFinite } from "./guard.js";
import {
  type CheckedOptions,
  checkSettings,
  type FitData,
  type FitOptions,
  type ValidationOf,
  type ValidationSchedule,
} from "./options.js";
import { Pace } from "./pace.js";
import { makeParts, type Parts } from "./parts.js";
import { Preparation, stoppedBeforehand } from "./preparation.js";
import { RESUME, type Resumed } from "./resume.js";
import { type Run, type RunContext, startRun } from "./run.js";
import { Tally } from "./tally.js";
import type { Validator } from "./validator.js";

type AnyOptions = FitOptions<Metrics, FitData | undefined>;
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
  readonly #meter: Meter;
  readonly #validator: Validator;
  readonly #course: Course;
  readonly #tally: Tally;
  readonly #maker: CheckpointMaker;
  readonly #resumed: Resumed;

  #rateScale = 1;
  /** Name of the callback that has stopped the run. */
  #stoppedBy: string | null = null;
  /** Whether validation and callbacks of this step are still to come: a stop has cut the validation off. */
  #undecided = false;
  /** Callbacks that have still to decide at this step. */
  #pending: readonly string[] = [];

  constructor(
    model: Model,
    options: CheckedOptions,
    context: Context,
    { minimizer, resumed, seed, program, meter, validator, files, initialize }: Parts,
  ) {
    this.#model = model;
    this.#options = options;
    this.#context = context;
    const pace = new Pace(context.brake);
    this.#program = program;
    this.#meter = meter;
    this.#validator = validator;
    this.#minimizer = minimizer;
    this.#resumed = resumed;
    const { checkpoint } = resumed;
    this.#seed = seed;
    // Everything fits: only now is anything written.
    for (const callback of options.callbacks) callback.start?.();
    if (checkpoint !== undefined) this.#resume(checkpoint);
    model.changeUnits(options.transforms);
    model.changeMeaning({ lossKind: rememberedKind(options.loss.kind), classNames: options.classNames });
    initialize?.();
    if (checkpoint === undefined) this.#minimizer.resetAverages();
    this.#stoppedBy = resumed.stoppedBy;
    const { reportEvery } = options;
    const measuresEpochs = this.#measuresEpochs;
    const course = makeCourse(options, this.#seed, checkpoint?.progress.step ?? 0, resumed);
    const emit = (event: FitEvent): void => context.emit(event);
    this.#course = course;
    this.#tally = new Tally({ course, meter, pace, reportEvery, measuresEpochs, emit }, checkpoint?.progress);
    const best = checkpoint?.progress.best ?? null;
    this.#maker = new CheckpointMaker(model, minimizer, options, files, best, (written) => {
      emit({ kind: "checkpoint", ...written });
    });
    context.brake.watch(options.signal);
  }

  /** Runs to the end; the model holds the weights of a finished step however it ends. */
  async run(): Promise<FitResult> {
    const { callbacks, signal } = this.#options;
    const { brake } = this.#context;
    const off = brake.onPull(() => {
      if (brake.ended) this.#course.stop(); // wakes who waits for a stream
    });
    try {
      const parameters = this.#model.segments.reduce((total, { count }) => total + count, 0);
      this.#tally.emitStart(parameters, Math.min(this.#options.threads, threadLimit()), this.#resumed);
      await this.#askPending(callbacks); // from here on, who called fit has the run in hand
      while (!this.#course.over(this.#step) && this.#stoppedBy === null) {
        const ready = brake.free ? await this.#course.ready(this.#step) : undefined;
        if (ready === undefined || !brake.free) {
          if (await brake.passable()) continue;
          break;
        }
        const target = this.#nextStop(ready.steps);
        if (target > this.#step) await this.#advance(target, target === this.#step + ready.steps ? ready.lastRows : 0);
        signal?.throwIfAborted();
        if (this.#step !== target || ready.steps === 0) continue;
        await this.#decide();
        if (this.#checkpointDue) await this.#save();
      }
      signal?.throwIfAborted();
      if (this.#maker.isMissing(this.#step)) await this.#save();
      await this.#maker.settle();
      return await this.#finish();
    } finally {
      off();
      await this.#maker.settle().catch(() => undefined);
      brake.release();
      await this.#course.close();
    }
  }

  /** What a checkpoint has cut off at its step. */
  async #askPending(callbacks: readonly Callback[]): Promise<void> {
    if (this.#undecided) return await this.#decide();
    if (this.#pending.length === 0) return;
    await this.#tally.measure();
    await this.#askAll(callbacks.filter(({ name }) => this.#pending.includes(name)));
  }

  get #step(): number {
    return this.#tally.step;
  }

  get #checkpointDue(): boolean {
    const { checkpoint } = this.#options;
    return checkpoint !== undefined && !this.#undecided && this.#isDue(checkpoint.every);
  }

  /** Takes a checkpoint of this step and begins to write it. */
  async #save(): Promise<void> {
    if (this.#maker.watches) await this.#tally.measure();
    await this.#maker.save(this.#step, this.#tally.watched, () => this.#progress());
  }

  #resume({ progress, weights, states }: DecodedCheckpoint): void {
    for (const callback of this.#options.callbacks) callback.restore?.(progress.callbacks[callback.name] ?? null);
    this.#model.restore(weights, RESUME);
    this.#minimizer.overwrite(this.#model, states, { steps: progress.step, updates: progress.step });
    this.#rateScale = progress.rateScale;
    this.#undecided = progress.undecided;
    this.#pending = progress.pending;
  }

  /** Epochs end in between, unless something has to be measured there. */
  get #measuresEpochs(): boolean {
    return !(this.#validator.empty && this.#meter.empty);
  }

  /** The nearest step at which anything may be decided. Only those who decide make one; who listens does not. */
  #nextStop(ready: number): number {
    const { callbacks, validate, checkpoint } = this.#options;
    const after = ({ steps, epochs }: Every = EVERY_EPOCH): number =>
      steps === undefined
        ? this.#course.nextCompletion(this.#step, epochs)
        : (Math.floor(this.#step / steps) + 1) * steps;
    const stops = callbacks.map(({ every }) => after(every));
    if (!this.#validator.empty) stops.push(after(validate));
    if (this.#measuresEpochs) stops.push(after());
    if (checkpoint !== undefined) stops.push(after(checkpoint.every));
    return Math.min(this.#step + Math.min(ready, this.#meter.callSteps), ...stops);
  }

  async #advance(target: number, lastRows: number): Promise<void> {
    const first = this.#step + 1;
    const { threads, priority, reportEvery } = this.#options;
    const { steps = "unknown", stepsPerEpoch } = this.#course;
    const take = (): void => this.#tally.take(this.#program, first);
    this.#tally.begin(first);
    const heard = reportEvery > 0 || this.#context.hasReaders();
    const rest = heard ? repeat(REPORT_INTERVAL, take) : undefined;
    let fault: NativeFault | null = null;
    try {
      ({ fault } = await runBraked(this.#program, this.#context.brake, {
        firstStep: first,
        steps: target - this.#step,
        threads,
        priority,
        rows: lastRows,
        totalSteps: steps,
        stepsPerEpoch,
        epoch: stepsPerEpoch === undefined ? this.#course.epochOf(first) : undefined,
        rateScale: this.#rateScale,
      }));
    } finally {
      rest?.();
      take();
    }
    this.#tally.end(first);
    if (fault === null) return;
    const { loss, train, batchSize, shuffle } = this.#options;
    const [model, program, seed, step] = [this.#model, this.#program, this.#seed, this.#step + 1];
    const streamed = this.#course.examplesOf(step, batchSize);
    throw await nonFinite({ model, program, fault, step, seed, train, loss, batchSize, shuffle, streamed });
  }

  /** At a stop point: validation, then callbacks in their order. */
  async #decide(): Promise<void> {
    const { callbacks, validate } = this.#options;
    const asked = callbacks.filter(({ every }) => this.#isDue(every));
    const ends = this.#course.ends(this.#step) && this.#measuresEpochs;
    if (ends || asked.length > 0) await this.#tally.measure();
    const measured = !this.#validator.empty && (this.#isDue(validate) || this.#course.over(this.#step));
    const validation = measured ? await this.#validate() : undefined;
    this.#undecided = measured && validation === undefined;
    if (this.#undecided) return;
    if (ends) this.#tally.emitEpoch(validation);
    else if (validation !== undefined) this.#tally.emitValidation(validation);
    await this.#askAll(asked);
  }

  #isDue({ steps, epochs }: Every = EVERY_EPOCH): boolean {
    return steps === undefined ? this.#course.completes(this.#step, epochs) : this.#step % steps === 0;
  }

  /** `undefined` if the run was stopped meanwhile. */
  async #validate(): Promise<Evaluation | undefined> {
    const validation = await this.#validator.run(this.#context.brake);
    if (validation !== undefined) this.#tally.validated(validation);
    return validation;
  }

  async #askAll(callbacks: readonly Callback[]): Promise<void> {
    for (const [index, callback] of callbacks.entries()) {
      this.#pending = callbacks.slice(index + 1).map(({ name }) => name);
      await this.#ask(callback);
    }
  }

  async #ask(callback: Callback): Promise<void> {
    let over = false;
    const decision: Decision = {
      step: this.#step,
      epoch: this.#tally.epoch,
      ...this.#tally.watched,
      validationStep: this.#tally.validationStep,
      rateScale: this.#rateScale,
      stop: () => {
        this.#stoppedBy ??= callback.name;
      },
      weights: () => this.#validator.weights(),
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

  #checkpoint(): Uint8Array {
    return this.#maker.bytes(this.#progress());
  }

  #progress(): RunProgress {
    const { batchSize, shuffle, callbacks, transforms, classNames } = this.#options;
    return {
      ...this.#tally.progress(this.#pending.length === 0 && !this.#undecided),
      seed: this.#seed,
      samples: samplesOf(this.#options),
      batchSize,
      shuffle,
      rateScale: this.#rateScale,
      undecided: this.#undecided,
      stoppedBy: this.#stoppedBy,
      pending: this.#pending,
      callbacks: Object.fromEntries(callbacks.map((callback) => [callback.name, callback.state?.() ?? null])),
      data: { stream: this.#course.progressAt(this.#step), transforms, classes: classNames ?? null },
    };
  }

  async #finish(): Promise<FitResult> {
    const { callbacks } = this.#options;
    const step = this.#step;
    const reason: EndReason = this.#course.over(step) && !this.#undecided ? "finished" : "stopped";
    const stoppedBy = this.#stoppedBy;
    /** The checkpoint of the last step, if the model does not keep its weights. */
    let last: Uint8Array | undefined;
    const setWeights: Ending["setWeights"] = (weights) => {
      last ??= this.#checkpoint();
      this.#model.restore(weights, "setWeights");
    };
    for (const callback of callbacks) await callback.end?.({ reason, step, setWeights });
    const { seconds } = this.#tally;
    this.#context.emit({ kind: "end", reason, stoppedBy, step, seconds });
    const { version } = this.#model;
    const unchanged = <T>(where: string, give: () => T): T => {
      if (this.#model.version === version) return give();
      throw new CarillonError("ERR_STATE", where, "the model was changed after the run");
    };
    return describedResult({
      reason,
      stoppedBy,
      step,
      seconds,
      best: callbacks.find(({ best }) => best !== undefined)?.best,
      history: this.#tally.history,
      averaged: () => unchanged("averaged", () => this.#minimizer.averages(this.#model)),
      checkpoint: () => unchanged("checkpoint", () => last?.slice() ?? this.#checkpoint()),
    });
  }
}

const EVERY_EPOCH: Every = { epochs: 1 };

async function train(model: Model, options: AnyOptions, context: Context): Promise<FitResult> {
  const settings = checkSettings(model, options);
  const { signal, checkpoint } = settings;
  signal?.throwIfAborted();
  model.acquire("fit", settings.seed ?? 0);
  let leaveFolder: (() => void) | undefined;
  try {
    const held = holdData(settings);
    leaveFolder = checkpoint === undefined ? undefined : await takeFolder(checkpoint.dir);
    const began = now();
    const preparation = new Preparation(context.brake, signal);
    const checked = await preparation.unlessStopped(async (ended) => {
      const { unread } = model;
      if (unread !== undefined) await unlessAborted(ended, unread);
      return await prepareData(model, settings, held, ended);
    });
    if (checked === undefined) return stoppedBeforehand(context, began);
    try {
      signal?.throwIfAborted();
      const parts = await makeParts(model, checked);
      return await new Fitting(model, checked, context, parts).run();
    } finally {
      await checked.train.stream?.close();
      await checked.validation?.stream?.close();
    }
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
 * `ERR_DETACHED`, `ERR_TRACE` (a loss that leaves a parameter out), `ERR_BUSY` (another run has the model, or the
 * folder), `ERR_FILE` and `ERR_STATE` (a checkpoint that does not fit, a stream that cannot be read again),
 * `ERR_NON_FINITE` (a loss, gradient or weight that is not finite). A failure of a stream or a callback is passed on.
 */
export function fit<
  const M extends Metrics = readonly [],
  V extends FitData | undefined = undefined,
  S extends ValidationSchedule | undefined = undefined,
>(
  model: Model,
  options: FitOptions<M, V, S>,
): Run<FitResult<MetricKey<M>, ValidationOf<M, V, S>>, FitEvent<MetricKey<M>, ValidationOf<M, V, S>>>;
export function fit(model: Model, options: AnyOptions): Run<FitResult, FitEvent> {
  return startRun<FitResult, FitEvent>((context) => train(model, options, context));
}
