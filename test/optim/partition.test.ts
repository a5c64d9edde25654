// Parameters divided among optimizers.
import {
  adam,
  crossEntropy,
  dropout,
  type ErrorCode,
  type FitOptions,
  fit,
  l2,
  linear,
  type Model,
  minimizer,
  type Optimizer,
  ops,
  type Partition,
  partition,
  program,
  relu,
  sequential,
  sgd,
  sgdMomentum,
  spec,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import { startAt } from "../regularizers/probe.js";
import { bitsOf, clusters, weightsOf } from "../train/synthetic.js";

const DATA = clusters(40, 4, 3);
const network = (): Model => sequential(linear(4, 8), relu(), dropout(0.2), linear(8, 3));

async function trained(optimizer: Optimizer | Partition, more: Partial<FitOptions> = {}): Promise<Model> {
  const model = network();
  await fit(model, { data: DATA, loss: crossEntropy(), optimizer, epochs: 3, batchSize: 16, ...more });
  return model;
}

describe("patterns", () => {
  /** What each parameter moves by, for groups of sgd with these rates. */
  async function moved(
    rates: readonly (readonly [pattern: string, rate: number | null])[],
  ): Promise<(number | undefined)[]> {
    const groups = rates.map(([pattern, rate]) => [pattern, rate === null ? null : sgd({ lr: rate })] as const);
    const one = startAt([1, 2], new Float32Array(2), partition(groups));
    await one.step(Float32Array.of(-1, -1));
    const { weights } = one.look();
    return ["probe.weight", "probe.bias"].map((name) => weights.get(name)?.[0]);
  }

  test.each<[string, readonly (readonly [string, number | null])[], readonly number[]]>([
    [
      "the first match wins",
      [
        ["probe.weight", 1],
        ["*", 2],
        ["probe.bias", 4],
      ],
      [1, 2],
    ],
    [
      "* is any characters",
      [
        ["*.weight", 1],
        ["p*s", 2],
      ],
      [1, 2],
    ],
    [
      "* is none too",
      [
        ["probe.weight*", 1],
        ["*probe*.*bias*", 2],
      ],
      [1, 2],
    ],
    [
      "null leaves alone",
      [
        ["*.bias", null],
        ["*", 1],
      ],
      [1, 0],
    ],
  ])("%s", async (_name, rates, expected) => {
    expect(await moved(rates)).toEqual(expected);
  });

  // A pattern is of the whole name, in which a dot is a dot.
  test.each(["weight", "probe", "probe.bia", "probe?weight", "probe.w.*", "pro.*", "prboe.*"])(
    "a pattern that matches no parameter is an error: %s",
    (pattern) => {
      const groups = partition([
        [pattern, null],
        ["*", sgd({ lr: 1 })],
      ]);
      const error = { code: "ERR_OPTION", where: "partition[0]", message: expect.stringContaining("probe.bias") };
      expect(() => startAt([1, 2], new Float32Array(2), groups)).toThrow(expect.objectContaining(error));
    },
  );

  test("one optimizer of two groups takes one step", async () => {
    const shared = sgd({ lr: 1 });
    const groups = partition([
      ["probe.weight", shared],
      ["*", shared],
    ]);
    const one = startAt([1, 2], new Float32Array(2), groups, { regularizer: l2(0.5) });
    await one.step(Float32Array.of(-1, -1));
    const { weights } = one.look();
    expect([weights.get("probe.weight"), weights.get("probe.bias")]).toEqual([
      Float32Array.of(1, 1),
      Float32Array.of(1, 1),
    ]);
    expect(await one.step(Float32Array.of(0, 0))).toBe(0.5);
  });
});

test("a parameter that matches nothing is an error that names it", async () => {
  const groups = partition([
    ["linear1.*", adam()],
    ["linear2.weight", adam()],
  ]);
  const error = { code: "ERR_OPTION", where: "linear2.bias", message: expect.stringContaining("'linear2.bias'") };
  expect(() => minimizer(network(), groups)).toThrow(expect.objectContaining(error));
  const model = network();
  const run = fit(model, { data: DATA, loss: crossEntropy(), optimizer: groups, epochs: 1 });
  await expect(run).rejects.toThrow(expect.objectContaining(error));
  expect(model.initialized).toBe(false);
});

describe("frozen parameters", () => {
  const frozen = partition([
    ["linear1.*", null],
    ["*", adam()],
  ]);

  test("keep their bits, and what flows through them is what would flow", async () => {
    const model = await trained(frozen, { seed: 4, regularizer: l2(0.1) });
    const start = network().initialize(4);
    for (const name of ["linear1.weight", "linear1.bias"])
      expect(weightsOf(model, name)).toEqual(weightsOf(start, name));
    expect(weightsOf(model, "linear2.weight")).not.toEqual(weightsOf(start, "linear2.weight"));
    // With a rate of 0 in their place, the others learn the same.
    const still = partition([
      ["linear1.*", sgd({ lr: 0 })],
      ["*", adam()],
    ]);
    expect(bitsOf(await trained(still, { seed: 4, regularizer: l2(0.1) }))).toBe(bitsOf(model));
  });

  test("are not counted in the penalty", async () => {
    const model = network().initialize(0);
    const squares = weightsOf(model, "linear2.weight").reduce((sum, one) => sum + one * one, 0);
    const optimizer = partition([
      ["linear1.*", null],
      ["*", sgd({ lr: 0 })],
    ]);
    const { history } = await fit(model, { data: DATA, loss: crossEntropy(), optimizer, regularizer: l2(1), steps: 1 });
    expect(history[0]?.penalty).toBeCloseTo(squares / 2, 6);
  });

  test("all of them is an error", async () => {
    const run = trained(partition([["*", null]]));
    await expect(run).rejects.toThrow(expect.objectContaining({ code: "ERR_TRACE", where: "minimize" }));
  });
});

describe("groups", () => {
  test("one for all is no partition", async () => {
    expect(bitsOf(await trained(partition([["*", adam()]])))).toBe(bitsOf(await trained(adam())));
    const split = partition([
      ["linear1.*", adam()],
      ["*.bias", adam()],
      ["*", adam()],
    ]);
    expect(bitsOf(await trained(split))).toBe(bitsOf(await trained(adam())));
  });

  test("two of them are the bits of two minimizers", async () => {
    const [first, second] = [sgdMomentum({ lr: 0.1 }), adam({ lr: 0.01 })] as const;
    const run = (model: Model, both: "partition" | "minimizers"): Promise<string> => stepped(model, both);
    const groups = (a: Optimizer | null, b: Optimizer | null): Partition =>
      partition([
        ["linear1.*", a],
        ["*", b],
      ]);
    const stepped = async (model: Model, both: "partition" | "minimizers"): Promise<string> => {
      const trainers =
        both === "partition"
          ? [minimizer(model, groups(first, second))]
          : [minimizer(model, groups(first, null)), minimizer(model, groups(null, second))];
      const steps = trainers.map((trainer, index) =>
        program({
          seed: 3,
          inputs: { x: spec(["batch", 4]), y: spec(["batch"], "i32") },
          maxBatch: 40,
          body({ x, y }) {
            const loss = ops.mean(crossEntropy()(model.forward(x), y));
            trainer.minimize(loss);
            return { loss, index: ops.multiply(loss, index) };
          },
        }),
      );
      for (let step = 0; step < 4; step++) {
        // The gradients of a step are those of its beginning: the second minimizer starts from the same weights.
        const before = model.weights();
        const results = new Map<string, Float32Array>();
        for (const [index, each] of steps.entries()) {
          model.setWeights(before);
          await each.run({ x: tensor(DATA.x, [40, 4]), y: tensor(DATA.y) });
          for (const [name, { data }] of model.weights()) {
            if (both === "partition" || name.startsWith("linear1") === (index === 0)) results.set(name, data);
          }
        }
        model.setWeights(results);
      }
      return bitsOf(model);
    };
    expect(await run(network().initialize(1), "minimizers")).toBe(await run(network().initialize(1), "partition"));
  });

  test("have their own schedules", async () => {
    const asked: [string, number, number, number][] = [];
    const noting = (name: string, rate: number) => (at: { step: number; steps: number; epoch: number }) => {
      asked.push([name, at.step, at.steps, at.epoch]);
      return rate / at.step;
    };
    const optimizer = partition([
      ["linear1.*", sgd({ lr: noting("a", 0.1) })],
      ["*", sgd({ lr: noting("b", 0.2) })],
    ]);
    await trained(optimizer, { epochs: 2 });
    expect(asked).toEqual(
      [1, 2, 3, 4, 5, 6].flatMap((step) => [
        ["a", step, 6, Math.ceil(step / 3)],
        ["b", step, 6, Math.ceil(step / 3)],
      ]),
    );
    const one = startAt(
      [1, 1],
      Float32Array.of(0),
      partition([
        ["*.weight", sgd({ lr: ({ step }) => step })],
        ["*", sgd({ lr: ({ step }) => 10 * step })],
      ]),
    );
    for (let step = 0; step < 3; step++) await one.step(Float32Array.of(-1));
    expect([...one.look().weights.values()].map(([value]) => value)).toEqual([6, 60]);
  });

  test("states are those of each group, in the checkpoint too; a resume gives the same bits", async () => {
    const optimizer = () =>
      partition([
        ["linear1.weight", sgdMomentum({ lr: 0.1 })],
        ["linear1.*", null],
        ["*.bias", sgd({ lr: 0.1 })],
        ["*", adam()],
      ]);
    const whole = await trained(optimizer());
    for (const cut of [1, 4, 8]) {
      const model = network();
      const base = { data: DATA, loss: crossEntropy(), batchSize: 16, epochs: 3 } as const;
      const { checkpoint } = await fit(model, { ...base, optimizer: optimizer(), steps: cut });
      const text = new TextDecoder().decode(checkpoint());
      const keys = [...text.matchAll(/"([a-zA-Z]+\/linear\d\.\w+)"/g)].map(([, key]) => key);
      expect(keys.filter((key) => key?.startsWith("weights/") !== true).toSorted()).toEqual(
        ["velocity/linear1.weight", "firstMoment/linear2.weight", "secondMoment/linear2.weight"].toSorted(),
      );
      const resumed = network();
      await fit(resumed, { ...base, optimizer: optimizer(), resume: checkpoint() });
      expect(bitsOf(resumed)).toBe(bitsOf(whole));
      const other = partition([["*", adam()]]);
      const refused = fit(network(), { ...base, optimizer: other, resume: checkpoint() });
      await expect(refused).rejects.toThrow(expect.objectContaining({ code: "ERR_STATE" }));
    }
  });
});

describe("refusals", () => {
  type Groups = Parameters<typeof partition>[0];
  test.each<[string, unknown, ErrorCode, string, string]>([
    ["nothing", undefined, "ERR_OPTION", "partition", "an array of [pattern, optimizer]"],
    ["no group", [], "ERR_OPTION", "partition", "an array of [pattern, optimizer]"],
    ["an object", { "*": adam() }, "ERR_OPTION", "partition", "an array of [pattern, optimizer]"],
    ["a pattern alone", [["*"]], "ERR_OPTION", "partition[0]", "[pattern, optimizer or null]"],
    ["three things", [["*", adam(), 1]], "ERR_OPTION", "partition[0]", "[pattern, optimizer or null]"],
    [
      "no pattern",
      [
        ["a", null],
        ["", adam()],
      ],
      "ERR_OPTION",
      "partition[1]",
      "a string",
    ],
    ["a regular expression", [[/linear/, adam()]], "ERR_OPTION", "partition[0]", "a string"],
    ["undefined", [["*", undefined]], "ERR_OPTION", "partition[0]", "an optimizer such as adam()"],
    ["a function", [["*", adam]], "ERR_OPTION", "partition[0]", "function adam, which was not called"],
    ["a partition", [["*", partition([["*", adam()]])]], "ERR_OPTION", "partition[0].rule", ""],
  ])("%s", (_name, groups, code, where, says) => {
    const message = expect.stringContaining(says);
    expect(() => partition(groups as Groups)).toThrow(expect.objectContaining({ code, where, message }));
  });

  test("the schedule that fails is named with its step", async () => {
    const optimizer = partition([["*", sgd({ lr: ({ step }) => (step === 2 ? -1 : 0.1) })]]);
    const error = { code: "ERR_OPTION", where: "sgd.lr", message: expect.stringContaining("step 2") };
    await expect(trained(optimizer)).rejects.toThrow(expect.objectContaining(error));
  });
});
