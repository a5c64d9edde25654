// What the columns of a table mean for a network: plain data that people read and edit.
import { CarillonError, describe, fail } from "../../errors.js";
import { checkKeys, checkOneOf } from "../../options.js";
import { nearest } from "../../words.js";
import { DATE_FORMATS, type DateFormat } from "./dates.js";

/** What every column of a schema may say. */
interface AnyColumn {
  /** Texts that stand for a missing value, besides nothing at all. */
  readonly missing?: readonly string[] | undefined;
  /** Why it was guessed; changes nothing. */
  readonly why?: string | undefined;
}

/** Numbers. */
export interface NumberSchema extends AnyColumn {
  readonly kind: "number";
}

/** One of several values, which have no order. */
export interface CategorySchema extends AnyColumn {
  readonly kind: "category";
}

/** One of two values. */
export interface BooleanSchema extends AnyColumn {
  readonly kind: "boolean";
  /** How false and true are written; `false` and `true` by default. */
  readonly levels?: readonly [no: string, yes: string] | undefined;
}

/** Moments of time. */
export interface DateSchema extends AnyColumn {
  readonly kind: "date";
  /** In which order texts have year, month and day; `ymd` by default. */
  readonly format?: DateFormat | undefined;
}

/** Words of a language. */
export interface TextSchema extends AnyColumn {
  readonly kind: "text";
}

/** Names of rows, and columns that nothing is learned from. */
export interface UnusedSchema extends AnyColumn {
  readonly kind: "id" | "ignore";
}

/** What a column is. */
export type ColumnSchema = NumberSchema | CategorySchema | BooleanSchema | DateSchema | TextSchema | UnusedSchema;

/** What the target asks for: one of two classes, one of several, a value; several of either. */
export type Task = "binary" | "classes" | "value" | "values" | "labels";

/** What the columns of a table are, by name, and which of them is to be predicted. */
export interface Schema {
  readonly columns: Readonly<Record<string, ColumnSchema>>;
  /** The column that is to be predicted, or several. */
  readonly target?: string | readonly string[] | undefined;
  /** By default what the target's kinds say. */
  readonly task?: Task | undefined;
}

export const SCHEMA_KINDS = [
  "number",
  "category",
  "boolean",
  "date",
  "text",
  "id",
  "ignore",
] as const satisfies readonly ColumnSchema["kind"][];
export const TASKS = ["binary", "classes", "value", "values", "labels"] as const satisfies readonly Task[];

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string");

/** A column as it is given; `ERR_OPTION` and `ERR_UNKNOWN_OPTION` for what is none. */
function checkColumn(where: string, given: unknown): ColumnSchema {
  if (typeof given === "string") return checkColumn(where, { kind: given });
  const kind = checkOneOf(`${where}.kind`, Reflect.get(Object(given), "kind"), SCHEMA_KINDS);
  const own = kind === "boolean" ? ["levels"] : kind === "date" ? ["format"] : [];
  checkKeys(where, given, ["kind", "missing", "why", ...own]);
  const { missing, why, levels, format }: Readonly<Record<string, unknown>> = { ...Object(given) };
  if (missing !== undefined && !isTexts(missing)) fail("ERR_OPTION", `${where}.missing`, "a list of texts", missing);
  if (why !== undefined && typeof why !== "string") fail("ERR_OPTION", `${where}.why`, "a text", why);
  const common = { ...(missing === undefined ? {} : { missing }), ...(why === undefined ? {} : { why }) };
  switch (kind) {
    case "boolean": {
      if (levels === undefined) return { kind, ...common };
      const [no, yes, more] = isTexts(levels) ? levels : [];
      if (no === undefined || yes === undefined || more !== undefined || no === yes)
        return fail("ERR_OPTION", `${where}.levels`, "two different texts, for false and true,", levels);
      return { kind, levels: [no, yes], ...common };
    }
    case "date":
      return {
        kind,
        ...(format === undefined ? {} : { format: checkOneOf(`${where}.format`, format, DATE_FORMATS) }),
        ...common,
      };
    default:
      return { kind, ...common };
  }
}

/** Names of the target, in a list. */
export function targetsOf({ target }: Pick<Schema, "target">): readonly string[] {
  if (target === undefined) return [];
  return typeof target === "string" ? [target] : target;
}

/** A schema as it is given, such as `JSON.parse` has it; `ERR_OPTION` and `ERR_UNKNOWN_OPTION` name what is none. */
export function checkSchema(where: string, given: unknown): Schema {
  checkKeys(where, given, ["$schema", "columns", "target", "task"]);
  const { $schema, columns, target, task }: Readonly<Record<string, unknown>> = { ...Object(given) };
  if ($schema !== undefined && typeof $schema !== "string")
    return fail("ERR_OPTION", `${where}.$schema`, "a text", $schema);
  if (typeof columns !== "object" || columns === null || Array.isArray(columns))
    return fail("ERR_OPTION", `${where}.columns`, "columns by name", columns);
  const checked = Object.entries(columns).map(
    ([name, one]: [string, unknown]) => [name, checkColumn(`${where}.columns.${name}`, one)] as const,
  );
  const schema: Schema = {
    columns: Object.fromEntries(checked),
    ...(target === undefined
      ? {}
      : {
          target: checkTarget(
            `${where}.target`,
            target,
            checked.map(([name]) => name),
          ),
        }),
    ...(task === undefined ? {} : { task: checkOneOf(`${where}.task`, task, TASKS) }),
  };
  return schema;
}

function checkTarget(where: string, target: unknown, names: readonly string[]): string | readonly string[] {
  const list = typeof target === "string" ? [target] : target;
  if (!isTexts(list) || list.length === 0) return fail("ERR_OPTION", where, "the name of a column, or several", target);
  const unknown = list.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const near = nearest(unknown, names);
    const hint = near === undefined ? "" : `. Did you mean '${near}'?`;
    throw new CarillonError(
      "ERR_OPTION",
      where,
      `expected columns of the schema for '${where}' but received ${describe(unknown)}${hint}`,
    );
  }
  const twice = list.find((name, at) => list.indexOf(name) !== at);
  if (twice !== undefined) return fail("ERR_OPTION", where, "every column once", twice);
  return typeof target === "string" ? target : list;
}
