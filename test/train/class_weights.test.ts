import { readFileSync } from "node:fs";
import {
  binaryCrossEntropy,
  crossEntropy,
  fit,
  hinge,
  type Loss,
  linear,
  type Model,
  mse,
  network,
  ops,
  pinball,
  sequential,
  sgd,
  spec,
  tensor,
  triplet,
} from "carillon";
import { describe, expect, test } from "vitest";

const x = [
  [1, 0],
  [0, 1],
  [1, 1],
  [0.5, -1],
  [-1, 0.25],
  [0, -1],
];
const y = [0, 0, 0, 0, 1, 1];
const shared = { loss: crossEntropy(), optimizer: sgd({ lr: 0.1 }), steps: 3, batchSize: 6, shuffle: false, seed: 4 };
const make = (classes = 2) => sequential(linear(2, classes)).initialize(1);

async function trained(options: object, classes = 2): Promise<readonly number[]> {
  const model = make(classes);
  await fit(model, { data: { x, y }, ...shared, ...options });
  return [...model.weights().values()].flatMap(({ data }) => [...data]);
}

describe("class weights", () => {
  test("multiply the weights of examples", async () => {
    const byHand = await trained({ data: { x, y, weight: [2, 2, 2, 2, 3, 3] } });
    expect(await trained({ classWeights: [2, 3] })).toEqual(byHand);
    const weight = [1, 2, 3, 4, 5, 6];
    const both = await trained({ data: { x, y, weight: [2, 4, 6, 8, 15, 18] } });
    expect(await trained({ data: { x, y, weight }, classWeights: [2, 3] })).toEqual(both);
    expect(await trained({})).not.toEqual(byHand);
  });

  test("balanced is n/(classes·count)", async () => {
    expect(await trained({ classWeights: "balanced" })).toEqual(await trained({ classWeights: [6 / 8, 6 / 4] }));
  });

  test("a class that does not occur makes no NaN", async () => {
    const weights = await trained({ classWeights: "balanced" }, 3);
    expect(weights.every(Number.isFinite)).toBe(true);
    expect(weights).toEqual(await trained({ classWeights: [6 / 12, 6 / 6, 7] }, 3));
  });

  test("do not touch the figures of validation", async () => {
    const options = { data: { x, y }, ...shared, optimizer: sgd({ lr: 0 }), validation: { x, y } };
    const plain = await fit(make(), options);
    const weighted = await fit(make(), { ...options, classWeights: [1, 10] });
    expect(weighted.history[0]?.validation.loss).toBe(plain.history[0]?.validation.loss);
    expect(weighted.history[0]?.dataLoss).not.toBe(plain.history[0]?.dataLoss);
  });

  test.each<[unknown, string, string]>([
    [[1], "ERR_OPTION", "fit.classWeights"],
    [[1, 2, 3], "ERR_OPTION", "fit.classWeights"],
    ["Balanced", "ERR_OPTION", "fit.classWeights"],
    [{ 0: 1 }, "ERR_OPTION", "fit.classWeights"],
    [[1, -1], "ERR_OPTION", "fit.classWeights[1]"],
    [[Number.NaN, 1], "ERR_OPTION", "fit.classWeights[0]"],
    [[0, 0], "ERR_DATA", "fit.data.weight"],
  ])("refuses %o", async (classWeights, code, where) => {
    await expect(trained({ classWeights })).rejects.toThrow(expect.objectContaining({ code, where }));
  });

  test("of steps: each weighs what its class does", async () => {
    const rows = [
      [0, 1, 1],
      [1, 1, 0],
      [0, 0, 0],
      [1, 0, 1],
    ];
    const steps = tensor(rows.map((labels, row) => labels.map((label, t) => [Math.sin(row + t), label + row / 4])));
    const network = () => sequential({ input: [3, 2] }, linear(2, 2)).initialize(2);
    const own = {
      loss: crossEntropy({ labelSmoothing: 0.1 }),
      optimizer: sgd({ lr: 0.1 }),
      batchSize: 4,
      shuffle: false,
    };
    const flat = () => sequential(linear(2, 2)).initialize(2);
    const weightsOf = (model: Pick<Model, "weights">) => [...model.weights().values()].flatMap(({ data }) => [...data]);
    /** One row a step, with the same factors. */
    const alone = async (classWeights: readonly [number, number] | "balanced", weight?: readonly number[]) => {
      const model = flat();
      const single = { x: tensor(steps.data.slice(), [12, 2]), y: rows.flat(), weight };
      await fit(model, { ...own, data: single, batchSize: 12, classWeights, steps: 3 });
      return weightsOf(model);
    };
    const together = async (options: object, data: object = { x: steps, y: rows }) => {
      const model = network();
      await fit(model, { ...own, data: data as { x: typeof steps; y: typeof rows }, steps: 3, ...options });
      return weightsOf(model);
    };
    // Sums of twelve terms in another order, three times.
    const near = (a: readonly number[], b: readonly number[]): void => {
      expect(Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? Number.NaN))))).toBeLessThan(2 ** -24 * 40);
    };
    near(await together({ classWeights: [2, 3] }), await alone([2, 3]));
    near(await together({ classWeights: [0, 3] }), await alone([0, 3]));
    near(await together({ classWeights: "balanced" }), await alone("balanced"));
    near(await together({ classWeights: [2, 3], accumulate: 2 }), await alone([2, 3]));
    const weight = [1, 0, 2, 3];
    const each = weight.flatMap((one) => [one, one, one]);
    near(await together({ classWeights: [2, 3] }, { x: steps, y: rows, weight }), await alone([2, 3], each));
    expect(await together({})).not.toEqual(await together({ classWeights: [2, 3] }));
    await expect(together({ classWeights: [0, 0] })).rejects.toThrow(expect.objectContaining({ code: "ERR_DATA" }));
    await expect(together({ classWeights: [1] })).rejects.toThrow(/'balanced' or 2 numbers/);
  });

  test("of steps up to their lengths, whose training metrics count them so", async () => {
    const model = () =>
      network({
        inputs: { x: spec(["batch", 3, 2]), lengths: spec(["batch"], "i32") },
        layers: { head: linear(2, 2) },
        forward: ({ x: given, lengths }, { head }) => head(ops.sequence(given, lengths)),
      }).initialize(1);
    const steps = tensor([
      [
        [1, 0],
        [0, 1],
        [9, 9],
      ],
      [
        [1, 1],
        [9, 9],
        [9, 9],
      ],
    ]);
    const y = [
      [0, 1, 1],
      [1, 0, 0],
    ];
    const lengths = Int32Array.of(2, 1);
    const still = { loss: crossEntropy(), optimizer: sgd({ lr: 0 }), epochs: 1, metrics: ["accuracy"] } as const;
    const data = { x: { x: steps, lengths }, y };
    const { history } = await fit(model(), { ...still, data, classWeights: [1, 4] });
    const raw = (await model().predict(data.x)).data as Float32Array;
    const lossAt = (place: number, label: number): number => {
      const [a = 0, b = 0] = raw.slice(place * 2, place * 2 + 2);
      return Math.log(Math.exp(a) + Math.exp(b)) - (label === 0 ? a : b);
    };
    const isRight = (place: number, label: number): number =>
      (raw[place * 2] ?? 0) >= (raw[place * 2 + 1] ?? 0) === (label === 0) ? 1 : 0;
    const told = [
      [0, 0, 1],
      [1, 1, 4],
      [3, 1, 4],
    ] as const;
    const mean = (of: (place: number, label: number) => number): number =>
      told.reduce((sum, [place, label, weight]) => sum + weight * of(place, label), 0) / 9;
    expect(history[0]?.dataLoss).toBeCloseTo(mean(lossAt), 6);
    expect(history[0]?.metrics.accuracy).toBeCloseTo(mean(isRight), 12);
    await expect(fit(model(), { ...still, data, classWeights: "balanced" })).rejects.toThrow(
      /numbers, as steps of sequences with lengths are not counted,/,
    );
  });

  test("of signs: those of −1 and of 1", async () => {
    const signs = y.map((label) => (label === 0 ? -1 : 1));
    const run = async (options: object, weight?: readonly number[]) => {
      const model = sequential(linear(2, 1)).initialize(1);
      await fit(model, { data: { x, y: signs, weight }, ...shared, loss: hinge(), ...options });
      return [...model.weights().values()].flatMap(({ data }) => [...data]);
    };
    expect(await run({ classWeights: [2, 3] })).toEqual(await run({}, [2, 2, 2, 2, 3, 3]));
    expect(await run({ classWeights: "balanced" })).toEqual(await run({ classWeights: [6 / 8, 6 / 4] }));
  });

  test("there are none of values, and of pairs that are told apart by their places", async () => {
    const of = async (loss: Loss, width: number, targets: unknown) => {
      const options = { data: { x, y: targets }, ...shared, loss, classWeights: [1, 2] } as never;
      await expect(fit(sequential(linear(2, width)), options)).rejects.toThrow(
        /no weights, as the loss takes no classes, for 'fit.classWeights'/,
      );
    };
    await of(triplet(), 6, [1, -1, 1, 1, -1, 1]);
    await of(pinball({ quantiles: [0.1, 0.9] }), 2, y);
    // Weights of examples they take.
    const weighted = { x, y: [1, -1, 1, 1, -1, 1], weight: [1, 2, 3, 4, 5, 6] };
    await fit(sequential(linear(2, 6)), { data: weighted, ...shared, loss: triplet() });
    await fit(sequential(linear(2, 2)), {
      data: { ...weighted, y },
      ...shared,
      loss: pinball({ quantiles: [0.1, 0.9] }),
    });
  });

  test("need integer labels", async () => {
    for (const loss of [mse(), binaryCrossEntropy(), crossEntropy({ target: "probabilities" })]) {
      const options = { data: { x, y: x }, loss, classWeights: "balanced" };
      await expect(trained(options)).rejects.toThrow(expect.objectContaining({ where: "fit.classWeights" }));
    }
  });
});

describe("targets that are probabilities", () => {
  test("train", async () => {
    for (const loss of [binaryCrossEntropy(), crossEntropy({ target: "probabilities", labelSmoothing: 0.1 })]) {
      const targets = y.map((label) => (label === 0 ? [1, 0] : [0.25, 0.75]));
      const options = { data: { x, y: targets }, loss, optimizer: sgd({ lr: 0.5 }), epochs: 60, seed: 1 };
      const { history } = await fit(make(), options);
      expect(history.at(-1)?.loss).toBeLessThan(history[0]?.loss ?? 0);
    }
  });

  test("one number a row where there is one output", async () => {
    const model = sequential(linear(2, 1));
    const { history } = await fit(model, { ...shared, data: { x, y }, loss: binaryCrossEntropy(), steps: 100 });
    expect(history.at(-1)?.loss).toBeLessThan(history[0]?.loss ?? 0);
  });

  test.each([[1.5], [-0.25], [2]])("outside of [0, 1] they are refused with their place: %o", async (value) => {
    const data = { x, y: x.map((_, row) => (row === 3 ? [0, value] : [1, 0])) };
    await expect(trained({ data, loss: binaryCrossEntropy() })).rejects.toThrow(
      expect.objectContaining({
        code: "ERR_LABEL",
        where: "fit.data.y",
        message: expect.stringContaining("row 3, column 1"),
      }),
    );
  });
});

describe("beside PyTorch and Keras, which are asked by make_class_weights_fixture.py", () => {
  const { labels, weights, steps } = JSON.parse(
    readFileSync(new URL("fixtures/class_weights.json", import.meta.url), "utf8"),
  ) as {
    readonly labels: readonly number[];
    readonly weights: readonly [number, number];
    readonly steps: Readonly<Record<string, { labelSmoothing: number; pytorch: number[]; keras: number[] }>>;
  };
  const share = (label: number, place: number, smoothing: number): number =>
    (1 - smoothing) * (label === place ? 1 : 0) + smoothing / 2;
  const sum = (each: (label: number) => number): number => labels.reduce((total, label) => total + each(label), 0);
  const weightOf = (label: number): number => weights[label] ?? 0;
  /** Σ w: what ours and PyTorch divide by. */
  const weight = sum(weightOf);
  const bias = (model: Pick<Model, "weights">): readonly number[] => [
    ...(model.weights().get("linear1.bias")?.data ?? []),
  ];

  test.each(Object.entries(steps))(
    "one step from zeros, %s",
    async (_, { labelSmoothing: smoothing, pytorch, keras }) => {
      const model = sequential(linear(1, 2, { init: 0 }));
      const data = { x: labels.map(() => [0]), y: labels };
      const loss = crossEntropy({ labelSmoothing: smoothing });
      await fit(model, { data, loss, classWeights: weights, optimizer: sgd({ lr: 1, compat: "keras" }), steps: 1 });
      // −gradient of class k: ours weighs an example by its label, Σ w·(t − ½)/Σ w.
      const ours = [0, 1].map(
        (place) => sum((label) => weightOf(label) * (share(label, place, smoothing) - 0.5)) / weight,
      );
      // PyTorch weighs each term by its own class: Σ (w_k·t_k − ½·Σ w_c·t_c)/Σ w.
      const theirs = [0, 1].map(
        (place) =>
          sum((label) => {
            const terms = [0, 1].map((each) => weightOf(each) * share(label, each, smoothing));
            return (terms[place] ?? 0) - 0.5 * terms.reduce((total, term) => total + term, 0);
          }) / weight,
      );
      for (const place of [0, 1]) {
        expect(bias(model)[place]).toBeCloseTo(ours[place] ?? Number.NaN, 6);
        expect(pytorch[place]).toBeCloseTo(theirs[place] ?? Number.NaN, 6);
        // Keras divides by the number of examples.
        expect(keras[place]).toBeCloseTo(((ours[place] ?? 0) * weight) / labels.length, 6);
      }
      expect(Math.abs(ours[0] ?? 0)).toBeCloseTo(smoothing === 0 ? 0.0714 : 0.0571, 4);
      expect(Math.abs(pytorch[0] ?? 0)).toBeCloseTo(smoothing === 0 ? 0.0714 : 0.1429, 4);
      expect(Math.abs(keras[0] ?? 0)).toBeCloseTo(smoothing === 0 ? 0.0625 : 0.05, 4);
    },
  );

  test("a rate times Σ w/N takes Keras' step", async () => {
    const model = sequential(linear(1, 2, { init: 0 }));
    const data = { x: labels.map(() => [0]), y: labels };
    const optimizer = sgd({ lr: weight / labels.length });
    await fit(model, { data, loss: crossEntropy(), classWeights: weights, optimizer, steps: 1 });
    expect(bias(model)[0]).toBeCloseTo(steps.plain?.keras[0] ?? Number.NaN, 6);
  });
});
