import type { NativeSlab } from "../binding/native.js";
import type { Dtype } from "../tensor/shape.js";
import type { Pass } from "./passes/pass.js";

/** Where an input's rows come from. */
export type Binding =
  /** The slab holds the batch itself. */
  { readonly kind: "direct"; readonly slab: NativeSlab } | RowsBinding;

/** What is gathered in the order of the epoch. */
export type RowsBinding = FeedBinding | ListsBinding;

/** Rows of a data set, gathered in the order of the epoch; u8 becomes f32 times `scale`. */
export interface FeedBinding {
  readonly kind: "feed";
  readonly slab: NativeSlab;
  readonly dtype: Dtype;
  readonly samples: number;
  /** Rows that the feed has of these; all by default. */
  readonly fed?: number | undefined;
  readonly scale: number;
}

/** Rows that are lists: their elements one list behind the other, or where each ends there. */
export interface ListsBinding {
  readonly kind: "lists";
  /** Of the elements; `undefined` for the ends of the lists. */
  readonly slab: NativeSlab | undefined;
  readonly dtype: Dtype;
  /** Where the lists of the samples lie: list i from element bounds[i] to bounds[i + 1]; with a width, the first bounds[i] of its own. */
  readonly bounds: NativeSlab;
  /** Places of a list; 0: they follow one another. */
  readonly width: number;
  readonly samples: number;
  /** Rows that are fed of these; all by default. */
  readonly fed?: number | undefined;
  /** Elements of all samples. */
  readonly entries: number;
}

/** Memory and steps that stand in the place of those of a trace. */
export interface Replacement {
  /** Replaces steps, after all other passes. */
  readonly pass: Pass;
  /** The slab whose first `count` elements stand for those of `slab` from `offset` on; `undefined`: these themselves. */
  memory(slab: NativeSlab, offset: number, count: number): NativeSlab | undefined;
}
