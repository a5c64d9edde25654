// One update of one element as TRICKS writes it, in double, with a bound on what float32 may have made of it
// (../train/bounded.ts): every constant is rounded to float32 once, every operation once, whatever is fused.
import { add, type Bounded, divide, exact, multiply, negate, root, rounded, subtract } from "../train/bounded.js";

/** A rule: from the gradient with its penalties and the states before the step to a direction and its metric. */
export interface Rule {
  readonly states: readonly string[];
  step(
    gradient: Bounded,
    states: readonly Bounded[],
    step: number,
  ): { readonly direction: Bounded; readonly denominator: Bounded; readonly states: readonly Bounded[] };
}

const ONE = exact(1);
const ZERO = exact(0);

export const SGD: Rule = { states: [], step: (gradient) => ({ direction: gradient, denominator: ONE, states: [] }) };

/** V ← βV + (1 − β)g, θ ← θ − ηV. */
export const averagingMomentum = (beta: number): Rule => ({
  states: ["velocity"],
  step(gradient, [before = ZERO]) {
    const direction = add(multiply(rounded(beta), before), multiply(rounded(1 - beta), gradient));
    return { direction, denominator: ONE, states: [direction] };
  },
});

/** Adam, ε outside the root. */
export const adamRule = (beta1: number, beta2: number, epsilon: number): Rule => ({
  states: ["firstMoment", "secondMoment"],
  step(gradient, [first = ZERO, second = ZERO], step) {
    const m = add(multiply(rounded(beta1), first), multiply(rounded(1 - beta1), gradient));
    const square = multiply(multiply(rounded(1 - beta2), gradient), gradient);
    const v = add(multiply(rounded(beta2), second), square);
    const corrected = multiply(v, rounded(1 / (1 - beta2 ** step)));
    const denominator = add(root(corrected), rounded(epsilon));
    const direction = divide(multiply(m, rounded(1 / (1 - beta1 ** step))), denominator);
    return { direction, denominator, states: [m, v] };
  },
});

/** What stands beside the rule. */
export interface Beside {
  readonly l2?: number;
  readonly l1?: number;
  readonly decay?: number;
  readonly shrink?: number;
  readonly euclidean?: boolean;
}

/** θ and the states after one step. `gradient` is that of the data, clipped. */
export function updated(
  rule: Rule,
  lr: number,
  { l2 = 0, l1 = 0, decay = 0, shrink = 0, euclidean = false }: Beside,
  theta: Bounded,
  gradient: Bounded,
  states: readonly Bounded[],
  step: number,
): { readonly theta: Bounded; readonly states: readonly Bounded[] } {
  let g = gradient;
  if (l2 !== 0) g = add(g, multiply(rounded(l2), theta));
  if (l1 !== 0) g = add(g, multiply(rounded(l1), exact(Math.sign(theta.value))));
  const { direction, denominator, states: next } = rule.step(g, states, step);
  const kept = decay === 0 ? theta : multiply(rounded(1 - lr * decay), theta);
  const moved = subtract(kept, multiply(rounded(lr), direction));
  if (shrink === 0) return { theta: moved, states: next };
  const threshold = euclidean ? rounded(lr * shrink) : divide(rounded(lr * shrink), denominator);
  return { theta: shrunk(moved, threshold), states: next };
}

/** sign(θ)·max(|θ| − threshold, 0): continuous, of slope at most 1 in both. */
export function shrunk(theta: Bounded, threshold: Bounded): Bounded {
  const size = theta.value < 0 ? negate(theta) : theta;
  const rest = subtract(size, threshold);
  return { value: Math.sign(theta.value) * Math.max(rest.value, 0), error: rest.error };
}

/** Indices of what lies outside of its bound, with both numbers. */
export function outside(actual: ArrayLike<number>, expected: readonly Bounded[]): string[] {
  return expected.flatMap(({ value, error }, index) => {
    const received = actual[index] ?? Number.NaN;
    // 2⁻¹⁴⁹: the smallest float32, where relative bounds end.
    return Math.abs(received - value) <= error + 2 ** -149 ? [] : [`${index}: ${received}, not ${value} ± ${error}`];
  });
}
