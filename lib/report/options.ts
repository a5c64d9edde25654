// What a report is told.
import { checkKeys, checkNumber, checkString } from "../options.js";
import { checkSignal } from "../signals.js";
import type { TableSource } from "../table/api.js";
import type { TableOptions } from "../table/options.js";
import type { ChoiceOptions } from "./curves.js";

/** Options of {@link report}. */
export interface ReportOptions {
  /** Rows that the model was not trained on. By default figures are of the rows that were held out in training. */
  readonly test?: TableSource | undefined;
  /** Megabytes up to which a source is held as one table, 64 by default, as for {@link Tabular.fit}; of a larger one some 50,000 rows are looked at. */
  readonly memory?: number | undefined;
  /** How sources are read: as for {@link table}. */
  readonly read?: TableOptions | undefined;
  /** What stands above it; by default the target. */
  readonly name?: string | undefined;
  /** How the threshold of two classes is chosen: as for {@link chooseThreshold}. */
  readonly threshold?: ChoiceOptions["by"];
  /** Rows that importances are measured on, 1000 by default. */
  readonly rows?: number | undefined;
  /** How often each column is shuffled, 5 by default. */
  readonly shuffles?: number | undefined;
  /** How often rows are drawn anew for the intervals, 1000 by default. */
  readonly repeats?: number | undefined;
  readonly seed?: number | undefined;
  /** The command that makes the model again, and the job as it was run: they are told as they are. */
  readonly command?: string | undefined;
  readonly job?: unknown;
  /** Seconds that the training took. */
  readonly seconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const KEYS = [
  ...[
    "test",
    "memory",
    "read",
    "name",
    "threshold",
    "rows",
    "shuffles",
    "repeats",
    "seed",
    "command",
    "job",
    "seconds",
    "signal",
  ],
];

/** {@link ReportOptions} with their defaults. */
export interface CheckedReport {
  readonly name: string;
  readonly threshold: NonNullable<ChoiceOptions["by"]>;
  readonly rows: number;
  readonly shuffles: number;
  readonly repeats: number;
  readonly seed: number;
  readonly command: string | undefined;
  readonly job: unknown;
  readonly seconds: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** `ERR_OPTION` and `ERR_UNKNOWN_OPTION` for what is no option. */
export function checkReport(options: ReportOptions, name: string): CheckedReport {
  checkKeys("report", options, KEYS);
  const { command, job, seconds, signal, memory } = options;
  if (memory !== undefined && memory !== Number.POSITIVE_INFINITY) checkNumber("report.memory", memory, { min: 0 });
  checkSignal("report", signal);
  if (command !== undefined) checkString("report.command", command);
  if (seconds !== undefined) checkNumber("report.seconds", seconds, { min: 0 });
  return {
    name: checkString("report.name", options.name ?? name),
    threshold: options.threshold ?? "f1",
    rows: checkNumber("report.rows", options.rows ?? 1000, { min: 10, integer: true }),
    shuffles: checkNumber("report.shuffles", options.shuffles ?? 5, { min: 1, max: 1000, integer: true }),
    repeats: checkNumber("report.repeats", options.repeats ?? 1000, { min: 2, max: 100_000, integer: true }),
    seed: checkNumber("report.seed", options.seed ?? 0, { min: 0, integer: true }),
    command,
    job,
    seconds,
    signal,
  };
}
