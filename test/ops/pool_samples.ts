import { poolOf } from "../../lib/ops/pool.js";
import type { OperationName } from "../../lib/ops/rules.js";
import { axesOfWindows, checkWindows } from "../../lib/ops/windows.js";
import type { Pooled, WindowAxis } from "../../lib/tensor/attributes.js";
import { exact, gamma, U } from "./bounds.js";
import {
  type Draw,
  floats,
  type Numbers,
  type OperationSamples,
  type Refusal,
  sample,
  size,
  type Usage,
} from "./sample.js";

interface Case extends Pooled {
  readonly label: string;
}

interface Options {
  readonly kernel: readonly [number, number];
  readonly stride?: number | readonly [number, number];
  readonly padding?: "valid" | "same" | number | readonly [number, number];
  readonly countPadding?: boolean;
}

function pool(label: string, [height, width, channels]: readonly [number, number, number], options: Options): Case {
  const { countPadding = false, ...windows } = options;
  const axes = axesOfWindows("pool", [height, width], checkWindows("pool", 2, { stride: windows.kernel, ...windows }));
  const [rows, columns] = axes as [WindowAxis, WindowAxis];
  return { label, rows, columns, channels, countPadding };
}

const large = ({ rows, columns, channels }: Case): readonly number[] => [rows.large, columns.large, channels];
const small = ({ rows, columns, channels }: Case): readonly number[] => [rows.small, columns.small, channels];

/** The elements of each window of each channel, rows first: its place and theirs. */
function windows(images: number, { rows, columns, channels }: Case): readonly (readonly number[])[] {
  const inside = (axis: WindowAxis, place: number): readonly number[] =>
    Array.from({ length: axis.kernel }, (_, tap) => place * axis.stride + tap - axis.before).filter(
      (at) => at >= 0 && at < axis.large,
    );
  const all: number[][] = [];
  for (let b = 0; b < images; b++)
    for (let i = 0; i < rows.small; i++)
      for (let j = 0; j < columns.small; j++)
        for (let c = 0; c < channels; c++)
          all.push(
            inside(rows, i).flatMap((y) =>
              inside(columns, j).map((x) => ((b * rows.large + y) * columns.large + x) * channels + c),
            ),
          );
  return all;
}

const images = (x: Numbers | undefined): number => x?.shape[0] ?? 1;

/** Where the first largest element of a window stands. */
function largest(x: Numbers, window: readonly number[]): number {
  const most = Math.max(...window.map((at) => x.data[at] ?? 0));
  return window.find((at) => x.data[at] === most) ?? -1;
}

const countOf = ({ rows, columns, countPadding }: Case, window: readonly number[]): number =>
  countPadding ? rows.kernel * columns.kernel : window.length;

function scattered(count: number, parts: readonly (readonly [at: number, value: number])[]): readonly number[] {
  const sums = new Float64Array(count);
  for (const [at, value] of parts) sums[at] = (sums[at] ?? 0) + value;
  return [...sums];
}

/** Few numbers, so that there are equal ones; no finite differences are taken of those. */
const few: Draw = (u) => Math.floor(u * 4) - 1.5;

const CASES: readonly Case[] = [
  pool("2 × 2", [4, 6, 3], { kernel: [2, 2] }),
  pool("2 × 3, rest left out", [5, 8, 2], { kernel: [2, 3] }),
  pool("3 × 3, stride 2, padding 1", [5, 6, 4], { kernel: [3, 3], stride: 2, padding: 1 }),
  pool("3 × 2, stride 1, same", [4, 5, 3], { kernel: [3, 2], stride: 1, padding: "same" }),
  pool("2 × 2, same", [5, 5, 17], { kernel: [2, 2], padding: "same" }),
  pool("stride beyond the window", [7, 5, 2], { kernel: [2, 1], stride: [3, 2] }),
  pool("whole", [3, 4, 5], { kernel: [3, 4] }),
  pool("3 × 3, padding 2, counted", [4, 4, 3], { kernel: [3, 3], stride: 2, padding: 2, countPadding: true }),
];
const LARGE = pool("large", [19, 21, 33], { kernel: [3, 3], stride: 2, padding: 1 });
const LARGE_IMAGES = 9;

type Of = (
  one: Case,
) => Omit<Usage, "samples" | "label"> & { readonly inputs: (count: number, draw?: Draw) => Usage["samples"][number] };

function usages(of: Of): OperationSamples {
  const plain = CASES.map((one): Usage => {
    const { inputs, ...rest } = of(one);
    return { ...rest, label: one.label, samples: [inputs(2)] };
  });
  const { inputs, ...rest } = of(LARGE);
  const equal = {
    ...rest,
    label: "large",
    differentiable: [],
    samples: [inputs(1, few)],
    large: inputs(LARGE_IMAGES, few),
  };
  return [...plain, equal];
}

const refusals = (where: string, one: Case): readonly Refusal[] => [
  { inputs: [[[2, 3, 3, 3]]], code: "ERR_SHAPE", where },
  { inputs: [[[2, ...large(one)], "i32"]], code: "ERR_DTYPE", where },
];

export const poolSamples = {
  maxPool: usages((one) => ({
    apply: (x) => poolOf.maxPool([x], one),
    reference: (x) => windows(images(x), one).map((window) => x.data[largest(x, window)] ?? 0),
    error: exact,
    differentiable: [0],
    rowwise: true,
    inputs: (count, draw) => sample([floats([count, ...large(one)], draw)]),
    ...(one === CASES[0] ? { refusals: refusals("maxPool", one) } : {}),
  })),
  maxPoolGradient: usages((one) => ({
    apply: (x, g) => poolOf.maxPoolGradient([x, g], one),
    reference: (x, g) =>
      scattered(
        x.data.length,
        windows(images(x), one).map((window, place) => [largest(x, window), g.data[place] ?? 0] as const),
      ),
    error: (y) => y.map((sum) => gamma(9) * Math.max(9 * 4, Math.abs(sum))),
    differentiable: [1],
    rowwise: true,
    inputs: (count, draw) => sample([floats([count, ...large(one)], draw), floats([count, ...small(one)])], [0, 1]),
  })),
  averagePool: usages((one) => ({
    apply: (x) => poolOf.averagePool([x], one),
    reference: (x) =>
      windows(images(x), one).map(
        (window) => window.reduce((sum, at) => sum + (x.data[at] ?? 0), 0) / countOf(one, window),
      ),
    error: (y) => y.map(() => (gamma(one.rows.kernel * one.columns.kernel) + U) * 2),
    differentiable: [0],
    rowwise: true,
    inputs: (count, draw) => sample([floats([count, ...large(one)], draw)]),
  })),
  averagePoolGradient: usages((one) => ({
    apply: (g) => poolOf.averagePoolGradient([g], one),
    reference: (g) =>
      scattered(
        images(g) * size(large(one)),
        windows(images(g), one).flatMap((window, place) =>
          window.map((at) => [at, (g.data[place] ?? 0) / countOf(one, window)] as const),
        ),
      ),
    error: (y) =>
      y.map(() => (gamma(one.rows.kernel * one.columns.kernel) + U) * 2 * one.rows.kernel * one.columns.kernel),
    differentiable: [0],
    rowwise: true,
    inputs: (count) => sample([floats([count, ...small(one)])]),
  })),
} as const satisfies Partial<Record<OperationName, OperationSamples>>;
