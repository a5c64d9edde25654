import { fail } from "../errors.js";
import { checkKeys, checkNumber, isPlainObject } from "../options.js";

/** An input whose rows are lists of integers, each of any length. Made by {@link ragged}. */
export interface Ragged {
  readonly ragged: "i32";
  /** Integers of a list at most. */
  readonly longest?: number | undefined;
}

/** Options of {@link ragged}. */
export interface RaggedOptions {
  /**
   * Integers of a list at most; longer ones are `ERR_DATA`. A stream needs it. By default a set in memory is taken as it is, and a call
   * has lists of at most {@link LONGEST_OF_CALL}.
   */
  readonly longest?: number | undefined;
}

/** Integers of a list of a call at most, where the input says nothing. */
export const LONGEST_OF_CALL = 65_536;

/** Most integers of a list: counts are 32-bit words. */
const MOST = 2_147_483_647;

/**
 * An input of lists of integers, such as the words of a text or the categories of a film: an `embeddingBag`, or `ops.bag`, makes
 * one row of each. Its data are `{ offsets, ids, weights? }`: list i is `ids[offsets[i] … offsets[i + 1])`.
 *
 * @example
 * const model = sequential({ input: ragged('i32') }, embeddingBag(2 ** 18, 64), linear(64, 1));
 * const x = { offsets: Int32Array.of(0, 2, 2, 5), ids: Int32Array.of(7, 3, 1, 4, 1) }; // three lists, the second is empty
 */
export function ragged(dtype: "i32", options: RaggedOptions = {}): Ragged {
  if (dtype !== "i32") fail("ERR_DTYPE", "ragged.dtype", "'i32'", dtype);
  checkKeys("ragged", options, ["longest"]);
  return checkRagged("ragged", {
    ragged: dtype,
    ...(options.longest === undefined ? {} : { longest: options.longest }),
  });
}

/** What {@link ragged} gives, or plain data of that form; else `ERR_OPTION`. */
export function checkRagged(where: string, given: object): Ragged {
  checkKeys(where, given, ["ragged", "longest"]);
  const { ragged: dtype, longest }: { readonly ragged?: unknown; readonly longest?: unknown } = given;
  if (dtype !== "i32") return fail("ERR_DTYPE", `${where}.ragged`, "'i32'", dtype);
  if (longest === undefined) return Object.freeze({ ragged: dtype });
  const most = checkNumber(`${where}.longest`, longest, { min: 1, max: MOST, integer: true });
  return Object.freeze({ ragged: dtype, longest: most });
}

/** Whether `given` says that rows are lists. */
export function isRagged(given: unknown): given is Ragged {
  return isPlainObject(given) && "ragged" in given;
}
