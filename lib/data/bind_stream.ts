import { type BoundExamples, bindExamples } from "./bind.js";
import type { ExampleShape } from "./block.js";
import type { CheckedBatchBy } from "./by_length.js";
import type { AnyExamples, AnyInputs } from "./dataset.js";
import { type ClassFactors, dividedFactors } from "./measure.js";
import { PackedRows } from "./packed.js";
import { Dataset } from "./stream.js";
import { StreamFeed } from "./stream_feed.js";
import type { UnitsOfRows } from "./transform.js";

/** How data, of either kind, is bound. */
export interface BindDataOptions {
  readonly shape: ExampleShape;
  /** Rows a step. */
  readonly batch: number;
  readonly units: UnitsOfRows;
  /** A factor ≥ 0 a class, of each output that has some. */
  readonly classFactors?: ClassFactors | undefined;
  /** Whether a stream uses its shuffle buffer, and whether the order of batches by length is drawn; no by default. */
  readonly shuffle?: boolean | undefined;
  /** Batches of rows of like length, of data in memory. */
  readonly batchBy?: CheckedBatchBy | undefined;
  /** Name of a pass over a stream in errors; a validation by default. */
  readonly pass?: "epoch" | "validation" | undefined;
  /** Throws if data in memory has gone since the call. */
  readonly unchanged?: (() => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Copies data in memory, takes packed rows as they are, or opens a stream and looks at its first example. */
export async function bindData(
  where: string,
  data: AnyExamples | AnyInputs | PackedRows | Dataset,
  options: BindDataOptions,
): Promise<BoundExamples> {
  const { shape, batch, units, classFactors = [], shuffle = false, pass = "validation", signal } = options;
  if (data instanceof PackedRows) return data.bind(where, shape);
  if (!(data instanceof Dataset)) {
    const { unchanged, batchBy } = options;
    return await bindExamples(where, data, shape, { classFactors, units, batch, batchBy, shuffle, unchanged, signal });
  }
  const { ofRows, ofPlaces } = dividedFactors(shape, classFactors);
  const given = { where, shape, dataset: data, pass, batch, shuffle, units, classFactors: ofRows };
  const stream = await StreamFeed.open(given, `${pass} 1`, signal);
  const { layout, bindings } = stream;
  return {
    samples: stream.batches * batch,
    set: { whole: `'${where}'`, noun: "example", examplesOf: (step) => stream.examplesOf(step) },
    bindings,
    inputs: stream.units.map(({ affine }) => affine),
    lists: stream.lists,
    outputs: layout.weights.map((place, at) => {
      const weight = place === undefined ? undefined : layout.parts[place]?.name;
      return { weight, zeros: weight !== undefined, units: units.targets[at], factors: ofPlaces[at] };
    }),
    stream,
  };
}
