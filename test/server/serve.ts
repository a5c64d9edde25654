// The server: every request computes for a while and answers; beside that the process does what it is told.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { adam, crossEntropy, dropout, fit, linear, relu, sequential } from "carillon";
import { BATCH, CLASSES, type Delay, HIDDEN, INPUTS, type Phase, type Work } from "./messages.js";

/** Milliseconds that a request computes. */
const REQUEST_WORK = 0.3;
const NANO = 1e-6;

const FLOAT = 4;
const HELD = 5000;

interface Examples {
  readonly x: { readonly data: Float32Array; readonly shape: readonly number[] };
  readonly y: Int32Array;
}

function examples(rows: number, first: number): Examples {
  const data = new Float32Array(rows * INPUTS);
  for (let index = 0; index < data.length; index++) data[index] = (((index + first) * 7919) % 997) / 498 - 1;
  const y = Int32Array.from({ length: rows }, (_, row) => (row * 31 + first) % CLASSES);
  return { x: { data, shape: [rows, INPUTS] }, y };
}

interface Done {
  readonly steps: number;
  readonly validations: number;
  readonly checkpoints: number;
}

const NOTHING: Done = { steps: 0, validations: 0, checkpoints: 0 };

async function trainCarillon(data: Examples, validation: Examples, work: Work & { kind: "carillon" }): Promise<Done> {
  const model = sequential(
    linear(INPUTS, HIDDEN),
    relu(),
    dropout(0.5),
    linear(HIDDEN, HIDDEN),
    relu(),
    dropout(0.5),
    linear(HIDDEN, CLASSES),
  );
  const { priority, epochs, dir } = work;
  const run = fit(model, {
    data,
    validation,
    loss: crossEntropy(),
    optimizer: adam(),
    metrics: ["accuracy"],
    batchSize: BATCH,
    epochs,
    threads: 1,
    priority,
    checkpoint: { dir, keep: 2 },
  });
  const done = { steps: 0, validations: 0, checkpoints: 0 };
  for await (const event of run) {
    if (event.kind === "epoch") done.validations += 1;
    if (event.kind === "checkpoint") done.checkpoints += 1;
    if (event.kind === "end") done.steps = event.step;
  }
  return done;
}

interface TfjsFit {
  fit(x: Float32Array, y: Int32Array, sizes: object, steps: number): Promise<number>;
}

function delayOf(histogram: IntervalHistogram): Delay {
  const { max } = histogram;
  return { p50: histogram.percentile(50) * NANO, p99: histogram.percentile(99) * NANO, max: max * NANO };
}

/**
 * Serves on a port of its own and does what messages of the parent process say, until it is disconnected.
 *
 * @param bytes Of the examples that a run binds.
 */
export function serve(bytes: number): void {
  const rows = Math.floor(bytes / (INPUTS * FLOAT));
  const data = examples(rows, 0);
  const validation = examples(HELD, 1);
  const doWork = async (work: Work): Promise<Done> => {
    if (work.kind === "idle") {
      await new Promise((resolve) => setTimeout(resolve, work.seconds * 1000));
      return NOTHING;
    }
    if (work.kind === "carillon") return await trainCarillon(data, validation, work);
    const { fit: train } = (await import(work.module)) as TfjsFit; // a peer's module, found at run time
    const sizes = { inputs: INPUTS, hidden: HIDDEN, classes: CLASSES, batch: BATCH };
    return { ...NOTHING, steps: await train(data.x.data, data.y, sizes, work.steps) };
  };
  process.on("message", async (work: Work) => {
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    histogram.enable();
    const begin = performance.timeOrigin + performance.now();
    const done = await doWork(work);
    const end = performance.timeOrigin + performance.now();
    histogram.disable();
    process.send?.({ begin, end, delay: delayOf(histogram), ...done } satisfies Phase);
  });
  process.on("disconnect", () => process.exit());
  const server = createServer((_, response) => {
    const until = performance.now() + REQUEST_WORK;
    let value = 0;
    while (performance.now() < until) value += 1;
    response.end(JSON.stringify({ value }));
  });
  server.keepAliveTimeout = 0; // never: a server that stands still would close what the client is about to use
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
}
