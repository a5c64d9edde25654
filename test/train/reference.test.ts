// fit against an independent reference in double, step by step: from the weights and states that fit had before a step,
// the reference says what they must be after it. Each step's bound is derived by running error analysis (bounded.ts);
// over many steps such bounds grow exponentially and would say nothing, so every step starts from what fit really had.
import {
  adam,
  type Callback,
  crossEntropy,
  fit,
  type Layer as LibraryLayer,
  l2,
  linear,
  type Model,
  mse,
  type Optimizer,
  relu,
  sequential,
  sgd,
  sgdMomentum,
  tanh,
} from "carillon";
import { describe, expect, test } from "vitest";
import { decodeSafetensors } from "../io/whole_file.js";
import { type Bounded, exact } from "./bounded.js";
import {
  accumulatingRule,
  adamRule,
  averagingRule,
  type Layer,
  type Network,
  type Rule,
  type Stepped,
  sgdRule,
  type Task,
  trainStep,
} from "./reference.js";
import { numbers } from "./synthetic.js";

const ROWS = 13;
const INPUTS = 4;
const HIDDEN = 6;
const OUTPUTS = 3;
/** Batches of 5, 5 and 3 rows. */
const BATCH = 5;
const EPOCHS = 3;

/** First-order bounds: what they leave out is smaller by a factor of the error itself. */
const SECOND_ORDER = 1.01;

const next = numbers(7);
const f32 = (): number => Math.fround(2 * next() - 1);
const X = Array.from({ length: ROWS }, () => Array.from({ length: INPUTS }, f32));
const LABELS = Array.from({ length: ROWS }, (_, row) => (row * 2) % OUTPUTS);
const VALUES = Array.from({ length: ROWS }, () => Array.from({ length: OUTPUTS }, f32));
const WEIGHTS = Array.from({ length: ROWS }, (_, row) => (row % 4) / 2);
const EVEN = Array.from({ length: ROWS }, () => 1);

/** Weights, then states, as a checkpoint holds them. */
function networksOf(checkpoint: Uint8Array, states: readonly string[]): [Network, ...Network[]] {
  const { tensors } = decodeSafetensors(checkpoint);
  const valuesOf = (name: string): number[] => {
    const stored = tensors.get(name);
    return stored?.dtype === "f32" ? Array.from(stored.data) : [];
  };
  return networksIn(valuesOf, states);
}

/** Before the first step: states are zeros. */
function initialNetworks(model: Model, states: readonly string[]): [Network, ...Network[]] {
  const weights = model.weights();
  const valuesOf = (name: string): number[] => {
    const [prefix, parameter = ""] = name.split("/");
    return Array.from(weights.get(parameter)?.data ?? [], (value) => (prefix === "weights" ? value : 0));
  };
  return networksIn(valuesOf, states);
}

function networksIn(valuesOf: (name: string) => readonly number[], states: readonly string[]): [Network, ...Network[]] {
  const values = (name: string): Bounded[] => valuesOf(name).map(exact);
  const layer = (name: string, inputs: number): Layer => {
    const flat = values(`${name}.weight`);
    const bias = values(`${name}.bias`);
    return { weight: bias.map((_, row) => flat.slice(row * inputs, (row + 1) * inputs)), bias };
  };
  const network = (prefix: string): Network => {
    return { hidden: layer(`${prefix}/linear1`, INPUTS), output: layer(`${prefix}/linear2`, HIDDEN) };
  };
  return [network("weights"), ...states.map(network)];
}

const flat = ({ hidden, output }: Network): Bounded[] =>
  [hidden, output].flatMap(({ weight, bias }) => [...weight.flat(), ...bias]);

/** The largest distance from the reference in units of its bound, and the largest bound. */
function distance(found: readonly number[], expected: readonly Bounded[]): { share: number; bound: number } {
  expect(found.length).toBe(expected.length);
  const shares = found.map((value, index) => {
    const { value: right, error } = expected[index] ?? exact(Number.NaN);
    return Math.abs(value - right) / (SECOND_ORDER * error);
  });
  return { share: Math.max(...shares), bound: Math.max(...expected.map(({ error }) => error)) };
}

interface Case {
  readonly optimizer: Optimizer;
  readonly rule: Rule;
  readonly activation?: "relu" | "tanh";
  readonly loss?: "crossEntropy" | "mse";
  readonly weighted?: boolean;
  readonly lambda?: number;
}

const LR = 0.25;

const CASES: readonly (readonly [string, Case])[] = [
  ["sgd, cross-entropy, relu", { optimizer: sgd({ lr: LR }), rule: sgdRule(LR) }],
  ["sgd, mean squared error, tanh", { optimizer: sgd({ lr: LR }), rule: sgdRule(LR), loss: "mse", activation: "tanh" }],
  ["sgd with L2", { optimizer: sgd({ lr: LR }), rule: sgdRule(LR), lambda: 0.125 }],
  [
    "sgd with L2 and weighted examples",
    { optimizer: sgd({ lr: LR }), rule: sgdRule(LR), lambda: 0.01, weighted: true, activation: "tanh" },
  ],
  ["sgdMomentum", { optimizer: sgdMomentum({ lr: LR, beta: 0.9 }), rule: averagingRule(LR, 0.9), lambda: 0.01 }],
  [
    "sgd with momentum and dampening",
    { optimizer: sgd({ lr: 0.05, momentum: 0.9, dampening: 0.5 }), rule: accumulatingRule(0.05, 0.9, 0.5, false) },
  ],
  [
    "sgd with Nesterov's momentum",
    { optimizer: sgd({ lr: 0.05, momentum: 0.8, nesterov: true }), rule: accumulatingRule(0.05, 0.8, 0, true) },
  ],
  ["adam", { optimizer: adam({ lr: 0.01 }), rule: adamRule(0.01, 0.9, 0.999, 1e-8, false), activation: "tanh" }],
  [
    "adam, mean squared error, L2, weighted, epsilon inside",
    {
      optimizer: adam({ lr: 0.01, beta1: 0.8, beta2: 0.99, epsilon: { value: 1e-4, placement: "inside" } }),
      rule: adamRule(0.01, 0.8, 0.99, 1e-4, true),
      loss: "mse",
      activation: "tanh",
      lambda: 0.01,
      weighted: true,
    },
  ],
];

describe.each(CASES)("%s", (_, { optimizer, rule, activation = "relu", loss = "crossEntropy", ...rest }) => {
  const { weighted = false, lambda = 0 } = rest;

  test("every step is the reference's", async () => {
    const middle: LibraryLayer<number, "same"> = activation === "relu" ? relu() : tanh();
    const model = sequential(linear(INPUTS, HIDDEN, { biasInit: 0.125 }), middle, linear(HIDDEN, OUTPUTS));
    const y = loss === "mse" ? VALUES : LABELS;
    const states = optimizer.states.map(({ name }) => name);
    const task: Task = { x: X, y, weight: weighted ? WEIGHTS : EVEN, activation, l2: lambda };
    const options = {
      data: { x: X, y, ...(weighted ? { weight: WEIGHTS } : {}) },
      loss: loss === "mse" ? mse() : crossEntropy(),
      optimizer,
      regularizer: l2(lambda),
      batchSize: BATCH,
      shuffle: false,
      seed: 3,
    };
    let before = initialNetworks(model.clone().initialize(options.seed), states);
    const figures: Stepped[] = [];
    let worst = 0;
    const comparing: Callback = {
      name: "comparing",
      every: { steps: 1 },
      decide({ step, checkpoint }) {
        const begin = ((step - 1) % 3) * BATCH;
        const rows = Array.from({ length: Math.min(BATCH, ROWS - begin) }, (_row, index) => begin + index);
        const stepped = trainStep(before, task, rule, step, rows);
        const after = networksOf(checkpoint(), states);
        for (const [index, network] of after.entries()) {
          const expected = stepped.after[index];
          if (expected === undefined) throw new Error("a state is missing");
          const { share, bound } = distance(
            flat(network).map(({ value }) => value),
            flat(expected),
          );
          expect(share, `step ${step}, ${index === 0 ? "weights" : states[index - 1]}`).toBeLessThanOrEqual(1);
          worst = Math.max(worst, bound);
        }
        figures.push(stepped);
        before = after;
      },
    };
    const { history } = await fit(model, { ...options, epochs: EPOCHS, callbacks: [comparing] });
    expect(figures).toHaveLength(EPOCHS * 3);
    // The bounds say something: a step moves a weight by about 0.01, so they are a hundredth of that at most.
    expect(worst).toBeLessThan(1e-4);

    for (const [epoch, event] of history.entries()) {
      const own = figures.slice(epoch * 3, epoch * 3 + 3);
      const sum = (key: "loss" | "weights" | "penalty", part: keyof Bounded): number =>
        own.reduce((so, figure) => so + figure[key][part], 0);
      const dataLoss = sum("loss", "value") / sum("weights", "value");
      const slack = (sum("loss", "error") + dataLoss * sum("weights", "error")) / sum("weights", "value");
      expect(Math.abs(event.dataLoss - dataLoss)).toBeLessThanOrEqual(SECOND_ORDER * slack);
      const penalty = sum("penalty", "value") / 3;
      expect(Math.abs(event.penalty - penalty)).toBeLessThanOrEqual((SECOND_ORDER * sum("penalty", "error")) / 3);
      expect(event.loss).toBe(event.dataLoss + event.penalty);
      expect(slack).toBeLessThan(2e-5);
    }
  });
});
