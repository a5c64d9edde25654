import { now, repeat } from "../binding/clock.js";
import type { NativeFault } from "../binding/native.js";
import { threadLimit } from "../binding/threads.js";
import { type Affine, unitColumns } from "../data/transform.js";
import { commonTurns } from "../data/turns.js";
import { Caller } from "../nn/evaluation/caller.js";
import type { Evaluation } from "../nn/evaluation/evaluator.js";
import { outputUnits, rememberedKind } from "../nn/meaning/meaning.js";
import { inWords } from "../nn/meaning/meaning_words.js";
import type { DataOf, MetricsFor } from "../nn/meaning/row_types.js";
import type { SuitedData } from "../nn/meaning/suited.js";
import type { MetricKey } from "../nn/metrics/metrics.js";
import type { AnyModel, Model } from "../nn/model/model.js";
import type { Elements, Sizes } from "../nn/structure/sequence.js";
import { unlessAborted } from "../signals.js";
import type { Every } from "./callbacks/callback.js";
import { type AskingRun, Callbacks, EVERY_EPOCH, takeCallbacks } from "./callbacks/callbacks.js";
import { isOfValidation } from "./callbacks/figure_ranges.js";
import { figureOf } from "./callbacks/monitor.js";
import type { DecodedCheckpoint } from "./checkpoint/checkpoint.js";
import { CheckpointFolder } from "./checkpoint/folder.js";
import { CheckpointMaker } from "./checkpoint/maker.js";
import { keptProgress, type RunProgress } from "./checkpoint/progress.js";
import { holdData, makeEpochs, prepareData, refuseSecondPasses, samplesOf } from "./data.js";
import { type FitResult, resultOf } from "./fit_result.js";
import {
  type AnyOptions,
  type CheckedOptions,
  checkSettings,
  type FitOptions,
  type ValidationOf,
  type ValidationSchedule,
} from "./options.js";
import { type Beginning, findBeginning, makeParts, type Parts } from "./parts.js";
import { Progress } from "./progress/show.js";
import type { DataProgress, Epochs } from "./run/epochs.js";
import type { EndReason, FitEvent } from "./run/events.js";
import { nonFinite } from "./run/guard.js";
import { Preparation, Reading, stoppedBeforehand } from "./run/preparation.js";
import { type Run, type RunContext, startRun } from "./run/run.js";
import { RunHistory } from "./run/run_history.js";
import { Throughput } from "./run/throughput.js";

type Context = RunContext<FitEvent>;

/** Milliseconds between two looks at a call under way, for step events. */
const REPORT_INTERVAL = 50;

/** One run: its programs, where it stands, and what it tells. */
class FitRun {
  readonly #model: AnyModel;
  readonly #options: CheckedOptions;
  readonly #context: Context;
  readonly #parts: Parts;
  readonly #caller: Caller;
  readonly #epochs: Epochs;
  readonly #throughput: Throughput;
  readonly #history: RunHistory;
  readonly #callbacks: Callbacks;
  readonly #maker: CheckpointMaker;
  readonly #shown: Progress;

  #begun = false;
  /** Whether validation and callbacks of this step are still to come: a stop has cut them off. */
  #undecided = false;
  /** The progress that checkpoints of the last step keep, where a longer run would not have decided there what this one has. */
  #closing: (() => RunProgress) | undefined;

  constructor(model: AnyModel, options: CheckedOptions, context: Context, parts: Parts, shown: Progress) {
    const { control } = context;
    const { resumed, seed, meter, folder, rowNeeds } = parts;
    const progress = resumed.checkpoint?.progress;
    this.#model = model;
    this.#options = options;
    this.#context = context;
    this.#parts = parts;
    this.#caller = new Caller(parts.program);
    this.#throughput = new Throughput(control);
    this.#epochs = makeEpochs(options, seed, progress?.step ?? 0, resumed);
    this.#callbacks = new Callbacks(options.callbacks, control);
    const emit = (event: FitEvent): void => context.emit(event);
    const { reportEvery, logsSteps } = options;
    const lossWeights = options.losses.map(({ weight }) => weight);
    const [epochs, throughput, measuresEpochs] = [this.#epochs, this.#throughput, this.#measuresEpochs];
    this.#history = new RunHistory(
      { epochs, meter, throughput, control, reportEvery, logsSteps, lossWeights, measuresEpochs, rowNeeds, emit },
      progress,
    );
    this.#shown = shown;
    this.#maker = new CheckpointMaker(model, parts, options.checkpoint, folder, (written) => {
      emit({ kind: "checkpoint", ...written });
    });
    control.watch(options.signal);
  }

  /** Runs to the end; the model holds the weights of a finished step however it ends. */
  async run(): Promise<FitResult> {
    const { signal } = this.#options;
    const { control } = this.#context;
    const off = control.onInterrupt(() => {
      if (control.ended) this.#epochs.stop(); // wakes who waits for a stream
    });
    try {
      const parameters = this.#model.segments.reduce((total, { count }) => total + count, 0);
      const { resumed } = this.#parts;
      this.#history.emitStart(parameters, Math.min(this.#options.threads, threadLimit()), resumed);
      this.#shown.follow(() => (control.paused ? "paused" : this.#history.standing(this.#options.epochs)));
      if (resumed.checkpoint !== undefined && (await this.#mayBegin())) await this.#takeUp(resumed.checkpoint);
      while (!this.#epochs.over(this.#step) && this.#callbacks.stoppedBy === null) {
        if (commonTurns.over) await commonTurns.next();
        const ready = control.free ? await this.#epochs.ready(this.#step) : undefined;
        if (ready === undefined || !control.free) {
          if (await control.passable()) continue;
          break;
        }
        if (!this.#begun && (await this.#mayBegin())) this.#begin();
        if (!control.free) continue;
        if (this.#step === resumed.checkpoint?.progress.step) this.#throughput.begin();
        const target = this.#nextStop(ready.steps);
        if (target > this.#step) await this.#advance(target, target === this.#step + ready.steps ? ready.lastRows : 0);
        signal?.throwIfAborted();
        if (this.#step !== target || ready.steps === 0) continue;
        await this.#decide();
      }
      signal?.throwIfAborted();
      if (!this.#begun) return stoppedBeforehand(this.#context, this.#throughput.seconds, this.#step);
      if (this.#maker.isMissing(this.#step, this.#isDecided)) await this.#save(undefined);
      await this.#maker.settle();
      return await this.#finish();
    } finally {
      off();
      await this.#maker.settle().catch(() => undefined);
      control.release();
      await this.#epochs.close();
    }
  }

  get #step(): number {
    return this.#history.step;
  }

  /** Waits for the moment at which something may be written; false if the run was stopped before. */
  async #mayBegin(): Promise<boolean> {
    const { control } = this.#context;
    do {
      if (!(await control.passable())) return false;
      await this.#maker.open();
    } while (!control.free);
    return true;
  }

  /** Only now is anything written, and are callbacks told. */
  #begin(): void {
    const { initialize, minimizer } = this.#parts;
    this.#begun = true;
    this.#callbacks.begin(undefined);
    this.#changeMeaning();
    initialize?.();
    minimizer.resetAverages();
  }

  /** Gives the model the units, losses and class names of this run. */
  #changeMeaning(): void {
    const { units, losses, classNames } = this.#options;
    const told = this.#outputUnits;
    const outputs = losses.map(({ loss }, at) => {
      return { units: told[at], lossKind: rememberedKind(loss.kind), classNames: classNames[at] };
    });
    this.#model.changeMeaning({ inputs: units.inputs, outputs });
  }

  /** Units of the outputs, as models and files have them. */
  get #outputUnits(): readonly (Affine | undefined)[] {
    const { targets } = this.#options.units;
    return this.#model.rows.outputs.map(({ shape }, at) => outputUnits(targets[at], unitColumns(shape)));
  }

  /** Begins where a checkpoint was made, and does what that has cut off at its step. */
  async #takeUp({ progress }: DecodedCheckpoint): Promise<void> {
    const { minimizer, resumed } = this.#parts;
    this.#begun = true;
    this.#callbacks.begin(progress);
    resumed.staging?.commit();
    this.#model.noteWritten();
    minimizer.recount({ steps: progress.step, updates: progress.step });
    this.#changeMeaning();
    this.#callbacks.stopAs(resumed.stoppedBy);
    this.#undecided = progress.undecided;
    if (this.#undecided) return await this.#decide();
    const { pending } = this.#callbacks;
    if (pending.length > 0 && (await this.#history.measure())) await this.#ask(pending);
  }

  /** Takes a checkpoint of this step and begins to write it; `figure` is one that was measured here, for the best. */
  async #save(figure: number | undefined): Promise<void> {
    await this.#maker.save({ step: this.#step, figure, isDecided: this.#isDecided }, () => this.#kept());
  }

  /** Epochs end in between, unless something has to be measured there. */
  get #measuresEpochs(): boolean {
    return !(this.#parts.validator.empty && this.#parts.meter.empty);
  }

  /** The nearest step at which anything may be decided. Only those who decide make one; who listens does not. */
  #nextStop(ready: number): number {
    const { validate, checkpoint } = this.#options;
    const after = ({ steps, epochs }: Every): number =>
      steps === undefined
        ? this.#epochs.nextCompletion(this.#step, epochs)
        : (Math.floor(this.#step / steps) + 1) * steps;
    const stops = this.#callbacks.periods.map(after);
    if (!this.#parts.validator.empty) stops.push(after(validate));
    if (this.#measuresEpochs || checkpoint?.best !== undefined) stops.push(after(EVERY_EPOCH));
    if (checkpoint !== undefined) stops.push(after(checkpoint.every));
    return Math.min(this.#step + Math.min(ready, this.#parts.meter.callSteps), ...stops);
  }

  async #advance(target: number, lastRows: number): Promise<void> {
    const first = this.#step + 1;
    const { program, checks, seed } = this.#parts;
    const { threads, priority, reportEvery } = this.#options;
    const { steps = "unknown", stepsPerEpoch } = this.#epochs;
    const take = (): void => this.#history.take(program, first);
    this.#history.begin();
    const heard = reportEvery > 0 || this.#context.hasReaders() || this.#shown.isShown;
    const rest = heard ? repeat(REPORT_INTERVAL, take) : undefined;
    let fault: NativeFault | null = null;
    try {
      ({ fault } = await this.#caller.run(this.#context.control, {
        firstStep: first,
        steps: target - this.#step,
        threads,
        priority,
        rows: lastRows,
        totalSteps: steps,
        stepsPerEpoch,
        epoch: stepsPerEpoch === undefined ? this.#epochs.epochOf(first) : undefined,
        rateScale: this.#callbacks.rateScale,
      }));
    } finally {
      rest?.();
      take();
    }
    this.#history.end(first);
    if (fault === null) return;
    const { losses, train, batchSize, shuffle } = this.#options;
    const [model, step] = [this.#model, this.#step + 1];
    const streamed = this.#epochs.examplesOf(step, batchSize);
    const { origin } = this.#parts.resumed;
    const { carried } = this.#parts;
    throw await nonFinite({
      model,
      program,
      checks,
      fault,
      step,
      seed,
      train,
      losses,
      batchSize,
      shuffle,
      origin,
      carried,
      streamed,
    });
  }

  /** At a stop point: validation, then callbacks in their order, then a checkpoint. */
  async #decide(): Promise<void> {
    const { validate } = this.#options;
    const { validator } = this.#parts;
    const last = this.#epochs.over(this.#step);
    const isDue = (every: Every): boolean => this.#isDue(every);
    const regular = !validator.empty && isDue(validate);
    const measured = regular || (!validator.empty && last);
    this.#callbacks.owe(isDue);
    const asked = this.#callbacks.due(isDue, measured, last);
    const ends = this.#epochs.ends(this.#step) && this.#measuresEpochs;
    this.#undecided = true;
    // What only the end of the run makes due is done once more where it is resumed, unless the resumed run is a longer one.
    const extra = measured !== regular || asked.length !== this.#callbacks.due(isDue, regular, false).length;
    if (last && extra && !this.#callbacks.isEmpty) this.#closing = keptProgress(() => this.#kept());
    if ((ends || asked.length > 0) && !(await this.#history.measure())) return;
    const validation = measured ? await this.#validate() : undefined;
    if (measured && validation === undefined) return;
    this.#undecided = false;
    if (ends) this.#history.emitEpoch(validation);
    else if (validation !== undefined) this.#history.emitValidation(validation);
    await this.#ask(asked);
  }

  async #ask(names: readonly string[]): Promise<void> {
    if (names.length > 0) await this.#callbacks.ask(names, this.#asking);
    if (this.#callbacks.pending.length === 0) await this.#keep();
  }

  /** Writes a checkpoint where one is due, or where the figure that is watched is the best so far. */
  async #keep(): Promise<void> {
    const { checkpoint } = this.#options;
    if (checkpoint === undefined) return;
    const { best, every } = checkpoint;
    const [isMeasured, isWhole] = [this.#history.validationStep === this.#step, this.#isDue(EVERY_EPOCH)];
    const isFresh = best !== undefined && (isOfValidation(best.name) ? isMeasured : isWhole);
    const figure = isFresh ? figureOf(best.name, this.#history.watched) : undefined;
    const isMissing = this.#isDue(every) && this.#maker.isMissing(this.#step, this.#isDecided);
    if (isMissing || this.#maker.isBest(figure)) await this.#save(figure);
  }

  /** Whether a checkpoint of now would leave nothing to be decided. */
  get #isDecided(): boolean {
    return this.#closing === undefined && !this.#undecided && this.#callbacks.pending.length === 0;
  }

  #isDue({ steps, epochs }: Every): boolean {
    return steps === undefined ? this.#epochs.completes(this.#step, epochs) : this.#step % steps === 0;
  }

  /** `undefined` if the run was stopped meanwhile. */
  async #validate(): Promise<Evaluation | undefined> {
    const validation = await this.#parts.validator.run(this.#context.control);
    if (validation !== undefined) this.#history.validated(validation);
    return validation;
  }

  get #asking(): AskingRun {
    const { step, epoch, watched, validationStep } = this.#history;
    return {
      step,
      epoch,
      watched,
      validationStep,
      weights: () => this.#parts.validator.weights(),
      checkpoint: () => this.#maker.bytes(this.#kept()),
    };
  }

  #kept(): RunProgress {
    if (this.#closing !== undefined) return this.#closing();
    const { batchSize, shuffle, units, classNames } = this.#options;
    const { inputs, outputs } = this.#model.rows;
    const transforms = {
      inputs: inWords("x", inputs, units.inputs),
      targets: inWords("y", outputs, this.#outputUnits),
    };
    const classes = inWords("y", outputs, classNames) ?? null;
    const { origin, bitEqual } = this.#parts.resumed;
    const decided = this.#callbacks.decided();
    return {
      ...this.#history.progress(decided.pending.length === 0 && !this.#undecided),
      ...decided,
      seed: this.#parts.seed,
      samples: samplesOf(this.#options),
      batchSize,
      shuffle,
      undecided: this.#undecided,
      data: { stream: this.#epochs.progressAt(this.#step), origin, transforms, classes, ...lanesOf(this.#parts) },
      bitEqual,
    };
  }

  async #finish(): Promise<FitResult> {
    const { step } = this.#history;
    const isDecided = !this.#undecided && this.#callbacks.pending.length === 0;
    const reason: EndReason = this.#epochs.over(step) && isDecided ? "finished" : "stopped";
    /** The checkpoint of the last step, if the model does not keep its weights. */
    let last: Uint8Array | undefined;
    await this.#callbacks.end({
      reason,
      step,
      setWeights: (weights) => {
        last ??= this.#maker.bytes(this.#kept());
        this.#model.restore(weights, "setWeights");
      },
    });
    const { stoppedBy, best } = this.#callbacks;
    const { seconds, history, losses } = this.#history;
    const { place, figures: reached } = this.#history.standing(this.#options.epochs);
    this.#shown.end({ place: `${reason}, ${place}`, figures: reached, seconds });
    this.#context.emit({ kind: "end", reason, stoppedBy, step, seconds });
    const { bitEqual } = this.#parts.resumed;
    const figures = { reason, stoppedBy, step, seconds, best, bitEqual, history, losses };
    const kept = last;
    const checkpoint = kept ?? this.#maker.later(keptProgress(() => this.#kept()));
    return resultOf(figures, this.#model, this.#parts.minimizer, checkpoint);
  }
}

/** What layers have kept of the lanes, where there are some. */
function lanesOf({ carried }: Parts): Pick<DataProgress, "lanes"> {
  return carried === undefined ? {} : { lanes: carried.read() };
}

function secondsSince(began: number): number {
  return (now() - began) / 1000;
}

async function train(model: AnyModel, options: AnyOptions, context: Context): Promise<FitResult> {
  const settings = checkSettings(model, options);
  const { signal, checkpoint } = settings;
  signal?.throwIfAborted();
  refuseSecondPasses(settings);
  model.acquire("fit", settings.seed ?? 0);
  let folder: CheckpointFolder | undefined;
  let leaveCallbacks: (() => void) | undefined;
  const progress = new Progress(settings.progress);
  try {
    leaveCallbacks = takeCallbacks(settings.callbacks);
    const held = holdData(settings);
    if (checkpoint !== undefined) folder = new CheckpointFolder(checkpoint);
    const began = now();
    const prepare = <T>(work: (ended: AbortSignal) => Promise<T>): Promise<T | undefined> =>
      new Preparation(context.control, signal).unlessStopped(work);
    let beginning: Beginning | undefined;
    const reading = new Reading(context.emit);
    progress.follow(() => reading.text);
    const checked = await prepare(async (ended) => {
      const { unread } = model;
      if (unread !== undefined) await unlessAborted(ended, unread);
      beginning = await findBeginning(model, settings, folder);
      ended.throwIfAborted();
      const step = beginning.resumed.checkpoint?.progress.step ?? 0;
      return await prepareData(model, settings, held, beginning.resumed, {
        signal: ended,
        read: (examples) => reading.note(step, examples),
      });
    });
    if (checked === undefined || beginning === undefined) return stoppedBeforehand(context, secondsSince(began), 0);
    try {
      signal?.throwIfAborted();
      const found = beginning;
      const parts = await prepare((ended) => makeParts(model, checked, found, ended));
      if (parts === undefined) return stoppedBeforehand(context, secondsSince(began), 0);
      return await new FitRun(model, checked, context, parts, progress).run();
    } finally {
      await checked.train.stream?.close();
      await checked.validation?.stream?.close();
    }
  } finally {
    progress.end();
    folder?.leave();
    leaveCallbacks?.();
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
 * `ERR_DETACHED`, `ERR_TRACE` (a loss that leaves a parameter out), `ERR_BUSY` (another run has the model, the
 * folder, or a callback that serves one run), `ERR_FILE` and `ERR_STATE` (a checkpoint that does not fit, a stream that cannot be read again),
 * `ERR_NON_FINITE` (a loss, gradient, weight or state of a layer that is not finite). A failure of a stream or a callback is passed on.
 */
export function fit<
  const M extends MetricsFor<Out> = never,
  V extends DataOf<In, Out> | undefined = undefined,
  S extends ValidationSchedule | undefined = undefined,
  In extends Sizes = Sizes,
  Out extends Sizes = Sizes,
  E extends Elements = Elements,
  D = unknown,
>(
  model: Model<In, Out, E>,
  options: FitOptions<M, V, S, In, Out> & {
    readonly data: D & NoInfer<SuitedData<D, In, E, Out>>;
    readonly validation?: NoInfer<SuitedData<V, In, E, Out>>;
  },
): Run<FitResult<MetricKey<M>, ValidationOf<M, V, S>>, FitEvent<MetricKey<M>, ValidationOf<M, V, S>>>;
export function fit(model: AnyModel, options: AnyOptions): Run<FitResult, FitEvent> {
  return fitAny(model, options);
}

/** {@link fit} of any model, and of rows that lie in native memory already. */
export function fitAny(model: AnyModel, options: AnyOptions): Run<FitResult, FitEvent> {
  return startRun<FitResult, FitEvent>((context) => train(model, options, context));
}
