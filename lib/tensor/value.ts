import type { NativeSlab } from "../binding/native.js";
import type { Dtype, Shape } from "./shape.js";

/** An instruction whose operands are still values. */
export interface Instruction {
  /** Name in native/ops/operations.def. */
  readonly operation: string;
  /** Operands in the order of the native signature; `null` for an absent optional one. */
  readonly views: readonly (Value | null)[];
  /** Integers; in the places of dimensions −k means k·batch. */
  readonly ints: readonly number[];
  readonly doubles: readonly number[];
}

/** An operation applied to values: everything that passes over a graph need to know of it. */
export interface Applied {
  readonly name: string;
  readonly inputs: readonly Value[];
  /** The instruction that computes `output` from `inputs` (which a pass may have replaced); `null`: the same memory. */
  readonly lower: ((inputs: readonly Value[], output: Value) => Instruction) | null;
  /** ∂ℓ/∂inputs from ∂ℓ/∂output, as values; `undefined` where nothing flows. `null`: not differentiable. */
  readonly gradient: ((output: Value, gradient: Value) => readonly (Value | undefined)[]) | null;
  /** The output may lie where this input lies, if that is not needed afterwards. */
  readonly inPlace: number | null;
  /** What is drawn from outside of a program, which has its own seed and step. */
  readonly draw: EagerDraw | undefined;
}

/** Registers of an eager instruction that draws. */
export interface EagerDraw {
  readonly seed: number;
  readonly step: number;
  /** Index of the first element that is drawn, of the initializers' operations; 0 by default. */
  readonly first?: number | undefined;
}

/** Where a value comes from. */
export type Source =
  | { readonly kind: "tensor" }
  | { readonly kind: "operation"; readonly applied: Applied }
  | { readonly kind: "slab"; readonly slab: NativeSlab; readonly offset: number }
  | { readonly kind: "input"; readonly name: string };

let created = 0;

/** The id of the value created last: what a trace does now comes after it. */
export function lastValueId(): number {
  return created;
}

/**
 * A value of a network: a {@link Tensor} that holds its data, or a symbol that a trace recorded and a program computes.
 * Only a Tensor has `data`.
 */
export class Value {
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** @internal */
  readonly source: Source;
  /** Order of creation: operands come before what uses them. @internal */
  readonly id: number;

  /** @internal */
  constructor(shape: Shape, dtype: Dtype, source: Source) {
    this.shape = shape;
    this.dtype = dtype;
    this.source = source;
    created += 1;
    this.id = created;
  }
}
