// What is known of a graph before it is computed: constants, and arithmetic of sizes.
import { ELEMENTS, type OnnxNode } from "../format.js";
import type { Importing, Operator } from "../importing.js";
import { type Constant, type Entry, elementsOf, isOfBatch, ofBatch, perRow, sizesOf } from "../steps.js";
import { same } from "./pointwise.js";

/** Between kinds of numbers: of values those that layers have stay what they are. */
const cast: Operator = (of, node) => {
  const given = of.input(node, 0);
  const to = of.integer(node, "to", 0);
  const toFloat = FLOATS.includes(to);
  if (given.kind === "constant") {
    if (toFloat || !isFloat(given)) return of.set(node.outputs[0], { ...given, isFloat: toFloat });
    const entries = of.entriesOf(node, given).map((entry) => (typeof entry === "number" ? Math.trunc(entry) : entry));
    return of.set(node.outputs[0], { kind: "constant", dims: given.dims, entries });
  }
  if ((given.step.dtype === "f32") !== toFloat || !(toFloat || INTEGERS.includes(to)))
    return of.refuse(node, "numbers of another kind");
  return same(of, node);
};

/** Elements that are floats, and those that are integers. */
const FLOATS: readonly number[] = [ELEMENTS.float, ELEMENTS.float16, ELEMENTS.double, ELEMENTS.bfloat16];
const INTEGERS: readonly number[] = [ELEMENTS.int32, ELEMENTS.int64];

/** Entries of an input that is known; `undefined` where it is computed. */
export function entriesAt(of: Importing, node: OnnxNode, at: number): readonly Entry[] | undefined {
  const given = of.input(node, at);
  return given.kind === "constant" ? of.entriesOf(node, given) : undefined;
}

const shapeOf: Operator = (of, node) => {
  const given = of.input(node, 0);
  const all = given.kind === "computed" ? sizesOf(given) : given.dims;
  const place = (value: number): number => Math.min(Math.max(value < 0 ? value + all.length : value, 0), all.length);
  const entries = all.slice(place(of.integer(node, "start", 0)), place(of.integer(node, "end", all.length)));
  of.set(node.outputs[0], { kind: "constant", dims: [entries.length], entries });
};

/** A constant of another shape. */
export function constantOf(of: Importing, node: OnnxNode, given: Constant, dims: readonly Entry[]): Constant {
  return elementsOf(dims) === elementsOf(given.dims)
    ? { ...given, dims }
    : of.refuse(node, `[${given.dims.join(", ")}] as [${dims.join(", ")}]`);
}

/** Elements of a constant by number. */
export function chosen(of: Importing, node: OnnxNode, table: Constant, indices: Constant): void {
  if (table.dims.length !== 1) of.refuse(node, "a part of a constant");
  const entries = of.entriesOf(node, table);
  const picked = of.entriesOf(node, indices).map((index): Entry => {
    const at = typeof index !== "number" ? -1 : index < 0 ? index + entries.length : index;
    return entries[at] ?? of.refuse(node, `place ${index} of ${entries.length}`);
  });
  of.set(node.outputs[0], { kind: "constant", dims: indices.dims, entries: picked, isFloat: isFloat(table) });
}

const filled: Operator = (of, node) => {
  const value = node.attributes.get("value")?.tensor;
  const fill = value === undefined ? 0 : (of.tensors.numbers(value)[0] ?? 0);
  const dims = entriesAt(of, node, 0);
  if (dims === undefined) return of.refuse(node, "a shape that is computed");
  return of.set(node.outputs[0], {
    kind: "constant",
    dims,
    fill,
    isFloat: value === undefined || FLOATS.includes(value.elements),
  });
};

const expanded: Operator = (of, node) => {
  const given = of.input(node, 0);
  const dims = entriesAt(of, node, 1);
  if (dims === undefined) return of.refuse(node, "a shape that is computed");
  if (given.kind === "computed") {
    const sizes = sizesOf(given);
    if (dims.length === sizes.length && dims.every((size, at) => size === 1 || size === sizes[at]))
      return same(of, node);
    return of.refuse(node, "a value that is repeated");
  }
  const [only] = elementsOf(given.dims) === 1 && !given.dims.some(isOfBatch) ? of.floatsOf(node, given) : [];
  if (only === undefined) {
    const isSame = given.dims.length === dims.length && dims.every((size, at) => size === given.dims[at] || size === 1);
    return isSame ? same(of, node) : of.refuse(node, "numbers that are repeated");
  }
  return of.set(node.outputs[0], { kind: "constant", dims, fill: only, isFloat: isFloat(given) });
};

const constant: Operator = (of, node) => {
  const { attributes } = node;
  const tensor = attributes.get("value")?.tensor;
  const [float, integer] = [attributes.get("value_float")?.float, attributes.get("value_int")?.integer];
  const [floats, integers] = [attributes.get("value_floats")?.floats, attributes.get("value_ints")?.integers];
  const one = float ?? integer;
  const list = floats !== undefined && floats.length > 0 ? floats : integers;
  if (tensor !== undefined) of.set(node.outputs[0], { kind: "constant", dims: tensor.dims, tensor });
  else if (one !== undefined)
    of.set(node.outputs[0], { kind: "constant", dims: [], entries: [one], isFloat: float !== undefined });
  else if (list !== undefined)
    of.set(node.outputs[0], {
      kind: "constant",
      dims: [list.length],
      entries: list,
      isFloat: (floats?.length ?? 0) > 0,
    });
  else of.refuse(node, "a constant that is no numbers");
};

/** Arithmetic of sizes; `undefined` where not both are known, or have other sizes. */
export function arithmetic(of: Importing, node: OnnxNode): Constant | undefined {
  const [only] = node.inputs.map((name) => of.find(name));
  const alone = OF_ONE[node.operator];
  if (alone !== undefined && only?.kind === "constant" && only.tensor === undefined) {
    const entries = of
      .entriesOf(node, only)
      .map((entry) =>
        typeof entry === "number" ? alone(entry) : of.refuse(node, "arithmetic with the size of the batch"),
      );
    return { kind: "constant", dims: only.dims, entries, isFloat: isFloat(only) };
  }
  const apply = ARITHMETIC[node.operator];
  const [a, b] = node.inputs.map((name) => of.find(name));
  if (apply === undefined || a?.kind !== "constant" || b?.kind !== "constant") return undefined;
  const [left, right] = [of.entriesOf(node, a), of.entriesOf(node, b)];
  const longer = left.length >= right.length ? a : b;
  const count = Math.max(left.length, right.length);
  const isFit = [left, right].every(({ length }) => length === count || length === 1);
  // Of one length they have one shape, but for axes of 1 in front.
  const [own, other] = [a, b].map(({ dims }) => dims.join().replace(/^(?:1,)+/, ""));
  if (!isFit || (left.length === right.length && count > 1 && own !== other))
    return of.refuse(node, "constants of other sizes");
  const isCut = node.operator === "Div" && !isFloat(a) && !isFloat(b);
  const entries = Array.from({ length: count }, (_, at): Entry => {
    const [x, y] = [left[left.length === 1 ? 0 : at] ?? 0, right[right.length === 1 ? 0 : at] ?? 0];
    if (typeof x === "number" && typeof y === "number") return isCut ? Math.trunc(apply(x, y)) : apply(x, y);
    const isOne = [x, y].filter(isOfBatch).length === 1;
    if (node.operator === "Mul" && isOne) return ofBatch(perRow(x) * perRow(y));
    const quotient = perRow(x) / perRow(y);
    const isShare = node.operator === "Div" && typeof y === "number" && Number.isInteger(quotient);
    return isShare ? ofBatch(quotient) : of.refuse(node, "arithmetic with the size of the batch");
  });
  return { kind: "constant", dims: longer.dims, entries, isFloat: isFloat(a) || isFloat(b) };
}

/** Whether the numbers of a constant are floats. */
export function isFloat(constant: Constant): boolean {
  const { tensor, floats } = constant;
  return constant.isFloat ?? (floats !== undefined || (tensor !== undefined && FLOATS.includes(tensor.elements)));
}

const OF_ONE: Readonly<Record<string, (a: number) => number>> = {
  Sqrt: Math.sqrt,
  Neg: (a) => -a,
  Reciprocal: (a) => 1 / a,
  Floor: Math.floor,
};

const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Mod: (a, b) => a - b * Math.floor(a / b),
  Div: (a, b) => a / b,
};

export const sizeOperators: Readonly<Record<string, Operator>> = {
  ...{ Cast: cast, Constant: constant, ConstantOfShape: filled, Expand: expanded, Shape: shapeOf },
};
