// Recurrent layers: the last state and a linear layer, mean squared error, Adam.

import { noise } from "../../examples/noise.js";
import { adam, fit, gru, linear, lstm, mse, sequential, tensor } from "../../lib/index.js";
import { median } from "../report.js";
import { Clock, stepsOfStretch } from "../train/clock.js";
import type { LayerCase } from "./case.js";

interface Shape {
  readonly cell: "lstm" | "gru";
  readonly steps: number;
  readonly batch: number;
  readonly inputs: number;
  readonly hidden: number;
  readonly asks: number;
}

/** Batches of examples. */
const BATCHES = 8;

function examplesOf({ steps, batch, inputs }: Shape) {
  const rows = BATCHES * batch;
  const x = Float32Array.from({ length: rows * steps * inputs }, (_, at) => 2 * noise(at, 1) - 1);
  const y = Float32Array.from({ length: rows }, (_, row) => x[row * steps * inputs] ?? 0);
  return { x: tensor(x, [rows, steps, inputs]), y: tensor(y, [rows, 1]) };
}

function caseOf(shape: Shape): LayerCase {
  const { cell, steps, batch, inputs, hidden, asks } = shape;
  const gates = cell === "lstm" ? 4 : 3;
  const rows = gates * hidden;
  // Forward, and back to the weights: the products of input and state; back to the state. To the input nothing flows.
  const flops = 2 * batch * steps * rows * (2 * inputs + 3 * hidden);
  const examples = examplesOf(shape);
  const guesses = new Map<number, number>();
  const stretches = async (threads: number, every: number, count: number): Promise<readonly number[]> => {
    const model = sequential(
      { input: [steps, inputs] },
      (cell === "lstm" ? lstm : gru)(inputs, hidden),
      linear(hidden, 1),
    );
    const clock = new Clock(every, every);
    const own = {
      batchSize: batch,
      optimizer: adam(),
      loss: mse(),
      threads,
      steps: every * (count + 1),
      callbacks: [clock],
    };
    await fit(model, { data: examples, ...own });
    return clock.times;
  };
  return {
    name: `${cell} ${steps} x ${batch}, ${inputs} -> ${hidden}`,
    batch,
    flops,
    parameters: rows * (inputs + hidden + 1) + hidden,
    // Inputs and states forward and for the weights; gates forward and back, twice each.
    bytes: 4 * batch * steps * (2 * inputs + 3 * hidden + 4 * rows),
    asked: { cell, steps, batch, inputs, hidden },
    asks,
    async measure(threads, seconds) {
      const guess = guesses.get(threads) ?? median(await stretches(threads, 4, 3));
      const every = stepsOfStretch(guess);
      const measured = median(
        await stretches(threads, every, Math.max(2, Math.round((seconds * 1e6) / (every * guess)))),
      );
      guesses.set(threads, measured);
      return measured;
    },
  };
}

/** The rows of recurrence. */
export const recurrence: readonly LayerCase[] = [
  caseOf({ cell: "lstm", steps: 20, batch: 32, inputs: 8, hidden: 64, asks: 2.5 }),
  caseOf({ cell: "gru", steps: 20, batch: 32, inputs: 8, hidden: 64, asks: 6 }),
  caseOf({ cell: "lstm", steps: 50, batch: 64, inputs: 128, hidden: 256, asks: 1.5 }),
  caseOf({ cell: "gru", steps: 50, batch: 64, inputs: 128, hidden: 256, asks: 1.5 }),
];
