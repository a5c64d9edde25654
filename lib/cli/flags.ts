import type { JobReading } from "../job/job.js";

/** How a table is read, as the command line has it. */
export interface ReadingFlags {
  readonly format?: JobReading["format"];
  readonly delimiter?: string;
  readonly decimal?: JobReading["decimal"];
  readonly encoding?: JobReading["encoding"];
  /** `--no-header` makes it false. */
  readonly header?: boolean;
  readonly rows?: number;
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
