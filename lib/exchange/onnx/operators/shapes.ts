// Elements under other shapes and in other places.
import { embedding, ops, type Value } from "../../../index.js";
import type { OnnxNode } from "../format.js";
import type { Importing, Operator } from "../importing.js";
import { turned } from "../moves.js";
import {
  batchAxis,
  type Computed,
  computed,
  type Dims,
  type Entry,
  elementsOf,
  hasBatchFirst,
  isOfBatch,
  layerStep,
  ofBatch,
  oneByOne,
  operationStep,
  perRow,
  reshapedStep,
  type Step,
  sizesOf,
  unary,
} from "../steps.js";
import { same } from "./pointwise.js";
import { chosen, constantOf, entriesAt, isFloat } from "./sizes.js";

/** Axes of a value. */
const AXES = 32;

/** Sizes that a reshape asks for: 0 is what was there, −1 what is left. */
function wantedSizes(of: Importing, node: OnnxNode, from: readonly Entry[], given: readonly Entry[]): readonly Entry[] {
  const keepsZero = of.integer(node, "allowzero", 0) === 0;
  const named = given.map((size, at) =>
    size === 0 && keepsZero ? (from[at] ?? of.refuse(node, "a size that is not there")) : size,
  );
  const rest = named.indexOf(-1);
  const all = elementsOf(from);
  const others = elementsOf(named.filter((_, at) => at !== rest));
  if (rest < 0) return named;
  const size = all / others;
  if (!Number.isInteger(size)) return of.refuse(node, `${all} numbers a row as [${given.join(", ")}]`);
  // The batch is in what is left, where it is nowhere else.
  const isLeft = from.some(isOfBatch) && !named.some(isOfBatch);
  return named.map((each, at) => (at !== rest ? each : isLeft ? ofBatch(size) : size));
}

/**
 * The axes of a value cut, or put together, to those of another shape: the file's elements stay in their order, so that each new axis is some of the axes
 * that follow one another, of which one may have to be cut in two.
 */
function regrouped(of: Importing, node: OnnxNode, value: Computed, wanted: readonly Entry[]): Computed {
  if (wanted.length > AXES) of.refuse(node, `${wanted.length} axes`);
  let { step } = value;
  let atoms = value.groups.flat();
  const groups: number[][] = [];
  let next = 0;
  const sizeAt = (place: number): Entry => step.dims[atoms[place] ?? -1] ?? 1;
  for (const [at, size] of wanted.entries()) {
    const group: number[] = [];
    let left = perRow(size);
    let isBatchLeft = isOfBatch(size);
    while (left > 1 || isBatchLeft) {
      const atom = sizeAt(next);
      if (atom === "batch" && isBatchLeft) {
        group.push(0);
        next += 1;
        isBatchLeft = false;
        continue;
      }
      if (typeof atom !== "number" || next >= atoms.length)
        return of.refuse(node, `[${sizesOf(value).join(", ")}] as [${wanted.join(", ")}]`);
      if (left % atom !== 0) {
        // The axis is cut: its outer part is what is left of this one.
        if (atom % left !== 0) return of.refuse(node, `an axis of ${atom} cut at ${left}`);
        const axis = atoms[next] ?? 0;
        const [, ...row] = step.dims;
        row.splice(axis - 1, 1, left, atom / left);
        step = reshapedStep(step, ["batch", ...row]);
        const shifted = (each: number): number => (each > axis ? each + 1 : each);
        for (const done of groups) done.splice(0, done.length, ...done.map(shifted));
        group.splice(0, group.length, ...group.map(shifted));
        atoms = atoms.map(shifted);
        atoms.splice(next + 1, 0, axis + 1);
      }
      group.push(atoms[next] ?? 0);
      left /= Number(sizeAt(next));
      next += 1;
    }
    if (at === wanted.length - 1) {
      // Axes of 1 at the end belong to nobody.
      while (next < atoms.length && sizeAt(next) === 1) next += 1;
    }
    groups.push(group);
  }
  const rest = atoms.slice(next);
  if (rest.some((axis) => step.dims[axis] !== 1))
    return of.refuse(node, `[${sizesOf(value).join(", ")}] as [${wanted.join(", ")}]`);
  return { kind: "computed", step, groups };
}

const reshaped: Operator = (of, node) => {
  const given = of.input(node, 0);
  const target = of.integers(node, "shape") ?? undefined;
  const entries: readonly Entry[] | undefined = target ?? entriesAt(of, node, 1);
  if (entries === undefined) return of.refuse(node, "a shape that is computed");
  if (given.kind === "constant")
    return of.set(node.outputs[0], constantOf(of, node, given, wantedSizes(of, node, given.dims, entries)));
  // A batch of a fixed size stands as that in the shapes of a file.
  const from = sizesOf(given);
  const named = entries.map(
    (size, at): Entry =>
      at === batchAxis(given) && size === 1 && from[at] === "batch" && !entries.some(isOfBatch) && !entries.includes(-1)
        ? "batch"
        : size,
  );
  return of.set(
    node.outputs[0],
    regrouped(of, node, given, batched(of, node, given, wantedSizes(of, node, from, named))),
  );
};

/** Names the batch among sizes where a file has it as 1. */
function batched(of: Importing, node: OnnxNode, value: Computed, sizes: readonly Entry[]): readonly Entry[] {
  if (sizes.some(isOfBatch)) return sizes;
  if (sizes[0] === 1 && hasBatchFirst(value)) return ["batch", ...sizes.slice(1)];
  return of.refuse(node, "a shape without the batch");
}

const flattened: Operator = (of, node) => {
  const value = of.computed(node);
  const rank = value.groups.length;
  const axis = of.integer(node, "axis", 1);
  const at = axis < 0 ? axis + rank : axis;
  if (at !== 1) of.refuse(node, `the axes up to ${axis} together`);
  of.set(node.outputs[0], { ...value, groups: [value.groups[0] ?? [], value.groups.slice(1).flat()] });
};

const transposed: Operator = (of, node) => {
  const given = of.input(node, 0);
  const rank = given.kind === "computed" ? given.groups.length : given.dims.length;
  const order = of.integers(node, "perm") ?? oneByOne(rank).flat().reverse();
  if (order.length !== rank || new Set(order).size !== rank || order.some((axis) => axis < 0 || axis >= rank))
    of.refuse(node, "an order of other axes");
  if (given.kind === "computed") {
    return of.set(node.outputs[0], { ...given, groups: order.map((axis) => given.groups[axis] ?? []) });
  }
  const [rows = 1, columns = 1] = of.dimsOf(node, given);
  if (rank === 1 || order.every((axis, at) => axis === at)) return same(of, node);
  if (rank !== 2) return of.refuse(node, "weights of more than two axes turned");
  const floats = turned(of.floatsOf(node, given), rows, columns);
  return of.set(node.outputs[0], { kind: "constant", dims: [columns, rows], floats });
};

/** Axes of a node: an input since version 13, an attribute before. */
export function axesOf(of: Importing, node: OnnxNode, at: number, rank: number): readonly number[] | undefined {
  const given = of.integers(node, "axes") ?? of.numbers(node, at);
  return given?.map((axis) => of.axis(node, axis, rank));
}

const squeezed: Operator = (of, node) => {
  const given = of.input(node, 0);
  const sizes = given.kind === "computed" ? sizesOf(given) : given.dims;
  const axes = axesOf(of, node, 1, sizes.length) ?? sizes.flatMap((size, axis) => (size === 1 ? [axis] : []));
  if (axes.some((axis) => sizes[axis] !== 1)) of.refuse(node, `axes of [${sizes.join(", ")}] that are not 1`);
  if (given.kind === "constant")
    return of.set(node.outputs[0], { ...given, dims: sizes.filter((_, axis) => !axes.includes(axis)) });
  return of.set(node.outputs[0], { ...given, groups: given.groups.filter((_, axis) => !axes.includes(axis)) });
};

const unsqueezed: Operator = (of, node) => {
  const given = of.input(node, 0);
  const rank = given.kind === "computed" ? given.groups.length : given.dims.length;
  const list = of.integers(node, "axes") ?? of.numbers(node, 1) ?? [];
  if (rank + list.length > AXES) of.refuse(node, `${rank + list.length} axes`);
  const axes = list.map((axis) => of.axis(node, axis, rank + list.length));
  const widened = <T>(all: readonly T[], one: T): readonly T[] => {
    const rest = [...all];
    return Array.from({ length: rank + axes.length }, (_, at) => (axes.includes(at) ? one : (rest.shift() ?? one)));
  };
  if (given.kind === "constant") of.set(node.outputs[0], { ...given, dims: widened<Entry>(given.dims, 1) });
  else of.set(node.outputs[0], { ...given, groups: widened<readonly number[]>(given.groups, []) });
};

/** What an operation along one axis makes of a value: of the step's axis, where that is one by itself. */
function along(
  of: Importing,
  node: OnnxNode,
  value: Computed,
  axis: number,
): { readonly value: Computed; readonly own: number } {
  const [only, ...more] = value.groups[axis] ?? [];
  if (only !== undefined && more.length === 0) return { value, own: only };
  const step = of.inOrder(node, value);
  return { value: computed(step), own: axis };
}

/** A value with another size of an axis. */
function withSize({ step, groups }: Computed, axis: number, size: number, apply: (x: Value) => Value): Computed {
  const [, ...row] = step.dims;
  const dims: Dims = ["batch", ...row.map((each, at) => (at + 1 === axis ? size : each))];
  return { kind: "computed", step: { ...operationStep([step], dims, unary(apply)), dtype: step.dtype }, groups };
}

/** The elements [begin, end) of an axis. */
function cut(of: Importing, node: OnnxNode, given: Computed, axis: number, begin: number, end: number): Computed {
  const { value, own } = along(of, node, given, axis);
  const size = value.step.dims[own];
  if (typeof size !== "number") return of.refuse(node, "a part of the batch");
  if (end <= begin) return of.refuse(node, "nothing of an axis");
  if (begin === 0 && end === size) return value;
  return withSize(value, own, end - begin, (x) => ops.slice(x, begin, end, { axis: own }));
}

const sliced: Operator = (of, node) => {
  const given = of.input(node, 0);
  const [starts, ends] = [
    of.integers(node, "starts") ?? of.numbers(node, 1),
    of.integers(node, "ends") ?? of.numbers(node, 2),
  ];
  if (starts === undefined || ends === undefined) return of.refuse(node, "bounds that are computed");
  const rank = given.kind === "computed" ? given.groups.length : given.dims.length;
  const axes = axesOf(of, node, 3, rank) ?? oneByOne(starts.length).flat();
  if (of.numbers(node, 4)?.some((step) => step !== 1)) of.refuse(node, "every other element");
  const bounds = (size: number, at: number): readonly [number, number] => {
    const place = (value: number): number => Math.min(Math.max(value < 0 ? value + size : value, 0), size);
    return [place(starts[at] ?? 0), place(ends[at] ?? size)];
  };
  if (given.kind === "constant") {
    if (given.fill !== undefined) {
      const dims = given.dims.map((size, axis): Entry => {
        if (!axes.includes(axis) || typeof size !== "number") return size;
        const [begin, end] = bounds(size, axes.indexOf(axis));
        return end - begin;
      });
      return of.set(node.outputs[0], { ...given, dims });
    }
    if (rank !== 1) return of.refuse(node, "a part of a constant");
    const entries = of.entriesOf(node, given);
    const part = entries.slice(...bounds(entries.length, 0));
    return of.set(node.outputs[0], { kind: "constant", dims: [part.length], entries: part, isFloat: isFloat(given) });
  }
  let value: Computed = given;
  for (const [at, axis] of axes.entries()) {
    const size = sizesOf(value)[axis];
    if (typeof size !== "number") {
      if ((starts[at] ?? 0) === 0 && (ends[at] ?? 0) > FAR) continue;
      return of.refuse(node, "a part of the batch");
    }
    value = cut(of, node, value, axis, ...bounds(size, at));
  }
  return of.set(node.outputs[0], value);
};

/** An end that means everything. */
const FAR = 1_000_000_000;

const divided: Operator = (of, node) => {
  const value = of.floating(node);
  const axis = of.axis(node, of.integer(node, "axis", 0), value.groups.length);
  const size = Number(sizesOf(value)[axis]);
  const count = node.outputs.length;
  const each = Math.ceil(size / count);
  const parts =
    of.integers(node, "split") ?? of.numbers(node, 1) ?? node.outputs.map((_, at) => Math.min(each, size - at * each));
  if (parts.length !== count || parts.reduce((sum, part) => sum + part, 0) !== size)
    of.refuse(node, `parts of [${parts.join(", ")}]`);
  let begin = 0;
  for (const [at, part] of parts.entries()) {
    of.set(node.outputs[at], cut(of, node, value, axis, begin, begin + part));
    begin += part;
  }
};

const joined: Operator = (of, node) => {
  const all = node.inputs.map((_, at) => of.input(node, at));
  if (all.every((each) => each.kind === "constant")) {
    const entries = all.flatMap((each) => (each.kind === "constant" ? of.entriesOf(node, each) : []));
    const hasFloats = all.some((each) => each.kind === "constant" && isFloat(each));
    return of.set(node.outputs[0], { kind: "constant", dims: [entries.length], entries, isFloat: hasFloats });
  }
  const values = node.inputs.map((_, at) => of.floating(node, at));
  const [first] = values;
  if (first === undefined) return of.refuse(node, "nothing to join");
  const axis = of.axis(node, of.integer(node, "axis", 0), first.groups.length);
  const areAlike = values.every(
    ({ groups }) => groups.map((axes) => axes.join()).join(";") === first.groups.map((axes) => axes.join()).join(";"),
  );
  const own = first.groups[axis]?.length === 1 ? first.groups[axis][0] : undefined;
  const isDirect =
    areAlike && own !== undefined && values.every(({ step }) => step.dims.length === first.step.dims.length);
  const steps = isDirect ? values.map(({ step }) => step) : values.map((value) => of.inOrder(node, value));
  const place = isDirect ? own : axis;
  const [model] = steps;
  const [, ...row] = model?.dims ?? ["batch"];
  if (place === 0) return of.refuse(node, "batches one behind the other");
  const isFit = steps.every(
    ({ dims }) => dims.length === row.length + 1 && row.every((size, at) => at + 1 === place || dims[at + 1] === size),
  );
  if (!isFit) return of.refuse(node, "values of other sizes");
  const size = steps.reduce((sum, { dims }) => sum + Number(dims[place]), 0);
  const dims: Dims = ["batch", ...row.map((each, at) => (at + 1 === place ? size : each))];
  const step = operationStep(steps, dims, (parts) => ops.concat(parts, { axis: place }));
  return of.set(node.outputs[0], { kind: "computed", step, groups: isDirect ? first.groups : oneByOne(dims.length) });
};

const padded: Operator = (of, node) => {
  const value = of.floating(node);
  const rank = value.groups.length;
  of.expect(node, "mode", of.text(node, "mode", "constant"), ["constant"]);
  const pads = of.integers(node, "pads") ?? of.numbers(node, 1) ?? [];
  const filled = of.numbers(node, 2)?.[0] ?? of.float(node, "value", 0);
  of.expect(node, "value", filled, [0]);
  const axes = axesOf(of, node, 3, rank) ?? oneByOne(rank).flat();
  if (pads.some((each) => each < 0) || pads.length !== 2 * axes.length) of.refuse(node, "padding that cuts");
  let result = value;
  for (const [at, axis] of axes.entries()) {
    const [before = 0, after = 0] = [pads[at], pads[at + axes.length]];
    if (before + after === 0) continue;
    const { value: own, own: place } = along(of, node, result, axis);
    const size = own.step.dims[place];
    if (typeof size !== "number") return of.refuse(node, "more rows in the batch");
    result = withSize(own, place, size + before + after, (x) => ops.pad(x, before, after, { axis: place }));
  }
  return of.set(node.outputs[0], result);
};

/** Rows of a table by number, or a part of a value. */
const gathered: Operator = (of, node) => {
  const [table, indices] = [of.input(node, 0), of.input(node, 1)];
  const axis = of.integer(node, "axis", 0);
  if (table.kind === "constant" && indices.kind === "constant") return chosen(of, node, table, indices);
  if (table.kind === "constant") {
    const { dims, data } = of.weights(node, 0) ?? { dims: [], data: new Float32Array() };
    const ids = of.computed(node, 1);
    const [count = 1, size = 1] = dims;
    if (dims.length !== 2 || (axis !== 0 && axis !== -2))
      return of.refuse(node, `rows of a table of [${dims.join(", ")}]`);
    if (ids.step.dtype !== "i32") return of.refuse(node, "numbers of rows that are floats");
    const [, ...row] = ids.step.dims;
    const step = layerStep(ids.step, embedding(count, size), ["batch", ...row, size], { table: data });
    return of.set(node.outputs[0], { kind: "computed", step, groups: [...ids.groups, [step.dims.length - 1]] });
  }
  const numbers = of.numbers(node, 1) ?? [];
  const isScalar = indices.kind === "constant" && indices.dims.length === 0;
  const [only] = numbers;
  const rank = table.groups.length;
  const at = of.axis(node, axis, rank);
  const size = Number(sizesOf(table)[at]);
  if (numbers.length !== 1 || only === undefined || !Number.isInteger(size))
    return of.refuse(node, "several parts of a value");
  const place = only < 0 ? only + size : only;
  if (place < 0 || place >= size) return of.refuse(node, `place ${only} of ${size}`);
  const part = cut(of, node, table, at, place, place + 1);
  const groups = isScalar ? part.groups.filter((_, each) => each !== at) : part.groups;
  return of.set(node.outputs[0], { ...part, groups });
};

export const shapeOperators: Readonly<Record<string, Operator>> = {
  ...{ Reshape: reshaped, Flatten: flattened, Transpose: transposed, Squeeze: squeezed, Unsqueeze: unsqueezed },
  ...{ Concat: joined, Slice: sliced, Split: divided, Pad: padded, Gather: gathered },
};

/** A value whose last axis, in the file's order, is the step's last. */
export function lastAlone(
  of: Importing,
  node: OnnxNode,
  value: Computed,
): { readonly step: Step; readonly groups: Computed["groups"] } {
  const last = value.groups.at(-1);
  const isLast = last?.length === 1 && last[0] === value.step.dims.length - 1;
  if (isLast) return value;
  return computed(of.inOrder(node, value));
}
