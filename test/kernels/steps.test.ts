// A step alone is a step of the same optimizer in a program, to the bit: its options, its penalties, its states.
import {
  type Clip,
  elasticNet,
  l1,
  l2,
  type MinimizerOptions,
  maxNorm,
  minimizer,
  type Optimizer,
  ops,
  program,
  spec,
  tensor,
  type Value,
  weightDecay,
} from "carillon";
import { describe, expect, test } from "vitest";
import { nativeInfo } from "../../lib/binding/native.js";
import { NATIVE, type Options } from "../optim/every.js";
import { modelOf } from "../optim/stepper.js";
import { numbers } from "../train/synthetic.js";
import { anyStep, type StepName } from "./cases.js";

const ROWS = 5;
const COLUMNS = 33;
const COUNT = ROWS * COLUMNS;
const STEPS = 12;
const DECAY = 0.75;

const draw = (seed: number, most: number): Float32Array => {
  const next = numbers(seed);
  return Float32Array.from({ length: COUNT }, () => (2 * next() - 1) * most);
};

const START = draw(1, 1);

/** Gradients of each step; some are exactly 0. */
const GRADIENTS = Array.from({ length: STEPS }, (_, step) =>
  draw(10 + step, 3).map((value, index) => (index % 7 === 0 ? 0 : value)),
);

/** What one way of updating leaves behind. */
interface Trail {
  readonly parameters: readonly Float32Array[];
  readonly states: ReadonlyMap<string, Float32Array>;
  readonly penalties: readonly number[];
  readonly average: Float32Array | undefined;
}

/** The optimizer through `minimizer`, with these gradients of a matrix of parameters. */
function inProgram(optimizer: Optimizer, options: MinimizerOptions, scale: number): Trail {
  let weight: Value | undefined;
  const start = { theta: { shape: [ROWS, COLUMNS], data: START } };
  const model = modelOf(start, [1, 1], (x, { theta }) => {
    weight = theta;
    return x;
  });
  const trainer = minimizer(model, optimizer, options);
  const compiled = program({
    training: true,
    maxBatch: 1,
    inputs: { x: spec(["batch", 1]), g: spec([ROWS, COLUMNS]) },
    body({ x, g }) {
      model.forward(x);
      const loss = ops.multiply(scale, ops.sum(ops.multiply(weight ?? g, g)));
      const { penalty } = trainer.minimize(loss);
      return { penalty };
    },
  });
  const parameters: Float32Array[] = [];
  const penalties = GRADIENTS.map((gradients) => {
    const { penalty } = compiled.runSync({ x: tensor([[0]]), g: tensor(gradients, [ROWS, COLUMNS]) });
    parameters.push(Float32Array.from(model.weights().get("all.theta")?.data ?? []));
    return penalty.item();
  });
  const states = [...trainer.states(model)].map(([key, data]): [string, Float32Array] => [
    key.split("/")[0] ?? "",
    data,
  ]);
  return {
    parameters,
    states: new Map(states.filter(([name]) => name !== "average")),
    penalties,
    average: trainer.averages(model)?.get("all.theta"),
  };
}

/** The same by `…Step`. */
function alone(name: StepName, optimizer: Optimizer, options: Options, averaged: boolean, threads: number): Trail {
  const theta = START.slice();
  const states = new Map(
    optimizer.states.map(({ name: state, initial }) => [state, new Float32Array(COUNT).fill(initial)]),
  );
  const average = { values: START.slice(), decay: DECAY };
  const penalty = new Float32Array(1);
  const penalties: number[] = [];
  const parameters = GRADIENTS.map((gradients, index) => {
    anyStep(name)({
      parameters: theta,
      gradients,
      states: Object.fromEntries(states),
      step: index + 1,
      ...options,
      ...(averaged ? { average } : {}),
      penalty,
      threads,
    });
    penalties.push(penalty[0] ?? Number.NaN);
    return theta.slice();
  });
  return { parameters, states, penalties, average: averaged ? average.values : undefined };
}

/** The step of an optimizer, options that both take, and those that one of them has under another name. */
interface Twin {
  readonly label: string;
  readonly optimizer: keyof typeof NATIVE;
  readonly options: Options;
  /** Of the optimizer alone. */
  readonly described?: Options;
  /** Of the step alone. */
  readonly step?: Options;
}

const lr = 0.03;

const FORMS: readonly Twin[] = [
  { label: "plain", optimizer: "sgd", options: { lr } },
  { label: "accumulating", optimizer: "sgd", options: { lr, momentum: 0.9, dampening: 0.25 } },
  { label: "Nesterov", optimizer: "sgd", options: { lr, momentum: 0.9, nesterov: true } },
  { label: "Keras", optimizer: "sgd", options: { lr, momentum: 0.9, compat: "keras" } },
  { label: "plain", optimizer: "sgdMomentum", options: { lr, beta: 0.8 } },
  { label: "plain", optimizer: "adagrad", options: {} },
  { label: "start", optimizer: "adagrad", options: { lr, compat: "keras" }, described: { initialAccumulator: 0.5 } },
  { label: "plain", optimizer: "rmsprop", options: {} },
  { label: "momentum", optimizer: "rmsprop", options: { lr, momentum: 0.9 } },
  { label: "centered", optimizer: "rmsprop", options: { lr, centered: true, epsilon: 1e-3 } },
  { label: "all", optimizer: "rmsprop", options: { lr, centered: true, momentum: 0.5, rateInside: true } },
  { label: "plain", optimizer: "adam", options: {} },
  { label: "ε inside", optimizer: "adam", options: { lr, epsilon: { value: 1e-3, placement: "inside" } } },
  { label: "Keras", optimizer: "adam", options: { lr, compat: "keras", beta1: 0.8 } },
  { label: "plain", optimizer: "adamw", options: {} },
  { label: "no decay", optimizer: "adamw", options: { lr, weightDecay: 0 } },
  { label: "Keras", optimizer: "adamw", options: { compat: "keras" } },
  { label: "plain", optimizer: "amsgrad", options: { lr, beta2: 0.9 } },
  { label: "plain", optimizer: "nadam", options: { lr } },
  { label: "Keras", optimizer: "nadam", options: { compat: "keras" } },
  { label: "plain", optimizer: "radam", options: { lr } },
  { label: "long enough to be rectified", optimizer: "radam", options: { lr, beta2: 0.99 } },
  { label: "plain", optimizer: "adamax", options: { lr } },
  { label: "PyTorch", optimizer: "adamax", options: { lr, compat: "pytorch" } },
  { label: "plain", optimizer: "adadelta", options: { rho: 0.9 } },
  { label: "plain", optimizer: "lion", options: { lr } },
  { label: "decay", optimizer: "lion", options: { lr, weightDecay: 0.5 } },
];

function expectSame(found: Trail, wanted: Trail): void {
  expect(found.parameters).toEqual(wanted.parameters);
  expect(found.states).toEqual(wanted.states);
  expect(found.penalties).toEqual(wanted.penalties);
  expect(found.average).toEqual(wanted.average);
}

test("every optimizer with a native rule has a step, and every rule is stepped", () => {
  expect([...new Set(FORMS.map(({ optimizer }) => optimizer))]).toEqual(Object.keys(NATIVE));
  const rules = FORMS.map(({ optimizer, options }) => NATIVE[optimizer](options).rule);
  expect(nativeInfo.optimizers.filter((rule) => !rules.includes(rule))).toEqual([]);
});

describe("a step is a step in a program", () => {
  test.each(FORMS.map((form) => [form.optimizer, form.label, form] as const))("%s, %s", (optimizer, _, form) => {
    const description = NATIVE[optimizer]({ ...form.options, ...form.described });
    const wanted = inProgram(description, {}, 1);
    expectSame(alone(`${optimizer}Step`, description, form.options, false, 1), wanted);
    expect(wanted.parameters.at(-1)).not.toEqual(START);
  });

  /** What stands around a rule: options of the step, the same for `minimizer`. */
  const around: readonly (readonly [string, Options, Omit<MinimizerOptions, "clip"> & { readonly clip?: Clip }])[] = [
    ["L2", { l2: 0.1 }, { regularizer: l2(0.1) }],
    ["L1", { l1: 0.1 }, { regularizer: l1(0.1) }],
    ["proximal L1", { l1: 0.1, proximal: true }, { regularizer: l1(0.1, { proximal: true }) }],
    [
      "proximal L1, Euclidean",
      { l1: 0.1, proximal: true, metric: "euclidean" },
      { regularizer: l1(0.1, { proximal: true, metric: "euclidean" }) },
    ],
    ["elastic net", { l1: 0.1, l2: 0.05 }, { regularizer: elasticNet({ l1: 0.1, l2: 0.05 }) }],
    ["max-norm", { maxNorm: { bound: 2, columns: COLUMNS } }, { regularizer: maxNorm(2) }],
    ["clipping by value", { clipValue: 0.5 }, { clip: { value: 0.5 } }],
  ];

  test.each(around)("adam, %s", (_, options, others) => {
    const description = NATIVE.adam({ lr });
    expectSame(alone("adamStep", description, { lr, ...options }, false, 3), inProgram(description, others, 1));
  });

  test("decay, as the regularizer and beside that of the optimizer", () => {
    const description = NATIVE.rmsprop({ lr });
    const wanted = inProgram(description, { regularizer: weightDecay(0.25) }, 1);
    expectSame(alone("rmspropStep", description, { lr, weightDecay: 0.25 }, false, 1), wanted);
  });

  test("an average of the weights", () => {
    const description = NATIVE.sgd({ lr });
    const wanted = inProgram(description, { averageWeights: { decay: DECAY } }, 1);
    expect(wanted.average).toBeDefined();
    expectSame(alone("sgdStep", description, { lr }, true, 1), wanted);
  });

  test("clipping by norm, with the norm of sumSquares", () => {
    const description = NATIVE.adam({ lr });
    const clipped = GRADIENTS.map((gradients) => {
      const norm = Math.fround(Math.sqrt(ops.sumSquares(tensor(gradients)).item()));
      return Math.min(Math.fround(2 / Math.fround(norm + Math.fround(1e-6))), 1);
    });
    const wanted = inProgram(description, { clip: { norm: 2 } }, 1);
    const theta = START.slice();
    const states = { firstMoment: new Float32Array(COUNT), secondMoment: new Float32Array(COUNT) };
    const found = GRADIENTS.map((gradients, index) => {
      const step = index + 1;
      const gradientScale = clipped[index];
      anyStep("adamStep")({ parameters: theta, gradients, states, step, lr, gradientScale });
      return theta.slice();
    });
    expect(found).toEqual(wanted.parameters);
  });
});

describe("a description is kept between steps", () => {
  test("and made anew where an option changes, also within ε", () => {
    const run = (shared: boolean): Float32Array => {
      const parameters = START.slice();
      const states = { firstMoment: new Float32Array(COUNT), secondMoment: new Float32Array(COUNT) };
      const epsilon = { value: 1e-8, placement: "outside" };
      for (const [index, gradients] of GRADIENTS.entries()) {
        const step = index + 1;
        const value = index % 3 === 0 ? 1e-2 : 1e-8;
        const placement = index % 2 === 0 ? "outside" : "inside";
        Object.assign(epsilon, { value, placement });
        // An option that another call had does not stay.
        if (!shared)
          anyStep("adamStep")({ parameters: START.slice(), gradients, states: copies(states), step, beta1: 0 });
        anyStep("adamStep")({
          parameters,
          gradients,
          states,
          step,
          beta1: index < 6 ? 0.9 : 0.5,
          epsilon: shared ? epsilon : { value, placement },
          ...(index % 4 === 0 ? {} : { lr: 0.01 * step }),
        });
      }
      return parameters;
    };
    expect(run(true)).toEqual(run(false));
  });

  function copies(states: Readonly<Record<string, Float32Array>>): Record<string, Float32Array> {
    return Object.fromEntries(Object.entries(states).map(([name, state]) => [name, state.slice()]));
  }

  test("the default rate stands where none is given, whatever the call before had", () => {
    const gradients = Float32Array.of(1);
    const at = (lr?: number): number => {
      const parameters = Float32Array.of(0);
      const states = { firstMoment: new Float32Array(1), secondMoment: new Float32Array(1) };
      anyStep("adamStep")({ parameters, gradients, states, step: 1, lr });
      return parameters[0] ?? Number.NaN;
    };
    expect(at(0.5)).toBeCloseTo(-0.5, 6);
    expect(at()).toBeCloseTo(-0.001, 9);
    expect(at(0.25)).toBeCloseTo(-0.25, 6);
    expect(at()).toBeCloseTo(-0.001, 9);
  });
});
