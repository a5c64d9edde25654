// Lists of ids for tests, and the same as padded rows.
import { type Lists, type Tensor, tensor } from "carillon";

/** So many lists of up to `longest` ids of a table, some of them empty, by a rule. */
export function someLists(rows: number, longest: number, table: number, weighted = false): Lists {
  const offsets = new Int32Array(rows + 1);
  for (let row = 0; row < rows; row++)
    offsets[row + 1] = (offsets[row] ?? 0) + ((row * 7 + (row >> 2)) % (longest + 1));
  const ids = Int32Array.from({ length: offsets[rows] ?? 0 }, (_, at) => (at * 13 + (at >> 3)) % table);
  if (!weighted) return { offsets, ids };
  return { offsets, ids, weights: Float32Array.from(ids, (_, at) => ((at * 5) % 11) / 8 - 0.45) };
}

/** Those of the lists as rows of `longest` ids, −1 behind the last. */
export function padded({ offsets, ids }: Lists, longest: number): Tensor<"i32"> {
  const rows = offsets.length - 1;
  const all = new Int32Array(rows * longest).fill(-1);
  for (let row = 0; row < rows; row++) all.set(ids.subarray(offsets[row], offsets[row + 1]), row * longest);
  return tensor(all, [rows, longest]);
}

/** Rows [begin, end). */
export function listsBetween({ offsets, ids, weights }: Lists, begin: number, end: number): Lists {
  const [first = 0, last = 0] = [offsets[begin], offsets[end]];
  const own = { offsets: offsets.slice(begin, end + 1).map((one) => one - first), ids: ids.slice(first, last) };
  return weights === undefined ? own : { ...own, weights: weights.slice(first, last) };
}

/** Each list by itself. */
export function eachList({ offsets, ids }: Lists): Int32Array[] {
  return Array.from({ length: offsets.length - 1 }, (_, row) => ids.slice(offsets[row], offsets[row + 1]));
}
