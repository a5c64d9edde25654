import type { NativeLists } from "../binding/operations.js";
import { CarillonError } from "../errors.js";
import { asMatrix, type Dim, extent, formatShape, isBatched, type Shape, sameShape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import type { Instruction, Rule, Value } from "../tensor/value.js";
import { apply, applyUnchanged, at, expectDtype, f32, record } from "./apply.js";
import { around, joined, stridesOf } from "./axis.js";
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

/** The size of an axis over which axes of sizes a and b are laid, one of them 1 where they differ; `undefined`: they do not fit. */
function common(a: Dim, b: Dim): Dim | undefined {
  return a === b || b === 1 ? a : a === 1 ? b : undefined;
}

/** The shape that a and b spread over, aligned at their last axes; `undefined` if there is none. */
export function spreadShape(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const dims: Dim[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const dim = common(a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1);
    if (dim === undefined || (dim === "batch" && axis > 0)) return undefined;
    dims.push(dim);
  }
  return dims;
}

/**
 * The shape of an elementwise result of operands whose shapes, aligned at their last axes, differ by axes of 1 or that one of
 * them lacks: as many axes as the longer has, the larger size of each. Anything else is `ERR_SHAPE`.
 */
export function broadcastShape(where: string, a: Shape, b: Shape): Shape {
  if (b.length === 0 || sameShape(a, b)) return a;
  const shape = spreadShape(a, b);
  if (shape !== undefined) return shape;
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected shapes that are equal or differ by axes of 1 for '${where}' but received ` +
      `${formatShape(a)} and ${formatShape(b)}`,
  );
}

/** How far apart the elements of an operand lie along each axis of what it is spread over; 0: it is repeated. */
function spreadStrides(shape: Shape, target: Shape): readonly number[] {
  if (extent(shape) === 1) return target.map(() => 0);
  const own = stridesOf(shape);
  // A row has axes of 1 in front that its target may lack.
  const skipped = shape.length - target.length;
  return target.map((_, axis) => {
    const place = axis + skipped;
    return (shape[place] ?? 1) === 1 ? 0 : (own[place] ?? 0);
  });
}

/** The axes of `target` for operands that are spread over it, from the outermost on: the first is that of an instruction's `outer`. */
export function spreadAxes(
  where: string,
  operands: readonly Shape[],
  target: Shape,
): {
  readonly outer: number;
  readonly first: readonly number[];
  readonly rest: readonly { readonly size: number; readonly strides: readonly number[] }[];
} {
  const strides = operands.map((shape) => spreadStrides(shape, target));
  const axes = joined(
    where,
    target.map((dim, axis) => ({ size: extent([dim]), strides: strides.map((each) => each[axis] ?? 0) })),
  );
  const [first, ...rest] = axes;
  return { outer: first?.size ?? 1, first: first?.strides ?? operands.map(() => 0), rest };
}

/** y = f(a, b), a and b spread over y. */
export function binaryInstruction(f: NativeLists["binary"], a: Value, b: Value, y: Value): Instruction {
  const spreadA = spreadOf(a.shape, y.shape);
  const spreadB = spreadOf(b.shape, y.shape);
  if (spreadA !== undefined && spreadB !== undefined) {
    const { rows, columns } = asMatrix(y.shape);
    return instruction("binary", { a, b, y }, { rows, columns, function: f, spreadA, spreadB });
  }
  const { outer, first, rest } = spreadAxes(f, [a.shape, b.shape], y.shape);
  const [strideA = 0, strideB = 0] = first;
  const axes = rest.map(({ size, strides: [left = 0, right = 0] }) => ({ size, strideA: left, strideB: right }));
  return instruction("binary_spread", { a, b, y }, { outer, function: f, strideA, strideB, axes });
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
    if (!sameShape(broadcastShape("broadcast", shape, at(inputs, 0).shape), shape)) {
      throw new CarillonError(
        "ERR_SHAPE",
        "broadcast",
        `expected a shape that ${formatShape(at(inputs, 0).shape)} spreads over for 'broadcast' but received ${formatShape(shape)}`,
      );
    }
    return f32(shape);
  },
  // max(x, x) is x: a copy with the spreads of an elementwise function.
  lower: (inputs, outputs) => binaryInstruction("maximum", at(inputs, 0), at(inputs, 0), at(outputs, 0)),
  gradient: (inputs, _outputs, flows) => [reduceTo(at(flows, 0), at(inputs, 0).shape)],
};

/** The memory of `x` as a value of its own. */
export function renamed(x: Value): Value {
  return apply(reshapeRule, [x], { shape: x.shape });
}

/** A symbol for `x`, even if it is a tensor. */
export function recorded(x: Value): Value {
  return x instanceof Tensor ? record(reshapeRule, [x], { shape: x.shape }) : x;
}

/** `x` repeated over `shape` along the axes of 1 and those that it lacks in front. */
export function broadcast(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : apply(broadcastRule, [x], { shape });
}

/** {@link broadcast} for callers, whose tensors and weights it does not share. */
export function broadcastOrCopy(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? applyUnchanged(broadcastRule, x, { shape }) : apply(broadcastRule, [x], { shape });
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

/** Σ over axes [from, to) in the middle of x: one chain a column, restarted every 128 rows. */
const axisSumRule: Rule<"axisSum"> = {
  name: "axisSum",
  infer(inputs, { from, to }) {
    const { shape } = at(inputs, 0);
    expectDtype("sum", at(inputs, 0), "f32");
    return f32([...shape.slice(0, from), ...shape.slice(to)]);
  },
  lower(inputs, outputs, { from, to }) {
    const [x, y] = [at(inputs, 0), at(outputs, 0)];
    const { outer } = around(x.shape, from);
    const { inner } = around(x.shape, to - 1);
    return instruction("axis_sum", { x, y }, { outer, rows: extent(x.shape.slice(from, to)), columns: inner });
  },
  gradient(inputs, _outputs, flows, { from, to }) {
    const { shape } = at(inputs, 0);
    const kept = shape.map((dim, axis): Dim => (axis >= from && axis < to ? 1 : dim));
    return [broadcast(reshape(at(flows, 0), kept), shape)];
  },
};

/** Σ over the neighbouring axes [from, to), without them. */
function sumRun(x: Value, from: number, to: number): Value {
  const { shape } = x;
  const rest = [...shape.slice(0, from), ...shape.slice(to)];
  if (rest.length === 0) return sumOver(x, "all");
  if (from === 0) {
    // The first axes, a batch among them: what is behind them is one row.
    const row = extent(shape.slice(to));
    return reshape(sumOver(reshape(x, [...shape.slice(0, to), row]), "first"), rest);
  }
  if (to === shape.length) return sumOver(reshape(x, [...shape.slice(0, from), extent(shape.slice(from))]), "last");
  return apply(axisSumRule, [x], { from, to });
}

/**
 * Σ over `axes`, ascending, without them: neighbours as one sum, the last of these sums first. All axes are one sum of contiguous
 * elements.
 */
export function sumAxes(x: Value, axes: readonly number[]): Value {
  let result = x;
  let to = axes.length;
  while (to > 0) {
    let from = to - 1;
    while (from > 0 && axes[from - 1] === (axes[from] ?? 0) - 1) from -= 1;
    const [first = 0, last = 0] = [axes[from], axes[to - 1]];
    result = sumRun(result, first, last + 1);
    to = from;
  }
  return result;
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
    case "full":
      return gradient;
    case undefined: {
      const lacking = gradient.shape.length - shape.length;
      const axes = gradient.shape.flatMap((dim, axis) => ((shape[axis - lacking] ?? 1) !== dim ? [axis] : []));
      return reshape(sumAxes(gradient, axes), shape);
    }
  }
}

/** Rules of this file, for the tests that walk all operations. */
export const broadcastRules = {
  reshape: reshapeRule,
  broadcast: broadcastRule,
  sum: sumRule,
  axisSum: axisSumRule,
} as const;
