// Optimizers of operations: the same mathematics as the native rules, in the program, with their states and errors.
import {
  adam,
  crossEntropy,
  type DefinedOptimizer,
  defineOptimizer,
  dropout,
  type ErrorCode,
  fit,
  l1,
  l2,
  linear,
  type Model,
  maxNorm,
  minimizer,
  muon,
  type Optimizer,
  type OptimizerDefinition,
  type OptimizerUpdate,
  ops,
  program,
  type Regularizers,
  relu,
  sequential,
  sgd,
  sgdMomentum,
  spec,
  tensor,
  Value,
} from "carillon";
import { describe, expect, test } from "vitest";
import { elementsOf, signed, startAt } from "../regularizers/probe.js";
import {
  adamRule,
  averagingMomentum,
  type Beside,
  outside,
  type Rule,
  SGD,
  updated,
} from "../regularizers/reference.js";
import { exact } from "../train/bounded.js";
import { bitsOf, clusters } from "../train/synthetic.js";

const LR = 0.0625 + 1 / 3000;
const state = (value: Value | undefined): Value => value ?? tensor(Number.NaN);

const ownSgd = (lr: OptimizerDefinition["lr"] = LR): DefinedOptimizer =>
  defineOptimizer({
    kind: "ownSgd",
    lr,
    update: ({ parameter, gradient, rate }) => ({ parameter: ops.subtract(parameter, ops.multiply(rate, gradient)) }),
  });

const ownMomentum = (beta: number): DefinedOptimizer =>
  defineOptimizer({
    kind: "ownMomentum",
    lr: LR,
    states: { velocity: 0 },
    update({ parameter, gradient, states, rate }) {
      const velocity = ops.add(ops.multiply(beta, state(states.velocity)), ops.multiply(1 - beta, gradient));
      return { parameter: ops.subtract(parameter, ops.multiply(rate, velocity)), states: { velocity } };
    },
  });

const ownAdam = (beta1: number, beta2: number, epsilon: number): DefinedOptimizer =>
  defineOptimizer({
    kind: "ownAdam",
    lr: LR,
    states: { firstMoment: 0, secondMoment: 0 },
    scalars: (step) => [1 / (1 - beta1 ** step), 1 / (1 - beta2 ** step)],
    update({ parameter, gradient, states, rate, scalars: [c1 = ops.rowCount(), c2 = ops.rowCount()] }) {
      const first = ops.add(ops.multiply(beta1, state(states.firstMoment)), ops.multiply(1 - beta1, gradient));
      const square = ops.multiply(ops.multiply(1 - beta2, gradient), gradient);
      const second = ops.add(ops.multiply(beta2, state(states.secondMoment)), square);
      const below = ops.add(ops.sqrt(ops.multiply(second, c2)), epsilon);
      const direction = ops.divide(ops.multiply(first, c1), below);
      return {
        parameter: ops.subtract(parameter, ops.multiply(rate, direction)),
        states: { firstMoment: first, secondMoment: second },
      };
    },
  });

const SHAPE = [5, 31];
const COUNT = elementsOf(SHAPE);

const RULES: readonly (readonly [name: string, own: DefinedOptimizer, native: Optimizer, rule: Rule])[] = [
  ["sgd", ownSgd(), sgd({ lr: LR }), SGD],
  ["momentum", ownMomentum(0.8), sgdMomentum({ lr: LR, beta: 0.8 }), averagingMomentum(0.8)],
  [
    "adam",
    ownAdam(0.8, 0.95, 1e-4),
    adam({ lr: LR, beta1: 0.8, beta2: 0.95, epsilon: 1e-4 }),
    adamRule(0.8, 0.95, 1e-4),
  ],
];

const REGULARIZERS: readonly (readonly [string, Regularizers, Beside])[] = [
  ["nothing", null, {}],
  ["l1 and l2", [l1(0.1), l2(0.3)], { l1: 0.1, l2: 0.3 }],
  // Rules made of operations tell no denominator: their proximal step is Euclidean.
  ["a proximal step", l1(0.3, { proximal: true }), { shrink: 0.3, euclidean: true }],
];

describe.each(RULES)("%s", (_name, own, native, rule) => {
  test.each(REGULARIZERS)("with %s: both within the bounds of the formula", async (_kind, regularizer, beside) => {
    for (const optimizer of [own, native]) {
      if (optimizer === native && beside.euclidean === true && rule.states.length === 2) continue;
      const probe = startAt(SHAPE, signed(COUNT, 3), optimizer, { regularizer, clip: { value: 0.75 } });
      for (let step = 1; step <= 4; step++) {
        const gradient = signed(COUNT, 10 + step);
        const { weights, states } = probe.look();
        const penalty = await probe.step(gradient);
        const now = probe.look();
        for (const [parameter, before] of weights) {
          const ownBeside = parameter.endsWith("bias") ? {} : beside;
          const expected = Array.from(before, (theta, index) => {
            const of = (key: string): number => states.get(`${key}/${parameter}`)?.[index] ?? Number.NaN;
            const clipped = Math.max(-0.75, Math.min(0.75, gradient[index] ?? 0));
            const values = rule.states.map((key) => exact(of(key)));
            return updated(rule, LR, ownBeside, exact(theta), exact(clipped), values, step);
          });
          expect(
            outside(
              now.weights.get(parameter) ?? [],
              expected.map(({ theta }) => theta),
            ),
          ).toEqual([]);
          for (const [at, key] of rule.states.entries()) {
            const wanted = expected.map((one) => one.states[at] ?? exact(Number.NaN));
            expect(outside(now.states.get(`${key}/${parameter}`) ?? [], wanted)).toEqual([]);
          }
        }
        const { l1: absolutes = beside.shrink ?? 0, l2: squares = 0 } = beside;
        const weight = Array.from(weights.get("probe.weight") ?? []);
        const told = weight.reduce((sum, one) => sum + (squares / 2) * one * one + absolutes * Math.abs(one), 0);
        expect(Math.abs(penalty - told)).toBeLessThanOrEqual(40 * 2 ** -24 * told);
      }
    }
  });
});

test("the same roundings are the same bits: a rate that is a power of two, so that nothing is lost by not fusing", async () => {
  const bits = async (optimizer: Optimizer): Promise<Float32Array> => {
    const probe = startAt(SHAPE, signed(COUNT, 3), optimizer, { averageWeights: { decay: 0.5 } });
    for (let step = 1; step <= 5; step++) await probe.step(signed(COUNT, 20 + step));
    const average = probe.trainer.averages(probe.model)?.get("probe.weight") ?? new Float32Array();
    return Float32Array.of(...probe.weight, ...average);
  };
  expect(await bits(ownSgd(0.125))).toEqual(await bits(sgd({ lr: 0.125 })));
});

test("bounded rows and averages are those of the native pass", async () => {
  const options = { regularizer: maxNorm(1), averageWeights: { decay: 0.5 } };
  const probes = [ownSgd(0.125), sgd({ lr: 0.125 })].map((one) => startAt(SHAPE, signed(COUNT, 3), one, options));
  for (const probe of probes) for (let step = 1; step <= 3; step++) await probe.step(signed(COUNT, 20 + step));
  for (const data of probes.map((probe) => probe.weight)) {
    for (let row = 0; row < 5; row++) {
      const norm = Math.hypot(...data.subarray(row * 31, row * 31 + 31));
      expect(norm).toBeLessThan(1 + 12 * 2 ** -24);
    }
  }
  const [own, native] = probes.map(({ trainer, model }) => trainer.averages(model)?.get("probe.weight") ?? []);
  for (const [index, one] of Array.from(native ?? []).entries()) expect(own?.[index]).toBeCloseTo(one, 5);
});

describe("in fit", () => {
  const data = clusters(40, 6, 3);
  const network = (): Model => sequential(linear(6, 12), relu(), dropout(0.2), linear(12, 3));
  const base = { data, loss: crossEntropy(), batchSize: 16, epochs: 4, seed: 3 } as const;

  test("update is recorded once a parameter, scalars are asked once a step: nothing calls JavaScript meanwhile", async () => {
    const [updates, asked]: [string[], number[]] = [[], []];
    const optimizer = defineOptimizer({
      kind: "counted",
      lr: 0.1,
      scalars(step) {
        asked.push(step);
        return [step];
      },
      update({ name, parameter, gradient, rate }) {
        updates.push(name);
        return { parameter: ops.subtract(parameter, ops.multiply(rate, gradient)) };
      },
    });
    const model = network();
    await fit(model, { ...base, optimizer });
    expect(updates).toEqual(model.parameters.map(({ name }) => name));
    // Once to count them, then once a lane and step.
    const lanes = asked.filter((step) => step === 12).length;
    expect(lanes).toBe(1);
    expect(asked.filter((step) => step > 1)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  test("one bits for any number of threads, and after a resume", async () => {
    const optimizer = ownAdam(0.9, 0.99, 1e-8);
    const trained = async (more: object): Promise<{ readonly bits: string; readonly bytes: Uint8Array }> => {
      const model = network();
      const { checkpoint } = await fit(model, { ...base, optimizer, regularizer: l2(0.01), ...more });
      return { bits: bitsOf(model), bytes: checkpoint() };
    };
    const whole = await trained({ threads: 1 });
    expect((await trained({ threads: 2 })).bits).toBe(whole.bits);
    const cut = await trained({ steps: 5 });
    const resumed = await trained({ resume: cut.bytes });
    expect(resumed.bits).toBe(whole.bits);
    expect(Buffer.from(resumed.bytes).equals(whole.bytes)).toBe(true);
  });
});

describe("states", () => {
  const scaled = (
    update: (given: { parameter: Value; gradient: Value; states: Record<string, Value> }) => OptimizerUpdate,
  ) =>
    defineOptimizer({
      kind: "scaled",
      lr: 1,
      states: { first: 3, second: -0.5 },
      update: ({ parameter, gradient, states }) => update({ parameter, gradient, states: { ...states } }),
    });
  const stepped = async (optimizer: DefinedOptimizer, steps = 1) => {
    const probe = startAt([1, 2], Float32Array.of(1, 2), optimizer);
    for (let step = 1; step <= steps; step++) await probe.step(Float32Array.of(0.5, 0.25));
    const { states } = probe.look();
    return { weight: [...probe.weight], of: (key: string) => [...(states.get(`${key}/probe.weight`) ?? [])] };
  };

  test("begin at their values, and stay where they are not given", async () => {
    const { weight, of } = await stepped(
      scaled(({ parameter, states }) => ({ parameter: ops.add(parameter, state(states.first)) })),
      2,
    );
    expect([weight, of("first"), of("second")]).toEqual([
      [7, 8],
      [3, 3],
      [-0.5, -0.5],
    ]);
  });

  test("may be exchanged, or keep the parameter as it was: all values are those before the step", async () => {
    const swapping = scaled(({ parameter, states }) => ({
      parameter,
      states: { first: state(states.second), second: state(states.first) },
    }));
    const swapped = await stepped(swapping);
    expect([swapped.of("first"), swapped.of("second")]).toEqual([
      [-0.5, -0.5],
      [3, 3],
    ]);
    const keeping = scaled(({ parameter, gradient }) => ({
      parameter: ops.add(parameter, gradient),
      states: { first: parameter, second: gradient },
    }));
    const kept = await stepped(keeping, 2);
    expect(kept.weight).toEqual([2, 2.5]);
    expect(kept.of("first")).toEqual([1.5, 2.25]);
    expect(kept.of("second")).toEqual([0.5, 0.25]);
  });

  test("a parameter may become a state", async () => {
    const resetting = scaled(({ parameter, states }) => ({
      parameter: state(states.first),
      states: { first: parameter },
    }));
    const { weight, of } = await stepped(resetting);
    expect([weight, of("first")]).toEqual([
      [3, 3],
      [1, 2],
    ]);
  });

  test.each(["weights", "average"])("'%s' would be another tensor of a checkpoint", (name) => {
    const update: OptimizerDefinition["update"] = ({ parameter }) => ({ parameter });
    const call = () => defineOptimizer({ kind: "own", lr: 1, states: { [name]: 0 }, update });
    expect(call).toThrow(expect.objectContaining({ code: "ERR_OPTION", where: `own.states.${name}` }));
  });
});

test("what was computed before an update keeps the weights of its place in the source", async () => {
  // relu(linear(x)) is one kernel elsewhere: not where an update stands between the two.
  const outputs = async (optimizer: Optimizer): Promise<number[]> => {
    const model = sequential(linear(1, 1, { init: 1, bias: false })).initialize(0);
    const trainer = minimizer(model, optimizer);
    const step = program({
      inputs: { x: spec(["batch", 1]) },
      maxBatch: 1,
      body({ x }) {
        const before = model.forward(x);
        trainer.minimize(ops.sum(model.forward(x)));
        return { y: ops.relu(before) };
      },
    });
    const results: number[] = [];
    for (let index = 0; index < 2; index++) results.push((await step.run({ x: tensor([[4]]) })).y.item());
    return results;
  };
  expect(await outputs(sgd({ lr: 0.125 }))).toEqual([4, 2]);
  expect(await outputs(ownSgd(0.125))).toEqual([4, 2]);
});

describe("decay", () => {
  test("is decoupled, of matrices alone", async () => {
    const optimizer = muon({ lr: 0.5, weightDecay: 0.25 });
    expect(optimizer.decay).toEqual({ lambda: 0.25, everywhere: false });
    const own = defineOptimizer({
      kind: "still",
      lr: 0.5,
      weightDecay: 0.25,
      update: ({ parameter }) => ({ parameter }),
    });
    const probe = startAt([1, 2], Float32Array.of(1, 2), own);
    await probe.step(Float32Array.of(9, 9));
    const values = [...probe.look().weights.values()].map((one) => [...one]);
    expect(values).toEqual([
      [0.875, 1.75],
      [1, 2],
    ]);
  });
});

describe("refusals", () => {
  const update: OptimizerDefinition["update"] = ({ parameter }) => ({ parameter });
  const base = { kind: "own", lr: 1, update };
  test.each<[string, unknown, ErrorCode, string]>([
    ["no object", 1, "ERR_OPTION", "defineOptimizer"],
    ["unknown", { ...base, state: {} }, "ERR_UNKNOWN_OPTION", "defineOptimizer.state"],
    ["no kind", { lr: 1, update }, "ERR_OPTION", "defineOptimizer.kind"],
    ["no update", { kind: "own", lr: 1 }, "ERR_OPTION", "own.update"],
    ["no rate", { kind: "own", update }, "ERR_OPTION", "own.lr"],
    ["rate < 0", { ...base, lr: -1 }, "ERR_OPTION", "own.lr"],
    ["scalars", { ...base, scalars: [1] }, "ERR_OPTION", "own.scalars"],
    ["decay < 0", { ...base, weightDecay: -1 }, "ERR_OPTION", "own.weightDecay"],
    ["a state that is NaN", { ...base, states: { a: Number.NaN } }, "ERR_OPTION", "own.states.a"],
    ["a state that is none", { ...base, states: { a: undefined } }, "ERR_OPTION", "own.states.a"],
  ])("%s", (_name, definition, code, where) => {
    const call = () => defineOptimizer(definition as OptimizerDefinition);
    expect(call).toThrow(expect.objectContaining({ code, where }));
  });

  test.each<[string, unknown, ErrorCode, string]>([
    ["a number", { parameter: 1 }, "ERR_SHAPE", "[2, 3] as the new parameter of 'probe.weight' from 'own.update'"],
    ["another shape", { parameter: tensor([1, 2]) }, "ERR_SHAPE", "received [2]"],
    ["nothing", undefined, "ERR_SHAPE", "new parameter of 'probe.weight'"],
    ["a value", tensor(new Float32Array(6), [2, 3]), "ERR_SHAPE", "new parameter of 'probe.weight'"],
    ["an unknown state", { states: { velocities: 0 } }, "ERR_OPTION", "a state of 'own' but received 'velocities'"],
    [
      "a state of another shape",
      { states: { velocity: tensor([1, 2]) } },
      "ERR_SHAPE",
      "new velocity of 'probe.weight'",
    ],
  ])("update gives %s", (_name, given, code, says) => {
    const own = defineOptimizer({
      ...base,
      states: { velocity: 0 },
      update({ parameter }) {
        const plain = typeof given === "object" && given !== null && !(given instanceof Value);
        return (plain ? { parameter, ...given } : given) as OptimizerUpdate;
      },
    });
    const fields = { code, where: "own.update", message: expect.stringContaining(says) };
    expect(() => startAt([2, 3], new Float32Array(6), own)).toThrow(expect.objectContaining(fields));
  });

  test.each([[[Number.NaN]], [[1, 2]], ["1"]])("scalars become %o", async (later) => {
    const scalars = (step: number): readonly number[] => (step === 2 ? (later as readonly number[]) : [1]);
    const probe = startAt([1, 1], Float32Array.of(1), defineOptimizer({ ...base, scalars }));
    await probe.step(Float32Array.of(1));
    const error = { code: "ERR_OPTION", where: "own.scalars", message: expect.stringContaining("step 2") };
    await expect(probe.step(Float32Array.of(1))).rejects.toThrow(expect.objectContaining(error));
  });
});
