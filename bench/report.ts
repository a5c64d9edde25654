// What a suite takes and gives, the description of the machine, and tables that grow row by row.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { runtime } from "../lib/index.js";
import { type Processor, thisProcessor } from "./processor.js";

export interface Machine extends Processor {
  /** Processors that the system shows. */
  readonly processors: number;
  /** Cores that this process may use: affinity, hyper-threads and quotas count. */
  readonly cores: number;
  readonly isa: string;
  readonly isas: readonly string[];
  readonly platform: string;
  readonly node: string;
  /** Of the native code. */
  readonly compiler: string;
  /** ISO 8601. */
  readonly date: string;
  /** Of the checkout, with `-dirty` where files have changed since; null outside of one. */
  readonly revision: string | null;
}

/** Version of a peer, null where it was not found. */
export type Peers = Readonly<Record<string, string | null>>;

export interface SuiteOptions {
  readonly machine: Machine;
  /** Seconds of measuring a row; undefined: what the suite thinks right. */
  readonly seconds: number | undefined;
  readonly threads: readonly number[];
  /** Rows whose name it matches; undefined: all. */
  readonly only: RegExp | undefined;
  /** A few rows of each kind, measured once, without peers: to see that the suite comes to its end. */
  readonly quick: boolean;
  /** A line for the terminal, as soon as it is known. */
  readonly print: (line: string) => void;
}

/** What `--json` writes. */
export interface Report<Row extends object = object> {
  readonly suite: string;
  readonly machine: Machine;
  readonly peers: Peers;
  readonly rows: readonly Row[];
  readonly summary: Readonly<Record<string, unknown>>;
}

/** A report as a file holds it: a row a line, figures of five digits. */
export function reportText({ rows, ...rest }: Report): string {
  const short = (_: string, value: unknown): unknown =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
  const lines = rows.map((row) => `    ${JSON.stringify(row, short)}`).join(",\n");
  const whole = JSON.stringify({ ...rest, rows: [] }, short, 2);
  return `${whole.slice(0, whole.lastIndexOf("[]"))}[\n${lines}\n  ]\n}\n`;
}

export type Suite = (options: SuiteOptions) => Promise<Report>;

/** Name and version of the compiler that CMake found for a build directory. */
export function compilerOf(directory: string): string {
  const files = join(directory, "CMakeFiles");
  const version = existsSync(files) ? readdirSync(files).find((name) => /^\d/.test(name)) : undefined;
  const found = version === undefined ? "" : join(files, version, "CMakeCXXCompiler.cmake");
  if (!existsSync(found)) return "unknown";
  const text = readFileSync(found, "utf8");
  const value = (key: string): string =>
    text.match(new RegExp(`set\\(CMAKE_CXX_COMPILER_${key} "(.*)"\\)`))?.[1] ?? "?";
  return `${value("ID")} ${value("VERSION")}`;
}

function git(...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync("git", args, { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** Reports and the page that is made from them change nothing that is measured. */
function revisionOfCheckout(): string | null {
  const revision = git("rev-parse", "--short", "HEAD");
  const changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results", ":!docs");
  return revision === undefined ? null : changed === "" ? revision : `${revision}-dirty`;
}

export function thisMachine(): Machine {
  return {
    ...thisProcessor(),
    processors: cpus().length,
    cores: runtime.threads,
    isa: runtime.isa,
    isas: runtime.isas,
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
    compiler: compilerOf("build/cmake"),
    date: new Date().toISOString(),
    revision: revisionOfCheckout(),
  };
}

export function machineLines(machine: Machine): string[] {
  const { cpu, kind, processors, cores, isa, platform, node, compiler, date, revision } = machine;
  const name = kind === cpu ? cpu : `${cpu} (${kind})`;
  return [
    `${name}, ${processors} processors, ${cores} cores to use, ${platform}; kernels ${isa}`,
    `Node.js ${node}, compiler ${compiler}, revision ${revision ?? "unknown"}, ${date}`,
  ];
}

export function peerLines(peers: Peers): string[] {
  return Object.entries(peers).map(([name, version]) => `peer ${name}: ${version ?? "absent"}`);
}

export interface Column<Row> {
  readonly title: string;
  readonly width: number;
  readonly align?: "left" | "right";
  readonly text: (row: Row) => string;
}

/** Lines of a table whose widths are known before its rows. */
export class Table<Row> {
  readonly #columns: readonly Column<Row>[];

  constructor(columns: readonly Column<Row>[]) {
    this.#columns = columns;
  }

  #join(text: (column: Column<Row>) => string): string {
    const cell = (column: Column<Row>): string =>
      column.align === "left" ? text(column).padEnd(column.width) : text(column).padStart(column.width);
    return this.#columns.map(cell).join("  ").trimEnd();
  }

  header(): string {
    return this.#join(({ title }) => title);
  }

  line(row: Row): string {
    return this.#join(({ text }) => text(row));
  }
}

/** A number with `digits` behind the point, "–" where there is none. */
export function fixed(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(digits);
}

/** Of an even count the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The geometric mean of positive numbers; NaN of none. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
