import { conv, convTransposed, convWeight } from "../../lib/ops/convolution.js";
import type { OperationName } from "../../lib/ops/rules.js";
import { windowAxes } from "../../lib/ops/windows.js";
import type { Convolved, WindowAxis } from "../../lib/tensor/attributes.js";
import { gamma } from "./bounds.js";
import {
  type Drawn,
  floats,
  type Numbers,
  type OperationSamples,
  type Refusal,
  sample,
  size,
  type Usage,
} from "./sample.js";

interface Case extends Convolved {
  readonly label: string;
}

interface Options {
  readonly kernel: readonly [number, number];
  readonly stride?: number | readonly [number, number];
  readonly dilation?: number | readonly [number, number];
  readonly padding?: "valid" | "same" | number | readonly [number, number];
  readonly groups?: number;
}

function convolution(label: string, shape: readonly [number, number, number], outputs: number, options: Options): Case {
  const [height, width, channels] = shape;
  const { groups = 1, ...windows } = options;
  const [rows, columns] = windowAxes("conv", [height, width], windows);
  return { label, rows, columns, channels, outputs, groups };
}

const large = ({ rows, columns, channels }: Case): readonly number[] => [rows.large, columns.large, channels];
const small = ({ rows, columns, outputs }: Case): readonly number[] => [rows.small, columns.small, outputs];
const weight = ({ rows, columns, channels, outputs, groups }: Case): readonly number[] => [
  ...[outputs, rows.kernel, columns.kernel, channels / groups],
];

/** Every product of the sum: elements of large, of small and of the weight, one call each. */
function terms(images: number, one: Case, visit: (large: number, small: number, weight: number) => void): void {
  const { rows, columns, channels, outputs, groups } = one;
  const [inner, outer] = [channels / groups, outputs / groups];
  const inside = (axis: WindowAxis, place: number, tap: number): number => {
    const at = place * axis.stride + tap * axis.dilation - axis.before;
    return at >= 0 && at < axis.large ? at : -1;
  };
  for (let b = 0; b < images; b++)
    for (let i = 0; i < rows.small; i++)
      for (let j = 0; j < columns.small; j++)
        for (let r = 0; r < rows.kernel; r++)
          for (let c = 0; c < columns.kernel; c++) {
            const [y, x] = [inside(rows, i, r), inside(columns, j, c)];
            if (y < 0 || x < 0) continue;
            for (let o = 0; o < outputs; o++)
              for (let l = 0; l < inner; l++) {
                const channel = Math.floor(o / outer) * inner + l;
                visit(
                  ((b * rows.large + y) * columns.large + x) * channels + channel,
                  ((b * rows.small + i) * columns.small + j) * outputs + o,
                  ((o * rows.kernel + r) * columns.kernel + c) * inner + l,
                );
              }
          }
}

type Sums = (one: Case) => (...inputs: Numbers[]) => readonly number[];

const data = (inputs: readonly Numbers[], index: number): readonly number[] => inputs[index]?.data ?? [];
const imagesOf = ([x]: readonly Numbers[]): number => x?.shape[0] ?? 1;

/** Σ and the bias over the last axis. */
function spread(sums: Float64Array, bias: readonly number[]): readonly number[] {
  return Array.from(sums, (sum, index) => sum + (bias.length === 0 ? 0 : (bias[index % bias.length] ?? 0)));
}

const forward: Sums =
  (one) =>
  (...inputs) => {
    const sums = new Float64Array(imagesOf(inputs) * size(small(one)));
    const [x, w] = [data(inputs, 0), data(inputs, 1)];
    terms(imagesOf(inputs), one, (a, b, c) => {
      sums[b] = (sums[b] ?? 0) + (x[a] ?? 0) * (w[c] ?? 0);
    });
    return spread(sums, data(inputs, 2));
  };

const transposed: Sums =
  (one) =>
  (...inputs) => {
    const sums = new Float64Array(imagesOf(inputs) * size(large(one)));
    const [x, w] = [data(inputs, 0), data(inputs, 1)];
    terms(imagesOf(inputs), one, (a, b, c) => {
      sums[a] = (sums[a] ?? 0) + (x[b] ?? 0) * (w[c] ?? 0);
    });
    return spread(sums, data(inputs, 2));
  };

const ofWeight: Sums =
  (one) =>
  (...inputs) => {
    const sums = new Float64Array(size(weight(one)));
    const [x, g] = [data(inputs, 0), data(inputs, 1)];
    terms(imagesOf(inputs), one, (a, b, c) => {
      sums[c] = (sums[c] ?? 0) + (x[a] ?? 0) * (g[b] ?? 0);
    });
    return [...sums];
  };

/** γ of a chain of up to 1,024 terms, one addition a chunk and that of the bias, times the sum of the magnitudes. */
function usage(
  one: Case,
  apply: Usage["apply"],
  sums: Sums,
  depth: (images: number) => number,
  inputs: (images: number) => readonly Drawn[],
  more: Partial<Usage>,
  images: readonly number[] = [2],
): Usage {
  const reference = sums(one);
  return {
    label: one.label,
    apply,
    reference,
    error(_y, ...given) {
      const k = depth(imagesOf(given));
      const roundings = Math.min(k, 1024) + Math.ceil(k / 1024) + 1;
      const absolute = given.map(({ shape, data: numbers }): Numbers => ({ shape, data: numbers.map(Math.abs) }));
      return reference(...absolute).map((sum) => gamma(roundings) * sum);
    },
    samples: images.map((count) => sample(inputs(count))),
    ...more,
  };
}

const CASES: readonly Case[] = [
  convolution("one place", [1, 1, 1], 1, { kernel: [1, 1] }),
  convolution("5 × 5 of one channel", [7, 8, 1], 3, { kernel: [5, 5] }),
  convolution("3 × 3, same", [5, 7, 3], 4, { kernel: [3, 3], padding: "same" }),
  convolution("2 × 4, same, stride 2", [5, 8, 3], 5, { kernel: [2, 4], padding: "same", stride: 2 }),
  convolution("3 × 2, stride 3 × 2, padding 2 × 1", [6, 7, 2], 3, { kernel: [3, 2], stride: [3, 2], padding: [2, 1] }),
  convolution("dilated by 2 × 3", [9, 9, 2], 3, { kernel: [3, 2], dilation: [2, 3], padding: 2 }),
  convolution("dilated by 2, stride 3", [11, 9, 2], 3, { kernel: [3, 3], dilation: 2, stride: 3, padding: 1 }),
  convolution("dilated by 2, stride 2", [10, 7, 2], 3, { kernel: [3, 2], dilation: 2, stride: 2, padding: 1 }),
  convolution("3 groups", [3, 4, 6], 3, { kernel: [3, 3], padding: "same", groups: 3 }),
  convolution("depthwise", [6, 5, 4], 4, { kernel: [3, 3], padding: 1, groups: 4, stride: 2 }),
  convolution("1 × 1", [3, 4, 5], 6, { kernel: [1, 1] }),
  convolution("1 × 1, stride 2", [5, 4, 3], 2, { kernel: [1, 1], stride: 2 }),
  convolution("1 × 1, padding 1", [2, 2, 3], 2, { kernel: [1, 1], padding: 1 }),
  convolution("kernel as large as the image", [4, 3, 2], 3, { kernel: [4, 3] }),
  convolution("stride beyond the kernel", [7, 8, 2], 3, { kernel: [2, 2], stride: 3 }),
  convolution("1,040 terms", [2, 1, 208], 1, { kernel: [5, 1], padding: "same" }),
];

/** Enough work for several threads. */
const LARGE: readonly Case[] = [
  convolution("large", [17, 15, 8], 40, { kernel: [3, 3], padding: "same" }),
  convolution("large, stride 2", [18, 17, 8], 35, { kernel: [3, 5], padding: "same", stride: 2 }),
  convolution("large, groups", [17, 15, 16], 64, { kernel: [3, 3], padding: 1, groups: 4 }),
];
const LARGE_IMAGES = 9;

const refused = (inputs: Refusal["inputs"], where: string, code: Refusal["code"] = "ERR_SHAPE"): Refusal => ({
  ...{ inputs, code, where },
});

function usages(
  of: (one: Case, images?: readonly number[]) => Usage,
  refusals: (one: Case) => readonly Refusal[],
): OperationSamples {
  // Finite differences where they are few.
  const few = (one: Case): Partial<Usage> =>
    size(weight(one)) * size(large(one)) > 6000 ? { differentiable: [] } : {};
  const plain = CASES.map((one) => ({
    ...of(one),
    ...few(one),
    ...(one.label === "1 × 1, stride 2" ? { refusals: refusals(one) } : {}),
  }));
  const heavy = LARGE.map((one): Usage => {
    const { samples, ...rest } = of(one, [1, LARGE_IMAGES]);
    const [first, second] = samples;
    const own = { ...rest, differentiable: [], samples: first === undefined ? [] : [first] };
    return second === undefined ? own : { ...own, large: second };
  });
  return [...plain, ...heavy];
}

const withBias = (one: Case, outputs: number): readonly Drawn[] =>
  one.label.length % 2 === 0 ? [floats([outputs])] : [];

const inner = ({ channels, groups }: Case): number => channels / groups;

export const convolutionSamples = {
  conv: usages(
    (one, images) =>
      usage(
        one,
        (...inputs) => conv(inputs, one),
        forward,
        () => one.rows.kernel * one.columns.kernel * inner(one),
        (count) => [floats([count, ...large(one)]), floats(weight(one)), ...withBias(one, one.outputs)],
        { differentiable: withBias(one, 1).length === 0 ? [0, 1] : [0, 1, 2], rowwise: true },
        images,
      ),
    (one) => [
      refused([[[2, 5, 4, 2]], [weight(one)]], "conv"),
      refused([[[2, ...large(one)]], [[2, 3]]], "conv.weight"),
      refused([[[2, ...large(one)]], [weight(one)], [[3]]], "conv.bias"),
      refused([[[2, ...large(one)], "i32"], [weight(one)]], "conv", "ERR_DTYPE"),
    ],
  ),
  convTransposed: usages(
    (one, images) =>
      usage(
        one,
        (...inputs) => convTransposed(inputs, one),
        transposed,
        () => (one.rows.kernel * one.columns.kernel * one.outputs) / one.groups,
        (count) => [floats([count, ...small(one)]), floats(weight(one)), ...withBias(one, one.channels)],
        { differentiable: withBias(one, 1).length === 0 ? [0, 1] : [0, 1, 2], rowwise: true },
        images,
      ),
    (one) => [
      refused([[[2, 5, 4, 2]], [weight(one)]], "convTransposed"),
      refused([[[2, ...small(one)]], [[2, 3]]], "convTransposed.weight"),
      refused([[[2, ...small(one)]], [weight(one)], [[2]]], "convTransposed.bias"),
    ],
  ),
  convWeight: usages(
    (one, images) => {
      const plain = usage(
        one,
        (x, g) => (x === undefined || g === undefined ? conv([], one) : convWeight([x, g], one)),
        ofWeight,
        (count) => count * one.rows.small * one.columns.small,
        (count) => [floats([count, ...large(one)]), floats([count, ...small(one)])],
        { differentiable: [0, 1] },
        images,
      );
      return { ...plain, samples: plain.samples.map(({ inputs }) => sample(inputs, [0, 1])) };
    },
    (one) => [
      refused([[[2, 5, 4, 2]], [[2, ...small(one)]]], "convWeight"),
      refused([[[2, ...large(one)]], [[3, ...small(one)]]], "convWeight.flow"),
    ],
  ),
} as const satisfies Partial<Record<OperationName, OperationSamples>>;
