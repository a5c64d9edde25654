// Numbers that layers keep beside their parameters: a running mean, defined as a user defines it, against plain JavaScript.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  defineLayer,
  earlyStopping,
  type FitOptions,
  fit,
  type Layer,
  type Loss,
  l2,
  linear,
  loadCheckpoint,
  minimizer,
  mse,
  ops,
  parameter,
  partition,
  program,
  relu,
  residual,
  saveCheckpoint,
  sequential,
  sgd,
  spec,
  type Tensor,
  tensor,
} from "carillon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StoredTensor } from "../../lib/io/element_types.js";
import { SEAL, sealedBytes, sealedParts } from "../../lib/io/seal.js";
import { decodeSafetensors } from "../io/whole_file.js";

const KEEP = 0.75;

/** x − mean; in training mean ← keep·mean + (1 − keep)·(mean of the batch), in f32. */
function centre<const N extends number>(size: N, name?: string): Layer<N, "same"> {
  return defineLayer({
    kind: "centre",
    inputs: size,
    outputs: "same",
    name,
    state: { mean: { shape: [size], init: 0.5 } },
    forward(x, _parameters, { training, state: { mean } }) {
      const output = ops.subtract(x, mean);
      if (!training) return output;
      const seen = ops.mean(x, { axis: 0 });
      return { output, state: { mean: ops.add(ops.multiply(mean, KEEP), ops.multiply(seen, 1 - KEEP)) } };
    },
  });
}

const ROWS = 20;
const x = Array.from({ length: ROWS }, (_, row) => [
  Math.fround(((row * 7) % 13) / 13),
  Math.fround(((row * 5) % 11) / 11),
]);
const y = x.map(([a = 0, b = 0]) => [a - 2 * b]);

/** The running mean after batches in order, in f32. */
function running(batches: readonly (readonly (readonly number[])[])[]): number[] {
  const { fround } = Math;
  let mean = [0.5, 0.5];
  for (const batch of batches) {
    mean = mean.map((value, column) => {
      const sum = batch.reduce((total, row) => fround(total + (row[column] ?? 0)), 0);
      return fround(fround(value * KEEP) + fround(fround(sum / batch.length) * (1 - KEEP)));
    });
  }
  return mean;
}

function batchesOf(size: number, epochs = 1): (typeof x)[] {
  const one = Array.from({ length: Math.ceil(ROWS / size) }, (_, at) => x.slice(at * size, (at + 1) * size));
  return Array.from({ length: epochs }, () => one).flat();
}

const network = () => sequential(centre(2), linear(2, 4), relu(), linear(4, 1));
type Network = ReturnType<typeof network>;
const still = { loss: mse(), optimizer: sgd({ lr: 0.05 }), shuffle: false } as const;
const mean = (model: { weights(): ReadonlyMap<string, Tensor<"f32">> }): number[] => [
  ...(model.weights().get("centre1.mean")?.data ?? []),
];
const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 6));

async function trained(options: Partial<FitOptions> = {}, model: Network = network()): Promise<Network> {
  await fit(model, { data: { x, y }, batchSize: 8, epochs: 2, seed: 3, ...still, ...options } as FitOptions);
  return model;
}

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "carillon-state-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("a running mean", () => {
  test("is listed, begins as it is declared and stays at inference", () => {
    const model = network().initialize(1);
    expect(model.state).toEqual([{ name: "centre1.mean", shape: [2] }]);
    expect(model.parameters.map(({ name }) => name)).not.toContain("centre1.mean");
    model.predictSync(x);
    expect(mean(model)).toEqual([0.5, 0.5]);
    expect(model.summary()).toMatch(/centre1 .* 0 +mean \[2\]/);
  });

  test("follows the batches, the short one too", async () => {
    const model = await trained();
    expect(mean(model)).toEqual(close(running(batchesOf(8, 2))));
  });

  test("follows the parts of a divided batch, one after another", async () => {
    const model = await trained({ accumulate: 2, epochs: 1 });
    // Parts of 4 rows: the last batch is one.
    expect(mean(model)).toEqual(close(running(batchesOf(4))));
  });

  test("a layer that is used twice finds what it has left", async () => {
    const one = centre(2);
    const model = sequential(one, one, linear(2, 1));
    await fit(model, { data: { x: x.slice(0, 4), y: y.slice(0, 4) }, batchSize: 4, epochs: 1, ...still });
    const first = running([x.slice(0, 4)]);
    const between = x.slice(0, 4).map((row) => row.map((value) => value - 0.5));
    const second = between[0]?.map((_, column) => {
      const seen = between.reduce((sum, row) => sum + (row[column] ?? 0), 0) / 4;
      return KEEP * (first[column] ?? 0) + (1 - KEEP) * seen;
    });
    expect(mean(model)).toEqual(close(second ?? []));
    expect(model.state).toHaveLength(1);
  });

  test("is inside of blocks, and stays out of penalties, averages and partitions", async () => {
    const model = sequential(residual(sequential(centre(2), linear(2, 2))), linear(2, 1));
    expect(model.state[0]?.name).toBe("residual1.sequential1.centre1.mean");
    await fit(model, {
      ...{ data: { x, y }, batchSize: 20, epochs: 1, ...still, regularizer: l2(0.1), averageWeights: { decay: 0.5 } },
      optimizer: partition([
        ["residual1.*", null],
        ["*", sgd({ lr: 0.1 })],
      ]),
    });
    const [value] = [...model.weights()].filter(([name]) => name.endsWith("mean"));
    expect([...(value?.[1].data ?? [])]).toEqual(close(running([x])));
  });

  test("does not depend on threads", async () => {
    const alone = await trained({ threads: 1 });
    const helped = await trained({ threads: 4 });
    expect(helped.bytes()).toEqual(alone.bytes());
  });
});

describe("goes where the weights go", () => {
  test("clone, bytes, load, setWeights", async () => {
    const model = await trained();
    const expected = model.predictSync(x);
    expect(model.clone().predictSync(x)).toEqual(expected);
    expect((await network().load(model.bytes())).predictSync(x)).toEqual(expected);
    expect(network().setWeights(model.weights()).predictSync(x)).toEqual(expected);
    const path = join(folder, "model.safetensors");
    await model.save(path);
    expect((await network().load(path)).bytes()).toEqual(model.bytes());
    const short = new Map([...model.weights()].filter(([name]) => name !== "centre1.mean"));
    expect(() => network().setWeights(short)).toThrow("centre1.mean [2]");
    expect(mean(model.clone().initialize(5))).toEqual([0.5, 0.5]);
  });

  test("evaluate and predictors read it", async () => {
    const model = await trained();
    const { data } = model.predictSync(x);
    const loss = y.reduce((sum, [value = 0], row) => sum + (value - (data[row] ?? 0)) ** 2, 0) / ROWS;
    expect((await model.evaluate({ x, y }, { loss: mse() })).loss).toBeCloseTo(loss, 6);
    const predictor = model.predictor();
    expect(predictor.run(x)).toEqual(model.predictSync(x));
    await trained({ epochs: 1 }, model);
    expect(predictor.run(x).data).toEqual(data);
    await predictor.refresh();
    expect(predictor.run(x)).toEqual(model.predictSync(x));
    expect(predictor.run(x).data).not.toEqual(data);
  });

  test("a run goes on from the middle of an epoch as if it had not stopped", async () => {
    const straight = await trained({ steps: 5, epochs: undefined });
    for (const accumulate of [1, 2]) {
      const dir = join(folder, `resume${accumulate}`);
      const options = { accumulate, optimizer: adam(), checkpoint: { dir, every: { steps: 1 } }, epochs: undefined };
      await trained({ ...options, steps: 2 });
      const resumed = await trained({ ...options, steps: 5, resume: "auto" });
      const whole = await trained({ accumulate, optimizer: adam(), steps: 5, epochs: undefined });
      expect(resumed.bytes()).toEqual(whole.bytes());
      const latest = await network().load(join(dir, "step-000000005.safetensors"));
      expect(latest.predictSync(x)).toEqual(whole.predictSync(x));
    }
    expect(mean(straight)).toEqual(close(running(batchesOf(8, 2).slice(0, 5))));
  });

  test("restoreBest brings it back with the weights", async () => {
    const seen: Record<number, number[]> = {};
    const model = network();
    const result = await fit(model, {
      ...{ data: { x, y }, validation: { x, y }, batchSize: 8, epochs: 6, seed: 3, ...still },
      optimizer: sgd({ lr: ({ epoch }) => (epoch < 3 ? 0.05 : 1.5) }),
      callbacks: [
        {
          name: "look",
          every: { epochs: 1 },
          decide: ({ step }) => {
            seen[step] = mean(model);
          },
        },
        earlyStopping({ monitor: "validation.loss", patience: 1, restoreBest: true }),
      ],
    });
    expect(mean(model)).toEqual(seen[result.best?.step ?? 0]);
  });

  test("averaged weights are measured with it", async () => {
    const model = network();
    const options = { ...still, batchSize: 8, epochs: 2, seed: 3, averageWeights: { decay: 0.5 } } as const;
    const result = await fit(model, { data: { x, y }, validation: { x, y }, ...options });
    const averages = result.averaged();
    expect([...(averages?.get("centre1.mean") ?? [])]).toEqual(mean(model));
    expect(() => model.clone().setWeights(averages ?? {})).not.toThrow();
    const loaded = await network().load(result.checkpoint());
    expect(mean(loaded)).toEqual(mean(model));
    expect([...(loaded.weights().get("linear1.weight")?.data ?? [])]).toEqual([
      ...(averages?.get("linear1.weight") ?? []),
    ]);
  });
});

test("a step that ends at its check leaves it as it was", async () => {
  const model = network();
  const broken = x.map((row, at) => (at === 9 ? [3e38, 3e38] : row));
  await expect(trained({ data: { x: broken, y }, epochs: 1 }, model)).rejects.toThrow("finite");
  expect(mean(model)).toEqual(close(running(batchesOf(8).slice(0, 1))));
  const divided = network();
  await expect(trained({ data: { x: broken, y }, epochs: 1, accumulate: 2 }, divided)).rejects.toThrow("finite");
  expect(mean(divided)).toEqual(close(running([x.slice(0, 4), x.slice(4, 8)])));
});

test("a loop of one's own changes and keeps it", async () => {
  const model = network().initialize(2);
  const trainer = minimizer(model, sgd({ lr: 0.1 }));
  const make = () =>
    program({
      training: true,
      maxBatch: 8,
      inputs: { x: spec(["batch", 2]), y: spec(["batch", 1]) },
      body: (given) => {
        const loss = ops.mean(ops.square(ops.subtract(model.forward(given.x), given.y)));
        trainer.minimize(loss);
        return { loss };
      },
    });
  const step = make();
  step.runSync({ x: x.slice(0, 8), y: y.slice(0, 8) });
  expect(mean(model)).toEqual(close(running([x.slice(0, 8)])));
  const path = join(folder, "loop.safetensors");
  await saveCheckpoint(path, { models: model, minimizers: trainer, programs: step });
  const kept = model.bytes();
  await step.run({ x: x.slice(8, 16), y: y.slice(8, 16) });
  expect(model.bytes()).not.toEqual(kept);
  await loadCheckpoint(path, { models: model, minimizers: trainer, programs: step });
  expect(model.bytes()).toEqual(kept);
  // At inference nothing changes.
  const look = program({
    maxBatch: 8,
    inputs: { x: spec(["batch", 2]) },
    body: (given) => ({ y: model.forward(given.x) }),
  });
  look.runSync({ x: tensor(x.slice(0, 2)) });
  expect(model.bytes()).toEqual(kept);
});

/** −p + 0·x, where p loses 1 and n gains 1 a step of rate 1: whatever is read of one moment has p = −n. */
const counting = () =>
  sequential(
    defineLayer({
      kind: "counting",
      inputs: 2,
      outputs: 1,
      parameters: { p: parameter([1], { init: 0 }) },
      state: { n: { shape: [1], init: 0 } },
      forward(value, { p }, { training, state: { n } }) {
        const nothing = ops.multiply(ops.sum(value, { axis: "last", keepDims: true }), 0);
        const output = training ? ops.add(nothing, p) : ops.add(nothing, ops.add(p, n));
        return training ? { output, state: { n: ops.add(n, 1) } } : output;
      },
    }),
  );

test("what is read beside a run is of one step", async () => {
  const model = counting();
  const loss: Loss = (output) => ops.reshape(output, ["batch"]);
  const settings = { data: { x, y }, batchSize: 20, steps: 30_000, loss, optimizer: sgd({ lr: 1 }) };
  const run = fit(model, settings);
  const answer = program({
    maxBatch: 1,
    inputs: { x: spec(["batch", 2]) },
    body: (given) => ({ y: model.forward(given.x) }),
  });
  const seen = new Set<number>();
  for (let reads = 0; reads < 60 && model.weights().get("counting1.n")?.data[0] !== 30_000; reads++) {
    const weights = model.weights();
    const [p = Number.NaN, n = Number.NaN] = ["counting1.p", "counting1.n"].map((name) => weights.get(name)?.data[0]);
    expect(p + n).toBe(0);
    seen.add(n);
    expect((await model.predict([[1, 1]])).data).toEqual(Float32Array.of(0));
    expect((await answer.run({ x: [[1, 1]] })).y.data).toEqual(Float32Array.of(0));
    expect(answer.runSync({ x: [[1, 1]] }).y.data).toEqual(Float32Array.of(0));
    const copy = await model.evaluate({ x: x.slice(0, 1), y: y.slice(0, 1) }, { loss });
    expect(copy.loss).toBe(0);
    expect((await counting().load(model.bytes())).predictSync([[1, 1]]).data).toEqual(Float32Array.of(0));
  }
  run.stop();
  await run;
  expect(seen.size).toBeGreaterThan(3);
});

test("a clone beside a run is of one step", async () => {
  const model = counting();
  const loss: Loss = (output) => ops.reshape(output, ["batch"]);
  const run = fit(model, { data: { x, y }, batchSize: 20, steps: 16_000_000, loss, optimizer: sgd({ lr: 1 }) });
  const seen = new Set<number>();
  // Where others have the processors a run takes few steps between two looks.
  for (let turns = 0; turns < 20 || (seen.size <= 10 && turns < 20_000); turns++) {
    for (let clones = 0; clones < 50; clones++) {
      const weights = model.clone().weights();
      const [p = Number.NaN, n = Number.NaN] = ["counting1.p", "counting1.n"].map((name) => weights.get(name)?.data[0]);
      expect(p + n).toBe(0);
      seen.add(n);
    }
    await new Promise(setImmediate);
  }
  run.stop();
  await run;
  expect(seen.size).toBeGreaterThan(10);
});

test("a clone of a model that a run has taken, and that nobody has looked at yet, has the weights of the run's seed", async () => {
  const model = sequential(linear(2, 1));
  const run = fit(model, { data: { x, y }, epochs: 1, seed: 7, ...still });
  const clone = model.clone();
  await run;
  expect(clone.initialized).toBe(true);
  expect(clone.weights()).toEqual(sequential(linear(2, 1)).initialize(7).weights());
});

test("a body that uses a model twice, with an update in between, has its state go through both", () => {
  const model = network().initialize(2);
  const trainer = minimizer(model, sgd({ lr: 0.1 }));
  const step = program({
    training: true,
    maxBatch: 4,
    inputs: { first: spec(["batch", 2]), second: spec(["batch", 2]) },
    body(given) {
      trainer.minimize(ops.mean(ops.square(model.forward(given.first))));
      const after = model.forward(given.second);
      trainer.minimize(ops.mean(ops.square(after)));
      return { after };
    },
  });
  const alone = program({
    training: true,
    maxBatch: 4,
    inputs: { first: spec(["batch", 2]) },
    body(given) {
      trainer.minimize(ops.mean(ops.square(model.forward(given.first))));
      return {};
    },
  });
  const before = model.weights();
  const [first, second] = [x.slice(0, 4), x.slice(4, 8)];
  step.runSync({ first, second });
  expect(mean(model)).toEqual(close(running([first, second])));
  const together = model.bytes();
  model.setWeights(before);
  alone.runSync({ first });
  alone.runSync({ first: second });
  expect(model.bytes()).toEqual(together);
});

describe("a checkpoint", () => {
  const kept = "layers/centre1.mean";
  type Tensors = Map<string, StoredTensor>;
  const f32 = (...values: number[]): StoredTensor => ({
    dtype: "f32",
    shape: [values.length],
    data: Float32Array.from(values),
  });

  test.each<[string, (tensors: Tensors) => void, string]>([
    ["without it", (tensors) => tensors.delete(kept), "expected f32 [2] as layers/centre1.mean"],
    ["with more of it", (tensors) => tensors.set(kept, f32(1, 2, 3)), "expected f32 [2] as layers/centre1.mean"],
    ["with what no layer keeps", (tensors) => tensors.set("layers/other.mean", f32(1)), "tensors"],
    ["with what is no number", (tensors) => tensors.set(kept, f32(1, Number.NaN)), "layers/centre1.mean[1]"],
  ])("%s is refused", async (_, change, message) => {
    const result = await fit(network(), { data: { x, y }, batchSize: 8, steps: 2, seed: 3, ...still });
    const { tensors, metadata } = decodeSafetensors(result.checkpoint());
    const changed = new Map([...tensors].filter(([name]) => name !== SEAL));
    change(changed);
    const resume = sealedBytes(sealedParts(changed, metadata));
    await expect(trained({ resume })).rejects.toThrow(
      expect.objectContaining({ code: "ERR_FILE", message: expect.stringContaining(message) }),
    );
  });
});

test("what a layer may not keep", () => {
  const make = (state: object, forward: unknown = (value: unknown) => value): unknown =>
    Reflect.apply(defineLayer, undefined, [{ kind: "kept", outputs: "same", state, forward }]);
  expect(() => make({ mean: { shape: [0], init: 0 } })).toThrow("kept.state.mean.shape");
  expect(() => make({ mean: { shape: ["batch"], init: 0 } })).toThrow("kept.state.mean.shape");
  expect(() => make({ mean: { shape: [2] } })).toThrow("kept.state.mean.init");
  expect(() => make({ mean: { shape: [2], init: 0, min: 1 } })).toThrow(
    "expected a number >= 1 for 'kept.state.mean.init'",
  );
  expect(() => make({ "a.b": { shape: [2], init: 0 } })).toThrow("kept.state: a key");
  expect(() => make({ mean: { shape: [2], initial: 0 } })).toThrow("Did you mean 'init'?");
  const wrong = defineLayer({
    kind: "wrong",
    inputs: 2,
    outputs: "same",
    state: { mean: { shape: [2], init: 0 } },
    forward: (value) => ({ output: value, state: { mean: value } }),
  });
  const run = fit(sequential(wrong, linear(2, 1)), { data: { x, y }, epochs: 1, ...still });
  return expect(run).rejects.toThrow("expected f32 [2] as the state 'wrong1.mean' but received f32 [batch, 2]");
});
