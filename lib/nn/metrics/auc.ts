import { setImmediate as turn } from "node:timers/promises";
import type { State } from "../../io/state.js";
import { exp } from "../../tensor/exact.js";
import { type Labels, labelsOf } from "./labels.js";
import type { Accumulator, Metric, MetricRows } from "./metric.js";

/** Examples that are sorted before the event loop has its turn: well below a millisecond. */
const SLICE = 32_768;

/** Digits of the radix sort: three of 11 bits. */
const RADIX_BITS = 11;
const RADIX = 2048;
const KEY_BITS = 32;

/** A list of numbers that grows. */
class Growing<A extends Float32Array | Uint8Array> {
  #data: A;
  readonly #make: (length: number) => A;
  #length = 0;

  constructor(make: (length: number) => A) {
    this.#make = make;
    this.#data = make(1024);
  }

  push(value: number): void {
    if (this.#length === this.#data.length) {
      const larger = this.#make(2 * this.#length);
      larger.set(this.#data);
      this.#data = larger;
    }
    this.#data[this.#length] = value;
    this.#length += 1;
  }

  get values(): A {
    return this.#data.subarray(0, this.#length) as A; // a part of A is an A
  }

  restore(values: ArrayLike<number>): void {
    this.#data = this.#make(Math.max(1, values.length));
    this.#data.set(values);
    this.#length = values.length;
  }
}

/** Unsigned integers in the order of the floats: the sign turns the order of the bits round. −0 becomes 0. */
function orderedKeys(scores: Float32Array): Uint32Array {
  const floats = scores.map((score) => (score === 0 ? 0 : score));
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  return bits.map((word) => (word >>> 31 === 1 ? ~word : word | 0x80000000));
}

/** Places of the examples by rising key: a radix sort that lets the event loop in. */
async function sortedOrder(keys: Uint32Array): Promise<Uint32Array> {
  let order = Uint32Array.from(keys, (_, index) => index);
  let next = new Uint32Array(keys.length);
  for (let shift = 0; shift < KEY_BITS; shift += RADIX_BITS) {
    const starts = new Uint32Array(RADIX + 1);
    for (const key of keys) {
      const behind = ((key >>> shift) & (RADIX - 1)) + 1;
      starts[behind] = (starts[behind] ?? 0) + 1;
    }
    for (let digit = 1; digit <= RADIX; digit++) starts[digit] = (starts[digit] ?? 0) + (starts[digit - 1] ?? 0);
    for (let begin = 0; begin < order.length; begin += SLICE) {
      for (const index of order.subarray(begin, begin + SLICE)) {
        const digit = ((keys[index] ?? 0) >>> shift) & (RADIX - 1);
        const place = starts[digit] ?? 0;
        next[place] = index;
        starts[digit] = place + 1;
      }
      if (order.length > SLICE) await turn();
    }
    [order, next] = [next, order];
  }
  return order;
}

/**
 * The area under the receiver operating characteristic: the probability that an example of the class has a higher score
 * than one that is not of it, half of it for equal scores. NaN if one of both has no weight.
 */
async function areaUnder(scores: Float32Array, positive: Uint8Array, weights: Float32Array): Promise<number> {
  const keys = orderedKeys(scores);
  const order = await sortedOrder(keys);
  let area = 0;
  let negatives = 0;
  let positives = 0;
  for (let begin = 0; begin < order.length; ) {
    const key = keys[order[begin] ?? 0];
    let yes = 0;
    let no = 0;
    let end = begin;
    for (; end < order.length && keys[order[end] ?? 0] === key; end++) {
      const index = order[end] ?? 0;
      if (positive[index] === 1) yes += weights[index] ?? 0;
      else no += weights[index] ?? 0;
    }
    area += yes * (negatives + no / 2);
    positives += yes;
    negatives += no;
    if (Math.floor(begin / SLICE) !== Math.floor(end / SLICE)) await turn();
    begin = end;
  }
  return area / (positives * negatives);
}

/** Probabilities of all classes, softmax of a row, or its logits where every column stands for itself. */
function scoresOf(labels: Labels, { outputs, columns }: MetricRows, row: number): readonly number[] {
  const logits = Array.from(outputs.subarray(row * columns, (row + 1) * columns));
  if (labels.kind !== "classes") return logits;
  const [first = 0, second = 0] = logits;
  if (columns === 2) return [second - first]; // rises with the probability of class 1
  const most = Math.max(...logits);
  const powers = logits.map((logit) => exp(logit - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/**
 * Area under the ROC curve, exact, equal scores counted half, as scikit-learn's `roc_auc_score`. One output, or two
 * classes: of class 1. More classes: the mean of every class against the rest, by softmax probabilities in float32; several
 * labels: the mean over the labels. Those without positive or without negative examples are left out; NaN if none is left,
 * or a score is NaN.
 */
export const auc: Metric<"auc"> = {
  name: "auc",
  begin(set): Accumulator {
    const labels = labelsOf("auc", set);
    const several = labels.kind === "multilabel" || labels.count > 2;
    const curves = Array.from({ length: several ? labels.count : 1 }, () => ({
      scores: new Growing((length) => new Float32Array(length)),
      positive: new Growing((length) => new Uint8Array(length)),
    }));
    const weights = new Growing((length) => new Float32Array(length));
    const isPositive = (rows: MetricRows, row: number, curve: number): boolean => {
      const actual = labels.actual(rows, row, curve);
      return labels.kind === "classes" && several ? actual === curve : actual === 1;
    };
    return {
      add(rows) {
        for (let row = 0; row < rows.rows; row++) {
          weights.push(rows.weights[row] ?? 0);
          const scores = scoresOf(labels, rows, row);
          for (const [index, { scores: list, positive }] of curves.entries()) {
            list.push(scores[index] ?? 0);
            positive.push(isPositive(rows, row, index) ? 1 : 0);
          }
        }
      },
      async result() {
        // What cannot be ordered has no area: that is no class to be left out.
        if (curves.some(({ scores }) => scores.values.some(Number.isNaN))) return Number.NaN;
        const areas: number[] = [];
        for (const { scores, positive } of curves) {
          areas.push(await areaUnder(scores.values, positive.values, weights.values));
        }
        const known = areas.filter((area) => !Number.isNaN(area));
        return known.reduce((sum, area) => sum + area, 0) / known.length;
      },
      state: (): State => [
        weights.values,
        ...curves.flatMap(({ scores, positive }): readonly State[] => [scores.values, positive.values]),
      ],
      restore(state) {
        const arrays = (Array.isArray(state) ? state : []).map((one: State) =>
          one instanceof Float32Array || one instanceof Uint8Array ? one : new Float32Array(),
        );
        weights.restore(arrays[0] ?? []);
        for (const [index, { scores, positive }] of curves.entries()) {
          scores.restore(arrays[1 + 2 * index] ?? []);
          positive.restore(arrays[2 + 2 * index] ?? []);
        }
      },
    };
  },
};
