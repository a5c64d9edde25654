import type { Value } from "../../tensor/value.js";

/** Kind of probabilities that the last operation of a network gives: by row, their logarithms, or each one by itself. */
export type Ending = "softmax" | "logSoftmax" | "sigmoid";

/** Operations whose results are probabilities, or their logarithms. */
const ENDINGS: Readonly<Record<string, Ending>> = {
  softmax: "softmax",
  logSoftmax: "logSoftmax",
  sigmoid: "sigmoid",
  hardSigmoid: "sigmoid",
};

/** The operation that gives a value, behind reshapes and the choice of rows (`chooseRows`). */
export function operationOf(value: Value): string | undefined {
  return givenBy(value)?.operation;
}

/** The same with its inputs. */
export function givenBy(value: Value): { readonly operation: string; readonly inputs: readonly Value[] } | undefined {
  if (value.source.kind !== "operation") return undefined;
  const { operation, inputs } = value.source.applied;
  const [input] = inputs;
  const through = operation === "reshape" || operation === "reluGradient";
  return through && input !== undefined ? givenBy(input) : { operation, inputs };
}

/** The ending of a value whose operation makes probabilities; else `undefined`. */
export function endingOf(value: Value): Ending | undefined {
  const name = operationOf(value);
  return name !== undefined && Object.hasOwn(ENDINGS, name) ? ENDINGS[name] : undefined;
}
