import type { Value } from "../../lib/tensor/value.js";
import { type Bound, rounded } from "./bounds.js";
import { elementwise } from "./references.js";
import {
  apart,
  type Draw,
  floats,
  type OperationSamples,
  type Refusal,
  type Sample,
  sample,
  type Usage,
} from "./sample.js";

/** Shapes that leave every kind of tail behind: one, a vector and one more, two vectors and one more. */
const SHAPES = [[1], [17], [33], [3, 5], [4, 33]] as const;

/** Elements that several threads share: more than twice kLeastElements of native/ops/operation.h, and no multiple of it. */
const LARGE = [131, 301] as const;

const SCALAR = [] as const;

function one(shape: readonly number[], draw: Draw): Sample {
  return sample([floats(shape, draw)], shape.length === 0 ? [] : [0]);
}

/** Samples of one f32 input in all shapes. */
export function oneInput(draw: Draw): { readonly samples: readonly Sample[]; readonly large: Sample } {
  return { samples: [SCALAR, ...SHAPES].map((shape) => one(shape, draw)), large: one(LARGE, draw) };
}

/** Shapes of two operands, and which of them the batch reaches: equal, and every way to spread one over the other. */
const PAIRS: readonly (readonly [a: readonly number[], b: readonly number[], batched: readonly number[]])[] = [
  [[], [], []],
  [[1], [1], [0, 1]],
  [[17], [17], [0, 1]],
  [
    [4, 33],
    [4, 33],
    [0, 1],
  ],
  [[33], [], [0]],
  [[], [33], [1]],
  [[3, 17], [1], [0]],
  [[3, 17], [17], [0]],
  [[17], [3, 17], [1]],
  [[3, 17], [1, 17], [0]],
  [
    [3, 17],
    [3, 1],
    [0, 1],
  ],
  [
    [3, 1],
    [3, 17],
    [0, 1],
  ],
  [[2, 3, 5], [5], [0]],
  [
    [2, 3, 5],
    [2, 3, 1],
    [0, 1],
  ],
  [[1, 5], [5], []],
  [[3, 1], [1, 4], [0]],
  [
    [2, 1, 5],
    [2, 3, 1],
    [0, 1],
  ],
  [[3, 1], [2, 3, 4], [1]],
  [
    [2, 1, 3],
    [2, 4, 3],
    [0, 1],
  ],
  [[1, 3, 1, 2], [2, 1, 17, 1], [1]],
];

/** What every elementwise function of floats refuses. */
function refusedDtypes(name: string, count: number): Refusal[] {
  return Array.from({ length: count }, (_, wrong) => ({
    inputs: Array.from({ length: count }, (_, index) => [[3, 4], index === wrong ? "i32" : "f32"] as const),
    code: "ERR_DTYPE",
    where: name,
  }));
}

/** What all usages of one operation share, and whatever else is known of it. */
type More = Partial<Omit<Usage, "apply" | "reference" | "samples">>;

/** An elementwise function of one argument: name, function of values, the same of numbers, where it is drawn from. */
export function unary(
  name: string,
  apply: (x: Value) => Value,
  f: (x: number) => number,
  draw: Draw,
  more: More & { readonly error: Bound },
): OperationSamples {
  return [
    {
      apply,
      reference: (x) => x.data.map(f),
      ...oneInput(draw),
      differentiable: [0],
      rowwise: true,
      refusals: refusedDtypes(name, 1),
      ...more,
    },
  ];
}

/** An elementwise function of two arguments over every way of spreading. */
export function binary(
  name: string,
  apply: (a: Value, b: Value) => Value,
  f: (a: number, b: number) => number,
  more: More & { readonly draws?: readonly [a: Draw, b: Draw] } = {},
): OperationSamples {
  const { draws: [first, second] = [apart(0.25, 2), apart(0.25, 2)], ...rest } = more;
  const pair = (a: readonly number[], b: readonly number[], batched: readonly number[]): Sample => {
    return sample([floats(a, first), floats(b, second)], batched);
  };
  const unequal: readonly Refusal["inputs"][] = [
    [[[3]], [[4]]],
    [[[3, 4]], [[3]]],
    [[[3, 4]], [[4, 1]]],
    [[[3, 4]], [[4, 3]]],
    [[[2, 3, 1]], [[2, 4, 4]]],
  ];
  return [
    {
      apply,
      reference: elementwise(f),
      error: rounded,
      samples: PAIRS.map((shapes) => pair(...shapes)),
      large: pair(LARGE, LARGE, [0, 1]),
      differentiable: [0, 1],
      rowwise: true,
      refusals: [
        ...refusedDtypes(name, 2),
        ...unequal.map((inputs): Refusal => ({ inputs, code: "ERR_SHAPE", where: name })),
      ],
      ...rest,
    },
    // A column of rows over a matrix of columns, and a matrix over a list of columns: axes with strides of their own.
    {
      label: "spread",
      apply,
      reference: elementwise(f),
      error: rounded,
      samples: [],
      large: pair([131, 1, 17], [131, 19, 1], [0, 1]),
      differentiable: [0, 1],
      rowwise: true,
      ...rest,
    },
    // A row over a matrix is split by rows, in another loop than what has no spread or a scalar.
    {
      label: "row",
      apply,
      reference: elementwise(f),
      error: rounded,
      samples: [],
      large: pair(LARGE, LARGE.slice(1), [0]),
      differentiable: [0, 1],
      rowwise: true,
      ...rest,
    },
  ];
}
