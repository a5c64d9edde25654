// The job that fights for a folder: it writes a checkpoint of about a megabyte at every step. Its rows are lists and numbers, and its network
// has a table with touched rows and running statistics.
import {
  adam,
  batchNorm,
  CarillonError,
  crossEntropy,
  dropout,
  embeddingBag,
  fit,
  linear,
  network,
  ops,
  partition,
  ragged,
  relu,
  sequential,
  sgd,
  spec,
} from "carillon";
import { clusters, hashOf } from "../train/synthetic.js";

/** Steps of the whole job. */
export const FIGHT_STEPS = 60;

/** Whether the job goes on with what is there, or begins in a folder that must be empty. */
export type Manner = "resume" | "anew";

const [ROWS, FEATURES, CLASSES, WORDS] = [200, 64, 10, 500] as const;

/** A network of words beside numbers. */
function makeNetwork() {
  const head = sequential(linear(FEATURES + 32, 512), batchNorm(512), relu(), dropout(0.5), linear(512, CLASSES));
  return network({
    inputs: { x: spec(["batch", FEATURES]), words: ragged("i32") },
    layers: { bag: embeddingBag(WORDS, 32, { rows: "touched" }), head },
    forward: ({ x, words }, layers) => layers.head(ops.concat([x, layers.bag(words)])),
  });
}

/** Rows with 0 to 6 words. */
function makeData() {
  const { x, y } = clusters(ROWS, FEATURES, CLASSES);
  const offsets = new Int32Array(ROWS + 1);
  for (let row = 0; row < ROWS; row++) offsets[row + 1] = (offsets[row] ?? 0) + (row % 7);
  const ids = Int32Array.from({ length: offsets[ROWS] ?? 0 }, (_, at) => (at * 37) % WORDS);
  return { x: { x, words: { offsets, ids } }, y };
}

/**
 * Trains in `dir`. Tells where it begins, then of its end with a hash of all weights, or with whom it was refused: `refused CODE`. Any
 * other failure is thrown.
 */
export async function fight(dir: string, seed: number, manner: Manner): Promise<void> {
  const model = makeNetwork();
  const run = fit(model, {
    data: makeData(),
    loss: crossEntropy(),
    optimizer: partition([
      ["bag.*", adam()],
      ["*", sgd({ lr: 0.05, momentum: 0.9 })],
    ]),
    steps: FIGHT_STEPS,
    batchSize: 32,
    seed,
    checkpoint: { dir, every: { steps: 1 }, keep: 3 },
    ...(manner === "resume" ? { resume: "auto" } : {}),
  });
  try {
    for await (const { kind, step } of run) {
      if (kind === "start") process.stdout.write(`start ${step}\n`);
      if (kind === "checkpoint") process.stdout.write(`kept ${step}\n`);
    }
    const { step } = await run;
    process.stdout.write(`done ${step} ${hashOf(model.weights())}\n`);
  } catch (error) {
    if (!(error instanceof CarillonError) || !["ERR_BUSY", "ERR_STATE"].includes(error.code)) throw error;
    process.stdout.write(`refused ${error.code} ${error.message}\n`);
  }
}
