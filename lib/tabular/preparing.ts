// From a source to what networks are given: as one table where it is small, block by block where it is large.
import { underAll } from "../signals.js";
import type { TableSource } from "../table/api.js";
import { LargeSource, tableUnlessLarge } from "../table/large.js";
import { Table } from "../table/table.js";
import type { CheckedTabular, TabularFitOptions } from "./options.js";
import { type Prepared, prepareTable, type Telling } from "./prepared.js";
import { prepareLarge } from "./streamed.js";

/** Megabytes up to which a source is held as one table. */
const MEMORY = 64;

/** Reads a source, and prepares what networks are given of it. */
export async function prepareSource(
  settings: CheckedTabular,
  source: TableSource,
  options: TabularFitOptions,
  telling: Telling,
): Promise<Prepared> {
  const { rows, read = {}, memory = MEMORY } = options;
  telling.emit({ kind: "stage", stage: "reading", step: 0, rows: undefined, seconds: telling.seconds() });
  const most = rows === undefined ? memory * 1_000_000 : Number.POSITIVE_INFINITY;
  return await underAll([options.signal, read.signal], async (signal) => {
    const how = { ...options, signal, read: { ...read, signal } };
    const whole = source instanceof Table ? source : await tableUnlessLarge(source, how.read, most);
    try {
      signal?.throwIfAborted();
      if (whole instanceof Table) return await prepareTable(settings, whole, how, telling);
      return await prepareLarge(settings, whole, how, most, telling);
    } finally {
      if (whole instanceof LargeSource) await whole.close();
    }
  });
}
