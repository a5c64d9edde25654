import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import { checkKeys, checkNumber } from "../../options.js";
import { type Column, cellOf, eachLevel, lengthOf } from "../column.js";
import { ANSWERS } from "../schema/infer.js";
import type { ColumnSchema } from "../schema/schema.js";
import { type CodeEncoder, type ColumnTransform, isMissing, type NumberEncoder, textOf } from "./transform.js";

/** Options of {@link categories}. */
export interface CategoriesOptions {
  /** Rows that a value must have in training to have a code of its own; 1 by default. */
  readonly least?: number | undefined;
}

/** What a boolean column holds where its schema does not say: one of the pairs such as true and false, 0 and 1, or else the two texts that were found, in their order. */
export function levelsOfBoolean(where: string, schema: ColumnSchema, found: Iterable<string>): readonly string[] {
  if (schema.kind === "boolean" && schema.levels !== undefined) return schema.levels;
  const levels = [...found].sort();
  const known = ANSWERS.find((pair) => levels.every((level) => pair.includes(level)));
  if (known !== undefined) return known;
  if (levels.length === 2) return levels;
  return fail("ERR_DATA", where, "two different values, or 'levels' in the schema,", levels.slice(0, 4).join(", "));
}

/** Rows by level, what is missing left out. */
export function countLevels(name: string, column: Column, schema: ColumnSchema, counts: Map<string, number>): void {
  if (column.kind === "text") {
    eachLevel(column, (level, rows) => {
      if (!isMissing(level, schema)) counts.set(level.trim(), (counts.get(level.trim()) ?? 0) + rows);
    });
    return;
  }
  for (let row = 0; row < lengthOf(column); row++) {
    const value = cellOf(column, row);
    if (isMissing(value, schema)) continue;
    const level = textOf(`column '${name}'`, value);
    counts.set(level, (counts.get(level) ?? 0) + 1);
  }
}

/**
 * One of several values: a code, from 1 on in the order of the values' code units; 0 is what is missing, and what no training row has. A number is
 * the value that it is written as.
 */
export function categories(options: CategoriesOptions = {}): ColumnTransform {
  checkKeys("categories", options, ["least"]);
  const least = checkNumber("categories.least", options.least ?? 1, { min: 1, integer: true });
  const transform: ColumnTransform = {
    kind: "categories",
    takes: ["category", "boolean"],
    fitter(name, schema) {
      const counts = new Map<string, number>();
      return {
        add: (column) => countLevels(name, column, schema, counts),
        finish: () => ({ levels: [...counts].flatMap(([level, count]) => (count >= least ? [level] : [])).sort() }),
      };
    },
    encoder(_, schema, state): CodeEncoder {
      const levels = state.at("levels").names();
      const codes = new Map(levels.map((level, place) => [level, place + 1]));
      return {
        gives: "code",
        count: levels.length + 1,
        code: (where, value) => (isMissing(value, schema) ? 0 : (codes.get(textOf(where, value)) ?? 0)),
        isUnseen: (value) => !isMissing(value, schema),
      };
    },
  };
  return madeBy("categories", { least }, Object.freeze(transform));
}

/** One of two values: −1 for the first, 1 for the second, 0 for what is missing or neither. */
export function signs(options: Readonly<Record<string, never>> = {}): ColumnTransform {
  checkKeys("signs", options, []);
  const transform: ColumnTransform = {
    kind: "signs",
    takes: ["boolean", "category"],
    fitter(name, schema) {
      const counts = new Map<string, number>();
      return {
        add: (column) => countLevels(name, column, schema, counts),
        finish(where) {
          if (schema.kind === "boolean") return { levels: [...levelsOfBoolean(where, schema, counts.keys())] };
          if (counts.size > 2)
            fail("ERR_DATA", where, "two different values", [...counts.keys()].slice(0, 4).join(", "));
          return { levels: [...counts.keys()].sort() };
        },
      };
    },
    encoder(name, schema, state): NumberEncoder {
      const [no, yes] = state.at("levels").names();
      return {
        gives: "numbers",
        names: [name],
        write(where, value, target, at) {
          const gone = isMissing(value, schema);
          const level = gone ? undefined : textOf(where, value);
          const sign = level === undefined ? 0 : level === yes ? 1 : level === no ? -1 : 0;
          target[at] = sign;
          return !gone && sign === 0;
        },
      };
    },
  };
  return madeBy("signs", {}, Object.freeze(transform));
}
