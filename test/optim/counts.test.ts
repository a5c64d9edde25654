// The states of a minimizer and the count of what they have been through are one thing, in whatever programs it is recorded.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  linear,
  loadCheckpoint,
  type Minimizer,
  type MinimizerOptions,
  type Model,
  minimizer,
  muon,
  nadam,
  type Optimizer,
  ops,
  type Partition,
  partition,
  program,
  radam,
  type Schedule,
  saveCheckpoint,
  sequential,
  sgd,
  spec,
  tensor,
} from "carillon";
import { afterAll, describe, expect, test } from "vitest";
import { OPTIMIZERS } from "./every.js";

const line = (): Model => sequential(linear(1, 1, { init: 0, bias: false })).initialize(0);
const weightOf = (model: Model): number => model.weights().get("linear1.weight")?.data[0] ?? Number.NaN;

/** A program whose step is `updates` updates down the gradient that it is given. */
function descent(model: Model, trainer: Minimizer, updates = 1) {
  const compiled = program({
    maxBatch: 1,
    inputs: { x: spec(["batch", 1]) },
    body({ x }) {
      for (let update = 0; update < updates; update++) trainer.minimize(ops.sum(model.forward(x)));
      return { y: model.forward(x) };
    },
  });
  return {
    compiled,
    down: (slope: number) => compiled.runSync({ x: tensor([[slope]]) }),
  };
}

/** Two programs of one minimizer. */
function twice(optimizer: Optimizer | Partition, options: MinimizerOptions = {}) {
  const model = line();
  const trainer = minimizer(model, optimizer, options);
  return { model, trainer, a: descent(model, trainer), b: descent(model, trainer) };
}

const SLOPES = [1, 1, 1, 3, -2, 0.5, 0.25, 4];

describe("two programs", () => {
  // PyTorch 2.13: one optimizer, gradients 1, 1, 1, 3.
  test.each<[string, Optimizer, number]>([
    ["adam", adam({ lr: 0.1 }), -0.3913],
    ["sgd with momentum", sgd({ lr: 0.1, momentum: 0.9 }), -1.1049],
  ])("%s goes on where the other one left it", (_name, optimizer, expected) => {
    const { model, a, b } = twice(optimizer);
    for (let turn = 0; turn < 3; turn++) a.down(1);
    b.down(3);
    expect(weightOf(model)).toBeCloseTo(expected, 4);
  });

  const forms = Object.entries(OPTIMIZERS).map(([name, make]): [string, Optimizer] => [name, make({ lr: 0.1 })]);
  test.each([...forms, ["sgd, momentum", sgd({ lr: 0.1, momentum: 0.9, dampening: 0.5 })] as const])(
    "%s: by turns as by one, to the bit",
    (_name, optimizer) => {
      const [one, two] = [twice(optimizer), twice(optimizer)];
      for (const [index, slope] of SLOPES.entries()) {
        one.a.down(slope);
        (index % 3 === 1 ? two.b : two.a).down(slope);
        expect(weightOf(two.model)).toBe(weightOf(one.model));
      }
      expect(two.trainer.states(two.model)).toEqual(one.trainer.states(one.model));
      expect(two.trainer.counts).toEqual({ steps: SLOPES.length, updates: SLOPES.length });
    },
  );

  test("several updates in one body, one in the other", () => {
    const [single, mixed] = [line(), line()];
    const [one, other] = [single, mixed].map((model) => minimizer(model, nadam({ lr: 0.1 })));
    if (one === undefined || other === undefined) throw new Error("there are two");
    const [by1, three, alone] = [descent(single, one), descent(mixed, other, 3), descent(mixed, other)];
    for (let turn = 0; turn < 7; turn++) by1.down(2);
    for (const each of [three, alone, three]) each.down(2);
    expect(weightOf(mixed)).toBe(weightOf(single));
    expect(other.counts).toEqual({ steps: 3, updates: 7 });
  });

  test("schedules go by the steps of the minimizer, in every group", () => {
    const asked: number[] = [];
    const lr: Schedule = ({ step }) => {
      asked.push(step);
      return 0.1 / step;
    };
    const { a, b } = twice(partition([["*", sgd({ lr })]]));
    for (const each of [a, a, b, a, b]) each.down(1);
    expect(asked).toEqual([1, 2, 3, 4, 5]);
  });

  test("a schedule that reads the steps of the whole sees those of the program, or the step under way", () => {
    const seen: number[] = [];
    const lr: Schedule = ({ steps }) => {
      seen.push(steps);
      return 0.1;
    };
    const { model, trainer, a } = twice(sgd({ lr }));
    const limited = program({
      maxBatch: 1,
      steps: 10,
      inputs: { x: spec(["batch", 1]) },
      body({ x }) {
        trainer.minimize(ops.sum(model.forward(x)));
        return {};
      },
    });
    a.down(1);
    a.down(1);
    limited.runSync({ x: tensor([[1]]) });
    expect(seen).toEqual([1, 2, 10]);
  });

  test.each<[string, MinimizerOptions["averageWeights"]]>([
    ["from the weights before", { decay: 0.9 }],
    ["from the first step", { decay: 0.9, start: "firstStep" }],
    ["corrected", { decay: 0.9, biasCorrection: true }],
  ])("averages %s are those of one program", (_name, averageWeights) => {
    const [one, two] = [0, 1].map(() => twice(adam({ lr: 0.1 }), { averageWeights }));
    if (one === undefined || two === undefined) throw new Error("there are two");
    for (const [index, slope] of SLOPES.entries()) {
      one.a.down(slope);
      (index % 2 === 0 ? two.b : two.a).down(slope);
      expect(two.trainer.averages(two.model)).toEqual(one.trainer.averages(one.model));
    }
  });

  test("a step that a label ends is none, and the next one has its count", () => {
    const [model, same] = [line(), line()];
    const [trainer, other] = [minimizer(model, adam({ lr: 0.1 })), minimizer(same, adam({ lr: 0.1 }))];
    const labelled = program({
      maxBatch: 1,
      inputs: { x: spec(["batch", 1]), label: spec(["batch"], "i32") },
      body({ x, label }) {
        const loss = ops.sum(ops.softmaxCrossEntropy(model.forward(x), label));
        trainer.minimize(loss);
        return { loss };
      },
    });
    const x = tensor([[1]]);
    expect(() => labelled.runSync({ x, label: tensor(Int32Array.of(5), [1]) })).toThrow(/label/);
    expect(trainer.counts).toEqual({ steps: 0, updates: 0 });
    descent(model, trainer).down(1);
    descent(same, other).down(1);
    expect(weightOf(model)).toBe(weightOf(same));
  });

  test("called at once they take turns, each with the counts of those before it", async () => {
    const [one, two] = [twice(adam({ lr: 0.1 })), twice(adam({ lr: 0.1 }))];
    const calls = SLOPES.map((slope, index) =>
      (index % 2 === 0 ? two.a : two.b).compiled.run({ x: tensor([[slope]]) }),
    );
    await Promise.all(calls);
    for (const slope of SLOPES) one.a.down(slope);
    expect(weightOf(two.model)).toBe(weightOf(one.model));
    expect(two.trainer.counts).toEqual(one.trainer.counts);
  });
});

describe("checkpoints of loops", () => {
  const folder = mkdtempSync(join(tmpdir(), "carillon-counts-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each<[string, () => Optimizer]>([
    ["adam", () => adam({ lr: ({ step }) => 0.1 / step })],
    ["nadam", () => nadam({ lr: 0.1 })],
    ["radam", () => radam({ lr: 0.1 })],
    ["sgd", () => sgd({ lr: 0.1, momentum: 0.9 })],
    ["muon", () => muon({ lr: 0.1 })],
  ])("%s: cut between two programs, the rest is the same", async (name, optimizer) => {
    const path = join(folder, `${name}.safetensors`);
    const averageWeights = { decay: 0.9, biasCorrection: true } as const;
    const whole = twice(optimizer(), { averageWeights });
    const step = (loop: typeof whole, index: number) => {
      (index % 3 === 0 ? loop.b : loop.a).down(SLOPES[index] ?? 0);
    };
    for (let index = 0; index < 5; index++) step(whole, index);
    const parts = ({ model, trainer, a, b }: typeof whole) => ({
      models: model,
      minimizers: trainer,
      programs: { a: a.compiled, b: b.compiled },
    });
    await saveCheckpoint(path, parts(whole));
    const again = twice(optimizer(), { averageWeights });
    again.a.down(9); // what it did before is forgotten
    await loadCheckpoint(path, parts(again));
    expect(again.trainer.counts).toEqual(whole.trainer.counts);
    for (let index = 5; index < SLOPES.length; index++) {
      step(whole, index);
      step(again, index);
      expect(weightOf(again.model)).toBe(weightOf(whole.model));
    }
    expect(again.trainer.averages(again.model)).toEqual(whole.trainer.averages(whole.model));
  });
});
