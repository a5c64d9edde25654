// The command line of the benchmarks.
import { parseArgs } from "node:util";
import { nearest } from "../lib/words.js";

/** What may stand in the place of a suite. */
export const COMMANDS: readonly string[] = ["all", "tables"];

export interface Command {
  readonly suite: string;
  /** File for the report, or folder for those of all suites; empty: the usual one; undefined: none. */
  readonly json: string | undefined;
  readonly seconds: number | undefined;
  readonly threads: readonly number[];
  readonly only: RegExp | undefined;
  readonly quick: boolean;
}

/** Arguments that make no sense; the message says what was wanted. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export function usage(suites: readonly string[]): string {
  return [
    "usage: npm run bench -- SUITE [--json FILE] [--seconds S] [--threads 1,2] [--only PATTERN] [--quick]",
    "       npm run bench -- all [--json [FOLDER]] […]",
    "       npm run bench -- tables",
    `  SUITE           ${suites.join(", ")}`,
    "  all             every suite, each report as soon as it ends; what the folder has of this revision is not repeated",
    "  tables          the tables of docs/performance.md anew, from the reports in bench/results",
    "  --json FILE     also write the report, with machine and peers; for all a folder (default: bench/results/PROCESSOR)",
    "  --seconds S     seconds of measuring a row (default: the suite's own)",
    "  --threads LIST  thread counts, separated by commas (default: 1,2)",
    "  --only PATTERN  rows whose name this regular expression matches, upper and lower case alike",
    "  --quick         a few rows of each kind, measured once, without peers: to see that a suite comes to its end",
    "CARILLON_PEERS=DIRECTORY[:DIRECTORY…] names where libraries to compare with are searched; see bench/README.md.",
  ].join("\n");
}

const OPTIONS = {
  json: { type: "string" },
  seconds: { type: "string" },
  threads: { type: "string" },
  only: { type: "string" },
  quick: { type: "boolean" },
} as const;

/** Of all suites `--json` needs no folder. */
function withFolder(args: readonly string[]): string[] {
  return args.map((word, index) => {
    const next = args[index + 1];
    return word === "--json" && args.includes("all") && (next === undefined || next.startsWith("-")) ? "--json=" : word;
  });
}

function split(args: readonly string[]) {
  try {
    return parseArgs({ args: withFolder(args), options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function secondsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (!(seconds > 0 && seconds < Number.POSITIVE_INFINITY)) {
    throw new UsageError(`expected a positive number for --seconds but received "${text}"`);
  }
  return seconds;
}

function threadsOf(text: string): number[] {
  return text.split(",").map((part) => {
    if (!/^[1-9]\d{0,2}$/.test(part)) {
      throw new UsageError(`expected thread counts such as 1,2 for --threads but received "${text}"`);
    }
    return Number(part);
  });
}

function patternOf(text: string | undefined): RegExp | undefined {
  if (text === undefined) return undefined;
  try {
    return new RegExp(text, "i");
  } catch {
    throw new UsageError(`expected a regular expression for --only but received "${text}"`);
  }
}

/** @throws UsageError */
export function parseCommand(args: readonly string[], suites: readonly string[]): Command {
  const { values, positionals } = split(args);
  const [suite, ...more] = positionals;
  if (suite === undefined) throw new UsageError("a suite is wanted");
  if (!suites.includes(suite)) {
    const near = nearest(suite, suites);
    throw new UsageError(`there is no suite "${suite}"${near === undefined ? "" : `. Did you mean "${near}"?`}`);
  }
  if (more.length > 0) throw new UsageError(`one suite at a time, but received "${positionals.join(" ")}"`);
  return {
    suite,
    json: values.json,
    seconds: secondsOf(values.seconds),
    threads: threadsOf(values.threads ?? "1,2"),
    only: patternOf(values.only),
    quick: values.quick ?? false,
  };
}
