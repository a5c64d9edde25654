import { madeBy } from "../../described.js";
import { CarillonError, fail, messageOf } from "../../errors.js";
import type { Ragged } from "../../tensor/ragged.js";
import { type RowSpec, type RowSpecs, specOf } from "../../tensor/row_spec.js";
import type { Value, ValueSpec } from "../../tensor/value.js";
import { ANY_SIZE, checkChain, type Element, givenBy, type Taken, type Takes } from "./chain.js";
import { checkLayer, expectFew, type Layer, type LayerConfig, sealed } from "./layer.js";
import { namedLayers, nameLayers } from "./naming.js";
import { type Functions, Structure } from "./structure.js";

/** A model without its weights. */
export interface Definition {
  readonly layers: readonly Layer[];
  /** Of the layers, in their order; the same layer twice has one name. */
  readonly names: readonly string[];
  /** The input of each layer, where the model says it. */
  readonly given: readonly ValueSpec[];
  readonly structure: Structure;
  readonly rows: RowSpecs;
  /** `inputs` and `outputs` of the model: features, a shape, or either by name. */
  readonly sizes: { readonly inputs: Sizes; readonly outputs: Sizes };
  /** Layers as files describe them. */
  readonly described: readonly Layer[];
  /** Records the outputs from the inputs, in the order of the rows, by functions of the layers. */
  record(inputs: readonly Value[], functions: Functions): readonly Value[];
  /** The model as a layer of another one. */
  readonly block: Layer;
}

/** What an input holds for every row: so many features, a shape, or a list. */
export type InputSize = Taken | Ragged;

/** Rows of a model: those of one input or output, or of several by name. */
export type Sizes = InputSize | Readonly<Record<string, InputSize>>;

/** Elements of a model's inputs: those of one, or of several by name. */
export type Elements = Element | Readonly<Record<string, Element>>;

/** Values by name. */
export type Values = Readonly<Record<string, Value>>;

/** Layers one after another, and what goes through them as far as they tell. */
export interface LayerChain {
  readonly layers: readonly Layer[];
  readonly names: readonly string[];
  readonly input: ValueSpec | undefined;
  readonly outputs: readonly (ValueSpec | undefined)[];
}

/** Checks a chain of layers: one that is no layer, or does not fit the one before it, is `ERR_OPTION`, `ERR_SHAPE` or `ERR_DTYPE`. */
export function chainOf(where: string, given: readonly unknown[], from?: ValueSpec | undefined): LayerChain {
  const layers = given.map((layer, index) => checkLayer(`${where}: layer ${index + 1}`, layer));
  expectFew(where, layers);
  return { layers, names: nameLayers(layers), ...checkChain(layers, from) };
}

/** Applies layers by their names, in order. */
export function applyChain(names: readonly string[], functions: Functions, x: Value): Value {
  return names.reduce((value, name) => functions[name]?.(value) ?? value, x);
}

/** The definition of `sequential`; `ERR_OPTION` for no layers, `ERR_SHAPE` where nothing says what its rows are. */
export function sequence(
  given: readonly unknown[],
  { input: from, name }: { readonly input?: ValueSpec | undefined; readonly name?: string | undefined } = {},
): Definition {
  const chain = chainOf("sequential", given, from);
  const { layers, names, input, outputs } = chain;
  const gives = outputs.filter((output) => output !== undefined);
  const last = gives.at(-1);
  if (input === undefined || last === undefined || gives.length < layers.length) return refuseRows(layers);
  const structure = new Structure(namedLayers(layers, names));
  const [x, y] = [rowOf("x", input), rowOf("y", last)];
  const block = sealed<Layer>({
    kind: "sequential",
    name,
    inputs: x.ragged === undefined ? featuresOf(x) : ANY_SIZE,
    outputs: featuresOf(y),
    takes: takenBy(x),
    parameters: {},
    layers: structure.layers,
    order: names,
    flow: "chain",
    config: from === undefined ? {} : configOf(x),
    // Of bytes, which are f32 once they are recorded, the chain around it knows that they are some.
    infer: (value) =>
      checkChain(layers, x.bytes ? { ...specOf(x), shape: value.shape } : value).outputs.at(-1) ?? value,
    forward: (value, _parameters, context) => applyChain(names, context.layers, value),
  });
  return {
    layers,
    names,
    given: [input, ...gives.slice(0, -1)],
    structure,
    rows: { inputs: [x], outputs: [y] },
    sizes: { inputs: sizeOf(x), outputs: sizeOf(y) },
    described: layers,
    record: (inputs, functions) => inputs.map((value) => applyChain(names, functions, value)),
    block: madeBy("sequential", { layers, input: inputOf(x, from), name }, block),
  };
}

function refuseRows(layers: readonly Layer[]): never {
  if (layers.length === 0) fail("ERR_OPTION", "sequential", "a layer or more", layers);
  const first = layers.find(({ steps }) => steps);
  if (first !== undefined) {
    try {
      givenBy(first, { shape: ["batch", Number(first.inputs)], dtype: "f32" });
    } catch (error) {
      if (messageOf(error).includes("sequential({ input")) throw error; // its own sentence says what is missing
    }
  }
  const expected =
    first === undefined && layers.every(({ outputs }) => outputs === "same")
      ? "expected a layer with sizes in 'sequential', such as linear(4, 2)"
      : "expected { input }, the shape of a row, as the first argument of 'sequential', as its first layers take any";
  throw new CarillonError("ERR_SHAPE", "sequential", expected);
}

/** Elements that a layer takes of such rows. */
export const takenBy = ({ dtype, ragged, bytes }: RowSpec): Exclude<Takes, "any"> =>
  ragged !== undefined ? "ragged" : bytes ? "u8" : dtype;

/** The option that says what its rows are, where it was given. */
function inputOf({ shape, ragged, bytes }: RowSpec, from: ValueSpec | undefined): unknown {
  if (from === undefined || ragged !== undefined) return ragged;
  if (bytes) return { shape: from.shape, dtype: "u8" };
  return from.dtype === "f32" ? shape : from;
}

/** A row of a value of [batch, …]. */
export function rowOf(name: string, { shape, dtype, ragged, bytes }: ValueSpec): RowSpec {
  const row = { name, shape: shape.slice(1).map(Number), dtype: dtype === "i32" ? "i32" : "f32" } as const;
  return { ...row, ...(ragged === undefined ? {} : { ragged }), ...(bytes ? { bytes } : {}) };
}

/** Row of a block as its description in a file has it. */
function configOf({ shape, dtype, ragged, bytes }: RowSpec): LayerConfig {
  if (ragged === undefined) return { input: shape, dtype: bytes ? "u8" : dtype };
  return { ragged: ragged.ragged, ...(ragged.longest === undefined ? {} : { longest: ragged.longest }) };
}

/** Elements of a row with one axis, otherwise its shape; what lists are. */
export const sizeOf = (row: RowSpec): InputSize => row.ragged ?? featuresOf(row);

/** Elements of a row with one axis, otherwise its shape. */
export function featuresOf({ shape }: RowSpec): Taken {
  const [size] = shape;
  return shape.length === 1 && size !== undefined ? size : shape;
}
