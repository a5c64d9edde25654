import { fail } from "../errors.js";
import { checkShape } from "./shape.js";

/** An input whose data are bytes. Made by {@link bytes}. */
export interface Bytes<S extends readonly number[] = readonly number[]> {
  readonly shape: readonly ["batch", ...S];
  readonly dtype: "u8";
}

/**
 * An input of `network` or `towers` whose rows are bytes, such as those of images: [batch, …shape], which a layer `images` takes.
 *
 * @example
 * const model = network({
 *   inputs: { photo: bytes([32, 32, 3]), price: spec(['batch', 1]) },
 *   layers: { photo: sequential(images({ height: 32, width: 32, channels: 3 }), conv2d(3, 8, { kernel: 3 }), globalAveragePool()), head: linear(9, 1) },
 *   forward: ({ photo, price }, layers) => layers.head(ops.concat([layers.photo(photo), price])),
 * });
 */
export function bytes<const S extends readonly number[]>(shape: S): Bytes<S> {
  const given: unknown = shape;
  if (!Array.isArray(given)) fail("ERR_OPTION", "bytes.shape", "the shape of a row", given);
  checkShape("bytes", shape);
  return { shape: ["batch", ...shape], dtype: "u8" };
}
