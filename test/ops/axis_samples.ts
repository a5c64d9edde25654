import * as ops from "../../lib/ops/index.js";
import type { OperationName } from "../../lib/ops/rules.js";
import { takeGradient } from "../../lib/ops/take.js";
import type { BagMode } from "../../lib/tensor/attributes.js";
import { type Bound, exact, gamma, productError, summed } from "./bounds.js";
import { places, productOfMatrices } from "./references.js";
import {
  apart,
  type Drawn,
  floats,
  labels,
  type Numbers,
  type OperationSamples,
  type Sample,
  sample,
  size,
} from "./sample.js";

type Shape = readonly number[];

/** An input of `shape` of given integers. */
function indices(shape: Shape, data: readonly number[]): Drawn {
  return { shape, dtype: "i32", data };
}

function element({ data }: Numbers, index: number): number {
  return data[index] ?? Number.NaN;
}

/** Row-major index of a place. */
function indexAt(shape: Shape, place: readonly number[]): number {
  return place.reduce((index, along, axis) => index * (shape[axis] ?? 1) + along, 0);
}

/** The place of an element by its row-major index. */
function placeOf(shape: Shape, index: number): readonly number[] {
  let rest = index;
  return shape
    .toReversed()
    .map((dim) => {
      const along = rest % dim;
      rest = Math.floor(rest / dim);
      return along;
    })
    .toReversed();
}

/** Elements of a result of `shape`, each from its place. */
function made(shape: Shape, at: (place: readonly number[]) => number): readonly number[] {
  return places(shape).map(at);
}

function joinedReference(axis: number): (...parts: Numbers[]) => readonly number[] {
  return (...parts) => {
    const along = axis < 0 ? axis + (parts[0]?.shape.length ?? 0) : axis;
    const shape = (parts[0]?.shape ?? []).map((dim, i) =>
      i === along ? parts.reduce((sum, part) => sum + (part.shape[along] ?? 0), 0) : dim,
    );
    return made(shape, (place) => {
      let before = 0;
      for (const part of parts) {
        const length = part.shape[along] ?? 0;
        const own = (place[along] ?? 0) - before;
        if (own < length) return element(part, indexAt(part.shape, place.with(along, own)));
        before += length;
      }
      return Number.NaN;
    });
  };
}

function concats(
  axis: number,
  label: string,
  shapes: readonly (readonly Shape[])[],
  large?: readonly Shape[],
): OperationSamples[number] {
  const of = (list: readonly Shape[]): Sample => {
    const along = axis < 0 ? axis + (list[0]?.length ?? 0) : axis;
    return sample(
      list.map((shape) => floats(shape)),
      along === 0 ? [] : list.map((_, index) => index),
    );
  };
  return {
    label,
    apply: (...values) => ops.concat(values, { axis }),
    reference: joinedReference(axis),
    error: exact,
    samples: shapes.map(of),
    ...(large === undefined ? {} : { large: of(large) }),
    differentiable: (shapes[0] ?? []).map((_, index) => index),
    rowwise: axis !== 0,
    refusals: [
      { inputs: [[[2, 3]], [[2, 3, 1]]], code: "ERR_SHAPE", where: "concat[1]" },
      { inputs: [[[2, 3]], [[2, 3], "i32"]], code: "ERR_DTYPE", where: "concat[1]" },
    ],
  };
}

const slices: OperationSamples = [
  {
    label: "last axis",
    apply: (x) => ops.slice(x, 1, 3),
    reference: ({ shape, data }) => {
      const columns = shape.at(-1) ?? 1;
      return data.filter((_, index) => index % columns >= 1 && index % columns < 3);
    },
    error: exact,
    samples: [sample([floats([3, 5])]), sample([floats([2, 3, 4])]), sample([floats([3])], [])],
    large: sample([floats([20_011, 5])]),
    differentiable: [0],
    rowwise: true,
    refusals: [{ inputs: [[[2, 1]]], code: "ERR_OPTION", where: "slice.end" }],
  },
  {
    label: "two axes from the end",
    apply: (x) => ops.slice(x, [-2, 1], [3, -1], { axis: [1, -1] }),
    reference: (x) =>
      made([x.shape[0] ?? 1, 2, 2], ([a = 0, b = 0, c = 0]) => element(x, indexAt(x.shape, [a, b + 1, c + 1]))),
    error: exact,
    samples: [sample([floats([2, 3, 4])]), sample([floats([5, 3, 4])])],
    differentiable: [0],
    rowwise: true,
  },
  {
    label: "i32",
    apply: (x) => ops.slice(x, 2),
    reference: ({ shape: [rows = 1, columns = 1], data }) =>
      made([rows, columns - 2], ([row = 0, column = 0]) => data[row * columns + column + 2] ?? Number.NaN),
    error: exact,
    samples: [sample([labels([4, 5], 99)])],
    rowwise: true,
  },
];

const pads: OperationSamples = [
  {
    apply: (x) => ops.pad(x, [0, 2], [1, 3], { axis: [1, 2] }),
    reference: (x) => {
      const [rows = 1, height = 1, width = 1] = x.shape;
      return made([rows, height + 1, width + 5], ([a = 0, b = 0, c = 0]) => {
        return b < height && c >= 2 && c < width + 2 ? element(x, indexAt(x.shape, [a, b, c - 2])) : 0;
      });
    },
    error: exact,
    samples: [sample([floats([2, 3, 4])]), sample([floats([5, 1, 1])])],
    large: sample([floats([3001, 2, 3])]),
    differentiable: [0],
    rowwise: true,
    refusals: [{ inputs: [[[3, 4]]], code: "ERR_SHAPE", where: "pad.axis" }],
  },
];

function transposed(
  order: readonly number[],
  shapes: readonly Shape[],
  large: Shape,
  batch: boolean,
): OperationSamples[number] {
  const of = (shape: Shape): Sample => sample([floats(shape)], batch ? [0] : []);
  return {
    label: `[${order.join(", ")}]`,
    apply: (x) => ops.transpose(x, order),
    reference: (x) =>
      made(
        order.map((axis) => x.shape[axis] ?? 1),
        (place) =>
          element(
            x,
            indexAt(
              x.shape,
              order.map((_, axis) => place[order.indexOf(axis)] ?? 0),
            ),
          ),
      ),
    error: exact,
    samples: shapes.map(of),
    large: of(large),
    differentiable: [0],
    rowwise: batch,
    refusals: [{ inputs: [[[3]]], code: "ERR_SHAPE", where: "transpose.order" }],
  };
}

const tables = (table: Shape, count: Shape): Sample =>
  sample([floats(table), labels(count, table[0] ?? 1)], count.length === 0 ? [] : [1]);

const takes: OperationSamples = [
  {
    apply: (table, rows) => ops.take(table, rows),
    reference: (table, rows) => {
      const each = size(table.shape.slice(1));
      return rows.data.flatMap((row) => table.data.slice(row * each, (row + 1) * each));
    },
    error: exact,
    samples: [
      sample([floats([5, 3]), indices([6], [4, 0, 0, 3, 4, 0])], [1]),
      tables([7, 17], [3, 2]),
      tables([9], [4]),
      tables([4, 2, 3], [2, 2]),
      tables([3, 5], []),
    ],
    large: tables([301, 70], [900]),
    differentiable: [0],
    rowwise: true,
    refusals: [
      { inputs: [[[3, 4]], [[2]]], code: "ERR_DTYPE", where: "take.indices" },
      { inputs: [[[]], [[2], "i32"]], code: "ERR_SHAPE", where: "take" },
    ],
  },
];

/** Ids of a table of `rows` rows, every third of them none. */
const bagIds = (shape: readonly number[], rows: number): Drawn =>
  indices(
    shape,
    Array.from({ length: size(shape) }, (_, at) => (at % 3 === 1 ? -1 : (at * 7 + 2) % rows)),
  );

/** Σ over the ids of a bag, by their number in the mean, or by the root of that. */
function bagOf(table: Numbers, ids: Numbers, weights: Numbers | undefined, mode: BagMode): number[] {
  const [width, columns] = [ids.shape.at(-1) ?? 1, size(table.shape.slice(1))];
  return Array.from({ length: (ids.data.length / width) * columns }, (_, at) => {
    const [bag, column] = [Math.floor(at / columns), at % columns];
    const places = Array.from({ length: width }, (_one, place) => bag * width + place);
    const own = places.filter((place) => element(ids, place) >= 0);
    const terms = own.map((place) => {
      return (
        (weights === undefined ? 1 : element(weights, place)) * element(table, element(ids, place) * columns + column)
      );
    });
    const number = Math.max(1, own.length);
    const by = { sum: 1, mean: number, sqrtn: Math.sqrt(number) }[mode];
    return terms.reduce((total, term) => total + term, 0) / by;
  });
}

const chainError: Bound = (y, table, ids, weights) => {
  const most = Math.max(...(table?.data.map(Math.abs) ?? [0])) * Math.max(1, ...(weights?.data.map(Math.abs) ?? [1]));
  return y.map(() => gamma((ids?.shape.at(-1) ?? 1) + 2) * (ids?.shape.at(-1) ?? 1) * most);
};

/** Bags that go by the number of their ids. */
const averaged = {
  samples: [sample([floats([5, 3]), bagIds([4, 3], 5)], [1]), sample([floats([7, 17]), bagIds([6, 7], 7)], [1])],
  large: sample([floats([301, 70]), bagIds([40, 30], 301)], []),
};

const bags: OperationSamples = [
  {
    label: "sum",
    apply: (table, ids) => ops.bag(table, ids),
    reference: (table, ids) => bagOf(table, ids, undefined, "sum"),
    error: chainError,
    samples: [
      sample([floats([5, 3]), bagIds([4, 3], 5)], [1]),
      sample([floats([7, 17]), bagIds([2, 2, 5], 7)], [1]),
      sample([floats([9]), bagIds([4], 9)], []),
      sample([floats([4, 2, 3]), indices([2, 2], [-1, -1, 3, 3])], [1]),
    ],
    large: sample([floats([301, 70]), bagIds([40, 30], 301)], []),
    differentiable: [0],
    rowwise: true,
    refusals: [
      { inputs: [[[3, 4]], [[2]]], code: "ERR_DTYPE", where: "bag.ids" },
      { inputs: [[[]], [[2], "i32"]], code: "ERR_SHAPE", where: "bag" },
    ],
  },
  {
    label: "mean",
    apply: (table, ids) => ops.bag(table, ids, { mode: "mean" }),
    reference: (table, ids) => bagOf(table, ids, undefined, "mean"),
    error: chainError,
    ...averaged,
    differentiable: [0],
    rowwise: true,
    refusals: [],
  },
  {
    label: "sqrtn",
    apply: (table, ids) => ops.bag(table, ids, { mode: "sqrtn" }),
    reference: (table, ids) => bagOf(table, ids, undefined, "sqrtn"),
    error: chainError,
    ...averaged,
    differentiable: [0],
    rowwise: true,
    refusals: [],
  },
  {
    label: "weights",
    apply: (table, ids, weights) => ops.bag(table, ids, { weights }),
    reference: (table, ids, weights) => bagOf(table, ids, weights, "sum"),
    error: chainError,
    samples: [
      sample([floats([5, 3]), bagIds([4, 3], 5), floats([4, 3])], [1, 2]),
      sample([floats([7, 17]), bagIds([6, 7], 7), floats([6, 7])], [1, 2]),
    ],
    large: sample([floats([301, 70]), bagIds([40, 30], 301), floats([40, 30])], []),
    differentiable: [0, 2],
    rowwise: true,
    refusals: [{ inputs: [[[3, 4]], [[2, 2], "i32"], [[2]]], code: "ERR_SHAPE", where: "bag.weights" }],
  },
];

const takeGradients: OperationSamples = [
  {
    apply: (gradient, rows) => takeGradient(gradient, rows, [5, ...gradient.shape.slice(rows.shape.length)]),
    reference: (gradient, rows) => {
      const each = size(gradient.shape.slice(rows.shape.length));
      const sums = new Array<number>(5 * each).fill(0);
      for (const [index, value] of gradient.data.entries()) {
        const place = element(rows, Math.floor(index / each)) * each + (index % each);
        sums[place] = (sums[place] ?? 0) + value;
      }
      return sums;
    },
    // A chain over all indices at most.
    error: (y, gradient, rows) => {
      const terms = (rows?.data.length ?? 1) + 1;
      const total = gradient?.data.reduce((sum, value) => sum + Math.abs(value), 0) ?? 0;
      return y.map(() => gamma(terms) * total);
    },
    samples: [
      sample([floats([6, 3]), indices([6], [4, 0, 0, 3, 4, 0])], [0, 1]),
      sample([floats([2, 3, 17]), labels([2, 3], 5)], [0, 1]),
      sample([floats([4]), labels([4], 5)], [0, 1]),
    ],
    large: sample([floats([3, 9000]), labels([3], 5)], []),
    differentiable: [0],
    refusals: [{ inputs: [[[2, 3]], [[2]]], code: "ERR_DTYPE", where: "takeGradient.indices" }],
  },
];

const coin = (u: number): number => (u < 0.5 ? 0 : u < 0.75 ? 1 : -0.5);

const wheres: OperationSamples = [
  {
    apply: (condition, a, b) => ops.where(condition, a, b),
    reference: (condition, a, b) => {
      const rank = Math.max(condition.shape.length, a.shape.length, b.shape.length);
      const wide = [condition, a, b].map(({ shape }) => [...new Array<number>(rank - shape.length).fill(1), ...shape]);
      const shape = Array.from({ length: rank }, (_, axis) => Math.max(...wide.map((each) => each[axis] ?? 1)));
      const of = (x: Numbers, own: Shape, place: readonly number[]): number =>
        element(
          x,
          indexAt(
            own,
            place.map((at, axis) => (own[axis] === 1 ? 0 : at)),
          ),
        );
      return made(shape, (place) => {
        return of(condition, wide[0] ?? [], place) === 0 ? of(b, wide[2] ?? [], place) : of(a, wide[1] ?? [], place);
      });
    },
    error: exact,
    samples: [
      sample([floats([4, 17], coin), floats([4, 17]), floats([4, 17])], [0, 1, 2]),
      sample([floats([33], coin), floats([]), floats([33])], [0, 2]),
      sample([floats([3, 1], coin), floats([1, 5]), floats([])], [0]),
      sample([floats([2, 1, 5], coin), floats([2, 3, 1]), floats([3, 1])], [0, 1]),
      sample([floats([], coin), floats([3]), floats([])], [1]),
    ],
    large: sample([floats([131, 301], coin), floats([131, 301]), floats([301])], [0, 1]),
    differentiable: [1, 2],
    rowwise: true,
    refusals: [
      { inputs: [[[3]], [[4]], [[4]]], code: "ERR_SHAPE", where: "where" },
      { inputs: [[[3], "i32"], [[3]], [[3]]], code: "ERR_DTYPE", where: "where" },
    ],
  },
];

/** Σ over axes `from` to `to` of x. */
function axisSums(
  axis: readonly number[],
  keepDims: boolean,
  shapes: readonly Shape[],
  large?: Shape,
): OperationSamples[number] {
  const of = (shape: Shape): Sample => sample([floats(shape, apart(0.25, 2))], [0]);
  const kept = (x: Numbers): readonly number[] => x.shape.flatMap((_, place) => (axis.includes(place) ? [] : [place]));
  const group = (index: number, x: Numbers): number => {
    const place = placeOf(x.shape, index);
    return indexAt(
      kept(x).map((along) => x.shape[along] ?? 1),
      kept(x).map((along) => place[along] ?? 0),
    );
  };
  return {
    label: `axes ${axis.join(", ")}${keepDims ? ", kept" : ""}`,
    apply: (x) => ops.sum(x, { axis, keepDims }),
    reference: (x) => {
      const sums = new Array<number>(size(kept(x).map((along) => x.shape[along] ?? 1))).fill(0);
      for (const [index, value] of x.data.entries()) {
        const place = placeOf(x.shape, index);
        const to = indexAt(
          kept(x).map((along) => x.shape[along] ?? 1),
          kept(x).map((along) => place[along] ?? 0),
        );
        sums[to] = (sums[to] ?? 0) + value;
      }
      return sums;
    },
    error: summed(group, (x) => size(x.shape) / size(kept(x).map((along) => x.shape[along] ?? 1))),
    samples: shapes.map(of),
    ...(large === undefined ? {} : { large: of(large) }),
    differentiable: [0],
    rowwise: !axis.includes(0),
    refusals: [
      { inputs: [[[3, 4, 5], "i32"]], code: "ERR_DTYPE", where: "sum" },
      { inputs: [[[]]], code: "ERR_SHAPE", where: "sum.axis" },
    ],
  };
}

const matrices = (transposeA: boolean, transposeB: boolean): OperationSamples[number] => {
  const of = (leading: Shape, m: number, n: number, k: number, other: Shape = leading): Sample =>
    sample(
      [floats([...leading, ...(transposeA ? [k, m] : [m, k])]), floats([...other, ...(transposeB ? [n, k] : [k, n])])],
      other.length === leading.length && other[0] === leading[0] ? [0, 1] : [],
    );
  const reference = productOfMatrices(transposeA, transposeB);
  return {
    label: `${transposeA ? "aᵀ" : "a"}·${transposeB ? "bᵀ" : "b"}`,
    apply: (a, b) => ops.matmul(a, b, { transposeA, transposeB }),
    reference,
    error: productError(({ shape }) => shape.at(transposeA ? -2 : -1) ?? 1, reference),
    samples: [of([2], 3, 4, 5), of([3, 2], 1, 17, 3), of([2], 33, 2, 17), of([4, 1], 2, 3, 5, [3]), of([2], 1, 1, 1)],
    large: of([23], 31, 37, 29),
    differentiable: [0, 1],
    rowwise: true,
    refusals: [
      { inputs: [[[2, 3, 4]], [[2, 5, 6]]], code: "ERR_SHAPE", where: "matmul" },
      { inputs: [[[2, 3, 3]], [[3, 3, 3]]], code: "ERR_SHAPE", where: "matmul" },
      { inputs: [[[2, 3, 3], "i32"], [[2, 3, 3]]], code: "ERR_DTYPE", where: "matmul" },
    ],
  };
};

/** Samples of what moves elements along axes, chooses them, and sums or multiplies over axes. */
export const axisSamples = {
  concat: [
    concats(
      -1,
      "last axis",
      [
        [
          [2, 1],
          [2, 3],
        ],
        [
          [5, 17],
          [5, 16],
        ],
        [
          [2, 3, 4],
          [2, 3, 1],
        ],
      ],
      [
        [131, 200],
        [131, 101],
      ],
    ),
    concats(1, "middle axis", [
      [
        [2, 1, 3],
        [2, 2, 3],
      ],
    ]),
    concats(0, "first axis", [
      [
        [2, 3],
        [1, 3],
      ],
      [[4], [3]],
    ]),
    concats(-1, "more than an instruction takes", [Array.from({ length: 9 }, (_, index) => [2, 1 + (index % 3)])]),
  ],
  slice: slices,
  pad: pads,
  transpose: [
    transposed(
      [1, 0],
      [
        [1, 1],
        [3, 5],
        [17, 33],
        [1, 4],
      ],
      [301, 131],
      false,
    ),
    transposed(
      [0, 2, 1],
      [
        [2, 3, 5],
        [1, 17, 16],
      ],
      [7, 70, 90],
      true,
    ),
    transposed(
      [2, 0, 1],
      [
        [2, 3, 4],
        [17, 2, 18],
      ],
      [40, 30, 31],
      false,
    ),
    transposed([0, 3, 1, 2], [[2, 3, 2, 5]], [11, 7, 13, 35], true),
    transposed([0, 2, 1, 3], [[2, 3, 4, 5]], [20, 10, 11, 17], true),
    transposed([2, 1, 0], [[3, 4, 5]], [33, 34, 35], false),
  ],
  take: takes,
  bag: bags,
  takeGradient: takeGradients,
  where: wheres,
  axisSum: [
    axisSums(
      [1],
      false,
      [
        [2, 3, 4],
        [3, 130, 2],
        [2, 1, 17],
      ],
      [23, 131, 19],
    ),
    axisSums([1], true, [
      [2, 3, 4],
      [2, 3, 4, 2],
    ]),
    axisSums([0, 2], false, [[2, 3, 4]]),
    axisSums([1, 2], true, [[2, 3, 4]]),
    axisSums([0, 1], false, [[2, 3, 4]]),
  ],
  batchedMatmul: [matrices(false, false), matrices(false, true), matrices(true, false), matrices(true, true)],
} as const satisfies Partial<Record<OperationName, OperationSamples>>;
