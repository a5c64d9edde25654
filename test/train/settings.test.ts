// What a resumed run must have in common with the one that it continues: every option of fit that its steps depend on is told by
// its name and with both values, and accepted where it is said to be changed.
import {
  adadelta,
  adagrad,
  adam,
  adamax,
  adamw,
  amsgrad,
  type Callback,
  cosineDecay,
  crossEntropy,
  dropout,
  type FitOptions,
  fit,
  huber,
  l1,
  l2,
  linear,
  lion,
  type Model,
  minMax,
  mse,
  muon,
  nadam,
  type Optimizer,
  type Partition,
  partition,
  radam,
  relu,
  rmsprop,
  type Setting,
  sequential,
  sgd,
  sgdMomentum,
  standardize,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bitsOf, clusters } from "./synthetic.js";
import { type Anything, expectRefusal, fitAnything } from "./wrong.js";

const DATA = clusters(40, 4, 3);
/** Five steps an epoch. */
const BASE = {
  data: DATA,
  validation: clusters(8, 4, 3, 2),
  loss: crossEntropy(),
  optimizer: adam({ lr: 0.01 }),
  inputs: standardize(),
  regularizer: l2(1e-3),
  batchSize: 8,
  metrics: ["accuracy"],
  seed: 6,
  steps: 7,
} as const;

const network = (): Model<4, 3> => sequential(linear(4, 6), relu(), dropout(0.2), linear(6, 3));

const stateful = (name: string): Callback => ({
  name,
  decide: () => undefined,
  state: () => 1,
  restore: () => undefined,
});

let checkpoint = new Uint8Array();
const earlier = async (): Promise<Uint8Array> => {
  if (checkpoint.length === 0) checkpoint = new Uint8Array((await fit(network(), BASE)).checkpoint());
  return checkpoint;
};

/** Options of fit that no step depends on, or that a resume is about. */
const FREE = [
  "data",
  "validation",
  "epochs",
  "steps",
  "threads",
  "priority",
  "reportEvery",
  "log",
  "progress",
  "signal",
  "checkpoint",
  "resume",
];

/** Every other one: what is given instead, and what the message says that there was and is. */
const CHANGES: readonly (readonly [
  option: keyof FitOptions<readonly [], undefined>,
  setting: Setting,
  change: Anything,
  says: string | RegExp,
])[] = [
  ["loss", "loss", { loss: crossEntropy({ labelSmoothing: 0.1 }) }, /loss\.labelSmoothing 0, .* received 0\.1/],
  ["optimizer", "optimizer", { optimizer: adam({ lr: 0.01, beta1: 0.8 }) }, /optimizer\.beta1 0\.9, .* received 0\.8/],
  ["optimizer", "lr", { optimizer: adam({ lr: 0.5 }) }, /lr 0\.01, .* received 0\.5/],
  [
    "optimizer",
    "lr",
    { optimizer: adam({ lr: cosineDecay({ lr: 0.01, steps: 9 }) }) },
    /lr 0\.01, .* received cosineDecay \(lr 0\.01, end 0, steps 9\)/,
  ],
  ["regularizer", "regularizer", { regularizer: l2(0.5) }, /regularizer\.model\.lambda 0\.001, .* received 0\.5/],
  ["regularizer", "regularizer", { regularizer: l1(0.5) }, /regularizer\.model l2, .* received l1/],
  ["regularizer", "regularizer", { regularizer: undefined }, /regularizer\.model l2 .* received none/],
  ["clip", "clip", { clip: { norm: 1 } }, /clip none, .* received .*norm 1/],
  ["accumulate", "accumulate", { accumulate: 2 }, /accumulate 1, .* received 2/],
  ["averageWeights", "averageWeights", { averageWeights: { decay: 0.9 } }, /averageWeights none, .*decay 0\.9/],
  ["classWeights", "classWeights", { classWeights: "balanced" }, /classWeights none, .* received balanced/],
  ["classWeights", "classWeights", { classWeights: [1, 1, 2] }, /classWeights none, .* received \[1, 1, 2\]/],
  [
    "metrics",
    "metrics",
    { metrics: ["accuracy", "auc"] },
    /metrics accuracy, .* received accuracy, auc: an epoch is under way/,
  ],
  ["validate", "validate", { validate: { every: { steps: 2 } } }, /validate\.epochs 1, .* received none/],
  ["inputs", "inputs", { inputs: minMax() }, /inputs standardize, .* received minMax/],
  ["inputs", "inputs", { inputs: null }, /inputs standardize, .* received none/],
  [
    "callbacks",
    "callbacks",
    { callbacks: [stateful("pace")] },
    /callbacks none, .* received pace: there is no state of 'pace'/,
  ],
  ["batchSize", "batchSize", { batchSize: 4 }, /batchSize 8, .* received 4/],
  ["shuffle", "shuffle", { shuffle: false }, /shuffle true, .* received false/],
];

test("every option of fit is compared, or is one that no step depends on", () => {
  const given: Record<keyof FitOptions<readonly [], undefined>, true> = {
    data: true,
    validation: true,
    validate: true,
    inputs: true,
    targets: true,
    loss: true,
    lossWeights: true,
    optimizer: true,
    regularizer: true,
    biasRegularizer: true,
    clip: true,
    accumulate: true,
    averageWeights: true,
    classWeights: true,
    classes: true,
    metrics: true,
    epochs: true,
    steps: true,
    batchSize: true,
    shuffle: true,
    batchBy: true,
    seed: true,
    threads: true,
    priority: true,
    reportEvery: true,
    log: true,
    progress: true,
    callbacks: true,
    signal: true,
    checkpoint: true,
    resume: true,
  };
  const others = ["lossWeights", "targets", "biasRegularizer", "classes", "seed", "batchBy"]; // the first is compared as a part of the losses
  const shown = [...FREE, ...CHANGES.map(([option]) => option), ...others];
  expect(Object.keys(given).filter((option) => !shown.includes(option))).toEqual([]);
});

describe.each(CHANGES)("another %s", (_, setting, change, says) => {
  const options = { ...BASE, steps: 20, ...change };

  test("is refused by its name, with both values", async () => {
    const refused = { ...options, resume: await earlier() };
    await expectRefusal(network(), refused, "ERR_STATE", `fit.resume.${setting}`, says);
  });

  test("is accepted where it is said to be changed, and told by bitEqual", async () => {
    const needsEpoch = ["batchSize", "shuffle"].includes(setting);
    const resume = { from: await earlier(), changed: [setting], ...(needsEpoch ? { data: "changed" } : {}) };
    const result = await fitAnything(network(), { ...options, resume });
    expect(result).toMatchObject({ step: 20, bitEqual: setting === "metrics" });
  });
});

test("what was changed stays changed: a run that goes on from there is not the one of the beginning", async () => {
  const slower = { ...BASE, optimizer: adam({ lr: 0.5 }) };
  const changed = await fit(network(), { ...slower, steps: 9, resume: { from: await earlier(), changed: ["lr"] } });
  const { bitEqual } = await fit(network(), { ...slower, steps: 12, resume: changed.checkpoint() });
  expect(bitEqual).toBe(false);
  const same = await fit(network(), { ...BASE, steps: 9, resume: { from: await earlier(), changed: ["lr", "loss"] } });
  expect(same.bitEqual).toBe(true);
});

test("another seed, targets in other units, penalties on biases", async () => {
  await expectRefusal(
    network(),
    { ...BASE, seed: 7, resume: await earlier() },
    "ERR_STATE",
    "fit.resume.seed",
    /seed 6, .* received 7/,
  );
  const x = [[1], [2], [3]];
  const values = {
    data: { x, y: [3, 4, 5] },
    loss: mse(),
    optimizer: sgd({ lr: 0.1 }),
    targets: standardize(),
    steps: 2,
  } as const;
  const single = (): Model<1, 1> => sequential(linear(1, 1));
  const resume = (await fit(single(), values)).checkpoint();
  const other = { ...values, targets: minMax(), resume };
  await expectRefusal(single(), other, "ERR_STATE", "fit.resume.targets", /targets standardize, .* received minMax/);
  const biased = { ...BASE, biasRegularizer: l2(0.1), resume: await earlier() };
  await expectRefusal(network(), biased, "ERR_STATE", "fit.resume.biasRegularizer", /none, .* received l2/);
});

test("averages: those that begin start at the weights, those that are dropped are gone", async () => {
  const averageWeights = { decay: 0.5 };
  const resume = { from: await earlier(), changed: ["averageWeights"] } as const;
  const model = network();
  const { averaged } = await fit(model, { ...BASE, averageWeights, steps: 7, resume });
  expect(bitsOf(network().setWeights(averaged() ?? {}))).toBe(bitsOf(model));
  const { checkpoint: kept } = await fit(network(), { ...BASE, averageWeights, steps: 7 });
  const without = await fit(network(), { ...BASE, steps: 8, resume: { from: kept(), changed: ["averageWeights"] } });
  expect([without.averaged(), without.step]).toEqual([undefined, 8]);
  const corrected = { ...BASE, averageWeights: { decay: 0.5, biasCorrection: true }, resume };
  await expectRefusal(network(), corrected, "ERR_STATE", "fit.resume.averageWeights", "biasCorrection");
});

describe("callbacks", () => {
  /** Without a set that the last step measures, and where callbacks are asked once more. */
  const options = { ...BASE, validation: undefined };

  const counting = (name: string, told: unknown[]): Callback => {
    let seen = 0;
    return {
      name,
      every: { steps: 1 },
      decide: () => {
        seen += 1;
      },
      state: () => seen,
      restore: (state) => {
        told.push([name, state]);
        seen = Number(state);
      },
    };
  };

  test("a new one begins anew, one that is gone is forgotten, the others go on", async () => {
    const told: unknown[] = [];
    const first = await fit(network(), { ...options, callbacks: [counting("a", told), counting("b", told)] });
    const second = await fit(network(), {
      ...options,
      steps: 9,
      callbacks: [counting("b", told), counting("c", told)],
      resume: { from: first.checkpoint(), changed: ["callbacks"] },
    });
    expect(told).toEqual([["b", 7]]);
    expect(second.bitEqual).toBe(false);
    const third = { ...options, steps: 10, callbacks: [counting("b", told), counting("c", told)] };
    await fit(network(), { ...third, resume: second.checkpoint() });
    expect(told.slice(1)).toEqual([
      ["b", 9],
      ["c", 2],
    ]);
    const back = { ...options, steps: 10, callbacks: [counting("a", told)], resume: second.checkpoint() };
    await expectRefusal(network(), back, "ERR_STATE", "fit.resume.callbacks", /callbacks b, c, .* received a/);
  });

  test("without a state they come and go", async () => {
    const plain: Callback = { name: "plain", decide: () => undefined };
    const { checkpoint: with1, bitEqual } = await fit(network(), { ...options, callbacks: [plain] });
    const again = await fit(network(), { ...options, steps: 9, resume: with1() });
    const more = await fit(network(), {
      ...options,
      steps: 9,
      callbacks: [plain, { ...plain, name: "more" }],
      resume: with1(),
    });
    expect([bitEqual, again.bitEqual, more.bitEqual]).toEqual([true, true, true]);
  });
});

describe("the options of every optimizer have their names", () => {
  test.each<[string, Optimizer | Partition, Optimizer | Partition, string | RegExp]>([
    ["sgd", sgd({ lr: 1, momentum: 0.9 }), sgd({ lr: 1, momentum: 0.8 }), /optimizer\.momentum 0\.9, .* 0\.8/],
    ["sgd", sgd({ lr: 1, momentum: 0.9 }), sgd({ lr: 1, momentum: 0.9, dampening: 0.1 }), /dampening 0, .* 0\.1:/],
    ["sgd", sgd({ lr: 1, momentum: 0.9 }), sgd({ lr: 1, momentum: 0.9, nesterov: true }), /nesterov false, .* true/],
    [
      "sgd",
      sgd({ lr: 1, momentum: 0.9 }),
      sgd({ lr: 1, momentum: 0.9, rateInside: true }),
      /rateInside false, .* true/,
    ],
    ["sgdMomentum", sgdMomentum({ lr: 1 }), sgdMomentum({ lr: 1, beta: 0.5 }), /optimizer\.beta 0\.9, .* 0\.5/],
    ["adagrad", adagrad(), adagrad({ epsilon: 1e-3 }), /epsilon\.value 1e-8, .* 0\.001/],
    ["adagrad", adagrad(), adagrad({ initialAccumulator: 0.5 }), /initialAccumulator 0, .* 0\.5/],
    ["rmsprop", rmsprop({ momentum: 0.9 }), rmsprop({ momentum: 0.9, rho: 0.5 }), /rho 0\.9, .* 0\.5/],
    ["rmsprop", rmsprop({ momentum: 0.9 }), rmsprop({ momentum: 0.5 }), /momentum 0\.9, .* 0\.5/],
    ["rmsprop", rmsprop(), rmsprop({ epsilon: { value: 1e-8, placement: "outside" } }), /placement inside, .* outside/],
    ["adam", adam(), adam({ beta2: 0.9 }), /beta2 0\.999, .* 0\.9:/],
    ["adam", adam(), adam({ compat: "keras", epsilon: 1e-8 }), /compat none, .* keras/],
    ["adamw", adamw(), adamw({ weightDecay: 0.5 }), /weightDecay 0\.01, .* 0\.5/],
    ["amsgrad", amsgrad(), amsgrad({ beta1: 0.5 }), /beta1 0\.9, .* 0\.5/],
    ["nadam", nadam(), nadam({ beta1: 0.5 }), /beta1 0\.9, .* 0\.5/],
    ["radam", radam(), radam({ beta2: 0.5 }), /beta2 0\.999, .* 0\.5/],
    ["adamax", adamax(), adamax({ beta2: 0.5 }), /beta2 0\.999, .* 0\.5/],
    ["adadelta", adadelta(), adadelta({ rho: 0.5 }), /rho 0\.\d+, .* 0\.5/],
    ["lion", lion(), lion({ beta2: 0.5 }), /beta2 0\.99, .* 0\.5/],
    ["muon", muon(), muon({ momentum: 0.5 }), /optimizer\.momentum 0\.95, .* 0\.5/],
    ["muon", muon(), muon({ nesterov: false }), /nesterov true, .* false/],
    ["another one", adam(), lion(), /optimizer adam, .* received lion/],
    [
      "a partition",
      partition([
        ["linear1.*", adam()],
        ["*", null],
      ]),
      partition([
        ["linear1.*", adam({ beta1: 0 })],
        ["*", null],
      ]),
      /optimizer linear1\.\* ?\.?beta1 0\.9|beta1 0\.9, .* 0/,
    ],
    [
      "a frozen part",
      partition([
        ["linear1.*", null],
        ["*", adam()],
      ]),
      partition([
        ["linear1.*", adam()],
        ["*", adam()],
      ]),
      /frozen/,
    ],
  ])("%s", async (_, one, other, says) => {
    const bare = (): Model<4, 3> => sequential(linear(4, 3, { bias: false }));
    const options = { ...BASE, optimizer: one, steps: 1 };
    const model = (): Model => (_.includes("part") ? network() : bare());
    const resume = (await fit(model(), options)).checkpoint();
    await expectRefusal(model(), { ...options, optimizer: other, resume }, "ERR_STATE", "fit.resume.optimizer", says);
  });
});

test("the options of losses have their names", async () => {
  const values = { data: { x: [[1], [2]], y: [1, 2] }, optimizer: sgd({ lr: 0.1 }), steps: 1 } as const;
  const single = (): Model<1, 1> => sequential(linear(1, 1));
  const resume = (await fit(single(), { ...values, loss: huber() })).checkpoint();
  const wider = { ...values, loss: huber({ delta: 2 }), resume };
  await expectRefusal(single(), wider, "ERR_STATE", "fit.resume.loss", /loss\.delta 1, .* received 2/);
  await expectRefusal(
    single(),
    { ...values, loss: mse(), resume },
    "ERR_STATE",
    "fit.resume.loss",
    /loss huber, .* received mse/,
  );
});
