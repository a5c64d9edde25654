// Run by bits.test.ts as a process of its own, since the kernel table is chosen once a process: trainings with every
// trick of regularization, dropout and optimization, with 1, 2 and 3 threads, as one hash a training.
import {
  adam,
  alphaDropout,
  crossEntropy,
  defineLayer,
  dropout,
  elasticNet,
  type FitOptions,
  fit,
  gaussianDropout,
  type Layer,
  l1,
  l2,
  linear,
  type Model,
  maxNorm,
  muon,
  type Optimizer,
  ops,
  type Partition,
  partition,
  type Regularizers,
  relu,
  runtime,
  sequential,
  sgd,
  sgdMomentum,
  weightDecay,
} from "carillon";
import { bitsOf, clusters, hashOf } from "../train/synthetic.js";

const CLASSES = 5;
/** Odd, and longer than a block of 4096. */
const WIDE = clusters(9, 4111, CLASSES);
/** Of a size that is split among threads. */
const MANY = clusters(259, 67, CLASSES);

const chain = sequential as (...layers: readonly unknown[]) => Model;

const spatial = (width: number): Layer =>
  defineLayer({
    kind: "spatial",
    inputs: 7 * width,
    outputs: 7 * width,
    forward(x, _parameters, { training, nextSite }) {
      if (!training) return x;
      const y = ops.spatialDropout(ops.reshape(x, ["batch", 7, width]), { rate: 0.3, site: nextSite() });
      return ops.reshape(y, ["batch", 7 * width]);
    },
  });

type Options = Partial<FitOptions>;

async function train(
  model: Model,
  data: typeof MANY,
  options: Options & { optimizer: Optimizer | Partition },
): Promise<string> {
  const base = { data, loss: crossEntropy(), epochs: 2, batchSize: 130, seed: 12 } as const;
  const averageWeights = options.averageWeights ?? { decay: 0.9 };
  const { averaged } = await fit(model, { ...base, ...options, averageWeights });
  const averages = new Map([...(averaged() ?? [])].map(([name, values]) => [name, { data: values }]));
  return `${bitsOf(model)} ${hashOf(averages)}`;
}

/** A training on wide rows with one regularizer. */
const wide = (regularizer: Regularizers, optimizer: Optimizer) => (threads: number) =>
  train(chain(linear(4111, 67), relu(), linear(67, CLASSES)), WIDE, { regularizer, optimizer, threads, epochs: 3 });

/** A training with layers in the middle. */
const middle =
  (layers: readonly unknown[], options: Options = {}) =>
  (threads: number) =>
    train(chain(linear(67, 7 * 61, { dropConnect: 0.2 }), relu(), ...layers, linear(7 * 61, CLASSES)), MANY, {
      optimizer: adam(),
      threads,
      ...options,
    });

const PROXIMAL = { proximal: true } as const;
const EVERYTHING = [l2(0.1), l1(0.01), l1(0.02, PROXIMAL), weightDecay(0.1), maxNorm(2)];

const trainings: Readonly<Record<string, (threads: number) => Promise<string>>> = {
  l2: wide(l2(0.1), sgd({ lr: 0.01 })),
  l1: wide(l1(0.1), adam()),
  "l1, proximal": wide(l1(0.1, PROXIMAL), adam()),
  "l1, euclidean": wide(l1(0.1, { ...PROXIMAL, metric: "euclidean" }), adam()),
  elasticNet: wide(elasticNet({ l1: 0.1, l2: 0.1, proximal: true }), sgdMomentum({ lr: 0.01 })),
  weightDecay: wide(weightDecay(0.1), adam()),
  maxNorm: wide(maxNorm(0.5), sgd({ lr: 0.01 })),
  "all of them": wide(EVERYTHING, adam()),
  dropout: middle([dropout(0.3)]),
  classic: middle([dropout({ rate: 1 / 3, scaling: "classic" })]),
  spatialDropout: middle([spatial(61)]),
  alphaDropout: middle([alphaDropout(0.1)]),
  gaussianDropout: middle([gaussianDropout(0.3)]),
  "clip by norm": middle([dropout(0.3)], { clip: { norm: 0.1 }, regularizer: EVERYTHING }),
  "clip by value": middle([dropout(0.3)], { clip: { value: 0.001 } }),
  "micro-batches": middle([dropout(0.3), spatial(61)], { accumulate: 3, clip: { norm: 0.1 } }),
  groups: middle([dropout(0.3)], {
    optimizer: partition([
      ["linear1.weight", muon()],
      ["*.bias", null],
      ["*", adam()],
    ]),
    regularizer: EVERYTHING,
    averageWeights: { decay: 0.9, biasCorrection: true },
  }),
};

/** What the parent reads from standard output. */
const report: { isa: string; trainings: Record<string, readonly string[]> } = { isa: runtime.isa, trainings: {} };
for (const [name, run] of Object.entries(trainings)) {
  report.trainings[name] = [await run(1), await run(2), await run(3)];
}
console.log(JSON.stringify(report));
