import { CarillonError, describe, fail } from "./errors.js";
import { meantBy, within } from "./words.js";

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
    const near = meantBy(key, known) ?? (Object.hasOwn(meant, key) ? meant[key] : within(key, known));
    const hint = near === undefined ? `Known: ${known.map(quote).join(", ")}` : `Did you mean '${near}'?`;
    throw new CarillonError(
      "ERR_UNKNOWN_OPTION",
      `${where}.${key}`,
      `expected a known option for '${where}' but received '${key}'. ${hint}`,
    );
  }
}

/** `ERR_OPTION` if a function that has no options was given something: one that it would not heed, or data. `{}` is nothing. */
export function checkNothing(where: string, given: readonly unknown[]): void {
  const received = given.find((one) => !(one === undefined || (isPlainObject(one) && Object.keys(one).length === 0)));
  if (received !== undefined) fail("ERR_OPTION", where, "no options", received);
}

/** `value` as a number within `range`, else `ERR_OPTION` naming the range. NaN and infinities are refused. */
export function checkNumber(where: string, value: unknown, range: NumberRange = {}): number {
  return isWithin(value, range) ? value : fail("ERR_OPTION", where, rangeText(range), value);
}

/** Whether `value` is a number within `range`; NaN and infinities never are. */
export function isWithin(value: unknown, { min, max, above, below, integer = false }: NumberRange): value is number {
  return (
    typeof value === "number" &&
    (integer ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
    (min === undefined || value >= min) &&
    (max === undefined || value <= max) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below)
  );
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

/** Whether `value` is an array of strings; a hole, which `every` would pass over, is none. */
export function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && Array.from<unknown>(value).every((one) => typeof one === "string");
}

/** Names that a reader takes in at a glance. */
const FEW = 4;

/** `value` if it is one of `allowed`, else `ERR_OPTION` listing them, and of many the one that was probably meant. */
export function checkOneOf<const T extends string>(where: string, value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  const problem = `expected ${alternatives(allowed)} for '${where}' but received ${describe(value)}`;
  const near = typeof value === "string" && allowed.length > FEW ? meantBy(value, allowed) : undefined;
  throw new CarillonError("ERR_OPTION", where, near === undefined ? problem : `${problem}. Did you mean '${near}'?`);
}

/** Prototype `null` or the `Object.prototype` of any realm. */
export function isPlainObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** `a number in [0, 1)`, `an integer >= 1`, `a finite number`. */
export function rangeText({ min, max, above, below, integer = false }: NumberRange): string {
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
export function alternatives(names: readonly string[]): string {
  const quoted = names.map(quote);
  const last = quoted.pop() ?? "";
  return quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`;
}
