import { type Numbers, size } from "./sample.js";

/** How far each element of a float32 result may be from the float64 reference `y`. */
export type Bound = (y: readonly number[], ...inputs: Numbers[]) => readonly number[];

/** Largest relative error of one rounding to nearest in float32. */
export const U = 2 ** -24;

/** Distance of the float32 numbers at |x|; below 2⁻¹²⁶ that of the denormal ones. */
export function ulp(x: number): number {
  return 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), -126) - 23);
}

/** γₙ: bound of the relative error of n roundings in a row (Higham 2002, lemma 3.1). */
export function gamma(n: number): number {
  return (n * U) / (1 - n * U);
}

/** The reference itself: moves, signs, comparisons, counts. */
export const exact: Bound = (y) => y.map(() => 0);

/**
 * One correctly rounded operation. For + − × ÷ √ of float32 numbers the double result rounded once more is the float32
 * one (53 ≥ 2·24 + 2 bits, Figueroa 1995), so that no other number is as near.
 */
export const rounded: Bound = (y) => y.map((x) => Math.abs(Math.fround(x) - x));

/** At most `count` ulp of the result: the bound of our own functions, held over all floats by test/native/math.cc. */
export function ulps(count: number): Bound {
  return (y) => y.map((x) => count * ulp(x));
}

/**
 * Roundings on the way of one term through a sum of `count` contiguous elements: a lane adds one element in 16, restarted
 * every 1,024; the lanes combine in 4 levels, the blocks in log₂ levels.
 */
export function sumDepth(count: number): number {
  return Math.ceil(Math.min(count, 1024) / 16) + 4 + Math.ceil(Math.log2(Math.max(1, count / 1024)));
}

/** A sum over the groups of elements that `groupOf` gives: γ_depth·Σ|x| (Higham 2002, section 4.2). */
export function summed(groupOf: (index: number, x: Numbers) => number, depthOf: (x: Numbers) => number): Bound {
  return (y, ...inputs) => {
    const [x] = inputs;
    if (x === undefined) return exact(y);
    const total = y.map(() => 0);
    for (const [index, value] of x.data.entries()) {
      const group = groupOf(index, x);
      total[group] = (total[group] ?? 0) + Math.abs(value);
    }
    return total.map((sum) => gamma(depthOf(x)) * sum);
  };
}

/** Maximum of each row of `columns` elements. */
export function rowMaxima({ data, shape }: Numbers): { readonly columns: number; readonly maxima: readonly number[] } {
  const columns = shape.at(-1) ?? 1;
  const maxima = Array.from({ length: size(shape) / columns }, (_, row) => {
    return Math.max(...data.slice(row * columns, (row + 1) * columns));
  });
  return { columns, maxima };
}

/**
 * e = exp(x − max): the difference is rounded, which moves e by u·|x − max| relatively; exp adds 2 ulp = 4 u. Summed over a
 * row, with d the largest |x − max|: (d + 4 + depth)·u. For 10 % more, all second-order terms.
 */
function sumError(d: number, columns: number): number {
  return 1.1 * U * (d + 4 + sumDepth(columns));
}

function rowDistances(x: Numbers): { readonly columns: number; readonly distances: readonly number[] } {
  const { columns, maxima } = rowMaxima(x);
  const distances = maxima.map((max, row) => {
    return Math.max(...x.data.slice(row * columns, (row + 1) * columns).map((value) => max - value));
  });
  return { columns, distances };
}

/** e/Σe: numerator (d + 4) u, denominator as above, one division. */
export const softmaxError: Bound = (y, ...inputs) => {
  const [x] = inputs;
  if (x === undefined) return exact(y);
  const { columns, distances } = rowDistances(x);
  return y.map((value, index) => {
    const d = distances[Math.floor(index / columns)] ?? 0;
    return value * (1.1 * U * (d + 4 + 1) + sumError(d, columns));
  });
};

/** log s − (x[label] − max): s moves log s by its relative error, log adds 2 ulp, then two roundings. */
export const crossEntropyError: Bound = (y, ...inputs) => {
  const [x] = inputs;
  if (x === undefined) return exact(y);
  const { columns, distances } = rowDistances(x);
  return y.map((value, row) => {
    const d = distances[row] ?? 0;
    return sumError(d, columns) + 4.4 * U * Math.log(columns) + U * d + U * Math.abs(value);
  });
};

/**
 * Products summed over k terms: a chain of FMAs rounds each term at most min(k, 1024) times, then once a further chunk and
 * once for the bias: γ·Σ|a·b|, given as `magnitude` (the same product of absolute values).
 */
export function productError(k: (a: Numbers) => number, magnitude: (...inputs: Numbers[]) => readonly number[]): Bound {
  return (_y, ...inputs) => {
    const [a] = inputs;
    const depth = a === undefined ? 0 : k(a);
    const roundings = Math.min(depth, 1024) + Math.ceil(depth / 1024) + 1;
    const absolute = inputs.map(({ shape, data }): Numbers => ({ shape, data: data.map(Math.abs) }));
    return magnitude(...absolute).map((sum) => gamma(roundings) * sum);
  };
}
