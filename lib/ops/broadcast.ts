import type { NativeLists } from "../binding/operations.js";
import { CarillonError } from "../errors.js";
import { asMatrix, extent, formatShape, isBatched, type Shape, sameShape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import type { Instruction, Rule, Value } from "../tensor/value.js";
import { apply, at, expectDtype, f32, record } from "./apply.js";
import { instruction } from "./encode.js";

/** How an operand covers a result of [rows, columns]: native/ops/spreads.def. */
export type Spread = NativeLists["spreads"];

/** How `shape` spreads over `target`, or `undefined` if it does not. */
export function spreadOf(shape: Shape, target: Shape): Spread | undefined {
  if (sameShape(shape, target)) return "full";
  if (extent(shape) === 1) return "scalar";
  const last = target.at(-1);
  if (target.length >= 2 && extent(shape) === last && shape.at(-1) === last) return "row";
  if (target.length >= 2 && sameShape(shape, [...target.slice(0, -1), 1])) return "column";
  return undefined;
}

/**
 * The shape of an elementwise result: that of the operand which the other one equals or spreads over (a scalar, a row
 * [n] over [m, n], a column [m, 1] over [m, n]). Anything else is `ERR_SHAPE`.
 */
export function broadcastShape(where: string, a: Shape, b: Shape): Shape {
  if (spreadOf(b, a) !== undefined && !(spreadOf(a, b) !== undefined && b.length > a.length)) return a;
  if (spreadOf(a, b) !== undefined) return b;
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected equal shapes, a scalar, a row [n] or a column [m, 1] for '${where}' but received ` +
      `${formatShape(a)} and ${formatShape(b)}`,
  );
}

/** y = f(a, b), a and b spread over y. */
export function binaryInstruction(f: NativeLists["binary"], a: Value, b: Value, y: Value): Instruction {
  const { rows, columns } = asMatrix(y.shape);
  const spreadA = spreadOf(a.shape, y.shape) ?? "full";
  const spreadB = spreadOf(b.shape, y.shape) ?? "full";
  return instruction("binary", { a, b, y }, { rows, columns, function: f, spreadA, spreadB });
}

const reshapeRule: Rule<"reshape"> = {
  name: "reshape",
  infer(inputs, { shape }) {
    const from = at(inputs, 0);
    if (extent(from.shape) !== extent(shape) || isBatched(from.shape) !== isBatched(shape)) {
      throw new CarillonError(
        "ERR_SHAPE",
        "reshape",
        `expected as many elements as ${formatShape(from.shape)} for 'reshape' but received ${formatShape(shape)}`,
      );
    }
    return [{ shape, dtype: from.dtype }];
  },
  lower: null,
  gradient: (inputs, _outputs, flows) => [reshape(at(flows, 0), at(inputs, 0).shape)],
};

/** The same elements under another shape; `'batch'` stays the first axis. */
export function reshape(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : apply(reshapeRule, [x], { shape });
}

const broadcastRule: Rule<"broadcast"> = {
  name: "broadcast",
  infer(inputs, { shape }) {
    expectDtype("broadcast", at(inputs, 0), "f32");
    broadcastShape("broadcast", shape, at(inputs, 0).shape);
    return f32(shape);
  },
  // max(x, x) is x: a copy with the spreads of an elementwise function.
  lower: (inputs, outputs) => binaryInstruction("maximum", at(inputs, 0), at(inputs, 0), at(outputs, 0)),
  gradient: (inputs, _outputs, flows) => [reduceTo(at(flows, 0), at(inputs, 0).shape)],
};

/** A symbol for `x`, even if it is a tensor. */
export function recorded(x: Value): Value {
  return x instanceof Tensor ? record(reshapeRule, [x], { shape: x.shape }) : x;
}

/** `x` repeated over `shape`: a scalar everywhere, a row [n] down [m, n], a column [m, 1] across [m, n]. */
export function broadcast(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : apply(broadcastRule, [x], { shape });
}

const sumRule: Rule<"sum"> = {
  name: "sum",
  infer(inputs, { axis }) {
    const { shape } = at(inputs, 0);
    expectDtype("sum", at(inputs, 0), "f32");
    if (axis === "all") return f32([]);
    if (shape.length < 2) {
      throw new CarillonError(
        "ERR_SHAPE",
        "sum",
        `expected two axes or more for 'sum' but received ${formatShape(shape)}`,
      );
    }
    return f32(axis === "last" ? shape.slice(0, -1) : shape.slice(-1));
  },
  lower(inputs, outputs, { axis }) {
    const [x, y] = [at(inputs, 0), at(outputs, 0)];
    if (axis === "all") return instruction("sum", { x, sum: y }, { count: extent(x.shape) });
    return instruction(axis === "last" ? "row_sum" : "column_sum", { x, y }, asMatrix(x.shape));
  },
  gradient(inputs, outputs, flows, { axis }) {
    const flowing = at(flows, 0);
    const { shape } = at(inputs, 0);
    return [broadcast(axis === "last" ? reshape(flowing, [...at(outputs, 0).shape, 1]) : flowing, shape)];
  },
};

/** Sums over all axes (`[]`), over the last one, or over all but the last (`[n]`). */
export function sumOver(x: Value, axis: "all" | "first" | "last"): Value {
  return apply(sumRule, [x], { axis });
}

/** The gradient of a broadcast: `gradient` summed over what `shape` was spread over. */
export function reduceTo(gradient: Value, shape: Shape): Value {
  switch (spreadOf(shape, gradient.shape)) {
    case "scalar":
      return reshape(sumOver(gradient, "all"), shape);
    case "row":
      return reshape(sumOver(gradient, "first"), shape);
    case "column":
      return reshape(sumOver(gradient, "last"), shape);
    default:
      return gradient;
  }
}

/** Rules of this file, for the tests that walk all operations. */
export const broadcastRules = { reshape: reshapeRule, broadcast: broadcastRule, sum: sumRule } as const;
