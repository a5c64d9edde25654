// Dropout whose rate falls: its masks are those of dropout with the rate of each step, its rates pytabkit's.
import {
  crossEntropy,
  dropout,
  type FitOptions,
  fit,
  linear,
  loadModel,
  type Model,
  ops,
  program,
  relu,
  sequential,
  sgd,
  spatialDropout,
  spec,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import { fixture } from "../nn/tabular_runs.js";

const ones = tensor(new Float32Array(4096).fill(1), [64, 64]);

describe("a rate that falls", () => {
  test.each([1, 50, 51, 52, 75, 100])("drops at step %i what dropout with that rate drops", (step) => {
    const layer = sequential(linear(64, 64), dropout({ rate: 0.6, fade: 0.5 }));
    const identity = tensor(
      Float32Array.from({ length: 4096 }, (_, at) => (at % 65 === 0 ? 1 : 0)),
      [64, 64],
    );
    layer.setWeights({ "linear1.weight": identity, "linear1.bias": tensor(new Float32Array(64)) });
    const drop = program({
      inputs: { x: spec([64, 64]) },
      training: true,
      seed: 9,
      steps: 100,
      body: ({ x }) => ({ y: layer.forward(x) }),
    });
    let drawn = drop.runSync({ x: ones }).y;
    for (let at = 2; at <= step; at++) drawn = drop.runSync({ x: ones }).y;
    // As pytabkit's flat_cos has it, read before the step.
    const left = fixture.schedules.flat_cos[step - 1] ?? Number.NaN;
    const told = [...new Set(drawn.data)].filter((value) => value !== 0);
    expect(told.length).toBe(1);
    expect(Math.abs((told[0] ?? 0) * (1 - 0.6 * left) - 1)).toBeLessThan(2 ** -23);
    // 0.6·2⁻³² of rates that differ by roundings of a cosine: one draw of 2²⁴ may fall between.
    const same = ops.dropout(ones, { keep: 1 - 0.6 * left, seed: 9, step, site: 0 });
    expect(drawn.data.every((value, at) => value > 0 === (same.data[at] ?? 0) > 0)).toBe(true);
  });

  test("channels that are dropped whole fade as well", () => {
    const layer = sequential({ input: [8, 16] }, spatialDropout({ rate: 0.5, fade: 0 }));
    const drop = program({
      inputs: { x: spec(["batch", 8, 16]) },
      maxBatch: 32,
      training: true,
      steps: 2,
      body: ({ x }) => ({ y: layer.forward(x) }),
    });
    const x = tensor(new Float32Array(4096).fill(1), [32, 8, 16]);
    const shareOf = (): number => drop.runSync({ x }).y.data.filter((value) => value > 0).length / 4096;
    const shares = [shareOf(), shareOf()];
    // 512 draws of probability ½, then ¾: five deviations.
    expect(Math.abs((shares[0] ?? 0) - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / 512));
    expect(Math.abs((shares[1] ?? 0) - 0.75)).toBeLessThan(5 * Math.sqrt(0.1875 / 512));
  });
});

describe("in fit", () => {
  const x = Array.from({ length: 96 }, (_, i) => [Math.sin(i), Math.cos(2 * i), (i % 5) - 2]);
  const y = x.map(([a = 0, b = 0]) => (a * b > 0 ? 1 : 0));
  const make = (): Model =>
    sequential(linear(3, 32), relu(), dropout({ rate: 0.4, fade: 0.25 }), linear(32, 2)) as unknown as Model;
  const options: FitOptions = {
    data: { x, y },
    loss: crossEntropy(),
    optimizer: sgd({ lr: 0.1 }),
    batchSize: 32,
    epochs: 6,
    seed: 4,
  };
  const weightsOf = (model: Model): readonly number[] => [...model.weights().values()].flatMap(({ data }) => [...data]);
  const trained = async (given: Partial<FitOptions> = {}): Promise<readonly number[]> => {
    const model = make();
    await fit(model, { ...options, ...given });
    return weightsOf(model);
  };

  test("threads change no bit, parts of a batch draw the same masks", async () => {
    const whole = await trained();
    expect(await trained({ threads: 2 })).toEqual(whole);
    const parts = await trained({ accumulate: 4 });
    expect(Math.max(...whole.map((value, at) => Math.abs(value - (parts[at] ?? Number.NaN))))).toBeLessThan(1e-5);
    const flat = sequential(linear(3, 32), relu(), dropout(0.4), linear(32, 2)) as unknown as Model;
    await fit(flat, options);
    expect(weightsOf(flat)).not.toEqual(whole);
  });

  test("a run that is resumed ends with the bits of one that was not", async () => {
    const checkpoints: Uint8Array[] = [];
    const early = {
      name: "early",
      every: { epochs: 3 },
      decide: async (at: { checkpoint(): Promise<Uint8Array> | Uint8Array }): Promise<void> => {
        checkpoints.push(await at.checkpoint());
      },
    };
    const whole = await trained({ callbacks: [early] });
    expect(await trained({ callbacks: [{ ...early }], resume: checkpoints[0] })).toEqual(whole);
  });

  test("a model file keeps it, and nothing is dropped at inference", async () => {
    const model = make();
    await fit(model, options);
    const loaded = await loadModel(model.bytes());
    expect(loaded.layers[2]?.config).toEqual({ keep: 0.6, scaling: "inverted", fade: 0.25 });
    expect(Array.from((await loaded.predict(x)).data)).toEqual(Array.from((await model.predict(x)).data));
    const plain = sequential(linear(3, 32), relu(), linear(32, 2)) as unknown as Model;
    plain.setWeights(model.weights());
    expect(Array.from((await plain.predict(x)).data)).toEqual(Array.from((await model.predict(x)).data));
  });

  test("what cannot be is refused by its name", () => {
    expect(() => dropout({ rate: 0.1, fade: 1 })).toThrow(/dropout.fade/);
    expect(() => dropout({ rate: 0.1, fade: 0.5, scaling: "classic" })).toThrow(/dropout.scaling/);
  });
});
