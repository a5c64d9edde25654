import { expect, test } from "vitest";
import type { WeightForm } from "../../lib/graph/passes/frozen_products.js";
import {
  crossEntropy,
  defineLayer,
  dropout,
  elu,
  fit,
  gelu,
  linear,
  ops,
  parameter,
  relu,
  runtime,
  sequential,
  sgd,
  softmax,
  tanh,
  type Value,
} from "../../lib/index.js";
import { FrozenProgram } from "../../lib/nn/serving/frozen.js";
import type { RowSpecs } from "../../lib/tensor/row_spec.js";

/** Numbers of both signs, none of them a power of two. */
function rowsOf(count: number, columns: number, salt = 7919): Float32Array {
  return Float32Array.from({ length: count * columns }, (_, i) => ((i * salt) % 1013) / 500 - 1);
}

interface Recordable {
  readonly rows: Pick<RowSpecs, "inputs">;
  forward(x: Value): Value;
}

function freeze(model: Recordable, maxBatch: number, form: WeightForm = "f32"): FrozenProgram {
  const { inputs } = model.rows;
  const program = new FrozenProgram({ forward: (x) => model.forward(x), inputs, maxBatch, formOf: () => form });
  program.packNow();
  return program;
}

function answer(program: FrozenProgram, x: Float32Array, threads = 1): Float32Array {
  const rows = x.length / (program.inputs[0]?.shape[0] ?? 1);
  const y = new Float32Array(rows * program.outputs);
  program.runInto(x, rows, y, threads);
  return y;
}

const deep = (k: number, h: number, n: number) =>
  sequential(linear(k, h), relu(), linear(h, h), gelu(), linear(h, h), tanh(), linear(h, h), elu(), linear(h, n));

test.each([
  [1, 1, 1],
  [3, 5, 2],
  [32, 64, 2],
  [70, 33, 17],
  [2100, 40, 10],
  [220, 128, 1],
])("f32 has the bits of the program that packs nothing: %d-%d-%d", (k, h, n) => {
  const model = deep(k, h, n).initialize(3);
  const program = freeze(model, 70);
  for (const rows of [1, 2, 3, 5, 8, 13, 14, 64, 70]) {
    const x = rowsOf(rows, k);
    for (const threads of [1, 2, 4]) {
      expect(answer(program, x, threads), `${rows} rows, ${threads} threads`).toEqual(model.predictSync(x).data);
    }
  }
});

test.each<WeightForm>(["f32", "bf16", "int8"])("a row's answer does not depend on its batch: %s", (form) => {
  for (const [k, h, n] of [
    [3, 5, 2],
    [1100, 70, 33],
  ] as const) {
    const program = freeze(deep(k, h, n).initialize(3), 90, form);
    const x = rowsOf(90, k);
    const rows = Array.from({ length: 90 }, (_, r) => [...answer(program, x.slice(r * k, (r + 1) * k))]).flat();
    for (const count of [2, 7, 12, 13, 64, 90]) {
      for (const threads of [1, 3]) {
        expect([...answer(program, x.slice(0, count * k), threads)], `${count}`).toEqual(rows.slice(0, count * n));
      }
    }
  }
});

test("whatever a layer records is frozen: shared weights, products of either kind, what a product is not", () => {
  const odd = defineLayer({
    kind: "odd",
    inputs: 6,
    outputs: 6,
    parameters: { weight: parameter([6, 6]), scale: parameter([6], { init: 0.3 }) },
    forward(x, { weight, scale }) {
      const twice = ops.linear(ops.linear(x, weight, scale), weight);
      const turned = ops.matmul(twice, weight);
      return ops.multiply(ops.add(turned, ops.relu(turned)), ops.add(scale, 1));
    },
  });
  const model = sequential(odd, dropout(0.5), linear(6, 4), softmax()).initialize(5);
  const x = rowsOf(40, 6);
  expect(answer(freeze(model, 40), x)).toEqual(model.predictSync(x).data);
});

test("answers come from the last packing; a later one beside calls that are under way", async () => {
  const model = sequential(linear(8, 4)).initialize(1);
  const program = new FrozenProgram({
    forward: (x) => model.forward(x),
    inputs: [{ name: "x", shape: [8], dtype: "f32" }],
    maxBatch: 4,
  });
  const x = rowsOf(4, 8);
  const y = new Float32Array(16);
  expect(() => program.runInto(x, 4, y, 1)).toThrow("weights that are packed");
  await program.pack();
  const first = model.predictSync(x).data;
  expect(answer(program, x)).toEqual(first);
  model.initialize(2);
  expect(answer(program, x)).toEqual(first);
  const running = program.runAsync(x, 4, y, 2);
  program.packNow();
  expect(answer(program, x)).toEqual(model.predictSync(x).data);
  await running;
  expect(y).toEqual(first);
  model.initialize(3);
  const packing = program.pack();
  model.initialize(4); // waits for who reads it
  program.packNow();
  await packing;
  expect(answer(program, x)).toEqual(model.predictSync(x).data);
  await program.runAsync(x, 4, y, 2);
  expect(y).toEqual(model.predictSync(x).data);
});

test("weights that nobody has looked at are drawn by the packing", async () => {
  const drawn = sequential(linear(4, 3));
  const late = sequential(linear(4, 3));
  const x = rowsOf(1, 4);
  expect(answer(freeze(drawn, 1), x)).toEqual(drawn.predictSync(x).data);
  const program = new FrozenProgram({
    forward: (value) => late.forward(value),
    inputs: [{ name: "x", shape: [4], dtype: "f32" }],
    maxBatch: 1,
  });
  await program.pack();
  expect(answer(program, x)).toEqual(drawn.predictSync(x).data);
});

test("packing goes on beside a run, and takes the weights between two steps of it", async () => {
  const model = sequential(linear(8, 64), relu(), linear(64, 3)).initialize(1);
  const program = freeze(model, 8);
  const x = rowsOf(512, 8);
  const y = Int32Array.from({ length: 512 }, (_, i) => i % 3);
  const run = fit(model, {
    data: { x, y },
    loss: crossEntropy(),
    optimizer: sgd({ lr: 0.01 }),
    epochs: 400,
    batchSize: 16,
  });
  let over = false;
  const ended = run.finally(() => {
    over = true;
  });
  const seen = new Set<string>();
  for (let i = 0; i < 20 || (seen.size < 2 && !over); i++) {
    await program.pack();
    program.packNow();
    seen.add(String(answer(program, x.slice(0, 8))));
  }
  await ended;
  await program.pack();
  expect(seen.size).toBeGreaterThan(1);
  expect(answer(program, x.slice(0, 64))).toEqual(model.predictSync(x.slice(0, 64)).data);
});

test("x and y may be one memory, and longer than the rows", () => {
  const model = sequential(linear(4, 4), relu(), linear(4, 4)).initialize(1);
  const program = freeze(model, 8);
  const both = rowsOf(8, 4);
  const wanted = model.predictSync(both.slice(0, 12)).data;
  const rest = both.slice(12);
  program.runInto(both, 3, both, 1);
  expect(both.slice(0, 12)).toEqual(wanted);
  expect(both.slice(12)).toEqual(rest);
});

test.each([
  ["too many rows", (p: FrozenProgram) => p.runInto(new Float32Array(100), 9, new Float32Array(100), 1)],
  ["no rows", (p: FrozenProgram) => p.runInto(new Float32Array(100), 0, new Float32Array(100), 1)],
  ["a short x", (p: FrozenProgram) => p.runInto(new Float32Array(11), 3, new Float32Array(100), 1)],
  ["a short y", (p: FrozenProgram) => p.runInto(new Float32Array(12), 3, new Float32Array(11), 1)],
  ["no threads", (p: FrozenProgram) => p.runInto(new Float32Array(12), 3, new Float32Array(12), 0)],
  [
    "shared memory",
    (p: FrozenProgram) => p.runInto(new Float32Array(new SharedArrayBuffer(64)), 1, new Float32Array(12), 1),
  ],
])("%s is an error", (_what, call) => {
  const program = freeze(sequential(linear(4, 4)).initialize(1), 8);
  expect(() => call(program)).toThrow(expect.objectContaining({ code: "ERR_NATIVE" }));
});

test("two calls on native threads at once are refused, and the first is none the worse", async () => {
  const model = sequential(linear(4, 4)).initialize(1);
  const program = freeze(model, 8);
  const x = rowsOf(8, 4);
  const y = new Float32Array(32);
  const first = program.runAsync(x, 8, y, runtime.threads);
  await expect(program.runAsync(x, 8, y, 1)).rejects.toMatchObject({ code: "ERR_BUSY" });
  await first;
  expect(y).toEqual(model.predictSync(x).data);
});
