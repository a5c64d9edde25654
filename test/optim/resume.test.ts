// Every optimizer, cut after a few steps of `fit` and continued, is the run that was not cut: the states are all saved,
// and the scalars of a step do not depend on where the run began.
import {
  type Callback,
  crossEntropy,
  type FitResult,
  fit,
  flatCosine,
  linear,
  type Model,
  sequential,
  tanh,
} from "carillon";
import { expect, test } from "vitest";
import { clusters } from "../train/synthetic.js";
import { NATIVE, type Options } from "./every.js";

type Kind = keyof typeof NATIVE;

const DATA = clusters(40, 5, 3);
const STEPS = 12;

const FORMS: readonly (readonly [Kind, Options])[] = [
  ["sgd", { lr: 0.1 }],
  ["sgd", { lr: 0.1, momentum: 0.9, dampening: 0.5 }],
  ["sgd", { compat: "keras", lr: ({ step }: { step: number }) => 0.1 / step, momentum: 0.9, nesterov: true }],
  ["sgdMomentum", { lr: 0.1 }],
  ["adagrad", {}],
  ["adagrad", { compat: "keras" }],
  ["rmsprop", {}],
  ["rmsprop", { centered: true }],
  ["rmsprop", { momentum: 0.9 }],
  ["rmsprop", { centered: true, momentum: 0.9, rateInside: true }],
  ["adam", { compat: "keras", weightDecay: 0.1 }],
  ["adamw", {}],
  ["amsgrad", { beta2: 0.8 }],
  ["nadam", {}],
  ["radam", {}],
  ["adamax", {}],
  ["adadelta", {}],
  ["lion", { weightDecay: 0.1 }],
  ["adamw", { weightDecay: ({ step, steps }: { step: number; steps: number }) => (steps - step) / 50 }],
];

function network(): Model {
  return sequential(linear(5, 7), tanh(), linear(7, 3));
}

function train([kind, options]: readonly [Kind, Options], more: object = {}): Promise<FitResult> {
  const loss = crossEntropy();
  return fit(network(), { data: DATA, loss, optimizer: NATIVE[kind](options), batchSize: 16, steps: STEPS, ...more });
}

function stopAt(step: number): Callback {
  return {
    name: "stop",
    every: { steps: 1 },
    decide(at) {
      if (at.step === step) at.stop();
    },
  };
}

test.each(FORMS)("%s %o", async (kind, options) => {
  const whole = (await train([kind, options])).checkpoint();
  for (const cut of [1, 6, 7]) {
    const first = await train([kind, options], { callbacks: [stopAt(cut)] });
    expect(first.step).toBe(cut);
    const second = await train([kind, options], { resume: first.checkpoint(), threads: 2 });
    expect(Buffer.from(second.checkpoint()).equals(whole)).toBe(true);
  }
});

test("another schedule of the decay is refused, and the same one told otherwise is not", async () => {
  const falling = (value: number) => (at: { step: number }) => value / at.step;
  const resume = (await train(["adamw", { weightDecay: falling(1) }], { callbacks: [stopAt(3)] })).checkpoint();
  const where = "fit.resume.optimizer";
  for (const weightDecay of [falling(2), 1, flatCosine({ value: 1 })])
    await expect(train(["adamw", { weightDecay }], { resume })).rejects.toMatchObject({ code: "ERR_STATE", where });
  expect((await train(["adamw", { weightDecay: falling(1) }], { resume })).step).toBe(STEPS);
});

test("the states of another optimizer are refused", async () => {
  const resume = (await train(["adam", {}], { callbacks: [stopAt(3)] })).checkpoint();
  for (const form of [
    ["nadam", {}],
    ["adam", { beta1: 0.8 }],
    ["adam", { compat: "keras" }],
    ["adamw", {}],
  ] as const) {
    await expect(train(form, { resume })).rejects.toMatchObject({ code: "ERR_STATE", where: "fit.resume.optimizer" });
  }
});
