import { type Evaluation, Sums } from "../../nn/evaluation/evaluator.js";
import { dataLossOf, LOG } from "../../nn/evaluation/log.js";
import type { RunControl } from "../../nn/evaluation/run_control.js";
import type { Meter } from "../../nn/metrics/meter.js";
import { type Figures, numbersOf } from "../../nn/metrics/metrics.js";
import { VALIDATION } from "../callbacks/figure_ranges.js";
import type { Watched } from "../callbacks/monitor.js";
import type { Progress } from "../checkpoint/progress.js";
import type { Resumed } from "../checkpoint/resume.js";
import type { Standing } from "../progress/line.js";
import { type RowNeeds, smallestPart } from "../step.js";
import type { StepProgram } from "../step_programs.js";
import type { Epochs } from "./epochs.js";
import { type EpochEvent, type FitEvent, figureBytes } from "./events.js";
import { packHistory, unpackHistory } from "./history.js";
import { StepLog, type StepLosses } from "./step_losses.js";
import { Thinned } from "./thinned.js";
import type { Throughput, ThroughputFigures } from "./throughput.js";

/** Parts of a {@link RunHistory}. */
export interface RunHistoryParts {
  readonly epochs: Epochs;
  readonly meter: Meter;
  readonly throughput: Throughput;
  readonly control: RunControl;
  /** Steps between two step events; 0 for none. */
  readonly reportEvery: number;
  /** Whether epochs are told of by who measures at their ends; otherwise as they pass. */
  readonly measuresEpochs: boolean;
  /** Whether the loss of every step is kept. */
  readonly logsSteps: boolean;
  /** The weight of each output's loss in the total. */
  readonly lossWeights: readonly number[];
  readonly rowNeeds: RowNeeds;
  emit(event: FitEvent): void;
}

/** The part of a checkpoint that a {@link RunHistory} comes back from. */
export type RunHistoryProgress = Pick<
  Progress,
  "step" | "sums" | "metrics" | "validation" | "validationStep" | "history"
>;

/** How far a run has come and what it has measured: figures of the epoch under way, the last validation, events of both. */
export class RunHistory {
  readonly #parts: RunHistoryParts;
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

  constructor(parts: RunHistoryParts, progress: RunHistoryProgress | undefined) {
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
    return this.#parts.epochs.epochOf(this.#step);
  }

  get history(): readonly EpochEvent[] {
    return this.#history.items;
  }

  /** Those of the steps so far, if they are kept. */
  get losses(): StepLosses | undefined {
    return this.#log?.losses();
  }

  get seconds(): number {
    return this.#parts.throughput.seconds;
  }

  get validationStep(): number | undefined {
    return this.#validationStep;
  }

  /** Figures that callbacks and the best checkpoint go by. */
  get watched(): Watched {
    const validation = this.#validation;
    return {
      ...this.#losses,
      metrics: numbersOf(this.#figures),
      validation: validation && { loss: validation.loss, metrics: numbersOf(validation.metrics) },
    };
  }

  /** How far the run is, of `epochs` if so many are told. */
  standing(epochs: number | undefined): Standing {
    const { metrics, validation, ...losses } = this.watched;
    const { steps } = this.#parts.epochs;
    const { examplesPerSecond, secondsLeft } = this.#throughputFigures;
    const measured =
      validation === undefined ? {} : { "validation.loss": validation.loss, ...ofValidation(validation.metrics) };
    return {
      place: `epoch ${Math.max(1, this.epoch)}${epochs === undefined ? "" : `/${epochs}`}`,
      done: steps === undefined ? undefined : this.#step / steps,
      figures: Object.entries({ loss: losses.loss, ...measured, ...metrics }),
      rowsPerSecond: examplesPerSecond,
      secondsLeft,
    };
  }

  /** The part of the history that a checkpoint keeps; metrics are over with the epoch, unless something of this step is still to be decided. */
  progress(decided: boolean): RunHistoryProgress {
    const { epochs, meter } = this.#parts;
    return {
      step: this.#step,
      sums: this.#sums.state(),
      metrics: epochs.completes(this.#step, 1) && decided ? {} : meter.state(),
      validation: this.#validation ?? null,
      validationStep: this.#validationStep ?? null,
      history: packHistory(this.#history),
    };
  }

  /** The epochs before; the last one again if a run has ended in it that now goes on. */
  #takeHistory({ step, history }: RunHistoryProgress): void {
    unpackHistory(history, this.#history);
    const { epochs } = this.#parts;
    const isOpen = this.#history.items.at(-1)?.step === step && !epochs.isWhole(step) && !epochs.over(step);
    if (isOpen) this.#history.dropLast();
  }

  /** Before a call. */
  begin(): void {
    this.#seen = 0;
    this.#rows = [];
  }

  /** Takes in what the call has logged so far. */
  take(program: StepProgram, first: number): void {
    const { logColumns, finished } = program;
    if (finished === this.#seen) return;
    const log = program.log(this.#seen, finished);
    for (let row = 0; row < finished - this.#seen; row++) {
      this.#takeStep(first + this.#seen + row, log.subarray(row * logColumns, (row + 1) * logColumns));
    }
    this.#seen = finished;
  }

  #takeStep(step: number, row: Float32Array): void {
    const { epochs, throughput, reportEvery, measuresEpochs } = this.#parts;
    if (epochs.begins(step)) this.#sums.clear();
    this.#step = step;
    this.#sums.add(row);
    const rows = row[LOG.rows] ?? 0;
    this.#rows.push(rows);
    throughput.count(rows);
    this.#expectRows(rows);
    const reports = reportEvery > 0 && step % reportEvery === 0;
    if (reports || this.#log !== undefined) {
      const losses = lossesOf(row, this.#parts.lossWeights);
      this.#log?.add(losses.loss, losses.penalty);
      if (reports) this.#parts.emit({ kind: "step", step, epoch: this.epoch, ...losses, ...this.#throughputFigures });
    }
    if (epochs.ends(step) && !measuresEpochs) this.emitEpoch(undefined);
  }

  /** Tells of a batch that is too small for a layer. */
  #expectRows(batch: number): void {
    const { part, layer, needed } = this.#parts.rowNeeds;
    const rows = smallestPart(batch, part);
    if (rows >= needed) return;
    this.#parts.emit({ kind: "fewRows", step: this.#step, epoch: this.epoch, layer, rows, needed });
  }

  /** After the call, whose first step was `first`: what metrics look at. Of a call that was ended before that step nothing is new. */
  end(first: number): void {
    const { epochs, meter } = this.#parts;
    if (this.#rows.length > 0 && epochs.begins(first)) meter.clear();
    if (!meter.empty) meter.take(first, this.#rows);
  }

  /** Makes figures of what metrics have seen of the epoch; false if the run was stopped meanwhile. */
  async measure(): Promise<boolean> {
    if (this.#measuredStep === this.#step) return true;
    const { meter, control } = this.#parts;
    const measured = await control.unlessEnded(meter.figures());
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
    const { steps, stepsPerEpoch, samples } = this.#parts.epochs;
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
      ...this.#throughputFigures,
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

  get #throughputFigures(): ThroughputFigures {
    const { epochs, throughput } = this.#parts;
    return throughput.figures(this.#step - this.#firstStep, epochs.left(this.#step));
  }
}

/** Under the names that callbacks know them by. */
function ofValidation(metrics: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`${VALIDATION}${name}`, value]));
}

/** Of a step's batch, which may weigh nothing. */
function lossesOf(row: Float32Array, lossWeights: readonly number[]): Record<"loss" | "dataLoss" | "penalty", number> {
  const penalty = row[LOG.penalty] ?? 0;
  const dataLoss = dataLossOf(row, lossWeights);
  return { loss: dataLoss + penalty, dataLoss, penalty };
}
