// Numbers and sentences as all forms of a report write them.
import { countText, grouped } from "../../counts.js";
import type { ReportFacts, ScoreFacts } from "../facts.js";
import { shortNumber } from "../slices.js";

/** `1,234` */
export function counted(count: number): string {
  return grouped(count);
}

/** `1 row`, `1,234 rows` */
export function rowsText(rows: number): string {
  return countText(rows, "row");
}

/** A score: three digits behind the point below 10, four in all above. */
export function scoreText(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "none";
  const size = Math.abs(value);
  if (size === 0 || (size < 10 && size >= 0.0005)) return value.toFixed(3);
  return size >= 1000 && size < 1e7 ? counted(Math.round(value)) : shortNumber(value);
}

/** `12.3%` */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

/** Whether a score is better than that of the linear model beyond chance, or worse; `undefined` where nobody can tell. */
export function standing({ best, difference: { low, high } }: ScoreFacts): "good" | "bad" | undefined {
  if (low > 0) return best === "high" ? "good" : "bad";
  if (high < 0) return best === "high" ? "bad" : "good";
  return undefined;
}

/** A difference with its sign. */
export function signedText(value: number): string {
  return `${value < 0 ? "−" : "+"}${scoreText(Math.abs(value))}`;
}

/** How a threshold was chosen, as a reader calls it. */
export function byText(by: string): string {
  return by === "f1" ? "the best F1" : by === "youden" ? "Youden's index" : by;
}

/** What the score is worth beside the other models. */
export function verdictOf(score: ScoreFacts): string {
  const { value, low, high, constant, linear, measure } = score;
  const words = { good: "better than", bad: "worse than" } as const;
  const found = standing(score);
  const other = linear === undefined ? "a constant answer" : "a linear model";
  const beside = found === undefined ? `no better beyond chance than ${other}` : `${words[found]} ${other}`;
  const rest = linear === undefined ? "" : `; a constant answer has ${scoreText(constant)}`;
  return `${measure} ${scoreText(value)}, 95% interval ${scoreText(low)} to ${scoreText(high)}: ${beside} (${scoreText(linear ?? constant)})${rest}.`;
}

/** Which rows the figures are of. */
export function rowsOf({ rows: { measured, how, all, sample } }: ReportFacts): string {
  const drawn =
    sample === undefined ? "" : ` Whatever is told of all rows is of ${counted(sample)} that were drawn from them.`;
  return `${measuredText({ measured, how, all })}${drawn}`;
}

function measuredText({ measured, how, all }: ReportFacts["rows"]): string {
  return how === "test"
    ? `Figures are of ${rowsText(measured)} of their own, on which nothing was trained.`
    : `Figures are of ${rowsText(measured)}${measured === all ? "" : ` of the ${counted(all)}`}, each answered by networks that had not seen it in training.`;
}

/** Microseconds, milliseconds. */
export function durationText(microseconds: number): string {
  if (microseconds < 1000) return `${shortNumber(Number(microseconds.toPrecision(3)))} µs`;
  return `${shortNumber(Number((microseconds / 1000).toPrecision(3)))} ms`;
}

/** Kilobytes, megabytes. */
export function sizeText(bytes: number): string {
  return bytes < 1e6
    ? `${shortNumber(Math.round(bytes / 1e3))} KB`
    : `${shortNumber(Number((bytes / 1e6).toPrecision(3)))} MB`;
}
