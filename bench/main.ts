// npm run bench -- SUITE [--json FILE] [--quick]: figures of the kernels and of whole steps, beside those of other libraries.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseCommand, UsageError, usage } from "./command.js";
import { machineLines, peerLines, type Suite, thisMachine } from "./report.js";

const SUITES: Readonly<Record<string, () => Promise<Suite>>> = {
  roofline: async () => (await import("./limits.js")).run,
  gemm: async () => (await import("./gemm.js")).run,
  elementwise: async () => (await import("./streamed.js")).elementwise,
  dropout: async () => (await import("./streamed.js")).dropout,
  optimizers: async () => (await import("./streamed.js")).optimizers,
  train: async () => (await import("./train/suite.js")).run,
  scaling: async () => (await import("./train/scaling.js")).run,
  together: async () => (await import("./train/together.js")).run,
  import: async () => (await import("./import.js")).run,
};

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
