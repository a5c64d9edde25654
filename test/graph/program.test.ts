import { describe, expect, test } from "vitest";
import { program, spec } from "../../lib/graph/program.js";
import { currentTrace } from "../../lib/graph/trace.js";
import { linear } from "../../lib/nn/layers/linear.js";
import { sequential } from "../../lib/nn/model/sequential.js";
import * as ops from "../../lib/ops/index.js";
import { minimizer } from "../../lib/optim/minimizer.js";
import { sgd } from "../../lib/optim/sgd.js";
import { type Tensor, tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";

const list = (x: Tensor | undefined): number[] => Array.from(x?.data ?? []);
const failing = (code: string, where: string) => expect.objectContaining({ name: "CarillonError", code, where });

/** y = −x over a batch of at most 3 rows. */
function negation() {
  return program({ inputs: { x: spec(["batch", 2]) }, maxBatch: 3, body: ({ x }) => ({ y: ops.negate(x) }) });
}

describe("options", () => {
  const inputs = { x: spec([2]) };
  const body = ({ x }: { x: Value }) => ({ y: x });
  test.each<[object, string, string]>([
    [{ inputs, body, maxbatch: 3 }, "ERR_UNKNOWN_OPTION", "program.maxbatch"],
    [{ inputs, body, seed: -1 }, "ERR_OPTION", "program.seed"],
    [{ inputs, body, training: 1 }, "ERR_OPTION", "program.training"],
    [{ inputs, body, threads: 0 }, "ERR_OPTION", "program.threads"],
    [{ inputs, body, maxBatch: 0 }, "ERR_OPTION", "program.maxBatch"],
    [{ inputs: { x: spec(["batch"]) }, body }, "ERR_OPTION", "program.maxBatch"],
    [{ inputs, body: 3 }, "ERR_OPTION", "program.body"],
    [{ inputs, body: () => ({ y: 1 }) }, "ERR_OPTION", "program.body.y"],
  ])("refuses %o", (options, code, where) => {
    expect(() => program(options as unknown as Parameters<typeof program>[0])).toThrow(failing(code, where));
  });

  test("a spec has sizes from 1 and a dtype to compute with", () => {
    expect(() => spec([0])).toThrow(failing("ERR_SHAPE", "spec"));
    expect(() => spec([2, "batch"])).toThrow(failing("ERR_SHAPE", "spec"));
    expect(() => spec([2.5])).toThrow(failing("ERR_SHAPE", "spec"));
    expect(() => spec([2], "u8" as "f32")).toThrow(failing("ERR_DTYPE", "spec.dtype"));
  });

  test("an error of the body passes through, and the trace is closed", () => {
    const thrown = new Error("mine");
    const broken = () => {
      throw thrown;
    };
    expect(() => program({ inputs, body: broken })).toThrow(thrown);
    expect(() => currentTrace("here")).toThrow(failing("ERR_TRACE", "here"));
  });
});

describe("inputs of a call", () => {
  const rows = (count: number, columns = 2): Tensor => tensor(new Float32Array(count * columns), [count, columns]);
  test.each<[string, object, string, string]>([
    ["nothing", {}, "ERR_OPTION", "program.inputs.x"],
    ["an unknown name", { x: rows(1), z: rows(1) }, "ERR_UNKNOWN_OPTION", "program.inputs.z"],
    ["text", { x: "1, 2" }, "ERR_OPTION", "program.inputs.x"],
    ["ragged numbers", { x: [[1, 2], [3]] }, "ERR_SHAPE", "tensor"],
    ["a row without its axis", { x: [1, 2] }, "ERR_SHAPE", "program.inputs.x"],
    ["half a row", { x: new Float32Array(3) }, "ERR_SHAPE", "program.inputs.x"],
    ["too many rows, flat", { x: new Float32Array(8) }, "ERR_SHAPE", "program.inputs.x"],
    ["integers", { x: new Int32Array(2) }, "ERR_SHAPE", "program.inputs.x"],
    ["another size", { x: rows(1, 3) }, "ERR_SHAPE", "program.inputs.x"],
    ["another rank", { x: tensor([1, 2]) }, "ERR_SHAPE", "program.inputs.x"],
    ["too many rows", { x: rows(4) }, "ERR_SHAPE", "program.inputs.x"],
    ["another dtype", { x: tensor(new Int32Array(2), [1, 2]) }, "ERR_SHAPE", "program.inputs.x"],
  ])("%s", async (_name, inputs, code, where) => {
    const step = negation();
    await expect(step.run(inputs as { x: Tensor })).rejects.toThrow(failing(code, where));
    expect(() => step.runSync(inputs as { x: Tensor })).toThrow(failing(code, where));
    const { y } = await step.run({ x: tensor([[1, 2]]) });
    expect(list(y)).toEqual([-1, -2]);
    expect(step.step).toBe(1);
  });

  test("numbers take the shape and the type of the input", async () => {
    const inputs = { x: spec(["batch", 2]), scale: spec([]), label: spec(["batch"], "i32") };
    const step = program({
      inputs,
      maxBatch: 3,
      body: ({ x, scale, label }) => ({ y: ops.multiply(x, scale), hot: ops.oneHot(label, 3) }),
    });
    const labels = [[2, 0], Int32Array.of(2, 0), Uint8Array.of(2, 0), tensor(Int32Array.of(2, 0))];
    const rows = [
      [
        [1, 2],
        [3, 4],
      ],
      Float32Array.of(1, 2, 3, 4),
      Uint8Array.of(1, 2, 3, 4),
      tensor([
        [1, 2],
        [3, 4],
      ]),
    ];
    for (const [index, x] of rows.entries()) {
      const { y, hot } = await step.run({ x, scale: 10, label: labels[index] ?? 0 });
      expect([list(y), y.shape, list(hot)]).toEqual([
        [10, 20, 30, 40],
        [2, 2],
        [0, 0, 1, 1, 0, 0],
      ]);
    }
    for (const label of [
      [0.5, 1],
      [2 ** 31, 1],
      [Number.NaN, 1],
    ]) {
      const wrong = step.run({ x: rows[0] ?? [], scale: 1, label });
      await expect(wrong).rejects.toThrow(failing("ERR_DTYPE", "program.inputs.label"));
    }
  });

  test("two inputs have the same rows", async () => {
    const inputs = { a: spec(["batch"]), b: spec(["batch"]) };
    const step = program({ inputs, maxBatch: 4, body: ({ a, b }) => ({ y: ops.add(a, b) }) });
    const unequal = step.run({ a: tensor([1, 2]), b: tensor([1, 2, 3]) });
    await expect(unequal).rejects.toThrow(failing("ERR_SHAPE", "program.inputs.b"));
  });

  test("a detached buffer is said to be one", async () => {
    const data = Float32Array.of(1, 2);
    const x = tensor(data, [1, 2]);
    structuredClone(data, { transfer: [data.buffer] });
    await expect(negation().run({ x })).rejects.toThrow(failing("ERR_DETACHED", "tensor"));
  });

  test("fewer rows after more: what is left of the larger batch does not count", async () => {
    const step = program({ inputs: { x: spec(["batch", 2]) }, maxBatch: 3, body: ({ x }) => ({ y: ops.sum(x), x }) });
    expect(
      list(
        (
          await step.run({
            x: tensor([
              [1, 1],
              [1, 1],
              [1, 1],
            ]),
          })
        ).y,
      ),
    ).toEqual([6]);
    const { y, x } = await step.run({ x: tensor([[1, 1]]) });
    expect([list(y), x.shape]).toEqual([[2], [1, 2]]);
  });
});

describe("calls", () => {
  test("run and runSync are one count of steps", async () => {
    const step = negation();
    await step.run({ x: tensor([[1, 2]]) });
    expect(list(step.runSync({ x: tensor([[3, 4]]) }).y)).toEqual([-3, -4]);
    expect(step.step).toBe(2);
  });

  test("calls that overlap are done one after another, a failing one among them", async () => {
    const model = sequential(linear(1, 1, { init: 0, bias: false }));
    model.initialize(0);
    const trainer = minimizer(model, sgd({ lr: 1 }));
    const step = program({
      inputs: { x: spec(["batch", 1]) },
      maxBatch: 1,
      body({ x }) {
        trainer.minimize(ops.negate(ops.sum(model.forward(x)))); // w ← w + x
        return { y: model.forward(ops.add(ops.multiply(x, 0), 1)) };
      },
    });
    const calls = [1, 2, "wrong", 3, 4].map((x) =>
      step.run({ x: (x === "wrong" ? x : tensor([[x as number]])) as Tensor }),
    );
    const done = await Promise.allSettled(calls);
    expect(done.map((one) => (one.status === "fulfilled" ? one.value.y.item() : "failed"))).toEqual([
      1,
      3,
      "failed",
      6,
      10,
    ]);
    expect(step.step).toBe(4);
  });

  test("runSync is refused from the moment that run is called", async () => {
    const step = negation();
    const x = tensor([[1, 2]]);
    const running = step.run({ x });
    expect(() => step.runSync({ x })).toThrow(failing("ERR_BUSY", "runSync"));
    await running;
    expect(list(step.runSync({ x }).y)).toEqual([-1, -2]);
  });

  test("two programs over one model take turns or say that it is busy, and lose no update", async () => {
    const model = sequential(linear(1, 1, { init: 0, bias: false }));
    model.initialize(0);
    const make = () => {
      const trainer = minimizer(model, sgd({ lr: 1 }));
      return program({
        inputs: { x: spec(["batch", 1]) },
        maxBatch: 1,
        body: ({ x }) => ({ p: trainer.minimize(ops.negate(ops.sum(model.forward(x)))).penalty }),
      });
    };
    const [first, second] = [make(), make()];
    const done = await Promise.allSettled([first, second].map((step) => step.run({ x: tensor([[1]]) })));
    const refused = done.filter((one) => one.status === "rejected");
    for (const { reason } of refused) expect(reason).toMatchObject({ code: "ERR_BUSY" });
    expect(list(model.weights().get("linear1.weight"))).toEqual([done.length - refused.length]);
  });

  test("a label outside stops the step, and the program goes on with the next one", async () => {
    const step = program({
      inputs: { x: spec(["batch", 3]), y: spec(["batch"], "i32") },
      maxBatch: 2,
      body: ({ x, y }) => ({ losses: ops.softmaxCrossEntropy(x, y) }),
    });
    const x = tensor(new Float32Array(6), [2, 3]);
    const labels = (...values: number[]): Tensor => tensor(Int32Array.from(values));
    for (const bad of [3, -1]) {
      const error = expect.objectContaining({ code: "ERR_LABEL", message: expect.stringContaining(`received ${bad}`) });
      await expect(step.run({ x, y: labels(0, bad) })).rejects.toThrow(error);
      expect(() => step.runSync({ x, y: labels(0, bad) })).toThrow(error);
      expect(step.step).toBe(0);
    }
    const { losses } = await step.run({ x, y: labels(0, 2) });
    expect(list(losses)).toEqual([Math.fround(Math.log(3)), Math.fround(Math.log(3))]);
    expect(step.step).toBe(1);
  });
});

describe("steps", () => {
  test("minimizers act in the order of the source: the second sees what the first has done", async () => {
    const model = sequential(linear(1, 1, { init: 1, bias: false }));
    model.initialize(0);
    const first = minimizer(model, sgd({ lr: 1 }));
    const second = minimizer(model, sgd({ lr: 1 }));
    const step = program({
      inputs: { x: spec(["batch", 1]) },
      maxBatch: 1,
      body({ x }) {
        first.minimize(ops.sum(model.forward(x))); // w ← 1 − 2 = −1
        second.minimize(ops.sum(ops.square(model.forward(x)))); // w ← −1 − 2·w·x² = −1 + 8
        return { y: model.forward(x) };
      },
    });
    expect(list((await step.run({ x: tensor([[2]]) })).y)).toEqual([14]);
  });

  test("a schedule is asked for every step, from 1, with the steps of the whole training", async () => {
    const asked: object[] = [];
    const model = sequential(linear(1, 1, { init: 0, bias: false }));
    model.initialize(0);
    const lr = (at: { readonly step: number }): number => {
      asked.push(at);
      return at.step;
    };
    const trainer = minimizer(model, sgd({ lr }));
    const step = program({
      steps: 3,
      inputs: { x: spec(["batch", 1]) },
      maxBatch: 1,
      body({ x }) {
        trainer.minimize(ops.negate(ops.sum(model.forward(x))));
        return { y: model.forward(x) };
      },
    });
    const x = tensor([[1]]);
    const y = [await step.run({ x }), step.runSync({ x }), await step.run({ x })].map((outputs) => outputs.y.item());
    expect(y).toEqual([1, 3, 6]);
    expect(asked).toEqual([1, 2, 3].map((at) => expect.objectContaining({ step: at, steps: 3, epoch: 1 })));
  });

  test("dropout draws anew at every step, the same again under the same seed", async () => {
    const x = tensor(new Float32Array(256).fill(1));
    const make = (seed: number) => {
      return program({
        seed,
        inputs: { x: spec([256]) },
        body: (given) => ({ y: ops.dropout(given.x, { rate: 0.5, site: 0 }) }),
      });
    };
    const steps = async (seed: number): Promise<number[][]> => {
      const step = make(seed);
      return [list((await step.run({ x })).y), list(step.runSync({ x }).y)];
    };
    const [first, second] = await steps(1);
    expect(first).not.toEqual(second);
    expect(await steps(1)).toEqual([first, second]);
    expect(await steps(2)).not.toEqual([first, second]);
    expect(second).toEqual(list(ops.dropout(x, { rate: 0.5, site: 0, seed: 1, step: 2 })));
  });
});

describe("values of another program", () => {
  /** A symbol that got away. */
  function stray(of: (x: Value) => Value): Value {
    const caught: Value[] = [];
    program({
      inputs: { x: spec([2]) },
      body({ x }) {
        caught.push(of(x));
        return { x };
      },
    });
    return caught[0] ?? tensor([0, 0]);
  }

  test.each([
    ["an input", (x: Value) => x],
    ["a computed value", (x: Value) => ops.negate(x)],
  ])("%s is refused, even where this one has an input of the same name", (_name, of) => {
    const foreign = stray(of);
    const use = () => program({ inputs: { x: spec([2]) }, body: ({ x }) => ({ y: ops.add(x, foreign) }) });
    expect(use).toThrow(failing("ERR_TRACE", "program"));
  });

  test("a symbol has no data, and an operation at once does not take it", () => {
    const foreign = stray((x) => x);
    expect(Object.keys(foreign)).toEqual(["dtype", "shape"]);
    for (const name of ["data", "item"]) {
      expect(() => Reflect.get(foreign, name)).toThrow(failing("ERR_TRACE", name));
    }
  });

  test("what works in a program only says so outside", () => {
    const model = sequential(linear(2, 2));
    expect(() => model.forward(tensor([[1, 2]]))).toThrow(failing("ERR_TRACE", "forward"));
    expect(() => minimizer(model, sgd({ lr: 1 })).minimize(tensor(1))).toThrow(failing("ERR_TRACE", "minimize"));
  });
});

test("a body gives an object of values, at once", async () => {
  const bodies: readonly unknown[] = [
    async () => ({}),
    async () => Promise.reject(new Error("let go")),
    () => undefined,
    () => null,
    ({ x }: { readonly x: Value }) => x,
    ({ x }: { readonly x: Value }) => [x],
  ];
  for (const body of bodies) {
    const make = () => program({ inputs: { x: spec([1]) }, body: body as () => Record<string, Value> });
    expect(make).toThrow(failing("ERR_OPTION", "program.body"));
  }
  await new Promise((resolve) => setTimeout(resolve)); // nobody's rejection
});
