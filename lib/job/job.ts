// What a run of `carillon train` is asked for: plain data, as a file or a command line has it.
import { fail } from "../errors.js";
import { checkKeys, checkNumber, checkObject, checkOneOf, checkString } from "../options.js";
import { FORMATS, type TableFormat } from "../table/formats.js";
import { checkSchema, type Schema } from "../table/schema/schema.js";
import { withoutPassword } from "../table/sql/source.js";

/** How the bytes of a table are read: options of `table` that are plain data. */
export interface JobReading {
  readonly format?: TableFormat | undefined;
  readonly delimiter?: string | undefined;
  readonly quote?: string | undefined;
  readonly decimal?: "." | "," | undefined;
  readonly header?: boolean | undefined;
  readonly encoding?: (typeof ENCODINGS)[number] | undefined;
  readonly columns?: readonly string[] | undefined;
  readonly missing?: readonly string[] | undefined;
  /** Rows to read, from the first on. */
  readonly rows?: number | undefined;
}

/** A query of a database: as `table` takes it. */
export interface JobQuery {
  readonly sql: string;
  /** `postgres://user@host/database`, a file of SQLite or DuckDB, or `duckdb:`. */
  readonly from: string;
  readonly parameters?: readonly (string | number | boolean | null)[] | undefined;
}

/** What a job learns from: files, patterns of files, `-` for standard input, or a query. */
export type JobData = string | readonly string[] | JobQuery;

/** A job: `data` and the target are all that it needs. */
export interface Job {
  readonly data: JobData;
  /** The column that is to be predicted, or several; by default that of the schema. */
  readonly target?: string | readonly string[] | undefined;
  /** What columns are, or the file that says it; columns that it does not name are guessed. */
  readonly schema?: string | Partial<Schema> | undefined;
  readonly read?: JobReading | undefined;
  /** What columns become, by name: as for `prepare`. */
  readonly transforms?: Readonly<Record<string, unknown>> | undefined;
  readonly preset?: (typeof PRESETS)[number] | undefined;
  readonly epochs?: number | undefined;
  readonly batchSize?: number | undefined;
  readonly folds?: number | undefined;
  readonly minutes?: number | undefined;
  /** Megabytes up to which the data is held as one table. */
  readonly memory?: number | undefined;
  readonly seed?: number | undefined;
  readonly threads?: number | undefined;
  readonly metric?: (typeof METRICS)[number] | undefined;
  readonly lr?: number | undefined;
  readonly dropout?: number | undefined;
  readonly hidden?: readonly number[] | undefined;
  /** Name of the run, and of its folder. */
  readonly name?: string | undefined;
  /** The folder that has a folder of every run; `runs` by default. */
  readonly runs?: string | undefined;
}

export const ENCODINGS = ["utf-8", "latin1", "utf-16le"] as const;
export const PRESETS = ["fast", "auto", "best"] as const;
export const METRICS = ["accuracy", "logLoss", "auc", "rmse"] as const;

const READING = [
  "format",
  "delimiter",
  "quote",
  "decimal",
  "header",
  "encoding",
  "columns",
  "missing",
  "rows",
] as const;

export const JOB_KEYS = [
  ...["data", "target", "schema", "read", "transforms", "preset", "epochs", "batchSize", "folds", "minutes", "memory"],
  ...["seed", "threads", "metric", "lr", "dropout", "hidden", "name", "runs"],
] as const;

/** Words of other tools. */
const MEANT: Readonly<Record<string, string>> = {
  file: "data",
  files: "data",
  input: "data",
  source: "data",
  train: "data",
  label: "target",
  labels: "target",
  y: "target",
  out: "runs",
  output: "runs",
  layers: "hidden",
  columns: "schema",
  time: "minutes",
};

/** Numbers that a job may have, and their bounds. */
export const NUMBERS = {
  epochs: { min: 1, max: 1_000_000, integer: true },
  batchSize: { min: 1, max: 1_000_000, integer: true },
  folds: { min: 1, max: 1000, integer: true },
  minutes: { above: 0 },
  memory: { min: 0 },
  seed: { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true },
  threads: { min: 1, max: 1024, integer: true },
  lr: { above: 0 },
  dropout: { min: 0, below: 1 },
} as const;

/** Characters that a name of a folder may not have somewhere: those of below the space, and some of Windows. */
const BARRED = String.raw`/\\:*?"<>|\u0000-\u001f`;

/** Names of runs: what is a name of a folder everywhere. */
export const NAME = new RegExp(String.raw`^(?![.\s-])[^${BARRED}]{1,100}(?<![.\s])$`);

function texts(where: string, value: unknown, what: string, least: number): readonly string[] {
  const all =
    Array.isArray(value) && value.length >= least && value.every((one) => typeof one === "string" && one !== "");
  return all ? value : fail("ERR_OPTION", where, what, value);
}

function oneOrSeveral(where: string, value: unknown, what: string): string | readonly string[] {
  return typeof value === "string" ? checkString(where, value) : texts(where, value, what, 1);
}

function checkReading(where: string, given: unknown): JobReading {
  checkKeys(where, given, READING);
  const read: Readonly<Record<string, unknown>> = { ...Object(given) };
  const { format, delimiter, quote, decimal, header, encoding, columns, missing, rows } = read;
  if (format !== undefined) checkOneOf(`${where}.format`, format, FORMATS);
  for (const [key, value] of Object.entries({ delimiter, quote })) {
    if (value !== undefined && !(typeof value === "string" && value.length === 1))
      fail("ERR_OPTION", `${where}.${key}`, "one character", value);
  }
  if (decimal !== undefined) checkOneOf(`${where}.decimal`, decimal, [".", ","]);
  if (header !== undefined && typeof header !== "boolean")
    fail("ERR_OPTION", `${where}.header`, "true or false", header);
  if (encoding !== undefined) checkOneOf(`${where}.encoding`, encoding, ENCODINGS);
  if (columns !== undefined) texts(`${where}.columns`, columns, "a list of names", 1);
  if (missing !== undefined && !(Array.isArray(missing) && missing.every((one) => typeof one === "string")))
    fail("ERR_OPTION", `${where}.missing`, "a list of texts", missing);
  if (rows !== undefined) checkNumber(`${where}.rows`, rows, { min: 1, integer: true });
  return read;
}

/** A schema that may leave columns out; `ERR_OPTION` and `ERR_UNKNOWN_OPTION`. */
export function checkPartialSchema(where: string, given: unknown): Partial<Schema> {
  checkObject(where, given);
  const { columns = {}, ...others }: Readonly<Record<string, unknown>> = { ...Object(given) };
  const checked = checkSchema(where, { ...others, columns, target: undefined });
  const { target } = others;
  if (target === undefined) return checked;
  return { ...checked, target: oneOrSeveral(`${where}.target`, target, "the name of a column, or several") };
}

function checkTransforms(where: string, given: unknown): Readonly<Record<string, unknown>> {
  checkObject(where, given);
  const transforms: Readonly<Record<string, unknown>> = { ...Object(given) };
  for (const [name, one] of Object.entries(transforms)) {
    checkKeys(`${where}.${name}`, one, ["kind", "options"]);
    const { kind, options }: Readonly<Record<string, unknown>> = { ...Object(one) };
    checkString(`${where}.${name}.kind`, kind);
    if (options !== undefined) checkObject(`${where}.${name}.options`, options);
  }
  return transforms;
}

function checkData(where: string, given: unknown): JobData {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    return oneOrSeveral(where, given, "a file, several, or a query");
  checkKeys(where, given, ["sql", "from", "parameters"]);
  const { sql, from, parameters }: Readonly<Record<string, unknown>> = { ...given };
  const query = { sql: checkString(`${where}.sql`, sql), from: checkString(`${where}.from`, from) };
  if (parameters === undefined) return query;
  const isPlain = (one: unknown): boolean => one === null || ["string", "number", "boolean"].includes(typeof one);
  if (!(Array.isArray(parameters) && parameters.every(isPlain)))
    return fail("ERR_OPTION", `${where}.parameters`, "a list of texts, numbers and booleans", parameters);
  return { ...query, parameters };
}

/** What messages call the data of a job. */
export function dataText(data: JobData): string {
  if (typeof data === "string") return data;
  return "sql" in data ? `a query of ${withoutPassword(data.from)}` : data.join(", ");
}

/** A job that may be written down: without the password of a database. */
export function withoutSecrets(job: Job): Job {
  const { data } = job;
  if (typeof data === "string" || !("sql" in data)) return job;
  return { ...job, data: { ...data, from: withoutPassword(data.from) } };
}

/**
 * A job as it is given, such as a file has it; `ERR_OPTION` and `ERR_UNKNOWN_OPTION` name what is none. `ran`, what is told of a run that is over, and `$schema`
 * change nothing.
 */
export function checkJob(where: string, given: unknown): Job {
  checkKeys(where, given, ["$schema", ...JOB_KEYS, "ran"], MEANT);
  const { $schema, ran, ...job }: Readonly<Record<string, unknown>> = { ...Object(given) };
  if ($schema !== undefined && typeof $schema !== "string") fail("ERR_OPTION", `${where}.$schema`, "a text", $schema);
  if (ran !== undefined) checkObject(`${where}.ran`, ran);
  const data = checkData(`${where}.data`, job.data);
  const { target, schema, read, transforms, preset, metric, hidden, name, runs } = job;
  if (target !== undefined) oneOrSeveral(`${where}.target`, target, "the name of a column, or several");
  if (typeof schema === "string") checkString(`${where}.schema`, schema);
  else if (schema !== undefined) checkPartialSchema(`${where}.schema`, schema);
  if (read !== undefined) checkReading(`${where}.read`, read);
  if (transforms !== undefined) checkTransforms(`${where}.transforms`, transforms);
  if (preset !== undefined) checkOneOf(`${where}.preset`, preset, PRESETS);
  if (metric !== undefined) checkOneOf(`${where}.metric`, metric, METRICS);
  for (const [key, range] of Object.entries(NUMBERS)) {
    if (job[key] !== undefined) checkNumber(`${where}.${key}`, job[key], range);
  }
  if (hidden !== undefined) {
    if (!(Array.isArray(hidden) && hidden.length > 0))
      fail("ERR_OPTION", `${where}.hidden`, "a list of numbers of units", hidden);
    for (const [at, units] of hidden.entries())
      checkNumber(`${where}.hidden[${at}]`, units, { min: 1, max: 65_536, integer: true });
  }
  if (name !== undefined && !(typeof name === "string" && NAME.test(name)))
    fail("ERR_OPTION", `${where}.name`, "a name that a folder may have", name);
  if (runs !== undefined) checkString(`${where}.runs`, runs);
  return { ...job, data };
}
