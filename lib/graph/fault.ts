// What the data of a step made impossible, told by the input, row and column where it stands.
import type { NativeFault } from "../binding/native.js";
import { CarillonError } from "../errors.js";

/** The integers that an instruction takes as rows of a table, or as labels. */
export interface LookedUp {
  /** The input that they come straight from. */
  readonly input: string | undefined;
  /** Integers of a row of the batch; `undefined` of lists. */
  readonly columns: number | undefined;
  /** Integers of what the instruction counts as a row: of bags one of the batch may have several. */
  readonly width: number;
}

/** A number that the data made impossible. */
export interface Fault extends Pick<NativeFault, "what" | "limit" | "value"> {
  /** The input that it stands in, where it does. */
  readonly input: string | undefined;
  /** Row of the batch. */
  readonly row: number;
  /** Its place in the row, where a row has several. */
  readonly column: number | undefined;
}

/** A fault of a program by its place in the data; `lookedUp` is known by the number of the instruction. */
export function placedFault(
  { what, row, column, limit, value, instruction, part }: NativeFault,
  lookedUp: ReadonlyMap<number, LookedUp>,
): Fault {
  const { input, columns, width = 1 } = lookedUp.get(instruction) ?? {};
  if (columns === undefined) return { what, limit, value, input, row: part + row, column };
  const element = row * width + (column ?? 0);
  const own = columns === 1 ? undefined : element % columns;
  return { what, limit, value, input, row: part + Math.floor(element / columns), column: own };
}

/** Where errors count a row: of a batch or a call, or of a set that batches are taken from. */
export interface CountedIn {
  readonly whole: string;
  /** `row` by default, `example` of a stream. */
  readonly noun?: "row" | "example" | undefined;
}

const THE_BATCH: CountedIn = { whole: "the batch" };
export const THE_CALL: CountedIn = { whole: "the call" };

/**
 * Error of a step that the data made impossible, by its input, where that has a name, its row, and its place there where a row has several
 * numbers.
 */
export function faultError(
  { what, input, row, column, limit, value }: Fault,
  { whole, noun = "row" } = THE_BATCH,
): CarillonError {
  const numbered = `${noun} ${row}${column === undefined ? "" : `, column ${column}`}`;
  const place = `${what} of ${input === undefined ? "" : `'${input}', `}${numbered}`;
  return new CarillonError(
    what === "label" ? "ERR_LABEL" : "ERR_DATA",
    place,
    `expected an integer in [0, ${limit}) for the ${place} of ${whole} but received ${value}`,
  );
}
