// A process or worker that has the folder `argv[2]` (or workerData): it trains, says so behind its first checkpoint, and rests.
// `child`: another process stands beside it, which outlives it. `chdir`: the folder is relative and the working directory changes.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { fit, linear, mse, sequential, sgd } from "carillon";

const [given = "", ...how] = process.argv.slice(2);
const dir = isMainThread ? given : String(workerData);
const tell = (text: string): void => {
  if (isMainThread) process.stdout.write(`${text}\n`);
  else parentPort?.postMessage(text);
};
const run = fit(sequential(linear(1, 1)), {
  data: { x: [[1], [2], [3]], y: [[1], [2], [3]] },
  loss: mse(),
  optimizer: sgd({ lr: 0.1 }),
  steps: how.includes("chdir") ? 9 : 1e6,
  batchSize: 3,
  checkpoint: { dir, every: { steps: 1 } },
});
let isFirst = true;
for await (const { kind } of run) {
  if (kind !== "checkpoint" || !isFirst) continue;
  isFirst = false;
  if (how.includes("chdir")) {
    process.chdir("/");
    continue;
  }
  run.pause();
  for (let quiet = 0; quiet < 4; quiet++) {
    await setTimeout(20); // what was being written when the pause was asked for
    if (readdirSync(dir).some((name) => name.startsWith(".step-"))) quiet = 0;
  }
  if (how.includes("child")) tell(`child ${spawn("sleep", ["60"], { stdio: "ignore", detached: true }).pid}`);
  tell("has it");
}
