// Attention as one operation, beside the product, the softmax and the product by themselves: the same bits, gradients too.
import { describe, expect, test } from "vitest";
import { grad } from "../../lib/graph/grad.js";
import { type AttentionForm, attended, attendedApart } from "../../lib/ops/attention.js";
import * as ops from "../../lib/ops/index.js";
import { Tensor, tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";
import { floats, within } from "./sample.js";
import { difference, toTensor } from "./ways.js";

const drawn = (shape: readonly number[]): Tensor => toTensor(floats(shape, within(-2, 2)));

const plain: AttentionForm = {
  ...{ heads: 4, keyHeads: 4, causal: false, own: false, base: undefined, dropout: undefined, where: "attention" },
};
const dropout = { site: 3, keep: 0.7, draw: { seed: 5, step: 2 } };

/** Forms, [rows, queries, keys], size of a head, whether there are lengths. */
type Case = readonly [name: string, form: AttentionForm, sizes: readonly number[], size: number, measured: boolean];
const CASES: readonly Case[] = [
  ["plain", plain, [3, 40, 40], 20, false],
  ["a single step", plain, [2, 1, 1], 2, false],
  ["of a memory", plain, [2, 5, 19], 8, false],
  ["of a memory with lengths", plain, [3, 5, 19], 6, true],
  ["causal", { ...plain, causal: true }, [3, 40, 40], 6, false],
  ["causal with lengths", { ...plain, causal: true, own: true }, [3, 33, 33], 32, true],
  ["dropped, turned", { ...plain, dropout, base: 10_000, causal: true, own: true }, [3, 21, 21], 20, true],
  ["of shared heads", { ...plain, keyHeads: 2, base: 100 }, [2, 17, 17], 6, false],
  ["of one head for all", { ...plain, keyHeads: 1, dropout, own: true }, [3, 7, 7], 20, true],
  ["longer than a chunk", { ...plain, heads: 1, keyHeads: 1 }, [1, 1100, 1100], 4, false],
  ["longer than a chunk, causal", { ...plain, heads: 2, keyHeads: 1, causal: true }, [1, 1100, 1100], 4, false],
];

const lengthsOf = (rows: number, keys: number): Tensor<"i32"> =>
  tensor(Int32Array.from({ length: rows }, (_, row) => [0, keys, Math.ceil(keys / 2)][row] ?? 1));

/** Results, then gradients of Σ c·y, without zeros of the sign −. */
function computed(
  f: typeof attended,
  given: readonly Tensor[],
  lengths: Tensor | undefined,
  form: AttentionForm,
  c: Tensor,
) {
  const loss = (...inputs: Value[]): Value => ops.sum(ops.multiply(f(inputs, lengths, form), c));
  const all = [f(given, lengths, form), ...grad(loss)(...given)].map((value) => ops.add(value, 0));
  return all.filter((value): value is Tensor<"f32"> => value instanceof Tensor);
}

describe.each(CASES)("%s", (_name, form, [rows = 1, queries = 1, keys = 1], size, measured) => {
  const query = drawn([rows, queries, form.heads * size]);
  const [key, value] = [0, 1].map(() => drawn([rows, keys, form.keyHeads * size])) as [Tensor, Tensor];
  const lengths = measured ? lengthsOf(rows, keys) : undefined;
  const c = drawn([rows, queries, form.heads * size]);

  test("apart", () => {
    const given = [query, key, value];
    const expected = computed(attendedApart, given, lengths, form, c);
    expect(difference(computed(attended, given, lengths, form, c), expected)).toBeUndefined();
  });

  test.runIf(queries === keys)("side by side", () => {
    const given = [ops.concat([query, key, value], { axis: 2 }) as Tensor];
    const expected = computed(attendedApart, given, lengths, form, c);
    expect(difference(computed(attended, given, lengths, form, c), expected)).toBeUndefined();
  });
});

test("what is not looked at is not multiplied: infinities and NaN behind the end and behind a step change nothing", () => {
  const form = { ...plain, causal: true, own: true };
  const [query, key, value] = [0, 1, 2].map(() => drawn([2, 9, 8])) as [Tensor, Tensor, Tensor];
  const lengths = tensor(Int32Array.of(5, 0));
  const c = drawn([2, 9, 8]);
  const spoilt = [query, key, value].map((x) => {
    const y = tensor(Float32Array.from(x.data), x.shape as readonly number[]);
    y.data.fill(Number.NaN, 5 * 8, 9 * 8);
    y.data.fill(Number.POSITIVE_INFINITY, 9 * 8);
    return y;
  });
  const expected = computed(attended, [query, key, value], lengths, form, c);
  expect(difference(computed(attended, spoilt, lengths, form, c), expected)).toBeUndefined();
  expect(expected[0]?.data.subarray(5 * 8)).toEqual(new Float32Array(13 * 8));
  // A step that is not finite reaches those behind it alone.
  const late = tensor(Float32Array.from(value.data), [2, 9, 8]);
  late.data.fill(Number.POSITIVE_INFINITY, 4 * 8, 5 * 8);
  const [y] = computed(attended, [query, key, late], lengths, form, c);
  expect(y?.data.subarray(0, 4 * 8)).toEqual(expected[0]?.data.subarray(0, 4 * 8));
});

test("a step has the bits that it has as the last one of a shorter sequence", () => {
  const form = { ...plain, causal: true, own: true, base: 10_000 };
  const all = drawn([1, 40, 96]);
  const whole = attended([all], undefined, form) as Tensor;
  for (const steps of [1, 7, 16, 33]) {
    const part = attended([ops.slice(all, 0, steps, { axis: 1 })], undefined, form) as Tensor;
    expect(part.data).toEqual(whole.data.subarray(0, part.data.length));
  }
});

test("what does not fit is refused by its name", () => {
  const x = drawn([2, 3, 8]);
  const attend =
    (options: Partial<ops.AttentionOptions>, key: Value = x, value: Value = x) =>
    () =>
      ops.attention(x, key, value, { heads: 2, ...options });
  expect(attend({ heads: 3 })).toThrow(/3 heads divide for 'attention.query' but received \[2, 3, 8\]|3 heads divide/);
  expect(attend({ keyValueHeads: 3 })).toThrow(/a divisor of 2 heads for 'attention.keyValueHeads'/);
  expect(attend({}, drawn([2, 4, 4]))).toThrow(/attention.key/);
  expect(attend({}, drawn([2, 4, 8]))).toThrow(/attention.value/);
  expect(attend({ lengths: tensor(Int32Array.of(1)) })).toThrow(/attention.lengths/);
  expect(attend({ lengths: tensor(Int32Array.of(1, 4)) })).toThrow(/expected an integer in \[0, 4\)/);
  expect(attend({ heads: 8, rotary: true })).toThrow(/heads of an even size/);
  expect(attend({ rotary: 1 })).toThrow(/attention.rotary/);
});
