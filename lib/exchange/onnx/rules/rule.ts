import type { OperationName } from "../../../tensor/attributes.js";
import type { Applied, Value } from "../../../tensor/value.js";
import type { GraphWriter } from "../graph.js";

/** Writes an operation as nodes, and says what its outputs are called. */
export type Written<K extends OperationName> = (graph: GraphWriter, applied: Applied<K>) => void;

/** Writes any operation; a type of its own, as what {@link Written} is of one operation it is not of all. */
export type WrittenAny = (graph: GraphWriter, applied: Applied) => void;

/** Why an operation has no form in ONNX. */
export interface Without {
  readonly without: string;
}

/** Rules of some operations. */
export type Rules<K extends OperationName> = { readonly [P in K]: Written<P> | Without };

/** The input at a place, which operations of a kind have. */
export function inputAt(inputs: readonly Value[], place: number): Value {
  const value = inputs[place];
  if (value === undefined) throw new Error(`an operation lacks its input ${place}`);
  return value;
}

/** Of operations that stand in gradients alone. */
export const OF_GRADIENTS: Without = { without: "it stands in gradients alone, which no answer is made of" };

/** Of operations that stand in training alone. */
export const OF_TRAINING: Without = { without: "it stands in training alone, and answers have none" };
