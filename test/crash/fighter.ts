// The job that fights for a folder: it writes a checkpoint of about a megabyte at every step.
import { CarillonError, crossEntropy, dropout, fit, linear, relu, sequential, sgd } from "carillon";
import { bitsOf, clusters } from "../train/synthetic.js";

/** Steps of the whole job. */
export const FIGHT_STEPS = 60;

/** Whether the job goes on with what is there, or begins in a folder that must be empty. */
export type Manner = "resume" | "anew";

/**
 * Trains in `dir`. Tells where it begins, then of its end with a hash of all weights, or with whom it was refused: `refused CODE`. Any
 * other failure is thrown.
 */
export async function fight(dir: string, seed: number, manner: Manner): Promise<void> {
  const model = sequential(linear(128, 512), relu(), dropout(0.5), linear(512, 10));
  const run = fit(model, {
    data: clusters(200, 128, 10),
    loss: crossEntropy(),
    optimizer: sgd({ lr: 0.05, momentum: 0.9 }),
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
    process.stdout.write(`done ${step} ${bitsOf(model)}\n`);
  } catch (error) {
    if (!(error instanceof CarillonError) || !["ERR_BUSY", "ERR_STATE"].includes(error.code)) throw error;
    process.stdout.write(`refused ${error.code} ${error.message}\n`);
  }
}
