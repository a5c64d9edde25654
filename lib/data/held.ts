// What a caller may do with its memory once a call has returned.
import { CarillonError, describe, tagOf } from "../errors.js";
import { areMembers, copyOf, depthOf, isTypedArray, type TypedArray } from "../tensor/copied.js";
import type { AnyExamples, AnyInputs } from "./dataset.js";
import { isTensorLike } from "./member.js";
import { PackedRows } from "./packed.js";
import { Dataset } from "./stream.js";
import { COPIED_AT_ONCE } from "./turns.js";

type Data = AnyExamples | AnyInputs | PackedRows | Dataset;

const NUMBER = 4;

/** Data as a call found it. */
export interface Held<D extends Data = Data> {
  readonly data: D;
  /** `ERR_DETACHED` once memory that is still the caller's was transferred, or has another length than at the call. */
  readonly unchanged: () => void;
}

/** Whether data in memory is copied at the call, all sets of the call together; else while it is bound, in turns. */
export function isSmall(...sets: readonly (Data | undefined)[]): boolean {
  let bytes = 0;
  for (const set of sets) {
    if (!isInMemory(set)) continue;
    for (const [, member] of membersOf("", set)) bytes += bytesOf(member, COPIED_AT_ONCE - bytes);
    if (bytes > COPIED_AT_ONCE) return false;
  }
  return true;
}

/** Whether `set` has members; what is no set at all is refused later, by name. */
function isInMemory(set: unknown): set is object {
  if (typeof set !== "object" || set === null || set instanceof Dataset || set instanceof PackedRows) return false;
  return !(Array.isArray(set) || isTypedArray(set));
}

/** Records in one another: x, and lists by their names in it. */
const RECORDS = 2;

/** The members of a set and their paths, those of records one by one. */
function membersOf(
  where: string,
  set: object,
  records = RECORDS,
): readonly (readonly [path: string, value: unknown])[] {
  return Object.entries(set).flatMap(([name, value]: [string, unknown]) => {
    const path = `${where}.${name}`;
    return records > 0 && areMembers(value) ? membersOf(path, value, records - 1) : [[path, value] as const];
  });
}

/** Bytes of `value`; counting ends above `enough`. */
function bytesOf(value: unknown, enough: number, depth = depthOf(value)): number {
  if (isTypedArray(value)) return value.byteLength;
  if (isTensorLike(value)) return value.data.byteLength;
  if (!Array.isArray(value)) return 0;
  let bytes = 0;
  for (let index = 0; index < value.length && bytes <= enough; index++) {
    const row: unknown = value[index];
    if (isTypedArray(row)) bytes += row.byteLength;
    else if (!Array.isArray(row)) bytes += NUMBER;
    else bytes += depth > 2 ? bytesOf(row, enough - bytes, depth - 1) : NUMBER * row.length;
  }
  return bytes;
}

/** A copy of a set in memory if it is to be copied at once; otherwise the set, and what notices that it went away. */
export function hold<D extends Data>(where: string, data: D, atOnce: boolean): Held<D> {
  if (!isInMemory(data)) return { data, unchanged: () => undefined };
  if (atOnce) {
    const copy: unknown = Object.assign(Object.create(Object.getPrototypeOf(data)), data, duplicates(data));
    return { data: copy as D, unchanged: () => undefined }; // the same members
  }
  const watches = membersOf(where, data).map(([path, value]) => watch(path, isTensorLike(value) ? value.data : value));
  return {
    data,
    unchanged() {
      for (const look of watches) look();
    },
  };
}

function duplicates(data: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, copyOf(value)]));
}

function watch(where: string, value: unknown): () => void {
  if (isTypedArray(value)) {
    const { length } = value;
    const size = sizeOf(value);
    return () => {
      if (value.length !== length || sizeOf(value) !== size) failChanged(where, length, value);
    };
  }
  if (!Array.isArray(value)) return () => undefined;
  const { length } = value;
  return () => {
    if (value.length !== length) failChanged(where, length, value);
  };
}

/** Bytes of the buffer; one that is shared can only grow, which takes nothing away. */
function sizeOf({ buffer }: TypedArray): number {
  return tagOf(buffer) === "ArrayBuffer" ? buffer.byteLength : 0;
}

function failChanged(where: string, length: number, received: unknown): never {
  throw new CarillonError(
    "ERR_DETACHED",
    where,
    `expected the ${length} elements for '${where}' to stay until they are copied but received ${describe(received)}: ` +
      "its memory was transferred or resized meanwhile",
  );
}
