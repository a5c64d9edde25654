import { Tensor } from "../tensor/tensor.js";
import { Value } from "../tensor/value.js";

/** A symbol for a tensor among symbols: operations on it are recorded, not executed, so that gradients find them. */
export function recorded(input: Value): Value {
  if (!(input instanceof Tensor)) return input;
  const { shape, dtype } = input;
  const gradient = (_output: Value, flowing: Value): readonly Value[] => [flowing];
  const applied = { name: "constant", inputs: [input], lower: null, gradient, inPlace: null, draw: undefined };
  return new Value(shape, dtype, { kind: "operation", applied });
}
