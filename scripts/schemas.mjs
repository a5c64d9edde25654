// docs/schemas/: the JSON Schemas (draft-07) of files that people write, from descriptions in zod, which is none of the package's dependencies.
//
//     npm run schemas              write them
//     npm run schemas -- --check   fail where they are not what is described here
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { root } from "./tools.mjs";

const common = {
  missing: z.array(z.string()).optional().describe("Texts that stand for a missing value, besides nothing at all"),
  why: z.string().optional().describe("Why it was guessed; changes nothing"),
};

const UNUSED = ["id", "ignore"];
const PLAIN = ["number", "category", "text", ...UNUSED];

/** @param {string} kind */
const plain = (kind) => z.strictObject({ kind: z.literal(kind), ...common });

const column = z.union([
  z.enum([...PLAIN, "boolean", "date"]).describe("The kind alone"),
  ...PLAIN.map(plain),
  z.strictObject({
    kind: z.literal("boolean"),
    levels: z.tuple([z.string(), z.string()]).optional().describe("How false and true are written"),
    ...common,
  }),
  z.strictObject({
    kind: z.literal("date"),
    format: z.enum(["ymd", "dmy", "mdy"]).optional().describe("In which order year, month and day stand"),
    ...common,
  }),
]);

/** What the columns of a table mean: lib/table/schema/schema.ts. */
export const tableSchema = z.strictObject({
  $schema: z.string().optional(),
  columns: z.record(z.string(), column).describe("What each column is, by its name"),
  target: z
    .union([z.string(), z.array(z.string()).min(1)])
    .optional()
    .describe("The column that is to be predicted, or several"),
  task: z.enum(["binary", "classes", "value", "values", "labels"]).optional().describe("What the target asks for"),
});

const name = z.string().min(1);
/** What a name of a folder may be everywhere: as in lib/job/job.ts. */
const BARRED = String.raw`/\\:*?"<>|\u0000-\u001f`;
const NAME = new RegExp(String.raw`^(?![.\s-])[^${BARRED}]{1,100}(?<![.\s])$`);
const names = z.union([name, z.array(name).min(1)]);
/** @param {number} min @param {number} max */
const count = (min, max) => z.int().min(min).max(max);
const character = z.string().length(1);

/** How the bytes of a table are read. */
const reading = z.strictObject({
  format: z
    .enum(["csv", "tsv", "jsonl", "parquet", "arrow", "npy", "npz"])
    .optional()
    .describe("What the bytes are, where name and bytes do not tell it"),
  delimiter: character.optional().describe("What stands between values"),
  quote: character.optional().describe("What texts stand in"),
  decimal: z.enum([".", ","]).optional().describe("What fractions begin with"),
  header: z.boolean().optional().describe("Whether the first row has names"),
  encoding: z.enum(["utf-8", "latin1", "utf-16le"]).optional(),
  columns: z.array(name).min(1).optional().describe("Names of the columns, in the place of those of the first row"),
  missing: z.array(z.string()).optional().describe("Words that stand for a missing number, besides nothing at all"),
  rows: count(1, Number.MAX_SAFE_INTEGER).optional().describe("Rows to read, from the first on"),
});

/** A query of a database. */
const query = z.strictObject({
  sql: name.describe("One statement that gives rows"),
  from: name.describe("postgres://user@host/database, a file of SQLite or DuckDB, or duckdb:"),
  parameters: z
    .array(z.union([z.string(), z.number(), z.boolean(), z.null()]))
    .optional()
    .describe("What stands for $1 or ?"),
});

/** What `carillon train --job` takes: lib/job/job.ts. */
export const jobSchema = z.strictObject({
  $schema: z.string().optional(),
  data: z.union([names, query]).describe("Files, patterns of files, '-' for standard input, or a query of a database"),
  target: names.optional().describe("The column that is to be predicted, or several; by default that of the schema"),
  schema: z
    .union([name, tableSchema.extend({ columns: tableSchema.shape.columns.optional(), target: names.optional() })])
    .optional()
    .describe("What columns are, or the file that says it; columns that it does not name are guessed"),
  read: reading.optional().describe("How the files are read"),
  transforms: z
    .record(z.string(), z.strictObject({ kind: name, options: z.record(z.string(), z.unknown()).optional() }))
    .optional()
    .describe("What columns become, by name, in the place of the defaults"),
  preset: z.enum(["fast", "auto", "best"]).optional().describe("How much work goes into the model; 'auto' by default"),
  epochs: count(1, 1_000_000).optional().describe("Times that all training rows are seen"),
  batchSize: count(1, 1_000_000).optional().describe("Rows a step"),
  folds: count(1, 1000).optional().describe("Members, each trained without one of so many parts of the rows"),
  minutes: z.number().gt(0).optional().describe("Minutes that training may take"),
  memory: z
    .number()
    .min(0)
    .optional()
    .describe(
      "Megabytes up to which the data is held as one table; 64 by default. What is larger is read block by block",
    ),
  seed: count(0, Number.MAX_SAFE_INTEGER).optional().describe("Parts, first weights, order, masks; 0 by default"),
  threads: count(1, 1024).optional().describe("Threads, at most; the bits do not depend on it"),
  metric: z
    .enum(["accuracy", "logLoss", "auc", "rmse"])
    .optional()
    .describe("The figure that the best epoch is chosen by"),
  lr: z.number().gt(0).optional().describe("Learning rate at its peaks"),
  dropout: z.number().min(0).lt(1).optional().describe("Share of hidden units that are dropped in training"),
  hidden: z.array(count(1, 65_536)).min(1).optional().describe("Units of the hidden layers"),
  name: z.string().regex(NAME).optional().describe("Name of the run, and of its folder"),
  runs: name.optional().describe("The folder that has a folder of every run; 'runs' by default"),
  ran: z
    .record(z.string(), z.unknown())
    .optional()
    .describe("What carillon tells of the run that had this job; changes nothing"),
});

/** @type {Readonly<Record<string, import("zod").ZodType>>} */
const SCHEMAS = { "docs/schemas/table.json": tableSchema, "docs/schemas/job.json": jobSchema };

/** @param {import("zod").ZodType} schema */
const textOf = (schema) => `${JSON.stringify(z.toJSONSchema(schema, { target: "draft-7", io: "input" }), null, 2)}\n`;

if (argv[1] === fileURLToPath(import.meta.url)) {
  const check = argv.includes("--check");
  for (const [name, schema] of Object.entries(SCHEMAS)) {
    const file = join(root, name);
    const text = textOf(schema);
    if (!check) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    } else if (JSON.stringify(JSON.parse(readFileSync(file, "utf8")), null, 2) !== text.trimEnd()) {
      console.error(`${name} is not what scripts/schemas.mjs describes: npm run schemas`);
      process.exitCode = 1;
    }
  }
}
