// Windows of series that go on from one another, in lanes: which row an example of a batch is, and where it goes on.
import { type NativeSlab, native } from "../binding/native.js";
import { CarillonError, fail } from "../errors.js";
import { type Member, onlyValue } from "./member.js";

/** The binding of the lane that a row goes on from. */
export const CARRY = "carry";

/** Rows that go on from one another, as programs go through them. */
export interface CarriedRows {
  /** What errors call the member that says which do. */
  readonly where: string;
  /** Examples of a batch. */
  readonly lanes: number;
}

/** Rows in the order of the epoch, and, by row, the lane that it goes on from; `lanes` where it begins anew. */
interface LaneOrder {
  readonly rows: Int32Array;
  readonly places: Int32Array;
}

/** Whether data says which of its rows go on from the one before. */
export function isCarried(data: unknown): boolean {
  return typeof data === "object" && data !== null && "carry" in data && data.carry !== undefined;
}

/**
 * The rows in stretches of neighbours, one a lane: of n rows lane b has ⌊n/lanes⌋, and one more if b < n mod lanes. Example b of batch s is row s of lane b, so that the last batch has those lanes
 * alone which are longer. A lane begins anew, and so does a row that says so.
 */
export function laneOrder(goesOn: readonly boolean[], lanes: number): LaneOrder {
  const count = goesOn.length;
  const [least, longer] = [Math.floor(count / lanes), count % lanes];
  const rows = new Int32Array(count);
  const places = new Int32Array(count).fill(lanes);
  for (let lane = 0, row = 0; lane < lanes; lane++) {
    const length = least + (lane < longer ? 1 : 0);
    for (let step = 0; step < length; step++, row++) {
      rows[step * lanes + lane] = row;
      if (step > 0 && goesOn[row] === true) places[row] = lane;
    }
  }
  return { rows, places };
}

/** Whether each row goes on from the one before it; `ERR_DATA` for what is not 0 or 1, and for a first row that does. */
export function readCarry(member: Member): readonly boolean[] {
  return Array.from({ length: member.rows }, (_, row) => {
    const value = onlyValue(member, row);
    if (value !== 0 && value !== 1) fail("ERR_DATA", member.where, `0 or 1 in row ${row}`, value);
    if (value === 1 && row === 0) fail("ERR_DATA", member.where, "0 in row 0, as nothing stands before it,", value);
    return value === 1;
  });
}

/** The memory of an order: numbers of the rows, and lanes by row. */
export function bindOrder({ rows, places }: LaneOrder): { readonly rows: NativeSlab; readonly places: NativeSlab } {
  const slabOf = (numbers: Int32Array): NativeSlab => {
    const slab = native.slabCreate(numbers.length, "i32");
    native.slabWrite(slab, 0, numbers);
    return slab;
  };
  return { rows: slabOf(rows), places: slabOf(places) };
}

/** `ERR_OPTION` where rows that go on from one another are to be divided. */
export function refuseDivision(where: string): never {
  throw new CarillonError(
    "ERR_OPTION",
    `${where}.data.carry`,
    `expected rows that stand by themselves for '${where}' but received some that go on from one another: windows(series, { carry: true, validation }) divides a series`,
  );
}
