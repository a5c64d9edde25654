import { shortened } from "../../errors.js";
import { placeOf } from "../../io/part.js";

/** Where two pieces of plain data part, as people say it. */
export interface Difference {
  /** Such as `optimizer.beta1`. */
  readonly path: string;
  readonly saved: string;
  readonly given: string;
}

/** The first place at which two pieces of JSON data differ, behind `path`; `undefined` if they are the same. Objects of two kinds differ as a whole. */
export function differenceOf(path: string, saved: unknown, given: unknown): Difference | undefined {
  if (isList(saved) && isList(given)) {
    const longer = saved.length > given.length ? saved : given;
    return firstOf(longer.map((_, index) => [`${path}[${index}]`, saved[index], given[index]]));
  }
  if (isRecord(saved) && isRecord(given)) {
    if (saved.kind !== given.kind) return { path, saved: shown(saved.kind), given: shown(given.kind) };
    const [then, now] = [withOptions(saved), withOptions(given)];
    const keys = [...new Set([...Object.keys(then), ...Object.keys(now)])];
    return firstOf(keys.map((key) => [key.split(".").reduce(placeOf, path), then[key], now[key]]));
  }
  if (Object.is(saved ?? null, given ?? null)) return undefined;
  return { path, saved: shown(saved), given: shown(given) };
}

function firstOf(parts: readonly (readonly [path: string, saved: unknown, given: unknown])[]): Difference | undefined {
  for (const [path, saved, given] of parts) {
    const difference = differenceOf(path, saved, given);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A description as people say it, `optimizer.beta1`: its options are members of their own. */
function withOptions(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { options, ...rest } = value;
  return typeof value.kind === "string" && isRecord(options) ? { ...rest, ...options } : value;
}

/** Characters that a message shows of a value. */
const SHOWN = 80;

/** `none`, `adam (lr 0.1, …)`, `0.9`, `[1, 2]`. */
function shown(value: unknown): string {
  return shortened(wordsOf(value), SHOWN);
}

function wordsOf(value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (typeof value === "string") return value === "" ? '""' : value;
  if (isList(value)) return `[${value.map(wordsOf).join(", ")}]`;
  if (!isRecord(value)) return String(value);
  const { kind, ...rest } = withOptions(value);
  const parts = Object.entries(rest)
    .filter(([, part]) => part !== null && part !== undefined)
    .map(([key, part]) => `${key} ${wordsOf(part)}`)
    .join(", ");
  if (typeof kind !== "string") return parts === "" ? "none" : `{ ${parts} }`;
  return parts === "" ? kind : `${kind} (${parts})`;
}
