// The job that is killed: everything that a checkpoint has to bring back is in it.
import { createHash } from "node:crypto";
import {
  batchNorm,
  type Callback,
  cosineDecay,
  crossEntropy,
  dropout,
  fit,
  l2,
  linear,
  relu,
  type State,
  sequential,
  sgd,
} from "carillon";
import { bitsOf, clusters } from "../train/synthetic.js";

/** Steps of the whole job. */
export const STEPS = 2000;
const EVERY = 40;

/** Halves the learning rate for a while when the loss of an epoch has risen: its state is part of the future. */
class Cautious implements Callback {
  readonly name = "cautious";
  readonly every = { steps: 25 };
  #last = Number.POSITIVE_INFINITY;

  decide(at: Parameters<Callback["decide"]>[0]): void {
    at.rateScale = at.loss > this.#last ? at.rateScale / 2 : Math.min(1, at.rateScale * 1.25);
    this.#last = at.loss;
  }

  state(): State {
    return this.#last;
  }

  restore(state: State): void {
    this.#last = Number(state);
  }
}

/** Trains in `dir`, from where the last life ended. Tells of its start, and of the end with a hash of all weights. */
export async function trainJob(dir: string): Promise<void> {
  const model = sequential(
    linear(128, 512),
    batchNorm(512),
    relu(),
    dropout(0.5),
    linear(512, 128),
    relu(),
    dropout(0.2),
    linear(128, 10),
  );
  const run = fit(model, {
    data: clusters(1000, 128, 10),
    validation: clusters(100, 128, 10, 2),
    loss: crossEntropy(),
    optimizer: sgd({ lr: cosineDecay({ lr: 0.05, steps: STEPS }), momentum: 0.9, nesterov: true }),
    regularizer: l2(1e-4),
    averageWeights: { decay: 0.99 },
    callbacks: [new Cautious()],
    steps: STEPS,
    batchSize: 32,
    seed: 8,
    checkpoint: { dir, every: { steps: EVERY }, keep: 3, best: { monitor: "validation.loss" } },
    resume: "auto",
  });
  for await (const event of run) {
    if (event.kind === "start") process.stdout.write(`start ${event.step} ${event.passedOver.length}\n`);
  }
  const result = await run;
  const states = createHash("sha256").update(result.checkpoint()).digest("hex");
  process.stdout.write(`done ${result.step} ${bitsOf(model)} ${states}\n`);
}
