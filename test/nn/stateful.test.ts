// Predictors of streams: single steps of several lanes, to the bits of the whole sequences.
import {
  type AnyModel,
  conv1d,
  defineLayer,
  embedding,
  flatten,
  globalAveragePool,
  gru,
  layerNorm,
  linear,
  lstm,
  network,
  ops,
  relu,
  residual,
  rnn,
  sequential,
  spec,
  type Tensor,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";

const [TIME, FEATURES, LANES] = [9, 3, 4];

/** Step `step` of lane `lane`. */
const at = (lane: number, step: number): number[] =>
  Array.from({ length: FEATURES }, (_, k) => Math.fround(Math.sin(lane * 7 + step * 3 + k)));
const whole = tensor(
  Array.from({ length: LANES }, (_, lane) => Array.from({ length: TIME }, (_own, step) => at(lane, step))),
);

const MODELS = {
  gru: () => sequential({ input: [TIME, FEATURES] }, gru(FEATURES, 16, { sequences: true }), linear(16, 2)),
  "two layers of lstm": () =>
    sequential(
      { input: [TIME, FEATURES] },
      linear(FEATURES, 5),
      relu(),
      lstm(5, 8, { layers: 2, sequences: true }),
      layerNorm(8),
      linear(8, 2),
    ),
  "rnn, of Keras' and PyTorch's forms": () =>
    sequential(
      { input: [TIME, FEATURES] },
      rnn(FEATURES, 4, { sequences: true, activation: "relu" }),
      gru(4, 6, { sequences: true, preset: "keras" }),
      lstm(6, 5, { sequences: true, preset: "pytorch" }),
      gru(5, 4, { sequences: true, resetAfter: false }),
    ),
  "a residual block": () =>
    sequential(
      { input: [TIME, FEATURES] },
      linear(FEATURES, 6),
      gru(6, 6, { sequences: true }),
      residual(linear(6, 6), relu()),
      linear(6, 2),
    ),
} as const;

describe("steps are to the bit those of the whole sequence", () => {
  test.each(Object.entries(MODELS))("%s", async (_, make) => {
    const model = make().initialize(3);
    const all = (await model.predict(whole)) as Tensor<"f32">;
    const width = all.shape[2] ?? 0;
    const predictor = model.predictor({ stateful: true, maxBatch: LANES });
    expect(predictor.inputs).toBe(FEATURES);
    expect(predictor.outputs).toBe(width);
    for (let pass = 0; pass < 2; pass++) {
      for (let step = 0; step < TIME; step++) {
        const x = tensor(Array.from({ length: LANES }, (_own, lane) => [at(lane, step)]));
        const y = predictor.run(x) as Tensor<"f32">;
        expect(y.shape).toEqual([LANES, 1, width]);
        for (let lane = 0; lane < LANES; lane++) {
          const expected = all.data.subarray((lane * TIME + step) * width, (lane * TIME + step + 1) * width);
          expect([...y.data.subarray(lane * width, (lane + 1) * width)], `lane ${lane}, step ${step}`).toEqual([
            ...expected,
          ]);
        }
      }
      predictor.reset();
    }
  });

  test("a last state is that of each step, and a lane begins anew by itself", () => {
    const model = sequential({ input: [TIME, FEATURES] }, gru(FEATURES, 8), linear(8, 1)).initialize(5);
    const predictor = model.predictor({ stateful: true, maxBatch: 2 });
    const run = (...lanes: number[][]): number[] => [
      ...(predictor.run(tensor(lanes.map((row) => [row]))) as Tensor<"f32">).data,
    ];
    const told = Array.from({ length: 4 }, (_, step) => run(at(0, step), at(1, step)));
    predictor.reset(1);
    const again = Array.from({ length: 4 }, (_, step) => run(at(0, 4 + step), at(1, step)));
    for (let step = 0; step < 4; step++) {
      expect(again[step]?.[1]).toBe(told[step]?.[1]);
      expect(again[step]?.[0]).not.toBe(told[step]?.[0]);
    }
    // Of fewer rows only the first lanes go on.
    const [before] = [run(at(2, 0), at(3, 0)), predictor.reset()];
    const alone = model.predictor({ stateful: true, maxBatch: 2 });
    alone.run(tensor([[at(2, 0)]]));
    expect(run(at(2, 0), at(3, 0))).not.toEqual(before);
  });

  test("letters with an input beside them, and the weights of a refresh", async () => {
    const reader = () =>
      network({
        inputs: { letters: spec(["batch", 6], "i32"), who: spec(["batch", 2]) },
        layers: { letter: embedding(5, 4), cell: gru(4, 7), head: linear(9, 3) },
        forward: ({ letters, who }, { letter, cell, head }) => head(ops.concat([cell(letter(letters)), who])),
      });
    const model = reader().initialize(1);
    const ids = [0, 3, 1, 1, 4, 2];
    const who = [[0.5, -1]];
    const predictor = model.predictor({ stateful: true, maxBatch: 1 });
    const told = (model_: typeof model) => model_.predict({ letters: [ids], who });
    let last: Float32Array = new Float32Array();
    for (const id of ids) last = (predictor.run({ letters: [[id]], who }) as Tensor<"f32">).data;
    expect([...last]).toEqual([...(await told(model)).data]);
    model.initialize(2);
    await predictor.refresh();
    predictor.reset();
    for (const id of ids) last = (predictor.run({ letters: [[id]], who }) as Tensor<"f32">).data;
    expect([...last]).toEqual([...(await told(model)).data]);
  });
});

describe("refuses", () => {
  const own = defineLayer({ kind: "mine", inputs: 8, outputs: "same", forward: (x) => x });
  const input = [TIME, FEATURES] as const;
  const cell = gru(FEATURES, 8, { sequences: true });

  test.each<[string, () => AnyModel, string]>([
    ["both directions", () => sequential({ input }, gru(FEATURES, 8, { bidirectional: true })).initialize(1), "gru1"],
    ["a pool over steps", () => sequential({ input }, cell, globalAveragePool()).initialize(1), "globalAveragePool1"],
    ["a convolution", () => sequential({ input }, cell, conv1d(8, 4, { kernel: 3 })).initialize(1), "conv1d1"],
    ["flatten", () => sequential({ input }, cell, flatten()).initialize(1), "flatten1"],
    ["a layer of one's own", () => sequential({ input }, cell, own).initialize(1), "mine1"],
    ["nothing that keeps a state", () => sequential({ input }, linear(FEATURES, 8)).initialize(1), "gru()"],
  ])("%s", (_, make, named) => {
    const model = make();
    expect(() => model.predictor({ stateful: true })).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    expect(() => model.predictor({ stateful: true })).toThrow(named);
  });

  test("calls that have no order, resets of what keeps nothing, and lanes that there are not", async () => {
    const model = sequential({ input: [TIME, FEATURES] }, gru(FEATURES, 8)).initialize(1);
    const predictor = model.predictor({ stateful: true, maxBatch: 2 });
    await expect(predictor.submit([[at(0, 0)]])).rejects.toMatchObject({ code: "ERR_STATE", where: "submit" });
    await expect(predictor.error([[at(0, 0)]])).rejects.toMatchObject({ code: "ERR_STATE", where: "error" });
    expect(() => predictor.reset(2)).toThrow(expect.objectContaining({ code: "ERR_OPTION", where: "reset.lane" }));
    expect(() => model.predictor().reset()).toThrow(expect.objectContaining({ code: "ERR_STATE", where: "reset" }));
    expect(() => model.predictor({ stateful: 1 as never })).toThrow(
      expect.objectContaining({ where: "predictor.stateful" }),
    );
    expect(() => predictor.run(whole)).toThrow(expect.objectContaining({ code: "ERR_SHAPE" }));
  });
});
