import { CarillonError, fail } from "../errors.js";
import { checkKeys, checkNumber } from "../options.js";
import type { Cut, Margins } from "../tensor/attributes.js";
import { type Dim, extent, formatShape, type Shape, sameShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Rule, Value } from "../tensor/value.js";
import { apply, applyUnchanged, at, checkValue } from "./apply.js";
import { type Axes, around, axesOf, axisOf, joined, replaced, sizeAlong, stridesOf } from "./axis.js";
import { reshape } from "./broadcast.js";
import { instruction } from "./encode.js";

/** Elements moved: tensors give a tensor of their dtype, a symbol among them gives a symbol. */
export type Moved<A extends Value> = [A] extends [Tensor<infer D>] ? Tensor<D> : Value;

/** What is moved is made of words of four bytes. */
function expectWords(where: string, value: Value): void {
  if (value.dtype !== "u8") return;
  throw new CarillonError("ERR_DTYPE", where, `expected dtype f32 or i32 for '${where}' but received u8`);
}

// ---- Along one axis: concat, slice, pad

/** Parts that one instruction joins. */
const PARTS = 7;

const concatRule: Rule<"concat"> = {
  name: "concat",
  infer(inputs, { axis }) {
    const first = at(inputs, 0);
    expectWords("concat", first);
    let size = 0;
    for (const { shape } of inputs) size += sizeAlong("concat", shape, axis, "joined");
    return [{ shape: replaced(first.shape, axis, size), dtype: first.dtype }];
  },
  lower(inputs, outputs, { axis }) {
    const y = at(outputs, 0);
    const parts = inputs.map(({ shape }) => {
      const { size, inner } = around(shape, axis);
      return { columns: size * inner };
    });
    return instruction("concat", { parts: inputs, y }, { outer: around(y.shape, axis).outer, parts });
  },
  gradient(inputs, _outputs, flows, { axis }) {
    let begin = 0;
    return inputs.map(({ shape }) => {
      const { size } = around(shape, axis);
      begin += size;
      return cut(at(flows, 0), { axis, begin: begin - size, count: size });
    });
  },
};

const sliceRule: Rule<"slice"> = {
  name: "slice",
  infer(inputs, { axis, count }) {
    const { shape, dtype } = at(inputs, 0);
    expectWords("slice", at(inputs, 0));
    sizeAlong("slice", shape, axis, "cut");
    return [{ shape: replaced(shape, axis, count), dtype }];
  },
  lower(inputs, outputs, { axis, begin, count }) {
    const [x, y] = [at(inputs, 0), at(outputs, 0)];
    const { outer, size, inner } = around(x.shape, axis);
    const numbers = { outer, columns: size * inner, begin: begin * inner, count: count * inner };
    return instruction("slice", { x, y }, numbers);
  },
  gradient(inputs, _outputs, flows, { axis, begin, count }) {
    const { size } = around(at(inputs, 0).shape, axis);
    return [padded(at(flows, 0), { axis, before: begin, after: size - begin - count })];
  },
};

const cut = (x: Value, stretch: Cut): Value => {
  return stretch.count === x.shape[stretch.axis]
    ? applyUnchanged(sliceRule, x, stretch)
    : apply(sliceRule, [x], stretch);
};

const padRule: Rule<"pad"> = {
  name: "pad",
  infer(inputs, { axis, before, after }) {
    const { shape, dtype } = at(inputs, 0);
    expectWords("pad", at(inputs, 0));
    return [{ shape: replaced(shape, axis, before + sizeAlong("pad", shape, axis, "added") + after), dtype }];
  },
  lower(inputs, outputs, { axis, before, after }) {
    const [x, y] = [at(inputs, 0), at(outputs, 0)];
    const { outer, size, inner } = around(x.shape, axis);
    const numbers = { outer, columns: size * inner, before: before * inner, after: after * inner };
    return instruction("pad", { x, y }, numbers);
  },
  gradient(inputs, _outputs, flows, { axis, before }) {
    return [cut(at(flows, 0), { axis, begin: before, count: around(at(inputs, 0).shape, axis).size })];
  },
};

const padded = (x: Value, margins: Margins): Value => {
  const nothing = margins.before === 0 && margins.after === 0;
  return nothing ? applyUnchanged(padRule, x, margins) : apply(padRule, [x], margins);
};

function joinedValues(values: readonly Value[], axis: number): Value {
  if (values.length === 1) return applyUnchanged(concatRule, at(values, 0), { axis });
  if (values.length <= PARTS) return apply(concatRule, values, { axis });
  // Groups of even size: each element is copied once a level.
  const groups = Math.min(PARTS, Math.ceil(values.length / PARTS));
  const each = Math.ceil(values.length / groups);
  const parts = Array.from({ length: Math.ceil(values.length / each) }, (_, group) => {
    return joinedValues(values.slice(group * each, (group + 1) * each), axis);
  });
  return joinedValues(parts, axis);
}

/** The first of values of one dtype that can be moved. */
function checkValues(where: string, values: readonly Value[]): Value {
  if (!Array.isArray(values) || values.length === 0) fail("ERR_OPTION", where, "an array of values", values);
  for (const [index, value] of values.entries()) checkValue(`${where}[${index}]`, value);
  const first = at(values, 0);
  expectWords(where, first);
  for (const [index, { dtype }] of values.entries()) {
    if (dtype === first.dtype) continue;
    throw new CarillonError(
      "ERR_DTYPE",
      `${where}[${index}]`,
      `expected dtype ${first.dtype}, as the first has, for '${where}[${index}]' but received ${dtype}`,
    );
  }
  return first;
}

/** Options of {@link concat}. */
export interface ConcatOptions {
  /** The axis whose sizes add up, counted from the last where it is negative; −1, the last, by default. */
  readonly axis?: number | undefined;
}

/** Values side by side along one axis; the others are the same in all. Not along the batch. */
export function concat<A extends Value>(values: readonly A[], options: ConcatOptions = {}): Moved<A> {
  checkKeys("concat", options, ["axis"]);
  const first = checkValues("concat", values);
  const { axis: given = -1 } = options;
  const axis = axisOf("concat.axis", given, first.shape);
  for (const [index, { shape }] of values.entries()) {
    if (shape.length === first.shape.length && shape.every((dim, i) => i === axis || dim === first.shape[i])) continue;
    throw new CarillonError(
      "ERR_SHAPE",
      `concat[${index}]`,
      `expected ${formatShape(first.shape)} with any size of axis ${axis} for 'concat[${index}]' but received ` +
        formatShape(shape),
    );
  }
  return joinedValues(values, axis) as Moved<A>;
}

/** Options of {@link stack}. */
export interface StackOptions {
  /** Where the new axis stands in the result, counted from the last where it is negative; −1, the last, by default. */
  readonly axis?: number | undefined;
}

/** Values of one shape along a new axis, whose size is their number. The batch stays the first axis. */
export function stack<A extends Value>(values: readonly A[], options: StackOptions = {}): Moved<A> {
  checkKeys("stack", options, ["axis"]);
  const first = checkValues("stack", values);
  const { axis: given = -1 } = options;
  const axis = axisOf("stack.axis", given, [...first.shape, 1]);
  for (const [index, { shape }] of values.entries()) {
    if (sameShape(shape, first.shape) && !(axis === 0 && shape[0] === "batch")) continue;
    throw new CarillonError(
      "ERR_SHAPE",
      `stack[${index}]`,
      axis === 0 && shape[0] === "batch"
        ? `expected a new axis behind the batch for 'stack.axis' but received 0, where the batch stands`
        : `expected ${formatShape(first.shape)}, as the first has, for 'stack[${index}]' but received ${formatShape(shape)}`,
    );
  }
  const shape = [...first.shape.slice(0, axis), 1, ...first.shape.slice(axis)];
  const parts = values.map((value) => reshape(value, shape));
  return joinedValues(parts, axis) as Moved<A>;
}

/** Options of {@link slice} and {@link pad}. */
export interface AlongOptions {
  /** The axis, or one for each number, counted from the last where it is negative; −1, the last, by default. */
  readonly axis?: Axes | undefined;
}

/** One number for each axis. */
function numbersAlong(where: string, given: Axes | undefined, count: number): readonly (number | undefined)[] {
  const list = given === undefined ? new Array<undefined>(count).fill(undefined) : [given].flat();
  if (list.length !== count) fail("ERR_OPTION", where, count === 1 ? "one number" : `${count} numbers`, given);
  return list;
}

/** The axes of an option, in the order in which they are given. */
function axesAlong(where: string, axis: Axes | undefined, shape: Shape): readonly number[] {
  const list = [axis === undefined ? -1 : axis].flat();
  axesOf(where, list, shape);
  return list.map((one) => axisOf(where, one, shape));
}

/**
 * The elements from `begin` up to `end`, which is not among them, along one axis or several; negative ones count from the end,
 * as those of an array's `slice`, and without `end` everything from `begin` on. Not along the batch. The gradient of what was cut off is 0.
 */
export function slice<A extends Value>(x: A, begin: Axes, end?: Axes, options: AlongOptions = {}): Moved<A> {
  checkKeys("slice", options, ["axis"]);
  checkValue("slice", x);
  const axes = axesAlong("slice.axis", options.axis, x.shape);
  const begins = numbersAlong("slice.begin", begin, axes.length);
  const ends = numbersAlong("slice.end", end, axes.length);
  let result: Value = x;
  for (const [index, axis] of axes.entries()) {
    const size = sizeAlong("slice", x.shape, axis, "cut");
    const place = (name: "begin" | "end", given: number | undefined, absent: number): number => {
      if (given === undefined) return absent;
      const number = checkNumber(`slice.${name}`, given, { min: -size, max: size, integer: true });
      return number < 0 ? number + size : number;
    };
    const from = place("begin", begins[index], 0);
    const to = place("end", ends[index], size);
    if (to <= from) {
      throw new CarillonError(
        "ERR_SHAPE",
        "slice.end",
        `expected an element or more of axis ${axis} of ${formatShape(x.shape)} for 'slice' but received [${from}, ${to})`,
      );
    }
    result = cut(result, { axis, begin: from, count: to - from });
  }
  return result as Moved<A>;
}

/** `before` zeros in front and `after` zeros behind along one axis or several. Not along the batch. */
export function pad<A extends Value>(x: A, before: Axes, after: Axes, options: AlongOptions = {}): Moved<A> {
  checkKeys("pad", options, ["axis"]);
  checkValue("pad", x);
  const axes = axesAlong("pad.axis", options.axis, x.shape);
  const counts = (name: "before" | "after", given: Axes): readonly number[] =>
    numbersAlong(`pad.${name}`, given, axes.length).map((count) =>
      checkNumber(`pad.${name}`, count, { min: 0, integer: true }),
    );
  const [fronts, backs] = [counts("before", before), counts("after", after)];
  let result: Value = x;
  for (const [index, axis] of axes.entries()) {
    sizeAlong("pad", x.shape, axis, "added");
    result = padded(result, { axis, before: fronts[index] ?? 0, after: backs[index] ?? 0 });
  }
  return result as Moved<A>;
}

// ---- Another order of axes

const transposeRule: Rule<"transpose"> = {
  name: "transpose",
  infer(inputs, { order }) {
    const { shape, dtype } = at(inputs, 0);
    expectWords("transpose", at(inputs, 0));
    return [{ shape: order.map((axis) => shape[axis] ?? 1), dtype }];
  },
  lower(inputs, outputs, { order }) {
    const [x, y] = [at(inputs, 0), at(outputs, 0)];
    const fixed = order.findIndex((axis, place) => axis !== place);
    const outer = fixed < 0 ? order.length : fixed;
    const strides = stridesOf(x.shape);
    const moved = order.slice(outer).map((axis) => {
      return { size: extent([x.shape[axis] ?? 1]), strides: [strides[axis] ?? 1] };
    });
    const axes = joined("transpose", moved).map(({ size, strides: [stride = 1] }) => ({ size, stride }));
    return instruction("transpose", { x, y }, { outer: extent(x.shape.slice(0, outer)), axes });
  },
  gradient: (_inputs, _outputs, flows, { order }) => [turned(at(flows, 0), inverse(order))],
};

/** The order that undoes `order`. */
function inverse(order: readonly number[]): readonly number[] {
  return order.map((_, axis) => order.indexOf(axis));
}

/** `x` with its axes in `order`: of a computed value another shape of the same memory where no elements change places. */
function turned(x: Value, order: readonly number[]): Value {
  const wide = order.filter((axis) => x.shape[axis] !== 1);
  const still = wide.every((axis, index) => index === 0 || (wide[index - 1] ?? 0) < axis);
  if (!still) return apply(transposeRule, [x], { order });
  return reshape(
    applyUnchanged(transposeRule, x, { order }),
    order.map((axis): Dim => x.shape[axis] ?? 1),
  );
}

/**
 * `x` with its axes in another order: axis i of the result is axis `order[i]` of x. Without `order` the last two change places.
 * The batch stays the first axis.
 */
export function transpose<A extends Value>(x: A, order?: readonly number[]): Moved<A> {
  checkValue("transpose", x);
  if (order !== undefined && !Array.isArray(order)) fail("ERR_OPTION", "transpose.order", "an array of axes", order);
  const { shape } = x;
  const places = shape.map((_, axis) => axis);
  if (order === undefined && shape.length < 2) {
    throw new CarillonError(
      "ERR_SHAPE",
      "transpose",
      `expected two axes or more for 'transpose' but received ${formatShape(shape)}`,
    );
  }
  const wanted = order ?? [...places.slice(0, -2), shape.length - 1, shape.length - 2];
  const axes = wanted.map((axis) => axisOf("transpose.order", axis, shape));
  axesOf("transpose.order", axes, shape);
  if (axes.length !== shape.length) fail("ERR_OPTION", "transpose.order", `${shape.length} axes`, order);
  if (shape[0] === "batch" && axes[0] !== 0) {
    throw new CarillonError(
      "ERR_SHAPE",
      "transpose.order",
      `expected the batch of ${formatShape(shape)} as the first axis for 'transpose.order' but received [${axes.join(", ")}]`,
    );
  }
  return turned(x, axes) as Moved<A>;
}

/** Rules of this file, for the tests that walk all operations. */
export const arrangeRules = { concat: concatRule, slice: sliceRule, pad: padRule, transpose: transposeRule } as const;
