import type { InPlace } from "../structure/chain.js";
import { type LayerPart, optionsFirst } from "../structure/layer.js";
import { sequence } from "../structure/sequence.js";
import {
  type Arguments,
  checkSequential,
  type ElementsOf,
  type InputOf,
  type OutputOf,
  type SequentialOptions,
} from "../structure/sequential_options.js";
import { Model } from "./model.js";

/**
 * A model of layers, each taking what the one before it gives. The compiler says which layer does not fit, and so do
 * `ERR_SHAPE` and `ERR_DTYPE` at run time.
 *
 * The first argument may say what a row is, `{ input: [28, 28, 1] }` or `{ input: spec(['batch'], 'i32') }`; otherwise the first layer
 * with sizes does.
 */
export function sequential<const L extends readonly (LayerPart | SequentialOptions)[]>(
  ...layers: InPlace<L, Arguments<L>>
): Model<InputOf<L>, OutputOf<L>, ElementsOf<L>>;
export function sequential(...given: readonly unknown[]): Model {
  const [options, layers] = optionsFirst(given);
  return new Model(sequence(layers, checkSequential(options)));
}
