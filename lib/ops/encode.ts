import { nativeInfo } from "../binding/native.js";
import { CarillonError } from "../errors.js";
import type { Instruction, Value } from "../tensor/value.js";

function numbered(names: readonly string[]): ReadonlyMap<string, number> {
  return new Map(names.map((name, index) => [name, index]));
}

const OPERATIONS = numbered(nativeInfo.operations);
const UNARY = numbered(nativeInfo.unary);
const BINARY = numbered(nativeInfo.binary);
const ACTIVATIONS = numbered(nativeInfo.activations);
const OPTIMIZERS = numbered(nativeInfo.optimizers);

function lookUp(list: ReadonlyMap<string, number>, name: string): number {
  const number = list.get(name);
  if (number === undefined) {
    throw new CarillonError("ERR_NATIVE", name, `the native binary is older than this package: it has no '${name}'`);
  }
  return number;
}

/** Numbers of the native lists by name: the lists themselves are native. */
export const unaryId = (name: string): number => lookUp(UNARY, name);
export const binaryId = (name: string): number => lookUp(BINARY, name);
export const activationId = (name: string): number => lookUp(ACTIVATIONS, name);
export const optimizerId = (name: string): number => lookUp(OPTIMIZERS, name);

/** Appends the words of `instruction` (native/program/decode.h) to `words`. */
export function encode(instruction: Instruction, indexOf: (value: Value) => number, words: number[]): void {
  const { operation, views, ints, doubles } = instruction;
  words.push(lookUp(OPERATIONS, operation), views.length, ints.length, doubles.length);
  for (const view of views) words.push(view === null ? -1 : indexOf(view));
  words.push(...ints);
  if (doubles.length > 0) words.push(...new Int32Array(Float64Array.from(doubles).buffer));
}
