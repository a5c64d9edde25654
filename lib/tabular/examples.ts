// Inputs and targets of a whole table.
import { turn } from "../binding/clock.js";
import { JoinedInputs, TURN_ROWS } from "../table/preparation/joined.js";
import type { Preparation, PreparedExamples } from "../table/preparation/preparation.js";
import type { Targets } from "../table/preparation/target.js";
import type { Table } from "../table/table.js";

/** Inputs and targets of all rows, with turns of the event loop in between, in each of which the signal may abort. */
export async function examplesInTurns(
  preparation: Preparation,
  table: Table,
  signal?: AbortSignal | undefined,
): Promise<{ readonly x: PreparedExamples["x"]; readonly targets: Targets }> {
  const joined = new JoinedInputs(table.rows);
  let labels: Int32Array | undefined;
  let values: { readonly shape: readonly number[]; readonly data: Float64Array } | undefined;
  for (let begin = 0; begin === 0 || begin < table.rows; begin += TURN_ROWS) {
    const { y, ...encoded } = preparation.examples(table.slice(begin, begin + TURN_ROWS));
    joined.put(begin, encoded);
    if ("shape" in y) {
      const width = y.shape[1] ?? 1;
      values ??= { shape: [table.rows, width], data: new Float64Array(table.rows * width) };
      values.data.set(y.data, begin * width);
    } else {
      labels ??= new Int32Array(table.rows);
      labels.set(y, begin);
    }
    await turn();
    signal?.throwIfAborted();
  }
  return { x: joined.x, targets: labels ?? values ?? new Int32Array() };
}
