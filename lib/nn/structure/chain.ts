import { CarillonError } from "../../errors.js";
import { checkShape, elements, formatShape, type Shape, sameShape } from "../../tensor/shape.js";
import type { ValueSpec } from "../../tensor/value.js";
import type { Product } from "./size_product.js";
import type { Windowed, WindowTypes } from "./window_sizes.js";

/** The rows that a layer takes: of so many features on the last axis, or of a whole shape. {@link ANY_SIZE} takes all. */
export type Taken = number | readonly number[];

/**
 * The row that a layer gives for one: so many features in the place of the last axis, or a whole shape; `'same'`: the row that it took;
 * `'flat'`: all elements on one axis; `'channels'`: the last axis alone; the same elements in another shape; one axis more; or so many features on the last of the axes
 * that its `infer` tells; or one place a window that slides over all axes but the last, with so many features, or those that it took.
 */
export type Given =
  | number
  | readonly number[]
  | "same"
  | "flat"
  | "channels"
  | { readonly shape: readonly number[] }
  | { readonly append: number }
  | { readonly last: number }
  | { readonly windows: WindowTypes; readonly last?: number | undefined };

/**
 * Elements that a layer takes: `'ragged'` are rows of integers of any length, lists or padded ones; `'u8'` bytes of a data set; `'any'` are given as they were
 * taken, all others as f32.
 */
export type Takes = "f32" | "i32" | "u8" | "ragged" | "any";

/** Elements between two layers. */
export type Element = "f32" | "i32" | "u8" | "ragged";

/** Sizes and elements of a layer, as chains go by them. */
export interface Sized<In extends Taken = Taken, Out extends Given = Given, T extends Takes = Takes> {
  readonly kind: string;
  /** Features taken, {@link ANY_SIZE} (type `number`) for any; or the shape of a row, without the axis of the batch. */
  readonly inputs: In;
  readonly outputs: Out;
  /** `'f32'` by default. */
  readonly takes?: T | undefined;
  /** Whether rows have axes of any size, such as steps, of which `inputs` tells the last alone. */
  readonly steps?: true | undefined;
  /** Shape and elements of its output for an input, where its sizes do not say that. */
  infer?(given: ValueSpec): ValueSpec;
}

/** `inputs` of a layer that takes any row. */
export const ANY_SIZE: number = 0;

/** False only for two literals that cannot be equal. */
export type Agree<A extends number, B extends number> = number extends A
  ? true
  : number extends B
    ? true
    : [A & B] extends [never]
      ? false
      : true;

/** Whether two shapes agree, axis by axis. */
export type AgreeAll<A extends readonly number[], B extends readonly number[]> = number extends
  | A["length"]
  | B["length"]
  ? true
  : A extends readonly [infer First extends number, ...infer Rest extends readonly number[]]
    ? B extends readonly [infer Other extends number, ...infer Others extends readonly number[]]
      ? Agree<First, Other> extends true
        ? AgreeAll<Rest, Others>
        : false
      : false
    : B extends readonly []
      ? true
      : false;

/** Size of the last axis; `never` of a row without axes. */
type Features<Row> = Row extends number
  ? Row
  : Row extends readonly [...unknown[], infer Size extends number]
    ? Size
    : Row extends readonly []
      ? never
      : number;

/** Whether a layer takes `Row`: the features of a row whose other axes are not known (a number), or its shape. */
type FitsRow<Row, H extends Sized> =
  Fits<Row, H["inputs"]> extends true
    ? Row extends readonly number[]
      ? H["outputs"] extends { readonly shape: infer S extends readonly number[] }
        ? Agree<Product<Row>, Product<S>>
        : true
      : true
    : false;

/** Whether `Row` is what `In` says. */
type Fits<Row, In> = [In] extends [number]
  ? number extends In
    ? true
    : [Features<Row>] extends [never]
      ? false
      : Agree<Features<Row>, In>
  : [In] extends [readonly number[]]
    ? [Row] extends [readonly number[]]
      ? AgreeAll<Row, In>
      : [Row] extends [number]
        ? [Features<In>] extends [never]
          ? number extends Row
            ? true
            : false
          : Agree<Row, Features<In>>
        : true
    : true;

/** A row with N features on its last axis. */
type WithFeatures<Row, N extends number> = Row extends readonly [...infer Leading extends readonly number[], number]
  ? readonly [...Leading, N]
  : N;

/** A row after layer H if `Row` came in: a pass-through keeps it, or tells its size where it has one of its own. */
type After<H extends Sized, Row> = H extends { readonly rows: unknown }
  ? AfterModel<H["inputs"], H["outputs"], Row>
  : [H["outputs"]] extends ["same"]
    ? number extends H["inputs"]
      ? Row
      : H["inputs"] extends number
        ? WithFeatures<Row, H["inputs"]>
        : H["inputs"]
    : [H["outputs"]] extends [number]
      ? WithFeatures<Row, H["outputs"]>
      : [H["outputs"]] extends [readonly number[]]
        ? H["outputs"]
        : [H["outputs"]] extends ["flat"]
          ? Row extends readonly number[]
            ? readonly [Product<Row>]
            : number
          : [H["outputs"]] extends ["channels"]
            ? [Features<Row>] extends [never]
              ? number
              : readonly [Features<Row>]
            : [H["outputs"]] extends [{ readonly shape: infer S extends readonly number[] }]
              ? S
              : [H["outputs"]] extends [{ readonly append: infer N extends number }]
                ? Row extends readonly number[]
                  ? readonly [...Row, N]
                  : N
                : [H["outputs"]] extends [{ readonly windows: infer W extends WindowTypes }]
                  ? AfterWindows<
                      Row,
                      W,
                      H["outputs"] extends { readonly last: infer N extends number } ? N : Features<Row>
                    >
                  : [H["outputs"]] extends [{ readonly last: infer N extends number }]
                    ? N
                    : number;

/** A row with N features after windows over its other axes; of a row without such axes the features alone are known. */
type AfterWindows<Row, W extends WindowTypes, N extends number> = Row extends readonly [
  infer First extends number,
  ...infer Axes extends readonly number[],
  number,
]
  ? readonly [...Windowed<[First, ...Axes], W>, N]
  : N;

/** A row after a model as a layer: what the model says of its own rows is so of all of these; of others the features alone are known. */
type AfterModel<In, Out, Row> = [In] extends [readonly number[]]
  ? Rows<Out>
  : [Row] extends [readonly [number]]
    ? Rows<Out>
    : [Features<Out>] extends [never]
      ? number
      : Features<Out>;

/** The shape of a row, where a number says that it has one axis of so many features; a number of which nothing is known stays one. */
type Rows<Out> = number extends Out
  ? number
  : [Out] extends [number]
    ? readonly [Out]
    : [Out] extends [readonly number[]]
      ? Out
      : number;

/** The layer (counted from 1) that set the row after H: H itself unless it merely passes it through. */
type Giver<H extends Sized, From extends number, Index extends number> = [H["outputs"]] extends ["same"]
  ? number extends H["inputs"]
    ? From
    : Index
  : Index;

/** Elements that H takes, where it says one of the two. */
export type TakenBy<H extends Sized> = [Exclude<H["takes"], undefined>] extends [never]
  ? "f32"
  : Exclude<H["takes"], undefined>;

/** False only for a layer that takes other elements than come in. */
type FitsElement<E, T> = [E] extends ["f32"]
  ? [T] extends ["i32" | "u8" | "ragged"]
    ? false
    : true
  : [E] extends ["i32"]
    ? [T] extends ["f32" | "u8"]
      ? false
      : true
    : [E] extends ["u8"]
      ? [T] extends ["f32" | "i32" | "ragged"]
        ? false
        : true
      : [E] extends ["ragged"]
        ? "ragged" extends T
          ? true
          : false
        : true;

type ElementAfter<H extends Sized, E> = [TakenBy<H>] extends ["any"] ? E : "any" extends TakenBy<H> ? Element : "f32";

type Joined<Sizes extends readonly unknown[], Text extends string = ""> = Sizes extends readonly [
  infer Size extends number,
  ...infer Rest,
]
  ? Joined<Rest, Text extends "" ? `${Size}` : `${Text}, ${Size}`>
  : `[${Text}]`;

/** A row in the words of a sentence behind "takes". */
export type InWords<Row> = Row extends number
  ? `${Row} features`
  : Row extends readonly number[]
    ? Joined<Row>
    : "others";

/** The same behind "gives", where features are understood if those were taken. */
type GivenInWords<Row, In> = In extends number
  ? [Features<Row>] extends [never]
    ? "[]"
    : `${Features<Row>}`
  : InWords<Row>;

type Origin<From extends number> = From extends 0 ? "the input has" : `layer ${From} gives`;

/** The sentences of the compiler; {@link checkChain} says the same at run time. */
type Misfit<Index extends number, H extends Sized, From extends number, Row> = H["outputs"] extends {
  readonly shape: infer S extends readonly number[];
}
  ? `layer ${Index} takes ${Product<S>} elements, but ${Origin<From>} ${InWords<Row>}`
  : `layer ${Index} takes ${InWords<H["inputs"]>}, but ${Origin<From>} ${GivenInWords<Row, H["inputs"]>}`;

type Before<Done extends readonly unknown[]> = Done["length"] extends number ? Done["length"] : number;

type MisfitElement<
  Done extends readonly unknown[],
  H extends Sized,
  E,
> = `layer ${[...Done, H]["length"]} takes ${ElementTaken<TakenBy<H>>}, but ${Origin<Before<Done>>} ${ElementGiven<E>}`;

type ElementTaken<T extends string> = T extends "ragged" ? "i32" : T;

type ElementGiven<E> = E extends "ragged" ? "lists" : E & string;

/**
 * The tuple of layers L mapped onto itself, with a sentence in place of the first layer that does not fit.
 *
 * Write `function sequential<L extends readonly Layer[]>(...layers: Chained<L>)`: the compiler then reports the
 * sentence at the argument at fault. `Row` and `From` are the row so far (a number: only its features are known; by default what the
 * layers take) and the layer that gave it; `E` are its elements; `Done` holds the layers that fit. Keep it tail recursive: that form takes 200 layers, the other one
 * dies at 50.
 */
export type Chained<
  L extends readonly unknown[],
  Row = Start<L>,
  From extends number = 0,
  E = Element,
  Done extends readonly unknown[] = [],
> = L extends readonly [infer H extends Sized, ...infer R]
  ? FitsElement<E, TakenBy<H>> extends true
    ? FitsRow<Row, H> extends true
      ? Chained<R, After<H, Row>, Giver<H, From, [...Done, H]["length"]>, ElementAfter<H, E>, [...Done, H]>
      : [...Done, Misfit<[...Done, H]["length"], H, From, Row>, ...R]
    : [...Done, MisfitElement<Done, H, E>, ...R]
  : [...Done, ...L];

/**
 * The tuple L with what stands in its place in `Checked`, if that is another type. A parameter `...layers: InPlace<L, …>` keeps literals
 * of L as a `const` type parameter does, for which the compiler has to see L itself.
 */
export type InPlace<L extends readonly unknown[], Checked> = {
  readonly [K in keyof L]: K extends keyof Checked ? (L[K] extends Checked[K] ? L[K] : Checked[K]) : L[K];
};

/** Rows that a chain takes: those of its first layer that is no pass-through for any row. */
export type First<L extends readonly unknown[]> = L extends readonly [infer H extends Sized, ...infer R]
  ? number extends H["inputs"]
    ? [H["outputs"]] extends ["same"]
      ? First<R>
      : number
    : H["inputs"]
  : number;

/** The row that a chain is given where nothing else is said: that of its first layer with sizes, on one axis where this names features alone. */
export type Start<L extends readonly unknown[]> = Rows<First<L>>;

/** The row that a chain gives; `'same'` if all of it passes any row through. */
export type Last<L extends readonly unknown[], Row = "same"> = L extends readonly [infer H extends Sized, ...infer R]
  ? Last<R, After<H, Row>>
  : number extends L["length"]
    ? number | "same"
    : Row;

/** Rows of one axis as the number of their features. */
export type Plain<Row> = Row extends readonly [infer N extends number] ? N : Row extends Taken ? Row : number;

/** Whether windows of a layer slide over axes whose sizes it does not say. */
function hasWindows({ outputs }: Sized): boolean {
  return typeof outputs === "object" && "windows" in outputs;
}

/** Features that a layer makes of so many on the last axis; `undefined` where nobody knows. */
export function featuresGiven({ inputs, outputs }: Sized, taken: number | undefined): number | undefined {
  const known = typeof inputs === "number" && inputs !== ANY_SIZE ? inputs : taken;
  if (outputs === "same" || outputs === "channels") return known;
  if (typeof outputs === "number") return outputs;
  if (typeof outputs !== "object") return undefined;
  if ("last" in outputs) return outputs.last === ANY_SIZE ? undefined : outputs.last;
  return "windows" in outputs ? known : undefined;
}

/** Features on the last axis that the first of layers with sizes takes, whatever the other axes are. */
export function featuresTaken(layers: readonly Sized[]): number | undefined {
  const first = layers.find((layer) => !passesThrough(layer));
  return first !== undefined && typeof first.inputs === "number" && first.inputs !== ANY_SIZE
    ? first.inputs
    : undefined;
}

/** The rows that a layer takes, where it says their whole shape: one axis of so many features, if it names those alone. */
function rowsOf(layer: Sized | undefined, dtype: ValueSpec["dtype"]): ValueSpec | undefined {
  if (layer === undefined || layer.inputs === ANY_SIZE || hasWindows(layer)) return undefined;
  const { inputs, takes = "f32" } = layer;
  const row = typeof inputs === "number" ? [inputs] : inputs;
  const bytes = takes === "u8" ? { bytes: true as const } : {};
  return { shape: ["batch", ...row], dtype: takes === "any" ? dtype : elementsOf(takes), ...bytes };
}

/** Type of the elements that a layer takes: bytes are f32 once they are gathered. */
function elementsOf(takes: Exclude<Takes, "any">): "f32" | "i32" {
  if (takes === "u8") return "f32";
  return takes === "ragged" ? "i32" : takes;
}

/** Shape and elements of a layer's output for an input. */
export function givenBy(layer: Sized, given: ValueSpec): ValueSpec {
  const { kind, outputs, takes = "f32" } = layer;
  if (layer.infer !== undefined) {
    const { shape, dtype } = layer.infer(given);
    return { shape: checkShape(`${kind}.infer`, shape), dtype };
  }
  const dtype = takes === "any" ? given.dtype : "f32";
  return { shape: shapeGiven(outputs, given.shape), dtype };
}

function shapeGiven(outputs: Given, shape: Shape): Shape {
  if (outputs === "same") return shape;
  if (outputs === "flat") return [...shape.slice(0, 1), elements(shape.slice(1))];
  if (outputs === "channels") return [...shape.slice(0, 1), ...shape.slice(1).slice(-1)];
  if (typeof outputs === "number") return [...shape.slice(0, -1), outputs];
  if ("append" in outputs) return [...shape, outputs.append];
  if ("shape" in outputs) return [...shape.slice(0, 1), ...outputs.shape];
  if ("last" in outputs && outputs.last !== undefined) return [...shape.slice(0, -1), outputs.last];
  if ("windows" in outputs || "last" in outputs) return shape; // as `infer` tells
  return [...shape.slice(0, 1), ...outputs];
}

/** Whether a layer takes elements of a value. */
function fitsElements(takes: Takes, { dtype, ragged, bytes }: ValueSpec): boolean {
  if (ragged !== undefined) return takes === "ragged";
  return takes === "any" || (elementsOf(takes) === dtype && (takes === "u8") === (bytes ?? false));
}

/** Throws the sentence of {@link Chained} if a layer, the one at `position` from 0, does not take what the layer `from` gave. */
function expectTaken(layer: Sized, position: number, from: number, given: ValueSpec, lastOnly = false): void {
  const { shape, dtype, ragged, bytes } = given;
  const { kind, inputs, outputs, takes = "f32" } = layer;
  const refuse = (code: "ERR_DTYPE" | "ERR_SHAPE", taken: string, place: number, gives: string): never => {
    const origin = place === 0 ? "the input has" : `layer ${place} gives`;
    const sentence = `layer ${position + 1} takes ${taken}, but ${origin} ${gives}`;
    throw new CarillonError(code, `layer ${position + 1} (${kind})`, sentence);
  };
  if (!fitsElements(takes, given)) {
    const gives = ragged === undefined ? (bytes ? "u8" : dtype) : "lists";
    refuse("ERR_DTYPE", takes === "ragged" ? "i32" : takes, position, gives);
  }
  const row = shape.slice(1);
  if (typeof inputs !== "number") {
    if (!lastOnly && !sameShape(row, inputs)) refuse("ERR_SHAPE", formatShape(inputs), from, formatShape(row));
  } else if (inputs !== ANY_SIZE && row.at(-1) !== inputs) {
    refuse("ERR_SHAPE", `${inputs} features`, from, `${row.at(-1) ?? formatShape(row)}`);
  }
  if (lastOnly || typeof outputs !== "object" || !("shape" in outputs)) return;
  const count = elements(outputs.shape);
  if (elements(row) !== count) refuse("ERR_SHAPE", `${count} elements`, from, formatShape(row));
}

/** Values between the layers of a chain, as far as they can be told. */
export interface ChainSpecs {
  /** The input of the first layer; `undefined` where nobody says that. */
  readonly input: ValueSpec | undefined;
  /** The output of each layer. */
  readonly outputs: readonly (ValueSpec | undefined)[];
}

/**
 * Checks at run time that every layer takes what the one before it gives, and tells what that is.
 *
 * Throws `ERR_SHAPE` or `ERR_DTYPE` with the sentence of {@link Chained}; layers are counted from 1.
 *
 * @param input What the first layer is given; by default what the first layer with sizes takes, behind layers that pass any row through.
 */
export function checkChain(layers: readonly Sized[], input?: ValueSpec | undefined): ChainSpecs {
  const begin = layers.findIndex((layer) => !passesThrough(layer));
  const { takes = "f32" } = layers.find((layer) => layer.takes !== "any") ?? {};
  const dtype = takes === "any" ? "f32" : elementsOf(takes);
  const isOpen = input === undefined && reachesSteps(layers);
  const first = input ?? (begin < 0 || isOpen ? undefined : rowsOf(layers[begin], dtype));
  let given = first;
  let from = 0;
  let features = isOpen ? featuresTaken(layers) : undefined; // where axes before them are not known
  const outputs = layers.map((layer, position): ValueSpec | undefined => {
    if (given === undefined && (features !== undefined || hasWindows(layer))) {
      if (features !== undefined)
        expectTaken(layer, position, from, { shape: ["batch", features], dtype: "f32" }, true);
      const leaves = hasWindows(layer) || layer.outputs === "same" || typeof layer.outputs === "number";
      features = leaves ? featuresGiven(layer, features) : undefined;
      if (!passesThrough(layer)) from = position + 1;
      return undefined;
    }
    given ??= rowsOf(layer, "f32"); // behind a layer that gives what nobody knows
    if (given === undefined) return undefined;
    expectTaken(layer, position, from, given);
    given = hasWindows(layer) ? windowsGive(layer, position, given) : givenBy(layer, given);
    if (!passesThrough(layer)) from = position + 1;
    return given;
  });
  return { input: first, outputs };
}

/** Whether rows of which only features are known come to a layer of steps, or of windows: they have axes more, and nobody says which. */
export function reachesSteps(layers: readonly Sized[]): boolean {
  for (const layer of layers) {
    const { inputs, outputs, steps } = layer;
    if (typeof inputs !== "number") return false;
    if (steps || hasWindows(layer)) return true;
    if (outputs !== "same" && typeof outputs !== "number") return false;
  }
  return false;
}

/** {@link givenBy} of a layer with windows, whose error says which layer of the chain it is. */
function windowsGive(layer: Sized, position: number, given: ValueSpec): ValueSpec {
  try {
    return givenBy(layer, given);
  } catch (error) {
    if (!(error instanceof CarillonError)) throw error;
    const place = `layer ${position + 1} (${layer.kind})`;
    throw new CarillonError(error.code, place, `${place}: ${error.message}`);
  }
}

/** Whether a layer takes any row and gives it as it is. */
function passesThrough({ inputs, outputs, infer }: Sized): boolean {
  return inputs === ANY_SIZE && outputs === "same" && infer === undefined;
}
