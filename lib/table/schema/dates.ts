// Dates as people write them, without the guesses of `Date.parse`.

/** In which order year, month and day stand. */
export type DateFormat = "ymd" | "dmy" | "mdy";

export const DATE_FORMATS = ["ymd", "dmy", "mdy"] as const satisfies readonly DateFormat[];

const DAY = 86_400_000;
const TIME = "(?:[T ](\\d{1,2}):(\\d{2})(?::(\\d{2})(?:[.,](\\d{1,9}))?)?\\s?(Z|[+-]\\d{2}:?\\d{2})?)?";
const YEAR_FIRST = new RegExp(`^(\\d{4})([-/.])(\\d{1,2})\\2(\\d{1,2})${TIME}$`);
const YEAR_LAST = new RegExp(`^(\\d{1,2})([-/.])(\\d{1,2})\\2(\\d{4})${TIME}$`);

/** Days from 1970-01-01 to a day of the Gregorian calendar; NaN where there is none. */
function daysTo(year: number, month: number, day: number): number {
  const moment = Date.UTC(2000, month - 1, day);
  const at = new Date(moment);
  at.setUTCFullYear(year, month - 1, day);
  const exists = at.getUTCMonth() === month - 1 && at.getUTCDate() === day;
  return exists ? at.getTime() / DAY : Number.NaN;
}

/** Milliseconds that a time of the day and its zone stand for. */
function timeOf([hour = "0", minute = "0", second = "0", fraction = "", zone = "Z"]: readonly (
  | string
  | undefined
)[]): number {
  const [h, m, s] = [Number(hour), Number(minute), Number(second)];
  if (h > 23 || m > 59 || s > 59) return Number.NaN;
  const [, sign = "+", zoneHour = "0", zoneMinute = "0"] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone) ?? [];
  const ahead = (Number(zoneHour) * 60 + Number(zoneMinute)) * (sign === "-" ? -1 : 1);
  return ((h * 60 + m - ahead) * 60 + s) * 1000 + Number(fraction.padEnd(3, "0").slice(0, 3));
}

/**
 * Milliseconds since 1970-01-01T00:00Z of a date, with a time behind it or not: `2020-01-31`, `31.1.2020`, `1/31/2020 17:05`. Without a zone it is that of Greenwich.
 * NaN for any other text, and for days that no calendar has.
 */
export function parseDate(text: string, format: DateFormat): number {
  const found = (format === "ymd" ? YEAR_FIRST : YEAR_LAST).exec(text);
  if (found === null) return Number.NaN;
  const [, first = "", , second = "", third = "", ...time] = found;
  const [year, month, day] =
    format === "ymd" ? [first, second, third] : format === "dmy" ? [third, second, first] : [third, first, second];
  return daysTo(Number(year), Number(month), Number(day)) * DAY + timeOf(time);
}
