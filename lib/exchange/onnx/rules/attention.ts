// Attention as products, a softmax and a product: operator sets below 23 have no name for it.
import type { AttentionAttributes } from "../../../tensor/attributes.js";
import type { Dim } from "../../../tensor/shape.js";
import type { Applied, Value } from "../../../tensor/value.js";
import { integer, integers } from "../encode.js";
import { floatsOf, type GraphWriter } from "../graph.js";
import { inputAt, type Rules } from "./rule.js";

/** A stretch of the last axis. */
const cut = (graph: GraphWriter, name: string, begin: number, end: number): string =>
  graph.node("Slice", [name, graph.places([begin]), graph.places([end]), graph.places([-1])]);

/** [batch, time, heads, size] turned by the angles of a table: [a·cos − b·sin, b·cos + a·sin] of the halves of a head. */
function turned(graph: GraphWriter, x: string, table: Float32Array, time: number, size: number): string {
  const half = size / 2;
  const part = (from: number): string => {
    const data = Float32Array.from({ length: time * half }, (_, at) => {
      return table[Math.floor(at / half) * size + from + (at % half)] ?? 0;
    });
    return graph.constant(data, [time, 1, half]);
  };
  const [cosine, sine] = [part(0), part(half)];
  const [a, b] = [cut(graph, x, 0, half), cut(graph, x, half, size)];
  const product = (left: string, right: string): string => graph.node("Mul", [left, right]);
  const first = graph.node("Sub", [product(a, cosine), product(b, sine)]);
  const second = graph.node("Add", [product(b, cosine), product(a, sine)]);
  return graph.node("Concat", [first, second], { axis: integer(-1) });
}

/** Whether a query looks at a key, as a condition over [batch, heads, queries, keys]; `undefined`: everywhere. */
function lookedAt(
  graph: GraphWriter,
  lengths: Value | undefined,
  queries: number,
  keys: number,
  { causal, own }: AttentionAttributes,
): string | undefined {
  const causes = Uint8Array.from({ length: queries * keys }, (_, at) => (at % keys <= Math.floor(at / keys) ? 1 : 0));
  const past = causal ? graph.node("Cast", [graph.constant(causes, [queries, keys])], { to: integer(9) }) : undefined;
  if (lengths === undefined) return past;
  const name = graph.node("Unsqueeze", [graph.name(lengths), graph.places([1, 2, 3])]);
  const before = (steps: number, dims: readonly number[]): string => {
    const places = Int32Array.from({ length: steps }, (_, at) => at);
    return graph.node("Less", [graph.constant(places, dims), name]);
  };
  const ofKeys = before(keys, [1, 1, 1, keys]);
  const both = own ? graph.node("And", [ofKeys, before(queries, [1, 1, queries, 1])]) : ofKeys;
  return past === undefined ? both : graph.node("And", [both, past]);
}

function attention(graph: GraphWriter, { inputs, outputs, attributes: own }: Applied<"attention">): void {
  const { heads, keyHeads, packed, measured, turned: isTurned, scale } = own;
  const behind = packed ? 1 : 3;
  const lengths = measured ? inputAt(inputs, behind) : undefined;
  const rotation = isTurned ? inputAt(inputs, behind + (measured ? 1 : 0)) : undefined;
  const first = inputAt(inputs, 0);
  const [batch = 1, queries = 1, features = 1] = first.shape;
  const size = Number(features) / (packed ? heads + 2 * keyHeads : heads);
  const keys = Number(packed ? queries : inputAt(inputs, 1).shape[1]);
  const stretch = (from: number, count: number): string =>
    cut(graph, graph.name(first), from * size, (from + count) * size);
  const [query = "", key = "", value = ""] = packed
    ? [stretch(0, heads), stretch(heads, keyHeads), stretch(heads + keyHeads, keyHeads)]
    : [0, 1, 2].map((place) => graph.name(inputAt(inputs, place)));
  const table = floatsOf(rotation);
  /** [batch, time, heads, size] */
  const apart = (name: string, count: number, time: number, turns: boolean): string => {
    const split = graph.reshaped(name, [batch, time, count, size]);
    return table !== undefined && turns ? turned(graph, split, table, time, size) : split;
  };
  /** Each head of keys and values for all heads of queries that share it. */
  const shared = (name: string): string => {
    const group = heads / keyHeads;
    if (group === 1) return name;
    const wide = graph.node("Unsqueeze", [name, graph.places([3])]);
    const all: readonly Dim[] = [batch, keys, keyHeads, group, size];
    return graph.reshaped(graph.expanded(wide, all, true), [batch, keys, heads, size]);
  };
  const q = graph.node("Transpose", [apart(query, heads, Number(queries), true)], { perm: integers([0, 2, 1, 3]) });
  const k = graph.node("Transpose", [shared(apart(key, keyHeads, keys, true))], { perm: integers([0, 2, 3, 1]) });
  const v = graph.node("Transpose", [shared(apart(value, keyHeads, keys, false))], { perm: integers([0, 2, 1, 3]) });
  const scores = graph.node("MatMul", [graph.node("Mul", [q, graph.scalar(scale)]), k]);
  const mask = lookedAt(graph, lengths, Number(queries), keys, own);
  const softmax = (name: string): string => graph.node("Softmax", [name], { axis: integer(-1) });
  const chosen = (given: string, name: string, otherwise: number): string =>
    graph.node("Where", [given, name, graph.scalar(otherwise)]);
  // Of a query that looks at nothing all are −∞, and what the softmax makes of them is not chosen.
  const shares =
    mask === undefined ? softmax(scores) : chosen(mask, softmax(chosen(mask, scores, Number.NEGATIVE_INFINITY)), 0);
  const merged = graph.node("Transpose", [graph.node("MatMul", [shares, v])], { perm: integers([0, 2, 1, 3]) });
  graph.set(inputAt(outputs, 0), graph.reshaped(merged, [batch, queries, heads * size]));
}

export const attentionRules: Rules<"attention"> = { attention };
