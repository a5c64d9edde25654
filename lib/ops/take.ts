import { CarillonError } from "../errors.js";
import { elements, extent, formatShape, type Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Rule, Value } from "../tensor/value.js";
import { apply, at, checkValue, expectDtype, f32 } from "./apply.js";
import type { Moved } from "./arrange.js";
import { instruction } from "./encode.js";

/** The numbers of both instructions: how many indices, of which rows. */
function takeNumbers(
  indices: Shape,
  table: Shape,
): { readonly count: number; readonly tableRows: number; readonly columns: number; readonly width: number } {
  return {
    count: extent(indices),
    tableRows: extent(table.slice(0, 1)),
    columns: elements(table.slice(1)),
    width: elements(indices.slice(1)),
  };
}

const takeRule: Rule<"take"> = {
  name: "take",
  infer(inputs) {
    const [table, indices] = [at(inputs, 0), at(inputs, 1)];
    expectDtype("take.indices", indices, "i32");
    if (table.dtype === "u8") expectDtype("take", table, "f32");
    if (table.shape.length === 0) {
      throw new CarillonError(
        "ERR_SHAPE",
        "take",
        `expected an axis or more for 'take' but received ${formatShape([])}`,
      );
    }
    return [{ shape: [...indices.shape, ...table.shape.slice(1)], dtype: table.dtype }];
  },
  lower(inputs, outputs) {
    const [table, indices, y] = [at(inputs, 0), at(inputs, 1), at(outputs, 0)];
    return instruction("take", { table, indices, y }, takeNumbers(indices.shape, table.shape));
  },
  gradient(inputs, _outputs, flows) {
    const [table, indices] = [at(inputs, 0), at(inputs, 1)];
    return [apply(takeGradientRule, [at(flows, 0), indices], { shape: table.shape }), undefined];
  },
};

/** The gradient of the table: each row is one chain from +0 over the gradients of the indices that name it, ascending. */
const takeGradientRule: Rule<"takeGradient"> = {
  name: "takeGradient",
  infer(inputs, { shape }) {
    expectDtype("takeGradient", at(inputs, 0), "f32");
    expectDtype("takeGradient.indices", at(inputs, 1), "i32");
    return f32(shape);
  },
  lower(inputs, outputs) {
    const [gradient, indices, y] = [at(inputs, 0), at(inputs, 1), at(outputs, 0)];
    return instruction("take_gradient", { gradient, indices, y }, takeNumbers(indices.shape, y.shape));
  },
  gradient: (inputs, _outputs, flows) => [take(at(flows, 0), at(inputs, 1)), undefined],
};

/**
 * The rows of a table, [n, …], that integers name: [n, …] and […] i32 give […, …]. An integer outside [0, n) is `ERR_DATA`, which
 * names its row and column, and is found before anything is read. The gradient of a row is the sum over the integers that name
 * it, one chain from +0 in their order.
 */
export function take<T extends Value, I extends Value>(table: T, indices: I): [I] extends [Tensor] ? Moved<T> : Value {
  checkValue("take", table);
  checkValue("take.indices", indices);
  return apply(takeRule, [table, indices], null) as [I] extends [Tensor] ? Moved<T> : Value;
}

/** {@link take}'s gradient with respect to its table, a value of `shape`. */
export const takeGradient = (gradient: Value, indices: Value, shape: Shape): Value =>
  apply(takeGradientRule, [gradient, indices], { shape });

/** Rules of this file, for the tests that walk all operations. */
export const takeRules = { take: takeRule, takeGradient: takeGradientRule } as const;
