import { type Inferred, schemaOf } from "../index.js";
import { writeWhole } from "../job/files.js";
import { readSchemaFile } from "../job/job_file.js";
import { type InspectFlags, readingOf } from "./flags.js";
import { columnsText, complain, print, type Status } from "./terms.js";

/** What a table holds. */
export async function inspect(files: readonly string[], flags: InspectFlags): Promise<Status> {
  const known = flags.schema === undefined ? undefined : await readSchemaFile(flags.schema);
  const target = oneOrAll(flags.target) ?? known?.target;
  const found = await schemaOf(sourceOf(files), {
    ...readingOf(flags),
    target,
    schema: { columns: known?.columns ?? {} },
  });
  if (flags.out !== undefined) {
    const $schema = "node_modules/carillon/docs/schemas/table.json";
    await writeWhole(flags.out, `${JSON.stringify({ $schema, ...found.schema }, null, 2)}\n`);
  }
  if (flags.json === true) print(JSON.stringify(found, null, 2));
  else {
    print(schemaText(files.join(", "), found));
    if (flags.out !== undefined) complain(`wrote ${flags.out}: edit it, and give it back with --schema ${flags.out}`);
  }
  return 0;
}

/** Files as a table is read from: one alone may be standard input. */
export function sourceOf(files: readonly string[]): string | readonly string[] {
  const [first = "", ...others] = files;
  return others.length === 0 ? first : files;
}

/** One name, or several in a list. */
export function oneOrAll(names: readonly string[] | undefined): string | readonly string[] | undefined {
  return names?.length === 1 ? names[0] : names;
}

/** A schema as people read it: a line a column, then what should be looked at. */
export function schemaText(name: string, { schema, warnings, rows }: Inferred): string {
  const columns = Object.entries(schema.columns);
  const targets = [schema.target ?? []].flat();
  const lines = columns.map(([column, { kind, why = "as you said" }]) => [
    `  ${column}`,
    targets.includes(column) ? `${kind}, target` : kind,
    why,
  ]);
  const head = `${name}: ${count(rows, "row")}, ${count(columns.length, "column")}`;
  const task = schema.task === undefined ? [] : [`to be predicted: ${targets.join(", ")} (${schema.task})`];
  return [head, columnsText(lines), ...task, ...warnings.map(({ text }) => `warning: ${text}`)].join("\n");
}

/** `1 row`, `5,000 rows` */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
}
