// Samples of attention and of its gradient.
import { type AttentionForm, attended, attentionGradientOf } from "../../lib/ops/attention.js";
import type { OperationName } from "../../lib/ops/rules.js";
import type { Value } from "../../lib/tensor/value.js";
import { type Bound, U } from "./bounds.js";
import {
  type Drawn,
  floats,
  labels,
  type Numbers,
  type OperationSamples,
  type Sample,
  sample,
  type Usage,
  within,
} from "./sample.js";

interface Setting {
  readonly form: AttentionForm;
  readonly packed: boolean;
  readonly measured: boolean;
}

const plain: AttentionForm = {
  ...{ heads: 2, keyHeads: 2, causal: false, own: false, base: undefined, dropout: undefined, where: "attention" },
};

/** [heads, rows, steps, size] as a function, turned where the form wants it. */
function parts(inputs: readonly Numbers[], { form, packed }: Setting) {
  const { heads, keyHeads, base } = form;
  const [first, second] = inputs;
  const [rows = 0, queries = 0, features = 0] = first?.shape ?? [];
  const size = features / (packed ? heads + 2 * keyHeads : heads);
  const keys = packed ? queries : (second?.shape[1] ?? 0);
  const reader = (x: Numbers | undefined, skipped: number, turns: boolean) => {
    const [, steps = 0, width = 0] = x?.shape ?? [];
    const plainly = (row: number, step: number, head: number, p: number): number =>
      x?.data[(row * steps + step) * width + (skipped + head) * size + p] ?? 0;
    if (base === undefined || !turns) return plainly;
    const half = size / 2;
    return (row: number, step: number, head: number, p: number): number => {
      const angle = step / base ** ((2 * (p % half)) / size);
      const [a, b] = [plainly(row, step, head, p % half), plainly(row, step, head, (p % half) + half)];
      return p < half ? a * Math.cos(angle) - b * Math.sin(angle) : b * Math.cos(angle) + a * Math.sin(angle);
    };
  };
  const of = (index: number, skipped: number, turns: boolean) =>
    packed ? reader(first, skipped, turns) : reader(inputs[index], 0, turns);
  return {
    ...{ rows, queries, keys, size },
    query: of(0, 0, true),
    key: of(1, heads, true),
    value: of(2, heads + keyHeads, false),
  };
}

/** y in float64. */
function computed(inputs: readonly Numbers[], setting: Setting): readonly number[] {
  const { form, packed, measured } = setting;
  const { rows, queries, keys, size, query, key, value } = parts(inputs, setting);
  const lengths = measured ? inputs[packed ? 1 : 3]?.data : undefined;
  const group = form.heads / form.keyHeads;
  const range = Array.from({ length: size }, (_, p) => p);
  const y: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let step = 0; step < queries; step++) {
      for (let head = 0; head < form.heads; head++) {
        const length = lengths?.[row] ?? keys;
        const seen = form.own && step >= length ? 0 : form.causal ? Math.min(step + 1, length) : length;
        const of = Math.floor(head / group);
        const scores = Array.from({ length: seen }, (_, j) =>
          range.reduce((sum, p) => sum + query(row, step, head, p) * key(row, j, of, p), 0),
        ).map((score) => score / Math.sqrt(size));
        const most = Math.max(...scores);
        const powers = scores.map((score) => Math.exp(score - most));
        const all = powers.reduce((sum, each) => sum + each, 0);
        for (const p of range) y.push(powers.reduce((sum, each, j) => sum + (each / all) * value(row, j, of, p), 0));
      }
    }
  }
  return y;
}

function drawn(
  { form, packed, measured }: Setting,
  [rows = 1, queries = 1, keys = 1, size = 1]: readonly number[],
): Sample {
  const { heads, keyHeads } = form;
  const near = within(-1.5, 1.5);
  const given: Drawn[] = packed
    ? [floats([rows, queries, (heads + 2 * keyHeads) * size], near)]
    : [
        floats([rows, queries, heads * size], near),
        floats([rows, keys, keyHeads * size], near),
        floats([rows, keys, keyHeads * size], near),
      ];
  const lengths = measured ? [labels([rows], keys + 1)] : [];
  return sample(
    [...given, ...lengths],
    [...given, ...lengths].map((_, index) => index),
  );
}

/** Scores below 2.25·√size are off by size + 4 roundings of themselves, which a probability feels as a relative one; then sums of keys below 1.5. */
const error: Bound = (y, x) => {
  const size = 32; // at most
  return y.map(() => U * 2.25 * Math.sqrt(size) * (size + 4) * 2 + U * 1.5 * ((x?.shape[1] ?? 1) + 8));
};

function usage(label: string, setting: Setting, sizes: readonly number[]): Usage {
  const { form, packed, measured } = setting;
  const count = packed ? 1 : 3;
  return {
    label,
    apply: (...inputs) => attended(inputs.slice(0, count), measured ? inputs[count] : undefined, form),
    reference: (...inputs) => computed(inputs, setting),
    error,
    samples: [drawn(setting, sizes)],
    differentiable: Array.from({ length: count }, (_, index) => index),
    cancellation: 8,
    rowwise: true,
  };
}

const apart: Setting = { form: plain, packed: false, measured: false };
const packed: Setting = { form: { ...plain, causal: true, own: true }, packed: true, measured: true };
const turned: Setting = {
  form: { ...plain, base: 10, keyHeads: 1, causal: true, own: true },
  packed: true,
  measured: false,
};
const memory: Setting = { form: { ...plain, base: 10 }, packed: false, measured: true };
const where = "attention";

const attentions: OperationSamples = [
  { ...usage("apart", apart, [2, 2, 3, 2]), large: drawn(apart, [5, 33, 40, 20]) },
  { ...usage("side by side, causal, with lengths", packed, [3, 3, 3, 2]), large: drawn(packed, [6, 70, 70, 32]) },
  { ...usage("turned, of one head for two", turned, [1, 3, 3, 2]), large: drawn(turned, [3, 48, 48, 18]) },
  {
    ...usage("of a memory with lengths", memory, [2, 2, 3, 2]),
    large: drawn(memory, [4, 9, 60, 16]),
    refusals: [
      { inputs: [[[2, 4]], [[2, 3, 4]], [[2, 3, 4]], [[2], "i32"]], code: "ERR_SHAPE", where: `${where}.query` },
      { inputs: [[[2, 2, 4]], [[2, 3, 6]], [[2, 3, 4]], [[2], "i32"]], code: "ERR_SHAPE", where: `${where}.key` },
      { inputs: [[[2, 2, 4]], [[2, 3, 4]], [[2, 2, 4]], [[2], "i32"]], code: "ERR_SHAPE", where: `${where}.value` },
      { inputs: [[[2, 2, 4]], [[2, 3, 4]], [[2, 3, 4]], [[3], "i32"]], code: "ERR_SHAPE", where: `${where}.lengths` },
      {
        inputs: [[[2, 2, 4], "i32"], [[2, 3, 4]], [[2, 3, 4]], [[2], "i32"]],
        code: "ERR_DTYPE",
        where: `${where}.query`,
      },
      { inputs: [[[2, 2, 2]], [[2, 3, 2]], [[2, 3, 2]], [[2], "i32"]], code: "ERR_SHAPE", where },
    ],
  },
];

/** What flows to queries, keys and values of a head, by [row][step][head][feature], in float64. */
function flowsOf(inputs: readonly Numbers[], setting: Setting): readonly (readonly number[])[] {
  const { form, packed, measured } = setting;
  const { heads, keyHeads, base } = form;
  const { rows, queries, keys, size, query, key, value } = parts(inputs, setting);
  const lengths = measured ? inputs[packed ? 1 : 3]?.data : undefined;
  const flow = inputs.at(-1)?.data ?? [];
  const group = heads / keyHeads;
  const range = Array.from({ length: size }, (_, p) => p);
  const half = size / 2;
  const zeros = (steps: number, count: number): number[] => new Array<number>(rows * steps * count * size).fill(0);
  const [dq, dk, dv] = [zeros(queries, heads), zeros(keys, keyHeads), zeros(keys, keyHeads)];
  const add = (to: number[], at: number, by: number): void => {
    to[at] = (to[at] ?? 0) + by;
  };
  /** Adds `by` to feature p of a vector that was turned. */
  const back = (to: number[], at: number, step: number, p: number, by: number): void => {
    if (base === undefined) {
      add(to, at + p, by);
      return;
    }
    const angle = step / base ** ((2 * (p % half)) / size);
    add(to, at + (p % half), by * (p < half ? Math.cos(angle) : Math.sin(angle)));
    add(to, at + (p % half) + half, by * (p < half ? -Math.sin(angle) : Math.cos(angle)));
  };
  for (let row = 0; row < rows; row++) {
    for (let step = 0; step < queries; step++) {
      for (let head = 0; head < heads; head++) {
        const length = lengths?.[row] ?? keys;
        const seen = form.own && step >= length ? 0 : form.causal ? Math.min(step + 1, length) : length;
        const of = Math.floor(head / group);
        const [atQuery, atKey] = [
          ((row * queries + step) * heads + head) * size,
          (j: number) => ((row * keys + j) * keyHeads + of) * size,
        ];
        const columns = Array.from({ length: seen }, (_, j) => j);
        const scores = columns.map(
          (j) => range.reduce((sum, p) => sum + query(row, step, head, p) * key(row, j, of, p), 0) / Math.sqrt(size),
        );
        const powers = scores.map((score) => Math.exp(score - Math.max(...scores)));
        const all = powers.reduce((sum, each) => sum + each, 0);
        const chances = powers.map((each) => each / all);
        const g = range.map((p) => flow[atQuery + p] ?? 0);
        const a = columns.map((j) => range.reduce((sum, p) => sum + (g[p] ?? 0) * value(row, j, of, p), 0));
        const r = chances.reduce((sum, chance, j) => sum + chance * (a[j] ?? 0), 0);
        for (const j of columns) {
          const ds = ((chances[j] ?? 0) * ((a[j] ?? 0) - r)) / Math.sqrt(size);
          for (const p of range) {
            back(dq, atQuery, step, p, ds * key(row, j, of, p));
            back(dk, atKey(j), j, p, ds * query(row, step, head, p));
            add(dv, atKey(j) + p, (chances[j] ?? 0) * (g[p] ?? 0));
          }
        }
      }
    }
  }
  if (!packed) return [dq, dk, dv];
  const side = Array.from({ length: rows * queries }, (_, step) =>
    [dq, dk, dv].flatMap((part, which) => {
      const width = (which === 0 ? heads : keyHeads) * size;
      return part.slice(step * width, (step + 1) * width);
    }),
  );
  return [side.flat()];
}

function gradientUsage(label: string, setting: Setting, reached: number, sizes: readonly number[]): Usage {
  const own = drawn(setting, sizes);
  const [rows = 1, queries = 1, , size = 1] = sizes;
  const count = setting.packed ? 1 : 3;
  const flow = floats([rows, queries, setting.form.heads * size], within(-1, 1));
  return {
    label,
    apply: (...inputs: Value[]) => {
      const lengths = setting.measured ? inputs[count] : undefined;
      const value = attentionGradientOf(inputs.slice(0, count), lengths, setting.form, inputs.at(-1))[reached];
      if (value === undefined) throw new Error("no such output");
      return value;
    },
    reference: (...inputs) => flowsOf(inputs, setting)[reached] ?? [],
    // As of y, through a second softmax and sums over at most four steps of terms below 8.
    error: (y) => y.map(() => U * 2.25 * Math.sqrt(8) * 12 * 32),
    samples: [sample([...own.inputs, flow], [...own.batched, own.inputs.length])],
    differentiable: [...Array.from({ length: count }, (_, index) => index), own.inputs.length],
    cancellation: 16,
    rowwise: true,
  };
}

const gradients: OperationSamples = [
  gradientUsage("apart, queries", apart, 0, [2, 2, 3, 2]),
  gradientUsage("of a memory, keys", memory, 1, [2, 2, 3, 2]),
  gradientUsage("of a memory, values", memory, 2, [2, 2, 3, 2]),
  gradientUsage("turned, side by side", turned, 0, [1, 3, 3, 2]),
  gradientUsage("causal with lengths, side by side", packed, 0, [3, 3, 3, 2]),
];

/** Samples of attention and its gradient. */
export const attentionSamples = {
  attention: attentions,
  attentionGradient: gradients,
} as const satisfies Partial<Record<OperationName, OperationSamples>>;
