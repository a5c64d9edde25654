import { turn } from "../../binding/clock.js";
import type { Part } from "../../io/part.js";
import type { State } from "../../io/state.js";
import { isFloats, isUint8Array } from "../../tensor/arrays.js";
import { exp } from "../../tensor/exact.js";
import type { Labels } from "./labels.js";
import type { MetricRows } from "./metric.js";

/** Examples that are sorted before the event loop has its turn: well below a millisecond. */
const SLICE = 32_768;

/** Digits of the radix sort: three of 11 bits a word of 32. */
const RADIX_BITS = 11;
const RADIX = 2048;
const WORD_BITS = 32;

type Floats = Float32Array | Float64Array;

/** A list of numbers that grows by stretches: of float64 if it is `wide`, else of float32. */
class Growing {
  readonly #wide: boolean;
  #data: Floats;
  #length = 0;

  constructor(wide: boolean) {
    this.#wide = wide;
    this.#data = this.#room(1024);
  }

  #room(count: number): Floats {
    return this.#wide ? new Float64Array(count) : new Float32Array(count);
  }

  push(value: number): void {
    if (this.#length === this.#data.length) {
      const larger = this.#room(2 * this.#data.length);
      larger.set(this.#data);
      this.#data = larger;
    }
    this.#data[this.#length] = value;
    this.#length += 1;
  }

  get values(): Floats {
    return this.#data.subarray(0, this.#length);
  }

  /** Float64 as bytes: a state has no array of them. */
  state(): State {
    const { values } = this;
    return isFloats(values) ? values : new Uint8Array(values.slice().buffer);
  }

  restore(state: State): void {
    this.#length = 0;
    for (const value of this.#valuesOf(state) ?? []) this.push(value);
  }

  /** The numbers of a state; `undefined` if it is none of such a list. */
  #valuesOf(state: unknown): Floats | undefined {
    if (!this.#wide) return isFloats(state) ? state : undefined;
    if (!isUint8Array(state) || state.length % Float64Array.BYTES_PER_ELEMENT !== 0) return undefined;
    return new Float64Array(Uint8Array.from(state).buffer);
  }

  /** The numbers of a state, all of them such that `holds`; otherwise `ERR_FILE`. */
  check(state: Part, holds: (value: number) => boolean, expected: string): Floats {
    const values = this.#valuesOf(state.value) ?? state.refuse(this.#wide ? "bytes of float64" : "a Float32Array");
    const wrong = values.findIndex((value) => !holds(value));
    if (wrong >= 0) state.refuse(`${expected} as element ${wrong}`, String(values[wrong]));
    return values;
  }
}

/** Keys in the order of the floats, as words from the lowest: the sign turns the order of the bits round. −0 becomes 0. */
function orderedKeys(scores: Floats): Uint32Array {
  const floats = scores.map((score) => score + 0);
  const keys = new Uint32Array(floats.buffer);
  const words = keys.length / floats.length;
  for (let top = words - 1; top < keys.length; top += words) {
    const negative = (keys[top] ?? 0) >>> 31 === 1;
    for (let place = top - words + 1; negative && place < top; place++) keys[place] = ~(keys[place] ?? 0);
    keys[top] = negative ? ~(keys[top] ?? 0) : (keys[top] ?? 0) | 0x80000000;
  }
  return keys;
}

/** Where the numbers with each digit of a word begin. */
function digitStarts(keys: Uint32Array, word: number, words: number, shift: number): Uint32Array {
  const starts = new Uint32Array(RADIX + 1);
  for (let index = word; index < keys.length; index += words) {
    const behind = (((keys[index] ?? 0) >>> shift) & (RADIX - 1)) + 1;
    starts[behind] = (starts[behind] ?? 0) + 1;
  }
  for (let digit = 1; digit <= RADIX; digit++) starts[digit] = (starts[digit] ?? 0) + (starts[digit - 1] ?? 0);
  return starts;
}

/** Places of the examples by rising key: a radix sort that lets the event loop in. */
async function sortedOrder(keys: Uint32Array, words: number): Promise<Uint32Array> {
  let order = new Uint32Array(keys.length / words);
  let next = new Uint32Array(order.length);
  for (let index = 0; index < order.length; index++) order[index] = index;
  for (let bit = 0; bit < words * WORD_BITS; bit += bit % WORD_BITS === 2 * RADIX_BITS ? 10 : RADIX_BITS) {
    const word = Math.floor(bit / WORD_BITS);
    const shift = bit % WORD_BITS;
    const starts = digitStarts(keys, word, words, shift);
    for (let begin = 0; begin < order.length; begin += SLICE) {
      const end = Math.min(begin + SLICE, order.length);
      for (let place = begin; place < end; place++) {
        const index = order[place] ?? 0;
        const digit = ((keys[index * words + word] ?? 0) >>> shift) & (RADIX - 1);
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

/** How much more than all examples one may weigh: their sum is one of float32. */
const SLACK = 1.001;

/** Examples of one curve: their scores, which of them are positive, and their weights > 0. */
export interface Curve {
  readonly scores: Floats;
  isPositive(example: number): boolean;
  readonly weights: Floats;
}

/** Σ w of the positive examples and of the others. */
export function totalsOf({ weights, isPositive }: Curve): { readonly positives: number; readonly negatives: number } {
  let positives = 0;
  let negatives = 0;
  for (let example = 0; example < weights.length; example++) {
    if (isPositive(example)) positives += weights[example] ?? 0;
    else negatives += weights[example] ?? 0;
  }
  return { positives, negatives };
}

/** Examples of one score: Σ w of the positive ones and of the others. */
export interface Group {
  readonly score: number;
  readonly yes: number;
  readonly no: number;
}

/** Calls `visit` for every score that occurs, by rising score. */
export async function walk({ scores, weights, isPositive }: Curve, visit: (group: Group) => void): Promise<void> {
  if (scores.length === 0) return;
  const keys = orderedKeys(scores);
  const words = keys.length / scores.length;
  const order = await sortedOrder(keys, words);
  const isSame = (first: number, second: number): boolean => {
    for (let word = 0; word < words; word++) {
      if (keys[first * words + word] !== keys[second * words + word]) return false;
    }
    return true;
  };
  for (let begin = 0; begin < order.length; ) {
    const first = order[begin] ?? 0;
    let yes = 0;
    let no = 0;
    let end = begin;
    for (; end < order.length && isSame(order[end] ?? 0, first); end++) {
      const example = order[end] ?? 0;
      if (isPositive(example)) yes += weights[example] ?? 0;
      else no += weights[example] ?? 0;
    }
    visit({ score: scores[first] ?? 0, yes, no });
    if (Math.floor(begin / SLICE) !== Math.floor(end / SLICE)) await turn();
    begin = end;
  }
}

/**
 * p/(1 − p) of each class of one row, in double: what rises with p = softmax(logits) and keeps its digits near 1, where p
 * has none left. Terms are added in the order of their size, so that rows of the same logits in another order are equal.
 */
function oddsOf(logits: ArrayLike<number>, offset: number, into: Float64Array): void {
  const count = into.length;
  let top = 0;
  for (let column = 1; column < count; column++) {
    if ((logits[offset + column] ?? 0) > (logits[offset + top] ?? 0)) top = column;
  }
  for (let column = 0; column < count; column++) {
    into[column] = exp((logits[offset + column] ?? 0) - (logits[offset + top] ?? 0));
  }
  const sorted = into.slice().sort();
  let others = 0;
  for (let place = 0; place < count - 1; place++) others += sorted[place] ?? 0;
  for (let column = 0; column < count; column++) {
    const own = into[column] ?? 0;
    // The largest is 1; beside it the sum of all loses nothing by the difference.
    into[column] = own === 1 ? 1 / others : own / (others + 1 - own);
  }
}

/** Scores of a set by curve, with what the examples are and weigh; examples that weigh nothing are left out. */
export class Scores {
  readonly #labels: Labels;
  /** Scores as the probability itself, not only in its order. */
  readonly #asChance: boolean;
  readonly #scores: readonly Growing[];
  /** Classes of the examples, or 0 and 1 for each of several labels. */
  readonly #actual: readonly Growing[];
  readonly #weights = new Growing(false);
  /** One class against the rest for each curve. */
  readonly #againstRest: boolean;
  readonly #row: Float64Array;

  constructor(labels: Labels, asChance = false) {
    const { kind, count } = labels;
    this.#labels = labels;
    this.#asChance = asChance;
    this.#againstRest = kind === "classes" && count > 2;
    const curves = kind === "multilabel" || this.#againstRest ? count : 1;
    this.#row = new Float64Array(curves);
    const wide = asChance || kind === "classes";
    this.#scores = Array.from({ length: curves }, () => new Growing(wide));
    this.#actual = Array.from({ length: kind === "multilabel" ? count : 1 }, () => new Growing(false));
  }

  add(rows: MetricRows): void {
    for (let row = 0; row < rows.rows; row++) {
      const weight = rows.weights[row] ?? 0;
      if (weight === 0) continue;
      this.#weights.push(weight);
      for (const [column, growing] of this.#actual.entries()) growing.push(this.#labels.actual(rows, row, column));
      this.#score(rows, row);
      for (const [curve, growing] of this.#scores.entries()) growing.push(this.#row[curve] ?? 0);
    }
  }

  /** Scores of one row, by curve. */
  #score(rows: MetricRows, row: number): void {
    const { outputs, columns } = rows;
    const { kind, ending } = this.#labels;
    const offset = row * columns;
    const into = this.#row;
    if (this.#againstRest && (ending === undefined || ending === "logSoftmax")) {
      oddsOf(outputs, offset, into);
      return;
    }
    for (let curve = 0; curve < into.length; curve++) {
      const own = outputs[offset + curve] ?? 0;
      const two = kind === "classes" && !this.#againstRest;
      if (this.#asChance) into[curve] = this.#labels.chance(rows, row, curve);
      else into[curve] = two ? (outputs[offset + 1] ?? 0) - own : own;
    }
  }

  /** One curve, or one a class or label; `undefined` if a score is NaN: what cannot be ordered has no curve. */
  curves(): readonly Curve[] | undefined {
    if (this.#scores.some(({ values }) => values.includes(Number.NaN))) return undefined;
    const weights = this.#weights.values;
    return this.#scores.map(({ values }, curve) => {
      const actual = this.#actual[this.#againstRest ? 0 : curve]?.values ?? new Float32Array();
      const positive = this.#againstRest ? curve : 1;
      return { scores: values, weights, isPositive: (example) => actual[example] === positive };
    });
  }

  get #all(): readonly Growing[] {
    return [this.#weights, ...this.#actual, ...this.#scores];
  }

  state(): State {
    return this.#all.map((growing) => growing.state());
  }

  /** `ERR_FILE` for what {@link state} does not give of examples that weigh `weight`. */
  check(state: Part, weight: number): void {
    const { kind, count } = this.#labels;
    const most = kind === "classes" ? count - 1 : 1;
    const isWeight = (value: number): boolean => value > 0 && value <= weight * SLACK;
    const isClass = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= most;
    const lists = state.list(this.#all.length);
    const lengths = this.#all.map((growing, index) => {
      const list = lists[index] ?? state;
      if (index === 0) return growing.check(list, isWeight, `a weight in (0, ${weight}]`).length;
      if (index <= this.#actual.length) return growing.check(list, isClass, `a class in [0, ${most}]`).length;
      return growing.check(list, () => true, "").length;
    });
    for (const [index, length] of lengths.entries()) {
      if (length !== lengths[0]) (lists[index] ?? state).refuse(`${lengths[0]} elements`, `${length}`);
    }
  }

  restore(state: State): void {
    const saved: readonly State[] = Array.isArray(state) ? state : [];
    for (const [index, growing] of this.#all.entries()) growing.restore(saved[index] ?? null);
  }
}
