import type { NativeOperation } from "../binding/operations.js";
import type { NumbersOf } from "../tensor/value.js";
import { HEAD } from "./encode.js";
import { type NumberSlot, type NumberSlots, type OperandTable, tableOf } from "./native_table.js";

/** Where a number stands among the words of an instruction. */
export interface Field {
  readonly at: number;
  readonly double: boolean;
}

/** Where an array of doubles and its length stand. */
export interface ArrayField extends Field {
  readonly length: Field;
}

type FieldOf<T> = T extends readonly number[]
  ? ArrayField
  : T extends readonly (infer Item)[]
    ? { readonly [K in keyof Item]: Field }
    : Field;

/** The fields of an operation by the names of its numbers; of a list those of the one item that a template has. */
export type Fields<N extends NativeOperation> = {
  readonly [K in keyof NumbersOf<N>]-?: FieldOf<Exclude<NumbersOf<N>[K], undefined>>;
};

/** A double as two words, low half first on every machine that has a binary. */
const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);

/** The words of one instruction over views in the order of its table, numbers and lanes to be filled in by every use. */
export class Template<N extends NativeOperation> {
  readonly words: Int32Array;
  readonly at: Fields<N>;
  readonly #lanes: number;

  /** @param lanes Numbers behind the instruction. */
  constructor(operation: N, lanes = 0) {
    const table = tableOf(operation);
    const ints = HEAD + table.viewCount;
    const doubles = ints + lengthOf(table.ints);
    this.#lanes = doubles + 2 * lengthOf(table.doubles);
    this.words = new Int32Array(this.#lanes + 2 * lanes);
    this.words.set([table.operation, table.viewCount, lengthOf(table.ints), lengthOf(table.doubles)]);
    for (let view = 0; view < table.viewCount; view++) this.words[HEAD + view] = view;
    const absent = [...placesOf(table.ints, ints, false), ...placesOf(table.doubles, doubles, true)];
    for (const { slot, field } of absent) if (slot.absent !== 0) this.set(field, slot.absent);
    this.at = fieldsOf(table, ints, doubles) as Fields<N>; // the types are written from the same table
  }

  /** An integer has been checked to be below 2³¹. */
  set(field: Field, value: number): void {
    if (field.double) this.#write(field.at, value);
    else this.words[field.at] = value;
  }

  setAll(field: ArrayField, values: readonly number[]): void {
    this.set(field.length, values.length);
    for (const [index, value] of values.entries()) this.#write(field.at + 2 * index, value);
  }

  lane(index: number, value: number): void {
    this.#write(this.#lanes + 2 * index, value);
  }

  #write(at: number, value: number): void {
    double[0] = value;
    this.words[at] = halves[0] ?? 0;
    this.words[at + 1] = halves[1] ?? 0;
  }
}

const roomOf = (slots: readonly NumberSlot[]): number => slots.reduce((total, { room }) => total + room, 0);

/** Integers or doubles of an instruction whose list has one item. */
const lengthOf = ({ head, list }: NumberSlots): number => roomOf(head) + roomOf(list?.slots ?? []);

interface Placed {
  readonly slot: NumberSlot;
  readonly field: Field;
  readonly inItem: boolean;
}

/** The slots of a head and of one item, with their places from word `first` on. */
function placesOf({ head, list }: NumberSlots, first: number, double: boolean): readonly Placed[] {
  let at = first;
  return [...head, ...(list?.slots ?? [])].map((slot, index) => {
    const field = { at, double };
    at += slot.room * (double ? 2 : 1);
    return { slot, field, inItem: index >= head.length };
  });
}

type AnyField = Field | ArrayField | Readonly<Record<string, Field>>;

function fieldsOf({ ints, doubles }: OperandTable, firstInt: number, firstDouble: number): Record<string, AnyField> {
  const plain: Record<string, Field> = {};
  const item: Record<string, Field> = {};
  for (const { slot, field, inItem } of placesOf(ints, firstInt, false)) (inItem ? item : plain)[slot.name] = field;
  for (const { slot, field, inItem } of placesOf(doubles, firstDouble, true)) {
    const length = plain[slot.name];
    const own: Field | ArrayField = length === undefined ? field : { ...field, length };
    (inItem ? item : plain)[slot.name] = own;
  }
  const list = ints.list ?? doubles.list;
  return list === null ? plain : { ...plain, [list.name]: item };
}
