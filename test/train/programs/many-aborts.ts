// 1,000 aborted runs, at all kinds of moments; prints native memory and threads before and after (--expose-gc, Linux).
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adam, crossEntropy, dropout, fit, linear, relu, runtime, sequential } from "carillon";
import { clusters } from "../synthetic.js";

const RUNS = 1000;
const data = clusters(200, 16, 4);
const root = mkdtempSync(join(tmpdir(), "carillon-aborts-"));
let folders = 0;

/** The steps that it had done when it was aborted, after `delay` turns of the event loop; every tenth run writes checkpoints. */
async function aborted(index: number, delay: number): Promise<void> {
  const model = sequential(linear(16, 32), relu(), dropout(0.2), linear(32, 4));
  const aborting = new AbortController();
  const checkpoint = index % 10 === 0 ? { dir: join(root, `run-${folders++}`), every: { steps: 5 } } : undefined;
  const run = fit(model, {
    data,
    validation: data,
    loss: crossEntropy(),
    optimizer: adam(),
    steps: 1_000_000,
    threads: 1 + (index % 3),
    signal: aborting.signal,
    checkpoint,
  });
  const refused = run.then(
    () => undefined,
    (error: unknown) => error,
  );
  for (let turn = 0; turn < delay; turn++) await new Promise((resolve) => setImmediate(resolve));
  const reason = new Error("enough");
  aborting.abort(reason);
  if ((await refused) !== reason) throw new Error("a run did not end with its reason");
}

/** Finalizers of native objects run in turns of the event loop after a collection. */
async function settled(): Promise<object> {
  for (let turn = 0; turn < 10; turn++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { bytes, buffers } = runtime.memory();
  return { bytes, buffers, threads: readdirSync("/proc/self/task").length };
}

// Starts the threads of all pools, whatever else the machine does.
const whole = { data, loss: crossEntropy(), optimizer: adam(), steps: 200, threads: 3 } as const;
await fit(sequential(linear(16, 32), linear(32, 4)), whole);
for (let index = 0; index < 20; index++) await aborted(index, index);
const before = await settled();
for (let index = 0; index < RUNS; index++) await aborted(index, index % 40);
const after = await settled();
rmSync(root, { recursive: true });
console.log(JSON.stringify({ before, after }));
