import { madeBy } from "../../described.js";
import { CarillonError, fail } from "../../errors.js";
import { chooseRows } from "../../ops/elementwise.js";
import * as ops from "../../ops/index.js";
import { checkBoolean, checkKeys, checkNumber } from "../../options.js";
import { formatShape, sameShape } from "../../tensor/shape.js";
import type { Value, ValueSpec } from "../../tensor/value.js";
import {
  type Agree,
  type AgreeAll,
  ANY_SIZE,
  type Chained,
  checkChain,
  type First,
  featuresGiven,
  featuresTaken,
  givenBy,
  type InPlace,
  type InWords,
  type Last,
  type Plain,
  reachesSteps,
  type Start,
  type Taken,
} from "../structure/chain.js";
import { drawnMask } from "../structure/drawn_mask.js";
import { checkName, type Layer, type LayerPart, optionsFirst, sealed } from "../structure/layer.js";
import { namedLayers } from "../structure/naming.js";
import { applyChain, chainOf } from "../structure/sequence.js";
import { linear } from "./linear.js";

/** Options of {@link residual}, before its layers. */
export interface ResidualOptions {
  /**
   * Whether the input goes through a `linear` without bias, over its last axis, where the layers give another number of features; false
   * by default: then they have to give as many as they take.
   */
  readonly project?: boolean | undefined;
  /**
   * Probability, [0, 1), with which the layers of an example are left out in a step of training, one draw for all of its numbers; what stays is divided by what is kept on
   * average. 0 by default.
   */
  readonly dropPath?: number | undefined;
  readonly name?: string | undefined;
  readonly kind?: never;
}

/** The layers, each of which takes what the one before gives; floats at first. */
type FloatChain<L extends readonly unknown[]> = Chained<L, Start<L>, 0, "f32">;

/** Why what is given is not added to what was taken; `never` where it is. */
type Unlike<Takes, Gives> = [Takes, Gives] extends [
  infer Axes extends readonly number[],
  infer Others extends readonly number[],
]
  ? AgreeAll<Axes, Others> extends true
    ? never
    : [Axes, Others] extends [readonly [infer Taken extends number], readonly [infer Size extends number]]
      ? `the layers give ${Size} features, but the input that is added has ${Taken}: { project: true } fits it`
      : `the layers give ${InWords<Others>}, but the input that is added has ${InWords<Axes>}`
  : [Plain<Takes>, Gives] extends [infer Taken extends number, infer Size extends number]
    ? Agree<Taken, Size> extends true
      ? never
      : `the layers give ${Size} features, but the input that is added has ${Taken}: { project: true } fits it`
    : never;

/** The layers, with a sentence in the place of the last one where the sum has two sizes. */
type Summed<L extends readonly unknown[], Done = FloatChain<L>> =
  L extends Readonly<Done>
    ? [Unlike<Start<L>, Last<L, Start<L>>>] extends [never]
      ? Done
      : L extends readonly [...infer Before, unknown]
        ? [...Before, Unlike<Start<L>, Last<L, Start<L>>>]
        : Done
    : Done;

type Arguments<L extends readonly unknown[]> = L extends readonly [infer O extends ResidualOptions, ...infer Layers]
  ? O extends { readonly project: true }
    ? [O, ...FloatChain<Layers>]
    : [O, ...Summed<Layers>]
  : Summed<L>;

type LayersOf<L extends readonly unknown[]> = L extends readonly [ResidualOptions, ...infer Layers] ? Layers : L;

/** A block that passes rows of any size gives what it takes. */
type Output<L extends readonly unknown[]> =
  Plain<Last<L, Start<L>>> extends infer Row extends Taken ? (number extends Row ? "same" : Row) : "same";

/**
 * y = x + f(x), where f are the layers one after another: what f leaves alone goes straight through (He et al. 2015). Shapes of x and
 * f(x) are the same, else `ERR_SHAPE`; with `{ project: true }` their last axes may differ, then y = x·Pᵀ + f(x) with a weight
 * P of its own.
 *
 * With `dropPath` p (stochastic depth) y = x + m·f(x) in training, m of each example 0 with the probability p, else 1/(1 − p): what is left out is selected out, and has no
 * gradient. Huang et al. 2016; torchvision's StochasticDepth of mode `row`.
 */
export function residual<const L extends readonly (LayerPart | ResidualOptions)[]>(
  ...layers: InPlace<L, Arguments<L>>
): Layer<Plain<First<LayersOf<L>>>, Output<LayersOf<L>>, "f32">;
export function residual(...given: readonly unknown[]): Layer {
  const [options, layers] = optionsFirst(given);
  return residualOf(layers, options);
}

/** {@link residual} of a list. */
export function residualOf(given: readonly unknown[], options: ResidualOptions): Layer {
  checkKeys("residual", options, ["project", "dropPath", "name"]);
  const project = checkBoolean("residual.project", options.project ?? false);
  const rate = checkNumber("residual.dropPath", options.dropPath ?? 0, { min: 0, below: 1 });
  const name = checkName("residual.name", options.name);
  if (given.length === 0) fail("ERR_OPTION", "residual", "a layer or more", given);
  const { layers, names, input, outputs } = chainOf("residual", given);
  const output = outputs.at(-1);
  const takes = featuresOf(input) ?? featuresTaken(layers);
  const gives = featuresOf(output) ?? layers.reduce((size, layer) => featuresGiven(layer, size), takes);
  if (!project) {
    if (input !== undefined && output !== undefined) expectSum(input, output);
    else if (takes !== undefined && gives !== undefined) expectSum(features(takes), features(gives));
  }
  const isProjected = project && takes !== undefined && gives !== undefined && takes !== gives;
  const projection = isProjected ? linear(takes, gives, { bias: false, name: "projection" }) : undefined;
  const infer = (value: ValueSpec): ValueSpec => {
    const result = checkChain(layers, value).outputs.at(-1) ?? value;
    expectSum(projection === undefined ? value : givenBy(projection, value), result);
    return result;
  };
  const block = sealed<Layer>({
    kind: "residual",
    name,
    inputs: takes ?? ANY_SIZE,
    outputs: projection?.outputs ?? "same",
    takes: "f32",
    ...(reachesSteps(layers) ? { steps: true } : {}),
    parameters: {},
    layers: { ...namedLayers(layers, names), ...(projection === undefined ? {} : { projection }) },
    order: names,
    flow: "chain",
    config: rate === 0 ? { project } : { project, dropPath: rate },
    infer,
    forward: (x: Value, _parameters, { layers: inside, training, nextSite }) => {
      const skipped = inside.projection === undefined ? x : inside.projection(x);
      const given = applyChain(names, inside, x);
      return ops.add(skipped, training && rate > 0 ? someExamples(given, rate, nextSite()) : given);
    },
  });
  return madeBy("residual", { layers, project, dropPath: rate, name }, block);
}

/** Rows of which only the last axis is known. */
const features = (size: number): ValueSpec => ({ shape: ["batch", size], dtype: "f32" });

/** y of the examples that are drawn, divided by what is kept on average, and 0 of the others. */
function someExamples(y: Value, rate: number, site: number): Value {
  const [batch = 1] = y.shape;
  const mask = drawnMask([batch, 1], rate, site);
  const factor = ops.reshape(mask, [batch, ...y.shape.slice(1).map(() => 1)]);
  return ops.multiply(chooseRows(y, mask), factor);
}

function featuresOf(value: ValueSpec | undefined): number | undefined {
  const last = value?.shape.at(-1);
  return typeof last === "number" ? last : undefined;
}

/** `ERR_SHAPE` unless both may be added. */
function expectSum(taken: ValueSpec, gives: ValueSpec): void {
  if (sameShape(taken.shape, gives.shape)) return;
  const [ours, theirs] = [featuresOf(taken), featuresOf(gives)];
  const sentence =
    taken.shape.length === 2 && gives.shape.length === 2
      ? `the layers give ${theirs} features, but the input that is added has ${ours}: { project: true } fits it`
      : `the layers give ${formatShape(gives.shape.slice(1))}, but the input that is added has ${formatShape(taken.shape.slice(1))}`;
  throw new CarillonError("ERR_SHAPE", "residual", sentence);
}
