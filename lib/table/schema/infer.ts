// Guesses what the columns of a table are, and says why.
import { countText } from "../../counts.js";
import { fail } from "../../errors.js";
import { numberOf } from "../csv/numbers.js";
import type { Table } from "../table.js";
import { DATE_FORMATS, type DateFormat, parseDate } from "./dates.js";
import { MARKERS, MISSING, MOST_LEVELS, type Profile, type Profiles } from "./profile.js";
import { type ColumnSchema, checkSchema, type Schema, type Task, targetsOf } from "./schema.js";

/** Words for no and yes. */
export const ANSWERS: readonly (readonly [no: string, yes: string])[] = [
  ["false", "true"],
  ["no", "yes"],
  ["n", "y"],
  ["f", "t"],
  ["off", "on"],
  ["0", "1"],
];

/** Rows from which different values in every one of them are names of rows rather than chance. */
const LEAST_IDS = 20;

/** Share of different values above which texts are no categories, and words of a text on average. */
const MANY_LEVELS = 0.5;
const WORDS = 3;

const ID_NAME =
  /(?:^|[_\W])(?:id|uuid|guid|key|index|no|nr|row|rownames?)$|Id$|ID$|^(?:Unnamed: 0|rownames|index|column1)$/i;

const percent = (part: number, whole: number): string =>
  `${((100 * part) / Math.max(1, whole)).toFixed(part * 20 > whole ? 0 : 1)}%`;

const rows = (count: number): string => countText(count, "row");

/** Behind a guess: how much is missing. */
function missingText(missing: number, all: number): string {
  return missing === 0 ? "" : `; missing in ${rows(missing)} (${percent(missing, all)})`;
}

/** Levels that are values, and the words among them that stand for none. */
function apart(profile: Profile): {
  readonly levels: ReadonlyMap<string, number>;
  readonly missing: readonly string[];
  readonly left: number;
} {
  const counts = profile.counts ?? new Map<string, number>();
  const missing = [...counts.keys()].filter((level) => MISSING.includes(level));
  const levels = new Map([...counts].filter(([level]) => !MISSING.includes(level)));
  const left = missing.reduce((sum, level) => sum + (counts.get(level) ?? 0), 0);
  return { levels, missing, left };
}

function guessNumber(name: string, profile: Profile): ColumnSchema {
  const { counts, present, rows: all, missing, integers, rising, min, max } = profile;
  const behind = missingText(missing, all);
  if (present === 0) return { kind: "ignore", why: "no row has a value" };
  const different = counts?.size;
  if (different === 1) return { kind: "ignore", why: `the same in every row: ${min}${behind}` };
  const isName = integers && missing === 0 && all >= LEAST_IDS && (different === undefined || different === all);
  if (isName && rising && (max - min === all - 1 || ID_NAME.test(name)))
    return { kind: "id", why: `whole numbers that rise from row to row, from ${min} to ${max}` };
  if (isName && ID_NAME.test(name)) return { kind: "id", why: "another whole number in every row, and so called" };
  if (different === 2 && integers && min === 0 && max === 1)
    return { kind: "boolean", levels: ["0", "1"], why: `0 and 1${behind}` };
  const range = `${integers ? "whole numbers" : "numbers"} from ${min} to ${max}`;
  const few = integers && different !== undefined && different <= 12 && all >= 10 * different;
  const doubt = few ? `; only ${different} different ones: 'category' if they are codes` : "";
  return { kind: "number", why: `${range}${doubt}${behind}` };
}

/** The one format that all levels are dates of; several where day and month cannot be told apart. */
function dateFormats(levels: Iterable<string>): readonly DateFormat[] {
  const left = new Set<DateFormat>(DATE_FORMATS);
  for (const level of levels) {
    for (const format of left) if (Number.isNaN(parseDate(level, format))) left.delete(format);
    if (left.size === 0) break;
  }
  return [...left];
}

/** What keeps a column of texts from being numbers, if it is little. */
function almostNumbers(levels: ReadonlyMap<string, number>, present: number): string | undefined {
  const others = [...levels].filter(([level]) => Number.isNaN(numberOf(level)));
  const count = others.reduce((sum, [, one]) => sum + one, 0);
  const [[word = ""] = []] = others;
  if (others.length === 0 || count * 10 > present) return undefined;
  const shown = others.slice(0, 3).map(([level]) => `'${level}'`);
  const all = `${shown.join(", ")}${others.length > 3 ? ", …" : ""} in ${rows(count)}`;
  const hint =
    others.length === 1 && MARKERS.includes(word)
      ? `: { "kind": "number", "missing": ["${word}"] } makes numbers of it`
      : "";
  return `numbers but for ${all}${hint}`;
}

function guessText(profile: Profile): ColumnSchema {
  const { levels, missing, left } = apart(profile);
  const all = profile.rows;
  const present = profile.present - left;
  const gone = missingText(profile.missing + left, all);
  const words = missing.length === 0 ? {} : { missing };
  const behind = missing.length === 0 ? gone : `${gone}, among them ${missing.map((word) => `'${word}'`).join(", ")}`;
  if (present === 0) return { kind: "ignore", ...words, why: "no row has a value" };
  const [first = ""] = levels.keys();
  if (levels.size === 1) return { kind: "ignore", ...words, why: `the same in every row: '${first}'${behind}` };
  if (levels.size === 2) {
    const [one = "", other = ""] = levels.keys();
    const answer = ANSWERS.find(([no, yes]) => {
      const both = [one.toLowerCase(), other.toLowerCase()];
      return both.includes(no) && both.includes(yes);
    });
    if (answer !== undefined) {
      const [no, yes] = one.toLowerCase() === answer[0] ? [one, other] : [other, one];
      return { kind: "boolean", levels: [no, yes], ...words, why: `'${no}' and '${yes}'${behind}` };
    }
  }
  const formats = dateFormats(levels.keys());
  const [format] = formats;
  if (format !== undefined && formats.length === 1)
    return { kind: "date", format, ...words, why: `dates such as '${first}'${behind}` };
  const doubt =
    formats.length > 1
      ? `; dates such as '${first}', of which nobody can tell day and month: { "kind": "date", "format": "dmy" } or "mdy"`
      : "";
  const almost = almostNumbers(levels, present);
  const note = almost === undefined ? doubt : `${doubt}; ${almost}`;
  const mean = profile.words / Math.max(1, profile.present);
  const share = levels.size / present;
  if (mean >= WORDS && share > MANY_LEVELS)
    return {
      kind: "text",
      ...words,
      why: `${mean.toFixed(0)} words a row, ${levels.size} different texts${note}${behind}`,
    };
  if (levels.size === present && present >= LEAST_IDS)
    return { kind: "id", ...words, why: `another text in every row, such as '${first}'${note}${behind}` };
  const numbers = [...levels.keys()].slice(0, 100).every((level) => /^\d+$/.test(level));
  const codes = numbers ? ", codes that numbers do not hold" : "";
  const many = share > MANY_LEVELS || levels.size > MOST_LEVELS ? ", many for so few rows" : "";
  return {
    kind: "category",
    ...words,
    why: `${levels.size} different texts such as '${first}'${codes}${many}${note}${behind}`,
  };
}

/** What a column probably is. */
export function guessColumn(name: string, profile: Profile): ColumnSchema {
  switch (profile.kind) {
    case "number":
      return guessNumber(name, profile);
    case "text":
      return guessText(profile);
    default: {
      const { present, counts, min, max, missing, rows: all } = profile;
      const behind = missingText(missing, all);
      if (present === 0) return { kind: "ignore", why: "no row has a value" };
      if (counts?.size === 1) return { kind: "ignore", why: `the same in every row${behind}` };
      if (profile.kind === "boolean") return { kind: "boolean", why: `true and false${behind}` };
      return {
        kind: "date",
        why: `dates from ${new Date(min).toISOString()} to ${new Date(max).toISOString()}${behind}`,
      };
    }
  }
}

/** The task that targets ask for. */
export function taskOf(columns: Schema["columns"], targets: readonly string[], profiles: Profiles): Task | undefined {
  const kinds = targets.map((name) => columns[name]?.kind);
  if (kinds.length === 0) return undefined;
  if (kinds.length > 1) {
    if (kinds.every((kind) => kind === "number")) return "values";
    if (kinds.every((kind) => kind === "boolean")) return "labels";
    return fail("ERR_DATA", "target", "several columns of numbers, or several of two values each,", kinds.join(", "));
  }
  const [name = ""] = targets;
  const [kind] = kinds;
  if (kind === "number") return "value";
  if (kind === "boolean") return "binary";
  if (kind === "category") {
    const profile = profiles.columns.get(name);
    const levels =
      profile === undefined ? 0 : profile.kind === "text" ? apart(profile).levels.size : (profile.counts?.size ?? 0);
    return levels === 2 ? "binary" : "classes";
  }
  return fail("ERR_DATA", `target '${name}'`, "numbers, categories or two values", columns[name]?.why ?? String(kind));
}

/** Options of {@link schemaOf}. */
export interface InferOptions {
  readonly target?: string | readonly string[] | undefined;
  /** Columns that are known: they are not guessed. */
  readonly schema?: { readonly columns?: Readonly<Record<string, unknown>> | undefined } | undefined;
}

/** A schema of figures: what is not given is guessed. A target of several texts is a category, be they different in every row. */
export function schemaOfProfiles(
  where: string,
  profiles: Profiles,
  names: readonly string[],
  options: InferOptions,
): Schema {
  const { target, schema: { columns: known = {} } = {} } = options;
  const unknown = Object.keys(known).find((name) => !names.includes(name));
  if (unknown !== undefined) fail("ERR_DATA", `${where}.schema`, "columns of the table", unknown);
  const columns = names.map((name) => {
    const profile = profiles.columns.get(name);
    const guess = (): ColumnSchema =>
      profile === undefined ? { kind: "ignore", why: "no row has a value" } : guessColumn(name, profile);
    return [name, Object.hasOwn(known, name) ? known[name] : guess()] as const;
  });
  const all = { columns: Object.fromEntries(columns), ...(target === undefined ? {} : { target }) };
  const schema = checkSchema(where, all);
  const task = taskOf(schema.columns, targetsOf(schema), profiles);
  return task === undefined ? schema : { ...schema, task };
}

/** Whether a table's own kind of a column is one that a schema's can be made of. */
export function fitsTable(table: Table, name: string, { kind }: ColumnSchema): boolean {
  if (!table.has(name)) return false;
  const own = table.column(name).kind;
  return kind === "number" ? own === "number" : true;
}
