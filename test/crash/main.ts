// npm run crash-test -- [--kills 100] [--fights 200] [--seed 1]: a training job that is killed by SIGKILL at random moments ends with
// the bits of one that was not; two processes that fight for one folder lose no job and mix none. `--fights` alone leaves out the
// kills. The program is its own job: `job FOLDER` trains there, `fight FOLDER SEED MANNER` fights for it.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { crashTest } from "./crash.js";
import { fight } from "./fighter.js";
import { fightTest } from "./fights.js";
import { trainJob } from "./job.js";

/** Share of the kills that has to hit a write. */
const INSIDE_SHARE = 0.2;

const [first, dir = "", jobSeed, manner] = process.argv.slice(2);
if (first === "job") {
  await trainJob(dir);
} else if (first === "fight") {
  await fight(dir, Number(jobSeed), manner === "resume" ? "resume" : "anew");
} else {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { kills: text, fights: text, seed: text } });
  const fights = Number(values.fights ?? 0);
  const kills = Number(values.kills ?? (fights > 0 ? 0 : 100));
  const seed = Number(values.seed ?? 1);
  const program = [process.execPath, fileURLToPath(import.meta.url)];
  const tell = process.stdout.isTTY ? (line: string): void => console.log(line) : undefined;
  const timed = async <T extends { readonly failures: readonly string[] }>(work: Promise<T>): Promise<void> => {
    const started = performance.now();
    const report = await work;
    const seconds = Math.round((performance.now() - started) / 1000);
    console.log(JSON.stringify({ ...report, seed, seconds }, null, 2));
    if (report.failures.length > 0) process.exitCode = 1;
  };
  if (kills > 0) {
    const insideWrites = Math.ceil(kills * INSIDE_SHARE);
    await timed(crashTest({ job: [...program, "job"], kills, insideWrites, seed, tell }));
  }
  if (fights > 0) await timed(fightTest({ job: [...program, "fight"], fights, seed, tell }));
}
