// Attention by operations of their own: its inputs by heads, the probabilities, and back.
import type { AttentionAttributes } from "../tensor/attributes.js";
import type { Dim } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import type { Value } from "../tensor/value.js";
import { concat, slice, transpose } from "./arrange.js";
import { broadcast, reshape, sumAxes } from "./broadcast.js";
import { softmax } from "./classification.js";
import { multiply } from "./elementwise.js";
import { matmul } from "./products.js";
import { stepMask } from "./sequence.js";
import { turned } from "./turn.js";
import { where } from "./where.js";

/** What an operation of attention has of its inputs. */
export interface AttentionInputs {
  /** Queries, keys and values side by side. */
  readonly packed: Value | undefined;
  readonly query: Value | undefined;
  readonly key: Value | undefined;
  readonly value: Value | undefined;
  readonly lengths: Value | undefined;
  readonly rotation: Value | undefined;
}

/** What an attention reads, by heads. */
export interface Split {
  /** [batch, heads, queries, size], turned and scaled. */
  readonly query: Value;
  /** [batch, heads, keys, size], turned. */
  readonly key: Value;
  /** [batch, heads, keys, size] */
  readonly value: Value;
  /** 1 where a query looks at a key, spread over [batch, heads, queries, keys]; `undefined`: everywhere. */
  readonly mask: Value | undefined;
  /** [batch, queries, heads·size] by heads, and back. */
  split(x: Value): Value;
  merge(x: Value): Value;
  /** The flows to the inputs from those to query, key and value. */
  joined(query: Value, key: Value, value: Value): readonly Value[];
}

/** Ones where a key stands before a query or at its place. */
function causalMask(queries: number, keys: number): Tensor {
  const mask = Float32Array.from({ length: queries * keys }, (_, at) => (at % keys <= Math.floor(at / keys) ? 1 : 0));
  return new Tensor(mask, [queries, keys], "f32");
}

function maskOf(lengths: Value | undefined, queries: number, keys: number, own: AttentionAttributes) {
  const causal = own.causal ? causalMask(queries, keys) : undefined;
  if (lengths === undefined) return causal;
  const [batch = 1] = lengths.shape;
  const there = stepMask(lengths, keys);
  const ofKeys = reshape(there, [batch, 1, 1, keys]);
  const both = own.own ? multiply(ofKeys, reshape(there, [batch, 1, queries, 1])) : ofKeys;
  return causal === undefined ? both : multiply(both, causal);
}

/** The inputs of an attention by heads. */
export function splitOf(inputs: AttentionInputs, own: AttentionAttributes): Split {
  const { heads, keyHeads, scale } = own;
  const { packed, rotation } = inputs;
  const first = packed ?? inputs.query;
  const [batch = 1, time = 1, features = 0] = first?.shape ?? [];
  const queries = Number(time);
  const size = Number(features) / (packed === undefined ? heads : heads + 2 * keyHeads);
  const keys = Number(inputs.key?.shape[1] ?? queries);
  const part = (from: number, to: number): Value | undefined =>
    packed && slice(packed, from * size, to * size, { axis: 2 });
  const given = {
    query: part(0, heads) ?? inputs.query,
    key: part(heads, heads + keyHeads) ?? inputs.key,
    value: part(heads + keyHeads, heads + 2 * keyHeads) ?? inputs.value,
  };
  const apart = (x: Value | undefined, count: number, steps: number): Value =>
    reshape(x ?? new Tensor(new Float32Array(), [0], "f32"), [batch, steps, count, size]);
  const turn = (x: Value, back: boolean): Value => (rotation === undefined ? x : turned(x, rotation, back));
  const byHeads = (x: Value): Value => transpose(x, [0, 2, 1, 3]);
  const group = heads / keyHeads;
  const shape: readonly Dim[] = [batch, heads, keys, size];
  const grouped: readonly Dim[] = [batch, keyHeads, group, keys, size];
  const shared = (x: Value): Value => {
    if (group === 1) return x;
    return reshape(broadcast(reshape(x, [batch, keyHeads, 1, keys, size]), grouped), shape);
  };
  const summed = (x: Value): Value => (group === 1 ? x : sumAxes(reshape(x, grouped), [2]));
  const together = (x: Value, count: number, steps: number, back: boolean): Value => {
    const rows = byHeads(x);
    return reshape(back ? turn(rows, true) : rows, [batch, steps, count * size]);
  };
  return {
    query: byHeads(multiply(turn(apart(given.query, heads, queries), false), scale)),
    key: shared(byHeads(turn(apart(given.key, keyHeads, keys), false))),
    value: shared(byHeads(apart(given.value, keyHeads, keys))),
    mask: maskOf(inputs.lengths, queries, keys, own),
    split: (x) => byHeads(apart(x, heads, queries)),
    merge: (x) => together(x, heads, queries, false),
    joined(query, key, value) {
      const flows = [
        together(multiply(query, scale), heads, queries, true),
        together(summed(key), keyHeads, keys, true),
        together(summed(value), keyHeads, keys, false),
      ];
      return packed === undefined ? flows : [concat(flows, { axis: 2 })];
    },
  };
}

/** [batch, heads, queries, keys]: the probabilities, 0 where a query does not look. */
export function probabilitiesOf({ query, key, mask }: Split): Value {
  const scores = matmul(query, key, { transposeB: true });
  if (mask === undefined) return softmax(scores);
  const all = broadcast(mask, scores.shape);
  return where(all, softmax(where(all, scores, Number.NEGATIVE_INFINITY)), 0);
}
