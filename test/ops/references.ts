import { philox } from "../../lib/tensor/philox.js";
import { type Numbers, size } from "./sample.js";

/** Elements `of` under a shape of two axes. */
interface Matrix {
  readonly rows: number;
  readonly columns: number;
  at(row: number, column: number): number;
}

/** The element at `index`; outside there is none, which would make every sum NaN. */
function get(data: readonly number[], index: number): number {
  return data[index] ?? Number.NaN;
}

/** Rows and columns of `x`: all axes but the last, and the last. */
export function rowsOf(x: Numbers): readonly (readonly number[])[] {
  const columns = x.shape.at(-1) ?? 1;
  return Array.from({ length: x.data.length / columns }, (_, row) => x.data.slice(row * columns, (row + 1) * columns));
}

function matrix({ shape, data }: Numbers, transposed: boolean): Matrix {
  const [rows = 1, columns = 1] = shape;
  if (!transposed) return { rows, columns, at: (row, column) => get(data, row * columns + column) };
  return { rows: columns, columns: rows, at: (row, column) => get(data, column * columns + row) };
}

/** Products of the matrices of the last two axes, those before them aligned at the last, axes of 1 repeated. */
export function productOfMatrices(
  transposeA: boolean,
  transposeB: boolean,
): (...inputs: Numbers[]) => readonly number[] {
  const one = product(transposeA, transposeB);
  return (...inputs) => {
    const [a, b] = inputs;
    if (a === undefined || b === undefined) return [];
    const of = ({ shape, data }: Numbers, leading: readonly number[], index: number): Numbers => {
      const each = size(shape.slice(-2));
      const lists = Array.from({ length: data.length / each }, (_, list) => list);
      const list = covering({ shape: shape.slice(0, -2), data: lists }, leading, index);
      return { shape: shape.slice(-2), data: data.slice(list * each, (list + 1) * each) };
    };
    const rank = Math.max(a.shape.length, b.shape.length) - 2;
    const leading = Array.from({ length: rank }, (_, axis) => {
      return Math.max(a.shape.slice(0, -2).at(axis - rank) ?? 1, b.shape.slice(0, -2).at(axis - rank) ?? 1);
    });
    return places(leading).flatMap((_, index) => one(of(a, leading, index), of(b, leading, index)));
  };
}

/** op(a)·op(b) + bias, summed in order. */
export function product(transposeA: boolean, transposeB: boolean): (...inputs: Numbers[]) => readonly number[] {
  return (...inputs) => {
    const [first, second, bias] = inputs;
    if (first === undefined || second === undefined) return [];
    const a = matrix(first, transposeA);
    const b = matrix(second, transposeB);
    return Array.from({ length: a.rows * b.columns }, (_, index) => {
      const row = Math.floor(index / b.columns);
      const column = index % b.columns;
      let sum = 0;
      for (let k = 0; k < a.columns; k++) sum += a.at(row, k) * b.at(k, column);
      return sum + (bias === undefined ? 0 : get(bias.data, column));
    });
  };
}

/** The places of a shape, row-major. */
export function places(shape: readonly number[]): readonly (readonly number[])[] {
  return shape.reduce<readonly (readonly number[])[]>(
    (before, dim) => before.flatMap((place) => Array.from({ length: dim }, (_, along) => [...place, along])),
    [[]],
  );
}

/** Element of `x` that covers element `index` of a result of `shape`, aligned at the last axes; axes of 1 are repeated. */
function covering(x: Numbers, shape: readonly number[], index: number): number {
  if (x.data.length === 1) return get(x.data, 0);
  let rest = index;
  let place = 0;
  let stride = 1;
  for (let back = 1; back <= shape.length; back++) {
    const dim = shape.at(-back) ?? 1;
    const own = x.shape.at(-back) ?? 1;
    if (own !== 1) place += (rest % dim) * stride;
    stride *= own;
    rest = Math.floor(rest / dim);
  }
  return get(x.data, place);
}

/** The shape that both spread over; of operands of one element each, that of more axes. */
function larger(a: Numbers, b: Numbers): readonly number[] {
  if (size(a.shape) === 1) return size(b.shape) === 1 && a.shape.length >= b.shape.length ? a.shape : b.shape;
  if (size(b.shape) === 1) return a.shape;
  const rank = Math.max(a.shape.length, b.shape.length);
  return Array.from({ length: rank }, (_, axis) => {
    return Math.max(a.shape.at(axis - rank) ?? 1, b.shape.at(axis - rank) ?? 1);
  });
}

/** An elementwise function of two operands, one spread over the other. */
export function elementwise(f: (a: number, b: number) => number): (a: Numbers, b: Numbers) => readonly number[] {
  return (a, b) => {
    const shape = larger(a, b);
    return Array.from({ length: size(shape) }, (_, index) => f(covering(a, shape, index), covering(b, shape, index)));
  };
}

/** `x` repeated over `shape`. */
export function repeated(x: Numbers, shape: readonly number[]): readonly number[] {
  return Array.from({ length: size(shape) }, (_, index) => covering(x, shape, index));
}

export function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** Σ of each column. */
export function columnTotals(x: Numbers): readonly number[] {
  const rows = rowsOf(x);
  return Array.from({ length: x.shape.at(-1) ?? 1 }, (_, column) => total(rows.map((row) => get(row, column))));
}

/** Of each row: exponentials of the distance to its maximum, and their sum. */
function exponentials(x: Numbers): readonly { readonly e: readonly number[]; readonly sum: number }[] {
  return rowsOf(x).map((row) => {
    const max = Math.max(...row);
    const e = row.map((value) => Math.exp(value - max));
    return { e, sum: total(e) };
  });
}

export function softmax(x: Numbers): readonly number[] {
  return exponentials(x).flatMap(({ e, sum }) => e.map((value) => value / sum));
}

export function softmaxCrossEntropy(x: Numbers, y: Numbers): readonly number[] {
  return exponentials(x).map(({ e, sum }, row) => Math.log(sum) - Math.log(get(e, get(y.data, row))));
}

export function oneHot(y: Numbers, classes: number): readonly number[] {
  return y.data.flatMap((label) => Array.from({ length: classes }, (_, index) => (index === label ? 1 : 0)));
}

export function argmax(x: Numbers): readonly number[] {
  return rowsOf(x).map((row) => row.indexOf(Math.max(...row)));
}

export function countEqual(a: Numbers, b: Numbers): readonly number[] {
  return [a.data.filter((value, index) => value === b.data[index]).length];
}

const PURPOSE = { dropout: 1, tie: 2 } as const;

/**
 * The mask of native/kernels/dropout-inl.h, written from its definition: one byte an element out of 256 elements a
 * superblock, 24 more bits where the byte equals the threshold's. 1 where kept.
 */
export function dropoutMask(count: number, keep: number, draw: { seed: number; step: number; site: number }): number[] {
  const threshold = Math.floor(keep * 2 ** 32 + 0.5);
  const high = Math.floor(threshold / 2 ** 24);
  const low = threshold % 2 ** 24;
  return Array.from({ length: count }, (_, element) => {
    const place = element % 256;
    const block = Math.floor(element / 256) * 16 + (place % 16);
    const words = philox([block, draw.step, draw.site, PURPOSE.dropout], [draw.seed, 0]);
    const byte = (get([...words], Math.floor(place / 64)) >>> (8 * (Math.floor(place / 16) % 4))) & 0xff;
    if (byte !== high) return byte < high ? 1 : 0;
    const [tie = 0] = philox([element, draw.step, draw.site, PURPOSE.tie], [draw.seed, 0]);
    return tie >>> 8 < low ? 1 : 0;
  });
}

export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** erf by its series, where its terms are below 10³: far enough for |x| ≤ 3; from there 1 − erfc by its continued fraction. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 3) {
    let sum = 0;
    let term = x;
    for (let n = 1; Math.abs(term) > 1e-18; n += 2) {
      sum += term;
      term *= (2 * x * x) / (n + 2);
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }
  let fraction = a;
  for (let k = 60; k >= 1; k--) fraction = a + k / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-a * a) / (fraction * Math.sqrt(Math.PI)));
}

/** x − max − ln Σ e^(x − max) of each row. */
export function logSoftmax(x: Numbers): readonly number[] {
  return rowsOf(x).flatMap((row) => {
    const max = Math.max(...row);
    const sum = total(row.map((value) => Math.exp(value - max)));
    return row.map((value) => value - max - Math.log(sum));
  });
}
