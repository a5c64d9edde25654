import type { CompiledProgram } from "../graph/compiled.js";
import type { Brake } from "../nn/brake.js";
import { type Evaluation, Sums } from "../nn/evaluator.js";
import { dataLossOf, LOG } from "../nn/log.js";
import type { Meter } from "../nn/meter.js";
import { type Figures, numbersOf } from "../nn/metrics.js";
import type { Progress } from "./checkpoint.js";
import type { Course } from "./course.js";
import { type EpochEvent, type FitEvent, figureBytes } from "./events.js";
import { packHistory, unpackHistory } from "./history.js";
import type { Watched } from "./monitor.js";
import type { Pace, PaceFigures } from "./pace.js";
import type { Resumed } from "./resume.js";
import { StepLog, type StepLosses } from "./step_losses.js";
import { Thinned } from "./thinned.js";

/** What a tally is made of. */
export interface TallyParts {
  readonly course: Course;
  readonly meter: Meter;
  readonly pace: Pace;
  readonly brake: Brake;
  /** Steps between two step events; 0 for none. */
  readonly reportEvery: number;
  /** Whether epochs are told of by who measures at their ends; otherwise as they pass. */
  readonly measuresEpochs: boolean;
  /** Whether the loss of every step is kept. */
  readonly logsSteps: boolean;
  /** What the loss of each output counts. */
  readonly lossWeights: readonly number[];
  emit(event: FitEvent): void;
}

/** The part of a checkpoint that a tally comes back from. */
export type TallyProgress = Pick<Progress, "step" | "sums" | "metrics" | "validation" | "validationStep" | "history">;

/** How far a run has come and what it has measured: figures of the epoch under way, the last validation, events of both. */
export class Tally {
  readonly #parts: TallyParts;
  readonly #sums: Sums;
  readonly #history = new Thinned<EpochEvent>(figureBytes);
  readonly #log: StepLog | undefined;
  readonly #firstStep: number;
  #step = 0;
  /** Of the epoch so far, since {@link measure}. */
  #figures: Figures = {};
  #measuredStep: number | undefined;
  #validation: Evaluation | undefined;
  #validationStep: number | undefined;
  /** Steps of the call that were taken in, and the rows of each. */
  #seen = 0;
  #rows: number[] = [];

  constructor(parts: TallyParts, progress: TallyProgress | undefined) {
    this.#parts = parts;
    this.#sums = new Sums(parts.lossWeights);
    if (progress !== undefined) {
      this.#step = progress.step;
      this.#sums.restore(progress.sums);
      parts.meter.restore(progress.metrics);
      this.#validation = progress.validation ?? undefined;
      this.#validationStep = progress.validationStep ?? undefined;
      this.#takeHistory(progress);
    }
    this.#firstStep = this.#step;
    this.#log = parts.logsSteps ? new StepLog(this.#step + 1) : undefined;
  }

  /** Steps done. */
  get step(): number {
    return this.#step;
  }

  get epoch(): number {
    return this.#parts.course.epochOf(this.#step);
  }

  get history(): readonly EpochEvent[] {
    return this.#history.items;
  }

  /** Those of the steps so far, if they are kept. */
  get losses(): StepLosses | undefined {
    return this.#log?.losses();
  }

  get seconds(): number {
    return this.#parts.pace.seconds;
  }

  get validationStep(): number | undefined {
    return this.#validationStep;
  }

  /** What callbacks and the best checkpoint go by. */
  get watched(): Watched {
    const validation = this.#validation;
    return {
      ...this.#losses,
      metrics: numbersOf(this.#figures),
      validation: validation && { loss: validation.loss, metrics: numbersOf(validation.metrics) },
    };
  }

  /** What a checkpoint keeps; metrics are over with the epoch, unless something of this step is still to be decided. */
  progress(decided: boolean): TallyProgress {
    const { course, meter } = this.#parts;
    return {
      step: this.#step,
      sums: this.#sums.state(),
      metrics: course.completes(this.#step, 1) && decided ? {} : meter.state(),
      validation: this.#validation ?? null,
      validationStep: this.#validationStep ?? null,
      history: packHistory(this.#history),
    };
  }

  /** The epochs before; the last one again if a run has ended in it that now goes on. */
  #takeHistory({ step, history }: TallyProgress): void {
    unpackHistory(history, this.#history);
    const { course } = this.#parts;
    const isOpen = this.#history.items.at(-1)?.step === step && !course.isWhole(step) && !course.over(step);
    if (isOpen) this.#history.dropLast();
  }

  /** Before a call whose first step is `first`. */
  begin(first: number): void {
    const { course, meter } = this.#parts;
    this.#seen = 0;
    this.#rows = [];
    if (course.begins(first)) meter.clear();
  }

  /** Takes in what the call has logged so far. */
  take(program: CompiledProgram, first: number): void {
    const { logColumns, finished } = program;
    if (finished === this.#seen) return;
    const log = program.log(this.#seen, finished);
    for (let row = 0; row < finished - this.#seen; row++) {
      this.#takeStep(first + this.#seen + row, log.subarray(row * logColumns, (row + 1) * logColumns));
    }
    this.#seen = finished;
  }

  #takeStep(step: number, row: Float32Array): void {
    const { course, pace, reportEvery, measuresEpochs } = this.#parts;
    if (course.begins(step)) this.#sums.clear();
    this.#step = step;
    this.#sums.add(row);
    const rows = row[LOG.rows] ?? 0;
    this.#rows.push(rows);
    pace.count(rows);
    const reports = reportEvery > 0 && step % reportEvery === 0;
    if (reports || this.#log !== undefined) {
      const losses = lossesOf(row, this.#parts.lossWeights);
      this.#log?.add(losses.loss, losses.penalty);
      if (reports) this.#parts.emit({ kind: "step", step, epoch: this.epoch, ...losses, ...this.#paceFigures });
    }
    if (course.ends(step) && !measuresEpochs) this.emitEpoch(undefined);
  }

  /** After the call: what metrics look at. */
  end(first: number): void {
    const { meter } = this.#parts;
    if (!meter.empty) meter.take(first, this.#rows);
  }

  /** Makes figures of what metrics have seen of the epoch; false if the run was stopped meanwhile. */
  async measure(): Promise<boolean> {
    if (this.#measuredStep === this.#step) return true;
    const { meter, brake } = this.#parts;
    const measured = await brake.unlessEnded(meter.figures());
    if (measured === undefined) return false;
    this.#figures = measured.value;
    this.#measuredStep = this.#step;
    return true;
  }

  /** Takes in the validation of this step. */
  validated(validation: Evaluation): void {
    this.#validation = validation;
    this.#validationStep = this.#step;
  }

  emitStart(parameters: number, threads: number, { path, passedOver, bitEqual }: Resumed): void {
    const { steps, stepsPerEpoch, samples } = this.#parts.course;
    const place = { steps, step: this.#step, stepsPerEpoch, samples };
    this.#parts.emit({ kind: "start", ...place, parameters, threads, resumedFrom: path, bitEqual, passedOver });
  }

  emitEpoch(validation: Evaluation | undefined): void {
    const event: EpochEvent = {
      kind: "epoch",
      epoch: this.epoch,
      step: this.#step,
      ...this.#losses,
      metrics: this.#figures,
      validation,
      ...this.#paceFigures,
    };
    this.#history.add(event);
    this.#parts.emit(event);
  }

  emitValidation(validation: Evaluation): void {
    this.#parts.emit({ kind: "validation", step: this.#step, epoch: this.epoch, ...validation, seconds: this.seconds });
  }

  get #losses(): { readonly loss: number; readonly dataLoss: number; readonly penalty: number } {
    const { loss: dataLoss, penalty } = this.#sums;
    return { loss: dataLoss + penalty, dataLoss, penalty };
  }

  get #paceFigures(): PaceFigures {
    const { course, pace } = this.#parts;
    return pace.figures(this.#step - this.#firstStep, course.left(this.#step));
  }
}

/** Of a step's batch, which may weigh nothing. */
function lossesOf(row: Float32Array, lossWeights: readonly number[]): Record<"loss" | "dataLoss" | "penalty", number> {
  const penalty = row[LOG.penalty] ?? 0;
  const dataLoss = dataLossOf(row, lossWeights);
  return { loss: dataLoss + penalty, dataLoss, penalty };
}
