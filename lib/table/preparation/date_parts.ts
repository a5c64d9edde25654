import { Sample } from "../../data/quantiles.js";
import { madeBy } from "../../described.js";
import { fail, tagOf } from "../../errors.js";
import { checkKeys } from "../../options.js";
import { cos } from "../../tensor/exact.js";
import type { Column } from "../column.js";
import { parseDate } from "../schema/dates.js";
import type { ColumnSchema } from "../schema/schema.js";
import { type ColumnTransform, isMissing, type NumberEncoder, remembering, type Where } from "./transform.js";

const DAY = 86_400_000;
const HOUR = 3_600_000;

/** Days of a year on average. */
const YEAR = 365.2425;

const TURN = 2 * Math.PI;

/** Milliseconds from 1970 to the first and the last date that there is. */
const LATEST = 8.64e15;

/** Milliseconds of a value; `ERR_DATA` for what is no date. */
function momentOf(schema: ColumnSchema): (where: Where, value: unknown) => number {
  const format = schema.kind === "date" ? (schema.format ?? "ymd") : "ymd";
  const parse = remembering((text: string) => parseDate(text, format));
  return (where, value) => {
    const moment =
      typeof value === "string"
        ? parse(value.trim())
        : typeof value === "number" || tagOf(value) === "Date"
          ? Number(value)
          : Number.NaN;
    return !(Math.abs(moment) <= LATEST) ? fail("ERR_DATA", String(where), `a date (${format})`, value) : moment;
  };
}

/** Milliseconds of all rows; NaN where one is missing. */
export function momentsIn(name: string, column: Column, schema: ColumnSchema): Float64Array {
  const moment = momentOf(schema);
  const where = `column '${name}'`;
  if (column.kind === "boolean") return fail("ERR_DATA", where, "dates", "booleans");
  if (column.kind !== "text")
    return column.values.map((value) => (isMissing(value, schema) ? Number.NaN : moment(where, value)));
  const moments = new Map<number, number>();
  return Float64Array.from(column.codes, (code) => {
    const level = column.levels[code];
    const found = moments.get(code) ?? (isMissing(level, schema) ? Number.NaN : moment(where, level));
    moments.set(code, found);
    return found;
  });
}

/**
 * A moment of time: the trend, days from the median day over the days between the quartiles (or the range); sine and cosine of the day of the year, of the day of the
 * week, and, where training rows have times of the day, of the hour. All of Greenwich. A missing one is all 0, and a last number, 1 there, says so if
 * training rows have missing ones.
 */
export function dateParts(options: Readonly<Record<string, never>> = {}): ColumnTransform {
  checkKeys("dateParts", options, []);
  const transform: ColumnTransform = {
    kind: "dateParts",
    takes: ["date"],
    fitter(name, schema, seed, most) {
      const days = new Sample(seed, 0, most);
      let [rows, missing, times] = [0, 0, 0];
      let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      return {
        add(column) {
          const moments = momentsIn(name, column, schema);
          rows += moments.length;
          missing += days.add(moments.map((moment) => moment / DAY));
          for (const moment of moments) {
            const day = moment / DAY;
            if (day < min) min = day;
            if (day > max) max = day;
            if (moment % DAY !== 0 && !Number.isNaN(moment)) times += 1;
          }
        },
        finish(where) {
          if (rows === missing) fail("ERR_DATA", where, "a date in some training row", "none");
          const spread = days.quantile(0.75) - days.quantile(0.25);
          const range = spread > 0 ? spread : (max - min) / 2;
          return { median: days.quantile(0.5), factor: range > 0 ? 1 / range : 0, times: times > 0, missing, rows };
        },
      };
    },
    encoder(name, schema, state): NumberEncoder {
      const [median, factor] = [state.at("median").number(), state.at("factor").number()];
      const [times, tells] = [state.at("times").flag(), state.at("missing").count() > 0];
      const moment = momentOf(schema);
      const known = new Map<number, readonly number[]>();
      const turnsOf = (day: number): readonly number[] => {
        const found = known.get(day) ?? [...turn(dayOfYear(day * DAY) / YEAR), ...turn((((day % 7) + 7) % 7) / 7)];
        if (known.size < MOST_DAYS) known.set(day, found);
        return found;
      };
      const parts = [
        "trend",
        "year sine",
        "year cosine",
        "week sine",
        "week cosine",
        ...(times ? ["day sine", "day cosine"] : []),
      ];
      const names = [...parts, ...(tells ? ["is missing"] : [])].map((part) => `${name} ${part}`);
      return {
        gives: "numbers",
        names,
        write(where, value, target, at) {
          const gone = isMissing(value, schema);
          if (tells) target[at + parts.length] = gone ? 1 : 0;
          if (gone) {
            for (let part = 0; part < parts.length; part++) target[at + part] = 0;
            return false;
          }
          const time = moment(where, value);
          target[at] = (time / DAY - median) * factor;
          const day = Math.floor(time / DAY);
          const turns = turnsOf(day);
          for (let part = 0; part < turns.length; part++) target[at + 1 + part] = turns[part] ?? 0;
          if (times) target.set(turn((time - day * DAY) / (24 * HOUR)), at + 5);
          return false;
        },
      };
    },
  };
  return madeBy("dateParts", {}, Object.freeze(transform));
}

/** Sine and cosine of a part of a turn. */
const turn = (part: number): readonly number[] => [cos(TURN * part - Math.PI / 2), cos(TURN * part)];

/** Days whose parts are kept: a century and more. */
const MOST_DAYS = 65_536;

/** Days since the first of January. */
function dayOfYear(time: number): number {
  const date = new Date(time);
  return Math.floor((time - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY);
}
