import { describe, expect, test } from "vitest";
import { grad } from "../../lib/graph/grad.js";
import type { Plan } from "../../lib/graph/plan.js";
import { program, spec } from "../../lib/graph/program.js";
import { currentTrace } from "../../lib/graph/trace.js";
import { batchNorm } from "../../lib/nn/layers/batch_norm.js";
import { layerNorm } from "../../lib/nn/layers/layer_norm.js";
import { linear } from "../../lib/nn/layers/linear.js";
import type { Model } from "../../lib/nn/model/model.js";
import { sequential } from "../../lib/nn/model/sequential.js";
import { parameter } from "../../lib/nn/parameters/parameter.js";
import { defineLayer } from "../../lib/nn/structure/layer.js";
import * as ops from "../../lib/ops/index.js";
import { adam } from "../../lib/optim/adam.js";
import { minimizer } from "../../lib/optim/minimizer.js";
import type { Optimizer } from "../../lib/optim/optimizer.js";
import { type Partition, partition } from "../../lib/optim/partition.js";
import { sgd } from "../../lib/optim/sgd.js";
import { l2 } from "../../lib/regularizers/index.js";
import { type Tensor, tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";
import { instructions, planned } from "./inspect.js";

const list = (x: Tensor | undefined): number[] => Array.from(x?.data ?? []);
const COUNT = 64;
const one = { x: { shape: [COUNT] } } as const;

describe("memory", () => {
  test("a long chain of elementwise operations works in one place", () => {
    const { arenaCount, code } = planned(one, ({ x }) => {
      let y = x;
      for (let i = 0; i < 500; i++) y = i % 2 === 0 ? ops.negate(y) : ops.add(y, 1);
      return [ops.sum(y)];
    });
    expect(instructions(code).length).toBe(501);
    expect(arenaCount).toBe(COUNT);
  });

  test("a long chain of products takes two places by turns", () => {
    const { arenaCount } = planned({ x: { shape: [8, 8] } }, ({ x }) => {
      let y = x;
      for (let i = 0; i < 100; i++) y = ops.matmul(y, x);
      return [ops.sum(y)];
    });
    expect(arenaCount).toBe(2 * COUNT);
  });

  test("its gradient keeps one value a link, not several", () => {
    const links = 50;
    const { arenaCount } = planned(one, ({ x }) => {
      const [dx] = grad((value) => {
        let y = value;
        for (let i = 0; i < links; i++) y = ops.tanh(y);
        return ops.sum(y);
      })(x);
      return [dx ?? x];
    });
    expect(arenaCount).toBeLessThanOrEqual((links + 3) * COUNT);
  });

  test("memory counts the largest batch", () => {
    const { arenaCount } = planned({ x: { shape: ["batch", 16] } }, ({ x }) => [ops.sum(ops.negate(x))], 11);
    expect(arenaCount).toBe(11 * 16);
  });

  test("an output is computed where it is wanted", () => {
    const { arenaCount, code } = planned(one, ({ x }) => [ops.exp(x)]);
    expect([arenaCount, instructions(code)]).toEqual([0, ["unary"]]);
  });

  test("what no output needs is not computed", () => {
    const { code } = planned(one, ({ x }) => {
      ops.exp(x);
      return [ops.negate(x)];
    });
    expect(instructions(code)).toEqual(["unary"]);
  });

  test("an input, a constant, and what is used later are not overwritten in place", async () => {
    const constant = tensor([10, 20]);
    const step = program({
      inputs: { x: spec([2]) },
      body({ x }) {
        const first = ops.negate(x);
        const second = ops.negate(first);
        const third = ops.add(ops.negate(constant), second);
        return { sum: ops.add(ops.add(x, first), constant), third, x2: ops.multiply(first, second) };
      },
    });
    for (let round = 0; round < 2; round++) {
      const { sum, third, x2 } = await step.run({ x: tensor([1, 2]) });
      expect([list(sum), list(third), list(x2)]).toEqual([
        [10, 20],
        [-9, -18],
        [-1, -4],
      ]);
    }
    expect(list(constant)).toEqual([10, 20]);
  });
});

describe("outputs", () => {
  test("the same value twice, reshapes of it, and an output that another one uses", async () => {
    const step = program({
      inputs: { x: spec(["batch", 2]) },
      maxBatch: 4,
      body({ x }) {
        const y = ops.square(x);
        return {
          a: y,
          b: y,
          c: ops.reshape(y, ["batch", 2, 1]),
          d: ops.negate(y),
          e: ops.negate(ops.reshape(y, ["batch", 1, 2])),
        };
      },
    });
    const { a, b, c, d, e } = await step.run({
      x: tensor([
        [1, 2],
        [3, 4],
      ]),
    });
    expect([list(a), list(b), list(c)]).toEqual([
      [1, 4, 9, 16],
      [1, 4, 9, 16],
      [1, 4, 9, 16],
    ]);
    expect([list(d), list(e)]).toEqual([
      [-1, -4, -9, -16],
      [-1, -4, -9, -16],
    ]);
    expect([b.shape, c.shape, e.shape]).toEqual([
      [2, 2],
      [2, 2, 1],
      [2, 1, 2],
    ]);
  });

  test("the value computed last, twice", async () => {
    const step = program({
      inputs: { x: spec([2]) },
      body({ x }) {
        const y = ops.square(x);
        return { a: y, b: y };
      },
    });
    for (const x of [1, 2]) {
      const { a, b } = await step.run({ x: tensor([x, x]) });
      expect([list(a), list(b)]).toEqual([
        [x * x, x * x],
        [x * x, x * x],
      ]);
    }
  });

  test("an input, a reshape of it, a constant and the number of rows", async () => {
    const step = program({
      inputs: { x: spec(["batch", 2]), unused: spec(["batch"]) },
      maxBatch: 4,
      body({ x }) {
        return {
          x,
          y: ops.reshape(x, ["batch", 2, 1]),
          constant: tensor([7, 8]),
          rows: ops.rowCount(),
          z: ops.add(x, 1),
        };
      },
    });
    const outputs = await step.run({ x: tensor([[1, 2]]), unused: tensor([0]) });
    expect(Object.values(outputs).map(list)).toEqual([[1, 2], [1, 2], [7, 8], [1], [2, 3]]);
    expect(Object.values(outputs).map(({ shape }) => shape)).toEqual([[1, 2], [1, 2, 1], [2], [], [1, 2]]);
  });

  test("integers are given out where they are computed, and copied where they are not", async () => {
    const step = program({ inputs: { x: spec([2, 3]) }, body: ({ x }) => ({ best: ops.argmax(x) }) });
    const { best } = await step.run({
      x: tensor([
        [1, 3, 2],
        [9, 8, 7],
      ]),
    });
    expect([best.dtype, list(best)]).toEqual(["i32", [1, 0]]);
    const copied = program({ inputs: { y: spec([2], "i32") }, body: ({ y }) => ({ y }) });
    expect(list((await copied.run({ y: tensor(Int32Array.of(5, -6)) })).y)).toEqual([5, -6]);
  });

  test("each call gives tensors of its own", async () => {
    const step = program({ inputs: { x: spec([1]) }, body: ({ x }) => ({ y: ops.negate(x) }) });
    const first = await step.run({ x: tensor([1]) });
    const second = await step.run({ x: tensor([2]) });
    expect([list(first.y), list(second.y)]).toEqual([[-1], [-2]]);
  });
});

describe("updates", () => {
  /** y = w·x with w = 3, and its parameter as a value of the trace that records. */
  function scalar(): { readonly model: Model; weight(): Value } {
    const model = sequential(linear(1, 1, { init: 3, bias: false }));
    model.initialize(0);
    const weight = (): Value => {
      const value = model.values(currentTrace("test")).get("linear1.weight");
      if (value === undefined) throw new Error("the model has no weight");
      return value;
    };
    return { model, weight };
  }

  const x = tensor([[2]]);
  const inputs = { x: spec(["batch", 1]) };

  test("values computed before an update keep their numbers, what comes after it sees the new weights", async () => {
    const { model } = scalar();
    const trainer = minimizer(model, sgd({ lr: 0.25 }));
    const step = program({
      inputs,
      maxBatch: 1,
      body(given) {
        const before = model.forward(given.x);
        const copies = [ops.negate(before), ops.exp(ops.multiply(before, 0))];
        trainer.minimize(ops.sum(before)); // ∂/∂w = x = 2: w becomes 3 − 0.5
        const after = model.forward(given.x);
        return {
          before,
          negated: copies[0] ?? before,
          one: copies[1] ?? before,
          after,
          late: ops.subtract(before, after),
        };
      },
    });
    const { before, negated, one: ones, after, late } = await step.run({ x });
    expect([before, negated, ones, after, late].map(list)).toEqual([[6], [-6], [1], [5], [1]]);
  });

  test("a parameter given out is the one after the step, a reshape of it too", async () => {
    const { model, weight } = scalar();
    const trainer = minimizer(model, sgd({ lr: 0.25 }));
    const step = program({
      inputs,
      maxBatch: 1,
      body(given) {
        trainer.minimize(ops.sum(model.forward(given.x)));
        return { weight: weight(), flat: ops.reshape(weight(), [1]), double: ops.multiply(weight(), 2) };
      },
    });
    const { weight: w, flat, double } = await step.run({ x });
    expect([w, flat, double].map(list)).toEqual([[2.5], [2.5], [5]]);
    expect(list(model.weights().get("linear1.weight"))).toEqual([2.5]);
  });

  test("two updates of one model by one loss: each reads its own gradient", async () => {
    const { model } = scalar();
    const slow = minimizer(model, sgd({ lr: 0.25 }));
    const fast = minimizer(model, sgd({ lr: 1 }));
    const step = program({
      inputs,
      maxBatch: 1,
      body(given) {
        const loss = ops.sum(model.forward(given.x));
        slow.minimize(loss);
        fast.minimize(loss);
        return { loss, after: model.forward(given.x) };
      },
    });
    const { loss, after } = await step.run({ x });
    expect([list(loss), list(after)]).toEqual([[6], [(3 - 0.5 - 2) * 2]]);
  });

  test("one gradient for two parameters, and as an output as well", async () => {
    const left = scalar();
    const right = scalar();
    const both = minimizer([left.model, right.model], sgd({ lr: 0.5 }));
    const step = program({
      inputs,
      maxBatch: 1,
      body(given) {
        const loss = ops.sum(ops.add(left.weight(), right.weight()));
        const [dw] = grad((w) => ops.sum(ops.add(w, right.weight())))(left.weight());
        both.minimize(ops.add(loss, ops.multiply(ops.sum(given.x), 0)));
        return { dw: dw ?? loss, left: left.weight(), right: right.weight() };
      },
    });
    const { dw, left: a, right: b } = await step.run({ x });
    expect([dw, a, b].map(list)).toEqual([[1], [2.5], [2.5]]);
  });

  test("a gradient region a slab, however many optimizers and updates there are", () => {
    const wide = 64;
    const planOf = (...optimizers: readonly (Optimizer | Partition)[]): Plan => {
      const model = sequential(linear(wide, wide), linear(wide, wide), linear(wide, wide)).initialize(1);
      return planned({ x: { shape: ["batch", wide] } }, ({ x: given }) => {
        const losses = optimizers.map((optimizer) => {
          const loss = ops.sum(model.forward(given));
          minimizer(model, optimizer).minimize(loss);
          return loss;
        });
        return losses;
      });
    };
    const [one, two, three] = ["linear1.*", "linear2.*", "*"].map((pattern) => [pattern, sgd({ lr: 1 })] as const);
    if (one === undefined || two === undefined || three === undefined) throw new Error("three groups");
    const alone = planOf(sgd({ lr: 1 }));
    const groups = planOf(partition([one, two, three]));
    const twice = planOf(sgd({ lr: 1 }), partition([one, two, three]));
    const total = 3 * (wide * wide + wide);
    expect(alone.arenaCount).toBeGreaterThan(total);
    // Besides, an update tells a penalty. With a region an update it was 2 and 3 times `total` more.
    const penalty = 16;
    expect(groups.arenaCount - alone.arenaCount).toBeLessThanOrEqual(3 * penalty);
    expect(twice.arenaCount - alone.arenaCount).toBeLessThanOrEqual(5 * penalty);
    expect(instructions(twice.code).filter((name) => name === "update").length).toBe(4);
    expect(instructions(twice.code)).not.toContain("copy");
  });

  test("the gradient of a table takes memory by the rows that a batch can name, beside whatever else", () => {
    const [tall, wide, width, maxRows] = [1 << 20, 16, 3, 8];
    const layer = defineLayer({
      kind: "looked",
      inputs: width,
      outputs: wide,
      parameters: { table: parameter([tall, wide], { role: "table", init: 0 }), scale: parameter([wide], { init: 1 }) },
      forward: (ids, { table, scale }) => ops.multiply(ops.sum(ops.take(table, ids), { axis: 1 }), scale),
    });
    const model = sequential(layer);
    for (const optimizer of [sgd({ lr: 1 }), adam()]) {
      for (const options of [{}, { clip: { norm: 1 } }]) {
        const trainer = minimizer(model, optimizer, options);
        const { code, arenaCount } = planned(
          { ids: { shape: ["batch", width], dtype: "i32" } },
          ({ ids }) => [trainer.minimize(ops.sum(model.forward(ids))).penalty],
          maxRows,
        );
        expect(instructions(code)).not.toContain("take_gradient");
        // What is looked up, what flows back, and the gradient; then little.
        expect(arenaCount).toBeLessThan(4 * maxRows * width * wide + 1024);
      }
    }
  });

  test("gradients lie in the region of their update: nothing is copied", () => {
    const { model } = scalar();
    const trainer = minimizer(model, sgd({ lr: 1 }));
    const { code } = planned({ x: { shape: ["batch", 1] } }, ({ x: given }) => {
      const loss = ops.sum(model.forward(given));
      trainer.minimize(loss);
      return [loss];
    });
    expect(instructions(code)).toContain("update");
    expect(instructions(code)).not.toContain("copy");
  });

  test("so do those that are further outputs of one operation, as scale and shift of a normalization are", () => {
    const model = sequential(linear(3, 8), layerNorm(8), linear(8, 8), batchNorm(8), linear(8, 2)).initialize(1);
    const trainer = minimizer(model, sgd({ lr: 1 }));
    const { code } = planned({ x: { shape: ["batch", 3] } }, ({ x: given }) => {
      const loss = ops.sum(ops.square(model.forward(given)));
      trainer.minimize(loss);
      return [loss];
    });
    expect(instructions(code)).toEqual(expect.arrayContaining(["row_norm_gradient", "column_norm_gradient", "update"]));
    expect(instructions(code)).not.toContain("copy");
  });

  test("further outputs that are given out are computed where they are wanted", () => {
    const { code } = planned({ x: { shape: ["batch", 3] } }, ({ x: given }) => {
      const { y, mean, variance } = ops.batchNorm(given);
      return [y, mean, variance];
    });
    expect(instructions(code)).toEqual(["column_norm"]);
  });

  test("a penalty is that of the weights before the update", async () => {
    const { model } = scalar();
    const trainer = minimizer(model, sgd({ lr: 0.25 }), { regularizer: l2(2) });
    const step = program({
      inputs,
      maxBatch: 1,
      body: (given) => ({ penalty: trainer.minimize(ops.sum(model.forward(given.x))).penalty }),
    });
    expect(list((await step.run({ x })).penalty)).toEqual([9]);
  });
});
