// npm run soak [-- --minutes 10] [--quick]: trains, resumes, aborts, predicts and saves again and again, and looks at memory after
// collections: native bytes must be the same every time, resident memory and heap must not grow. With --quick two looks, which
// tell of native bytes alone.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { adam, crossEntropy, dropout, fit, l2, linear, relu, runtime, sequential } from "carillon";
import { collected } from "../collected.js";
import { clusters } from "../train/synthetic.js";

const MEGABYTE = 2 ** 20;
const ROUNDS_A_LOOK = 10;
/** Share of the looks at the beginning that do not count: caches fill and code is compiled. */
const WARM_UP = 0.25;

/** What one look sees, in bytes. */
interface Look {
  readonly seconds: number;
  readonly native: number;
  readonly resident: number;
  readonly heap: number;
}

const data = clusters(2000, 64, 10);
const held = clusters(200, 64, 10, 2);
const started = performance.now();

/** A run with everything in it, a resumed one, an aborted one, and what a server does with the model. */
async function round(dir: string): Promise<void> {
  const model = sequential(linear(64, 256), relu(), dropout(0.3), linear(256, 10));
  const options = {
    data,
    validation: held,
    metrics: ["accuracy"],
    loss: crossEntropy(),
    optimizer: adam(),
    regularizer: l2(1e-4),
    batchSize: 64,
    averageWeights: { decay: 0.9 },
    checkpoint: { dir, keep: 2 },
    resume: "auto",
  } as const;
  await fit(model, { ...options, epochs: 2 });
  await fit(model, { ...options, epochs: 4 });
  const signal = AbortSignal.timeout(5);
  await fit(model, { ...options, epochs: 4000, signal }).catch((error: unknown) => {
    if (error !== signal.reason) throw error;
  });
  await model.predict(held.x);
  model.predictSync(held.x.subarray(0, 64));
  await model.evaluate(held, { loss: crossEntropy() });
  await model.save(join(dir, "model.safetensors"));
  await model.load(join(dir, "model.safetensors"));
  rmSync(dir, { recursive: true });
}

async function look(): Promise<Look> {
  await collected();
  const { rss, heapUsed } = process.memoryUsage();
  const seconds = (performance.now() - started) / 1000;
  return { seconds, native: runtime.memory().bytes, resident: rss, heap: heapUsed };
}

/** Growth from the first to the last look along the line of least squares, in megabytes. */
function growth(looks: readonly Look[], of: "resident" | "heap"): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const time = mean(looks.map(({ seconds }) => seconds));
  const level = mean(looks.map((one) => one[of]));
  const along = looks.reduce((sum, one) => sum + (one.seconds - time) * (one[of] - level), 0);
  const spread = looks.reduce((sum, { seconds }) => sum + (seconds - time) * (seconds - time), 0);
  const length = (looks.at(-1)?.seconds ?? 0) - (looks[0]?.seconds ?? 0);
  return ((along / spread) * length) / MEGABYTE;
}

const { values } = parseArgs({ options: { minutes: { type: "string" }, quick: { type: "boolean", default: false } } });
const minutes = Number(values.minutes ?? 10);
const root = mkdtempSync(join(tmpdir(), "carillon-soak-"));
const looks: Look[] = [];
let rounds = 0;
try {
  while (values.quick ? looks.length < 2 : performance.now() - started < minutes * 60_000) {
    for (let count = 0; count < ROUNDS_A_LOOK; count++) await round(join(root, `run-${rounds++}`));
    looks.push(await look());
  }
} finally {
  rmSync(root, { recursive: true, force: true });
}
const counted = looks.slice(Math.floor(looks.length * WARM_UP));
const report = {
  minutes,
  rounds,
  looks: looks.length,
  threads: process.platform === "linux" ? readdirSync("/proc/self/task").length : undefined,
  nativeBytes: [...new Set(looks.map(({ native }) => native))],
  residentMegabytes: looks.map(({ resident }) => Math.round((resident / MEGABYTE) * 10) / 10).join(" "),
  residentGrowthMegabytes: Number(growth(counted, "resident").toFixed(2)),
  heapGrowthMegabytes: Number(growth(counted, "heap").toFixed(2)),
};
console.log(JSON.stringify(report, null, 2));
const flat = report.nativeBytes.length === 1;
const small = values.quick || (report.residentGrowthMegabytes <= 1 && report.heapGrowthMegabytes <= 1);
if (!(flat && small)) console.error("memory grows");
process.exitCode = flat && small ? 0 : 1;
