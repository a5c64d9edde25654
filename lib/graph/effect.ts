import type { NativeSlab } from "../binding/native.js";
import type { NativeOperation } from "../binding/operations.js";
import type { Dtype } from "../tensor/shape.js";
import type { NumbersOf, Value, ViewsOf } from "../tensor/value.js";
import type { Step } from "./step.js";
import type { Place } from "./views.js";

/**
 * An effect of a program besides its values: it updates weights, keeps rows, logs, ends a step. An effect stands beside
 * its owner; nothing here or in the planner knows any by name.
 */
export interface Effect {
  /** Values that it reads when its turn comes. */
  readonly reads: readonly Value[];
  /** Values that it computes, which no operation does. */
  readonly writes?: readonly Value[];
  /** Whether no value may be computed across it: it changes what is read, or where the parts of a batch begin and end. */
  readonly barrier: boolean;
  /** Asks for memory, before any value has a place. */
  claim?(memory: Claims): void;
  /** Writes its instructions. */
  emit(emitter: Emitter): void;
}

/** Values that an effect reads side by side, in the layout of a slab. */
export interface Layout {
  readonly slab: NativeSlab;
  /** Elements of the slab. */
  readonly total: number;
  readonly values: readonly { readonly value: Value; readonly offset: number }[];
}

/** A stretch of a slab: `count` elements, or so many a row of the batch. */
export interface SlabPart {
  readonly count: number;
  readonly dtype: Dtype;
  readonly offset?: number | undefined;
  readonly batched?: boolean | undefined;
}

/** Steps and sizes of the values of a program, as they are known before and after values have places. */
export interface Planned {
  /** How a value is computed after fusion; `undefined` of one that no step of its own computes. */
  stepOf(value: Value): Step | undefined;
  /** Elements of a value at the largest batch. */
  totalOf(value: Value): number;
}

/** Memory that an effect may ask for. A value that several want goes to who asked first; it is copied for the others. */
export interface Claims extends Planned {
  /** The value is computed in the first elements of a slab, if a step computes it. */
  computeIn(value: Value, slab: NativeSlab): void;
  /**
   * The values are computed side by side, as far as steps compute them. All layouts of a slab share one region of the
   * arena, unless one would overwrite what another still needs.
   */
  layOut(effect: Effect, layout: Layout): void;
  /** The value has memory of its own for the whole step, and no step computes it: effects do. */
  keep(value: Value): void;
  /** Something is emitted right behind the step that computes a value, while what that reads is at hand. */
  behind(value: Value, emit: (emitter: Emitter) => void): void;
}

/** Writes the instructions of a program, one after another. */
export interface Emitter extends Planned {
  placeOf(value: Value): Place;
  /** Elements of a slab, from its first on by default. */
  memory(slab: NativeSlab, access: "read" | "write", part: SlabPart): Place;
  /** The place of memory that an effect has laid out; values that were computed elsewhere are copied there now. */
  laidOut(effect: Effect): Place;
  /** An instruction over places, its operands by name. */
  emit<N extends NativeOperation>(operation: N, views: ViewsOf<N, Place>, numbers: NumbersOf<N>): void;
  /** Copies an f32 value to `to`, unless it lies there; others are `ERR_DTYPE`, named by `where`. */
  copy(value: Value, to: Place, where: string): void;
  /** Begins the instructions that run once for every part of a batch. */
  beginParts(): void;
  /** Ends them: the instructions behind it run once a step. */
  endParts(): void;
}
