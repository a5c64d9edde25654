// Products of matrices.
import type { Value } from "../../../tensor/value.js";
import { integer, integers } from "../encode.js";
import { bytesOfNumbers, floatsOf, type GraphWriter } from "../graph.js";
import { turned } from "../moves.js";
import { inputAt, type Rules } from "./rule.js";

/** The name of a weight that a norm behind was folded into, or of the weight itself. */
export function weightOf(graph: GraphWriter, weight: Value, folded: Float32Array | undefined): string {
  if (folded === undefined) return graph.name(weight);
  return graph.derived(weight, graph.nameOfWeight(weight, "weight"), weight.shape.map(Number), () => folded);
}

/** The same of a bias of so many outputs; `undefined` where there is none. */
export function biasOf(
  graph: GraphWriter,
  bias: Value | undefined,
  folded: Float32Array | undefined,
): string | undefined {
  if (folded === undefined) return bias && graph.name(bias);
  const data = { bytes: folded.byteLength, make: () => bytesOfNumbers(folded) };
  return graph.tensor(graph.nameOfWeight(bias, "bias"), [folded.length], "float", data);
}

/** The name of a matrix turned over: of one that is known another tensor, otherwise a node. */
function transposed(graph: GraphWriter, matrix: Value, folded: Float32Array | undefined): string {
  const [rows = 1, columns = 1] = matrix.shape.map(Number);
  const data = folded ?? floatsOf(matrix);
  if (data === undefined) return lastTurned(graph, matrix);
  const wanted = `${graph.nameOfWeight(matrix, "weight")}_transposed`;
  return graph.derived(matrix, wanted, [columns, rows], () => turned(data, rows, columns));
}

/** The last two axes in the other order. */
function lastTurned(graph: GraphWriter, matrix: Value): string {
  const axes = matrix.shape.map((_, axis) => axis);
  const last = axes.length - 1;
  return graph.node("Transpose", [graph.name(matrix)], { perm: integers([...axes.slice(0, -2), last, last - 1]) });
}

/** [rows, columns] of all axes but the last, and the last. */
function asMatrix(graph: GraphWriter, value: Value): string {
  if (value.shape.length === 2) return graph.name(value);
  return graph.node("Reshape", [graph.name(value), graph.places([-1, Number(value.shape.at(-1))])]);
}

export const productRules: Rules<"linear" | "matmul" | "batchedMatmul"> = {
  linear(graph, applied) {
    const { inputs, outputs } = applied;
    const [x, weight, bias] = [inputAt(inputs, 0), inputAt(inputs, 1), inputs[2]];
    const folded = graph.foldedInto(applied);
    const addend = biasOf(graph, bias, folded?.bias);
    if (x.shape.length === 2) {
      const operands = [
        graph.name(x),
        weightOf(graph, weight, folded?.weight),
        ...(addend === undefined ? [] : [addend]),
      ];
      graph.set(inputAt(outputs, 0), graph.node("Gemm", operands, { transB: integer(1) }));
      return;
    }
    const product = graph.node("MatMul", [graph.name(x), transposed(graph, weight, folded?.weight)]);
    graph.set(inputAt(outputs, 0), addend === undefined ? product : graph.node("Add", [product, addend]));
  },
  matmul(graph, { inputs, outputs, attributes: { transposeA, transposeB } }) {
    const [a, b] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    if (a.shape.length === 2 && b.shape.length === 2) {
      const attributes = { transA: integer(transposeA ? 1 : 0), transB: integer(transposeB ? 1 : 0) };
      graph.set(inputAt(outputs, 0), graph.node("Gemm", [graph.name(a), graph.name(b)], attributes));
      return;
    }
    const turn = (name: string): string => graph.node("Transpose", [name], { perm: integers([1, 0]) });
    const left = transposeA ? turn(asMatrix(graph, a)) : graph.name(a);
    const right = transposeB ? turn(asMatrix(graph, b)) : asMatrix(graph, b);
    graph.set(inputAt(outputs, 0), graph.node("MatMul", [left, right]));
  },
  batchedMatmul(graph, { inputs, outputs, attributes: { transposeA, transposeB } }) {
    const [a, b] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const left = transposeA ? lastTurned(graph, a) : graph.name(a);
    const right = transposeB ? lastTurned(graph, b) : graph.name(b);
    graph.set(inputAt(outputs, 0), graph.node("MatMul", [left, right]));
  },
};
