// Rows of tables by number, and choices.
import type { Applied, Value } from "../../../tensor/value.js";
import { integer, text } from "../encode.js";
import { floatsOf, type GraphWriter } from "../graph.js";
import { inputAt, type Rules } from "./rule.js";

const FLOAT = { to: integer(1) } as const;
const INT32 = { to: integer(6) } as const;

/** The name of a table whose row `padding` is 0, and with a row of zeros behind where −1 is none. */
function tableOf(graph: GraphWriter, table: Value, padding: number, gaps: boolean): string {
  const data = floatsOf(table);
  if (data === undefined || (padding < 0 && !gaps)) return graph.name(table);
  const [rows = 0, ...rest] = table.shape.map(Number);
  const columns = rest.reduce((product, size) => product * size, 1);
  const changed = (): Float32Array => {
    const copy = new Float32Array((rows + (gaps ? 1 : 0)) * columns);
    copy.set(data);
    if (padding >= 0) copy.fill(0, padding * columns, (padding + 1) * columns);
    return copy;
  };
  const wanted = gaps ? `${graph.nameOfWeight(table, "table")}_and_none` : graph.nameOfWeight(table, "table");
  const dims = [rows + (gaps ? 1 : 0), ...rest];
  return graph.derived(table, wanted, dims, changed);
}

/** A number, int32. */
const int = (graph: GraphWriter, value: number): string => graph.constant(Int32Array.of(value), []);

/** The rows of a table that ids name; 0 for `padding`, and for −1 where that is none. */
function looked(graph: GraphWriter, table: Value, ids: string, padding: number, gaps: boolean): string {
  const isKnown = floatsOf(table) !== undefined;
  const name = tableOf(graph, table, padding, gaps);
  const rows = graph.node("Gather", [name, ids], { axis: integer(0) });
  if (isKnown || (padding < 0 && !gaps)) return rows;
  const isThere = there(graph, ids, padding);
  const last = table.shape.slice(1).map((_, at) => -1 - at);
  const mask = last.length === 0 ? isThere : graph.node("Unsqueeze", [isThere, graph.places(last)]);
  return graph.node("Where", [mask, rows, graph.scalar(0)]);
}

/** Which ids name a row that is there. */
function there(graph: GraphWriter, ids: string, padding: number): string {
  const isRow = graph.node("GreaterOrEqual", [ids, int(graph, 0)]);
  if (padding < 0) return isRow;
  const isOther = graph.node("Not", [graph.node("Equal", [ids, int(graph, padding)])]);
  return graph.node("And", [isRow, isOther]);
}

/** What a bag is multiplied by, of the number of ids that are there: 1 of none. */
function shareOf(graph: GraphWriter, count: string, mode: "mean" | "sqrtn"): string {
  const least = graph.node("Max", [count, graph.scalar(1)]);
  return graph.node("Reciprocal", [mode === "mean" ? least : graph.node("Sqrt", [least])]);
}

function bagOfRows(graph: GraphWriter, { inputs, outputs, attributes }: Applied<"bag">): void {
  const [table, ids, weights] = [inputAt(inputs, 0), inputAt(inputs, 1), inputs[2]];
  const { padding, mode } = attributes;
  const axis = ids.shape.length - 1;
  const behind = table.shape.slice(1).map((_, at) => -1 - at);
  const widened = (name: string): string =>
    behind.length === 0 ? name : graph.node("Unsqueeze", [name, graph.places(behind)]);
  const rows = looked(graph, table, graph.name(ids), padding, true);
  const weighed = weights === undefined ? rows : graph.node("Mul", [rows, widened(graph.name(weights))]);
  const sum = (name: string): string => graph.node("ReduceSum", [name, graph.places([axis])], { keepdims: integer(0) });
  const total = sum(weighed);
  const y = inputAt(outputs, 0);
  if (mode === "sum") {
    graph.set(y, total);
    return;
  }
  const count = sum(graph.node("Cast", [there(graph, graph.name(ids), padding)], FLOAT));
  graph.set(y, graph.node("Mul", [total, widened(shareOf(graph, count, mode))]));
}

/**
 * Lists: each id belongs to the list whose number is how many lists end before it, which marks at the ends, added up, tell; rows go to the
 * sum of their list.
 */
function bagOfLists(graph: GraphWriter, { inputs, outputs, attributes }: Applied<"bag">): void {
  const [table, ids, ends, weights] = [inputAt(inputs, 0), inputAt(inputs, 1), inputAt(inputs, 2), inputs[3]];
  const { padding, mode } = attributes;
  const columns = table.shape.slice(1).map(Number);
  const [idsName, endsName] = [graph.name(ids), graph.name(ends)];
  const count = graph.node("Shape", [idsName]);
  const one = graph.places([1]);
  const wide = graph.node("Cast", [endsName], { to: integer(7) });
  const room = graph.node("ConstantOfShape", [graph.node("Add", [count, one])]); // f32 zeros
  const marks = graph.node("ScatterElements", [room, wide, graph.node("Expand", [graph.scalar(1), graph.rows()])], {
    reduction: text("add"),
  });
  const added = graph.node("CumSum", [marks, graph.constant(Int32Array.of(0), [])]);
  const own = graph.node("Slice", [added, graph.places([0]), count]);
  const lists = graph.node("Unsqueeze", [graph.node("Cast", [own], { to: integer(7) }), one]);
  const rows = looked(graph, table, idsName, padding, false);
  const factors = graph.isListWeights(weights) ? weights && graph.name(weights) : undefined;
  const weighed =
    factors === undefined
      ? rows
      : graph.node("Mul", [rows, graph.node("Unsqueeze", [factors, graph.places(columns.map((_, at) => -1 - at))])]);
  const sums = graph.node("Concat", [graph.rows(), graph.places(columns)], { axis: integer(0) });
  const scattered = (shape: string, updates: string): string =>
    graph.node("ScatterND", [graph.node("ConstantOfShape", [shape]), lists, updates], { reduction: text("add") });
  const total = scattered(sums, weighed);
  const y = inputAt(outputs, 0);
  if (mode === "sum") {
    graph.set(y, total);
    return;
  }
  const counted = scattered(graph.rows(), graph.node("Cast", [there(graph, idsName, padding)], FLOAT));
  const share = graph.node("Unsqueeze", [shareOf(graph, counted, mode), graph.places(columns.map((_, at) => -1 - at))]);
  graph.set(y, graph.node("Mul", [total, share]));
}

export const tableRules: Rules<"take" | "bag" | "where" | "oneHot" | "stepMask" | "argmax" | "countEqual"> = {
  take(graph, { inputs, outputs, attributes: { padding, gaps } }) {
    const [table, ids] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    graph.set(inputAt(outputs, 0), looked(graph, table, graph.name(ids), padding, gaps));
  },
  bag(graph, applied) {
    if (applied.attributes.ragged) bagOfLists(graph, applied);
    else bagOfRows(graph, applied);
  },
  where(graph, { inputs, outputs }) {
    const [condition = "", a = "", b = ""] = inputs.map((input) => graph.name(input));
    const isChosen = graph.node("Not", [graph.node("Equal", [condition, graph.scalar(0)])]);
    graph.set(inputAt(outputs, 0), graph.node("Where", [isChosen, a, b]));
  },
  oneHot(graph, { inputs, outputs, attributes: { classes } }) {
    const values = graph.constant(Float32Array.of(0, 1), [2]);
    const operands = [graph.name(inputAt(inputs, 0)), graph.constant(Int32Array.of(classes), []), values];
    graph.set(inputAt(outputs, 0), graph.node("OneHot", operands, { axis: integer(-1) }));
  },
  stepMask(graph, { inputs, outputs, attributes: { steps } }) {
    const places = graph.constant(
      Int32Array.from({ length: steps }, (_, at) => at),
      [1, steps],
    );
    const lengths = graph.node("Unsqueeze", [graph.name(inputAt(inputs, 0)), graph.places([-1])]);
    graph.set(inputAt(outputs, 0), graph.node("Cast", [graph.node("Less", [places, lengths])], FLOAT));
  },
  argmax(graph, { inputs, outputs }) {
    const place = graph.node("ArgMax", [graph.name(inputAt(inputs, 0))], { axis: integer(-1), keepdims: integer(0) });
    graph.set(inputAt(outputs, 0), graph.node("Cast", [place], INT32));
  },
  countEqual(graph, { inputs, outputs }) {
    const [a = "", b = ""] = inputs.map((input) => graph.node("Reshape", [graph.name(input), graph.places([-1])]));
    const equal = graph.node("Cast", [graph.node("Equal", [a, b])], FLOAT);
    graph.set(inputAt(outputs, 0), graph.node("ReduceSum", [equal], { keepdims: integer(0) }));
  },
};
