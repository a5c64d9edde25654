import { CarillonError } from "../errors.js";

/** What a chain of layers needs to know of one: the sizes of its last axis. */
export interface Sized<In extends number = number, Out extends number | "same" = number | "same"> {
  readonly kind: string;
  /** Features taken; {@link ANY_SIZE} (type `number`) takes any. */
  readonly inputs: In;
  /** Features given; `'same'` passes the size through. */
  readonly outputs: Out;
}

/** `inputs` of a layer that takes any number of features. */
export const ANY_SIZE: number = 0;

/** False only for two literals that cannot be equal. */
export type Agree<A extends number, B extends number> = number extends A
  ? true
  : number extends B
    ? true
    : [A & B] extends [never]
      ? false
      : true;

/** Features after layer H if `Size` came in: a pass-through keeps it, or tells it where it has a size of its own. */
type Given<H extends Sized, Size> = H["outputs"] extends "same"
  ? number extends H["inputs"]
    ? Size
    : H["inputs"]
  : H["outputs"] extends number
    ? H["outputs"]
    : number;

/** The layer (counted from 1) that set the size after H: H itself unless it merely passes it through. */
type Giver<H extends Sized, From extends number, Index extends number> = H["outputs"] extends "same"
  ? number extends H["inputs"]
    ? From
    : Index
  : Index;

/** The sentence of the compiler; {@link checkChain} says the same at run time. */
type Misfit<
  Index extends number,
  Takes extends number,
  From extends number,
  Size extends number,
> = `layer ${Index} takes ${Takes} features, but layer ${From} gives ${Size}`;

/**
 * The tuple of layers L mapped onto itself, with a sentence in place of the first layer that does not fit.
 *
 * Write `function sequential<L extends readonly Layer[]>(...layers: Chained<L>)`: the compiler then reports the
 * sentence at the argument at fault. `Size` and `From` are the features so far and the layer that gave them;
 * `Done` holds the layers that fit. Keep it tail recursive: that form takes 200 layers, the other one dies at 50.
 */
export type Chained<
  L extends readonly Sized[],
  Size extends number = number,
  From extends number = 0,
  Done extends readonly unknown[] = [],
> = L extends readonly [infer H extends Sized, ...infer R extends readonly Sized[]]
  ? Agree<Size, H["inputs"]> extends true
    ? Chained<R, Given<H, Size>, Giver<H, From, [...Done, H]["length"]>, [...Done, H]>
    : [...Done, Misfit<[...Done, H]["length"], H["inputs"], From, Size>, ...R]
  : [...Done, ...L];

/** Features that a chain takes: those of its first layer that is no pass-through for any size. */
export type First<L extends readonly Sized[]> = L extends readonly [
  infer H extends Sized,
  ...infer R extends readonly Sized[],
]
  ? number extends H["inputs"]
    ? H["outputs"] extends "same"
      ? First<R>
      : number
    : H["inputs"]
  : number;

/** Features that a chain gives; `'same'` if all of it passes any size through. */
export type Last<L extends readonly Sized[], Size extends number | "same" = "same"> = L extends readonly [
  infer H extends Sized,
  ...infer R extends readonly Sized[],
]
  ? Last<R, Given<H, Size>>
  : number extends L["length"]
    ? number | "same"
    : Size;

/** Sizes of a whole chain, as {@link First} and {@link Last} say at compile time. */
export interface ChainSizes {
  readonly inputs: number;
  readonly outputs: number | "same";
}

/**
 * Checks at run time that every layer takes what the one before it gives, and returns the sizes of the chain.
 *
 * Throws `ERR_SHAPE` with the sentence of {@link Chained}; layers are counted from 1.
 */
export function checkChain(layers: readonly Sized[]): ChainSizes {
  let inputs = ANY_SIZE;
  let size: number | "same" = "same";
  let from = 0;
  for (const [position, layer] of layers.entries()) {
    const sized = layer.inputs !== ANY_SIZE;
    if (sized && size !== "same" && layer.inputs !== size) {
      throw new CarillonError(
        "ERR_SHAPE",
        `layer ${position + 1} (${layer.kind})`,
        `layer ${position + 1} takes ${layer.inputs} features, but layer ${from} gives ${size}`,
      );
    }
    if (sized && size === "same") inputs = layer.inputs;
    const gives = layer.outputs === "same" ? layer.inputs : layer.outputs;
    if (layer.outputs === "same" && !sized) continue;
    size = gives;
    from = position + 1;
  }
  return { inputs, outputs: size };
}
