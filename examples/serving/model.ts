// The model that is served where nobody names one: 220 figures of a customer in, the probability that they come back out.
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { adam, binaryCrossEntropy, fit, linear, type Model, relu, sequential } from "carillon";

export const INPUTS = 220;
const EXAMPLES = 4096;

/** Numbers in [−1, 1) that need no quality: a multiplicative generator modulo 2³¹ − 1. */
function figures(count: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 1_073_741_823.5 - 1;
  });
}

/** The sum of the first half of the figures decides. */
function examples(): { readonly x: Float32Array; readonly y: Int32Array } {
  const x = figures(EXAMPLES * INPUTS);
  const y = Int32Array.from({ length: EXAMPLES }, (_, row) => {
    const first = x.subarray(row * INPUTS, row * INPUTS + INPUTS / 2);
    return first.reduce((sum, value) => sum + value, 0) > 0 ? 1 : 0;
  });
  return { x, y };
}

export interface Training {
  readonly model: Model;
  readonly run: PromiseLike<unknown> & { stop(): void };
}

/** A training of `epochs` epochs; in the background, on one thread. */
export function train(epochs: number, seed = 1): Training {
  const model = sequential(linear(INPUTS, 128), relu(), linear(128, 64), relu(), linear(64, 1));
  const run = fit(model, {
    data: examples(),
    loss: binaryCrossEntropy(),
    optimizer: adam(),
    batchSize: 64,
    epochs,
    seed,
    threads: 1,
    priority: "background",
  });
  return { model, run };
}

/** Trains a model and saves it, unless the file is there. */
export async function provide(file: string, epochs: number): Promise<void> {
  if (existsSync(file)) return;
  mkdirSync(dirname(file), { recursive: true });
  const { model, run } = train(epochs);
  await run;
  await model.save(file);
}
