import type { Rule } from "../tensor/value.js";
import { apply, at, expectDtype, f32, type Of, type Operand, toValue } from "./apply.js";
import { broadcastShape, reduceTo, spreadAxes } from "./broadcast.js";
import { instruction } from "./encode.js";

const whereRule: Rule<"where"> = {
  name: "where",
  infer(inputs) {
    for (const value of inputs) expectDtype("where", value, "f32");
    const [condition, a, b] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
    return f32(broadcastShape("where", broadcastShape("where", condition.shape, a.shape), b.shape));
  },
  lower(inputs, outputs) {
    const [condition, a, b, y] = [at(inputs, 0), at(inputs, 1), at(inputs, 2), at(outputs, 0)];
    const { outer, first, rest } = spreadAxes("where", [condition.shape, a.shape, b.shape], y.shape);
    const strides = ([strideCondition = 0, strideA = 0, strideB = 0]: readonly number[]) => {
      return { strideCondition, strideA, strideB };
    };
    const axes = rest.map((axis) => ({ size: axis.size, ...strides(axis.strides) }));
    return instruction("where", { condition, a, b, y }, { outer, ...strides(first), axes });
  },
  // What was not chosen gets exactly 0, whatever flows.
  gradient(inputs, _outputs, flows) {
    const [condition, a, b, gradient] = [at(inputs, 0), at(inputs, 1), at(inputs, 2), at(flows, 0)];
    return [
      undefined,
      reduceTo(where(condition, gradient, 0), a.shape),
      reduceTo(where(condition, 0, gradient), b.shape),
    ];
  },
  inPlace: 1,
};

/**
 * y = condition ≠ 0 ? a : b, NaN ≠ 0: a choice and no product, so that a NaN or an infinity in what is not chosen changes nothing,
 * in gradients neither. Shapes as for {@link add}; the condition is f32, as comparisons give it, and has no gradient.
 */
export function where<C extends Operand, A extends Operand, B extends Operand>(
  condition: C,
  a: A,
  b: B,
): Of<C | A | B> {
  return apply(whereRule, [toValue(condition), toValue(a), toValue(b)], null) as Of<C | A | B>;
}

/** Rules of this file, for the tests that walk all operations. */
export const whereRules = { where: whereRule } as const;
