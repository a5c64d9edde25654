import { CarillonError, fail } from "../../errors.js";
import {
  checkBoolean,
  checkFunction,
  checkKeys,
  checkNumber,
  checkObject,
  checkOneOf,
  checkString,
  isPlainObject,
} from "../../options.js";
import { describedBy, type Shown } from "../../tensor/inspect.js";
import type { RowSpecs } from "../../tensor/row_spec.js";
import { checkShape, formatShape, isBatched } from "../../tensor/shape.js";
import type { Value, ValueSpec } from "../../tensor/value.js";
import { PARAMETER_ROLES, type ParameterSpec } from "../parameters/parameter.js";
import { ANY_SIZE, type Given, type Sized, type Taken, type Takes } from "./chain.js";

/** What a layer keeps of each lane from one step of a stream, or window of a series, to the next. */
export interface Kept {
  /** [batch, …shape]: as the step before has left it, 0 before the first. */
  readonly value: Value;
  /** Says what it is behind this step. */
  next(value: Value): void;
}

/** The context of a layer while it is traced; `S` are the names of its states, `B` those of the layers inside of it. */
export interface LayerContext<S extends string = string, B extends string = string> {
  /** False at inference: nothing is drawn, and no state changes. */
  readonly training: boolean;
  /** A number for the next place of the network that draws random numbers. */
  nextSite(): number;
  /** Refuses training by batches, or parts of them, of fewer rows, where that is known before the first step: `ERR_OPTION`; or new statistics. */
  needRows(rows: number): void;
  /**
   * The share of this batch in all rows that the layer has seen since its statistics are measured anew (`Model.refreshStatistics`). The states
   * that it gives then are kept, although this is no training. Absent at all other times.
   */
  readonly measure?: (() => Value) | undefined;
  /**
   * Memory of each lane, under a name of the layer's own, where a predictor or a generator takes streams step by step, and where windows of series go on from one another (`carry`): a layer
   * that looks at steps before those that it is given keeps what it needs of them so. Absent at all other times.
   */
  readonly keep?: ((key: string, shape: readonly number[]) => Kept) | undefined;
  /** Its states, as the step found them, or as this layer has left them where it was used before. */
  readonly state: { readonly [K in S]: Value };
  /** The layers inside of it as functions. */
  readonly layers: { readonly [K in B]: (x: Value) => Value };
}

/** Numbers that a layer keeps besides its parameters: no gradient, penalty or average reaches them; they are saved with the weights. */
export interface StateSpec {
  readonly shape: readonly number[];
  /** Value of all elements before the first step. */
  readonly init: number;
  /** All elements are finite, and none is below it: weights that are set or loaded with others are refused. By default they may be any. */
  readonly min?: number | undefined;
  /** `drawFromData` sets it to the least, or the greatest, target of each column, in the units of the network; its shape is [columns]. */
  readonly targets?: "least" | "greatest" | undefined;
}

/** Result of a layer with states: `state` has new values of those that change, which count after the step, in training. */
export interface LayerResult<S extends string = string> {
  readonly output: Value;
  readonly state?: { readonly [K in S]?: Value } | undefined;
}

/** Plain data that describe a built-in layer in a saved model. */
export type LayerConfig = Readonly<Record<string, string | number | boolean | readonly number[]>>;

/** One layer: what it takes and gives of every row, parameters, and how it computes. Made by {@link defineLayer}. */
export interface Layer<In extends Taken = Taken, Out extends Given = Given, T extends Takes = Takes>
  extends Sized<In, Out, T> {
  readonly name?: string | undefined;
  /** By key: `weight` in `linear1.weight`. */
  readonly parameters: Readonly<Record<string, ParameterSpec>>;
  /** By keys that no parameter has. */
  readonly state?: Readonly<Record<string, StateSpec>> | undefined;
  /** Layers inside of it: their names follow its own, as in `residual1.linear2.weight`. */
  readonly layers?: Readonly<Record<string, Layer>> | undefined;
  /** Names of the layers that it was given, in their order, without those that it adds itself: what files have of it. */
  readonly order?: readonly string[] | undefined;
  /**
   * Input of the layers of `order`, for tables: in a `chain` the output of the layer before, in `branches` that of the block, which layers
   * that are not in `order` have too. Absent where `forward` alone knows.
   */
  readonly flow?: "chain" | "branches" | undefined;
  /** For {@link loadModel}; `undefined` for a layer that a user defined. */
  readonly config?: LayerConfig | undefined;
  forward(x: Value, parameters: Readonly<Record<string, Value>>, context: LayerContext): Value | LayerResult;
}

/** Argument of {@link defineLayer}. */
export interface LayerDefinition<
  In extends Taken,
  Out extends Given,
  P extends Readonly<Record<string, ParameterSpec>>,
  T extends Takes = "f32",
  S extends Readonly<Record<string, StateSpec>> = Readonly<Record<never, never>>,
  B extends Readonly<Record<string, LayerPart>> = Readonly<Record<never, never>>,
> {
  /** First part of the names of its parameters: `linear` gives `linear1.weight`. */
  readonly kind: string;
  /** Features that it takes on the last axis, or the shape of a row, without the axis of the batch; any row when absent. */
  readonly inputs?: In | undefined;
  /**
   * Its output for a row: features in the place of the last axis; a whole shape; `'same'`: the shape that it took; `'flat'`: all
   * elements on one axis; `{ shape }`: as many elements as it took, in this shape; `{ append: n }`: one axis more; `{ last: n }`: n features on the last of the axes that `infer` tells,
   * 0 where it tells these too.
   */
  readonly outputs: Out;
  /** Elements that it takes, `'f32'` by default; `'ragged'` for lists. It gives f32; with `'any'` what it took. */
  readonly takes?: T | undefined;
  /** Whether its rows have axes of any size, such as the steps of [time, …], of which `inputs` tells the last alone; `infer` refuses others. */
  readonly steps?: true | undefined;
  /** Shape and elements of its output for an input, where `inputs` and `outputs` do not say all of it. */
  infer?(given: ValueSpec): ValueSpec;
  /** Used in the place of kind and ordinal. */
  readonly name?: string | undefined;
  readonly parameters?: P | undefined;
  /** Numbers that it keeps: `{ mean: { shape: [n], init: 0 } }`. */
  readonly state?: S | undefined;
  /** Layers, or models of them, that `forward` calls as functions of its context. */
  readonly layers?: B | undefined;
  readonly config?: LayerConfig | undefined;
  /** y: [batch, outputs] from x: [batch, inputs], recorded once. */
  forward(
    x: Value,
    parameters: { readonly [K in keyof P]: Value },
    context: LayerContext<keyof S & string, keyof B & string>,
  ): Value | LayerResult<keyof S & string>;
}

/** A model that is a part of another one as a layer: it has its layers there, not its weights. */
export interface Nestable<In = unknown, Out = unknown, T extends Takes = Takes> {
  readonly kind: string;
  readonly inputs: In;
  readonly outputs: Out;
  readonly takes?: T | undefined;
  readonly rows: RowSpecs;
  /** @internal */
  readonly [BLOCK]: () => Layer;
}

/** Under which a model is a layer. @internal */
export const BLOCK: unique symbol = Symbol("block");

/** A layer, or a model that is one. */
export type LayerPart = Layer | Nestable;

/** Options, where such stand before the layers, and the layers. */
export function optionsFirst(given: readonly unknown[]): readonly [options: object, layers: readonly unknown[]] {
  const [first, ...rest] = given;
  const isOptions = isPlainObject(first) && !("forward" in first || "kind" in first);
  return isOptions ? [first, rest] : [{}, given];
}

const NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;

/** A name that may stand in a parameter's name: a letter, then letters, digits, `_` and `-`; else `ERR_OPTION`. */
export function checkName(where: string, name: string | undefined): string | undefined {
  if (name === undefined || (typeof name === "string" && NAME.test(name))) return name;
  return fail("ERR_OPTION", where, "a name (a letter, then letters, digits, _ or -)", name);
}

/** `given` as a layer: made by {@link defineLayer}, a model, or anything of that form; else `ERR_OPTION`. */
export function checkLayer(where: string, given: unknown): Layer {
  const value = isNestable(given) ? given[BLOCK]() : given;
  if (!isLayer(value)) return fail("ERR_OPTION", where, "a layer", value);
  const { kind, name, inputs, outputs, parameters } = value;
  checkName(`${where}.kind`, kind);
  checkName(`${where}.name`, name);
  if (inputs !== ANY_SIZE) checkTaken(`${where}.inputs`, inputs);
  checkGiven(`${where}.outputs`, outputs);
  if (value.takes !== undefined) checkOneOf(`${where}.takes`, value.takes, TAKES);
  checkParameters(`${where}.parameters`, parameters);
  checkStates(`${where}.state`, value.state, parameters);
  return value;
}

/** Layers that a model computes, at most: those inside of others count at each of their places. */
const MOST = 100_000;

/** Layers that are computed where one stands. */
const computed = new WeakMap<Layer, number>();

/** `ERR_OPTION` where these layers, with those inside of them as often as they stand there, are more than a model computes. */
export function expectFew(where: string, layers: readonly Layer[]): void {
  const count = layers.reduce((sum, layer) => sum + computedBy(layer), 0);
  if (count <= MOST) return;
  const expected = `expected at most ${MOST} layers, each at all of its places, for '${where}'`;
  throw new CarillonError("ERR_OPTION", where, `${expected} but received ${count}`);
}

/** It and what is inside of it: blocks in one another that stand twice each double it at every depth. */
function computedBy(layer: Layer): number {
  const known = computed.get(layer);
  if (known !== undefined) return known;
  computed.set(layer, 1); // one that somebody has put into itself
  const { layers = {}, order = Object.keys(layers) } = layer;
  const count = order.reduce((sum, name) => {
    const inside = layers[name];
    return sum + (inside === undefined ? 0 : computedBy(inside));
  }, 1);
  computed.set(layer, count);
  return count;
}

function isNestable(value: unknown): value is Nestable {
  return typeof value === "object" && value !== null && BLOCK in value;
}

/** States by names that may stand beside those of the parameters. */
function checkStates(where: string, state: unknown, parameters: object): void {
  if (state === undefined) return;
  checkObject(where, state);
  for (const [key, spec] of Object.entries(Object(state)) as [string, unknown][]) {
    const place = `${where}.${key}`;
    checkName(`${where}: a key`, key);
    if (Object.hasOwn(parameters, key)) fail("ERR_OPTION", place, "a name that no parameter has", key);
    const { shape, init, min, targets } = stateOf(place, spec);
    if (!Array.isArray(shape)) fail("ERR_OPTION", `${place}.shape`, "an array of sizes", shape);
    checkShape(`${place}.shape`, shape);
    if (isBatched(shape)) fail("ERR_SHAPE", `${place}.shape`, "sizes without 'batch'", shape);
    checkNumber(`${place}.init`, init, min === undefined ? {} : { min: checkNumber(`${place}.min`, min) });
    if (targets !== undefined) checkOneOf(`${place}.targets`, targets, ["least", "greatest"]);
  }
}

function stateOf(where: string, spec: unknown): { readonly [K in keyof StateSpec]?: unknown } {
  if (typeof spec !== "object" || spec === null) return fail("ERR_OPTION", where, "{ shape, init }", spec);
  checkKeys(where, spec, ["shape", "init", "min", "targets"]);
  return spec;
}

/** Layers by names that may stand in those of parameters. */
export function checkInside(where: string, layers: Readonly<Record<string, unknown>>): Readonly<Record<string, Layer>> {
  checkObject(where, layers);
  const checked = Object.entries(layers).map(([name, layer]) => {
    checkName(`${where}: a name`, name);
    return [name, checkLayer(`${where}.${name}`, layer)] as const;
  });
  expectFew(
    where,
    checked.map(([, layer]) => layer),
  );
  return Object.fromEntries(checked);
}

const TAKES: readonly Takes[] = ["f32", "i32", "u8", "ragged", "any"];
const SIZE = { min: 1, integer: true } as const;

/** `ERR_OPTION` for what no layer takes of a row: a number of features, or a shape. */
function checkTaken(where: string, inputs: unknown): void {
  if (Array.isArray(inputs)) for (const size of inputs) checkNumber(where, size, SIZE);
  else checkNumber(where, inputs, SIZE);
}

/** `ERR_OPTION` for what no layer gives for a row. */
function checkGiven(where: string, outputs: unknown): void {
  if (outputs === "same" || outputs === "flat" || outputs === "channels") return;
  if (typeof outputs === "object" && outputs !== null && !Array.isArray(outputs)) {
    if ("windows" in outputs) {
      checkWindowed(where, outputs);
      return;
    }
    const form = (["shape", "append"] as const).find((key) => key in outputs) ?? "last";
    checkKeys(where, outputs, [form]);
    const size: unknown = Object.values(outputs)[0];
    if (form !== "shape") checkNumber(where, size, form === "append" ? SIZE : { min: ANY_SIZE, integer: true });
    else if (Array.isArray(size)) checkTaken(`${where}.shape`, size);
    else fail("ERR_OPTION", `${where}.shape`, "the shape of a row", size);
  } else checkTaken(where, outputs);
}

/** `ERR_OPTION` for features behind windows that are none. */
function checkWindowed(where: string, outputs: object & { readonly windows: unknown }): void {
  checkKeys(where, outputs, ["windows", "last"]);
  checkObject(`${where}.windows`, outputs.windows);
  const last = "last" in outputs ? outputs.last : undefined;
  if (last !== undefined) checkNumber(`${where}.last`, last, SIZE);
}

function isLayer(value: unknown): value is Layer {
  if (typeof value !== "object" || value === null || !("forward" in value && "kind" in value)) return false;
  return typeof value.forward === "function";
}

/** Parameters by keys that may stand in their names. */
function checkParameters(where: string, parameters: unknown): void {
  checkObject(where, parameters);
  for (const [key, spec] of Object.entries(Object(parameters))) {
    checkName(`${where}: a key`, key);
    if (!isParameter(spec)) fail("ERR_OPTION", `${where}.${key}`, "a parameter()", spec);
  }
}

function isParameter(spec: unknown): spec is ParameterSpec {
  if (typeof spec !== "object" || spec === null || !("shape" in spec && "init" in spec && "role" in spec)) return false;
  if (!PARAMETER_ROLES.some((role) => role === spec.role)) return false;
  return Array.isArray(spec.shape) && typeof spec.init === "object" && spec.init !== null && "resolve" in spec.init;
}

const KEYS = [
  ...["kind", "inputs", "outputs", "takes", "steps", "infer", "name"],
  ...["parameters", "state", "layers", "config", "forward"],
];

/**
 * A layer from operations. The built-in layers are made by it too.
 *
 * @example
 * const scale = (size: number) => defineLayer({
 *   kind: 'scale', inputs: size, outputs: 'same', parameters: { factor: parameter([size], { init: 1 }) },
 *   forward: (x, { factor }) => ops.multiply(x, factor),
 * });
 */
export function defineLayer<
  const In extends Taken = number,
  const Out extends Given = "same",
  P extends Readonly<Record<string, ParameterSpec>> = Readonly<Record<never, never>>,
  const T extends Takes = "f32",
  S extends Readonly<Record<string, StateSpec>> = Readonly<Record<never, never>>,
  B extends Readonly<Record<string, LayerPart>> = Readonly<Record<never, never>>,
>(definition: LayerDefinition<In, Out, P, T, S, B>): Layer<In, Out, T> {
  checkKeys("defineLayer", definition, KEYS);
  const { kind, inputs, outputs, takes, steps, infer, name, parameters, state, layers, config, forward } = definition;
  checkString("defineLayer.kind", kind);
  checkName("defineLayer.kind", kind);
  if (parameters !== undefined) checkParameters(`${kind}.parameters`, parameters);
  checkStates(`${kind}.state`, state, parameters ?? {});
  const inside = layers === undefined ? undefined : checkInside(`${kind}.layers`, layers);
  checkName(`${kind}.name`, name);
  checkFunction("defineLayer.forward", forward);
  if (inputs !== undefined) checkTaken(`${kind}.inputs`, inputs);
  checkGiven(`${kind}.outputs`, outputs);
  if (takes !== undefined) checkOneOf(`${kind}.takes`, takes, TAKES);
  if (checkBoolean(`${kind}.steps`, steps ?? false) && infer === undefined)
    fail("ERR_OPTION", `${kind}.infer`, "a function, as 'steps' says that rows have an axis more,", infer);
  if (infer !== undefined) checkFunction(`${kind}.infer`, infer);
  else if (typeof outputs === "object" && ("last" in outputs || "windows" in outputs))
    fail("ERR_OPTION", `${kind}.infer`, "a function, as 'outputs' tells the last axis alone,", infer);
  const layer: Layer<In, Out, T> = {
    kind,
    inputs: inputs ?? (ANY_SIZE as In),
    outputs,
    takes,
    name,
    ...(steps === undefined ? {} : { steps }),
    ...(infer === undefined ? {} : { infer }),
    parameters: parameters ?? {},
    ...(state === undefined ? {} : { state }),
    ...(inside === undefined ? {} : { layers: inside }),
    config,
    forward: forward as Layer["forward"],
  };
  return sealed(layer);
}

/** The layer as it stays, with a text of its own for people. */
export function sealed<L extends Layer>(layer: L): L {
  return Object.freeze(describedBy(layer, () => describeLayer(layer)));
}

/** For people: sizes if it has any, settings, and the shapes of its parameters. */
function describeLayer({ kind, inputs, outputs, name, parameters, layers, config }: Layer): Shown {
  const sizes =
    inputs === ANY_SIZE
      ? ""
      : ` ${formatSize(inputs)} → ${outputs === "same" ? formatSize(inputs) : formatSize(outputs)}`;
  const { inputs: _in, outputs: _out, ...settings } = config ?? {};
  const inside = layers === undefined ? undefined : Object.keys(layers).join(", ");
  const shapes = Object.fromEntries(Object.entries(parameters).map(([key, { shape }]) => [key, formatShape(shape)]));
  // Shapes stand before settings, and in the place of one of the same name.
  return { title: `Layer ${kind}${sizes}`, fields: { name, layers: inside, ...shapes, ...settings, ...shapes } };
}

/** `784`, `[28, 28, 1]`, `flat`. */
function formatSize(size: Given): string {
  if (typeof size === "number" || typeof size === "string") return `${size}`;
  if ("append" in size) return `[…, ${size.append}]`;
  if ("windows" in size) return size.last === undefined ? "places" : `[…, ${size.last}]`;
  if ("last" in size) return size.last === ANY_SIZE ? "any" : `${size.last}`;
  if ("shape" in size) return formatShape(size.shape);
  return formatShape(size);
}
