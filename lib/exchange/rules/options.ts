// Options of a layer's description, as rules ask for them.
import { CarillonError } from "../../errors.js";
import type { Place } from "../places.js";

/** The option of a layer as a number. */
export function numberOf({ options, path }: Place, name: string): number {
  const value = options?.[name];
  if (typeof value === "number") return value;
  throw new CarillonError("ERR_STATE", `${path}.${name}`, `expected a number for '${path}.${name}'`);
}

/** The option of a layer as two numbers: one for rows and columns, or [rows, columns]. */
export function pairOf(place: Place, name: string): readonly [number, number] {
  const value = place.options?.[name];
  if (Array.isArray(value)) return [Number(value[0]), Number(value[1])];
  const both = numberOf(place, name);
  return [both, both];
}

/** Whether an option of a layer is true. */
export const isSet = ({ options }: Place, name: string): boolean => options?.[name] === true;

/** The numbers 0, 1, … below `count`. */
export const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, place) => place);

/** Activations that take no option of a name. */
export const ACTIVATIONS: readonly string[] = [
  ...["relu", "relu6", "tanh", "sigmoid", "softplus", "silu", "mish", "selu", "hardTanh", "hardSigmoid", "hardSilu"],
  ...["softmax", "logSoftmax", "leakyRelu", "elu", "gelu"],
];

/** Kinds of dropout. */
export const DROPOUTS: readonly string[] = ["dropout", "spatialDropout", "alphaDropout", "gaussianDropout"];
