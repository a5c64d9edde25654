// Numbers with a bound on what float32 may have made of them: running error analysis (Wilkinson; Higham, Accuracy and
// Stability of Numerical Algorithms, 3.3), in double. Whatever order a kernel sums in, and whether it fuses, its result
// lies within `error` of `value`, up to second order in u.

/** Half the distance from 1 to the next float32. */
const U = 2 ** -24;
/** Our exp, log and tanh: at most 2 ulp, which is 4u. */
const FUNCTION = 4 * U;

/** A number that float32 arithmetic knows only to within `error`. */
export interface Bounded {
  readonly value: number;
  readonly error: number;
}

/** A number that is a float32. */
export const exact = (value: number): Bounded => ({ value, error: 0 });

/** A number that is rounded to float32 once. */
export const rounded = (value: number): Bounded => ({ value, error: U * Math.abs(value) });

const made = (value: number, error: number): Bounded => ({ value, error: error + U * Math.abs(value) });

export const add = (a: Bounded, b: Bounded): Bounded => made(a.value + b.value, a.error + b.error);
export const negate = (a: Bounded): Bounded => ({ value: -a.value, error: a.error });
export const subtract = (a: Bounded, b: Bounded): Bounded => add(a, negate(b));

export function multiply(a: Bounded, b: Bounded): Bounded {
  const error = Math.abs(a.value) * b.error + Math.abs(b.value) * a.error + a.error * b.error;
  return made(a.value * b.value, error);
}

export function divide(a: Bounded, b: Bounded): Bounded {
  const value = a.value / b.value;
  const least = Math.abs(b.value) - b.error;
  return made(value, least > 0 ? (a.error + Math.abs(value) * b.error) / least : Number.POSITIVE_INFINITY);
}

export function root(a: Bounded): Bounded {
  const value = Math.sqrt(a.value);
  return made(value, a.error === 0 ? 0 : a.error / (value + Math.sqrt(Math.max(0, a.value - a.error))));
}

/** Σ of n terms in any order: the n − 1 additions lose at most (n − 1)·u·Σ|t|. */
export function total(terms: readonly Bounded[]): Bounded {
  const value = terms.reduce((sum, term) => sum + term.value, 0);
  const size = terms.reduce((sum, term) => sum + Math.abs(term.value) + term.error, 0);
  const carried = terms.reduce((sum, term) => sum + term.error, 0);
  return { value, error: carried + terms.length * U * size };
}

export const dot = (a: readonly Bounded[], b: readonly Bounded[]): Bounded =>
  total(a.map((one, index) => multiply(one, b[index] ?? exact(0))));

export function exp(a: Bounded): Bounded {
  const value = Math.exp(a.value);
  return { value, error: value * (Math.expm1(a.error) + FUNCTION) };
}

export function log(a: Bounded): Bounded {
  const value = Math.log(a.value);
  return { value, error: a.error / (a.value - a.error) + FUNCTION * Math.abs(value) };
}

/** The slope is at most 1. */
export function tanh(a: Bounded): Bounded {
  const value = Math.tanh(a.value);
  return { value, error: a.error + FUNCTION * Math.abs(value) };
}

export const relu = (a: Bounded): Bounded => ({ value: Math.max(0, a.value), error: a.error });

/** The slope of relu; where the sign is not sure, neither is the slope. */
export const step = (a: Bounded): Bounded => ({
  value: a.value < 0 ? 0 : 1,
  error: Math.abs(a.value) <= a.error ? 1 : 0,
});
