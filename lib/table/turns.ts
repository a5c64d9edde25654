// Large tables in memory, looked at with turns of the event loop in between.
import { turn } from "../binding/clock.js";
import type { Table } from "./table.js";

/** Rows between two turns of the event loop: some milliseconds of twenty columns. */
const ROWS = 8192;

/** Shows `add` some thousand rows at a time: of all, or of those that were chosen. In each turn the signal may abort. */
export async function inTurns(
  table: Table,
  signal: AbortSignal | undefined,
  add: (rows: Table) => void,
  chosen?: ArrayLike<number> | undefined,
): Promise<void> {
  const { length } = chosen ?? { length: table.rows };
  for (let begin = 0; begin < length; begin += ROWS) {
    const end = Math.min(begin + ROWS, length);
    const part =
      chosen === undefined
        ? table.slice(begin, end)
        : table.pick(Uint32Array.from({ length: end - begin }, (_, at) => chosen[begin + at] ?? 0));
    add(part);
    await turn();
    signal?.throwIfAborted();
  }
}
