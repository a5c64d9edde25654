// The guard: the first number that is not finite stops a run before it reaches the weights, and is told with its place.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  batchNorm,
  CarillonError,
  crossEntropy,
  defineLayer,
  defineOptimizer,
  dropout,
  fit,
  type Layer,
  type Loss,
  linear,
  type Model,
  mse,
  ops,
  relu,
  sequential,
  sgd,
  tanh,
} from "carillon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listing } from "./listing.js";
import { bitsOf, clusters } from "./synthetic.js";

const ROWS = 40;
const BATCH = 8;

/** Made of operations, so that no native update pass is in the way. */
const plain = defineOptimizer({
  kind: "plain",
  lr: 0.1,
  update: ({ gradient, parameter, rate }) => ({ parameter: ops.subtract(parameter, ops.multiply(rate, gradient)) }),
});

const WAYS = [
  ["whole batches", {}],
  ["micro-batches", { accumulate: 2 }],
  ["three threads", { threads: 3 }],
  ["a bound on the gradient", { clip: { norm: 1 } }],
  ["another bound on the gradient", { clip: { value: 1 } }],
  ["an optimizer of operations", { optimizer: plain }],
] as const;

let root = "";

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "carillon-non-finite-"));
});

afterAll(() => rm(root, { recursive: true, force: true }));

async function failureOf(run: Promise<unknown>): Promise<CarillonError> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof CarillonError)) throw new Error(`expected a failure but received ${String(error)}`);
  expect(error.code).toBe("ERR_NON_FINITE");
  return error;
}

/** ln x: NaN where x < 0. */
function logarithm(): Layer<number, "same"> {
  return defineLayer({ kind: "logarithm", outputs: "same", forward: (x) => ops.log(x) });
}

/** |d| with the derivative d/√d², which is 0/0 where d = 0: the loss is finite there. */
const distance: Loss = (output, target) =>
  ops.sum(ops.sqrt(ops.square(ops.subtract(output, target))), { axis: "last" });

describe.each(WAYS)("with %s", (_, more) => {
  const base = { batchSize: BATCH, optimizer: sgd({ lr: 1e-3 }), epochs: 4, seed: 1, ...more } as const;

  test.each([true, false])("a layer's output: the layer, the example, the step (shuffle: %s)", async (shuffle) => {
    const bad = 27;
    const x = Float32Array.from({ length: ROWS * 3 }, (_none, index) => 1 + (index % 7));
    x[bad * 3 + 1] = -1;
    const make = (): Model => sequential(logarithm(), linear(3, 4), dropout(0.5), tanh(), linear(4, 1));
    const options = { ...base, data: { x, y: new Float32Array(ROWS).fill(1) }, loss: mse(), shuffle };
    const model = make();
    const { where, message } = await failureOf(fit(model, options));
    expect(where).toBe("logarithm1");
    expect(message).toContain(`first in the output of 'logarithm1' for example ${bad}`);
    const step = Number(/the batch of step (\d+)/.exec(message)?.[1]);
    if (!shuffle) expect(message).toContain("step 4: examples 24 to 31");
    expect(step).toBeGreaterThan(0);
    expect(step).toBeLessThanOrEqual(ROWS / BATCH);
    expect(message).toContain(`the model holds the weights of step ${step - 1}`);
    const sound = make();
    if (step === 1) sound.initialize(1);
    else await fit(sound, { ...options, steps: step - 1, epochs: undefined });
    expect(bitsOf(model)).toBe(bitsOf(sound));
  });

  test("a gradient of a finite loss: the parameter, the step, the examples; the weights stay sound", async () => {
    const zero = 19;
    const y = Float32Array.from({ length: ROWS }, (_none, row) => (row === zero ? 0 : 1));
    const x = Float32Array.from({ length: ROWS * 3 }, (_none, index) => (Math.floor(index / 3) === zero ? 0 : 1));
    // All others pull the output up, but an example of zeros leaves it at 0 without a bias.
    const make = (): Model => sequential(linear(3, 1, { bias: false, init: 0, name: "only" }));
    const options = { ...base, data: { x, y }, loss: distance, shuffle: false };
    const model = make();
    const { where, message } = await failureOf(fit(model, options));
    expect(where).toBe("only.weight");
    expect(message).toMatch(/a finite gradient of 'only\.weight' but received NaN in element 0, .* examples 16 to 23/);
    const sound = make();
    await fit(sound, { ...options, steps: 2, epochs: undefined });
    expect(bitsOf(model)).toBe(bitsOf(sound));
  });

  test("a state of a finite loss: a variance of 1e40, which no loss tells, changes nothing", async () => {
    const [large, column] = [20, 1];
    const x = Float32Array.from({ length: ROWS * 3 }, (_none, index) => 1 + (index % 7));
    x[large * 3 + column] = 1e20;
    const make = (): Model => sequential(batchNorm(3), linear(3, 1));
    const options = { ...base, data: { x, y: new Float32Array(ROWS) }, loss: mse(), shuffle: false };
    const model = make();
    const { where, message } = await failureOf(fit(model, options));
    expect(where).toBe("batchNorm1.variance");
    expect(message).toMatch(/a finite state 'batchNorm1\.variance' but received Infinity in element 1, .* 16 to 23/);
    expect(message).toContain("the model holds the weights of step 2");
    const sound = make();
    await fit(sound, { ...options, steps: 2, epochs: undefined });
    expect(bitsOf(model)).toBe(bitsOf(sound));
  });
});

describe("a gradient that is told from the operands of its product", () => {
  // 4 examples of 24 inputs, 32 outputs: operands of 96 and 128 elements, a gradient of 768.
  const [rows, inputs, outputs] = [16, 24, 32];
  const make = (): Model => sequential(linear(inputs, outputs, { init: 0, bias: false }));
  const base = { optimizer: sgd({ lr: 1e-3 }), batchSize: 4, shuffle: false, epochs: 2 } as const;
  const data = (x: number): { x: Float32Array; y: Float32Array } => ({
    x: Float32Array.from({ length: rows * inputs }, (_, index) => (index >= 8 * inputs ? x : 0)),
    y: new Float32Array(rows * outputs),
  });

  test("of finite operands that overflow together", async () => {
    // The loss is 0 as the weights are: 1e20·(output) with inputs of 1e20.
    const steep: Loss = (output) => ops.multiply(ops.sum(output, { axis: "last" }), 1e20);
    const model = make();
    const { where, message } = await failureOf(fit(model, { ...base, data: data(1e20), loss: steep }));
    expect(where).toBe("linear1.weight");
    expect(message).toMatch(/received Infinity in element 0, in the batch of step 3: examples 8 to 11/);
    expect(
      model
        .weights()
        .get("linear1.weight")
        ?.data.every((weight) => weight === 0),
    ).toBe(true);
  });

  test("of large operands that give a finite one", async () => {
    const steep: Loss = (output) => ops.multiply(ops.sum(output, { axis: "last" }), 1e17);
    const options = { ...base, optimizer: sgd({ lr: 1e-38 }), data: data(1e17), loss: steep };
    expect((await fit(make(), options)).reason).toBe("finished");
  });

  test("of an operand with a NaN", async () => {
    const model = make();
    const { where, message } = await failureOf(fit(model, { ...base, data: data(1), loss: distance }));
    expect(where).toBe("linear1.weight");
    expect(message).toMatch(/received NaN in element 0, in the batch of step 1: examples 0 to 3/);
  });
});

test("a loss that overflows: at the step at which it does, and the step before is saved", async () => {
  const model = sequential(linear(4, 8), relu(), linear(8, 1));
  const data = { x: clusters(ROWS, 4, 2).x, y: new Float32Array(ROWS).fill(1) };
  const options = { data, loss: mse(), optimizer: sgd({ lr: 50 }), batchSize: BATCH, epochs: 50 };
  const dir = join(root, "overflow");
  const { message } = await failureOf(fit(model, { ...options, checkpoint: { dir, every: { steps: 1 }, keep: 99 } }));
  const step = Number(/the batch of step (\d+)/.exec(message)?.[1]);
  for (const { data: values } of model.weights().values()) expect(values.every(Number.isFinite)).toBe(true);
  const saved = listing(dir).sort();
  expect(saved).toHaveLength(step - 1);
  expect(saved.at(-1)).toBe(`step-${String(step - 1).padStart(9, "0")}.safetensors`);
  // The first of them goes on at a rate that can be borne.
  const resume = { from: join(dir, saved[0] ?? ""), changed: ["lr"] } as const;
  expect((await fit(model, { ...options, optimizer: sgd({ lr: 0 }), resume })).reason).toBe("finished");
});

test("a loss function of its own", async () => {
  const odd: Loss = (output, target) =>
    ops.sum(ops.log(ops.subtract(target, ops.multiply(output, 0))), { axis: "last" });
  const y = Float32Array.from({ length: ROWS }, (_none, row) => (row === 5 ? -1 : 1));
  const run = fit(sequential(linear(2, 1)), {
    data: { x: new Float32Array(ROWS * 2).fill(1), y },
    loss: odd,
    optimizer: adam(),
    epochs: 1,
    shuffle: false,
    batchSize: BATCH,
  });
  const { where, message } = await failureOf(run);
  expect(where).toBe("loss");
  expect(message).toContain(
    "received NaN, first in the loss itself for example 5, in the batch of step 1: examples 0 to 7",
  );
});

describe("a weight that a finite gradient overflows, and that relu hides", () => {
  const model = (): Model => sequential(linear(1, 1, { bias: false, init: 1 }), relu());
  const output: Loss = (value) => ops.sum(value, { axis: "last" });
  // Step 1: 1 − 1e38·10 = −∞; from then on relu gives 0, and so are all gradients.
  const options = {
    data: { x: new Float32Array(ROWS).fill(10), y: new Float32Array(ROWS) },
    loss: output,
    optimizer: sgd({ lr: 1e38 }),
    batchSize: BATCH,
    steps: 200,
  };

  test("is seen at the next look at the weights", async () => {
    const { where, message } = await failureOf(fit(model(), options));
    expect(where).toBe("linear1.weight");
    expect(message).toContain("received -Infinity in element 0");
    expect(message).toContain("after step 64 (looked at every 64 steps)");
  });

  test("is not saved", async () => {
    const dir = join(root, "hidden");
    const { where } = await failureOf(fit(model(), { ...options, checkpoint: { dir, every: { steps: 10 } } }));
    expect(where).toBe("weights/linear1.weight");
    expect(listing(dir)).toEqual([]);
  });
});

test("sums that overflow although no number is infinite are no reason to stop", async () => {
  const network = sequential(linear(6, 3, { init: 3e38 }));
  const { x, y } = clusters(ROWS, 6, 3);
  const options = { data: { x: x.map(() => 0), y }, loss: crossEntropy(), optimizer: sgd({ lr: 0 }), steps: 64 };
  expect((await fit(network, options)).reason).toBe("finished");
});
