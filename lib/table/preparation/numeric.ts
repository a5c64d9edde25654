import { Sample } from "../../data/quantiles.js";
import { ColumnStatistics } from "../../data/transform.js";
import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import { checkKeys, checkOneOf } from "../../options.js";
import { fnv1a } from "../../tensor/fnv1a.js";
import type { Column } from "../column.js";
import { numberOf } from "../csv/numbers.js";
import type { ColumnSchema } from "../schema/schema.js";
import { fitNormalScores, normalScore } from "./normal_scores.js";
import { type ColumnTransform, isMissing, type NumberEncoder, type Where } from "./transform.js";

/** Options of {@link numeric}. */
export interface NumericOptions {
  /**
   * `robust` (the default): (value − median)·factor with 1/(q₇₅ − q₂₅), or 2/(max − min) where the quartiles are one, or 0 of a constant
   * column. `standard`: (value − mean)/σ. `normal`: the quantile of the standard normal distribution that the value has among those of
   * training, within ±5.2. `none`: the value.
   */
  readonly scale?: "robust" | "standard" | "normal" | "none" | undefined;
}

/** A value as a number: a text may write one. `ERR_DATA` for what is none. */
export function numberFrom(where: Where, value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number)
      ? number
      : fail("ERR_DATA", String(where), "an integer that a double holds", value);
  }
  const read = typeof value === "string" ? numberOf(value) : Number.NaN;
  return Number.isNaN(read) ? fail("ERR_DATA", String(where), "a number", value) : read;
}

/** Doubles of a column, NaN where one is missing: those that rows of it are encoded by. */
function numbersOf(name: string, column: Column, schema: ColumnSchema): Float64Array {
  const where = `column '${name}'`;
  if (column.kind === "number") {
    const { values } = column;
    return schema.missing === undefined ? values : values.map((one) => (isMissing(one, schema) ? Number.NaN : one));
  }
  if (column.kind !== "text") return fail("ERR_DATA", where, "numbers", `${column.kind}s`);
  const numbers = new Map<number, number>();
  return Float64Array.from(column.codes, (code) => {
    const level = column.levels[code];
    const number = numbers.get(code) ?? (isMissing(level, schema) ? Number.NaN : numberOf(level ?? ""));
    if (Number.isNaN(number) && !isMissing(level, schema)) fail("ERR_DATA", where, "numbers", level);
    numbers.set(code, number);
    return number;
  });
}

/**
 * A number: shifted and scaled in double, then rounded to f32. A missing one is the median, and a second number, 1 there and 0 elsewhere, says so
 * if training rows have missing ones. Quantiles are linear, exact up to 1,000,000 rows, then those of a seeded sample of as many.
 */
export function numeric(options: NumericOptions = {}): ColumnTransform {
  checkKeys("numeric", options, ["scale"]);
  const scale = checkOneOf("numeric.scale", options.scale ?? "robust", ["robust", "standard", "normal", "none"]);
  const transform: ColumnTransform = {
    kind: "numeric",
    takes: ["number"],
    fitter(name, schema, seed, most) {
      const sample = new Sample(seed, fnv1a(name), most);
      const statistics = new ColumnStatistics(1);
      const isMeasured = scale === "standard" || scale === "normal";
      let [rows, missing] = [0, 0];
      let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      return {
        add(column) {
          const values = numbersOf(name, column, schema);
          rows += values.length;
          missing += sample.add(values);
          for (let row = 0; row < values.length; row++) {
            const value = values[row] ?? Number.NaN;
            if (value < min) min = value;
            if (value > max) max = value;
            if (isMeasured && !Number.isNaN(value)) statistics.add(values, row);
          }
        },
        finish(where) {
          if (rows === missing) fail("ERR_DATA", where, "a number in some training row", "none");
          const median = sample.quantile(0.5);
          const [{ mean, deviation } = { mean: 0, deviation: 0 }] = statistics.summary();
          const spread = sample.quantile(0.75) - sample.quantile(0.25);
          const robust = spread > 0 ? 1 / spread : max > min ? 2 / (max - min) : 0;
          const standard = max > min ? 1 / deviation : 1;
          const shift = scale === "robust" ? median : scale === "standard" ? mean : 0;
          const factor = scale === "robust" ? robust : scale === "standard" ? standard : 1;
          const own = { shift, factor, median, min, max, missing, rows, exact: sample.isExact };
          if (scale !== "normal") return own;
          return { ...own, quantiles: [...fitNormalScores(sample.sorted(), deviation, seed, fnv1a(name))] };
        },
      };
    },
    encoder(name, schema, state): NumberEncoder {
      const [shift, factor, median] = [
        state.at("shift").number(),
        state.at("factor").number(),
        state.at("median").number(),
      ];
      const tells = state.at("missing").count() > 0;
      const quantiles =
        scale === "normal"
          ? state
              .at("quantiles")
              .list()
              .map((one) => one.number())
          : undefined;
      const scaled = (number: number): number =>
        quantiles === undefined ? (number - shift) * factor : normalScore(quantiles, number);
      return {
        gives: "numbers",
        names: tells ? [name, `${name} is missing`] : [name],
        write(where, value, target, at) {
          const gone = isMissing(value, schema);
          const number = gone ? median : numberFrom(where, value);
          if (!Number.isFinite(number)) fail("ERR_DATA", String(where), "a finite number", value);
          target[at] = scaled(number);
          if (!Number.isFinite(target[at]))
            fail("ERR_DATA", String(where), "a number whose scaled one a float32 holds", value);
          if (tells) target[at + 1] = gone ? 1 : 0;
          return false;
        },
        writeNumbers(values, target, begin, stride) {
          for (let row = 0, at = begin; row < values.length; row++, at += stride) {
            const value = values[row] ?? Number.NaN;
            const gone = schema.missing === undefined ? Number.isNaN(value) : isMissing(value, schema);
            target[at] = scaled(gone ? median : value);
            if (!Number.isFinite(target[at])) return row;
            if (tells) target[at + 1] = gone ? 1 : 0;
          }
          return values.length;
        },
      };
    },
  };
  return madeBy("numeric", { scale }, Object.freeze(transform));
}
