// An option that would have no effect beside another one is refused by its name, whoever gives it.
import {
  adam,
  crossEntropy,
  type FitOptions,
  fit,
  kFold,
  linear,
  loadModel,
  mse,
  muon,
  rmsprop,
  sequential,
  sgd,
  split,
  standardize,
} from "carillon";
import { expect, test } from "vitest";
import { cosineDecay, elasticNet, l1, l2 } from "../lib/index.js";

const model = sequential(linear(2, 1)).initialize(1);
const data = { x: [[1, 2]], y: [[1]] };
const given = (options: Partial<FitOptions>) => async () => {
  await fit(model, { data, loss: mse(), optimizer: adam(), epochs: 1, ...options } as FitOptions);
};

test.each<[string, () => unknown, string]>([
  ["linear without a bias: biasInit", () => linear(2, 1, { bias: false, biasInit: 0 }), "linear.biasInit"],
  [
    "linear without a bias: biasRegularizer",
    () => linear(2, 1, { bias: false, biasRegularizer: l2(0.1) }),
    "linear.biasRegularizer",
  ],
  ["l1 without proximal: metric", () => l1(0.1, { metric: "euclidean" }), "l1.metric"],
  ["elasticNet without proximal: metric", () => elasticNet({ l1: 1, l2: 1, metric: "adaptive" }), "elasticNet.metric"],
  ["sgd without momentum: nesterov", () => sgd({ lr: 1, nesterov: true }), "sgd.momentum"],
  ["sgd without momentum: dampening", () => sgd({ lr: 1, dampening: 0.1 }), "sgd.dampening"],
  ["sgd without momentum: rateInside", () => sgd({ lr: 1, rateInside: true }), "sgd.momentum"],
  ["rmsprop without momentum: rateInside", () => rmsprop({ rateInside: true }), "rmsprop.momentum"],
  ["muon without momentum: nesterov", () => muon({ momentum: 0, nesterov: true }), "muon.momentum"],
  [
    "cosineDecay with restarts: steps",
    () => Reflect.apply(cosineDecay, undefined, [{ lr: 1, steps: 10, restarts: { period: 5 } }]),
    "cosineDecay.steps",
  ],
  ["split in the order of time: seed", () => split([1, 2, 3], { validation: 1, order: "time", seed: 1 }), "split.seed"],
  ["kFold in the order of time: seed", () => kFold([1, 2, 3], 2, { order: "time", seed: 0 }), "kFold.seed"],
  [
    "averageWeights with biasCorrection: start",
    given({ averageWeights: { decay: 0.9, biasCorrection: true, start: "firstStep" } }),
    "fit.averageWeights.start",
  ],
  ["fit without a validation set: validate", given({ validate: { every: { steps: 1 } } }), "fit.validate"],
  ["fit with a loss of values: classWeights", given({ classWeights: "balanced" }), "fit.classWeights"],
  ["fit with a loss of values: classes", given({ classes: ["a", "b"] }), "fit.classes"],
  [
    "fit with a loss of labels: targets",
    async () => {
      const options = { data: { x: [[1]], y: [0] }, loss: crossEntropy(), optimizer: adam(), epochs: 1 };
      await fit(sequential(linear(1, 2)), { ...options, targets: standardize() });
    },
    "fit.targets",
  ],
])("%s", async (_, give, where) => {
  await expect((async () => give())()).rejects.toMatchObject({ code: "ERR_OPTION", where });
});

test("what has no averages: weights: 'averaged'", async () => {
  const refused = { code: "ERR_FILE", message: expect.stringContaining("a checkpoint with averaged weights") };
  await expect(loadModel(model.bytes(), { weights: "averaged" })).rejects.toMatchObject(refused);
  await expect(model.load(model.bytes(), { weights: "averaged" })).rejects.toMatchObject(refused);
  await loadModel(model.bytes(), { weights: "last" }); // they are
});

test("what is the default may be said", () => {
  expect(() => linear(2, 1, { bias: false, biasInit: undefined, biasRegularizer: null })).not.toThrow();
  expect(() => sgd({ lr: 1, momentum: 0, nesterov: false, dampening: 0 })).not.toThrow();
  expect(() => muon({ momentum: 0 })).not.toThrow();
});
