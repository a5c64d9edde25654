import { type BoundExamples, bindExamples, unitsOf } from "./bind.js";
import type { ExampleShape } from "./block.js";
import type { Examples, Features, Labels, Targets } from "./dataset.js";
import { Dataset } from "./stream.js";
import { StreamFeed } from "./stream_feed.js";
import type { Transforms } from "./transform.js";

/** How data, of either kind, is bound. */
export interface BindDataOptions {
  readonly shape: ExampleShape;
  /** Rows a step. */
  readonly batch: number;
  readonly transforms: Transforms;
  /** A factor ≥ 0 a class. */
  readonly classFactors?: readonly number[] | undefined;
  /** Whether a stream uses its shuffle buffer; no by default. */
  readonly shuffle?: boolean | undefined;
  /** What a pass over a stream is called in errors; a validation by default. */
  readonly pass?: "epoch" | "validation" | undefined;
  /** Throws if data in memory has gone since the call. */
  readonly unchanged?: (() => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Copies data in memory, or opens a stream and looks at its first example. */
export async function bindData(
  where: string,
  data: Examples<Features, Labels | Targets> | Dataset,
  options: BindDataOptions,
): Promise<BoundExamples> {
  const { shape, batch, transforms, classFactors, shuffle = false, pass = "validation", signal } = options;
  if (!(data instanceof Dataset)) {
    const { unchanged } = options;
    return await bindExamples(where, data, shape, { classFactors, transforms, unchanged, signal });
  }
  const given = { where, shape, dataset: data, pass, batch, shuffle, transforms, classFactors };
  const stream = await StreamFeed.open(given, `${pass} 1`, signal);
  const { layout, bindings } = stream;
  return {
    samples: stream.batches * batch,
    bindings,
    weighted: layout.weighted,
    zeros: layout.weighted,
    units: unitsOf(transforms, layout.dtype),
    stream,
  };
}
