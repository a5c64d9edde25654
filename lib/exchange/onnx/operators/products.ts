// Products with weights, which are layers, and of two values.
import { linear, ops } from "../../../index.js";
import type { OnnxNode } from "../format.js";
import type { Importing, Operator } from "../importing.js";
import { turned } from "../moves.js";
import {
  binary,
  type Computed,
  computed,
  type Dims,
  elementsOf,
  operationStep,
  reshapedStep,
  type Step,
  sizesOf,
  type Work,
} from "../steps.js";

/**
 * Places in the file's order of the numbers that a step has one after another in its own: of an axis of the file that is several of the step's. `undefined`: the
 * same order.
 */
function placesOf({ dims }: Step, axes: readonly number[]): Int32Array | undefined {
  const own = [...axes].sort((a, b) => a - b);
  if (own.every((axis, at) => axis === axes[at])) return undefined;
  const sizes = own.map((axis) => Number(dims[axis]));
  const strides = own.map((axis) => {
    const behind = axes.slice(axes.indexOf(axis) + 1);
    return behind.reduce((product, each) => product * Number(dims[each]), 1);
  });
  const places = new Int32Array(elementsOf(sizes));
  const place = sizes.map(() => 0);
  for (let at = 0; at < places.length; at++) {
    places[at] = place.reduce((sum, index, axis) => sum + index * (strides[axis] ?? 0), 0);
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      place[axis] = (place[axis] ?? 0) + 1;
      if ((place[axis] ?? 0) < (sizes[axis] ?? 1)) break;
      place[axis] = 0;
    }
  }
  return places;
}

/** Columns of [rows, columns] in another order. */
function chosenColumns(data: Float32Array, rows: number, places: Int32Array): Float32Array {
  const result = new Float32Array(data.length);
  const { length } = places;
  for (let row = 0; row < rows; row++) {
    for (let at = 0; at < length; at++) result[row * length + at] = data[row * length + (places[at] ?? 0)] ?? 0;
  }
  return result;
}

/** What a linear layer takes: the file's last axis as the step's last, in whatever order its numbers lie there. */
interface Taken extends Pick<Computed, "step" | "groups"> {
  readonly places: Int32Array | undefined;
}

function inputOf(of: Importing, node: OnnxNode, value: Computed): Taken {
  const { step, groups } = value;
  const last = groups.at(-1) ?? [];
  const front = groups.slice(0, -1);
  const begin = step.dims.length - last.length;
  // Whatever stands in front, and in whichever order, is rows.
  if (last.length > 0 && begin > 0 && last.every((axis) => axis >= begin)) {
    const [, ...row] = step.dims;
    const dims: Dims = ["batch", ...row.slice(0, begin - 1), elementsOf(row.slice(begin - 1))];
    return { step: reshapedStep(step, dims), groups: [...front, [begin]], places: placesOf(step, last) };
  }
  // Otherwise what stands in front is turned to there, axis by axis, the batch first.
  const rows = [0, ...front.flat().filter((axis) => axis !== 0)];
  if (!front.flat().includes(0)) of.refuse(node, "a sum over the batch");
  const own = of.inOrder(node, { ...value, groups: [...rows.map((axis) => [axis]), last] });
  return {
    step: own,
    groups: [...front.map((axes) => axes.map((axis) => rows.indexOf(axis))), [rows.length]],
    places: undefined,
  };
}

/** A matrix of the file: [outputs, inputs]. */
interface Matrix {
  readonly data: Float32Array;
  readonly inputs: number;
  readonly outputs: number;
}

/** y = x·Wᵀ + b as a layer; without b one may be added by the next node. */
function product(of: Importing, node: OnnxNode, value: Computed, matrix: Matrix, bias: Float32Array | undefined): void {
  const { inputs, outputs } = matrix;
  const features = sizesOf(value).at(-1);
  if (features !== inputs) of.refuse(node, `${features} features and a weight of [${inputs}, ${outputs}]`);
  const { step, groups, places } = inputOf(of, node, value);
  const weight = places === undefined ? matrix.data : chosenColumns(matrix.data, outputs, places);
  const work = (added: Float32Array | undefined): Work => ({
    kind: "layer",
    layer: linear(inputs, outputs, { bias: added !== undefined }),
    weights: added === undefined ? { weight } : { weight, bias: added },
  });
  const [, ...row] = step.dims;
  const dims: Dims = ["batch", ...row.slice(0, -1), outputs];
  const openBias = bias === undefined ? work : undefined;
  const made: Step = { from: [step], dims, dtype: "f32", work: work(bias), openBias };
  of.set(node.outputs[0], { kind: "computed", step: made, groups });
}

/** `data` times a factor. */
const scaled = (data: Float32Array, factor: number): Float32Array =>
  factor === 1 ? data : data.map((each) => each * factor);

const gemm: Operator = (of, node) => {
  const value = of.floating(node);
  if (of.integer(node, "transA", 0) !== 0) of.refuse(node, "transA, by which the batch is summed over");
  if (value.groups.length !== 2) of.refuse(node, `${value.groups.length} axes`);
  const given = of.weights(node, 1);
  const [rows = 0, columns = 0] = given?.dims ?? [];
  if (given === undefined || given.dims.length !== 2) return of.refuse(node, "a weight that is no matrix");
  const isTurned = of.integer(node, "transB", 0) !== 0;
  const data = scaled(isTurned ? given.data : turned(given.data, rows, columns), of.float(node, "alpha", 1));
  const matrix = isTurned ? { data, inputs: columns, outputs: rows } : { data, inputs: rows, outputs: columns };
  const addend = of.weights(node, 2);
  return product(of, node, value, matrix, addend && biasOf(of, node, addend, matrix.outputs));
};

/** [outputs] of what is repeated over the rows of a product. */
function biasOf(
  of: Importing,
  node: OnnxNode,
  { dims, data }: { readonly dims: readonly number[]; readonly data: Float32Array },
  outputs: number,
): Float32Array {
  const factored = scaled(data, of.float(node, "beta", 1));
  if (data.length === 1) return new Float32Array(outputs).fill(factored[0] ?? 0);
  return data.length === outputs && dims.at(-1) === outputs
    ? factored
    : of.refuse(node, `a bias of [${dims.join(", ")}]`);
}

const matmul: Operator = (of, node) => {
  const [a, b] = [of.input(node, 0), of.input(node, 1)];
  if (a.kind === "computed" && b.kind === "constant") {
    const given = of.weights(node, 1);
    const [rows = 0, columns = 0] = given?.dims ?? [];
    if (given?.dims.length !== 2) return of.refuse(node, `a weight of [${given?.dims.join(", ")}]`);
    const matrix = { data: turned(given.data, rows, columns), inputs: rows, outputs: columns };
    return product(of, node, of.floating(node), matrix, undefined);
  }
  if (a.kind !== "computed" || b.kind !== "computed") return of.refuse(node, "weights in front of what they multiply");
  const [left, right] = [of.inOrder(node, a), of.inOrder(node, b)];
  const rank = left.dims.length;
  const isSame =
    rank === right.dims.length && rank > 2 && left.dims.slice(0, -2).every((size, at) => size === right.dims[at]);
  if (!isSame || left.dims.at(-1) !== right.dims.at(-2))
    return of.refuse(node, `a product of [${left.dims.join(", ")}] and [${right.dims.join(", ")}]`);
  const [, ...row] = left.dims;
  const dims: Dims = ["batch", ...row.slice(0, -1), Number(right.dims.at(-1))];
  const step = operationStep(
    [left, right],
    dims,
    binary((x, y) => ops.matmul(x, y)),
  );
  return of.set(node.outputs[0], computed(step));
};

export const productOperators: Readonly<Record<string, Operator>> = { Gemm: gemm, MatMul: matmul };
