// Recurrent cells, whose gates ONNX has in other orders.
import type { RecurrenceAttributes } from "../../../tensor/attributes.js";
import type { Applied, Value } from "../../../tensor/value.js";
import { integer, text, texts } from "../encode.js";
import { bytesOfNumbers, floatsOf, type GraphWriter, refuseOperation } from "../graph.js";
import { reordered } from "../moves.js";
import { inputAt, type Rules } from "./rule.js";

/** Places of ONNX's gates among ours: i, o, f, c of i, f, g, o; z, r, h of r, z, n, or of z, r, n. */
export function gateOrder(cell: RecurrenceAttributes["cell"], updateFirst: boolean): readonly number[] {
  if (cell === "lstm") return [0, 3, 1, 2];
  if (cell === "rnn_tanh" || cell === "rnn_relu") return [0];
  return updateFirst ? [0, 1, 2] : [1, 0, 2];
}

/** The name of a weight in the order of ONNX, with an axis for its direction in front. */
function gatesOf(graph: GraphWriter, value: Value, order: readonly number[], key: string): string {
  const data = floatsOf(value);
  if (data === undefined)
    return refuseOperation(graph, "recurrence", "whose weights are computed", "weights of the layer alone");
  const wanted = `${graph.nameOfWeight(value, key)}_onnx`;
  return graph.derived(value, wanted, [1, ...value.shape.map(Number)], () => reordered(data, order));
}

/** Biases of the product of the input, and of that of the state, side by side. */
function biasesOf(
  graph: GraphWriter,
  bias: Value | undefined,
  candidate: Value | undefined,
  order: readonly number[],
  hidden: number,
): string {
  if (bias === undefined && candidate === undefined) return "";
  const [own, bent] = [floatsOf(bias), floatsOf(candidate)];
  const rows = order.length * hidden;
  const both = new Float32Array(2 * rows);
  if (own !== undefined) both.set(reordered(own, order));
  // The candidate's gate stands last in every order of a GRU.
  if (bent !== undefined) both.set(bent, 2 * rows - hidden);
  const later = { bytes: both.byteLength, make: () => bytesOfNumbers(both) };
  return graph.tensor(`${graph.nameOfWeight(bias, "bias")}_onnx`, [1, 2 * rows], "float", later);
}

const OPERATORS = { lstm: "LSTM", gru: "GRU", gru_before: "GRU", rnn_tanh: "RNN", rnn_relu: "RNN" } as const;

function recurrence(graph: GraphWriter, { inputs, outputs, attributes: own }: Applied<"recurrence">): void {
  const { cell, hidden, reverse, updateFirst, biased, bent, measured, begun, masked } = own;
  if (masked) refuseOperation(graph, "recurrence", "with a mask of its state", "none, as answers have none");
  let place = 3;
  const next = (given: boolean): Value | undefined => (given ? inputAt(inputs, place++) : undefined);
  const [bias, candidate, lengths] = [next(biased), next(bent), next(measured)];
  const [state, cellState] = [next(begun), next(begun && cell === "lstm")];
  const order = gateOrder(cell, updateFirst);
  const x = graph.node("Transpose", [graph.name(inputAt(inputs, 0))], { perm: { integers: [1, 0, 2] } });
  const oneDirection = (value: Value | undefined): string =>
    value === undefined ? "" : graph.node("Unsqueeze", [graph.name(value), graph.places([0])]);
  const operands = [
    x,
    gatesOf(graph, inputAt(inputs, 1), order, "weight"),
    gatesOf(graph, inputAt(inputs, 2), order, "recurrent"),
    biasesOf(graph, bias, candidate, order, hidden),
    lengths === undefined ? "" : graph.name(lengths),
    oneDirection(state),
    oneDirection(cellState),
  ];
  while (operands.at(-1) === "") operands.pop();
  const isLstm = cell === "lstm";
  const [all, last, lastCell] = isLstm ? [outputs[0], outputs[3], outputs[4]] : [outputs[0], outputs[2], undefined];
  const names = graph.several(OPERATORS[cell], operands, isLstm ? 3 : 2, {
    hidden_size: integer(hidden),
    direction: text(reverse ? "reverse" : "forward"),
    ...(OPERATORS[cell] === "GRU" ? { linear_before_reset: integer(cell === "gru" ? 1 : 0) } : {}),
    ...(cell === "rnn_relu" ? { activations: texts(["Relu"]) } : {}),
  });
  const [allName = "", lastName = "", cellName = ""] = names;
  const squeezed = (name: string, axis: number): string => graph.node("Squeeze", [name, graph.places([axis])]);
  // [time, directions, batch, hidden]
  if (all !== undefined && graph.isWanted(all))
    graph.set(all, graph.node("Transpose", [squeezed(allName, 1)], { perm: { integers: [1, 0, 2] } }));
  if (last !== undefined && graph.isWanted(last)) graph.set(last, squeezed(lastName, 0));
  if (lastCell !== undefined && graph.isWanted(lastCell)) graph.set(lastCell, squeezed(cellName, 0));
}

export const recurrenceRules: Rules<"recurrence"> = { recurrence };
