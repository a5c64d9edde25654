// Asks a model, and puts what a report says into plain data.

import { now, turn } from "../binding/clock.js";
import { nativeInfo } from "../binding/native.js";
import { countOf } from "../counts.js";
import { quantileOf } from "../data/quantiles.js";
import { CarillonError, fail } from "../errors.js";
import { warningsOf } from "../table/schema/warnings.js";
import type { Table } from "../table/table.js";
import { type AskedTarget, ask, askedTargets, heldOut, type ReportedModel } from "./asked.js";
import { baselinesOf } from "./baselines.js";
import { permutationImportance } from "./columns.js";
import { withDates } from "./dates.js";
import type { ReportFacts, TargetFacts } from "./facts.js";
import { round, someRows } from "./figures.js";
import { columnFacts, dependenceFacts, featuresOf, weightFacts } from "./model_facts.js";
import type { CheckedReport } from "./options.js";
import { errorsOf } from "./scores.js";
import { errorsInTurns } from "./slices.js";
import { targetFacts, toldOf, truthsOf } from "./target_facts.js";

/** Columns whose dependence is shown, and rows that it is asked of. */
const DEPENDENCES = 6;
const DEPENDENCE_ROWS = 300;

/** Rows that baselines and intervals are measured on at most. */
const MEASURED = 20_000;

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
      worst: await errorsInTurns(withDates(from.pick(measured.rows), model.schema), errors, {
        columns: features,
        most: 12,
      }),
    },
    training: (model.members ?? []).map(({ kind, weight = 1, best, again = false, history = [] }, at) => ({
      name: `member ${at + 1}${kind === undefined ? "" : ` (${kind})`}`,
      weight,
      best: best?.epoch,
      ...(again ? { again } : {}),
      epochs: history.map(({ epoch, loss, validationLoss }) => ({
        epoch,
        loss: round(loss),
        validationLoss: round(validationLoss),
      })),
    })),
    weights: weights === undefined ? [] : await weightFacts(weights),
    columns: await columnFacts(model.schema, table),
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
