// npm run bench -- SUITE [--json FILE] [--quick]: figures of the kernels and of whole steps, beside those of other libraries.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseCommand, UsageError, usage } from "./command.js";
import { machineLines, peerLines, thisMachine } from "./report.js";
import { SUITES } from "./suites.js";

const names = Object.keys(SUITES);

/** Of measuring a row with --quick. */
const QUICK_SECONDS = 0.01;

async function main(args: readonly string[]): Promise<void> {
  const { suite, json, ...options } = parseCommand(args, names);
  const load = SUITES[suite];
  if (load === undefined) throw new UsageError(`there is no suite "${suite}"`);
  const machine = thisMachine();
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
    writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n${usage(names)}`);
  process.exitCode = 2;
}
