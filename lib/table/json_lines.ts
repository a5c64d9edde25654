// JSON lines: an object a line. A text that begins with a bracket is one list of objects.
import { CarillonError, fail, messageOf } from "../errors.js";
import { isPlainObject } from "../options.js";
import type { ColumnKind } from "./column.js";
import { Blocks } from "./csv/blocks.js";
import { utf8 } from "./csv/scan.js";
import { Places } from "./places.js";
import type { Bytes } from "./source.js";
import { Table } from "./table.js";
import { columnOf } from "./values.js";

/** Bytes of the longest line; and of a list in one text. */
const LONGEST = 268_435_456;

const NEWLINE = 10;
const BRACKET = 91;

/** The tables of a text, a block each. Rows without a key are missing there; kinds stay those of the first values. */
export async function* jsonTables(source: Bytes, given: Readonly<Record<string, ColumnKind>>): AsyncGenerator<Table> {
  const blocks = new Blocks(source, LONGEST);
  const kinds = new Map<string, ColumnKind>(Object.entries(given));
  let line = 1;
  let names: readonly string[] = [];
  try {
    let bytes: Uint8Array | undefined = await blocks.fill();
    if (firstByte(bytes) === BRACKET) {
      while (!blocks.last) {
        if (blocks.full) failLong(source.name, line);
        blocks.use(0);
        bytes = await blocks.fill();
      }
      const rows = parse(source.name, 1, text(source.name, 1, bytes, bytes.length));
      if (!Array.isArray(rows)) fail("ERR_DATA", source.name, "a list of objects, or an object a line,", rows);
      yield tableOf(
        source.name,
        "row",
        rows.map((row: unknown, index) => ({ row, at: index })),
        kinds,
        [],
      );
      return;
    }
    for (; bytes !== undefined; bytes = await blocks.next()) {
      const end = blocks.last ? bytes.length : bytes.lastIndexOf(NEWLINE) + 1;
      if (end === 0 && blocks.full) failLong(source.name, line);
      const lines = text(source.name, line, bytes, end).split("\n");
      const rows = lines.flatMap((one, index) =>
        one.trim() === "" ? [] : [{ row: parse(source.name, line + index, one), at: line + index }],
      );
      line += lines.length - 1;
      blocks.use(end);
      if (rows.length === 0) continue;
      const table = tableOf(source.name, "line", rows, kinds, names);
      names = table.names;
      yield table;
    }
  } finally {
    await blocks.close();
  }
}

function firstByte(bytes: Uint8Array): number {
  return bytes.find((byte) => byte > 32) ?? 0;
}

function failLong(name: string, line: number): never {
  const where = `${name}, line ${line}`;
  throw new CarillonError("ERR_DATA", where, `expected at most ${LONGEST} bytes for '${where}' but received more`);
}

function text(name: string, line: number, bytes: Uint8Array, end: number): string {
  const { isUtf8 } = process.getBuiltinModule("node:buffer");
  const part = bytes.subarray(0, end);
  if (isUtf8(part)) return utf8(part, 0, part.length).replace(/^\uFEFF/, "");
  const where = `${name}, line ${line} and after`;
  return fail("ERR_DATA", where, "UTF-8", "other bytes");
}

function parse(name: string, line: number, written: string): unknown {
  try {
    return JSON.parse(written);
  } catch (cause) {
    const where = `${name}, line ${line}`;
    throw new CarillonError("ERR_DATA", where, `expected JSON for '${where}' but received ${messageOf(cause)}`, {
      cause,
    });
  }
}

function tableOf(
  source: string,
  unit: "line" | "row",
  rows: readonly { readonly row: unknown; readonly at: number }[],
  kinds: Map<string, ColumnKind>,
  known: readonly string[],
): Table {
  const placeOf = (row: number): string => `${source}, ${unit} ${rows[row]?.at ?? row}`;
  const values = new Map<string, unknown[]>(known.map((name) => [name, []]));
  rows.forEach(({ row }, index) => {
    if (!isPlainObject(row)) fail("ERR_DATA", placeOf(index), "an object", row);
    for (const [key, value] of Object.entries(row)) {
      const list = values.get(key) ?? [];
      if (list.length === 0) values.set(key, list);
      list[index] = value;
    }
  });
  const columns = [...values].map(([name, list]) => {
    list.length = rows.length;
    const column = columnOf(name, list, placeOf, kinds.get(name));
    if (list.some((value) => value !== undefined && value !== null)) kinds.set(name, column.kind);
    return [name, column] as const;
  });
  const lines = Int32Array.from(rows, ({ at }) => at);
  return new Table(new Map(columns), new Places([{ rows: rows.length, source, unit, first: rows[0]?.at ?? 1, lines }]));
}
