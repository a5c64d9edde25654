// Checkpoints of before there were descriptions (make_words_fixtures.mjs), which told optimizers, losses and schedules in words: a
// run goes on from them as ever, and what differs is told.
import { readFileSync } from "node:fs";
import { adam, cosineDecay, crossEntropy, fit, l2, loadCheckpoint, mse } from "carillon";
import { describe, expect, test } from "vitest";
import { decodeSafetensors } from "../io/whole_file.js";
import { bitsOf } from "./synthetic.js";
import { loop, path, RUNS } from "./words_runs.mjs";
import { type Anything, expectRefusal } from "./wrong.js";

const bytes = (name: string): Uint8Array => new Uint8Array(readFileSync(path(name)));

const settingsIn = (file: Uint8Array): Readonly<Record<string, unknown>> =>
  JSON.parse(decodeSafetensors(file).metadata.settings ?? "null");

describe.each(Object.entries(RUNS))("%s", (name, { make, options }) => {
  test("goes on with the bits of a run from the beginning", async () => {
    const [whole, resumed] = [make(), make()];
    await fit(whole, options(9));
    const { bitEqual, checkpoint } = await fit(resumed, { ...options(9), resume: bytes(name) });
    expect([bitsOf(resumed), bitEqual]).toEqual([bitsOf(whole), true]);
    // What it writes has descriptions, and goes on as well.
    expect(settingsIn(bytes(name))).not.toHaveProperty("telling");
    expect(settingsIn(checkpoint())).toMatchObject({ telling: "descriptions" });
    const again = make();
    expect((await fit(again, { ...options(12), resume: checkpoint() })).bitEqual).toBe(true);
    const longer = make();
    await fit(longer, options(12));
    expect(bitsOf(again)).toBe(bitsOf(longer));
  });
});

test("what a checkpoint has of the built-in parts is their descriptions", async () => {
  const { make, options } = RUNS.run;
  const settings = settingsIn((await fit(make(), options(9))).checkpoint());
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

test.each<[keyof typeof RUNS, string, Anything, string, RegExp]>([
  ["run", "a loss", { loss: crossEntropy() }, "loss", /loss\.labelSmoothing 0\.1, .* received 0:/],
  ["run", "an optimizer", { optimizer: adam({ beta1: 0.5 }) }, "optimizer", /beta1 0\.9, .* received 0\.5/],
  ["run", "a rate", { optimizer: adam({ lr: cosineDecay({ lr: 0.1 }) }) }, "lr", /at step \d+ of 1000/],
  ["run", "a penalty", { regularizer: [l2(0.5)] }, "regularizer", /lambda 0\.01, .* received 0\.5/],
  ["groups", "a loss of one's own", { loss: mse() }, "loss", /loss absolute, .* received mse/],
])("%s with another %s is refused", async (name, _, change, setting, says) => {
  const { make, options } = RUNS[name];
  const changed = { ...options(9), ...change, resume: bytes(name) };
  await expectRefusal(make(), changed, "ERR_STATE", `fit.resume.${setting}`, says);
});

describe("a loop", () => {
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
