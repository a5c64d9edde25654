// What the tests of streams learn, in memory and example by example.
import {
  adam,
  type CarillonError,
  crossEntropy,
  type Dataset,
  dropout,
  fit,
  linear,
  type Model,
  relu,
  type StreamExample,
  sequential,
} from "../../lib/index.js";
import { bitsOf } from "../train/synthetic.js";

/** 103 examples of 3 values and two classes, in no order. */
export const ROWS = 103;
export const FEATURES = 3;
export const x = Float32Array.from({ length: ROWS * FEATURES }, (_, index) => ((index * 37) % 64) / 32 - 1);
export const y = Int32Array.from({ length: ROWS }, (_, row) => ((x[row * FEATURES] ?? 0) > 0.1 ? 1 : 0));

export const example = (row: number): StreamExample => ({
  x: x.subarray(row * FEATURES, (row + 1) * FEATURES),
  y: y[row] ?? 0,
});
export const rows = Array.from({ length: ROWS }, (_, row) => row);

export function* inOrder(): Generator<StreamExample> {
  for (const row of rows) yield example(row);
}

export const make = (): Model => sequential(linear(FEATURES, 16), relu(), dropout(0.3), linear(16, 2));
export const options = { loss: crossEntropy(), optimizer: adam({ lr: 0.01 }), batchSize: 8, seed: 5 } as const;

export async function trained(data: Dataset, extra: object = {}): Promise<string> {
  const model = make();
  await fit(model, { ...options, epochs: 4, data, ...extra });
  return bitsOf(model);
}

export async function refusal(run: PromiseLike<unknown>): Promise<CarillonError> {
  try {
    await run;
  } catch (error) {
    return error as CarillonError;
  }
  throw new Error("nothing was refused");
}
