// npm run crash-test -- [--kills 100] [--seed 1]: a training job that is killed by SIGKILL at random moments ends with the
// bits of one that was not. The program is its own job: `job FOLDER` trains there.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { crashTest } from "./crash.js";
import { trainJob } from "./job.js";

/** Share of the kills that has to hit a write. */
const INSIDE_SHARE = 0.2;

const [first, dir] = process.argv.slice(2);
if (first === "job") {
  await trainJob(dir ?? "");
} else {
  const { values } = parseArgs({ options: { kills: { type: "string" }, seed: { type: "string" } } });
  const kills = Number(values.kills ?? 100);
  const seed = Number(values.seed ?? 1);
  const started = performance.now();
  const job = [process.execPath, fileURLToPath(import.meta.url), "job"];
  const tell = process.stdout.isTTY ? (line: string): void => console.log(line) : undefined;
  const report = await crashTest({ job, kills, insideWrites: Math.ceil(kills * INSIDE_SHARE), seed, tell });
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(JSON.stringify({ ...report, seed, seconds }, null, 2));
  process.exitCode = report.failures.length === 0 ? 0 : 1;
}
