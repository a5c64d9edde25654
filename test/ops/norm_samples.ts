import { batchNorm, columnNormGradient } from "../../lib/ops/column_norm.js";
import * as ops from "../../lib/ops/index.js";
import { rowNormGradient } from "../../lib/ops/row_norm.js";
import type { OperationName } from "../../lib/ops/rules.js";
import type { Value } from "../../lib/tensor/value.js";
import { type Bound, gamma, rounded, sumDepth, U } from "./bounds.js";
import {
  floats,
  type Numbers,
  type OperationSamples,
  type Refusal,
  type Sample,
  sample,
  size,
  type Usage,
  within,
} from "./sample.js";

/** As a float32, which native code has. */
const EPSILON = Math.fround(1e-3);

type List = readonly number[];

const mean = (x: List): number => x.reduce((sum, value) => sum + value, 0) / x.length;
const meanOf = (x: List, f: (value: number, index: number) => number): number => mean(x.map(f));

/** Lists whose elements lie `stride` apart. */
interface Lists {
  readonly count: number;
  readonly at: (list: number) => readonly number[];
  /** Where element `index` of a list lies. */
  readonly place: (list: number, index: number) => number;
}

function lists(count: number, length: number, step: number, stride: number, data: List): Lists {
  const place = (list: number, index: number): number => list * step + index * stride;
  return {
    count,
    place,
    at: (list) => Array.from({ length }, (_, index) => data[place(list, index)] ?? Number.NaN),
  };
}

/** Rows of x, or equal parts of them. */
function byRows({ shape, data }: Numbers, groups: number): Lists {
  const columns = (shape.at(-1) ?? 1) / groups;
  return lists(data.length / columns, columns, columns, 1, data);
}

/** Columns of x over all its rows. */
function byColumns({ shape, data }: Numbers): Lists {
  const columns = shape.at(-1) ?? 1;
  return lists(columns, data.length / columns, 1, columns, data);
}

/** Normalized elements, and how far float32 may be from them before scale and shift. */
interface Normalized {
  readonly n: number;
  readonly error: number;
}

/**
 * With `depth` roundings a term of a sum. The mean x₀ + Σ(x − x₀)/count is off by γ(depth + 2)·mean|x − x₀| + u·|mean|, a deviation d
 * by that and u·|d|; the variance by mean(2|d|·δd) + γ(depth + 2)·variance; the root and its inverse by half of that relatively, and
 * by 3 u. For 10 % more, all second-order terms.
 */
function normalize(
  x: List,
  centered: boolean,
  depth: number,
): { readonly all: readonly Normalized[]; readonly root: number } {
  const [first = 0] = x;
  const m = centered ? mean(x) : 0;
  const ofMean = centered ? gamma(depth + 2) * meanOf(x, (value) => Math.abs(value - first)) + U * Math.abs(m) : 0;
  const variance = meanOf(x, (value) => (value - m) ** 2);
  const off = (d: number): number => ofMean + U * Math.abs(d);
  const ofVariance = meanOf(x, (value) => 2 * Math.abs(value - m) * off(value - m)) + gamma(depth + 2) * variance;
  const root = 1 / Math.sqrt(variance + EPSILON);
  const relative = 0.5 * ofVariance * root ** 2 + 3 * U;
  const all = x.map((value): Normalized => {
    const n = (value - m) * root;
    return { n, error: 1.1 * (Math.abs(n) * (relative + U) + off(value - m) * root) };
  });
  return { all, root };
}

/** n·scale + shift of every element of x; its bound: the error of n times the scale, two roundings. */
function scaled(
  make: (x: Numbers) => Lists,
  centered: boolean,
  depth: (x: Numbers) => number,
  scaleAt: (x: Numbers, place: number) => number = (x, place) => place % (x.shape.at(-1) ?? 1),
): { readonly reference: Usage["reference"]; readonly error: Bound } {
  const walk = (inputs: readonly Numbers[], each: (one: Normalized, scale: number, shift: number) => number): List => {
    const [x, scale, shift] = inputs;
    const y: number[] = new Array<number>(x?.data.length ?? 0).fill(0);
    if (x === undefined) return y;
    const all = make(x);
    for (let list = 0; list < all.count; list++) {
      for (const [index, one] of normalize(all.at(list), centered, depth(x)).all.entries()) {
        const place = all.place(list, index);
        const at = scaleAt(x, place);
        y[place] = each(one, scale?.data[at] ?? 1, shift?.data[at] ?? 0);
      }
    }
    return y;
  };
  return {
    reference: (...inputs) => walk(inputs, ({ n }, scale, shift) => n * scale + shift),
    error: (_y, ...inputs) =>
      walk(inputs, ({ n, error }, scale, shift) => {
        return error * Math.abs(scale) + U * (2 * Math.abs(n * scale) + Math.abs(n * scale + shift));
      }),
  };
}

const anywhere = within(-2, 2);
/** The variance of few of them is above ½, whatever they are: every second one has the other sign. */
function spread(shape: List): ReturnType<typeof floats> {
  const drawn = floats(shape, within(0.75, 2));
  return { ...drawn, data: drawn.data.map((value, index) => (index % 2 === 0 ? value : -value)) };
}

/** x of `shape`, whose first axis may be the batch, and `weights` of its columns. */
function normSample(shape: List, weights: number): Sample {
  const columns = shape.at(-1) ?? 1;
  const others = Array.from({ length: weights }, () => floats([columns]));
  return sample([spread(shape), ...others], shape.length === 1 ? [] : [0]);
}

const rowDepth =
  (groups: number) =>
  (x: Numbers): number =>
    sumDepth((x.shape.at(-1) ?? 1) / groups);
/** A chain of at most 128 rows, then one addition a block. */
const columnDepth = ({ shape }: Numbers): number => {
  const rows = size(shape.slice(0, -1));
  return Math.min(rows, 128) + Math.ceil(rows / 128);
};

/**
 * A derivative is scale·r·(1 − 1/n − nᵢ·nⱼ/n), three terms of at most |scale|·r ≤ 2·1.4 each, as |nᵢ·nⱼ| ≤ n and the variance is
 * above ½.
 */
const CANCELLATION = 9;

function refusedNorm(name: string): readonly Refusal[] {
  return [
    { inputs: [[[3, 4], "i32"]], code: "ERR_DTYPE", where: name },
    { inputs: [[[3, 4]], [[3]]], code: "ERR_SHAPE", where: `${name}.scale` },
    { inputs: [[[3, 4]], [[4], "i32"]], code: "ERR_DTYPE", where: `${name}.scale` },
  ];
}

const shapes: readonly List[] = [[3, 5], [4, 33], [2, 3, 5], [1, 17], [7], [2, 1030], [6, 4]];

const rowNorms: OperationSamples = [
  {
    label: "layerNorm",
    apply: (x, scale, shift) => ops.layerNorm(x, scale, shift, { epsilon: EPSILON }),
    ...scaled((x) => byRows(x, 1), true, rowDepth(1)),
    samples: shapes.map((shape) => normSample(shape, 2)),
    large: normSample([401, 130], 2),
    differentiable: [0, 1, 2],
    cancellation: CANCELLATION,
    rowwise: true,
    refusals: [...refusedNorm("layerNorm"), { inputs: [[[]]], code: "ERR_SHAPE", where: "layerNorm" }],
  },
  {
    label: "layerNorm alone",
    apply: (x) => ops.layerNorm(x, undefined, undefined, { epsilon: EPSILON }),
    ...scaled((x) => byRows(x, 1), true, rowDepth(1)),
    samples: shapes.map((shape) => normSample(shape, 0)),
    large: normSample([33, 4100], 0),
    differentiable: [0],
    cancellation: CANCELLATION,
    rowwise: true,
  },
  {
    label: "few rows",
    apply: (x, scale, shift) => ops.layerNorm(x, scale, shift, { epsilon: EPSILON }),
    ...scaled((x) => byRows(x, 1), true, rowDepth(1)),
    samples: [],
    large: normSample([100, 701], 2),
    differentiable: [0, 1, 2],
    rowwise: true,
  },
  {
    label: "rmsNorm",
    apply: (x, scale) => ops.rmsNorm(x, scale, { epsilon: EPSILON }),
    ...scaled((x) => byRows(x, 1), false, rowDepth(1)),
    samples: shapes.map((shape) => normSample(shape, 1)),
    large: normSample([401, 130], 1),
    differentiable: [0, 1],
    cancellation: CANCELLATION,
    rowwise: true,
    refusals: refusedNorm("rmsNorm"),
  },
  {
    label: "groupNorm",
    apply: (x, scale, shift) => ops.groupNorm(x, 2, scale, shift, { epsilon: EPSILON }),
    ...scaled((x) => byRows(x, 2), true, rowDepth(2)),
    samples: [
      [3, 4],
      [5, 34],
      [1, 6],
    ].map((shape) => normSample(shape, 2)),
    large: normSample([200, 302], 2),
    differentiable: [0, 1, 2],
    cancellation: CANCELLATION,
    rowwise: true,
    refusals: [...refusedNorm("groupNorm"), { inputs: [[[3, 5]]], code: "ERR_SHAPE", where: "groupNorm" }],
  },
  {
    label: "groupNorm over places",
    apply: (x, scale, shift) => ops.groupNorm(x, 2, scale, shift, { epsilon: EPSILON }),
    ...scaled(
      // Row, then group, of [rows, places, features].
      ({ shape: [rows = 1, places = 1, features = 1], data }) => {
        const half = features / 2;
        const place = (list: number, index: number): number => {
          const [row, group] = [Math.floor(list / 2), list % 2];
          return (row * places + Math.floor(index / half)) * features + group * half + (index % half);
        };
        const at = (list: number): List =>
          Array.from({ length: places * half }, (_, index) => data[place(list, index)] ?? Number.NaN);
        return { count: rows * 2, place, at };
      },
      true,
      ({ shape }) => sumDepth(size(shape.slice(1)) / 2),
    ),
    samples: [normSample([2, 3, 4], 2)],
    differentiable: [0, 1, 2],
    cancellation: CANCELLATION,
    rowwise: true,
    refusals: [{ inputs: [[[2, 3, 5]]], code: "ERR_SHAPE", where: "groupNorm" }],
  },
];

// ---- Their gradients: mean and root are inputs of their own

/** Sums of a part of a row: p = g·scale, n = (x − mean)·root. */
function rowGradient(
  groups: number,
  centered: boolean,
): { readonly reference: Usage["reference"]; readonly error: Bound } {
  const walk = (
    inputs: readonly Numbers[],
    each: (terms: { p: number; a: number; n: number; b: number; root: number; sizes: number }) => number,
  ): List => {
    const [x, g, inverse, ...rest] = inputs;
    const means = centered ? rest[0] : undefined;
    const scale = rest[centered ? 1 : 0];
    if (x === undefined || g === undefined || inverse === undefined) return [];
    const columns = x.shape.at(-1) ?? 1;
    const length = columns / groups;
    const pAt = (at: number): number => (g.data[at] ?? 0) * (scale?.data[at % columns] ?? 1);
    return inverse.data.flatMap((root, list) => {
      const m = means?.data[list] ?? 0;
      const part = Array.from({ length }, (_, i) => {
        const at = list * length + i;
        return { p: pAt(at), n: ((x.data[at] ?? 0) - m) * root };
      });
      const a = centered ? mean(part.map(({ p }) => p)) : 0;
      const b = mean(part.map(({ p, n }) => p * n));
      const [largeA, largeB] = [mean(part.map(({ p }) => Math.abs(p))), mean(part.map(({ p, n }) => Math.abs(p * n)))];
      return part.map(({ p, n }) => each({ p, a, n, b, root, sizes: Math.abs(p) + largeA + Math.abs(n) * largeB }));
    });
  };
  return {
    reference: (...inputs) => walk(inputs, ({ p, a, n, b, root }) => (p - a - n * b) * root),
    // Each of the three terms is rounded as often as its sum, and 8 times more: p, n twice, the product, the quotient, and three.
    error: (_y, ...inputs) => {
      const [x] = inputs;
      const depth = sumDepth((x?.shape.at(-1) ?? 1) / groups) + 8;
      return walk(inputs, ({ root, sizes }) => gamma(depth) * sizes * Math.abs(root));
    },
  };
}

function gradientSample(shape: List, groups: number, centered: boolean): Sample {
  const columns = shape.at(-1) ?? 1;
  const numbers = [...shape.slice(0, -1), ...(groups === 1 ? [] : [groups])];
  const statistics = [floats(numbers), ...(centered ? [floats(numbers)] : [])];
  const batched = statistics.map((_, index) => 2 + index);
  return sample([spread(shape), floats(shape), ...statistics, floats([columns])], [0, 1, ...batched]);
}

const rowNormOutput =
  (output: number, groups: number, centered: boolean) =>
  (...inputs: Value[]): Value => {
    const own = { groups, centered, scaled: true, shifted: true, where: "norm" };
    return rowNormGradient(inputs, own)[output] ?? ops.sum(ops.rowCount());
  };

/** Σ over rows of a term of each element; `depth` roundings a term more than a chain has. */
function overRows(
  depth: number,
  term: (inputs: readonly Numbers[], place: number) => number,
): { readonly reference: Usage["reference"]; readonly error: Bound } {
  const totals = (inputs: readonly Numbers[], of: (value: number) => number): List => {
    const [x] = inputs;
    const columns = x?.shape.at(-1) ?? 1;
    const sums = new Array<number>(columns).fill(0);
    for (let place = 0; place < (x?.data.length ?? 0); place++) {
      sums[place % columns] = (sums[place % columns] ?? 0) + of(term(inputs, place));
    }
    return sums;
  };
  return {
    reference: (...inputs) => totals(inputs, (value) => value),
    error: (_y, ...inputs) => {
      const roundings = inputs[0] === undefined ? 0 : columnDepth(inputs[0]) + depth;
      return totals(inputs, Math.abs).map((sum) => gamma(roundings) * sum);
    },
  };
}

const rowNormGradients: OperationSamples = [
  ...[true, false].map(
    (centered): Usage => ({
      label: centered ? "dx" : "dx, not centred",
      apply: rowNormOutput(0, 1, centered),
      ...rowGradient(1, centered),
      samples: [
        [3, 5],
        [4, 33],
        [2, 2],
      ].map((shape) => gradientSample(shape, 1, centered)),
      large: gradientSample([401, 130], 1, centered),
      differentiable: centered ? [0, 1, 2, 3, 4] : [0, 1, 2, 3],
      cancellation: 16,
      rowwise: true,
    }),
  ),
  {
    label: "dx of groups",
    apply: rowNormOutput(0, 2, true),
    ...rowGradient(2, true),
    samples: [
      [3, 6],
      [2, 34],
    ].map((shape) => gradientSample(shape, 2, true)),
    large: gradientSample([90, 700], 2, true),
    differentiable: [0, 1, 2, 3, 4],
    cancellation: 16,
    rowwise: true,
  },
  {
    label: "dscale",
    apply: rowNormOutput(1, 1, true),
    ...overRows(3, ([x, g, inverse, means], place) => {
      const row = Math.floor(place / (x?.shape.at(-1) ?? 1));
      return (g?.data[place] ?? 0) * ((x?.data[place] ?? 0) - (means?.data[row] ?? 0)) * (inverse?.data[row] ?? 0);
    }),
    samples: [
      [3, 5],
      [4, 33],
      [130, 3],
    ].map((shape) => gradientSample(shape, 1, true)),
    large: gradientSample([100, 701], 1, true),
    differentiable: [0, 1, 2, 3],
    cancellation: 4,
  },
  {
    label: "dshift",
    apply: rowNormOutput(2, 1, true),
    ...overRows(0, ([, g], place) => g?.data[place] ?? 0),
    samples: [
      [3, 5],
      [4, 33],
      [300, 3],
    ].map((shape) => gradientSample(shape, 1, true)),
    large: gradientSample([401, 130], 1, true),
    differentiable: [1],
  },
];

// ---- Columns

const columnNorms: OperationSamples = [
  {
    label: "batchNorm",
    apply: (x, scale, shift) => batchNorm(x, scale, shift, { epsilon: EPSILON }).y,
    ...scaled(byColumns, true, columnDepth),
    samples: [
      [6, 3],
      [4, 33],
      [2, 3, 5],
      [9, 1],
      [300, 2],
      [2, 17],
    ].map((shape) => columnSample(shape, 2)),
    large: columnSample([401, 130], 2),
    differentiable: [0, 1, 2],
    cancellation: CANCELLATION,
    refusals: [
      { inputs: [[[4, 3], "i32"], [[3]], [[3]]], code: "ERR_DTYPE", where: "batchNorm" },
      { inputs: [[[4, 3]], [[4]], [[3]]], code: "ERR_SHAPE", where: "batchNorm.scale" },
      { inputs: [[[4, 3]], [[3]], [[4]]], code: "ERR_SHAPE", where: "batchNorm.shift" },
      { inputs: [[[3]], [[3]], [[3]]], code: "ERR_SHAPE", where: "batchNorm" },
    ],
  },
  {
    label: "few rows, alone",
    apply: (x) => batchNorm(x, undefined, undefined, { epsilon: EPSILON }).y,
    ...scaled(byColumns, true, columnDepth),
    samples: [columnSample([6, 3], 0)],
    large: columnSample([100, 701], 0),
    differentiable: [0],
    cancellation: CANCELLATION,
  },
  {
    label: "mean",
    apply: (x) => batchNorm(x).mean,
    reference: (x) => {
      const columns = byColumns(x);
      return Array.from({ length: columns.count }, (_, list) => mean(columns.at(list)));
    },
    error: (_y, x) => {
      if (x === undefined) return [];
      const columns = byColumns(x);
      return Array.from({ length: columns.count }, (_, list) => {
        const [all, [first = 0]] = [columns.at(list), columns.at(list)];
        const spreads = meanOf(all, (value) => Math.abs(value - first));
        return 1.1 * (gamma(columnDepth(x) + 2) * spreads + U * Math.abs(mean(all)));
      });
    },
    samples: [sample([floats([6, 3], anywhere)]), sample([floats([300, 2], anywhere)])],
    differentiable: [0],
  },
  {
    label: "variance",
    apply: (x) => batchNorm(x).variance,
    reference: (x) => {
      const columns = byColumns(x);
      return Array.from({ length: columns.count }, (_, list) => {
        const all = columns.at(list);
        const m = mean(all);
        return meanOf(all, (value) => (value - m) ** 2);
      });
    },
    // As in normalize(): no deviation is off by more than 8 u, as no number is above 2, nor by more roundings than a sum has.
    error: (y, x) => {
      const depth = x === undefined ? 0 : columnDepth(x) + 4;
      return y.map((variance) => 1.1 * gamma(depth) * (variance + 2 * 2 * 4));
    },
    samples: [sample([floats([6, 3], anywhere)]), sample([floats([300, 2], anywhere)])],
    differentiable: [0],
    cancellation: 8,
  },
  {
    label: "a lone row by running values",
    apply: (x, scale, shift, m, v) => {
      const running = m === undefined || v === undefined ? undefined : { mean: m, variance: v };
      return batchNorm(x, scale, shift, { epsilon: EPSILON, running }).y;
    },
    reference: (x, scale, shift, m, v) =>
      x.data.map((value, i) => {
        const root = Math.sqrt((v?.data[i] ?? 0) + EPSILON);
        return ((value - (m?.data[i] ?? 0)) / root) * (scale?.data[i] ?? 1) + (shift?.data[i] ?? 0);
      }),
    // x − mean, the root of a sum, its inverse, the product with the scale, the last rounding.
    error: (_y, x, scale, shift, m, v) =>
      (x?.data ?? []).map((value, i) => {
        const root = Math.sqrt((v?.data[i] ?? 0) + EPSILON);
        const n = Math.abs(((value - (m?.data[i] ?? 0)) / root) * (scale?.data[i] ?? 1));
        return gamma(6) * n + U * Math.abs(shift?.data[i] ?? 0);
      }),
    samples: [5, 17].map((n) =>
      sample([floats([1, n]), floats([n]), floats([n]), floats([n], anywhere), floats([n], within(0.5, 2))], [0]),
    ),
    differentiable: [0, 1, 2],
    cancellation: CANCELLATION,
  },
];

function columnSample(shape: List, weights: number): Sample {
  const columns = shape.at(-1) ?? 1;
  const drawn = floats(shape, within(0.75, 2));
  const data = drawn.data.map((value, index) => (Math.floor(index / columns) % 2 === 0 ? value : -value));
  return sample([{ ...drawn, data }, ...Array.from({ length: weights }, () => floats([columns]))], [0]);
}

function columnGradientSample(shape: List): Sample {
  const columns = shape.at(-1) ?? 1;
  const variance = floats([columns], within(0.5, 2));
  return sample([floats(shape), floats(shape), floats([columns], anywhere), variance, floats([columns])], [0, 1]);
}

const columnNormOutput =
  (output: number) =>
  (...inputs: Value[]): Value =>
    columnNormGradient(inputs, { epsilon: EPSILON, affine: true, running: false })[output] ?? ops.rowCount();

/** d and r = 1/√(variance + ε) of an element. */
function ofColumn(
  [x, , means, variance]: readonly Numbers[],
  place: number,
): { readonly d: number; readonly r: number } {
  const column = place % (x?.shape.at(-1) ?? 1);
  return {
    d: (x?.data[place] ?? 0) - (means?.data[column] ?? 0),
    r: 1 / Math.sqrt((variance?.data[column] ?? 0) + EPSILON),
  };
}

function columnGradient(inputs: readonly Numbers[], each: (terms: readonly number[], factor: number) => number): List {
  const [x, g, , , scale] = inputs;
  if (x === undefined || g === undefined) return [];
  const columns = x.shape.at(-1) ?? 1;
  const rows = x.data.length / columns;
  const sums = (of: (place: number) => number): List => {
    const totals = new Array<number>(columns).fill(0);
    for (let place = 0; place < x.data.length; place++)
      totals[place % columns] = (totals[place % columns] ?? 0) + of(place) / rows;
    return totals;
  };
  const flows = (of: (value: number) => number): List => sums((place) => of(g.data[place] ?? 0));
  const products = (of: (value: number) => number): List =>
    sums((place) => of((g.data[place] ?? 0) * ofColumn(inputs, place).d));
  const identity = (value: number): number => value;
  const [a, b, largeA, largeB] = [flows(identity), products(identity), flows(Math.abs), products(Math.abs)];
  return x.data.map((_, place) => {
    const column = place % columns;
    const { d, r } = ofColumn(inputs, place);
    const bent = d * r * r;
    const list = [
      g.data[place] ?? 0,
      a[column] ?? 0,
      bent * (b[column] ?? 0),
      largeA[column] ?? 0,
      bent * (largeB[column] ?? 0),
    ];
    return each(list, r * (scale?.data[column] ?? 1));
  });
}

const columnNormGradients: OperationSamples = [
  {
    label: "dx",
    apply: columnNormOutput(0),
    reference: (...inputs) => columnGradient(inputs, ([g = 0, a = 0, b = 0], factor) => (g - a - b) * factor),
    error: (_y, ...inputs) => {
      const depth = inputs[0] === undefined ? 0 : columnDepth(inputs[0]) + 14;
      return columnGradient(inputs, ([g = 0, , , a = 0, b = 0], factor) => {
        return gamma(depth) * (Math.abs(g) + a + Math.abs(b)) * Math.abs(factor);
      });
    },
    samples: [columnGradientSample([5, 3]), columnGradientSample([3, 2]), columnGradientSample([2, 3, 17])],
    large: columnGradientSample([401, 130]),
    differentiable: [0, 1, 2, 3, 4],
    cancellation: 32,
  },
  {
    label: "dscale",
    apply: columnNormOutput(1),
    ...overRows(8, (inputs, place) => {
      const { d, r } = ofColumn(inputs, place);
      return (inputs[1]?.data[place] ?? 0) * d * r;
    }),
    samples: [columnGradientSample([5, 3]), columnGradientSample([3, 2]), columnGradientSample([130, 3])],
    large: columnGradientSample([100, 701]),
    differentiable: [0, 1, 2, 3],
    cancellation: 8,
  },
  {
    label: "dshift",
    apply: columnNormOutput(2),
    ...overRows(0, ([, g], place) => g?.data[place] ?? 0),
    samples: [columnGradientSample([5, 3]), columnGradientSample([300, 2])],
    differentiable: [1],
  },
];

const scaleShifts: OperationSamples = [
  {
    apply: (x, scale, shift) => ops.scaleShift(x, scale, shift),
    reference: (x, scale, shift) => {
      const columns = x.shape.at(-1) ?? 1;
      return x.data.map((value, i) => value * (scale.data[i % columns] ?? 1) + (shift.data[i % columns] ?? 0));
    },
    error: rounded,
    samples: [
      sample([floats([3, 5]), floats([5]), floats([5])]),
      sample([floats([2, 3, 17]), floats([17]), floats([17])]),
      sample([floats([4]), floats([4]), floats([4])], []),
    ],
    large: sample([floats([131, 301]), floats([301]), floats([301])]),
    differentiable: [0, 1, 2],
    rowwise: true,
    refusals: [
      { inputs: [[[3, 4]], [[3]], [[4]]], code: "ERR_SHAPE", where: "scaleShift.scale" },
      { inputs: [[[3, 4]], [[4]], [[4], "i32"]], code: "ERR_DTYPE", where: "scaleShift.shift" },
    ],
  },
];

/** Samples of the normalizations and their gradients. */
export const normSamples = {
  rowNorm: rowNorms,
  rowNormGradient: rowNormGradients,
  columnNorm: columnNorms,
  columnNormGradient: columnNormGradients,
  scaleShift: scaleShifts,
} as const satisfies Partial<Record<OperationName, OperationSamples>>;
