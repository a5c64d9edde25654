// Minimizers: their states, several models, several of them in one body, and what they refuse.
import {
  adam,
  linear,
  type Minimizer,
  type MinimizerOptions,
  type Model,
  minimizer,
  type Optimizer,
  ops,
  program,
  sequential,
  sgd,
  sgdMomentum,
  spec,
  tensor,
  type Value,
} from "carillon";
import { describe, expect, test } from "vitest";
import { probe, signed, startAt } from "../regularizers/probe.js";
import { weightsOf } from "../train/synthetic.js";

const line = (init: number): Model => sequential(linear(1, 1, { init, bias: false })).initialize(0);
const x = tensor([[1]]);
const INPUTS = { inputs: { x: spec(["batch", 1]) }, maxBatch: 1 } as const;
const onlyWeight = (model: Model): number | undefined => weightsOf(model, "linear1.weight")[0];

describe("several models", () => {
  test("are trained together, each with states of its own", async () => {
    const [a, b] = [line(2), line(3)];
    const trainer = minimizer([a, b], sgdMomentum({ lr: 1, beta: 0.5 }));
    const step = program({
      ...INPUTS,
      body({ x: given }) {
        const loss = ops.sum(ops.multiply(a.forward(given), b.forward(given)));
        trainer.minimize(loss);
        return { loss };
      },
    });
    // ∂/∂a = b, ∂/∂b = a, both from before the step: V = ½·3, a = 2 − 1.5; V = ½·2, b = 3 − 1.
    expect((await step.run({ x })).loss.item()).toBe(6);
    expect([onlyWeight(a), onlyWeight(b)]).toEqual([0.5, 2]);
    expect([...trainer.states(a)]).toEqual([["velocity/linear1.weight", Float32Array.of(1.5)]]);
    expect([...trainer.states(b)]).toEqual([["velocity/linear1.weight", Float32Array.of(1)]]);
    // V = ½·1.5 + ½·2, a = 0.5 − 1.75; V = ½·1 + ½·0.5, b = 2 − 0.75.
    await step.run({ x });
    expect([onlyWeight(a), onlyWeight(b)]).toEqual([-1.25, 1.25]);
  });

  test("a second minimizer in the body sees the update of the first", async () => {
    const [a, b] = [line(2), line(3)];
    const [first, second] = [minimizer(a, sgd({ lr: 0.5 })), minimizer(b, sgd({ lr: 0.5 }))];
    const step = program({
      ...INPUTS,
      body({ x: given }) {
        const product = () => ops.sum(ops.multiply(a.forward(given), b.forward(given)));
        first.minimize(product());
        const after = product();
        second.minimize(after);
        return { after };
      },
    });
    // a = 2 − ½·3 = 0.5; then ∂/∂b = 0.5: b = 3 − ¼.
    expect((await step.run({ x })).after.item()).toBe(1.5);
    expect([onlyWeight(a), onlyWeight(b)]).toEqual([0.5, 2.75]);
  });

  test("several updates in a body are as many steps of the rule", async () => {
    const [once, thrice] = [line(2), line(2)];
    const [single, triple] = [minimizer(once, adam({ lr: 0.1 })), minimizer(thrice, adam({ lr: 0.1 }))];
    const learn = (model: Model, trainer: Minimizer, given: Value): void => {
      trainer.minimize(ops.sum(ops.square(ops.subtract(model.forward(given), 5))));
    };
    const one = program({
      ...INPUTS,
      body({ x: given }) {
        learn(once, single, given);
        return { y: once.forward(given) };
      },
    });
    const three = program({
      ...INPUTS,
      body({ x: given }) {
        for (let turn = 0; turn < 3; turn++) learn(thrice, triple, given);
        return { y: thrice.forward(given) };
      },
    });
    for (let step = 1; step <= 4; step++) {
      let y = Number.NaN;
      for (let turn = 0; turn < 3; turn++) y = (await one.run({ x })).y.item();
      expect((await three.run({ x })).y.item()).toBe(y); // to the bit: Adam's corrections count 1, 2, … 12
    }
    expect(triple.states(thrice)).toEqual(single.states(once));
  });

  test("the same optimizer in two minimizers holds no state", async () => {
    const optimizer = adam({ lr: 0.1 });
    const [one, other] = [0, 1].map(() => startAt([2, 3], signed(6, 1), optimizer));
    for (let step = 1; step <= 3; step++) await one?.step(signed(6, step));
    for (let step = 1; step <= 3; step++) await other?.step(signed(6, step));
    expect(one?.weight).toEqual(other?.weight);
  });
});

describe("states", () => {
  test("taken and given back, the next step has the same bits", async () => {
    const options: MinimizerOptions = { averageWeights: { decay: 0.5 } };
    const one = startAt([3, 5], signed(15, 1), sgdMomentum({ lr: 0.1 }), options);
    await one.step(signed(15, 2));
    const { weights } = one.look();
    const states = one.trainer.states(one.model);
    const other = startAt([3, 5], signed(15, 9), sgdMomentum({ lr: 0.1 }), options);
    await other.step(signed(15, 8));
    other.model.setWeights(weights);
    other.trainer.restore(other.model, states, one.trainer.counts);
    expect(other.trainer.states(other.model)).toEqual(states);
    await one.step(signed(15, 3));
    await other.step(signed(15, 3));
    expect(other.look()).toEqual(one.look());
    expect(one.trainer.stateShapes(one.model)).toEqual(
      new Map([
        ["velocity/probe.weight", [3, 5]],
        ["velocity/probe.bias", [15]],
        ["average/probe.weight", [3, 5]],
        ["average/probe.bias", [15]],
      ]),
    );
  });

  test("a missing one is an error, and nothing is written", () => {
    const one = startAt([3, 5], signed(15, 1), adam());
    const before = one.trainer.states(one.model);
    const missing = new Map([...before].slice(1));
    const call = () => one.trainer.restore(one.model, missing, one.trainer.counts);
    expect(call).toThrow(expect.objectContaining({ code: "ERR_STATE" }));
    expect(one.trainer.states(one.model)).toEqual(before);
  });

  test("of a model that is another's are an error", () => {
    const trainer = minimizer(line(1), adam());
    const error = { code: "ERR_STATE", where: "minimizer" };
    expect(() => trainer.states(line(1))).toThrow(expect.objectContaining(error));
  });
});

describe("refusals", () => {
  const model = line(1);

  test.each<[string, () => unknown, string, string]>([
    [
      "an unknown option",
      () => minimizer(model, adam(), { clips: { norm: 1 } } as MinimizerOptions),
      "ERR_UNKNOWN_OPTION",
      "minimizer.clips",
    ],
    ["no optimizer", () => minimizer(model, undefined as unknown as Optimizer), "ERR_OPTION", "minimizer.optimizer"],
    ["a number", () => minimizer(model, 0.1 as unknown as Optimizer), "ERR_OPTION", "minimizer.optimizer"],
    ["no rule", () => minimizer(model, { ...adam(), rule: "adamm" }), "ERR_OPTION", "minimizer.optimizer.rule"],
    ["outside of a program", () => minimizer(model, adam()).minimize(ops.sum(x)), "ERR_TRACE", "minimize"],
  ])("%s", (_name, call, code, where) => {
    expect(call).toThrow(expect.objectContaining({ code, where }));
  });

  const minimizing = (trainer: Minimizer, of: Model, total: "sum" | "none") =>
    program({
      ...INPUTS,
      body({ x: given }) {
        const y = of.forward(given);
        return { penalty: trainer.minimize(total === "sum" ? ops.sum(y) : y).penalty };
      },
    });

  test("a loss that leaves a parameter out names it", () => {
    const error = { code: "ERR_TRACE", where: "linear1.weight", message: expect.stringContaining("linear1.weight") };
    expect(() => minimizing(minimizer(line(1), adam()), line(2), "sum")).toThrow(expect.objectContaining(error));
  });

  test("a loss that is no scalar", () => {
    const own = line(1);
    expect(() => minimizing(minimizer(own, adam()), own, "none")).toThrow(
      expect.objectContaining({ code: "ERR_SHAPE" }),
    );
  });
});

test("an untouched model is initialized with the seed 0, and averages begin there", () => {
  const fresh = probe([2, 2]);
  expect(fresh.initialized).toBe(false);
  const trainer = minimizer(fresh, adam(), { averageWeights: { decay: 0.9 } });
  expect(fresh.initialized).toBe(true);
  expect(trainer.averages(fresh)?.get("probe.weight")).toEqual(fresh.weights().get("probe.weight")?.data);
});
