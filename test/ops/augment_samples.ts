import { augmentOf } from "../../lib/ops/augment.js";
import * as ops from "../../lib/ops/index.js";
import type { Augmented } from "../../lib/tensor/attributes.js";
import { philox } from "../../lib/tensor/philox.js";
import { exact } from "./bounds.js";
import { floats, type Numbers, type OperationSamples, sample, type Usage } from "./sample.js";

/** Of the only step of a program made by ways.ts. */
const DRAW = { seed: 77, step: 1 } as const;
const SITE = 5;
const PURPOSE = 20;

interface Case {
  readonly label: string;
  readonly large: readonly [number, number];
  readonly channels: number;
  readonly crop: readonly [number, number];
  readonly shift: readonly [number, number];
  readonly flip: "horizontal" | "vertical" | "both" | false;
  readonly fill: number;
}

const CASES: readonly Case[] = [
  { label: "flip", large: [3, 5], channels: 2, crop: [3, 5], shift: [0, 0], flip: "horizontal", fill: 0 },
  { label: "vertical", large: [4, 3], channels: 1, crop: [4, 3], shift: [0, 0], flip: "vertical", fill: 0 },
  { label: "shift", large: [4, 4], channels: 3, crop: [4, 4], shift: [2, 1], flip: false, fill: 0.75 },
  { label: "crop", large: [6, 5], channels: 1, crop: [4, 2], shift: [0, 0], flip: false, fill: 0 },
  { label: "all", large: [5, 6], channels: 3, crop: [3, 4], shift: [1, 2], flip: "both", fill: -1.5 },
  { label: "shift beyond the image", large: [2, 3], channels: 1, crop: [2, 3], shift: [4, 5], flip: "both", fill: 2 },
];
const LARGE: Case = {
  label: "large",
  large: [30, 31],
  channels: 3,
  crop: [24, 27],
  shift: [3, 2],
  flip: "both",
  fill: 1,
};

/** Where each element of a window lies in its image, −1: outside; from the definition in docs/convolution.md. */
function places(images: number, { large, crop, shift, channels, flip }: Case): readonly number[] {
  const [height, width] = large;
  const [rows, columns] = crop;
  const one = (word: number, count: number): number => Math.floor((word * count) / 2 ** 32);
  return Array.from({ length: images }, (_, image) => {
    const [turns = 0, down = 0, right = 0] = philox([image, DRAW.step, SITE, PURPOSE], [DRAW.seed, 0]);
    const top = -shift[0] + one(down, height - rows + 2 * shift[0] + 1);
    const left = -shift[1] + one(right, width - columns + 2 * shift[1] + 1);
    const turnsColumns = (flip === "horizontal" || flip === "both") && turns >= 2 ** 31;
    const turnsRows = (flip === "vertical" || flip === "both") && turns % 2 ** 31 >= 2 ** 30;
    const of = (row: number, column: number): number => {
      const y = top + (turnsRows ? rows - 1 - row : row);
      const x = left + (turnsColumns ? columns - 1 - column : column);
      return y < 0 || y >= height || x < 0 || x >= width ? -1 : (image * height + y) * width + x;
    };
    return Array.from({ length: rows * columns * channels }, (_, at) => {
      const pixel = Math.floor(at / channels);
      const place = of(Math.floor(pixel / columns), pixel % columns);
      return place < 0 ? -1 : place * channels + (at % channels);
    });
  }).flat();
}

const images = (x: Numbers): number => x.shape[0] ?? 1;

function attributes({ large, crop, shift, channels, flip, fill }: Case, back: boolean): Augmented {
  return {
    ...{ large, small: crop, channels, fill, back, site: SITE, draw: DRAW },
    flips: { columns: flip === "horizontal" || flip === "both", rows: flip === "vertical" || flip === "both" },
    first: [-shift[0], -shift[1]],
    places: [large[0] - crop[0] + 2 * shift[0] + 1, large[1] - crop[1] + 2 * shift[1] + 1],
  };
}

function forward(one: Case): Omit<Usage, "samples"> {
  const { label, crop, shift, flip, fill } = one;
  return {
    label,
    apply: (x) => ops.augment(x, { crop, shift, flip, fill, site: SITE, ...DRAW }),
    reference: (x) => places(images(x), one).map((at) => (at < 0 ? fill : (x.data[at] ?? 0))),
    error: exact,
    differentiable: [0],
  };
}

function backward(one: Case): Omit<Usage, "samples"> {
  return {
    label: `${one.label}, back`,
    apply: (g) => augmentOf(g, attributes({ ...one, fill: 0 }, true)),
    reference(g) {
      const found = new Float64Array(images(g) * one.large[0] * one.large[1] * one.channels);
      for (const [at, place] of places(images(g), one).entries()) if (place >= 0) found[place] = g.data[at] ?? 0;
      return [...found];
    },
    error: exact,
    differentiable: [0],
  };
}

const largeOf = ({ large, channels }: Case): readonly number[] => [...large, channels];
const smallOf = ({ crop, channels }: Case): readonly number[] => [...crop, channels];

/** Samples of windows of images. */
export const augmentSamples: { readonly augment: OperationSamples } = {
  augment: [
    ...CASES.map((one, at): Usage => {
      return {
        ...forward(one),
        samples: [sample([floats([5, ...largeOf(one)])])],
        ...(at === 0
          ? {
              refusals: [
                { inputs: [[[2, 3, 3]]], code: "ERR_SHAPE", where: "augment" },
                { inputs: [[[2, 2, 5, 1]]], code: "ERR_SHAPE", where: "augment" },
                { inputs: [[[2, 3, 5, 2], "i32"]], code: "ERR_DTYPE", where: "augment" },
              ],
            }
          : {}),
      };
    }),
    ...CASES.map((one): Usage => ({ ...backward(one), samples: [sample([floats([5, ...smallOf(one)])])] })),
    {
      ...forward(LARGE),
      samples: [sample([floats([2, ...largeOf(LARGE)])])],
      large: sample([floats([41, ...largeOf(LARGE)])]),
    },
    {
      label: "middle",
      apply: (x) => ops.centerCrop(x, [4, 2]),
      reference: ({ shape, data }) => {
        const [count = 0, , width = 0] = shape;
        return Array.from({ length: count * 8 }, (_, at) => {
          const [image, row, column] = [at >> 3, (at >> 1) & 3, at & 1];
          return data[(image * 7 + row + 2) * width + column + 1] ?? 0; // (7 − 4)/2 is 1.5, rounded to even: 2
        });
      },
      error: exact,
      samples: [sample([floats([3, 7, 4, 1])])],
      differentiable: [0],
      rowwise: true,
    },
  ],
};
