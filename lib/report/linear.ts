// The plain model that a network has to be better than: linear in the columns, fitted to the end.
import { turn } from "../binding/clock.js";
import { exp, log } from "../tensor/exact.js";

/** Rows of numbers: `data` has `columns` of each. */
export interface Design {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** What a linear model is fitted to: classes as integers, or values; as many outputs as there are columns of those. */
export type LinearTarget =
  | { readonly classes: number; readonly labels: Int32Array }
  | { readonly classes: undefined; readonly values: Float64Array };

/** A loss of weights, and its gradient into `gradient`. */
type Objective = (weights: Float64Array, gradient: Float64Array) => number;

/** Steps at most. */
const MOST_STEPS = 200;

/** Pairs of changes that are remembered. */
const MEMORY = 10;

/** It is over where no element of the gradient is larger. */
const ENOUGH = 1e-6;

function product(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += (a[at] ?? 0) * (b[at] ?? 0);
  return sum;
}

/** into += factor·from */
function add(into: Float64Array, factor: number, from: Float64Array): void {
  for (let at = 0; at < into.length; at++) into[at] = (into[at] ?? 0) + factor * (from[at] ?? 0);
}

interface Pair {
  readonly moved: Float64Array;
  readonly turned: Float64Array;
  readonly inverse: number;
}

/** The gradient times what the last changes tell of the inverse Hessian. */
function directionOf(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const direction = gradient.slice();
  const factors = pairs.map(() => 0);
  for (let at = pairs.length - 1; at >= 0; at--) {
    const pair = pairs[at];
    if (pair === undefined) continue;
    factors[at] = pair.inverse * product(pair.moved, direction);
    add(direction, -(factors[at] ?? 0), pair.turned);
  }
  const last = pairs.at(-1);
  if (last !== undefined) {
    const scale = 1 / (last.inverse * product(last.turned, last.turned));
    for (let at = 0; at < direction.length; at++) direction[at] = (direction[at] ?? 0) * scale;
  }
  pairs.forEach(({ moved, turned, inverse }, at) => {
    add(direction, (factors[at] ?? 0) - inverse * product(turned, direction), moved);
  });
  return direction;
}

/** Minimizes a smooth convex loss by L-BFGS (Nocedal 1980) with steps that are halved until the loss falls (Armijo 1966). */
async function minimize(objective: Objective, weights: Float64Array): Promise<void> {
  let gradient = new Float64Array(weights.length);
  let loss = objective(weights, gradient);
  const pairs: Pair[] = [];
  for (let step = 0; step < MOST_STEPS; step++) {
    if (gradient.every((one) => Math.abs(one) <= ENOUGH)) return;
    const direction = directionOf(gradient, pairs);
    const slope = product(direction, gradient);
    let length = pairs.length === 0 ? 1 / Math.max(1, Math.sqrt(product(gradient, gradient))) : 1;
    const next = new Float64Array(weights.length);
    const turned = new Float64Array(weights.length);
    let found = Number.NaN;
    for (let halving = 0; halving < 40; halving++) {
      next.set(weights);
      add(next, -length, direction);
      found = objective(next, turned);
      if (found <= loss - 1e-4 * length * slope) break;
      length /= 2;
    }
    if (!(found < loss)) return;
    const moved = next.slice();
    add(moved, -1, weights);
    const change = turned.slice();
    add(change, -1, gradient);
    const curvature = product(moved, change);
    if (curvature > 0) pairs.push({ moved, turned: change, inverse: 1 / curvature });
    if (pairs.length > MEMORY) pairs.shift();
    weights.set(next);
    [gradient, loss] = [turned, found];
    await turn();
  }
}

/** Outputs of a row: W·x + b, whose weights lie output by output, the bias behind them. */
function outputsOf(weights: Float64Array, { data, columns }: Design, row: number, into: Float64Array): void {
  const width = columns + 1;
  for (let output = 0; output < into.length; output++) {
    let sum = weights[output * width + columns] ?? 0;
    for (let at = 0; at < columns; at++) sum += (weights[output * width + at] ?? 0) * (data[row * columns + at] ?? 0);
    into[output] = sum;
  }
}

/** Softmax of outputs in place; gives ln Σ eˣ. */
function normalize(outputs: Float64Array): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const output of outputs) most = Math.max(most, output);
  let sum = 0;
  for (let at = 0; at < outputs.length; at++) {
    outputs[at] = exp((outputs[at] ?? 0) - most);
    sum += outputs[at] ?? 0;
  }
  for (let at = 0; at < outputs.length; at++) outputs[at] = (outputs[at] ?? 0) / sum;
  return most + log(sum);
}

/** A linear model that is fitted. */
export interface LinearModel {
  /** Output by output: a weight a column, then the bias. */
  readonly weights: Float64Array;
  /** Probabilities of the classes of each row, or values. */
  predict(design: Design): Float64Array;
}

/**
 * Fits W and b to the end: multinomial logistic regression for classes, least squares for values, with the penalty ½·`penalty`·‖W‖² on the sum of the losses (½ of the squares); the bias is free. For
 * classes scikit-learn's `LogisticRegression(C=1/penalty)`, for values its `Ridge(alpha=penalty)`.
 */
export async function fitLinear(design: Design, target: LinearTarget, penalty = 1): Promise<LinearModel> {
  const { rows, columns } = design;
  const outputs = target.classes ?? 1;
  const width = columns + 1;
  const weights = new Float64Array(outputs * width);
  const row = new Float64Array(outputs);
  const objective: Objective = (at, gradient) => {
    gradient.fill(0);
    let loss = 0;
    for (let example = 0; example < rows; example++) {
      outputsOf(at, design, example, row);
      if (target.classes === undefined) {
        const apart = (row[0] ?? 0) - (target.values[example] ?? 0);
        loss += 0.5 * apart * apart;
        row[0] = apart;
      } else {
        const label = target.labels[example] ?? 0;
        const own = row[label] ?? 0;
        loss += normalize(row) - own;
        row[label] = (row[label] ?? 0) - 1;
      }
      for (let output = 0; output < outputs; output++) {
        const slope = row[output] ?? 0;
        const offset = output * width;
        for (let column = 0; column < columns; column++)
          gradient[offset + column] =
            (gradient[offset + column] ?? 0) + slope * (design.data[example * columns + column] ?? 0);
        gradient[offset + columns] = (gradient[offset + columns] ?? 0) + slope;
      }
    }
    for (let place = 0; place < at.length; place++) {
      const weight = place % width === columns ? 0 : (at[place] ?? 0);
      loss += 0.5 * penalty * weight * weight;
      gradient[place] = ((gradient[place] ?? 0) + penalty * weight) / rows;
    }
    return loss / rows;
  };
  await minimize(objective, weights);
  return {
    weights,
    predict(given) {
      const all = new Float64Array(given.rows * outputs);
      for (let example = 0; example < given.rows; example++) {
        const into = all.subarray(example * outputs, (example + 1) * outputs);
        outputsOf(weights, given, example, into);
        if (target.classes !== undefined) normalize(into);
      }
      return all;
    },
  };
}
