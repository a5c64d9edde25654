// What all commands say, and how they end.

/** Exit statuses: all is well, something is wrong, arguments make no sense, Ctrl-C. */
export type Status = 0 | 1 | 2 | 130;

/** Arguments that make no sense. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly usage: string;

  constructor(message: string, usage = "usage: carillon COMMAND\n       carillon --help says what there is") {
    super(message);
    this.usage = usage;
  }
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Characters that a value of a column takes at most. */
const WIDEST = 90;

/** Rows as text in columns; numbers stand at their right. */
export function columnsText(rows: readonly (readonly string[])[], rightFrom = Number.POSITIVE_INFINITY): string {
  const widths = rows.reduce<number[]>((found, row) => row.map((one, at) => Math.max(found[at] ?? 0, one.length)), []);
  const line = (row: readonly string[]): string =>
    row
      .map((one, at) => {
        const width = Math.min(widths[at] ?? 0, WIDEST);
        if (at >= rightFrom) return one.padStart(width);
        return at === row.length - 1 ? one : one.padEnd(width);
      })
      .join("  ");
  return rows.map(line).join("\n");
}

/** A schema as a file that editors know. */
export function schemaFile(schema: object): string {
  return `${JSON.stringify({ $schema: "node_modules/carillon/docs/schemas/table.json", ...schema }, null, 2)}\n`;
}
