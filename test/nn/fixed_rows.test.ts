// Programs with as many rows as their input says draw as those of a batch do: masks of their own are recorded, not computed at once.
import { expect, test } from "vitest";
import {
  attention,
  dropout,
  gru,
  linear,
  lstm,
  program,
  residual,
  rnn,
  sequential,
  spatialDropout,
  spec,
  type Tensor,
  tensor,
} from "../../lib/index.js";

const [ROWS, TIME, SIZE] = [4, 5, 8] as const;
const x = tensor(
  Float32Array.from({ length: ROWS * TIME * SIZE }, (_, index) => Math.sin(index) / 2),
  [ROWS, TIME, SIZE],
);

const input = { input: [TIME, SIZE] } as const;
const models = [
  ["gru with a mask a sequence", sequential(input, gru(SIZE, SIZE, { sequences: true, recurrentDropout: 0.5 }))],
  [
    "lstm with a mask a step",
    sequential(input, lstm(SIZE, SIZE, { sequences: true, recurrentDropout: 0.5, recurrentMask: "step" })),
  ],
  ["rnn with dropped weights", sequential(input, rnn(SIZE, SIZE, { sequences: true, dropConnect: 0.5 }))],
  ["gru with dropout between layers", sequential(input, gru(SIZE, SIZE, { layers: 2, sequences: true, dropout: 0.5 }))],
  ["residual that leaves examples out", sequential(input, residual({ dropPath: 0.5 }, linear(SIZE, SIZE)))],
  ["attention with dropout", sequential(input, attention(SIZE, 2, { dropout: 0.5 }))],
  ["dropout", sequential(input, dropout({ rate: 0.5 }))],
  ["spatial dropout", sequential(input, spatialDropout({ rate: 0.5 }))],
] as const;

test.each(models)("%s", (_name, model) => {
  model.initialize(3);
  const step = (rows: number | "batch"): Tensor => {
    const compiled = program({
      seed: 7,
      training: true,
      inputs: { x: spec([rows, TIME, SIZE]) },
      maxBatch: rows === "batch" ? ROWS : undefined,
      body: (inputs) => ({ y: model.forward(inputs.x) }),
    });
    return compiled.runSync({ x }).y;
  };
  const [fixed, batch] = [step(ROWS), step("batch")];
  expect(fixed.data).toEqual(batch.data);
  expect(fixed.data).not.toEqual(model.predictSync(x).data);
});
