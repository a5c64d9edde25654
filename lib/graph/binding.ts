import type { NativeSlab } from "../binding/native.js";
import type { Dtype } from "../tensor/shape.js";
import type { Pass } from "./passes/pass.js";

/** Where an input's rows come from. */
export type Binding =
  /** The slab holds the batch itself. */
  { readonly kind: "direct"; readonly slab: NativeSlab } | FeedBinding;

/** Rows of a data set, gathered in the order of the epoch; u8 becomes f32 times `scale`. */
export interface FeedBinding {
  readonly kind: "feed";
  readonly slab: NativeSlab;
  readonly dtype: Dtype;
  readonly samples: number;
  readonly scale: number;
}

/** Memory and steps that stand in the place of those of a trace. */
export interface Replacement {
  /** Replaces steps, after all other passes. */
  readonly pass: Pass;
  /** The slab whose first `count` elements stand for those of `slab` from `offset` on; `undefined`: these themselves. */
  memory(slab: NativeSlab, offset: number, count: number): NativeSlab | undefined;
}
