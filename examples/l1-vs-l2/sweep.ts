import {
  crossEntropy,
  fit,
  heNormal,
  l1,
  l2,
  linear,
  type Model,
  type Optimizer,
  polynomialDecay,
  type Regularizer,
  relu,
  sequential,
  sgdMomentum,
} from "carillon";
import { type Digits, PIXELS, scaled } from "../digits/digits.js";

/** Units of the hidden layer: the rows of the first weight matrix. */
const UNITS = 128;
const CLASSES = 10;

/** A smaller weight is as good as none: it moves the input of a unit by less than a thousandth. */
export const SMALL = 1e-3;

/** A penalty of strength λ. */
export type Penalty = (lambda: number) => Regularizer;

/** The ways of regularizing that are compared. */
export const METHODS = ["L2", "L1", "proximal L1"] as const;
export type Method = (typeof METHODS)[number];
export const PENALTIES: Readonly<Record<Method, Penalty>> = {
  L2: l2,
  L1: l1,
  "proximal L1": (lambda) => l1(lambda, { proximal: true }),
};

/** What is trained every time: one hidden layer, no dropout, so that nothing but the penalty differs. */
export function network(): Model<64, 10> {
  return sequential(linear(64, UNITS, { init: heNormal() }), relu(), linear(UNITS, CLASSES));
}

/** The first weight matrix, [units, pixels]: what the network makes of each pixel. */
export function firstWeights(model: Model): Float32Array {
  return model.weights().get("linear1.weight")?.data ?? new Float32Array();
}

/** What one training came to; shares are in [0, 1] of the first layer's weights. */
export interface Outcome {
  /** Share of test images read as what they are. */
  readonly accuracy: number;
  /** Share of weights that are exactly 0. */
  readonly zeros: number;
  /** Share of weights with |θ| < 0.001. */
  readonly small: number;
  /** Mean |θ|. */
  readonly meanSize: number;
  /** Pixels with a weight of 0.001 or more. */
  readonly pixels: number;
  /** Pixels with a weight that is not exactly 0. */
  readonly pixelsNotZero: number;
}

/** One training. */
export interface Trained {
  readonly outcome: Outcome;
  /** The first layer's, [units, pixels]. */
  readonly weights: Float32Array;
  readonly model: Model<64, 10>;
}

/** A method at one λ: a training for each seed, and the mean of what they came to. */
export interface Setting {
  readonly lambda: number;
  readonly runs: readonly Trained[];
  readonly mean: Outcome;
}

/** What the trainings have in common. */
export interface Recipe {
  readonly train: Digits;
  readonly test: Digits;
  readonly optimizer: Optimizer;
  readonly epochs: number;
  readonly seeds: readonly number[];
}

/**
 * The textbook's rule: momentum as an average, whose steps are as long as those of plain SGD. The rate falls to 0 in a
 * straight line: at one that stays high, the jitter of the subgradient would stay too.
 */
export const textbook: Optimizer = sgdMomentum({ lr: polynomialDecay({ lr: 1 }), beta: 0.9 });

function share(weights: Float32Array, counts: (weight: number) => boolean): number {
  return weights.filter(counts).length / weights.length;
}

/** Pixels with a weight that counts. */
function pixelsWith(weights: Float32Array, counts: (weight: number) => boolean): number {
  const found = new Set<number>();
  for (const [index, weight] of weights.entries()) if (counts(weight)) found.add(index % PIXELS);
  return found.size;
}

/** ‖·‖₂ of the weights that leave each pixel: the columns of the first weight matrix. */
export function pixelNorms(weights: Float32Array): number[] {
  const squares = new Float64Array(PIXELS);
  for (const [index, weight] of weights.entries()) {
    const pixel = index % PIXELS;
    squares[pixel] = (squares[pixel] ?? 0) + weight * weight;
  }
  return Array.from(squares, Math.sqrt);
}

async function trainOnce(
  { train, test, optimizer, epochs }: Recipe,
  regularizer: Regularizer | null,
  seed: number,
): Promise<Trained> {
  const model = network();
  await fit(model, {
    data: scaled(train),
    loss: crossEntropy(),
    optimizer,
    regularizer,
    epochs,
    seed,
    threads: 1, // the network is too small for a second one to help
  });
  const { metrics } = await model.evaluate(scaled(test), { loss: crossEntropy(), metrics: ["accuracy"] });
  const weights = firstWeights(model);
  const sizes = weights.map(Math.abs);
  return {
    model,
    weights,
    outcome: {
      accuracy: metrics.accuracy,
      zeros: share(weights, (weight) => weight === 0),
      small: share(sizes, (size) => size < SMALL),
      meanSize: sizes.reduce((sum, size) => sum + size, 0) / sizes.length,
      pixels: pixelsWith(sizes, (size) => size >= SMALL),
      pixelsNotZero: pixelsWith(sizes, (size) => size !== 0),
    },
  };
}

function meanOf(runs: readonly Trained[]): Outcome {
  const mean = (figure: keyof Outcome): number =>
    runs.reduce((sum, { outcome }) => sum + outcome[figure], 0) / runs.length;
  return {
    accuracy: mean("accuracy"),
    zeros: mean("zeros"),
    small: mean("small"),
    meanSize: mean("meanSize"),
    pixels: mean("pixels"),
    pixelsNotZero: mean("pixelsNotZero"),
  };
}

/** Trains with every seed. */
export async function trainAll(recipe: Recipe, lambda: number, penalty: Penalty | null): Promise<Setting> {
  const runs: Trained[] = [];
  for (const seed of recipe.seeds) runs.push(await trainOnce(recipe, penalty === null ? null : penalty(lambda), seed));
  return { lambda, runs, mean: meanOf(runs) };
}

/** Trains with every λ and every seed. */
export async function sweep(recipe: Recipe, lambdas: readonly number[], penalty: Penalty): Promise<readonly Setting[]> {
  const settings: Setting[] = [];
  for (const lambda of lambdas) settings.push(await trainAll(recipe, lambda, penalty));
  return settings;
}

/** Accuracy that a penalty may cost: one point of a hundred. */
export const ALLOWED_LOSS = 0.01;

/** The rule: the largest λ whose mean accuracy is at most one point below that without a penalty. */
export function choose(settings: readonly Setting[], plain: Setting): Setting {
  const within = settings.filter(({ mean }) => mean.accuracy >= plain.mean.accuracy - ALLOWED_LOSS);
  return within.reduce((best, setting) => (setting.lambda > best.lambda ? setting : best), plain);
}

/** The setting whose weights are on average about as large: penalties of different kinds, equally strong. */
export function nearestMeanSize(settings: readonly Setting[], meanSize: number): Setting | undefined {
  const distance = ({ mean }: Setting): number => Math.abs(Math.log(mean.meanSize / meanSize));
  return settings.toSorted((a, b) => distance(a) - distance(b))[0];
}
