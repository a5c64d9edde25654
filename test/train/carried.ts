// Windows of series that go on from one another, for tests.
import { adam, gru, linear, lstm, type Model, mse, rnn, sequential, tensor, windows } from "carillon";
import type { Numbers } from "../nn/norm_runs.js";

export const weightsOf = (model: Model): Numbers =>
  Object.fromEntries([...model.weights()].map(([name, { data }]) => [name, Array.from(data)]));

/** Three series of 60, 23 and 37 steps of two numbers. */
export const SERIES = [60, 23, 37].map((steps, own) =>
  tensor(Array.from({ length: steps }, (_, t) => [Math.sin(own + t / 3), Math.cos(own * 2 + t / 5)])),
);

/** A network with everything that is drawn, and how it learns. */
export const drawing = (kind: "lstm" | "gru" | "rnn"): Model =>
  sequential(
    { input: [4, 2] },
    { lstm, gru, rnn }[kind](2, 6, {
      layers: 2,
      sequences: true,
      dropout: 0.2,
      recurrentDropout: 0.2,
      dropConnect: 0.1,
    }),
    linear(6, 1),
  ) as unknown as Model;

export const CARRIED = windows(SERIES, { length: 4, targets: [0], sequences: true, carry: true });

export const OPTIONS = {
  data: CARRIED,
  ...{ batchSize: 6, epochs: 4, seed: 5, loss: mse(), optimizer: adam({ lr: 0.01 }) },
} as const;
