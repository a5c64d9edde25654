import {
  crossEntropy,
  fit,
  heNormal,
  l1,
  l2,
  linear,
  type Model,
  type Regularizer,
  relu,
  type Schedule,
  sequential,
  sgdMomentum,
} from "../../lib/index.js";
import { type Digits, PIXELS, scaled } from "../digits/digits.js";

/** Units of the hidden layer: the rows of the first weight matrix. */
const UNITS = 128;
const CLASSES = 10;

/** A smaller weight is as good as none: it moves the input of a unit by less than a thousandth. */
export const SMALL = 1e-3;

/** The ways of regularizing that are compared. */
export const METHODS = ["L2", "L1", "proximal L1"] as const;
export type Method = (typeof METHODS)[number];

/** The penalty of a method. */
export function penalty(method: Method, lambda: number): Regularizer {
  switch (method) {
    case "L2":
      return l2(lambda);
    case "L1":
      return l1(lambda);
    case "proximal L1":
      return l1(lambda, { proximal: true });
  }
}

/** What is trained every time: one hidden layer, no dropout, so that nothing but the penalty differs. */
export function network(): Model<64, 10> {
  return sequential(linear(PIXELS, UNITS, { init: heNormal() }), relu(), linear(UNITS, CLASSES));
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

/** Settings of one method, with λ = 0 first. */
export interface Sweep {
  readonly method: Method;
  readonly settings: readonly Setting[];
}

/** What the trainings have in common. */
export interface Recipe {
  readonly train: Digits;
  readonly test: Digits;
  readonly epochs: number;
  readonly seeds: readonly number[];
}

/** From 1 down to almost 0 in a straight line: at a rate that stays high, the subgradient's jitter would stay too. */
export const learningRate: Schedule = ({ step, steps }) => 1 - (step - 1) / steps;

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
  { train, test, epochs }: Recipe,
  regularizer: Regularizer | null,
  seed: number,
): Promise<Trained> {
  const model = network();
  await fit(model, {
    data: scaled(train),
    loss: crossEntropy(),
    optimizer: sgdMomentum({ lr: learningRate }),
    regularizer,
    epochs,
    seed,
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

async function trainAll(recipe: Recipe, lambda: number, regularizer: Regularizer | null): Promise<Setting> {
  const runs: Trained[] = [];
  for (const seed of recipe.seeds) runs.push(await trainOnce(recipe, regularizer, seed));
  return { lambda, runs, mean: meanOf(runs) };
}

/** Trains with every method at every λ. The setting without a penalty is trained once and begins every sweep. */
export async function sweepAll(
  recipe: Recipe,
  lambdas: readonly number[],
  tell: (method: Method) => void = () => {},
): Promise<{ readonly plain: Setting; readonly sweeps: readonly Sweep[] }> {
  const plain = await trainAll(recipe, 0, null);
  const sweeps: Sweep[] = [];
  for (const method of METHODS) {
    const settings = [plain];
    for (const lambda of lambdas) settings.push(await trainAll(recipe, lambda, penalty(method, lambda)));
    sweeps.push({ method, settings });
    tell(method);
  }
  return { plain, sweeps };
}

/** Accuracy that a penalty may cost: one point of a hundred. */
const ALLOWED_LOSS = 0.01;

/** The rule: the largest λ whose mean accuracy is at most one point below that without a penalty. */
export function choose({ settings }: Sweep, plain: Setting): Setting {
  const within = settings.filter(({ mean }) => mean.accuracy >= plain.mean.accuracy - ALLOWED_LOSS);
  return within.reduce((best, setting) => (setting.lambda > best.lambda ? setting : best), plain);
}
