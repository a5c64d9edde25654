// Columns of few values as numbers.
import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import { checkKeys, checkOneOf } from "../../options.js";
import { type Column, lengthOf } from "../column.js";
import { countLevels, levelsOfBoolean } from "./categories.js";
import { type ColumnTransform, type FlagEncoder, isMissing, textOf } from "./transform.js";

/** Options of {@link oneHot}. */
export interface OneHotOptions {
  /** `robust` (the default): each number by median and quartiles, as those of {@link numeric}. `none`: 0 and 1, or −1 and 1. */
  readonly scale?: "robust" | "none" | undefined;
}

/** A value, and the rows that have it. */
type Counted = readonly [value: number, rows: number];

/** The quantile of values of which many are alike, in their order: between two of n rows at (n − 1)·share on a line. */
function quantileOf(values: readonly Counted[], rows: number, share: number): number {
  const at = (place: number): number => {
    let before = 0;
    for (const [value, count] of values) {
      before += count;
      if (place < before) return value;
    }
    return values.at(-1)?.[0] ?? 0;
  };
  const place = (rows - 1) * share;
  const below = Math.floor(place);
  const [low, high] = [at(below), at(Math.min(below + 1, rows - 1))];
  return low + (high - low) * (place - below);
}

/** Median, and 1/(q₇₅ − q₂₅), or 2/(max − min) where the quartiles are one, or 0 of one value alone. */
function robust(values: readonly Counted[], rows: number): { readonly centre: number; readonly factor: number } {
  const there = values.filter(([, count]) => count > 0);
  const spread = quantileOf(there, rows, 0.75) - quantileOf(there, rows, 0.25);
  const range = (there.at(-1)?.[0] ?? 0) - (there[0]?.[0] ?? 0);
  return { centre: quantileOf(there, rows, 0.5), factor: spread > 0 ? 1 / spread : range > 0 ? 2 / range : 0 };
}

/**
 * One of few values as numbers: of two −1 or 1, of more a 1 at its place among 0, in the order of the values' code units; 0 for what is missing
 * and what no training row has. Then each is (number − median)·factor, as of `numeric`.
 */
export function oneHot(options: OneHotOptions = {}): ColumnTransform {
  checkKeys("oneHot", options, ["scale"]);
  const scale = checkOneOf("oneHot.scale", options.scale ?? "robust", ["robust", "none"]);
  const transform: ColumnTransform = {
    kind: "oneHot",
    takes: ["category", "boolean"],
    fitter(name, schema) {
      const counts = new Map<string, number>();
      let rows = 0;
      return {
        add(column: Column) {
          rows += lengthOf(column);
          countLevels(name, column, schema, counts);
        },
        finish(where) {
          const own = schema.kind === "boolean" ? levelsOfBoolean(where, schema, counts.keys()) : [];
          const levels = own.length > 0 ? [...own] : [...counts.keys()].sort();
          if (counts.size === 0) fail("ERR_DATA", where, "a value in some training row", "none");
          const countOf = (level: string | undefined): number => counts.get(level ?? "") ?? 0;
          const present = levels.reduce((sum, level) => sum + countOf(level), 0);
          const [no, yes] = levels;
          const columns: readonly (readonly Counted[])[] =
            levels.length === 2
              ? [[[-1, countOf(no)] as const, [0, rows - present] as const, [1, countOf(yes)] as const]]
              : levels.map((level) => [[0, rows - countOf(level)] as const, [1, countOf(level)] as const]);
          const fitted = columns.map((values) =>
            scale === "robust" ? robust(values, rows) : { centre: 0, factor: 1 },
          );
          return { levels, centre: fitted.map(({ centre }) => centre), factor: fitted.map(({ factor }) => factor) };
        },
      };
    },
    encoder(name, schema, state): FlagEncoder {
      const levels = state.at("levels").names();
      const width = levels.length === 2 ? 1 : levels.length;
      const [centre, factor] = [state.at("centre"), state.at("factor")].map((part) =>
        part.list(width).map((one) => one.number()),
      );
      const rowOf = (hot: number): Float32Array =>
        Float32Array.from({ length: width }, (_, at) => {
          const value = levels.length === 2 ? (hot < 0 ? 0 : 2 * hot - 1) : hot === at ? 1 : 0;
          return (value - (centre?.[at] ?? 0)) * (factor?.[at] ?? 1);
        });
      const rows = new Map(levels.map((level, at) => [level, rowOf(at)]));
      const none = rowOf(-1);
      return {
        gives: "flags",
        names: width === 1 ? [name] : levels.map((level) => `${name} ${level}`),
        write(where, value, target, at) {
          const gone = isMissing(value, schema);
          const known = gone ? undefined : rows.get(textOf(where, value));
          const row = known ?? none;
          for (let place = 0; place < width; place++) target[at + place] = row[place] ?? 0;
          return !gone && known === undefined;
        },
      };
    },
  };
  return madeBy("oneHot", { scale }, Object.freeze(transform));
}
