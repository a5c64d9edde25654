import { isError } from "../errors.js";
import { checkJob, type Job, type JobData, type JobQuery, type JobReading } from "../job/job.js";
import { readJobFile } from "../job/job_file.js";
import { UsageError } from "./terms.js";

/** How a table is read, as the command line has it. */
export interface ReadingFlags {
  readonly format?: JobReading["format"];
  readonly delimiter?: string;
  readonly decimal?: JobReading["decimal"];
  readonly encoding?: JobReading["encoding"];
  /** `--no-header` makes it false. */
  readonly header?: boolean;
  readonly rows?: number;
  /** A query, in the place of files, and the database that it is of. */
  readonly sql?: string;
  readonly from?: string;
}

/** Those flags that were given, as a job has them; `\t` stands for a tab. */
export function readingOf({ format, delimiter, decimal, encoding, header, rows }: ReadingFlags): JobReading {
  const given = {
    format,
    delimiter: delimiter === "\\t" ? "\t" : delimiter,
    decimal,
    encoding,
    header: header === false ? false : undefined,
    rows,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** What `carillon inspect` is told. */
export interface InspectFlags extends ReadingFlags {
  readonly target?: readonly string[];
  readonly schema?: string;
  readonly out?: string;
  readonly json?: boolean;
}

/** What `carillon train` is told. */
export interface TrainFlags extends ReadingFlags {
  readonly target?: readonly string[];
  readonly job?: string;
  readonly schema?: string;
  readonly preset?: Job["preset"];
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly folds?: number;
  readonly minutes?: number;
  readonly memory?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly metric?: Job["metric"];
  readonly lr?: number;
  readonly dropout?: number;
  readonly hidden?: readonly number[];
  readonly name?: string;
  readonly runs?: string;
  readonly resume?: string;
  readonly log: string;
  /** `--no-report` makes it false. */
  readonly report: boolean;
  /** A port, or none named. */
  readonly watch?: string | true;
}

/** What `carillon search` is told. */
export interface SearchFlags extends Omit<TrainFlags, "log" | "watch" | "report"> {
  readonly trials?: number;
  readonly jobs?: number;
}

/** Names that options have on the command line. */
const asFlag = (key: string): string => `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** The job that files and flags ask for: flags go before what a job file says. `UsageError` for flags that no job may have. */
export async function jobOfFlags(command: string, files: readonly string[], flags: TrainFlags): Promise<Job> {
  const { format: _f, delimiter: _d, decimal: _p, encoding: _e, header: _h, rows: _r, sql, from, ...others } = flags;
  const { job: path, resume: _resume, log: _log, watch: _watch, report: _report, target, ...rest } = others;
  const [first = ""] = files;
  const isJob = path === undefined && files.length === 1 && /\.ya?ml$/i.test(first);
  const file = isJob ? first : path;
  const written = file === undefined ? undefined : await readJobFile(file);
  const named = isJob ? [] : files;
  const data = queryOf(named, sql, from) ?? (named.length === 0 ? written?.data : named.length === 1 ? first : named);
  if (data === undefined) throw new UsageError(`'carillon ${command}' wants a table, or a job by --job FILE`);
  const read = { ...written?.read, ...readingOf(flags) };
  const given = {
    ...written,
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
    data,
    ...(target === undefined ? {} : { target: target.length === 1 ? target[0] : target }),
    ...(Object.keys(read).length === 0 ? {} : { read }),
  };
  const job = checkFlags(given);
  if (job.target === undefined && job.schema === undefined)
    throw new UsageError(`'carillon ${command}' wants the column that is to be predicted: --target COLUMN`);
  return job;
}

/** A job whose errors are of flags, as a job file's own have been told. */
function checkFlags(given: object): Job {
  try {
    return checkJob("job", given);
  } catch (error) {
    const where: unknown = isError(error) ? Reflect.get(error, "where") : undefined;
    const [, key] = typeof where === "string" ? (/^job\.(?:read\.)?(\w+)/.exec(where) ?? []) : [];
    if (!isError(error) || key === undefined) throw error;
    throw new UsageError(error.message.replace(`'${String(where)}'`, () => `'${asFlag(key)}'`));
  }
}

/** The port of a live page; any that is free where none is named. */
export function portOf(watch: string | true | undefined): number | undefined {
  if (watch === undefined || watch === true) return watch === true ? 0 : undefined;
  const port = /^\d+$/.test(watch) ? Number(watch) : Number.NaN;
  if (port <= 65_535) return port;
  throw new UsageError(`expected an integer in [0, 65535] for '--watch' but received '${watch}'`);
}

/** How a run tells of itself. */
export function checkLog(log: string): "text" | "json" {
  if (log === "text" || log === "json") return log;
  throw new UsageError(`expected 'text' or 'json' for '--log' but received '${log}'`);
}

/** What `carillon predict` is told. */
export interface PredictFlags extends ReadingFlags {
  readonly out?: string;
  readonly as?: string;
  readonly keep?: readonly string[];
}

/** What `carillon evaluate` is told. */
export interface EvaluateFlags extends ReadingFlags {
  readonly json?: boolean;
}

/** What a table is read from: a query, or files, of which one alone may be standard input. */
export function sourceOf(command: string, files: readonly string[], { sql, from }: ReadingFlags): JobData {
  const query = queryOf(files, sql, from);
  if (query !== undefined) return query;
  const [first, ...others] = files;
  if (first === undefined) throw new UsageError(`'carillon ${command}' wants a file, or a query by --sql and --from`);
  return others.length === 0 ? first : files;
}

function queryOf(files: readonly string[], sql: string | undefined, from: string | undefined): JobQuery | undefined {
  if (sql === undefined && from === undefined) return undefined;
  if (sql === undefined || from === undefined || files.length > 0)
    throw new UsageError("a query has '--sql' and '--from', and no files");
  return { sql, from };
}
