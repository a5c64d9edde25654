/** Numbers x: [rows, 1] and, for every quantile that is learned, the same y: [rows, 3]. */
export interface Noisy {
  readonly x: number[][];
  readonly y: number[][];
}

/** The middle of y at x, and how far it spreads. */
const middle = (x: number): number => Math.sin(3 * x);
const spread = (x: number): number => 0.1 + 0.4 * Math.abs(x);

/** The quantile q of y given x. */
export function quantile(x: number, q: number): number {
  return middle(x) + spread(x) * (2 * q - 1);
}

/**
 * y is uniform about its middle, by more the farther x is from 0. Places and noise are the sequence of Roberts (2018), which fills
 * the square evenly from any row on.
 */
export function noisy(rows: number, firstRow = 0): Noisy {
  const points = Array.from({ length: rows }, (_, row) => {
    const x = 2 * (((firstRow + row) * 0.7548776662466927) % 1) - 1;
    const y = quantile(x, ((firstRow + row) * 0.5698402909980532) % 1);
    return { x: [x], y: [y, y, y] };
  });
  return { x: points.map(({ x }) => x), y: points.map(({ y }) => y) };
}
