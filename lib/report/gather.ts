// Asks a model, and puts what a report says into plain data.

import { now, turn } from "../binding/clock.js";
import { nativeInfo } from "../binding/native.js";
import { countOf } from "../counts.js";
import { permutation } from "../data/permutation.js";
import { CarillonError, fail } from "../errors.js";
import { hasValue, missingIn } from "../table/column.js";
import { targetsIn } from "../table/preparation/target.js";
import { type Schema, targetsOf } from "../table/schema/schema.js";
import { warningsOf } from "../table/schema/warnings.js";
import type { Table } from "../table/table.js";
import { seedKey } from "../tensor/philox.js";
import {
  type Answers,
  type AskedTarget,
  answersFor,
  ask,
  askedTargets,
  heldOut,
  type ReportedModel,
  type RowNumbers,
} from "./asked.js";
import { baselinesOf, type Truth } from "./baselines.js";
import { bootstrap, quantileOf } from "./bootstrap.js";
import { atTemperature, reliability, temperatureOf } from "./calibration.js";
import { type ColumnValue, partialDependence, permutationImportance } from "./columns.js";
import { confusionTable } from "./confusion.js";
import { chooseThreshold, precisionRecallCurve, rocCurve } from "./curves.js";
import type {
  CalibrationFacts,
  ColumnFacts,
  DependenceFacts,
  Histogram,
  Points,
  ReportFacts,
  ResidualFacts,
  ScoreFacts,
  TargetFacts,
  TwoClassFacts,
  WeightFacts,
} from "./facts.js";
import type { CheckedReport } from "./options.js";
import { errorsOf, predictedOf, scoresOf, type Told } from "./scores.js";
import { errorsBySlice, shortDate, shortNumber } from "./slices.js";

/** Keeps these draws apart from others of one seed (ARCHITECTURE.md, Random streams). */
const PURPOSE = 15;

/** Points of a curve, points of a scatter, bins of a histogram. */
const CURVE = 120;
const SCATTER = 600;
const BINS = 24;

/** Layers whose weights are shown, and columns whose dependence is. */
const LAYERS = 12;
const DEPENDENCES = 6;
const DEPENDENCE_ROWS = 300;

/** Rows that baselines and intervals are measured on at most. */
const MEASURED = 20_000;

/** So many rows, at random, in their order. */
function someRows(rows: Uint32Array, most: number, seed: number): Uint32Array {
  if (rows.length <= most) return rows;
  const order = permutation(rows.length, PURPOSE, seedKey("report.seed", seed));
  return Uint32Array.from(order.subarray(0, most), (place) => rows[place] ?? 0).sort();
}

/** Not more than so many points of a curve, the first and the last among them. */
function thinned(x: ArrayLike<number>, y: ArrayLike<number>): Points {
  const count = Math.min(x.length, CURVE);
  return Array.from({ length: count }, (_, at) => {
    const place = count < 2 ? 0 : Math.round((at * (x.length - 1)) / (count - 1));
    return [round(x[place] ?? 0), round(y[place] ?? 0)] as const;
  });
}

/** A number with six digits: the JSON is read by people, too. */
function round(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(6)) : value;
}

/** Numbers by bins of equal width. */
function histogramOf(values: Float64Array, bins = BINS): Histogram {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (!(low < high)) [low, high] = [low - 0.5, low + 0.5];
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) {
    const bin = Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { edges: Array.from({ length: bins + 1 }, (_, at) => round(low + ((high - low) * at) / bins)), counts };
}

/** What is true of each target of a table's rows. */
function truthsOf(model: ReportedModel, targets: readonly AskedTarget[], table: Table): readonly Truth[] {
  const classes = model.task === "binary" || model.task === "classes";
  const target = {
    columns: model.target,
    task: model.task,
    classes: targets.map((one) => one.classes ?? []),
  };
  for (const name of model.target) table.column(name);
  const found = targetsIn(table, model.schema, target);
  if ("shape" in found) {
    const width = model.target.length;
    return targets.map((one, at): Truth => {
      const column = Float64Array.from({ length: table.rows }, (_, row) => found.data[row * width + at] ?? 0);
      return one.classes === undefined
        ? { classes: undefined, actual: column }
        : { classes: 2, actual: Int32Array.from(column) };
    });
  }
  return classes ? [{ classes: targets[0]?.classes?.length ?? 2, actual: found }] : [];
}

function toldOf(target: AskedTarget, truth: Truth, answers: Answers, rows: Uint32Array): Told {
  const own = answersFor(target, answers);
  if (truth.classes === undefined)
    return { classes: undefined, values: own, actual: Float64Array.from(rows, (row) => truth.actual[row] ?? 0) };
  return { classes: truth.classes, chances: own, actual: Int32Array.from(rows, (row) => truth.actual[row] ?? 0) };
}

async function scoreFacts(
  told: Told,
  baselines: { readonly constant: Told; readonly linear: Told | undefined },
  options: CheckedReport,
): Promise<readonly ScoreFacts[]> {
  const { length } = told.actual;
  const all = Uint32Array.from({ length }, (_, row) => row);
  const constant = scoresOf(baselines.constant);
  const linear = baselines.linear === undefined ? undefined : scoresOf(baselines.linear);
  const facts: ScoreFacts[] = [];
  for (const [at, { measure, best, of }] of scoresOf(told).entries()) {
    if (Number.isNaN(of(all))) continue; // such as an AUC of one class
    const draws = { seed: options.seed, repeats: options.repeats };
    const other = linear?.[at] ?? constant[at];
    facts.push({
      measure,
      best,
      ...(await bootstrap(length, of, draws)),
      constant: constant[at]?.of(all) ?? Number.NaN,
      linear: linear?.[at]?.of(all),
      difference: await bootstrap(length, (rows) => of(rows) - (other?.of(rows) ?? 0), draws),
    });
  }
  return facts;
}

async function calibrationFacts(chances: Float64Array, classes: number, actual: Int32Array): Promise<CalibrationFacts> {
  const shape = [actual.length, classes];
  const before = await reliability({ shape, data: chances }, actual);
  const temperature = await temperatureOf({ shape, data: chances }, actual);
  const data = atTemperature({ shape, data: chances }, temperature);
  const after = await reliability({ shape, data }, actual);
  return { temperature, error: before.error, bins: before.bins, calibrated: { error: after.error, bins: after.bins } };
}

async function twoClassFacts(
  chances: Float64Array,
  actual: Int32Array,
  by: CheckedReport["threshold"],
): Promise<TwoClassFacts | undefined> {
  if (!actual.includes(1) || !actual.includes(0)) return undefined;
  const yes = Float64Array.from(actual, (_, row) => chances[2 * row + 1] ?? 0);
  const [roc, over] = [await rocCurve(yes, actual), await precisionRecallCurve(yes, actual)];
  const chosen = await chooseThreshold(yes, actual, { by });
  return {
    roc: thinned(roc.falsePositives, roc.truePositives),
    area: roc.area,
    precisionRecall: thinned(over.recall, over.precision),
    averagePrecision: over.averagePrecision,
    chosen: { ...chosen, by: typeof by === "string" ? by : JSON.stringify(by) },
  };
}

function residualFacts(values: Float64Array, actual: Float64Array, seed: number): ResidualFacts {
  const rows = someRows(
    Uint32Array.from({ length: values.length }, (_, row) => row),
    SCATTER,
    seed,
  );
  const residuals = values.map((value, row) => (actual[row] ?? 0) - value);
  const absolute = residuals.map(Math.abs).sort();
  return {
    points: Array.from(rows, (row) => [round(values[row] ?? 0), round(actual[row] ?? 0)] as const),
    histogram: histogramOf(residuals),
    quantiles: [0.5, 0.9, 0.99].map((share) => ({ share, error: round(quantileOf(absolute, share)) })),
  };
}

async function targetFacts(
  target: AskedTarget,
  told: Told,
  baselines: { readonly constant: Told; readonly linear: Told | undefined },
  options: CheckedReport,
): Promise<TargetFacts> {
  const common = { target: target.name, classes: target.classes, scores: await scoreFacts(told, baselines, options) };
  if (told.classes === undefined) {
    const residuals = residualFacts(told.values, told.actual, options.seed);
    return { ...common, confusion: undefined, twoClasses: undefined, calibration: undefined, residuals };
  }
  const { classes, chances, actual } = told;
  const twoClasses = classes === 2 ? await twoClassFacts(chances, actual, options.threshold) : undefined;
  const above = twoClasses?.chosen.threshold;
  const said =
    above === undefined
      ? predictedOf(chances, classes)
      : Int32Array.from(actual, (_, row) => ((chances[2 * row + 1] ?? 0) > above ? 1 : 0));
  const { counts, classes: figures } = confusionTable(actual, said, target.classes ?? []);
  return {
    ...common,
    confusion: { counts, classes: figures },
    twoClasses,
    calibration: await calibrationFacts(chances, classes, actual),
    residuals: undefined,
  };
}

/** Sum over the targets of their most telling measure but AUC: what importances are measured in. */
function errorIn(model: ReportedModel, targets: readonly AskedTarget[], table: Table) {
  const truths = truthsOf(model, targets, table);
  const all = Uint32Array.from({ length: table.rows }, (_, row) => row);
  return async (changed: Table): Promise<number> => {
    const answers = await ask(model, changed);
    let sum = 0;
    for (const [at, target] of targets.entries()) {
      const truth = truths[at];
      if (truth === undefined) continue;
      const errors = errorsOf(toldOf(target, truth, answers, all));
      sum += errors.reduce((one, other) => one + other, 0) / errors.length;
    }
    await turn();
    return sum / targets.length;
  };
}

/** Columns that a model looks at. */
function featuresOf(schema: Schema, table: Table): readonly string[] {
  const targets = targetsOf(schema);
  return Object.entries(schema.columns)
    .filter(([name, { kind }]) => kind !== "id" && kind !== "ignore" && !targets.includes(name) && table.has(name))
    .map(([name]) => name);
}

const shown = (value: ColumnValue): string =>
  typeof value === "number" ? shortNumber(value) : typeof value === "object" ? shortDate(Number(value)) : String(value);

async function dependenceFacts(
  model: ReportedModel,
  targets: readonly AskedTarget[],
  table: Table,
  columns: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly DependenceFacts[]> {
  const [target] = targets;
  if (target === undefined) return [];
  const last = (target.classes?.length ?? 1) - 1;
  const of = target.classes === undefined ? target.name : `${target.name} = ${target.classes[last] ?? ""}`;
  const width = target.classes === undefined ? 1 : target.classes.length;
  const facts: DependenceFacts[] = [];
  for (const column of columns) {
    if (table.column(column).kind === "text" && model.schema.columns[column]?.kind === "text") continue;
    const points = await partialDependence(
      table,
      column,
      async (set) => {
        const own = answersFor(target, await ask(model, set));
        let sum = 0;
        for (let row = 0; row < set.rows; row++) sum += own[row * width + (width - 1)] ?? 0;
        return sum / set.rows;
      },
      { signal },
    );
    facts.push({
      column,
      of,
      points: points.map(({ value, mean, rows }) => ({
        value: shown(value),
        number: typeof value === "number" || typeof value === "object" ? Number(value) : undefined,
        mean: round(mean),
        rows,
      })),
    });
  }
  return facts;
}

/** Weights by layer, of all members that have such a one together. */
function weightFacts(weights: ReadonlyMap<string, RowNumbers>): readonly WeightFacts[] {
  const layers = new Map<string, RowNumbers[]>();
  for (const [name, one] of weights) {
    if (one.shape.length < 2 || one.data.length < 16) continue; // biases and factors
    const layer = name.replace(/^member\d+-/, "");
    layers.set(layer, [...(layers.get(layer) ?? []), one]);
  }
  return [...layers].slice(0, LAYERS).map(([name, parts]) => {
    const values = new Float64Array(parts.reduce((sum, { data }) => sum + data.length, 0));
    let [at, zeros, squares] = [0, 0, 0];
    for (const { data } of parts) {
      for (let place = 0; place < data.length; place++) {
        const value = data[place] ?? 0;
        values[at++] = value;
        zeros += value === 0 ? 1 : 0;
        squares += value * value;
      }
    }
    return {
      name,
      members: parts.length,
      shape: [...(parts[0]?.shape ?? [])],
      zeros: round(zeros / values.length),
      size: round(Math.sqrt(squares / values.length)),
      histogram: histogramOf(values),
    };
  });
}

function columnFacts(schema: Schema, table: Table): readonly ColumnFacts[] {
  return Object.entries(schema.columns)
    .filter(([name]) => table.has(name))
    .map(([name, { kind, why = "" }]) => {
      const column = table.column(name);
      const examples: string[] = [];
      for (let row = 0; row < Math.min(table.rows, 200) && examples.length < 3; row++) {
        const cell = hasValue(column, row) ? table.at(row, name) : null;
        const text = cell === null ? "" : shown(cell);
        if (text !== "" && !examples.includes(text)) examples.push(text.length > 40 ? `${text.slice(0, 39)}…` : text);
      }
      return { name, kind, why, missing: missingIn(column), examples };
    });
}

/** Microseconds of a row among many, and of one alone. */
async function costOf(model: ReportedModel, table: Table): Promise<readonly [number, number]> {
  const many = table.head(Math.min(table.rows, 2000));
  await ask(model, many.head(1));
  const began = now();
  await ask(model, many);
  const each = ((now() - began) * 1000) / many.rows;
  const one = table.head(1);
  const times: number[] = [];
  for (let call = 0; call < 20; call++) {
    const from = now();
    await ask(model, one);
    times.push((now() - from) * 1000);
  }
  return [
    each,
    quantileOf(
      times.sort((a, b) => a - b),
      0.5,
    ),
  ];
}

/** Rows that figures are of, with the answers to them. */
async function measuredOf(model: ReportedModel, table: Table, test: Table | undefined, seed: number) {
  if (test !== undefined) {
    const rows = someRows(
      Uint32Array.from({ length: test.rows }, (_, row) => row),
      MEASURED,
      seed,
    );
    return { how: "test", rows, all: test.rows, answers: await ask(model, test.pick(rows)) } as const;
  }
  const held = heldOut(model);
  if (held === undefined)
    throw new CarillonError(
      "ERR_OPTION",
      "report.test",
      "expected rows that the model was not trained on for 'report.test', as the model has no answers to rows that were held out, but received none",
    );
  const most = held.rows.reduce((one, other) => Math.max(one, other), 0);
  if (most >= table.rows)
    fail(
      "ERR_DATA",
      "report.source",
      `the table of the training, of more than ${most} rows,`,
      countOf(table.rows, "row"),
    );
  const places = someRows(
    Uint32Array.from({ length: held.rows.length }, (_, row) => row),
    MEASURED,
    seed,
  );
  const { width, data } = held.answers;
  const answers = { rows: places.length, width, data: new Float64Array(places.length * width) };
  places.forEach((place, at) => {
    answers.data.set(data.subarray(place * width, (place + 1) * width), at * width);
  });
  return {
    how: "held out",
    rows: Uint32Array.from(places, (place) => held.rows[place] ?? 0),
    all: held.rows.length,
    answers,
  } as const;
}

/** Both tables one behind the other, the second one's rows by their numbers there. */
export async function gather(
  model: ReportedModel,
  table: Table,
  test: Table | undefined,
  options: CheckedReport,
): Promise<ReportFacts> {
  const { seed, signal } = options;
  const targets = askedTargets(model);
  const measured = await measuredOf(model, table, test, seed);
  const from = test ?? table;
  const truths = truthsOf(model, targets, from);
  const facts: TargetFacts[] = [];
  const errors = new Float64Array(measured.rows.length);
  for (const [at, target] of targets.entries()) {
    signal?.throwIfAborted();
    const truth = truths[at];
    if (truth === undefined) continue;
    const told = toldOf(target, truth, measured.answers, measured.rows);
    const baselines = await baselinesOf(from, model.schema, truth, measured.rows, seed);
    facts.push(await targetFacts(target, told, baselines, options));
    errorsOf(told).forEach((error, row) => {
      errors[row] = (errors[row] ?? 0) + error / targets.length;
    });
  }
  const features = featuresOf(model.schema, from);
  const sample = from.pick(someRows(measured.rows, options.rows, seed));
  const score = errorIn(model, targets, sample);
  const importance = await permutationImportance(sample, score, {
    columns: features,
    repeats: options.shuffles,
    best: "low",
    seed,
    signal,
  });
  const strongest = importance.slice(0, DEPENDENCES).map(({ column }) => column);
  const few = sample.head(DEPENDENCE_ROWS);
  const isValue = targets[0]?.classes === undefined;
  const [microsecondsPerRow, microsecondsAlone] = await costOf(model, sample);
  const weights = model.model?.weights();
  return {
    version: 1,
    name: options.name,
    task: model.task,
    target: model.target,
    rows: { all: table.rows, measured: measured.rows.length, how: measured.how },
    warnings: await warningsOf(table.head(100_000), model.schema),
    targets: facts,
    importance: {
      measure: isValue ? "mean absolute error" : "log loss",
      rows: sample.rows,
      columns: importance.map(({ column, mean, deviation, repeats }) => ({
        column,
        mean: round(mean),
        deviation: round(deviation),
        repeats: repeats.map(round),
      })),
    },
    dependence: await dependenceFacts(model, targets, few, strongest, signal),
    slices: {
      error: isValue ? "mean absolute error" : "log loss",
      mean: round(errors.reduce((sum, one) => sum + one, 0) / errors.length),
      worst: errorsBySlice(from.pick(measured.rows), errors, { columns: features, most: 12 }),
    },
    training: (model.members ?? []).map(({ kind, weight = 1, best, history = [] }, at) => ({
      name: `member ${at + 1}${kind === undefined ? "" : ` (${kind})`}`,
      weight,
      best: best?.epoch,
      epochs: history.map(({ epoch, loss, validationLoss }) => ({
        epoch,
        loss: round(loss),
        validationLoss: round(validationLoss),
      })),
    })),
    weights: weights === undefined ? [] : weightFacts(weights),
    columns: columnFacts(model.schema, table),
    schema: model.schema,
    cost: {
      microsecondsPerRow: round(microsecondsPerRow),
      microsecondsAlone: round(microsecondsAlone),
      parameters:
        weights === undefined ? undefined : [...weights.values()].reduce((sum, { data }) => sum + data.length, 0),
      bytes: model.bytes?.().length,
      seconds: options.seconds,
    },
    made: {
      command: options.command,
      job: options.job,
      seed: model.seed,
      numericsVersion: nativeInfo.numericsVersion,
      isa: nativeInfo.isa,
      node: process.version,
    },
  };
}
