// Builds and runs carillon_bench (bench/native), which prints a line of JSON a row.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";

/** Where the addon is built, of whose objects this is made. */
const DIRECTORY = "build/cmake";

export type Environment = Readonly<Record<string, string | undefined>>;

interface Running {
  readonly env?: Environment;
  /** For the standard input. */
  readonly input?: string;
  readonly onLine?: (line: string) => void;
}

/** Runs a command in the root of the checkout; rejects with its error output when it fails. */
async function command(name: string, args: readonly string[], { env = {}, input, onLine }: Running): Promise<void> {
  const child = spawn(name, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  let problem = "";
  child.stderr.on("data", (text: Buffer) => {
    problem += text.toString();
  });
  const closed = once(child, "close");
  child.stdin.on("error", () => undefined);
  child.stdin.end(input ?? "");
  for await (const line of createInterface({ input: child.stdout })) onLine?.(line);
  const [code, signal] = (await closed) as [number | null, string | null];
  if (code !== 0) throw new Error(`${name} ${args.join(" ")}: ${signal ?? `status ${code}`}\n${problem.trimEnd()}`);
}

let built: Promise<void> | undefined;

async function build(): Promise<void> {
  if (!existsSync(`${DIRECTORY}/CMakeCache.txt`)) await command("npm", ["run", "build:native"], {});
  const jobs = String(availableParallelism());
  await command("cmake", ["--build", DIRECTORY, "--target", "carillon_bench", "--parallel", jobs], {});
}

/**
 * Runs `carillon_bench` with these arguments, building it first, and hands over its rows as they come. Libraries that
 * it loads may print as well: what is no JSON is passed over.
 */
export async function runNative<Row>(
  args: readonly string[],
  onRow: (row: Row) => void,
  running: Omit<Running, "onLine"> = {},
): Promise<void> {
  built ??= build();
  await built;
  const onLine = (line: string): void => {
    if (line.startsWith("{")) onRow(JSON.parse(line) as Row);
  };
  await command(`${DIRECTORY}/carillon_bench`, args, { ...running, onLine });
}

export interface Limits {
  readonly threads: number;
  /** GFLOP/s of multiply-adds in registers, all threads together. */
  readonly fmaPeak: number;
  /** GB/s of the stream, in the order of the working sets that were asked for. */
  readonly bandwidths: readonly number[];
}

/** A row of the native suite `roofline`. */
export interface LimitRow {
  /** `fma`, `stream`, an optimizer whose loads and stores alone were timed, or rows that were read and then updated. */
  readonly name: string;
  readonly threads: number;
  readonly gflops?: number;
  /** Bytes. */
  readonly workingSet?: number;
  readonly readOnly?: number;
  readonly readWrite?: number;
  readonly prefetch?: boolean;
  readonly gbps?: number;
}

/** What roofline.ts asks for, now; `workingSets` in bytes. Drifts with the machine: take it in turns with what it bounds. */
export async function measureLimits(workingSets: readonly number[], threads: number, seconds = 0.2): Promise<Limits> {
  const rows: LimitRow[] = [];
  const sets = workingSets.flatMap((bytes) => ["--bytes", String(Math.round(bytes))]);
  const args = ["roofline", "--threads", String(threads), "--seconds", String(seconds), "--only", "^stream$", ...sets];
  await runNative<LimitRow>(args, (row) => rows.push(row));
  return {
    threads,
    fmaPeak: rows.find(({ name }) => name === "fma")?.gflops ?? Number.NaN,
    bandwidths: rows.filter(({ name }) => name === "stream").map(({ gbps }) => gbps ?? Number.NaN),
  };
}

/** Rows of 256 bytes that lie anywhere in tables of `bytes` bytes: read in one, then read and written in so many. */
export interface RowsOf {
  readonly bytes: number;
  readonly rows: number;
  readonly updated: number;
}

/** µs of a loop that goes through so many rows and computes nothing, now. */
export async function measureRows({ bytes, rows, updated }: RowsOf, threads: number, seconds: number): Promise<number> {
  const found: LimitRow[] = [];
  const only = ["--only", `^rows, ${updated} updated$`, "--bytes", String(bytes), "--rows", String(rows)];
  const args = ["roofline", "--threads", String(threads), "--seconds", String(seconds), ...only];
  await runNative<LimitRow>(args, (row) => found.push(row));
  const gbps = found.find(({ name }) => name.startsWith("rows"))?.gbps ?? Number.NaN;
  return (rows * ROW_BYTES * (1 + 2 * updated)) / (gbps * 1e3);
}

/** Of the rows of {@link measureRows}. */
const ROW_BYTES = 256;
