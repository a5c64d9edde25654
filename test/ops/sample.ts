import type { ErrorCode } from "../../lib/errors.js";
import { philox } from "../../lib/tensor/philox.js";
import type { Tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";
import type { Bound } from "./bounds.js";

/** Numbers under a shape, row-major: what references compute with, in float64. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** An input of a sample; every number is exactly representable in its dtype. */
export interface Drawn extends Numbers {
  readonly dtype: "f32" | "i32";
}

/** What a sample's inputs are drawn from. */
export type Draw = (uniform: number) => number;

/** One set of inputs. */
export interface Sample {
  readonly inputs: readonly Drawn[];
  /** Indices of the inputs whose first axis may be the batch of a program. */
  readonly batched: readonly number[];
}

/** What is refused: inputs by shape and dtype. */
export interface Refusal {
  readonly inputs: readonly (readonly [shape: readonly number[], dtype?: "f32" | "i32"])[];
  readonly code: ErrorCode;
  /** First part of the error's `where`. */
  readonly where: string;
}

/** One way to use an operation, and all that the tests must know of it. */
export interface Usage {
  /** Distinguishes the usages of one operation. */
  readonly label?: string;
  readonly apply: (...inputs: Value[]) => Value;
  /** The same in float64; the elements of the result. */
  readonly reference: (...inputs: Numbers[]) => readonly number[];
  /** How far float32 may be from the reference. */
  readonly error: Bound;
  readonly samples: readonly Sample[];
  /** Big enough to be split over threads; no finite differences are taken of it. */
  readonly large?: Sample;
  /** Inputs that a gradient reaches. */
  readonly differentiable?: readonly number[];
  /** Magnitude m of terms that cancel in the gradient: 1 for 1 − y², 0 (the default) where only products occur. */
  readonly cancellation?: number;
  /** Row r of the result needs only row r of the batched inputs. */
  readonly rowwise?: boolean;
  /** It has no value outside of a program. */
  readonly programOnly?: boolean;
  readonly refusals?: readonly Refusal[];
}

/** All usages of one operation. */
export type OperationSamples = readonly Usage[];

const TWO_32 = 4294967296;

/** A stream of uniform numbers in [0, 1): a function of `seed` alone. */
export function uniforms(seed: number): () => number {
  let index = 0;
  return () => {
    const [word = 0] = philox([index, 0, 0, 0xff], [seed, 0]);
    index += 1;
    return word / TWO_32;
  };
}

/** Uniform in [low, high). */
export function within(low: number, high: number): Draw {
  return (u) => low + u * (high - low);
}

/** Magnitude in [gap, most) with either sign: apart from a kink or a pole at 0. */
export function apart(gap: number, most: number): Draw {
  return (u) => (u < 0.5 ? -1 : 1) * (gap + ((2 * u) % 1) * (most - gap));
}

/** Odd (offset 1) or even (offset 0) multiples of 1/16 in [−2, 2]: numbers of the two kinds are never equal. */
export function sixteenths(offset: 0 | 1): Draw {
  return (u) => (2 * Math.floor(u * 32) - 32 + offset) / 16;
}

/** Integers in [0, limit). */
export function integers(limit: number): Draw {
  return (u) => Math.floor(u * limit);
}

export function size(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

let drawn = 0;

/** An f32 input of `shape`. */
export function floats(shape: readonly number[], draw: Draw = apart(0.25, 2)): Drawn {
  drawn += 1;
  const next = uniforms(drawn);
  return { shape, dtype: "f32", data: Array.from({ length: size(shape) }, () => Math.fround(draw(next()))) };
}

/** An i32 input of `shape`. */
export function labels(shape: readonly number[], limit: number): Drawn {
  drawn += 1;
  const next = uniforms(drawn);
  return { shape, dtype: "i32", data: Array.from({ length: size(shape) }, () => integers(limit)(next())) };
}

/** A sample whose `batched` inputs have the batch as their first axis. */
export function sample(inputs: readonly Drawn[], batched: readonly number[] = [0]): Sample {
  return { inputs, batched };
}

/** The elements of a tensor as numbers. */
export function numbersOf(value: Tensor | undefined): readonly number[] {
  return value === undefined ? [] : Array.from(value.data);
}
