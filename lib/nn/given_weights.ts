import { CarillonError, describe, fail } from "../errors.js";
import { asFloat32, type StoredTensor } from "../io/element_types.js";
import { isFloats } from "../tensor/arrays.js";
import { formatShape, sameShape } from "../tensor/shape.js";
import { isPlainTensor, type PlainTensor, Tensor, tensor } from "../tensor/tensor.js";
import { nearest } from "../words.js";
import type { ParameterInfo } from "./slab.js";

/** Tensors, also as `structuredClone` and `postMessage` have copied them, or flat arrays. */
type Given = PlainTensor | Float32Array;

/** Weights by the names of parameters: tensors of their shapes, or flat arrays of as many elements. */
export type GivenWeights = ReadonlyMap<string, Given> | Readonly<Record<string, Given>>;

/** Names that a message lists. */
const LISTED = 5;

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
  const count = shape.reduce((product, size) => product * size, 1);
  return data.length === count ? data : fail("ERR_STATE", where, `${count} elements, ${wanted},`, data);
}

/** The weights of a file as f32, if they are those of exactly these parameters; otherwise `ERR_FILE`. */
export function storedWeights(
  where: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  parameters: readonly ParameterInfo[],
): ReadonlyMap<string, Float32Array> {
  expectNames(
    "ERR_FILE",
    where,
    [...tensors].map(([name, { shape }]) => ({ name, shape })),
    parameters,
  );
  return new Map(
    parameters.map(({ name, shape }) => {
      const stored = tensors.get(name);
      const floats = stored !== undefined && sameShape(stored.shape, shape) ? asFloat32(stored) : undefined;
      if (floats === undefined) {
        const received = stored === undefined ? "nothing" : `${stored.dtype} ${formatShape(stored.shape)}`;
        refuse("ERR_FILE", where, `${name} as f32 ${formatShape(shape)}`, received);
      }
      const infinite =
        stored?.dtype === "f64" ? floats.findIndex((value, at) => isOverflow(value, stored.data[at])) : -1;
      if (infinite >= 0) refuse("ERR_FILE", where, `${name} in the range of f32`, describe(stored?.data[infinite]));
      return [name, floats];
    }),
  );
}

/** Whether a finite number has become infinite. */
function isOverflow(rounded: number, exact: number | bigint | undefined): boolean {
  return !Number.isFinite(rounded) && Number.isFinite(exact);
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
  const missing = parameters.filter(({ name }) => !given.some((one) => one.name === name));
  const extra = given.filter(({ name }) => !parameters.some((one) => one.name === name));
  if (missing.length === 0 && extra.length === 0) return;
  const strange = listed(extra.map((one) => named(one) + hint(one, missing)));
  const wanted = missing.length === 0 ? "the parameters of the model alone" : listed(missing.map(named));
  refuse(code, where, wanted, extra.length === 0 ? "nothing of that name" : strange);
}

function named({ name, shape }: Named): string {
  return shape === undefined ? name : `${name} ${formatShape(shape)}`;
}

/** The parameter that is meant: the only one of the shape, or the nearest in name of those that fit. */
function hint({ name, shape }: Named, among: readonly ParameterInfo[]): string {
  const alike = among.filter((one) => shape !== undefined && sameShape(one.shape, shape));
  const fitting = (alike.length > 0 ? alike : among).map((one) => one.name);
  const meant = alike.length === 1 ? fitting[0] : nearest(name, fitting);
  return meant === undefined ? "" : ` (${meant}?)`;
}

function listed(names: readonly string[]): string {
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : "";
  return names.slice(0, LISTED).join(", ") + more;
}

function refuse(code: "ERR_FILE" | "ERR_STATE", where: string, expected: string, received: string): never {
  throw new CarillonError(code, where, `expected ${expected} for '${where}' but received ${received}`);
}
