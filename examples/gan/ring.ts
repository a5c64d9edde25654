/** Points of the plane: [rows, 2], one after the other. */
export type Points = Float32Array;

/** Standard deviation across the ring, whose radius is 1. */
const WIDTH = 0.05;

/**
 * Points on a ring: the angle is uniform, the radius normal. The sequence of Roberts (2018) fills the square evenly, so that any
 * stretch of the points looks like all of them.
 */
export function ring(rows: number): Points {
  const points = new Float32Array(2 * rows);
  for (let row = 0; row < rows; row++) {
    const angle = 2 * Math.PI * ((row * 0.7548776662466927) % 1);
    const share = (0.5 + row * 0.5698402909980532) % 1;
    const radius = 1 + WIDTH * logistic(share);
    points[2 * row] = radius * Math.cos(angle);
    points[2 * row + 1] = radius * Math.sin(angle);
  }
  return points;
}

/** Quantile of the logistic distribution of variance 1. */
function logistic(share: number): number {
  return (Math.sqrt(3) / Math.PI) * Math.log((share + 1e-6) / (1 - share + 1e-6));
}

/** Rows of the batch of a step, from 1: one stretch of the points after the other, and again from the beginning. */
export function batchOf(points: Points, step: number, rows: number): Points {
  const batches = Math.floor(points.length / 2 / rows);
  const first = 2 * rows * ((step - 1) % batches);
  return points.subarray(first, first + 2 * rows);
}

/**
 * Energy distance of two sets of points, 2·E‖x − y‖ − E‖x − x′‖ − E‖y − y′‖: 0 for equal distributions, otherwise greater
 * (Székely and Rizzo 2013). As far as these points tell.
 */
export function energyDistance(x: Points, y: Points): number {
  return 2 * meanDistance(x, y) - meanDistance(x, x) - meanDistance(y, y);
}

function meanDistance(x: Points, y: Points): number {
  let sum = 0;
  for (let i = 0; i < x.length; i += 2) {
    for (let j = 0; j < y.length; j += 2) {
      sum += Math.hypot((x[i] ?? 0) - (y[j] ?? 0), (x[i + 1] ?? 0) - (y[j + 1] ?? 0));
    }
  }
  return sum / ((x.length / 2) * (y.length / 2));
}

/** Marks for 0, 1, 2, … points in a cell, and the cells of a picture of [−1.5, 1.5]². */
const MARKS = " .:+*#";
const COLUMNS = 48;
const LINES = 24;

/** Points as text. */
export function picture(points: Points): string {
  const counts = new Array<number>(COLUMNS * LINES).fill(0);
  for (let at = 0; at < points.length; at += 2) {
    const column = Math.floor((((points[at] ?? 0) + 1.5) / 3) * COLUMNS);
    const line = Math.floor(((1.5 - (points[at + 1] ?? 0)) / 3) * LINES);
    if (column < 0 || column >= COLUMNS || line < 0 || line >= LINES) continue;
    counts[line * COLUMNS + column] = (counts[line * COLUMNS + column] ?? 0) + 1;
  }
  const text = counts.map((count) => MARKS[Math.min(count, MARKS.length - 1)]).join("");
  return Array.from({ length: LINES }, (_, line) => text.slice(line * COLUMNS, (line + 1) * COLUMNS).trimEnd()).join(
    "\n",
  );
}
