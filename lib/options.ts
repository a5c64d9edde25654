import { CarillonError, fail } from "./errors.js";

/** A range of numbers; every bound that is given must hold. */
export interface NumberRange {
  /** Smallest value allowed. */
  readonly min?: number | undefined;
  /** Largest value allowed. */
  readonly max?: number | undefined;
  /** The value must be greater than this. */
  readonly above?: number | undefined;
  /** The value must be less than this. */
  readonly below?: number | undefined;
  /** Only integers that a double holds exactly (at most 2⁵³ − 1). */
  readonly integer?: boolean | undefined;
}

/** `ERR_OPTION` unless `value` is a plain object: not an array, not a function, not an instance of a class. */
export function checkObject(where: string, value: unknown): void {
  if (!isPlainObject(value)) fail("ERR_OPTION", where, "an object of options", value);
}

/**
 * Checks that `options` is a plain object (`ERR_OPTION`) all of whose keys are in `known` (`ERR_UNKNOWN_OPTION`,
 * with the nearest known name, or the one in `meant`, as a suggestion). A key whose value is `undefined` must be known as well.
 */
export function checkKeys(
  where: string,
  options: unknown,
  known: readonly string[],
  meant: Readonly<Record<string, string>> = {},
): void {
  if (!isPlainObject(options)) fail("ERR_OPTION", where, "an object of options", options);
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known) ?? (Object.hasOwn(meant, key) ? meant[key] : within(key, known));
    const hint = near === undefined ? `Known: ${known.map(quote).join(", ")}` : `Did you mean '${near}'?`;
    throw new CarillonError(
      "ERR_UNKNOWN_OPTION",
      `${where}.${key}`,
      `expected a known option for '${where}' but received '${key}'. ${hint}`,
    );
  }
}

/** `value` as a number within `range`, else `ERR_OPTION` naming the range. NaN and infinities are refused. */
export function checkNumber(where: string, value: unknown, range: NumberRange = {}): number {
  const { min, max, above, below, integer = false } = range;
  if (
    typeof value === "number" &&
    (integer ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
    (min === undefined || value >= min) &&
    (max === undefined || value <= max) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below)
  ) {
    return value;
  }
  return fail("ERR_OPTION", where, rangeText(range), value);
}

/** `value` as a boolean, else `ERR_OPTION`; nothing is coerced. */
export function checkBoolean(where: string, value: unknown): boolean {
  return typeof value === "boolean" ? value : fail("ERR_OPTION", where, "true or false", value);
}

/** `value` as a string of at least one character, else `ERR_OPTION`. */
export function checkString(where: string, value: unknown): string {
  return typeof value === "string" && value !== ""
    ? value
    : fail("ERR_OPTION", where, "a string that is not empty", value);
}

/** `value` if it is callable, else `ERR_OPTION`. */
export function checkFunction<F>(where: string, value: F): F {
  return typeof value === "function" ? value : fail("ERR_OPTION", where, "a function", value);
}

/** Functions that make what an option takes, where that is a function as well. */
const MAKERS = new WeakSet<object>();

/** Notes that these functions have to be called to make what an option takes: {@link checkMade} refuses them as such. */
export function noteMakers(...makers: readonly object[]): void {
  for (const maker of makers) MAKERS.add(maker);
}

/** `value` if it is callable and not what makes such a thing (`crossEntropy` for `crossEntropy()`), else `ERR_OPTION`. */
export function checkMade<F>(where: string, value: F, expected: string): F {
  if (typeof value === "function" && !MAKERS.has(value)) return value;
  return fail("ERR_OPTION", where, expected, value);
}

/** `value` if it is one of `allowed`, else `ERR_OPTION` listing them. */
export function checkOneOf<const T extends string>(where: string, value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  return found ?? fail("ERR_OPTION", where, alternatives(allowed), value);
}

/** Prototype `null` or the `Object.prototype` of any realm. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** `a number in [0, 1)`, `an integer >= 1`, `a finite number`. */
function rangeText({ min, max, above, below, integer = false }: NumberRange): string {
  const low = above ?? min;
  const high = below ?? max;
  const noun = integer ? "an integer" : "a number";
  if (low === undefined && high === undefined) return integer ? noun : "a finite number";
  if (high === undefined) return `${noun} ${above === undefined ? ">=" : ">"} ${low}`;
  if (low === undefined) return `${noun} ${below === undefined ? "<=" : "<"} ${high}`;
  const open = above === undefined ? "[" : "(";
  const close = below === undefined ? "]" : ")";
  return `${noun} in ${open}${low}, ${high}${close}`;
}

function quote(name: string): string {
  return `'${name}'`;
}

/** `'a', 'b' or 'c'` */
function alternatives(names: readonly string[]): string {
  const quoted = names.map(quote);
  const last = quoted.pop() ?? "";
  return quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`;
}

/** The known name with the fewest typing errors, at most one for every three characters (and at least one). */
export function nearest(key: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(key.length / 3)) + 1;
  for (const name of known) {
    const errors = typingErrors(key.toLowerCase(), name.toLowerCase());
    if (errors < fewest) {
      best = name;
      fewest = errors;
    }
  }
  return best;
}

/** Letters that a name must have to be looked for in longer ones. */
const LEAST_LETTERS = 4;

/** The longest known name that is a part of `key`: `weight` of `sample_weight`. */
function within(key: string, known: readonly string[]): string | undefined {
  const parts = known.filter((name) => name.length >= LEAST_LETTERS && key.toLowerCase().includes(name.toLowerCase()));
  return parts.sort((a, b) => b.length - a.length)[0];
}

/**
 * Characters to insert, delete, replace or swap with a neighbour to turn `from` into `to`
 * (optimal string alignment distance, the restricted form of Damerau 1964).
 */
function typingErrors(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const swapped = from[row - 2] === to[column - 1] && from[row - 1] === to[column - 2];
      current.push(
        Math.min(
          (last[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (last[column - 1] ?? 0) + (same ? 0 : 1),
          row > 1 && column > 1 && swapped ? (beforeLast[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] ?? 0;
}
