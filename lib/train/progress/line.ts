// The line that says how far a run is. It is words alone: who shows it has it from here, whatever the run.
import { grouped } from "../../counts.js";

/** How far a run is. */
export interface Standing {
  /** Which part of it, such as `epoch 3/20`. */
  readonly place: string;
  /** Share that is done, [0, 1]; `undefined` where nobody knows. */
  readonly done: number | undefined;
  /** Figures by name, the most important first. */
  readonly figures: readonly (readonly [name: string, value: number])[];
  readonly rowsPerSecond: number | undefined;
  readonly secondsLeft: number | undefined;
}

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${whole % MINUTE} s`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min`;
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`;
}

/** Four digits that count, as few as they may be where a number is large. */
export function figureText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2);
  if (size >= 1000) return grouped(Math.round(value));
  return value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : 4);
}

/** `12,345 rows/s` */
export function paceText(rowsPerSecond: number): string {
  return `${grouped(Math.round(rowsPerSecond))} rows/s`;
}

const GAP = "  ";

/** Numbers that are there to be shown. */
const isKnown = (value: number | undefined): value is number => value !== undefined && Number.isFinite(value);

/** A line of at most `columns` characters. */
export function progressText({ place, done, figures, rowsPerSecond, secondsLeft }: Standing, columns: number): string {
  const head = done === undefined ? [place] : [place, `${Math.floor(100 * done)}%`];
  const pace = isKnown(rowsPerSecond) ? [paceText(rowsPerSecond)] : [];
  const left = isKnown(secondsLeft) ? [`${durationText(secondsLeft)} left`] : [];
  return lineText(head, figures, [...pace, ...left], columns);
}

/** A line of words and figures: those figures that find no room between the words are left out, from the first such one on. */
export function lineText(
  head: readonly string[],
  figures: Standing["figures"],
  tail: readonly string[],
  columns: number,
): string {
  const shown: string[] = [];
  const text = (): string => [...head, ...shown, ...tail].join(GAP);
  for (const [name, value] of figures) {
    shown.push(`${name} ${figureText(value)}`);
    if (text().length <= columns) continue;
    shown.pop();
    break;
  }
  return text().slice(0, columns);
}
