// What makes a score too good, or a model poor: told before anything is trained.
import { turn } from "../../binding/clock.js";
import { grouped } from "../../counts.js";
import { type Column, eachLevel } from "../column.js";
import type { Table } from "../table.js";
import { type Codes, codesOfColumn, repeatedRows } from "./codes.js";
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

/** Rows that are right if each group of rows is said to be of its most frequent class. */
function rightBy({ codes, count: groups }: Codes, { codes: classes, count }: Codes): number {
  // A place for each pair, those of −1 first.
  const width = count + 1;
  const counts = new Uint32Array((groups + 1) * width);
  for (let row = 0; row < classes.length; row++) {
    const pair = ((codes[row] ?? -1) + 1) * width + (classes[row] ?? -1) + 1;
    counts[pair] = (counts[pair] ?? 0) + 1;
  }
  let right = 0;
  for (let begin = 0; begin < counts.length; begin += width) {
    let most = 0;
    for (let at = begin; at < begin + width; at++) if ((counts[at] ?? 0) > most) most = counts[at] ?? 0;
    right += most;
  }
  return right;
}

/** Places of pairs that are counted. */
const MOST_PAIRS = 33_554_432;

/** Share of the changes of class that chance would make along a column of numbers, below which it tells the class. */
const CHANGES = 0.05;

/** Changes by chance below which few of them say nothing. */
const LEAST_CHANGES = 5;

/** Rows of which one is looked at first. */
const STEP = 8;

/** How often the class changes from row to row in the order of a column, every `step`-th row taken: never more often than of all rows. */
function changesAlong(values: Float64Array, classes: Int32Array, step: number): number {
  const rows = Array.from({ length: Math.ceil(values.length / step) }, (_, index) => index * step);
  rows.sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  let found = -1;
  let last = Number.NaN;
  for (const row of rows) {
    const label = classes[row] ?? -1;
    if (label !== last) found += 1;
    last = label;
  }
  return found;
}

/** How often the class would change from row to row by chance. */
function changesByChance({ codes, count }: Codes): number {
  const counts = new Uint32Array(count + 1);
  for (const code of codes) counts[code + 1] = (counts[code + 1] ?? 0) + 1;
  let same = 0;
  for (const one of counts) same += (one / codes.length) * (one / codes.length);
  return codes.length * (1 - same);
}

/** Whether one column alone tells the classes of a target: by its values if they are few, by where they lie if they are numbers. */
function tellsClasses(column: Column, own: Codes, classes: Codes): boolean {
  const { length } = classes.codes;
  const without = rightBy({ codes: new Int32Array(length), count: 1 }, classes);
  const wrong = length - without;
  if (wrong === 0) return false;
  const good = (right: number): boolean => right / length >= RIGHT && right - without >= BETTER * wrong;
  const isFew = own.count * 5 <= length && (own.count + 1) * (classes.count + 1) <= MOST_PAIRS;
  if (isFew && good(rightBy(own, classes))) return true;
  if (column.kind !== "number" || own.count < 2 || column.values.includes(Number.NaN)) return false;
  const chance = changesByChance(classes);
  const most = classes.count - 1 + CHANGES * chance;
  if (chance < LEAST_CHANGES || changesAlong(column.values, classes.codes, STEP) > most) return false;
  return changesAlong(column.values, classes.codes, 1) <= most;
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

async function leaks(
  table: Table,
  schema: Schema,
  features: readonly string[],
  codesOf: (name: string) => Codes,
): Promise<readonly Warning[]> {
  const warnings: Warning[] = [];
  for (const target of table.rows < LEAST_ROWS ? [] : targetsOf(schema)) {
    const column = table.column(target);
    const isValue = schema.columns[target]?.kind === "number";
    for (const name of features) {
      await turn();
      const feature = table.column(name);
      const tells = isValue
        ? feature.kind === "number" &&
          column.kind === "number" &&
          Math.abs(correlation(feature.values, column.values)) >= SAME
        : tellsClasses(feature, codesOf(name), codesOf(target));
      if (!tells) continue;
      const text = `'${name}' alone gives '${target}' away: is it known before '${target}' is? If not: { "kind": "ignore" }`;
      warnings.push({ kind: "leak", column: name, text });
    }
  }
  return warnings;
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
    const rare: string[] = [];
    eachLevel(column, (level, rows) => {
      if (rows === 1) rare.push(level);
    });
    if (rare.length === 0) return [];
    const shown = rare.slice(0, 5).map((level) => `'${level}'`);
    const text = `${rare.length === 1 ? "a class" : `${rare.length} classes`} of '${target}' ${rare.length === 1 ? "has" : "have"} one row: ${shown.join(", ")}${rare.length > 5 ? ", …" : ""}; it cannot be learned and measured`;
    return [{ kind: "rare class", column: target, text }];
  });
}

/** Rows that stand more than once, all their columns but names of rows compared. */
function duplicates(table: Table, schema: Schema, codesOf: (name: string) => Codes): readonly Warning[] {
  const used = table.names.filter((name) => schema.columns[name]?.kind !== "id");
  if (used.length < 2) return [];
  const columns = used.map((name) => codesOf(name).codes);
  const { twice, first } = repeatedRows(columns, table.rows);
  if (twice === 0) return [];
  const text = `${grouped(twice)} row${twice === 1 ? " stands" : "s stand"} more than once, such as ${table.place(first)}: parted at random, the same row would be learned and asked`;
  return [{ kind: "duplicates", column: undefined, text }];
}

/** Share of different values that a column must have, that rows are not equal by chance. */
const MOSTLY = 0.5;

/** Whether equal rows of a table are hardly chance: some column has another value in most rows. */
async function areTold(table: Table, schema: Schema, codesOf: (name: string) => Codes): Promise<boolean> {
  for (const name of table.names) {
    if (schema.columns[name]?.kind !== "id" && codesOf(name).count >= MOSTLY * table.rows) return true;
    await turn();
  }
  return false;
}

/**
 * What should be looked at before training: columns that give the target away, names of rows, constants, classes of one row, dates (rows parted at random learn from the future), rows that stand
 * more than once. Of a table that is clean there is nothing to say. Each column has a turn of the event loop.
 */
export async function warningsOf(table: Table, schema: Schema): Promise<readonly Warning[]> {
  const targets = targetsOf(schema);
  const features = table.names.filter((name) => {
    const kind = schema.columns[name]?.kind;
    return !targets.includes(name) && kind !== undefined && kind !== "id" && kind !== "ignore";
  });
  const known = new Map<string, Codes>();
  const codesOf = (name: string): Codes => {
    const codes = known.get(name) ?? codesOfColumn(table.column(name));
    known.set(name, codes);
    return codes;
  };
  const times = features.filter((name) => schema.columns[name]?.kind === "date");
  return [
    ...Object.entries(schema.columns).flatMap(([name, column]) => ofColumn(name, column)),
    ...(await leaks(table, schema, features, codesOf)),
    ...rareClasses(table, schema),
    ...times.map((name): Warning => {
      const text = `'${name}' is a time: parted at random, rows would be learned that come after those that are asked; keep the latest ones in a file of their own and evaluate on them, or split with { order: "time" }`;
      return { kind: "time", column: name, text };
    }),
    ...((await areTold(table, schema, codesOf)) ? duplicates(table, schema, codesOf) : []),
  ];
}
