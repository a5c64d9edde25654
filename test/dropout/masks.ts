// Masks and noise as tensors, and the definition of a mask written out element by element.
import { ops, type Tensor, tensor } from "carillon";
import { type Counter, philox, seedKey } from "../../lib/tensor/philox.js";

/** Where something is drawn. */
export interface Place {
  readonly seed?: number;
  readonly step?: number;
  readonly site?: number;
}

export const ones = (shape: readonly number[]): Tensor<"f32"> => {
  return tensor(new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(1), [...shape]);
};

/** 1 where kept, 0 where dropped. */
export function mask(
  shape: readonly number[],
  keep: number,
  { seed = 1, step = 1, site = 0 }: Place = {},
): Float32Array {
  return ops.dropout(ones(shape), { keep, scaling: "classic", seed, step, site }).data;
}

/** The factors of Gaussian dropout, less 1, over their deviation: standard normal numbers. */
export function normals(count: number, rate: number, { seed = 1, step = 1, site = 0 }: Place = {}): Float64Array {
  const factors = ops.gaussianDropout(ones([count]), { rate, seed, step, site }).data;
  return Float64Array.from(factors, (factor) => (factor - 1) / Math.sqrt(rate / (1 - rate)));
}

const TWO_TO_32 = 4294967296;
const [MASK, TIE] = [1, 2];

/**
 * Whether an element is kept, from native/kernels/dropout-inl.h: a 32-bit uniform number of one byte of a block that 16
 * elements share and, where that byte is the threshold's, of 24 bits of its own, compared with keep·2³².
 * Philox itself is held against its authors' answers in ../tensor/philox.test.ts.
 */
export function keptByDefinition(element: number, keep: number, { seed = 1, step = 1, site = 0 }: Place = {}): boolean {
  const threshold = Math.floor(keep * TWO_TO_32 + 0.5);
  const place = element % 256;
  const block = Math.floor(element / 256) * 16 + (place % 16);
  const draw = (index: number, purpose: number): Uint32Array => {
    const high = Math.floor(index / TWO_TO_32) * 256;
    return philox([index % TWO_TO_32, step, site, purpose + high] satisfies Counter, seedKey(seed));
  };
  const word = draw(block, MASK)[Math.floor(place / 64)] ?? 0;
  const byte = (word >>> (8 * (Math.floor(place / 16) % 4))) & 0xff;
  const rest = (draw(element, TIE)[0] ?? 0) >>> 8;
  return byte * 2 ** 24 + rest < threshold;
}

export const total = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, one) => sum + one, 0);

/** Standard deviations by which a count of n draws of probability p misses its expectation. */
export function deviations(count: number, n: number, p: number): number {
  return Math.abs(count - n * p) / Math.sqrt(n * p * (1 - p));
}

/** How many elements are the same in both. */
export function agreements(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((count, one, index) => count + (one === b[index] ? 1 : 0), 0);
}
