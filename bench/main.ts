// npm run bench -- SUITE [--json FILE] [--quick]: figures of the kernels and of whole steps, beside those of other libraries;
// `all` for every suite, `tables` for the tables of the documentation.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { runAll } from "./all.js";
import { COMMANDS, parseCommand, UsageError, usage } from "./command.js";
import { machineLines, peerLines, reportText, thisMachine } from "./report.js";
import { SUITES } from "./suites.js";
import { updateTables } from "./tables.js";

const suites = Object.keys(SUITES);
const names = [...suites, ...COMMANDS];

/** Of measuring a row with --quick. */
const QUICK_SECONDS = 0.01;

async function main(args: readonly string[]): Promise<void> {
  const command = parseCommand(args, names);
  const { suite, json, ...options } = command;
  if (suite === "tables") return updateTables();
  const machine = thisMachine();
  if (suite === "all") {
    const failed = runAll(suites, command, machine);
    console.log(failed.length === 0 ? "\nall: every suite has ended" : `\nall: FAILED: ${failed.join(", ")}`);
    process.exitCode = failed.length === 0 ? 0 : 1;
    return;
  }
  const load = SUITES[suite];
  if (load === undefined) throw new UsageError(`there is no suite "${suite}"`);
  console.log(machineLines(machine).join("\n"));
  const started = performance.now();
  const run = await load();
  const seconds = options.seconds ?? (options.quick ? QUICK_SECONDS : undefined);
  const report = await run({ ...options, seconds, machine, print: (line) => console.log(line) });
  const absent = peerLines(Object.fromEntries(Object.entries(report.peers).filter(([, version]) => version === null)));
  if (absent.length > 0) console.log(absent.join("\n"));
  console.log(`${suite}: ${report.rows.length} rows in ${((performance.now() - started) / 1000).toFixed(0)} s`);
  if (json !== undefined) {
    mkdirSync(dirname(json), { recursive: true });
    writeFileSync(json, reportText(report));
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n${usage(suites)}`);
  process.exitCode = 2;
}
