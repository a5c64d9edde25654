// A table as text: its first rows in columns.
import { countOf, countText, grouped } from "../counts.js";
import type { Cell, ColumnKind } from "./column.js";

/** What is shown of a table. */
interface Showable {
  readonly rows: number;
  readonly names: readonly string[];
  readonly kinds: Readonly<Record<string, ColumnKind>>;
  at(row: number, name: string): Cell;
}

/** Characters of a value, and of a line. */
const WIDEST = 24;
const LINE = 120;

/** Significant digits of a number. */
const DIGITS = 6;

function textOf(cell: Cell): string {
  if (cell === null) return "·";
  if (typeof cell === "number") return String(Number.isInteger(cell) ? cell : Number(cell.toPrecision(DIGITS)));
  if (typeof cell === "object")
    return Number.isNaN(cell.getTime()) ? "·" : cell.toISOString().replace("T00:00:00.000Z", "");
  const text = typeof cell === "string" ? cell.replaceAll(/\s+/g, " ") : String(cell);
  return text.length > WIDEST ? `${text.slice(0, WIDEST - 1)}…` : text;
}

/** `Table of 3,333 rows, 20 columns` with the first rows below; columns beyond a line are counted. */
export function formatTable(table: Showable, rows: number): string {
  const shown = Math.min(rows, table.rows);
  const columns: string[][] = [];
  let width = 0;
  for (const name of table.names) {
    const kind = table.kinds[name] ?? "";
    const cells = Array.from({ length: shown }, (_, row) => textOf(table.at(row, name)));
    const lines = [textOf(name), kind, ...cells];
    const widest = Math.max(...lines.map(({ length }) => length));
    if (columns.length > 0 && width + widest + 2 > LINE) break;
    width += widest + 2;
    const right = kind === "number";
    columns.push(lines.map((line) => (right ? line.padStart(widest) : line.padEnd(widest))));
  }
  const title = `Table of ${countText(table.rows, "row")}, ${countOf(table.names.length, "column")}`;
  const lines = Array.from({ length: shown + 2 }, (_, line) =>
    `  ${columns.map((cells) => cells[line]).join("  ")}`.trimEnd(),
  );
  const left = table.names.length - columns.length;
  const more = [
    ...(table.rows > shown ? [`  … ${grouped(table.rows - shown)} more rows`] : []),
    ...(left > 0
      ? [
          `  … ${left} more columns: ${table.names.slice(columns.length, columns.length + 8).join(", ")}${left > 8 ? ", …" : ""}`,
        ]
      : []),
  ];
  return [title, ...(table.names.length === 0 ? [] : lines), ...more].join("\n");
}
