// What a report says of each target: scores beside the baselines, calibration, curves, residuals.
import { quantileOf } from "../data/quantiles.js";
import { targetsIn } from "../table/preparation/target.js";
import type { Table } from "../table/table.js";
import { type Answers, type AskedTarget, answersFor, type ReportedModel } from "./asked.js";
import type { Truth } from "./baselines.js";
import { bootstrap } from "./bootstrap.js";
import { atTemperature, reliability, temperatureOf } from "./calibration.js";
import { confusionTable } from "./confusion.js";
import { chooseThreshold, precisionRecallCurve, rocCurve } from "./curves.js";
import type { CalibrationFacts, ResidualFacts, ScoreFacts, TargetFacts, TwoClassFacts } from "./facts.js";
import { histogramOf, round, someRows, thinned } from "./figures.js";
import type { CheckedReport } from "./options.js";
import { predictedOf, scoresOf, type Told } from "./scores.js";

/** Points of a scatter. */
const SCATTER = 600;

/** What is true of each target of a table's rows. */
export function truthsOf(model: ReportedModel, targets: readonly AskedTarget[], table: Table): readonly Truth[] {
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

export function toldOf(target: AskedTarget, truth: Truth, answers: Answers, rows: Uint32Array): Told {
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

async function residualFacts(values: Float64Array, actual: Float64Array, seed: number): Promise<ResidualFacts> {
  const rows = someRows(
    Uint32Array.from({ length: values.length }, (_, row) => row),
    SCATTER,
    seed,
  );
  const residuals = values.map((value, row) => (actual[row] ?? 0) - value);
  const absolute = residuals.map(Math.abs).sort();
  return {
    points: Array.from(rows, (row) => [round(values[row] ?? 0), round(actual[row] ?? 0)] as const),
    histogram: await histogramOf(residuals),
    quantiles: [0.5, 0.9, 0.99].map((share) => ({ share, error: round(quantileOf(absolute, share)) })),
  };
}

export async function targetFacts(
  target: AskedTarget,
  told: Told,
  baselines: { readonly constant: Told; readonly linear: Told | undefined },
  options: CheckedReport,
): Promise<TargetFacts> {
  const common = { target: target.name, classes: target.classes, scores: await scoreFacts(told, baselines, options) };
  if (told.classes === undefined) {
    const residuals = await residualFacts(told.values, told.actual, options.seed);
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
