// Checkpoints of before there were descriptions (make_words_fixtures.mjs), which told optimizers, losses and schedules in words: a
// run goes on from them as ever, and what differs is told.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  adam,
  cosineDecay,
  crossEntropy,
  type FitOptions,
  fit,
  type Loss,
  l1,
  l2,
  linear,
  loadCheckpoint,
  type Model,
  minimizer,
  mse,
  muon,
  ops,
  partition,
  program,
  relu,
  sequential,
  sgd,
  spec,
  standardize,
  warmup,
} from "carillon";
import { describe, expect, test } from "vitest";
import { decodeSafetensors } from "../io/whole_file.js";
import { bitsOf } from "./synthetic.js";
import { type Anything, expectRefusal } from "./wrong.js";

const path = (name: string): string => fileURLToPath(new URL(`fixtures/words-${name}.safetensors`, import.meta.url));
const bytes = (name: string): Uint8Array => new Uint8Array(readFileSync(path(name)));

const x = Array.from({ length: 12 }, (_, row) => [row / 4, (row * 5) % 12, 3 - row]);
const y = x.map((_, row) => row % 2);
const COMMON = { data: { x, y }, inputs: standardize(), steps: 9, batchSize: 4, seed: 7 } as const;

const absolute: Loss = (output, target) => ops.mean(ops.absolute(ops.subtract(output, target)), { axis: "last" });

const RUNS: Readonly<Record<string, { readonly make: () => Model; readonly options: () => FitOptions }>> = {
  run: {
    make: () => sequential(linear(3, 4, { regularizer: l1(0.01) }), relu(), linear(4, 2)),
    options: () => ({
      ...COMMON,
      loss: crossEntropy({ labelSmoothing: 0.1 }),
      optimizer: adam({ lr: warmup(cosineDecay({ lr: 0.1, steps: 20 }), { steps: 2 }) }),
      regularizer: [l2(0.01)],
    }),
  },
  groups: {
    make: () => sequential(linear(3, 4), relu(), linear(4, 1)),
    options: () => ({
      ...COMMON,
      loss: absolute,
      optimizer: partition([
        ["linear1.weight", muon({ lr: 0.1 })],
        ["linear1.bias", null],
        ["*", sgd({ lr: ({ step }) => 0.1 / step, momentum: 0.5 })],
      ]),
    }),
  },
};

const settingsIn = (file: Uint8Array): Readonly<Record<string, unknown>> =>
  JSON.parse(decodeSafetensors(file).metadata.settings ?? "null");

describe.each(Object.entries(RUNS))("%s", (name, { make, options }) => {
  test("goes on with the bits of a run from the beginning", async () => {
    const [whole, resumed] = [make(), make()];
    await fit(whole, options());
    const { bitEqual, checkpoint } = await fit(resumed, { ...options(), resume: bytes(name) });
    expect([bitsOf(resumed), bitEqual]).toEqual([bitsOf(whole), true]);
    // What it writes has descriptions, and goes on as well.
    expect(settingsIn(bytes(name))).not.toHaveProperty("telling");
    expect(settingsIn(checkpoint())).toMatchObject({ telling: "descriptions" });
    const again = make();
    expect((await fit(again, { ...options(), resume: checkpoint(), steps: 12 })).bitEqual).toBe(true);
    const longer = make();
    await fit(longer, { ...options(), steps: 12 });
    expect(bitsOf(again)).toBe(bitsOf(longer));
  });
});

test("what a checkpoint has of the built-in parts is their descriptions", async () => {
  const { make, options } = RUNS.run ?? { make: () => sequential(), options: () => ({}) as FitOptions };
  const settings = settingsIn((await fit(make(), options())).checkpoint());
  expect(settings).toMatchObject({
    loss: { kind: "crossEntropy", options: { labelSmoothing: 0.1, target: "classes" } },
    optimizer: { kind: "adam", options: { beta1: 0.9 } },
    lr: {
      kind: "warmup",
      options: { steps: 2, schedule: { kind: "cosineDecay", options: { lr: 0.1, end: 0, steps: 20 } } },
    },
    regularizer: {
      model: [{ kind: "l2", options: { lambda: 0.01 } }],
      "linear1.weight": { kind: "l1", options: { lambda: 0.01, proximal: false } },
    },
  });
});

test.each<[string, string, Anything, string, RegExp]>([
  ["run", "a loss", { loss: crossEntropy() }, "loss", /loss\.labelSmoothing 0\.1, .* received 0:/],
  ["run", "an optimizer", { optimizer: adam({ beta1: 0.5 }) }, "optimizer", /beta1 0\.9, .* received 0\.5/],
  ["run", "a rate", { optimizer: adam({ lr: cosineDecay({ lr: 0.1 }) }) }, "lr", /at step \d+ of 1000/],
  ["run", "a penalty", { regularizer: [l2(0.5)] }, "regularizer", /lambda 0\.01, .* received 0\.5/],
  ["groups", "a loss of one's own", { loss: mse() }, "loss", /loss absolute, .* received mse/],
])("%s with another %s is refused", async (name, _, change, setting, says) => {
  const run = RUNS[name];
  if (run === undefined) throw new Error(name);
  const options = { ...run.options(), ...change, resume: bytes(name) };
  await expectRefusal(run.make(), options, "ERR_STATE", `fit.resume.${setting}`, says);
});

describe("a loop", () => {
  const loop = (optimizer = adam({ lr: 0.1 })) => {
    const model = sequential(linear(2, 1)).initialize(1);
    const trainer = minimizer(model, optimizer);
    const step = program({
      inputs: { x: spec([4, 2]), y: spec([4, 1]) },
      body({ x: rows, y: targets }) {
        const loss = ops.mean(mse()(model.forward(rows), targets));
        trainer.minimize(loss);
        return { loss };
      },
    });
    const batch = { x: Float32Array.from({ length: 8 }, (_, i) => i / 4), y: Float32Array.of(1, 2, 3, 4) };
    const run = async (steps: number): Promise<void> => {
      for (let i = 0; i < steps; i++) await step.run(batch);
    };
    return { model, parts: { models: model, minimizers: trainer, programs: step }, run };
  };

  test("goes on", async () => {
    const [whole, resumed] = [loop(), loop()];
    await whole.run(5);
    expect(await loadCheckpoint(path("loop"), resumed.parts)).toEqual({ epoch: 1 });
    await resumed.run(2);
    expect(bitsOf(resumed.model)).toBe(bitsOf(whole.model));
  });

  test("of another optimizer is refused", async () => {
    const { parts } = loop(adam({ lr: 0.1, beta2: 0.5 }));
    const loading = loadCheckpoint(path("loop"), parts);
    await expect(loading).rejects.toMatchObject({ code: "ERR_FILE" });
    await expect(loading).rejects.toThrow(/beta2 0\.999/);
  });
});
