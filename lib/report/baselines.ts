// The two models that a network must be better than: one that knows nothing but the target, and a linear one.
import { permutation } from "../data/permutation.js";
import { prepare } from "../table/api.js";
import { type Schema, targetsOf } from "../table/schema/schema.js";
import type { Table } from "../table/table.js";
import { isFloats } from "../tensor/arrays.js";
import { seedKey } from "../tensor/philox.js";
import { spreadOf } from "./bootstrap.js";
import { type Design, fitLinear, type LinearTarget } from "./linear.js";
import type { Told } from "./scores.js";

/** Keeps these draws apart from others of one seed (ARCHITECTURE.md, Random streams). */
const PURPOSE = 14;

/** Rows that a linear model is fitted to at most: what it gains by more is in the third digit. */
const MOST_ROWS = 5000;

/** Codes of a category that get a column each; rarer values have none. */
const MOST_CODES = 40;

const FOLDS = 5;

/** Rows as columns of numbers: those that a network is given, and one for each code; texts are left out. */
async function designOf(table: Table, schema: Schema, train: Uint32Array): Promise<Design | undefined> {
  const targets = targetsOf(schema);
  const columns = Object.entries(schema.columns).map(([name, column]) => {
    const unused = column.kind === "text" || column.kind === "id" || targets.includes(name);
    return [name, unused ? ({ kind: "ignore" } as const) : column] as const;
  });
  if (columns.every(([, { kind }]) => kind === "ignore")) return undefined;
  const preparation = await prepare(table, { schema: { columns: Object.fromEntries(columns) }, rows: train });
  const { x } = preparation.encode(table);
  const parts: { readonly width: number; at(row: number, place: number): number }[] = [];
  for (const { shape, data } of Object.values(x)) {
    const width = shape[1] ?? 1;
    if (isFloats(data)) parts.push({ width, at: (row, place) => data[row * width + place] ?? 0 });
    else
      preparation.inputs.categories.forEach(({ count }, at) => {
        const codes = Math.min(count, MOST_CODES);
        parts.push({ width: codes, at: (row, place) => (data[row * width + at] === place ? 1 : 0) });
      });
  }
  const width = parts.reduce((sum, part) => sum + part.width, 0);
  const all = new Float64Array(table.rows * width);
  let offset = 0;
  for (const part of parts) {
    for (let place = 0; place < part.width; place++) {
      const { mean, deviation } = spreadOf(Float64Array.from(train, (row) => part.at(row, place)));
      const scale = deviation === 0 ? 0 : 1 / deviation;
      for (let row = 0; row < table.rows; row++)
        all[row * width + offset + place] = (part.at(row, place) - mean) * scale;
    }
    offset += part.width;
  }
  return { rows: table.rows, columns: width, data: all };
}

function picked({ columns, data }: Design, rows: Uint32Array): Design {
  const into = new Float64Array(rows.length * columns);
  rows.forEach((row, at) => {
    into.set(data.subarray(row * columns, (row + 1) * columns), at * columns);
  });
  return { rows: rows.length, columns, data: into };
}

/** What is true of a target, row by row. */
export type Truth =
  | { readonly classes: number; readonly actual: Int32Array }
  | { readonly classes: undefined; readonly actual: Float64Array };

/** Rows that are trained on, and those that are asked then. */
interface Round {
  readonly train: Uint32Array;
  readonly asked: Uint32Array;
}

/** In each round some of the measured rows are asked of a model that has seen others: those that are not measured, else other parts of them. */
function roundsOf(rows: number, measured: Uint32Array, seed: number): readonly Round[] {
  const isMeasured = new Uint8Array(rows);
  for (const row of measured) isMeasured[row] = 1;
  const others = Uint32Array.from({ length: rows }, (_, row) => row).filter((row) => isMeasured[row] === 0);
  if (others.length >= measured.length) return [{ train: others, asked: measured }];
  const order = permutation(measured.length, PURPOSE, seedKey("report.seed", seed));
  const partOf = new Uint8Array(rows);
  order.forEach((place, at) => {
    partOf[measured[place] ?? 0] = at % FOLDS;
  });
  return Array.from({ length: FOLDS }, (_, fold) => ({
    train: Uint32Array.of(...others, ...measured.filter((row) => partOf[row] !== fold)),
    asked: measured.filter((row) => partOf[row] === fold),
  })).filter(({ train, asked }) => train.length > 0 && asked.length > 0);
}

/** Not more than so many rows, at random. */
function some(rows: Uint32Array, most: number, seed: number): Uint32Array {
  if (rows.length <= most) return rows;
  const order = permutation(rows.length, PURPOSE, seedKey("report.seed", seed));
  return Uint32Array.from(order.subarray(0, most), (place) => rows[place] ?? 0);
}

/** Answers of a model that says the same of every row: shares of the classes, or the mean. */
function constantOf(truth: Truth, train: Uint32Array): Float64Array {
  if (truth.classes === undefined) {
    return Float64Array.of(spreadOf(Float64Array.from(train, (row) => truth.actual[row] ?? 0)).mean);
  }
  // One row of each class beforehand (Laplace), so that no class is impossible.
  const counts = new Float64Array(truth.classes).fill(1);
  for (const row of train) counts[truth.actual[row] ?? 0] = (counts[truth.actual[row] ?? 0] ?? 0) + 1;
  return counts.map((count) => count / (train.length + counts.length));
}

/** Answers of both to the measured rows, each by a model that has not seen the row. */
export interface Baselines {
  readonly constant: Told;
  readonly linear: Told | undefined;
}

function toldOf(truth: Truth, measured: Uint32Array, answers: Float64Array): Told {
  if (truth.classes === undefined)
    return {
      classes: undefined,
      values: answers,
      actual: Float64Array.from(measured, (row) => truth.actual[row] ?? 0),
    };
  return {
    classes: truth.classes,
    chances: answers,
    actual: Int32Array.from(measured, (row) => truth.actual[row] ?? 0),
  };
}

/** Fits both to rows of a table that are not asked, and asks them of the `measured` rows. */
export async function baselinesOf(
  table: Table,
  schema: Schema,
  truth: Truth,
  measured: Uint32Array,
  seed: number,
): Promise<Baselines> {
  const width = truth.classes ?? 1;
  const answers = {
    constant: new Float64Array(measured.length * width),
    linear: new Float64Array(measured.length * width),
  };
  const places = new Map(Array.from(measured, (row, at) => [row, at]));
  let hasLinear = true;
  for (const { train, asked } of roundsOf(table.rows, measured, seed)) {
    const same = constantOf(truth, train);
    const used = some(train, MOST_ROWS, seed);
    const design: Design | undefined = hasLinear ? await designOf(table, schema, used) : undefined;
    hasLinear = design !== undefined;
    const said = design === undefined ? undefined : await linearAnswers(design, truth, used, asked);
    asked.forEach((row, at) => {
      const place = (places.get(row) ?? 0) * width;
      answers.constant.set(same, place);
      if (said !== undefined) answers.linear.set(said.subarray(at * width, (at + 1) * width), place);
    });
  }
  return {
    constant: toldOf(truth, measured, answers.constant),
    linear: hasLinear ? toldOf(truth, measured, answers.linear) : undefined,
  };
}

/** What a linear model of the `train` rows says of those that are asked; values are standardized for it. */
async function linearAnswers(
  design: Design,
  truth: Truth,
  train: Uint32Array,
  asked: Uint32Array,
): Promise<Float64Array> {
  if (truth.classes !== undefined) {
    const labels = Int32Array.from(train, (row) => truth.actual[row] ?? 0);
    const model = await fitLinear(picked(design, train), { classes: truth.classes, labels });
    return model.predict(picked(design, asked));
  }
  const values = Float64Array.from(train, (row) => truth.actual[row] ?? 0);
  const { mean, deviation } = spreadOf(values);
  const scale = deviation === 0 ? 1 : deviation;
  const target: LinearTarget = { classes: undefined, values: values.map((value) => (value - mean) / scale) };
  const model = await fitLinear(picked(design, train), target);
  return model.predict(picked(design, asked)).map((value) => value * scale + mean);
}
