import { CarillonError, fail, shortened } from "../../errors.js";
import { isFloating, type StoredTensor } from "../../io/element_types.js";
import { isFloats } from "../../tensor/arrays.js";
import { extent, formatShape, sameShape } from "../../tensor/shape.js";
import { isPlainTensor, type PlainTensor, Tensor, tensor } from "../../tensor/tensor.js";
import { nearest } from "../../words.js";
import type { ParameterInfo } from "./slab.js";

/** Tensors, also as `structuredClone` and `postMessage` have copied them, or flat arrays. */
type Given = PlainTensor | Float32Array;

/** Weights by the names of parameters: tensors of their shapes, or flat arrays of as many elements. */
export type GivenWeights = ReadonlyMap<string, Given> | Readonly<Record<string, Given>>;

/** Names that a message lists. */
const LISTED = 5;

/** Characters of a name that a message shows, and names that one may be meant of. */
const SHOWN = 100;
const COMPARED = 1000;

/** Those of exactly these parameters, by their names; nothing is copied. `ERR_OPTION`, `ERR_STATE` and `ERR_DTYPE` name what is wrong. */
export function checkWeights(
  where: string,
  given: GivenWeights,
  parameters: readonly ParameterInfo[],
): ReadonlyMap<string, Float32Array> {
  const values = new Map(
    [...entriesOf(where, given)].map(([name, value]) => [name, isPlainTensor(value) ? tensor(value) : value]),
  );
  const shapes = [...values].map(([name, value]) => ({
    name,
    shape: value instanceof Tensor ? value.shape : undefined,
  }));
  expectNames("ERR_STATE", where, shapes, parameters);
  return new Map(parameters.map(({ name, shape }) => [name, elementsOf(`${where}.${name}`, values.get(name), shape)]));
}

function entriesOf(where: string, given: unknown): ReadonlyMap<string, unknown> {
  if (process.getBuiltinModule("node:util").types.isMap(given)) {
    return new Map([...given].map(([name, value]) => [String(name), value]));
  }
  const isRecord = typeof given === "object" && given !== null && !Array.isArray(given) && !(given instanceof Tensor);
  if (isRecord && !ArrayBuffer.isView(given)) return new Map(Object.entries(given));
  return fail("ERR_OPTION", where, "a Map or an object of weights by name", given);
}

function elementsOf(where: string, value: unknown, shape: readonly number[]): Float32Array {
  const wanted = `f32 ${formatShape(shape)}`;
  if (value instanceof Tensor && !sameShape(value.shape, shape)) {
    throw new CarillonError(
      "ERR_STATE",
      where,
      `expected ${wanted} for '${where}' but received ${formatShape(value.shape)}`,
    );
  }
  const data = value instanceof Tensor ? value.attached : value;
  if (!isFloats(data)) return fail("ERR_DTYPE", where, `a tensor or Float32Array, ${wanted},`, data);
  const count = extent(shape);
  return data.length === count ? data : fail("ERR_STATE", where, `${count} elements, ${wanted},`, data);
}

/** `ERR_FILE` unless the weights of a file are those of exactly these parameters, as floats. */
export function expectWeights(
  where: string,
  stored: ReadonlyMap<string, Pick<StoredTensor, "dtype" | "shape">>,
  parameters: readonly ParameterInfo[],
): void {
  expectNames(
    "ERR_FILE",
    where,
    [...stored].map(([name, { shape }]) => ({ name, shape })),
    parameters,
  );
  for (const { name, shape } of parameters) {
    const found = stored.get(name);
    if (found !== undefined && sameShape(found.shape, shape) && isFloating(found.dtype)) continue;
    const received = found === undefined ? "nothing" : `${found.dtype} ${formatShape(found.shape)}`;
    refuse("ERR_FILE", where, `${name} as f32 ${formatShape(shape)}`, received);
  }
}

/** A name that somebody gave, and the shape if it has one. */
interface Named {
  readonly name: string;
  readonly shape: readonly number[] | undefined;
}

/** Refuses names that are missing or too many, and tells which may be meant. */
function expectNames(
  code: "ERR_FILE" | "ERR_STATE",
  where: string,
  given: readonly Named[],
  parameters: readonly ParameterInfo[],
): void {
  const [ours, theirs] = [parameters, given].map((all) => new Set(all.map(({ name }) => name)));
  const missing = parameters.filter(({ name }) => theirs?.has(name) !== true);
  const extra = given.filter(({ name }) => ours?.has(name) !== true);
  if (missing.length === 0 && extra.length === 0) return;
  const strange = listed(extra, (one) => named(one) + hint(one, missing.slice(0, COMPARED)));
  const wanted = missing.length === 0 ? "the parameters of the model alone" : listed(missing, named);
  refuse(code, where, wanted, extra.length === 0 ? "nothing of that name" : strange);
}

function named({ name, shape }: Named): string {
  const shown = shortened(name, SHOWN);
  return shape === undefined ? shown : `${shown} ${formatShape(shape)}`;
}

/** The parameter that is meant: the only one of the shape, or the nearest in name of those that fit. */
function hint({ name, shape }: Named, among: readonly ParameterInfo[]): string {
  const alike = among.filter((one) => shape !== undefined && sameShape(one.shape, shape));
  const fitting = (alike.length > 0 ? alike : among).map((one) => one.name);
  const meant = alike.length === 1 ? fitting[0] : nearest(name, fitting);
  return meant === undefined ? "" : ` (${meant}?)`;
}

function listed<T>(all: readonly T[], inWords: (one: T) => string): string {
  const more = all.length > LISTED ? ` and ${all.length - LISTED} more` : "";
  return all.slice(0, LISTED).map(inWords).join(", ") + more;
}

function refuse(code: "ERR_FILE" | "ERR_STATE", where: string, expected: string, received: string): never {
  throw new CarillonError(code, where, `expected ${expected} for '${where}' but received ${received}`);
}
