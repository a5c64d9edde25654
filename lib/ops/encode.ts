import type { NativeOperation } from "../binding/operations.js";
import type { InstructionOf, NumbersOf, Value, ViewsOf } from "../tensor/value.js";
import { type NumberSlot, type NumberSlots, numberIn, tableOf } from "./native_table.js";

/**
 * An instruction of native code, its operands by name. The compiler knows them from the table that native code states: one that is
 * missing or misspelt is an error; what the table has a value for may be left out.
 */
export function instruction<N extends NativeOperation>(
  operation: N,
  views: ViewsOf<N, Value>,
  numbers: NumbersOf<N>,
): InstructionOf<N, Value> {
  return { operation, views, numbers };
}

/** Words in front of those of the views: operation, number of views, of ints, of doubles. */
export const HEAD = 4;

/** A number as it may be given: as it is, as a flag, by its name in a native list, as an array of doubles. */
type Given = number | boolean | string | readonly number[] | undefined;
type Item = Readonly<Record<string, Given>>;
type Numbers = Readonly<Record<string, Given | readonly Item[]>>;
type Views<V> = Readonly<Record<string, V | readonly V[] | null | undefined>>;

/** Any instruction over views V. */
interface AnyInstruction<V> {
  readonly operation: NativeOperation;
  readonly views: Views<V>;
  readonly numbers: Numbers;
}

const isList = <T>(given: T | readonly T[] | null | undefined): given is readonly T[] => Array.isArray(given);
const isItems = (given: Given | readonly Item[]): given is readonly Item[] => Array.isArray(given);
const isNumbers = (given: Given | readonly Item[]): given is readonly number[] => Array.isArray(given);

function numberFrom({ names, absent }: NumberSlot, given: Given | readonly Item[]): number {
  if (typeof given === "number") return given;
  if (given === undefined) return absent;
  if (typeof given === "boolean") return given ? 1 : 0;
  if (typeof given !== "string") return given.length;
  return names === null ? absent : numberIn(names, given);
}

/** Appends the numbers of `slots` to `target`. */
function push({ head, list }: NumberSlots, numbers: Numbers, target: number[]): void {
  for (const slot of head) {
    const given = numbers[slot.name];
    if (slot.room === 1) target.push(numberFrom(slot, given));
    else for (let index = 0; index < slot.room; index++) target.push(isNumbers(given) ? (given[index] ?? 0) : 0);
  }
  if (list === null) return;
  const items = numbers[list.name];
  if (!isItems(items)) return;
  for (const item of items) for (const slot of list.slots) target.push(numberFrom(slot, item[slot.name]));
}

/** Appends the words of an instruction (native/program/decode.h) to `words`. */
export function encode<V>(
  { operation, views, numbers }: AnyInstruction<V>,
  indexOf: (view: V) => number,
  words: number[],
): void {
  const table = tableOf(operation);
  const start = words.length;
  words.push(table.operation, table.viewCount, 0, 0);
  for (const { name, room } of table.views) {
    const given = views[name];
    if (isList(given)) {
      for (const view of given) words.push(indexOf(view));
      for (let index = given.length; index < room; index++) words.push(-1);
    } else words.push(given === null || given === undefined ? -1 : indexOf(given));
  }
  push(table.ints, numbers, words);
  words[start + 2] = words.length - start - HEAD - table.viewCount;
  const { head, list } = table.doubles;
  if (head.length === 0 && list === null) return;
  const doubles: number[] = [];
  push(table.doubles, numbers, doubles);
  words[start + 3] = doubles.length;
  words.push(...new Int32Array(Float64Array.from(doubles).buffer));
}
