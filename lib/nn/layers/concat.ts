import { madeBy } from "../../described.js";
import { CarillonError, fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkKeys } from "../../options.js";
import { formatShape, sameShape } from "../../tensor/shape.js";
import type { ValueSpec } from "../../tensor/value.js";
import {
  type Agree,
  ANY_SIZE,
  checkChain,
  featuresGiven,
  type InPlace,
  reachesSteps,
  type Sized,
  type TakenBy,
} from "../structure/chain.js";
import {
  checkLayer,
  checkName,
  expectFew,
  type Layer,
  type LayerPart,
  optionsFirst,
  sealed,
} from "../structure/layer.js";
import { namedLayers, nameLayers } from "../structure/naming.js";
import type { Total } from "../structure/size_product.js";

/** Options of {@link concat}, before its layers. */
export interface ConcatLayerOptions {
  readonly name?: string | undefined;
  readonly kind?: never;
}

/** The branches, with a sentence in the place of the first one that takes integers, or other features than one before it. */
type Branches<
  L extends readonly unknown[],
  Takes extends number = number,
  From extends number = 0,
  Done extends readonly unknown[] = [],
> = L extends readonly [infer H extends Sized, ...infer R]
  ? [TakenBy<H>] extends ["i32" | "ragged"]
    ? [...Done, `branch ${[...Done, H]["length"]} takes i32, but the input has f32`, ...R]
    : H["inputs"] extends infer In extends number
      ? Agree<Takes, In> extends true
        ? number extends In
          ? Branches<R, Takes, From, [...Done, H]>
          : Branches<R, In, From extends 0 ? [...Done, H]["length"] : From, [...Done, H]>
        : [...Done, `branch ${[...Done, H]["length"]} takes ${In} features, but branch ${From} takes ${Takes}`, ...R]
      : Branches<R, Takes, From, [...Done, H]>
  : [...Done, ...L];

type Arguments<L extends readonly unknown[]> = L extends readonly [infer O extends ConcatLayerOptions, ...infer Layers]
  ? [O, ...Branches<Layers>]
  : Branches<L>;

type LayersOf<L extends readonly unknown[]> = L extends readonly [ConcatLayerOptions, ...infer Layers] ? Layers : L;

/** Features that the first branch with sizes takes. */
type Input<L extends readonly unknown[]> = L extends readonly [infer H extends Sized, ...infer R]
  ? H["inputs"] extends infer In extends number
    ? number extends In
      ? Input<R>
      : In
    : number
  : number;

/** Features of each branch. */
type Outputs<
  L extends readonly unknown[],
  In extends number,
  Done extends readonly number[] = [],
> = L extends readonly [infer H extends Sized, ...infer R]
  ? Outputs<
      R,
      In,
      [...Done, H["outputs"] extends infer N extends number ? N : H["outputs"] extends "same" ? In : number]
    >
  : number extends L["length"]
    ? readonly number[]
    : Done;

/** Whether all branches leave all axes but the last as they are: a model says no more than what it gives for rows of its own. */
type KeepAxes<L extends readonly unknown[]> = L extends readonly [infer H extends Sized, ...infer R]
  ? H extends { readonly rows: unknown }
    ? false
    : [H["outputs"]] extends [number | "same"]
      ? KeepAxes<R>
      : false
  : L extends readonly []
    ? true
    : false;

/** Features in the place of the last axis, or of an axis that the branches alone know. */
type Given<Size extends number, Keeps> = number extends Size
  ? { readonly last: number }
  : Keeps extends true
    ? Size
    : { readonly last: Size };

/**
 * y = [f₁(x), f₂(x), …]: layers side by side, all of which take x, and whose outputs follow one another on the last axis. Their other
 * axes are the same, else `ERR_SHAPE`.
 */
export function concat<const L extends readonly (LayerPart | ConcatLayerOptions)[]>(
  ...branches: InPlace<L, Arguments<L>>
): Layer<Input<LayersOf<L>>, Given<Total<Outputs<LayersOf<L>, Input<LayersOf<L>>>>, KeepAxes<LayersOf<L>>>, "f32">;
export function concat(...given: readonly unknown[]): Layer {
  const [options, layers] = optionsFirst(given);
  return concatOf(layers, options);
}

/** {@link concat} of a list. */
export function concatOf(given: readonly unknown[], options: ConcatLayerOptions): Layer {
  checkKeys("concat", options, ["name"]);
  const name = checkName("concat.name", options.name);
  if (given.length === 0) fail("ERR_OPTION", "concat", "a layer or more", given);
  const layers = given.map((layer, index) => checkLayer(`concat: layer ${index + 1}`, layer));
  expectFew("concat", layers);
  const names = nameLayers(layers);
  const inputs = commonInputs(layers);
  const size = total(layers.map((layer) => featuresGiven(layer, inputs) ?? ANY_SIZE));
  const block = sealed<Layer>({
    kind: "concat",
    name,
    inputs,
    outputs: layers.every(keepsAxes) && size !== ANY_SIZE ? size : { last: size },
    takes: "f32",
    ...(layers.some((layer) => reachesSteps([layer])) ? { steps: true } : {}),
    parameters: {},
    layers: namedLayers(layers, names),
    order: names,
    flow: "branches",
    config: {},
    infer: (value) => sideBySide(layers.map((layer) => checkChain([layer], value).outputs[0] ?? value)),
    forward: (x, _parameters, { layers: inside }) => ops.concat(names.map((each) => inside[each]?.(x) ?? x)),
  });
  return madeBy("concat", { layers, name }, block);
}

/** Features that all branches take; `ERR_SHAPE` where two of them say otherwise, `ERR_DTYPE` where one takes integers. */
function commonInputs(layers: readonly Layer[]): number {
  let common: { readonly size: number; readonly branch: number } | undefined;
  for (const [index, { inputs, takes }] of layers.entries()) {
    if (takes === "i32" || takes === "ragged") {
      throw new CarillonError("ERR_DTYPE", "concat", `branch ${index + 1} takes i32, but the input has f32`);
    }
    if (typeof inputs !== "number" || inputs === ANY_SIZE) continue;
    common ??= { size: inputs, branch: index + 1 };
    if (common.size === inputs) continue;
    const sentence = `branch ${index + 1} takes ${inputs} features, but branch ${common.branch} takes ${common.size}`;
    throw new CarillonError("ERR_SHAPE", "concat", sentence);
  }
  return common?.size ?? ANY_SIZE;
}

/** Whether a branch leaves all axes but the last as they are, by what it says: a model speaks of rows of its own. */
function keepsAxes({ kind, outputs }: Layer): boolean {
  return kind !== "sequential" && kind !== "network" && (outputs === "same" || typeof outputs === "number");
}

/** Their sum, if all are known. */
function total(sizes: readonly number[]): number {
  return sizes.includes(ANY_SIZE) ? ANY_SIZE : sizes.reduce((sum, size) => sum + size, 0);
}

/** Shape of values side by side on the last axis; `ERR_SHAPE` where their other axes differ. */
function sideBySide(values: readonly ValueSpec[]): ValueSpec {
  const [first, ...others] = values;
  if (first === undefined) return { shape: [], dtype: "f32" };
  const leading = first.shape.slice(0, -1);
  for (const [index, { shape }] of others.entries()) {
    if (sameShape(shape.slice(0, -1), leading)) continue;
    const [one, other] = [first.shape, shape].map((each) => formatShape(each.slice(1)));
    const sentence = `branch ${index + 2} gives ${other}, but branch 1 gives ${one}: they differ in more than the last axis`;
    throw new CarillonError("ERR_SHAPE", "concat", sentence);
  }
  const sizes = values.map(({ shape }) => Number(shape.at(-1)));
  return { shape: [...leading, total(sizes)], dtype: "f32" };
}
