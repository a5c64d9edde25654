// What the progress of a checkpoint may be: values that no run can write are refused by their place.
import type { Part } from "../../io/part.js";
import { columnsOfOutput, LOG, logColumns } from "../../nn/evaluation/log.js";
import { namesIn, unitsIn } from "../../nn/meaning/meaning_words.js";
import type { Accumulator } from "../../nn/metrics/metric.js";
import type { OutputMetric } from "../../nn/metrics/metrics.js";
import type { AnyModel } from "../../nn/model/model.js";
import type { Callback } from "../callbacks/callback.js";
import { Figures } from "../callbacks/figure_ranges.js";
import { MOST_STEPS } from "../run/epochs.js";
import { checkHistory } from "../run/history.js";
import type { Progress } from "./progress.js";
import type { StoredSettings } from "./settings_schema.js";

/** The run that a checkpoint is read for: its metrics and callbacks know what they give, as far as the checkpoint has them. */
export interface Reader {
  readonly model: AnyModel;
  readonly metrics: readonly OutputMetric[];
  /** Of the metrics, by name. */
  readonly accumulators: ReadonlyMap<string, Accumulator>;
  readonly callbacks: readonly Callback[];
}

/** The progress of a checkpoint with these settings; `ERR_FILE` names the first value that no run writes. */
export function checkProgress(progress: Part, settings: StoredSettings, reader: Reader): Progress {
  const step = progress.at("step").count(0, MOST_STEPS);
  progress.at("seed").count();
  progress.at("rateScale").number({ min: 0 });
  progress.at("bitEqual").flag();
  progress.at("undecided").flag();
  checkBatches(progress, settings);
  checkData(progress.at("data"), step, settings, reader.model);
  checkLanes(progress.at("data").at("lanes"), Number(progress.at("batchSize").value));
  const value = progress.value as Progress; // but for what follows, which needs these
  checkSums(progress.at("sums"), value, reader.model.rows.outputs.length);
  const figures = new Figures(reader.metrics, settings.loss);
  checkMetrics(progress.at("metrics"), reader, value.sums);
  checkValidation(progress.at("validation"), progress.at("validationStep"), step, figures);
  checkDecided(progress, reader, figures);
  checkBest(progress.at("best"), step, figures);
  checkHistory(progress.at("history"), step, figures);
  checkEpochs(progress.at("history"), value);
  return value;
}

/** Rows of the data and of a step. */
function checkBatches(progress: Part, settings: StoredSettings): void {
  const inMemory = settings.shuffleBuffer === null;
  const [samples, batch] = [progress.at("samples"), progress.at("batchSize")];
  const rows = inMemory ? samples.count(1) : 0;
  if (!inMemory) samples.equal(0);
  batch.equal(inMemory ? Math.min(settings.batchSize, rows) : settings.batchSize);
  progress.at("shuffle").equal(settings.shuffle);
}

function checkData(data: Part, step: number, { shuffleBuffer }: StoredSettings, model: AnyModel): void {
  const stream = data.at("stream");
  if (shuffleBuffer === null) {
    stream.equal(null);
    checkOrigin(data.at("origin"), step);
  } else {
    const epoch = stream.at("epoch").count(Math.min(step, 1), step);
    stream.at("begin").count(Math.min(epoch, step), Math.max(step, 1));
    stream.at("ended").flag();
    stream.at("shuffleBuffer").equal(shuffleBuffer);
    data.at("origin").expect(data.at("origin").isNothing, "none for a stream");
  }
  const transforms = data.at("transforms");
  unitsIn("x", model.rows.inputs, transforms.at("inputs"));
  unitsIn("y", model.rows.outputs, transforms.at("targets"));
  const classes = data.at("classes");
  if (classes.value !== null) namesIn(model.rows.outputs, classes);
}

/** What layers have kept of the lanes: numbers, as many a lane. */
function checkLanes(lanes: Part, batch: number): void {
  if (lanes.isNothing) return;
  const names = [...lanes.members()];
  lanes.expect(names.length > 0, "a state or more");
  for (const [, kept] of names) {
    const values = kept.doubles();
    kept.expect(values.length > 0 && values.length % batch === 0, `numbers of ${batch} lanes`);
    kept.expect(
      values.every((value) => Number.isFinite(value) && Math.fround(value) === value),
      "finite float32 numbers",
    );
  }
}

/** Where the epochs of data in memory are counted from. */
function checkOrigin(origin: Part, step: number): void {
  if (origin.isNothing) return;
  origin.at("epoch").count(0, origin.at("step").count(0, step));
}

/** Steps of the epoch under way, or of the one that the last step has ended; `undefined` behind other data. */
function openSteps({ step, samples, batchSize, data }: Progress): number | undefined {
  const { stream, origin } = data;
  if (step === 0) return 0;
  if (stream !== null) return stream.ended && stream.begin === step ? undefined : step - stream.begin + 1;
  const begin = origin?.step ?? 0;
  return step === begin ? undefined : ((step - begin - 1) % Math.ceil(samples / batchSize)) + 1;
}

/** Rows that so many steps of an epoch have: at least, and at most. */
function rowsOf(steps: number, { samples, batchSize, data }: Progress): readonly [least: number, most: number] {
  const most = steps * batchSize;
  if (data.stream === null) return [Math.min(most, samples), Math.min(most, samples)];
  return [data.stream.ended ? most - batchSize + Math.min(steps, 1) : most, most];
}

/** Rows of a batch are told in float32: up to here exactly. */
const EXACT = 16_777_216;

function checkSums(sums: Part, progress: Progress, outputs: number): void {
  const [count = sums, ...columns] = sums.list(logColumns(outputs) + 1);
  const steps = count.count(0, progress.step);
  const open = openSteps(progress);
  if (open !== undefined) count.equal(open);
  const column = (index: number): Part => columns[index] ?? sums;
  for (let output = 0; output < outputs; output++) {
    const { total, weight } = columnsOfOutput(output);
    column(total).number();
    column(weight).number({ min: 0 });
  }
  column(LOG.penalty).figure({ min: 0 });
  const [min, max] = open === undefined ? [0, Number.MAX_SAFE_INTEGER] : rowsOf(steps, progress);
  if (progress.batchSize <= EXACT) column(LOG.rows).count(min, max);
  else column(LOG.rows).number({ min: 0 });
}

function checkMetrics(metrics: Part, { accumulators, metrics: known }: Reader, sums: readonly number[]): void {
  for (const [name, state] of metrics.members()) {
    const { output = 0 } = known.find((metric) => metric.name === name) ?? {};
    accumulators.get(name)?.check?.(state, sums[1 + columnsOfOutput(output).weight] ?? 0);
  }
}

function checkValidation(validation: Part, at: Part, step: number, figures: Figures): void {
  if (validation.value === null) {
    at.equal(null);
    return;
  }
  at.count(1, step);
  figures.check("validation.loss", validation.at("loss"));
  for (const [name, figure] of validation.at("metrics").members()) figures.check(`validation.${name}`, figure);
}

/** Callbacks and what they have decided. */
function checkDecided(progress: Part, { model, callbacks }: Reader, figures: Figures): void {
  const states = progress.at("callbacks").members();
  const names = [...states.keys()];
  const expectCallback = (part: Part): void => part.expect(names.includes(part.text()), "the name of a callback");
  const stoppedBy = progress.at("stoppedBy");
  if (stoppedBy.value !== null) expectCallback(stoppedBy);
  for (const list of [progress.at("pending"), progress.at("owed")]) {
    list.names();
    for (const name of list.list()) expectCallback(name);
  }
  const step = Number(progress.at("step").value);
  for (const { name, checkState } of callbacks) {
    const state = states.get(name);
    if (state !== undefined) checkState?.(state, { step, figures, parameters: model.parameters });
  }
}

function checkBest(best: Part, step: number, figures: Figures): void {
  if (best.value === null) return;
  best.at("step").count(0, step);
  figures.checkBest(best.at("aim"), best.at("value"));
}

/**
 * The last epoch that the history tells of is the one before that under way, or the one that the last step has ended. One that
 * other data has cut off is not told of.
 */
function checkEpochs(history: Part, progress: Progress): void {
  const open = openSteps(progress);
  if (open === undefined) return;
  const { step, data, bitEqual, undecided } = progress;
  const before = step - open;
  const isCut = data.stream === null ? data.origin !== undefined : !bitEqual;
  const told = history.at("indexes").doubles().length;
  if (told === 0) {
    history.at("count").expect(before === 0 || isCut, `the epochs of ${before} steps`);
    return;
  }
  const columns = history.at("columns");
  const [epochs, steps] = ["epoch", "step"].map((name) => columns.at(name).at("values"));
  const last = steps?.doubles()[told - 1] ?? 0;
  const isEnd = last === step || (last === before && (undecided || !isWhole(progress, open)));
  if (!(isEnd || (isCut && last < before))) steps?.refuse(`a last epoch up to step ${before} or ${step}`, `${last}`);
  const epoch = epochs?.doubles()[told - 1] ?? 0;
  const expected = isCut ? epoch : epochOf(last, progress);
  if (epoch !== expected) epochs?.refuse(`the epoch ${expected} of step ${last}`, `${epoch}`);
}

/** Whether the last step has ended its epoch. */
function isWhole({ samples, batchSize, data: { stream } }: Progress, open: number): boolean {
  return stream === null ? open === Math.ceil(samples / batchSize) : stream.ended;
}

/** The epoch of the last step, or of the one before its epoch. */
function epochOf(step: number, { step: now, samples, batchSize, data: { stream } }: Progress): number {
  if (stream === null) return Math.ceil(step / Math.ceil(samples / batchSize));
  return step === now ? stream.epoch : stream.epoch - 1;
}
