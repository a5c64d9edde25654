// npm run worker-test [-- --workers 20 --rounds 50 --seed 1]: worker threads that load Carillon, train, save and load models and
// are terminated at random moments, round after round, while the main thread trains too. Fails where a run in the main
// thread gets other bits, where native memory, threads or resident memory stay behind, or where the process crashes.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { adam, crossEntropy, dropout, fit, linear, loadModel, type Model, relu, runtime, sequential } from "carillon";
import { collected } from "../collected.js";
import { clusters, numbers } from "../train/synthetic.js";

const MEGABYTE = 1_048_576;
/** Milliseconds after its start at which a worker is terminated at the latest; loading takes a good part of it. */
const LONGEST_LIFE = 2000;
/** Rounds before the first look: caches fill and code is compiled. */
const WARM_UP = 0.4;
/** Megabytes by which resident memory may grow over all rounds that count: what an allocator keeps of 20 workers. */
const MOST_GROWTH = 16;

const data = clusters(1000, 32, 4);
const make = (): Model => sequential(linear(32, 128), relu(), dropout(0.2), linear(128, 4));
const options = { data, validation: data, loss: crossEntropy(), optimizer: adam(), batchSize: 50 } as const;

/** What a worker does until it is terminated: all that takes native memory, threads and files. */
async function live(dir: string, seed: number): Promise<never> {
  for (let round = 0; ; round++) {
    const model = make();
    const priority = round % 2 === 0 ? "normal" : "background";
    const checkpoint = { dir: join(dir, `${round}`), every: { steps: 20 }, keep: 1 };
    await fit(model, { ...options, epochs: 3, seed: seed + round, threads: 1 + (round % 3), priority, checkpoint });
    await model.save(join(dir, "model.safetensors"));
    const loaded = await loadModel(join(dir, "model.safetensors"));
    await Promise.all([loaded.predict(data.x), loaded.evaluate(data, { loss: crossEntropy() })]);
    loaded.predictSync(data.x.subarray(0, 32));
    parentPort?.postMessage(round);
  }
}

function bitsOf(model: Model): string {
  const hash = createHash("sha256");
  for (const { data: weights } of model.weights().values()) hash.update(weights);
  return hash.digest("hex");
}

interface Look {
  readonly bytes: number;
  readonly buffers: number;
  readonly threads: number;
  readonly resident: number;
}

async function look(): Promise<Look> {
  await collected();
  const { bytes, buffers } = runtime.memory();
  const threads = process.platform === "linux" ? readdirSync("/proc/self/task").length : 0;
  return { bytes, buffers, threads, resident: process.memoryUsage.rss() };
}

async function main(workers: number, rounds: number, seed: number): Promise<void> {
  const random = numbers(seed);
  const self = fileURLToPath(import.meta.url);
  const failures: string[] = [];
  const looks: Look[] = [];
  let trained = 0;
  let terminated = 0;
  const trainHere = async (): Promise<string> => {
    const model = make();
    await fit(model, { ...options, epochs: 10, seed: 1 });
    return bitsOf(model);
  };
  const expected = await trainHere();
  const started = performance.now();

  const oneWorker = async (dir: string): Promise<void> => {
    const worker = new Worker(self, { workerData: { dir, seed: Math.floor(random() * 1e6) } });
    worker.on("message", () => {
      trained += 1;
    });
    const failed = once(worker, "error").then(([error]: unknown[]) => {
      failures.push(`a worker failed: ${String(error)}`);
    });
    const exit = once(worker, "exit");
    const life = LONGEST_LIFE * random();
    await Promise.race([failed, new Promise((resolve) => setTimeout(resolve, life))]);
    await worker.terminate();
    await exit;
    terminated += 1;
  };

  for (let round = 0; round < rounds; round++) {
    const root = mkdtempSync(join(tmpdir(), "carillon-workers-"));
    const folder = (index: number): string => join(root, `${index}`);
    const [bits] = await Promise.all([
      trainHere(),
      ...Array.from({ length: workers }, (_, index) => oneWorker(folder(index))),
    ]);
    if (bits !== expected) failures.push(`round ${round}: the main thread's run has other bits`);
    rmSync(root, { recursive: true, force: true });
    looks.push(await look());
  }

  const counted = looks.slice(Math.floor(rounds * WARM_UP));
  const [first, last] = [counted[0], counted.at(-1)];
  const growth = ((last?.resident ?? 0) - (first?.resident ?? 0)) / MEGABYTE;
  for (const what of ["bytes", "buffers", "threads"] as const) {
    const seen = new Set(counted.map((one) => one[what]));
    if (seen.size > 1) failures.push(`native ${what} differ from round to round: ${[...seen].join(", ")}`);
  }
  if (growth > MOST_GROWTH) failures.push(`resident memory grew by ${growth.toFixed(1)} MB`);
  const report = {
    workers,
    rounds,
    terminated,
    trained,
    seconds: Math.round((performance.now() - started) / 1000),
    first,
    last,
    residentMegabytes: looks.map(({ resident }) => Math.round(resident / MEGABYTE)).join(" "),
    failures,
  };
  console.log(JSON.stringify(report, null, 2));
  process.exitCode = failures.length === 0 ? 0 : 1;
}

// No `await` at the top level: Node.js crashes where a worker is terminated in the evaluation of a module that has one
// (v20.20, "Check failed: (location_) != nullptr" in ExecuteAsyncModule), whatever the module does.
function begin(): Promise<unknown> {
  if (!isMainThread) {
    const { dir, seed } = workerData as { readonly dir: string; readonly seed: number };
    return live(dir, seed);
  }
  const { values } = parseArgs({
    options: {
      workers: { type: "string", default: "20" },
      rounds: { type: "string", default: "50" },
      seed: { type: "string", default: "1" },
    },
  });
  return main(Number(values.workers), Number(values.rounds), Number(values.seed));
}

begin().catch((error: unknown) => {
  setImmediate(() => {
    throw error; // as an error of the thread
  });
});
