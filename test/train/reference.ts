// Training of a network of two layers, written plainly from the textbook, in double with error bounds. It shares
// nothing with the library.
import {
  add,
  type Bounded,
  divide,
  dot,
  exact,
  exp,
  log,
  multiply,
  negate,
  relu,
  root,
  rounded,
  step,
  subtract,
  tanh,
  total,
} from "./bounded.js";

export type Matrix = readonly (readonly Bounded[])[];

/** weight: [out, in] */
export interface Layer {
  readonly weight: Matrix;
  readonly bias: readonly Bounded[];
}

export interface Network {
  readonly hidden: Layer;
  readonly output: Layer;
}

export interface Task {
  readonly x: readonly (readonly number[])[];
  /** Labels for the cross-entropy, rows of values for the squared error. */
  readonly y: readonly number[] | readonly (readonly number[])[];
  readonly weight: readonly number[];
  readonly activation: "relu" | "tanh";
  /** λ of both weight matrices. */
  readonly l2: number;
}

/** θ, its gradient and its states after `t` steps, to θ and the states. */
export type Rule = (theta: Bounded, g: Bounded, states: readonly Bounded[], t: number) => readonly Bounded[];

const map = (m: Matrix, f: (one: Bounded, row: number, column: number) => Bounded): Matrix =>
  m.map((values, row) => values.map((one, column) => f(one, row, column)));
const at = (m: Matrix, row: number, column: number): Bounded => m[row]?.[column] ?? exact(Number.NaN);
const transpose = (m: Matrix): Matrix => (m[0] ?? []).map((_, column) => m.map((row) => row[column] ?? exact(0)));
/** a·bᵀ */
const product = (a: Matrix, b: Matrix): Matrix => a.map((row) => b.map((other) => dot(row, other)));
const forward = (x: Matrix, { weight, bias }: Layer): Matrix =>
  map(product(x, weight), (sum, _, column) => add(sum, bias[column] ?? exact(0)));

/** Softmax and cross-entropy of one row: its loss and ∂loss/∂row. */
function crossEntropy(row: readonly Bounded[], label: number): { loss: Bounded; gradient: Bounded[] } {
  const most = row.reduce((best, one) => (one.value > best.value ? one : best));
  const shifted = row.map((one) => subtract(one, most));
  const powers = shifted.map(exp);
  const sum = total(powers);
  const loss = subtract(log(sum), shifted[label] ?? exact(0));
  const gradient = powers.map((power, index) => subtract(divide(power, sum), exact(index === label ? 1 : 0)));
  return { loss, gradient };
}

/** (1/n)·Σ (row − target)² and its gradient. */
function squaredError(row: readonly Bounded[], target: readonly number[]): { loss: Bounded; gradient: Bounded[] } {
  const difference = row.map((one, index) => subtract(one, exact(target[index] ?? 0)));
  const n = exact(row.length);
  const loss = divide(total(difference.map((one) => multiply(one, one))), n);
  return { loss, gradient: difference.map((one) => divide(multiply(exact(2), one), n)) };
}

/** One batch: the sums Σwℓ and Σw, and the gradient of Σwℓ/Σw. */
export function gradients(network: Network, { x, y, weight, activation }: Task, rows: readonly number[]) {
  const input = rows.map((row) => (x[row] ?? []).map(exact));
  const z = forward(input, network.hidden);
  const h = map(z, activation === "relu" ? relu : tanh);
  const slope = activation === "relu" ? map(z, step) : map(h, (one) => subtract(exact(1), multiply(one, one)));
  const parts = forward(h, network.output).map((row, index) => {
    const target = y[rows[index] ?? 0] ?? 0;
    return typeof target === "number" ? crossEntropy(row, target) : squaredError(row, target);
  });
  const w = rows.map((row) => exact(weight[row] ?? 1));
  const weights = total(w);
  const loss = dot(
    w,
    parts.map((part) => part.loss),
  );
  const share = w.map((one) => divide(one, weights));
  const dy: Matrix = parts.map(({ gradient }, row) => gradient.map((one) => multiply(one, share[row] ?? exact(0))));
  const dz = map(product(dy, transpose(network.output.weight)), (one, row, column) =>
    multiply(one, at(slope, row, column)),
  );
  const layer = (d: Matrix, from: Matrix): Layer => ({
    weight: product(transpose(d), transpose(from)),
    bias: transpose(d).map((column) => total(column)),
  });
  return { loss, weights, hidden: layer(dz, input), output: layer(dy, h) };
}

/** (λ/2)·Σθ² over both matrices. */
export function penalty({ hidden, output }: Network, l2: number): Bounded {
  const squares = [hidden, output].flatMap(({ weight }) => weight.flat().map((one) => multiply(one, one)));
  return multiply(rounded(l2 / 2), total(squares));
}

/** What one step makes of the weights and the states of the rule. */
export interface Stepped {
  /** Of the weights before the step: Σwℓ, Σw, and the penalty. */
  readonly loss: Bounded;
  readonly weights: Bounded;
  readonly penalty: Bounded;
  /** The weights, then each state. */
  readonly after: readonly Network[];
}

/** Step `t` (from 1) on `rows`, from `before`: the weights, then each state. */
export function trainStep(
  before: readonly [Network, ...Network[]],
  task: Task,
  rule: Rule,
  t: number,
  rows: readonly number[],
): Stepped {
  const [network, ...states] = before;
  const flow = gradients(network, task, rows);
  const layer = (name: "hidden" | "output"): readonly Layer[] => {
    const weights = network[name].weight.map((values, row) =>
      values.map((theta, column) => {
        const g = add(at(flow[name].weight, row, column), multiply(rounded(task.l2), theta));
        return rule(
          theta,
          g,
          states.map((state) => at(state[name].weight, row, column)),
          t,
        );
      }),
    );
    const biases = network[name].bias.map((theta, index) => {
      const own = states.map((state) => state[name].bias[index] ?? exact(Number.NaN));
      return rule(theta, flow[name].bias[index] ?? exact(Number.NaN), own, t);
    });
    const part = (all: readonly Bounded[], index: number): Bounded => all[index] ?? exact(Number.NaN);
    return before.map((_, index) => ({
      weight: weights.map((values) => values.map((all) => part(all, index))),
      bias: biases.map((all) => part(all, index)),
    }));
  };
  const hidden = layer("hidden");
  const output = layer("output");
  const after = before.map((_, index): Network => {
    const [one, other] = [hidden[index], output[index]];
    if (one === undefined || other === undefined) throw new Error("a rule gave too few states");
    return { hidden: one, output: other };
  });
  return { loss: flow.loss, weights: flow.weights, penalty: penalty(network, task.l2), after };
}

/** θ − η·d */
const descend = (theta: Bounded, lr: number, d: Bounded): Bounded => add(theta, negate(multiply(rounded(lr), d)));

export const sgdRule =
  (lr: number): Rule =>
  (theta, g) => [descend(theta, lr, g)];

/** V ← βV + (1 − β)g */
export const averagingRule =
  (lr: number, beta: number): Rule =>
  (theta, g, [v = exact(Number.NaN)]) => {
    const next = add(multiply(rounded(beta), v), multiply(rounded(1 - beta), g));
    return [descend(theta, lr, next), next];
  };

/** V₁ = g, then V ← μV + (1 − τ)g; Nesterov steps along g + μV. */
export const accumulatingRule =
  (lr: number, mu: number, tau: number, nesterov: boolean): Rule =>
  (theta, g, [v], t) => {
    const next = t === 1 || v === undefined ? g : add(multiply(rounded(mu), v), multiply(rounded(1 - tau), g));
    return [descend(theta, lr, nesterov ? add(g, multiply(rounded(mu), next)) : next), next];
  };

export const adamRule =
  (lr: number, beta1: number, beta2: number, epsilon: number, inside: boolean): Rule =>
  (theta, g, [m = exact(Number.NaN), v = exact(Number.NaN)], t) => {
    const first = add(multiply(rounded(beta1), m), multiply(rounded(1 - beta1), g));
    const second = add(multiply(rounded(beta2), v), multiply(multiply(rounded(1 - beta2), g), g));
    const mean = multiply(first, rounded(1 / (1 - beta1 ** t)));
    const square = multiply(second, rounded(1 / (1 - beta2 ** t)));
    const denominator = inside ? root(add(square, rounded(epsilon))) : add(root(square), rounded(epsilon));
    return [descend(theta, lr, divide(mean, denominator)), first, second];
  };
