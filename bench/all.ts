// npm run bench -- all: every suite, each in a process of its own, so that one that fails or hangs costs only itself.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "./command.js";
import { slugOf } from "./processor.js";
import type { Machine, Report } from "./report.js";

/** Where reports lie that docs/performance.md is made from: a folder a kind of processor. */
export const RESULTS = "bench/results";

/** Milliseconds that a suite may take. */
const PATIENCE = 3_600_000;

/** The quickest first, so that much is there when somebody loses patience. */
const LAST: readonly string[] = ["gemm", "elementwise", "scaling", "together", "embeddings", "layers", "train"];

/** All of `names`, in the order in which they are run. */
export function orderOf(names: readonly string[]): string[] {
  const rank = (name: string): number => LAST.indexOf(name);
  return names.toSorted((a, b) => rank(a) - rank(b));
}

/** The folder for the reports; undefined: none are written. */
export function folderOf({ json }: Pick<Command, "json">, { kind }: Machine): string | undefined {
  return json === "" ? join(RESULTS, slugOf(kind)) : json;
}

/** Whether a report of this suite, from this revision and with the same options, lies there already. */
export function isDone(file: string, { revision }: Machine): boolean {
  if (revision === null || revision.endsWith("-dirty") || !existsSync(file)) return false;
  const { machine } = JSON.parse(readFileSync(file, "utf8")) as Report; // our own
  return machine.revision === revision;
}

/** Arguments of a suite's process. */
function argumentsOf(suite: string, file: string | undefined, command: Command): string[] {
  const { seconds, threads, only, quick } = command;
  return [
    suite,
    ...(file === undefined ? [] : ["--json", file]),
    ...(seconds === undefined ? [] : ["--seconds", String(seconds)]),
    "--threads",
    threads.join(","),
    ...(only === undefined ? [] : ["--only", only.source]),
    ...(quick ? ["--quick"] : []),
  ];
}

/** Runs all suites one after another; gives those that failed. What a former call has done of the same revision is kept. */
export function runAll(names: readonly string[], command: Command, machine: Machine): string[] {
  const folder = folderOf(command, machine);
  if (folder !== undefined) mkdirSync(folder, { recursive: true });
  const [node = process.execPath, program = ""] = process.argv;
  return orderOf(names).filter((suite) => {
    const file = folder === undefined ? undefined : join(folder, `${suite}.json`);
    if (file !== undefined && isDone(file, machine)) {
      console.log(`\n${suite}: done (${file}; remove it to measure again)`);
      return false;
    }
    console.log(`\n=== ${suite}`);
    const args = [...process.execArgv, program, ...argumentsOf(suite, file, command)];
    const { status, error } = spawnSync(node, args, { stdio: "inherit", timeout: PATIENCE });
    if (status === 0) return false;
    console.error(`${suite}: FAILED (${error?.message ?? `status ${status}`})`);
    return true;
  });
}
