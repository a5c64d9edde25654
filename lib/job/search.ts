// A search over jobs: some drawn at random, of which the better third goes on with three times the epochs, and so on (successive halving:
// Jamieson, Talwalkar 2016).
import type { Job } from "./job.js";

/** What a trial changes in a job. */
export type Changes = Pick<Job, "lr" | "dropout" | "hidden" | "batchSize">;

/** Values that are drawn. */
const SPACE = {
  lr: [0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.16],
  dropout: [0, 0.05, 0.1, 0.15, 0.2, 0.3],
  hidden: [
    [64, 64],
    [128, 128, 128],
    [256, 256],
    [256, 256, 256],
    [512, 256, 128],
    [512, 512, 512],
  ],
  batchSize: [64, 128, 256, 512],
} as const;

/** One of so many stays, with so many times the epochs. */
const SHARE = 3;

/** Numbers of 32 bits, the same on every machine (splitmix32). */
export function draws(seed: number): () => number {
  let state = (seed ^ 0x2545_f491) >>> 0;
  return () => {
    state = (state + 0x9e37_79b9) >>> 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0_aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
}

/** Trials: the job as it is, then others, drawn in turn, so that more trials begin with the same ones. */
export function trialsOf(count: number, seed: number): readonly Changes[] {
  const next = draws(seed);
  const one = <T>(list: readonly T[]): T | undefined => list[next() % list.length];
  return Array.from({ length: count }, (_, trial): Changes => {
    const drawn = {
      lr: one(SPACE.lr),
      dropout: one(SPACE.dropout),
      hidden: one(SPACE.hidden),
      batchSize: one(SPACE.batchSize),
    };
    return trial === 0 ? {} : drawn;
  });
}

/** A round: how many trials are in it, and how many epochs each has. */
export interface Round {
  readonly trials: number;
  readonly epochs: number;
}

/** Rounds from the first with all trials to the last, with all epochs. */
export function roundsOf(trials: number, epochs: number): readonly Round[] {
  const counts = [trials];
  for (let left = trials; left > 1; ) {
    left = Math.max(1, Math.floor(left / SHARE));
    counts.push(left);
  }
  return counts.map((count, at) => {
    let share = 1;
    for (let round = at; round < counts.length - 1; round++) share *= SHARE;
    return { trials: count, epochs: Math.max(1, Math.round(epochs / share)) };
  });
}

/** A fifth of the rows, by a draw, and the rest. */
export function partsOf(rows: number, seed: number): { readonly train: Uint32Array; readonly validation: Uint32Array } {
  const next = draws(seed + 1);
  const order = Uint32Array.from({ length: rows }, (_, row) => row);
  for (let at = rows - 1; at > 0; at--) {
    const other = next() % (at + 1);
    const kept = order[at] ?? 0;
    order[at] = order[other] ?? 0;
    order[other] = kept;
  }
  const held = Math.max(1, Math.floor(rows / 5));
  return { train: order.slice(held).sort(), validation: order.slice(0, held).sort() };
}
