// Windows that go on from one another: truncated back-propagation in lanes.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AnyModel,
  dataset,
  defineLayer,
  type FitOptions,
  fit,
  gru,
  kFold,
  type Layer,
  linear,
  lstm,
  type Model,
  mse,
  network,
  ops,
  residual,
  rnn,
  sequential,
  sgd,
  spec,
  split,
  tensor,
  windows,
} from "carillon";
import { describe, expect, test } from "vitest";
import { distanceOf, type Numbers } from "../nn/norm_runs.js";
import { expectOneHash } from "../reports_by_isa.js";
import { CARRIED, drawing, OPTIONS, SERIES, weightsOf } from "./carried.js";

/** A run of PyTorch: weights in float64 after the second and the last step, and how far the run in float32 ends from that. */
interface Case {
  readonly kind: "lstm" | "gru" | "rnn";
  readonly layers: number;
  readonly sequences: boolean;
  readonly begin: Numbers;
  readonly second: Numbers;
  readonly last: Numbers;
  readonly distance: number;
}

const fixture = JSON.parse(readFileSync(new URL("fixtures/carry.json", import.meta.url), "utf8")) as {
  readonly length: number;
  readonly lanes: number;
  readonly epochs: number;
  readonly rate: number;
  readonly series: readonly (readonly (readonly number[])[])[];
  readonly cases: readonly Case[];
};

/** The weights of a fixture's network after so many steps. */
async function trained({ kind, layers, sequences, begin }: Case, steps?: number): Promise<Numbers> {
  const make: (inputs: number, hidden: number, options: object) => Layer = { lstm, gru, rnn }[kind];
  const { length, lanes: batchSize, epochs, rate } = fixture;
  const cell = make(2, 4, { layers, sequences, preset: "pytorch", name: "cell" });
  const model = sequential({ input: [length, 2] }, cell, linear(4, 1)) as Model;
  model.initialize(0);
  model.setWeights(Object.fromEntries(Object.entries(begin).map(([name, data]) => [name, Float32Array.from(data)])));
  const data = windows(fixture.series, { length, targets: [1], sequences, carry: true });
  await fit(model, { data, batchSize, epochs, steps, optimizer: sgd({ lr: rate }), loss: mse() } as FitOptions);
  return weightsOf(model);
}

describe("PyTorch's runs", () => {
  const named = fixture.cases.map((one) => ({
    name: `${one.kind}, layers ${one.layers}${one.sequences ? ", all steps" : ""}`,
    one,
  }));
  /*
   * Two steps round every number some 200 times (sums of 8, functions of 2 ulp, four steps in a row and back, 7 rows): 2⁻²⁴·200 of numbers below 4, at most 250 of them,
   * once for each step.
   */
  test.each(named)("$name: the second step, which begins with the states of the first", async ({ one }) => {
    expect(distanceOf(await trained(one, 2), one.second)).toBeLessThan(2 ** -24 * 400);
  });
  test.each(named)("$name: 24 steps", async ({ one }) => {
    expect(distanceOf(await trained(one), one.last)).toBeLessThan(2 * one.distance);
  });
});

const [TIME, STEP] = [12, 4];
const whole = windows(SERIES, { length: TIME, stride: TIME, targets: [0], sequences: true });
/** The network of a run, with weights that do not depend on names. */
const plain = (length: number, ...layers: readonly Layer[]): Model => {
  const all = layers.length === 0 ? [gru(2, 5, { sequences: true }), linear(5, 1)] : layers;
  const chain: (...given: readonly unknown[]) => Model = sequential as never;
  return chain({ input: [length, 2] }, ...all).initialize(2);
};

describe("what is carried", () => {
  test("windows of whole series are examples like any other", async () => {
    const { x, y, carry } = windows(SERIES.slice(0, 1), { length: 59, targets: [0], sequences: true, carry: true });
    expect(Array.from(carry.data)).toEqual([0]);
    const own = { epochs: 5, optimizer: sgd({ lr: 0.1 }), loss: mse(), shuffle: false };
    const [carried, alone] = [plain(59), plain(59)];
    await fit(carried, { ...own, data: { x, y, carry } });
    await fit(alone, { ...own, data: { x, y } });
    expect(weightsOf(carried)).toEqual(weightsOf(alone));
  });

  test("the losses of windows of one lane are, without a step between them, those of the whole series", async () => {
    const model = plain(TIME);
    const still = {
      optimizer: sgd({ lr: 0 }),
      loss: mse(),
      batchSize: 1,
      epochs: 1,
      log: "steps",
      shuffle: false,
    } as const;
    const first = { x: tensor(whole.x.data.slice(0, TIME * 2), [1, TIME, 2]) };
    const answers = (await model.predict(first.x)).data as Float32Array;
    const parts = plain(STEP);
    const data = windows(tensor(SERIES[0]?.data.slice(0, (TIME + 1) * 2) ?? [], [TIME + 1, 2]), {
      ...{ length: STEP, targets: [0], sequences: true, carry: true },
    });
    const { losses } = await fit(parts, { ...still, data });
    const found = Array.from(losses?.loss ?? []);
    const expected = Array.from({ length: TIME / STEP }, (_, window) => {
      const squares = Array.from({ length: STEP }, (_own, step) => {
        const at = window * STEP + step;
        return ((whole.y.data[at] ?? 0) - (answers[at] ?? 0)) ** 2;
      });
      return squares.reduce((sum, one) => sum + one, 0) / STEP;
    });
    // Three squares of errors below 2 and their mean, each rounded once.
    for (const [at, loss] of found.entries()) expect(Math.abs(loss - (expected[at] ?? 0))).toBeLessThan(2 ** -24 * 16);
    expect(found.length).toBe(3);
    expect(parts.weights().get("gru1.weight")?.data).toEqual(model.weights().get("gru1.weight")?.data);
  });

  test("what stands in one another is what stands in a row", async () => {
    const cells = (): readonly Layer[] => [
      gru(2, 2, { sequences: true }),
      lstm(2, 3, { sequences: true }),
      linear(3, 1),
    ];
    const flat = plain(STEP, ...cells());
    const [first, ...rest] = cells();
    const chain: (...given: readonly unknown[]) => Layer = sequential as never;
    const nested = plain(STEP, chain({ input: [STEP, 2] }, first), chain({ input: [STEP, 2] }, ...rest));
    const values = [...flat.weights().values()].map(({ data }) => Float32Array.from(data));
    const load = (model: Model): void => {
      const names = [...model.weights().keys()];
      model.setWeights(Object.fromEntries(names.map((name, at) => [name, values[at] ?? new Float32Array()])));
    };
    for (const model of [flat, nested]) load(model);
    for (const model of [flat, nested]) await fit(model, OPTIONS as never);
    expect(Object.values(weightsOf(nested))).toEqual(Object.values(weightsOf(flat)));
  });

  test("residual blocks, networks, and a layer that stands twice", async () => {
    const cell = gru(2, 2, { sequences: true });
    const build = (): AnyModel =>
      network({
        inputs: { x: spec(["batch", STEP, 2]) },
        layers: { cell, block: residual(rnn(2, 2, { sequences: true })), head: linear(2, 1) },
        forward: ({ x }, { cell: own, block, head }) => head(block(own(own(x)))),
      });
    const run = async (steps: number | undefined, resume?: Uint8Array) => {
      const model = build() as Model;
      model.initialize(3);
      const result = await fit(model, { ...OPTIONS, steps, resume } as FitOptions);
      return { weights: weightsOf(model), result };
    };
    const { weights } = await run(undefined);
    const { result } = await run(7);
    expect((await run(undefined, result.checkpoint())).weights).toEqual(weights);
  });

  test("a layer of one's own keeps what it asks for", async () => {
    const seen: number[] = [];
    const before = defineLayer({
      kind: "before",
      inputs: 2,
      outputs: 2,
      forward(x, _parameters, { keep, training }) {
        const kept = keep?.("last", [2]);
        if (training) seen.push(kept === undefined ? 0 : 1);
        kept?.next(ops.reshape(ops.slice(x, STEP - 1, STEP, { axis: 1 }), ["batch", 2]));
        return kept === undefined ? x : ops.add(x, ops.reshape(kept.value, ["batch", 1, 2]));
      },
    });
    await fit(plain(STEP, before, linear(2, 1)), { ...OPTIONS, epochs: 1 } as FitOptions);
    expect(seen).toContain(1);
  });
});

describe.each(["lstm", "gru", "rnn"] as const)("%s with everything that is drawn", (kind) => {
  const run = async (options: object = {}) => {
    const model = drawing(kind);
    const result = await fit(model, { ...OPTIONS, ...options });
    return { weights: weightsOf(model), result };
  };

  test("any number of threads gives the same bits", async () => {
    const { weights } = await run({ threads: 1 });
    for (const threads of [2, 3, 4]) expect((await run({ threads })).weights).toEqual(weights);
  });

  test("resumed in the middle of an epoch it ends with the same bits", async () => {
    const { weights, result } = await run();
    expect(result.step).toBe(20);
    for (const steps of [3, 8, 10, 16]) {
      const { result: half } = await run({ steps });
      expect((await run({ resume: half.checkpoint() })).weights, `${steps}`).toEqual(weights);
    }
  });

  test("validation begins with zeros and leaves the states of training alone", async () => {
    const { weights } = await run();
    const watched = async (steps: number) => {
      const model = drawing(kind);
      const watching = { validation: CARRIED, validate: { every: { steps } } };
      const { history } = await fit(model, { ...OPTIONS, ...watching });
      expect(weightsOf(model)).toEqual(weights);
      return history.at(-1)?.validation?.loss;
    };
    expect(await watched(3)).toBe(await watched(1));
  });

  test("micro-batches have the lanes of the whole batch", async () => {
    const { weights } = await run();
    const { weights: divided } = await run({ accumulate: 3 });
    const off = Object.entries(weights).flatMap(([name, data]) =>
      data.map((value, i) => Math.abs(value - (divided[name]?.[i] ?? 9))),
    );
    // Sums over parts are rounded in another order, which Adam magnifies where a gradient is small: 20 steps of 0.01.
    expect(Math.max(...off)).toBeLessThan(2e-3);
    const { result: half } = await run({ accumulate: 3, steps: 8 });
    expect((await run({ accumulate: 3, resume: half.checkpoint() })).weights).toEqual(divided);
  });
});

test("every instruction set gives the same bits", () => expectOneHash("test/train/carry-isa-main.ts"));

test("files of a folder are gone on with where a run was stopped", async () => {
  const dir = mkdtempSync(join(tmpdir(), "carry-"));
  try {
    const kept = { checkpoint: { dir, every: { steps: 3 } }, resume: "auto" } as const;
    const model = drawing("gru");
    await fit(model, { ...OPTIONS, ...kept, steps: 7 });
    const again = drawing("gru");
    await fit(again, { ...OPTIONS, ...kept });
    const straight = drawing("gru");
    await fit(straight, OPTIONS);
    expect(weightsOf(again)).toEqual(weightsOf(straight));
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("over other data a run begins its lanes anew", async () => {
  const { checkpoint } = await fit(drawing("gru"), { ...OPTIONS, steps: 7 });
  const other = windows(SERIES.slice(0, 2), { length: 4, targets: [0], sequences: true, carry: true });
  const changed = { ...OPTIONS, data: other, resume: { from: checkpoint(), data: "changed" } } as const;
  const { step } = await fit(drawing("gru"), changed);
  expect(step).toBe(7 + 2 * 4);
});

describe("what cannot be is refused", () => {
  const refused = async (model: AnyModel, options: object, message: RegExp): Promise<void> => {
    await expect(fit(model as Model, { ...OPTIONS, ...options } as FitOptions)).rejects.toThrow(message);
  };

  test("rows in another order", async () => {
    await refused(drawing("gru"), { shuffle: true }, /expected false, as rows go on from one another .* 'fit.shuffle'/);
  });

  test("layers that keep nothing, or look from the end", async () => {
    await refused(plain(4, linear(2, 1)), {}, /a layer that keeps a state, such as gru\(\), for 'fit.data.carry'/);
    const both = plain(4, gru(2, 3, { bidirectional: true, sequences: true }), linear(6, 1));
    await refused(both, {}, /in one direction for 'fit.data.carry' but 'gru1' goes through them in both/);
  });

  test("parts of the rows", () => {
    for (const divide of [() => split(CARRIED, { validation: 0.2 }), () => kFold(CARRIED, 3)])
      expect(divide).toThrow(/rows that stand by themselves .* windows\(series, \{ carry: true, validation \}\)/);
  });

  test("streams, and what is no 0 or 1", async () => {
    const { x, y, carry } = CARRIED;
    const stream = dataset(() => [{ x, y, carry }] as never);
    await refused(
      drawing("gru"),
      { data: stream },
      /none, as it is rows in memory that are put into lanes.*data.carry/,
    );
    const flags = (change: readonly [number, number]): Int32Array => Int32Array.from(carry.data).with(...change);
    await refused(drawing("gru"), { data: { x, y, carry: flags([0, 1]) } }, /expected 0 in row 0/);
    await refused(drawing("gru"), { data: { x, y, carry: flags([4, 2]) } }, /0 or 1 in row 4 for 'fit.data.carry'/);
    await refused(
      drawing("gru"),
      { data: { x, y, carry: carry.data.slice(1) } },
      /rows, as x has, for 'fit.data.carry'/,
    );
  });

  test("a checkpoint of rows that stood by themselves, or of other layers", async () => {
    const { x, y } = CARRIED;
    const { checkpoint: without } = await fit(drawing("gru"), { ...OPTIONS, data: { x, y }, shuffle: false, steps: 3 });
    await refused(drawing("gru"), { resume: without() }, /data without 'carry', as .* but received data with 'carry'/);
    const { checkpoint: lanes } = await fit(drawing("gru"), { ...OPTIONS, steps: 3 });
    const apart = { data: { x, y }, shuffle: false, resume: lanes() };
    await refused(drawing("gru"), apart, /data with 'carry', as .* but received data without 'carry'/);
  });
});

test("what is not finite names the layer, with the state that it began with", async () => {
  const cell = rnn(2, 2, { activation: "relu", init: 1, recurrentInit: 1e3, sequences: true, name: "cell" });
  const model = plain(4, cell, linear(2, 1, { init: 1e-38 }));
  await expect(fit(model, { ...OPTIONS, optimizer: sgd({ lr: 0 }) } as FitOptions)).rejects.toThrow(/'cell'/);
});

test("evaluation goes on in lanes, too", async () => {
  const model = plain(4);
  const { x, y, carry } = CARRIED;
  const { loss } = await model.evaluate({ x, y, carry }, { loss: mse() });
  expect(loss).toBeCloseTo((await model.evaluate({ x, y }, { loss: mse() })).loss, 12);
  const long = windows(SERIES[0] ?? [], { length: 4, stride: 4, targets: [0], sequences: true });
  expect(long.x.shape[0]).toBe(14);
});
