import { fail } from "../errors.js";
import type { Of } from "../ops/apply.js";
import { broadcast, recorded } from "../ops/broadcast.js";
import { checkFunction } from "../options.js";
import { Tensor } from "../tensor/tensor.js";
import { Value } from "../tensor/value.js";
import { gradients } from "./gradient.js";
import { evaluate } from "./interpret.js";

/** One in the place of each argument: with data where all arguments have some, otherwise symbols. */
type Like<A extends readonly Value[]> = { readonly [K in keyof A]: Of<A[number]> };

/** A scalar function of values. */
export type ScalarFunction = (...inputs: Value[]) => Value;

function zerosLike(value: Value): Value {
  return broadcast(new Tensor(Float32Array.of(0), [], "f32"), value.shape);
}

/**
 * x ↦ [f(x), ∂f/∂x …] of a scalar function made of `ops`, by reverse accumulation. On tensors it computes at once; inside
 * the body of a program it records. It may be nested: the gradient of a gradient is a gradient.
 */
export function valueAndGrad(
  f: ScalarFunction,
): <A extends readonly Value[]>(...inputs: A) => [Of<A[number]>, Like<A>] {
  checkFunction("grad", f);
  return <A extends readonly Value[]>(...inputs: A): [Of<A[number]>, Like<A>] => {
    for (const input of inputs) {
      if (!(input instanceof Value)) fail("ERR_OPTION", "grad", "tensors or symbolic values as arguments", input);
    }
    const concrete = inputs.every((input) => input instanceof Tensor);
    const symbols = inputs.map((input, index) => {
      return concrete ? new Value(input.shape, input.dtype, { kind: "input", name: `${index}` }) : recorded(input);
    });
    const value: unknown = f(...symbols);
    if (!(value instanceof Value)) fail("ERR_OPTION", "grad", "a function that gives a scalar value", value);
    const flowing = gradients(value, symbols).map((gradient, index) => gradient ?? zerosLike(symbols[index] ?? value));
    if (!concrete) return [value as Of<A[number]>, flowing as Like<A>];
    const known = new Map(symbols.map((symbol, index) => [symbol, inputs[index]] as const));
    const [result, ...rest] = evaluate([value, ...flowing], known);
    return [(result ?? value) as Of<A[number]>, rest as Like<A>];
  };
}

/** x ↦ [∂f/∂x …] of a scalar function; see {@link valueAndGrad}. */
export function grad(f: ScalarFunction): <A extends readonly Value[]>(...inputs: A) => Like<A> {
  const both = valueAndGrad(f);
  return <A extends readonly Value[]>(...inputs: A): Like<A> => both<A>(...inputs)[1];
}
