// What makes a score too good, or a model poor: told before anything is trained.
import { type Column, hasValue, lengthOf } from "../column.js";
import type { Table } from "../table.js";
import { type ColumnSchema, type Schema, targetsOf } from "./schema.js";

/** Something that a schema or a table should not have. */
export interface Warning {
  readonly kind: "leak" | "id" | "constant" | "empty" | "rare class" | "time" | "duplicates" | "many levels" | "doubt";
  readonly column: string | undefined;
  /** A sentence. */
  readonly text: string;
}

/** Rows below which nothing can be said of a leak. */
const LEAST_ROWS = 20;

/** Share of the rows that a column alone must get right to be a leak, and of what it must take away of what is wrong without it. */
const RIGHT = 0.995;
const BETTER = 0.98;

/** A column as numbers: codes of its values, each a whole number from 0 on; −1 where it is missing. */
function codesOf(column: Column): { readonly codes: Int32Array; readonly count: number } {
  if (column.kind === "text") return { codes: column.codes, count: column.levels.length };
  const places = new Map<number, number>();
  const codes = new Int32Array(lengthOf(column)).fill(-1);
  for (let row = 0; row < codes.length; row++) {
    if (!hasValue(column, row)) continue;
    const value = column.values[row] ?? 0;
    const code = places.get(value) ?? places.size;
    places.set(value, code);
    codes[row] = code;
  }
  return { codes, count: places.size };
}

/** Rows that are right if each group of rows is said to be of its most frequent class. */
function rightBy(groups: ArrayLike<number>, classes: Int32Array, count: number): number {
  const counts = new Map<number, Map<number, number>>();
  for (let row = 0; row < classes.length; row++) {
    const group = groups[row] ?? -1;
    const inside = counts.get(group) ?? new Map<number, number>();
    counts.set(group, inside);
    const label = classes[row] ?? count;
    inside.set(label, (inside.get(label) ?? 0) + 1);
  }
  let right = 0;
  for (const inside of counts.values()) right += Math.max(...inside.values());
  return right;
}

/** Share of the changes of class that chance would make along a column of numbers, below which it tells the class. */
const CHANGES = 0.05;

/** Changes by chance below which few of them say nothing. */
const LEAST_CHANGES = 5;

/** How often the class changes from row to row in the order of a column, and how often it would by chance. */
function changesAlong(values: Float64Array, classes: Int32Array): { readonly found: number; readonly chance: number } {
  const order = Array.from(values.keys()).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const counts = new Map<number, number>();
  let found = -1;
  let last = Number.NaN;
  for (const row of order) {
    const label = classes[row] ?? -1;
    if (label !== last) found += 1;
    last = label;
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  let same = 0;
  for (const count of counts.values()) same += (count / classes.length) * (count / classes.length);
  return { found, chance: classes.length * (1 - same) };
}

/** Whether one column alone tells the classes of a target: by its values if they are few, by where they lie if they are numbers. */
function tellsClasses(column: Column, classes: Int32Array, count: number): boolean {
  const { length } = classes;
  const { codes, count: values } = codesOf(column);
  const without = rightBy(new Int32Array(length), classes, count);
  const wrong = length - without;
  if (wrong === 0) return false;
  const good = (right: number): boolean => right / length >= RIGHT && right - without >= BETTER * wrong;
  if (values * 5 <= length && good(rightBy(codes, classes, count))) return true;
  if (column.kind !== "number" || values < 2 || column.values.includes(Number.NaN)) return false;
  const { found, chance } = changesAlong(column.values, classes);
  return found <= count - 1 + CHANGES * chance && chance >= LEAST_CHANGES;
}

/** Correlation above which two columns of numbers are one. */
const SAME = 0.9999;

function correlation(x: Float64Array, y: Float64Array): number {
  let [count, meanX, meanY, xx, yy, xy] = [0, 0, 0, 0, 0, 0];
  for (let row = 0; row < x.length; row++) {
    const [a, b] = [x[row] ?? Number.NaN, y[row] ?? Number.NaN];
    if (Number.isNaN(a) || Number.isNaN(b)) continue;
    count += 1;
    const [dx, dy] = [a - meanX, b - meanY];
    meanX += dx / count;
    meanY += dy / count;
    xx += dx * (a - meanX);
    yy += dy * (b - meanY);
    xy += dx * (b - meanY);
  }
  return count < LEAST_ROWS || xx === 0 || yy === 0 ? 0 : xy / Math.sqrt(xx * yy);
}

function leaks(table: Table, schema: Schema, features: readonly string[]): readonly Warning[] {
  if (table.rows < LEAST_ROWS) return [];
  return targetsOf(schema).flatMap((target) => {
    const column = table.column(target);
    const isValue = schema.columns[target]?.kind === "number";
    const { codes, count } = codesOf(column);
    return features.flatMap((name): Warning[] => {
      const feature = table.column(name);
      const tells = isValue
        ? feature.kind === "number" &&
          column.kind === "number" &&
          Math.abs(correlation(feature.values, column.values)) >= SAME
        : tellsClasses(feature, codes, count);
      if (!tells) return [];
      const text = `'${name}' alone gives '${target}' away: is it known before '${target}' is? If not: { "kind": "ignore" }`;
      return [{ kind: "leak", column: name, text }];
    });
  });
}

function ofColumn(name: string, { kind, why = "" }: ColumnSchema): readonly Warning[] {
  if (kind === "id") return [{ kind: "id", column: name, text: `'${name}' names rows and is left out: ${why}` }];
  if (kind === "ignore" && why.startsWith("the same"))
    return [{ kind: "constant", column: name, text: `'${name}' is left out: ${why}` }];
  if (kind === "ignore" && why !== "") return [{ kind: "empty", column: name, text: `'${name}' is left out: ${why}` }];
  if (why.includes("nobody can tell") || why.includes("numbers but for"))
    return [{ kind: "doubt", column: name, text: `'${name}' is ${kind}: ${why}` }];
  if (why.includes("many for so few rows"))
    return [{ kind: "many levels", column: name, text: `'${name}' is ${kind}: ${why}` }];
  return [];
}

function rareClasses(table: Table, schema: Schema): readonly Warning[] {
  return targetsOf(schema).flatMap((target): Warning[] => {
    const column = table.column(target);
    if (schema.columns[target]?.kind === "number" || column.kind !== "text") return [];
    const counts = new Uint32Array(column.levels.length);
    for (const code of column.codes) if (code >= 0) counts[code] = (counts[code] ?? 0) + 1;
    const rare = column.levels.filter((_, code) => counts[code] === 1);
    if (rare.length === 0) return [];
    const shown = rare.slice(0, 5).map((level) => `'${level}'`);
    const text = `${rare.length === 1 ? "a class" : `${rare.length} classes`} of '${target}' ${rare.length === 1 ? "has" : "have"} one row: ${shown.join(", ")}${rare.length > 5 ? ", …" : ""}; it cannot be learned and measured`;
    return [{ kind: "rare class", column: target, text }];
  });
}

/** Rows that stand more than once, all their columns but names of rows compared. */
function duplicates(table: Table, schema: Schema): readonly Warning[] {
  const used = table.names.filter((name) => schema.columns[name]?.kind !== "id");
  if (used.length < 2) return [];
  const columns = used.map((name) => codesOf(table.column(name)).codes);
  const seen = new Map<string, number>();
  let twice = 0;
  let first = -1;
  for (let row = 0; row < table.rows; row++) {
    const key = columns.map((codes) => codes[row]).join(",");
    if (seen.has(key)) {
      twice += 1;
      if (first < 0) first = row;
    } else seen.set(key, row);
  }
  if (twice === 0) return [];
  const text = `${twice.toLocaleString("en-US")} row${twice === 1 ? " stands" : "s stand"} more than once, such as ${table.place(first)}: parted at random, the same row would be learned and asked`;
  return [{ kind: "duplicates", column: undefined, text }];
}

/** Share of different values that a column must have, that rows are not equal by chance. */
const MOSTLY = 0.5;

/** Whether equal rows of a table are hardly chance: some column has another value in most rows. */
function areTold(table: Table, schema: Schema): boolean {
  return table.names.some(
    (name) => schema.columns[name]?.kind !== "id" && codesOf(table.column(name)).count >= MOSTLY * table.rows,
  );
}

/**
 * What should be looked at before training: columns that give the target away, names of rows, constants, classes of one row, dates (rows parted at random learn from the future), rows that stand
 * more than once. Of a table that is clean there is nothing to say.
 */
export function warningsOf(table: Table, schema: Schema): readonly Warning[] {
  const targets = targetsOf(schema);
  const features = table.names.filter((name) => {
    const kind = schema.columns[name]?.kind;
    return !targets.includes(name) && kind !== undefined && kind !== "id" && kind !== "ignore";
  });
  const times = features.filter((name) => schema.columns[name]?.kind === "date");
  return [
    ...Object.entries(schema.columns).flatMap(([name, column]) => ofColumn(name, column)),
    ...leaks(table, schema, features),
    ...rareClasses(table, schema),
    ...times.map((name): Warning => {
      const text = `'${name}' is a time: parted at random, rows would be learned that come after those that are asked; part them in its order ({ order: "time" })`;
      return { kind: "time", column: name, text };
    }),
    ...(areTold(table, schema) ? duplicates(table, schema) : []),
  ];
}
