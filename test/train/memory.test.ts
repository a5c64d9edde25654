// Native memory: nothing is allocated while steps run, and what a run held comes back.
import {
  adam,
  type Callback,
  crossEntropy,
  dropout,
  fit,
  l2,
  linear,
  relu,
  runtime,
  sequential,
  sgdMomentum,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bundle, runChild } from "./child.js";
import { clusters } from "./synthetic.js";

const DATA = clusters(100, 16, 4);

describe("allocations do not grow from step 2 to step 2000", () => {
  test.each([
    ["on one thread", 1],
    ["on three", 3],
  ])("%s", async (_, threads) => {
    const model = sequential(linear(16, 64), relu(), dropout(0.5), linear(64, 4));
    const counts: number[] = [];
    const counting: Callback = {
      name: "counting",
      every: { steps: 2 },
      decide() {
        counts.push(runtime.memory().allocations);
      },
    };
    await fit(model, {
      data: DATA,
      validation: DATA,
      loss: crossEntropy(),
      metrics: ["accuracy"],
      optimizer: adam(),
      regularizer: l2(1e-4),
      steps: 2000,
      batchSize: 32,
      threads,
      reportEvery: 10,
      callbacks: [counting],
    });
    expect(counts).toHaveLength(1000);
    expect(new Set(counts).size).toBe(1);
  });

  test("of calls of a thousand steps each", async () => {
    const model = sequential(linear(16, 64), relu(), linear(64, 4));
    const counts: number[] = [];
    const counting: Callback = { name: "c", every: { steps: 500 }, decide: () => count(counts) };
    const count = (list: number[]): void => {
      list.push(runtime.memory().allocations);
    };
    const optimizer = sgdMomentum({ lr: 0.1 });
    await fit(model, { data: DATA, loss: crossEntropy(), optimizer, steps: 4000, callbacks: [counting] });
    expect(counts).toHaveLength(8);
    expect(new Set(counts).size).toBe(1);
  });
});

test("predictions with the same model allocate nothing after the first", async () => {
  const model = sequential(linear(16, 64), relu(), linear(64, 4)).initialize(1);
  await model.predict(DATA.x);
  model.predictSync(DATA.x);
  const { allocations } = runtime.memory();
  for (let round = 0; round < 50; round++) {
    await model.predict(DATA.x);
    model.predictSync(DATA.x);
  }
  expect(runtime.memory().allocations).toBe(allocations);
});

// 10,000 models leave the same: this is what keeps the test short.
const onLinux = describe.runIf(process.platform === "linux");
onLinux("a loop without a turn of the event loop holds what it uses", () => {
  test.each([
    ["models", 3000],
    ["clones", 3000],
    ["predictions", 30_000],
    ["tensors", 300],
  ])("%s", { timeout: 120_000 }, async (kind, count) => {
    const { code, stdout, stderr } = await runChild(await bundle("synchronous-loop"), { args: [kind, `${count}`] });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { most, after } = JSON.parse(stdout) as Record<"most" | "after", number>;
    expect(most).toBeLessThan(300);
    expect(after).toBeLessThan(150); // of a busy machine, where V8 marks late; 77 to 91 of an idle one
  });
});

test("after 200 fits everything is given back", async () => {
  const { code, stdout, stderr } = await runChild(await bundle("many-fits"), { node: ["--expose-gc"] });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { before, peak, after } = JSON.parse(stdout) as Record<"before" | "after", object> & { readonly peak: number };
  expect(peak).toBeGreaterThan(0);
  expect(after).toEqual(before);
});

const ABORTS_TIMEOUT = 300_000; // on a machine that does other things, every run waits for its threads
const linux = test.runIf(process.platform === "linux");
linux("1,000 aborted runs leave memory and threads where they were", { timeout: ABORTS_TIMEOUT }, async () => {
  const { code, stdout, stderr } = await runChild(await bundle("many-aborts"), { node: ["--expose-gc"] });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { before, after } = JSON.parse(stdout) as Record<"before" | "after", object>;
  expect(before).toMatchObject({ threads: expect.any(Number) });
  expect(after).toEqual(before);
});
