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

/** @type {Readonly<Record<string, import("zod").ZodType>>} */
const SCHEMAS = { "docs/schemas/table.json": tableSchema };

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
