// What a report says of columns and of layers: what a model makes of one column's values, what weights are like, what columns are.
import { turn } from "../binding/clock.js";
import { hasValue, missingIn } from "../table/column.js";
import { type Schema, targetsOf } from "../table/schema/schema.js";
import type { Table } from "../table/table.js";
import { type AskedTarget, answersFor, ask, type ReportedModel, type RowNumbers } from "./asked.js";
import { type ColumnValue, partialDependence } from "./columns.js";
import type { ColumnFacts, DependenceFacts, WeightFacts } from "./facts.js";
import { histogramOf, round } from "./figures.js";
import { shortDate, shortNumber } from "./slices.js";

/** Layers whose weights are shown. */
const LAYERS = 12;

/** Weights that are looked at between two turns of the event loop. */
const SLICE = 262_144;

/** Columns that a model looks at. */
export function featuresOf(schema: Schema, table: Table): readonly string[] {
  const targets = targetsOf(schema);
  return Object.entries(schema.columns)
    .filter(([name, { kind }]) => kind !== "id" && kind !== "ignore" && !targets.includes(name) && table.has(name))
    .map(([name]) => name);
}

const shown = (value: ColumnValue): string =>
  typeof value === "number" ? shortNumber(value) : typeof value === "object" ? shortDate(Number(value)) : String(value);

export async function dependenceFacts(
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
      { signal, schema: model.schema },
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
export async function weightFacts(weights: ReadonlyMap<string, RowNumbers>): Promise<readonly WeightFacts[]> {
  const layers = new Map<string, RowNumbers[]>();
  for (const [name, one] of weights) {
    if (one.shape.length < 2 || one.data.length < 16) continue; // biases and factors
    const layer = name.replace(/^member\d+-/, "");
    layers.set(layer, [...(layers.get(layer) ?? []), one]);
  }
  const facts: WeightFacts[] = [];
  for (const [name, parts] of [...layers].slice(0, LAYERS)) {
    const values = new Float64Array(parts.reduce((sum, { data }) => sum + data.length, 0));
    let [at, zeros, squares] = [0, 0, 0];
    for (const { data } of parts) {
      for (let place = 0; place < data.length; place++) {
        const value = data[place] ?? 0;
        values[at++] = value;
        zeros += value === 0 ? 1 : 0;
        squares += value * value;
        if (place % SLICE === SLICE - 1) await turn();
      }
    }
    facts.push({
      name,
      members: parts.length,
      shape: [...(parts[0]?.shape ?? [])],
      zeros: round(zeros / values.length),
      size: round(Math.sqrt(squares / values.length)),
      histogram: await histogramOf(values),
    });
  }
  return facts;
}

export async function columnFacts(schema: Schema, table: Table): Promise<readonly ColumnFacts[]> {
  const facts: ColumnFacts[] = [];
  for (const [name, { kind, why = "" }] of Object.entries(schema.columns)) {
    if (!table.has(name)) continue;
    await turn();
    const column = table.column(name);
    const examples: string[] = [];
    for (let row = 0; row < Math.min(table.rows, 200) && examples.length < 3; row++) {
      const cell = hasValue(column, row) ? table.at(row, name) : null;
      const text = cell === null ? "" : shown(cell);
      if (text !== "" && !examples.includes(text)) examples.push(text.length > 40 ? `${text.slice(0, 39)}…` : text);
    }
    facts.push({ name, kind, why, missing: missingIn(column), examples });
  }
  return facts;
}
