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

/** A list of numbers that grows by stretches. */
class Growing {
  #data = new Float32Array(1024);
  #length = 0;

  /** Room for `count` numbers more, to be written. */
  extend(count: number): Float32Array {
    const length = this.#length + count;
    if (length > this.#data.length) {
      const larger = new Float32Array(Math.max(length, 2 * this.#data.length));
      larger.set(this.values);
      this.#data = larger;
    }
    this.#length = length;
    return this.#data.subarray(length - count, length);
  }

  get values(): Float32Array {
    return this.#data.subarray(0, this.#length);
  }

  restore(values: State): void {
    this.#length = 0;
    if (values instanceof Float32Array) this.extend(values.length).set(values);
  }
}

/** Unsigned integers in the order of the floats: the sign turns the order of the bits round. −0 becomes 0. */
function orderedKeys(scores: Float32Array): Uint32Array {
  const floats = new Float32Array(scores.length);
  const keys = new Uint32Array(floats.buffer);
  for (let index = 0; index < floats.length; index++) {
    floats[index] = (scores[index] ?? 0) + 0;
    const word = keys[index] ?? 0;
    keys[index] = word >>> 31 === 1 ? ~word : word | 0x80000000;
  }
  return keys;
}

/** Where the numbers with each digit begin. */
function digitStarts(keys: Uint32Array, shift: number): Uint32Array {
  const starts = new Uint32Array(RADIX + 1);
  for (let index = 0; index < keys.length; index++) {
    const behind = (((keys[index] ?? 0) >>> shift) & (RADIX - 1)) + 1;
    starts[behind] = (starts[behind] ?? 0) + 1;
  }
  for (let digit = 1; digit <= RADIX; digit++) starts[digit] = (starts[digit] ?? 0) + (starts[digit - 1] ?? 0);
  return starts;
}

/** Lets everything that waits run first. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Places of the examples by rising key: a radix sort that lets the event loop in. */
async function sortedOrder(keys: Uint32Array): Promise<Uint32Array> {
  let order = new Uint32Array(keys.length);
  let next = new Uint32Array(keys.length);
  for (let index = 0; index < order.length; index++) order[index] = index;
  for (let shift = 0; shift < KEY_BITS; shift += RADIX_BITS) {
    const starts = digitStarts(keys, shift);
    for (let begin = 0; begin < order.length; begin += SLICE) {
      const end = Math.min(begin + SLICE, order.length);
      for (let place = begin; place < end; place++) {
        const index = order[place] ?? 0;
        const digit = ((keys[index] ?? 0) >>> shift) & (RADIX - 1);
        const target = starts[digit] ?? 0;
        next[target] = index;
        starts[digit] = target + 1;
      }
      if (end < order.length) await turn();
    }
    [order, next] = [next, order];
  }
  return order;
}

/**
 * The area under the receiver operating characteristic: the probability that an example of the class has a higher score
 * than one that is not of it, half of it for equal scores. NaN if one of both has no weight.
 */
async function areaUnder(
  scores: Float32Array,
  labels: Float32Array,
  positive: number,
  weights: Float32Array,
): Promise<number> {
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
      if (labels[index] === positive) yes += weights[index] ?? 0;
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

function hasNaN(values: Float32Array): boolean {
  for (let index = 0; index < values.length; index++) if (Number.isNaN(values[index])) return true;
  return false;
}

/** Softmax of one row of logits, in double. */
function probabilities(logits: Float32Array, offset: number, into: Float64Array): void {
  let most = Number.NEGATIVE_INFINITY;
  for (let column = 0; column < into.length; column++) most = Math.max(most, logits[offset + column] ?? 0);
  let sum = 0;
  for (let column = 0; column < into.length; column++) {
    const power = exp((logits[offset + column] ?? 0) - most);
    into[column] = power;
    sum += power;
  }
  for (let column = 0; column < into.length; column++) into[column] = (into[column] ?? 0) / sum;
}

/** Scores of a set by curve, with what the examples are and weigh. */
class Scores {
  readonly #labels: Labels;
  readonly #scores: readonly Growing[];
  /** Classes of the examples, or 0 and 1 for each of several labels. */
  readonly #actual: readonly Growing[];
  readonly #weights = new Growing();
  /** One class against the rest for each curve. */
  readonly #againstRest: boolean;

  constructor(labels: Labels) {
    const { kind, count } = labels;
    this.#labels = labels;
    this.#againstRest = kind === "classes" && count > 2;
    const curves = kind === "multilabel" || this.#againstRest ? count : 1;
    this.#scores = Array.from({ length: curves }, () => new Growing());
    this.#actual = Array.from({ length: kind === "multilabel" ? count : 1 }, () => new Growing());
  }

  add(rows: MetricRows): void {
    this.#weights.extend(rows.rows).set(rows.weights);
    for (const [column, growing] of this.#actual.entries()) {
      const actual = growing.extend(rows.rows);
      for (let row = 0; row < rows.rows; row++) actual[row] = this.#labels.actual(rows, row, column);
    }
    const parts = this.#scores.map((growing) => growing.extend(rows.rows));
    if (this.#againstRest) addProbabilities(rows, parts);
    else addLogits(rows, this.#labels, parts);
  }

  async area(): Promise<number> {
    // What cannot be ordered has no area: that is no class to be left out.
    if (this.#scores.some(({ values }) => hasNaN(values))) return Number.NaN;
    const areas: number[] = [];
    for (const [curve, { values }] of this.#scores.entries()) {
      const actual = this.#actual[this.#againstRest ? 0 : curve]?.values ?? new Float32Array();
      areas.push(await areaUnder(values, actual, this.#againstRest ? curve : 1, this.#weights.values));
    }
    const known = areas.filter((area) => !Number.isNaN(area));
    return known.reduce((sum, area) => sum + area, 0) / known.length;
  }

  get #all(): readonly Growing[] {
    return [this.#weights, ...this.#actual, ...this.#scores];
  }

  state(): State {
    return this.#all.map(({ values }) => values);
  }

  restore(state: State): void {
    const saved: readonly State[] = Array.isArray(state) ? state : [];
    for (const [index, growing] of this.#all.entries()) growing.restore(saved[index] ?? null);
  }
}

function addProbabilities({ rows, columns, outputs }: MetricRows, parts: readonly Float32Array[]): void {
  const shares = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    probabilities(outputs, row * columns, shares);
    for (let column = 0; column < columns; column++) {
      const part = parts[column];
      if (part !== undefined) part[row] = shares[column] ?? 0;
    }
  }
}

/** Each column stands for itself; of two classes, what rises with the probability of class 1. */
function addLogits({ rows, columns, outputs }: MetricRows, { kind }: Labels, parts: readonly Float32Array[]): void {
  for (const [column, part] of parts.entries()) {
    for (let row = 0; row < rows; row++) {
      const first = outputs[row * columns + column] ?? 0;
      part[row] = kind === "classes" ? (outputs[row * columns + 1] ?? 0) - first : first;
    }
  }
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
    const scores = new Scores(labelsOf("auc", set));
    return {
      add: (rows) => scores.add(rows),
      result: () => scores.area(),
      state: () => scores.state(),
      restore: (state) => scores.restore(state),
    };
  },
};
