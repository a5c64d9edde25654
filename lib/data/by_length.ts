// Batches of rows of like length, in an order that is drawn anew for every epoch.
import { type NativeSlab, native } from "../binding/native.js";
import { fail } from "../errors.js";
import { checkKeys, checkNumber, checkString } from "../options.js";
import { seedKey } from "../tensor/philox.js";
import type { InputMember } from "./block.js";
import { areLists, lengthOf } from "./lists.js";
import { failRow, onlyValue } from "./member.js";
import { permutation } from "./permutation.js";

const PURPOSE = 31;

/** Orders that an epoch draws: that of the rows, and that of the batches. */
const [OF_ROWS, OF_BATCHES, ORDERS] = [0, 1, 2];

/** More steps than any row has. */
const ALL = 2_147_483_647;

/** Batches of a pool by default. */
const POOL = 50;

/** Which rows come into one batch. */
export interface BatchBy<N extends string = string> {
  /** The input that says how long a row is: a 32-bit integer a row, or lists. */
  readonly lengths: N;
  /** Batches whose rows are put in order together, 50 by default: the fewer, the more the rows of a batch are mixed. */
  readonly pool?: number | undefined;
}

/** The same with its default. */
export interface CheckedBatchBy {
  readonly lengths: string;
  readonly pool: number;
}

/** `ERR_OPTION` unless it names an input and a number of batches. */
export function checkBatchBy(where: string, given: BatchBy): CheckedBatchBy {
  checkKeys(where, given, ["lengths", "pool"]);
  return {
    lengths: checkString(`${where}.lengths`, given.lengths),
    pool: checkNumber(`${where}.pool`, given.pool ?? POOL, { min: 1, max: 1_000_000, integer: true }),
  };
}

/** The length of each row; `ERR_OPTION` of an input that is neither lists nor an integer a row. */
export function lengthsOfRows(where: string, member: InputMember | undefined, name: string): Int32Array {
  if (member === undefined) return fail("ERR_OPTION", where, "the name of an input", name);
  if (areLists(member)) return Int32Array.from({ length: member.rows }, (_, row) => lengthOf(member, row));
  if (member.dtype !== "i32" || member.columns !== 1)
    return fail("ERR_OPTION", where, "the name of an input of lists, or of a 32-bit integer a row,", name);
  return Int32Array.from({ length: member.rows }, (_, row) => {
    const value = onlyValue(member, row);
    return typeof value === "number" ? value : failRow(member, "ERR_DATA", row, "a 32-bit integer", value);
  });
}

/**
 * The order of an epoch: all rows are drawn without order; those of `pool` batches together are put in order by their lengths, the longest first and equal ones as they were drawn, and cut into batches,
 * whose order is drawn again. What is left over, fewer rows than a batch, stands last, as it was drawn. Nothing is drawn without `shuffle`.
 */
export class ByLength {
  /** Numbers of the rows in the order of an epoch. */
  readonly rows: NativeSlab;
  /** The input that says how long rows are, by its place. */
  readonly input: number;
  readonly #lengths: Int32Array;
  readonly #batch: number;
  readonly #pool: number;
  readonly #shuffle: boolean;
  /** Length of the longest row of each batch of the epoch that was begun last. */
  #longest = new Int32Array();

  constructor(input: number, lengths: Int32Array, batch: number, pool: number, shuffle: boolean) {
    this.input = input;
    this.#lengths = lengths;
    this.#batch = batch;
    this.#pool = pool;
    this.#shuffle = shuffle;
    this.rows = native.slabCreate(lengths.length, "i32");
  }

  /** Rows in the order of an epoch, which counts from 1. */
  orderOf(epoch: number, seed: number): Int32Array {
    const key = seedKey("fit.seed", seed);
    const drawn = (count: number, order: number): Uint32Array =>
      this.#shuffle
        ? permutation(count, PURPOSE, key, ORDERS * epoch + order)
        : Uint32Array.from({ length: count }, (_, index) => index);
    const count = this.#lengths.length;
    const rows = Int32Array.from(drawn(count, OF_ROWS));
    const whole = Math.floor(count / this.#batch);
    const lengthAt = (row: number): number => this.#lengths[row] ?? 0;
    for (let begin = 0; begin < whole; begin += this.#pool) {
      const end = Math.min(begin + this.#pool, whole);
      rows.subarray(begin * this.#batch, end * this.#batch).sort((a, b) => lengthAt(b) - lengthAt(a));
    }
    const order = rows.slice();
    for (const [place, batch] of drawn(whole, OF_BATCHES).entries())
      order.set(rows.subarray(batch * this.#batch, (batch + 1) * this.#batch), place * this.#batch);
    return order;
  }

  /** Makes an epoch the one that programs go through. */
  begin(epoch: number, seed: number): void {
    const order = this.orderOf(epoch, seed);
    native.slabWrite(this.rows, 0, order);
    this.#longest = Int32Array.from({ length: this.batches }, (_, place) => {
      const rows = order.subarray(place * this.#batch, (place + 1) * this.#batch);
      return rows.reduce((most, row) => Math.max(most, this.#roomOf(row)), 0);
    });
  }

  /** Steps that a row needs. A length below 0, which every program refuses, needs all there are, so that what it should be is told by those of the model. */
  #roomOf(row: number): number {
    const length = this.#lengths[row] ?? 0;
    return length < 0 ? ALL : length;
  }

  /** Batches of an epoch. */
  get batches(): number {
    return Math.ceil(this.#lengths.length / this.#batch);
  }

  /** Length of the longest row of all. */
  get longest(): number {
    return this.#lengths.reduce((most, _length, row) => Math.max(most, this.#roomOf(row)), 0);
  }

  /** Length of the longest row of a batch of the epoch that was begun last, counted from 0. */
  longestOf(batch: number): number {
    return this.#longest[batch] ?? 0;
  }
}
