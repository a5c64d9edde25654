import { CarillonError } from "../errors.js";
import { Tensor } from "../tensor/tensor.js";
import { Value } from "../tensor/value.js";
import { gradients } from "./gradient.js";
import { evaluate } from "./interpret.js";

/** Values in the place of the arguments. */
type Like<A extends readonly Value[]> = { readonly [K in keyof A]: A[K] extends Tensor ? Tensor<"f32"> : Value };

/** A scalar function of values. */
export type ScalarFunction = (...inputs: Value[]) => Value;

function zerosLike(value: Value): Value {
  const sizes = value.shape.filter((dim) => dim !== "batch");
  if (sizes.length !== value.shape.length) {
    throw new CarillonError("ERR_TRACE", "grad", "expected a function that depends on each of its inputs for 'grad'");
  }
  const count = sizes.reduce((product, size) => product * size, 1);
  return new Tensor(new Float32Array(count), sizes, "f32");
}

/**
 * x ↦ [f(x), ∂f/∂x …] of a scalar function made of `ops`, by reverse accumulation. On tensors it computes at once; inside
 * the body of a program it records. It may be nested: the gradient of a gradient is a gradient.
 */
export function valueAndGrad(f: ScalarFunction): <A extends readonly Value[]>(...inputs: A) => [Value, Like<A>] {
  return <A extends readonly Value[]>(...inputs: A): [Value, Like<A>] => {
    const concrete = inputs.every((input) => input instanceof Tensor);
    const symbols = inputs.map((input, index) => {
      return concrete ? new Value(input.shape, input.dtype, { kind: "input", name: `${index}` }) : input;
    });
    const value = f(...symbols);
    const flowing = gradients(value, symbols).map((gradient, index) => gradient ?? zerosLike(symbols[index] ?? value));
    if (!concrete) return [value, flowing as Like<A>];
    const known = new Map(symbols.map((symbol, index) => [symbol, inputs[index]] as const));
    const [result, ...rest] = evaluate([value, ...flowing], known);
    return [result ?? value, rest as Like<A>];
  };
}

/** x ↦ [∂f/∂x …] of a scalar function; see {@link valueAndGrad}. */
export function grad(f: ScalarFunction): <A extends readonly Value[]>(...inputs: A) => Like<A> {
  const both = valueAndGrad(f);
  return <A extends readonly Value[]>(...inputs: A): Like<A> => both<A>(...inputs)[1];
}
