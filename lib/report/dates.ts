// Dates that a table has as texts.
import { momentsIn } from "../table/preparation/date_parts.js";
import type { Schema } from "../table/schema/schema.js";
import { Table } from "../table/table.js";

/** The table with the moments of texts that the schema says are dates in their place: whatever is asked of numbers can be asked of them. `ERR_DATA` for one that is none. */
export function withDates(table: Table, schema: Schema): Table {
  const columns = table.names.map((name) => {
    const [column, known] = [table.column(name), schema.columns[name]];
    if (known?.kind !== "date" || column.kind !== "text") return [name, column] as const;
    return [name, { kind: "date", values: momentsIn(name, column, known) }] as const;
  });
  return new Table(new Map(columns), table.places);
}
