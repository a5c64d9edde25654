// Masks of the state: one a sequence, or one a step.
import {
  fit,
  gru,
  type Layer,
  linear,
  loadModel,
  lstm,
  mse,
  program,
  rnn,
  sequential,
  sgd,
  spec,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import * as ops from "../../lib/ops/index.js";
import { recurrence } from "../../lib/ops/recurrence.js";
import type { Value } from "../../lib/tensor/value.js";

const [ROWS, TIME, IN, HIDDEN, RATE] = [24, 5, 2, 6, 0.4];
const x = tensor(
  Array.from({ length: ROWS }, (_, row) =>
    Array.from({ length: TIME }, (_own, t) => [Math.sin(row + t), Math.cos(row * t)]),
  ),
);
const y = tensor(Array.from({ length: ROWS }, (_, row) => [Math.sin(row + TIME)]));

const CELLS = [
  ["lstm", "lstm", (options: object): Layer => lstm(IN, HIDDEN, options)],
  ["gru", "gru", (options: object): Layer => gru(IN, HIDDEN, options)],
  ["gru, reset in front", "gru_before", (options: object): Layer => gru(IN, HIDDEN, { ...options, resetAfter: false })],
  ["rnn", "rnn_tanh", (options: object): Layer => rnn(IN, HIDDEN, options)],
] as const;

describe.each(CELLS)("%s", (_name, cell, make) => {
  const stepwise = { recurrentDropout: RATE, recurrentMask: "step", sequences: true, name: "cell" } as const;
  const chain: (...given: readonly unknown[]) => ReturnType<typeof sequential> = sequential as never;

  test.each(["sequence", "step"] as const)("one mask a %s is what the operation is given", (recurrentMask) => {
    const model = chain({ input: [TIME, IN] }, make({ ...stepwise, recurrentMask })).initialize(3);
    const weights = model.weights();
    const drawn = (recurrentMask === "step" ? ["batch", TIME, HIDDEN] : ["batch", HIDDEN]) as readonly (
      | "batch"
      | number
    )[];
    const compiled = program({
      seed: 7,
      training: true,
      inputs: { x: spec(["batch", TIME, IN]) },
      maxBatch: ROWS,
      body({ x: given }) {
        const mask = ops.dropout(ops.broadcast(tensor(1), drawn), { rate: RATE, site: 0 });
        const found = (key: string): Value | undefined => weights.get(`cell.${key}`);
        const [weight, recurrent] = [found("weight"), found("recurrent")];
        if (weight === undefined || recurrent === undefined) throw new Error("no weights");
        const operands = { x: given, weight, recurrent, bias: found("bias"), candidate: found("candidateBias"), mask };
        const form = { cell, reverse: false, updateFirst: false, where: "cell" } as const;
        return { own: model.forward(given), expected: recurrence(operands, form).y, mask };
      },
    });
    const { own, expected, mask } = compiled.runSync({ x });
    expect(own.data).toEqual(expected.data);
    const zeros = mask.data.filter((value) => value === 0).length / mask.data.length;
    // Five deviations of a share.
    expect(Math.abs(zeros - RATE)).toBeLessThan(5 * Math.sqrt((RATE * (1 - RATE)) / mask.data.length));
  });

  const trained = async (options: object) => {
    const layers = [make({ ...stepwise, sequences: false, layers: 2, bidirectional: true }), linear(2 * HIDDEN, 1)];
    const model = chain({ input: [TIME, IN] }, ...layers);
    const own = { data: { x, y }, loss: mse(), batchSize: 8, seed: 3, optimizer: sgd({ lr: 0.1 }), steps: 9 };
    const result = await fit(model as never, { ...own, ...options } as never);
    return { bits: [...model.weights().values()].map(({ data }) => Array.from(data)), result, model };
  };

  test("any number of threads, and a resume, give the same bits; inference draws nothing", async () => {
    const { bits, model } = await trained({ threads: 1 });
    for (const threads of [2, 3, 4]) expect((await trained({ threads })).bits).toEqual(bits);
    const { result } = await trained({ steps: 4 });
    expect((await trained({ resume: result.checkpoint() })).bits).toEqual(bits);
    const loaded = await loadModel(model.bytes());
    expect((await loaded.predict(x)).data).toEqual((await model.predict(x)).data);
    expect((await model.predict(x)).data).toEqual((await model.predict(x)).data);
  });

  test("micro-batches draw the masks of the whole batch", async () => {
    const [{ bits }, { bits: divided }] = [await trained({}), await trained({ accumulate: 4 })];
    const off = bits.flatMap((values, at) => values.map((value, i) => Math.abs(value - (divided[at]?.[i] ?? 9))));
    // Sums over parts in another order: 9 steps of numbers below 4.
    expect(Math.max(...off)).toBeLessThan(2 ** -24 * 400);
  });
});

test("another word is refused", () => {
  expect(() => gru(2, 3, { recurrentMask: "steps" as "step" })).toThrow(/sequence.*step.*gru.recurrentMask/s);
});
