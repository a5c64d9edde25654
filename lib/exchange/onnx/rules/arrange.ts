// Elements under other shapes and in other places, and sums of them.
import type { Applied, Value } from "../../../tensor/value.js";
import { integer, integers } from "../encode.js";
import { floatsOf, type GraphWriter } from "../graph.js";
import { inputAt, type Rules } from "./rule.js";

const KEPT = { keepdims: integer(0) } as const;

/** Σ over axes, which go. */
const summed = (graph: GraphWriter, x: string, axes: readonly number[], operator = "ReduceSum"): string =>
  graph.node(operator, axes.length === 0 ? [x] : [x, graph.places(axes)], KEPT);

/** Axes [from, to). */
const range = (from: number, to: number): readonly number[] => Array.from({ length: to - from }, (_, at) => from + at);

/** Axes of [batch, channels, rows, columns] that are these of [batch, rows, columns, channels]. */
const PLACE = [0, 2, 3, 1];

/** Σ of x over axes, in whichever order it stands, if what is left has one order. */
function sumOf(graph: GraphWriter, x: Value, axes: readonly number[], operator?: string): string {
  const isOneOrder = graph.isChannelsFirst(x) && axes.includes(1) && axes.includes(2);
  return isOneOrder
    ? summed(
        graph,
        graph.channelsFirst(x),
        axes.map((axis) => PLACE[axis] ?? axis),
        operator,
      )
    : summed(graph, graph.name(x), axes, operator);
}

/** The operation that gives a value. */
const appliedFor = ({ source }: Value): Applied | undefined =>
  source.kind === "operation" ? source.applied : undefined;

/** The rows whose first largest elements are chosen out of them, as `max` does: `where(oneHot(argmax(rows)), rows, 0)`. */
function chosenFrom(x: Value): Value | undefined {
  const chosen = appliedFor(x);
  const [mask, rows, others] = chosen?.inputs ?? [];
  if (chosen?.operation !== "where" || mask === undefined || rows === undefined || floatsOf(others)?.[0] !== 0)
    return undefined;
  const hot = appliedFor(mask);
  const place = hot?.operation === "oneHot" ? hot.inputs[0] : undefined;
  const largest = place && appliedFor(place);
  return largest?.operation === "argmax" && largest.inputs[0] === rows ? rows : undefined;
}

/** The sum that a quotient makes a mean of; `undefined` where it is none. */
function meanOf(sum: Value, count: Value): { readonly x: Value; readonly axes: readonly number[] } | undefined {
  const applied = appliedFor(sum);
  const [x] = applied?.inputs ?? [];
  if (applied === undefined || x === undefined || count.shape.length > 0) return undefined;
  const axes =
    applied.operation === "axisSum"
      ? range(applied.attributes.from, applied.attributes.to)
      : applied.operation === "sum" && applied.attributes.axis === "last"
        ? [x.shape.length - 1]
        : undefined;
  const terms = axes?.reduce((product, axis) => product * Number(x.shape[axis]), 1);
  return axes !== undefined && floatsOf(count)?.[0] === terms ? { x, axes } : undefined;
}

/** A quotient that is a mean, as one; whether it was. */
export function writeMean(graph: GraphWriter, sum: Value, count: Value, y: Value): boolean {
  const mean = meanOf(sum, count);
  if (mean !== undefined) graph.set(y, sumOf(graph, mean.x, mean.axes, "ReduceMean"));
  return mean !== undefined;
}

export const arrangeRules: Rules<
  "reshape" | "broadcast" | "sum" | "axisSum" | "sumSquares" | "concat" | "slice" | "pad" | "transpose" | "rowCount"
> = {
  reshape(graph, { inputs, outputs, attributes }) {
    const [x, y] = [inputAt(inputs, 0), inputAt(outputs, 0)];
    const isSame = x.shape.length === y.shape.length && x.shape.every((dim, axis) => dim === y.shape[axis]);
    if (isSame) graph.alias(y, x);
    else graph.set(y, graph.reshaped(graph.name(x), attributes.shape));
  },
  broadcast(graph, { inputs, outputs, attributes }) {
    const x = inputAt(inputs, 0);
    const hasBatch = x.shape[0] === "batch" && x.shape.length === attributes.shape.length;
    graph.set(inputAt(outputs, 0), graph.expanded(graph.name(x), attributes.shape, hasBatch));
  },
  sum(graph, { inputs, outputs, attributes: { axis } }) {
    const x = inputAt(inputs, 0);
    const rows = axis === "last" ? chosenFrom(x) : undefined;
    if (rows !== undefined) {
      graph.set(inputAt(outputs, 0), summed(graph, graph.name(rows), [rows.shape.length - 1], "ReduceMax"));
      return;
    }
    const last = x.shape.length - 1;
    const axes = axis === "all" ? [] : axis === "last" ? [last] : range(0, last);
    graph.set(inputAt(outputs, 0), sumOf(graph, x, axes));
  },
  axisSum(graph, { inputs, outputs, attributes: { from, to } }) {
    graph.set(inputAt(outputs, 0), sumOf(graph, inputAt(inputs, 0), range(from, to)));
  },
  sumSquares(graph, { inputs, outputs }) {
    graph.set(inputAt(outputs, 0), summed(graph, graph.name(inputAt(inputs, 0)), [], "ReduceSumSquare"));
  },
  concat(graph, { inputs, outputs, attributes: { axis } }) {
    const y = inputAt(outputs, 0);
    if (y.shape.length === 4 && inputs.every((input) => graph.isChannelsFirst(input))) {
      const names = inputs.map((input) => graph.channelsFirst(input));
      graph.setChannelsFirst(y, graph.node("Concat", names, { axis: integer(PLACE[axis] ?? axis) }));
      return;
    }
    graph.set(
      y,
      graph.node(
        "Concat",
        inputs.map((input) => graph.name(input)),
        { axis: integer(axis) },
      ),
    );
  },
  slice(graph, { inputs, outputs, attributes: { axis, begin, count } }) {
    const bounds = [[begin], [begin + count], [axis]].map((each) => graph.places(each));
    graph.set(inputAt(outputs, 0), graph.node("Slice", [graph.name(inputAt(inputs, 0)), ...bounds]));
  },
  pad(graph, { inputs, outputs, attributes: { axis, before, after } }) {
    const x = inputAt(inputs, 0);
    const at = (count: number): readonly number[] => x.shape.map((_, place) => (place === axis ? count : 0));
    const zero = x.dtype === "f32" ? graph.scalar(0) : graph.constant(Int32Array.of(0), []);
    graph.set(
      inputAt(outputs, 0),
      graph.node("Pad", [graph.name(x), graph.places([...at(before), ...at(after)]), zero]),
    );
  },
  transpose(graph, { inputs, outputs, attributes: { order } }) {
    const name = graph.name(inputAt(inputs, 0));
    graph.set(inputAt(outputs, 0), graph.node("Transpose", [name], { perm: integers(order) }));
  },
  rowCount(graph, { outputs }) {
    const rows = graph.node("Cast", [graph.rows()], { to: integer(1) });
    graph.set(inputAt(outputs, 0), graph.node("Reshape", [rows, graph.places([])]));
  },
};
