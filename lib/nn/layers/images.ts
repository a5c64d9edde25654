import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import {
  AUGMENTATION,
  augmented,
  checkAugmentation,
  croppedSize,
  type ImageAugmentation,
  nameOfFlips,
} from "../../ops/augment.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber, checkObject } from "../../options.js";
import { tensor } from "../../tensor/tensor.js";
import { defineLayer, type Layer } from "../structure/layer.js";
import type { Size2d } from "./convolution.js";

/** How bytes become what a network learns from: (byte·scale − mean)/std, a channel each. */
export interface ImageNormalization {
  /** What bytes are multiplied by: 1/255 by default, so that they are in [0, 1]. */
  readonly scale?: number | undefined;
  /** Mean of scaled bytes: a number, or one a channel; 0 by default. */
  readonly mean?: number | readonly number[] | undefined;
  /** Standard deviation of scaled bytes, > 0: a number, or one a channel; 1 by default. */
  readonly std?: number | readonly number[] | undefined;
}

/** What {@link images} draws in training. */
export interface ImagesAugmentation<K extends Size2d | undefined = Size2d | undefined> extends ImageAugmentation {
  /**
   * Rows and columns of what the network sees: cut out at a place that is drawn in training, in the middle otherwise. By default the whole image.
   */
  readonly crop?: K;
  /** The byte outside of the image, 0 by default. */
  readonly fill?: number | undefined;
}

/** Options of {@link images}. */
export interface ImagesOptions<
  H extends number = number,
  W extends number = number,
  C extends number = number,
  K extends Size2d | undefined = Size2d | undefined,
> {
  /** Rows of an image. */
  readonly height: H;
  /** Columns of an image. */
  readonly width: W;
  /** Bytes of a pixel. */
  readonly channels: C;
  /** What is drawn of each example in each step of training; nothing by default. */
  readonly augment?: ImagesAugmentation<K> | undefined;
  /** Done everywhere: in training, validation and for whoever asks the model. */
  readonly normalize?: ImageNormalization | undefined;
  readonly name?: string | undefined;
}

/** Rows behind the layer. */
type Seen<H extends number, W extends number, C extends number, K> = K extends number
  ? readonly [K, K, C]
  : K extends readonly [infer R extends number, infer S extends number]
    ? readonly [R, S, C]
    : readonly [H, W, C];

const SIZE = { min: 1, max: 16_777_216, integer: true } as const;

/** One number a channel. */
function perChannel(
  where: string,
  given: unknown,
  channels: number,
  standard: number,
  above?: number,
): readonly number[] {
  const range = above === undefined ? {} : { above };
  if (given === undefined) return Array<number>(channels).fill(standard);
  if (!Array.isArray(given)) return Array<number>(channels).fill(checkNumber(where, given, range));
  if (given.length !== channels) fail("ERR_OPTION", where, `a number, or one for each of ${channels} channels`, given);
  return given.map((each: unknown) => checkNumber(where, each, range));
}

/** Options of a normalization, checked, as a file has them. */
function checkNormalization(where: string, channels: number, { scale = 1 / 255, mean, std }: ImageNormalization) {
  return {
    scale: checkNumber(`${where}.scale`, scale, { above: 0 }),
    mean: perChannel(`${where}.mean`, mean, channels, 0),
    std: perChannel(`${where}.std`, std, channels, 1, 0),
  };
}

/** Factor and summand of each channel: byte·(scale/std) + (−mean/std). */
function factorsOf(where: string, { scale, mean, std }: ReturnType<typeof checkNormalization>) {
  const factors = std.map((deviation) => scale / deviation);
  const summands = mean.map((each, channel) => -each / (std[channel] ?? 1));
  for (const [name, values] of [
    ["std", factors],
    ["mean", summands],
  ] as const) {
    const bad = values.find((value) => !Number.isFinite(Math.fround(value)));
    if (bad !== undefined) fail("ERR_OPTION", `${where}.${name}`, "a number whose quotients float32 holds", bad);
  }
  return { factors: tensor(Float32Array.from(factors)), summands: tensor(Float32Array.from(summands)) };
}

/**
 * Images of bytes: x: u8 [batch, height, width, channels], y: f32 of the same shape, or with the rows and columns of `augment.crop`;
 * y = fma(x, scale/std, −mean/std) with the two quotients of a channel made in double and rounded to float32. The first layer of a model: its data stay bytes in
 * memory, a quarter of floats, and become floats a batch at a time.
 *
 * In training each example of each step is drawn as `ops.augment` says, by (seed, step, place in the batch), before it is normalized: cut out at
 * a row of −shift … height − rows + shift and a column likewise, then turned over. Everywhere else it is the image, or its middle (`ops.centerCrop`). As torchvision's
 * `RandomCrop(crop, padding=shift, fill=fill)`, `RandomHorizontalFlip()`, `ToTensor()` and `Normalize(mean, std)`; whoever evaluates has `CenterCrop(crop)`.
 *
 * Data that are no bytes, and images of another size, are `ERR_DTYPE`, `ERR_SHAPE` or `ERR_DATA` with the name of the input and the sizes.
 *
 * @example
 * const model = sequential(
 *   images({ height: 32, width: 32, channels: 3, augment: { flip: true, shift: 4 }, normalize: { mean: [0.49, 0.48, 0.45], std: 0.25 } }),
 *   conv2d(3, 16, { kernel: 3 }), relu(), globalAveragePool(), linear(16, 10),
 * );
 */
export function images<
  const H extends number,
  const W extends number,
  const C extends number,
  const K extends Size2d | undefined = undefined,
>(options: ImagesOptions<H, W, C, K>): Layer<readonly [H, W, C], Seen<H, W, C, K>, "u8">;
export function images(options: ImagesOptions): Layer<readonly number[], readonly number[], "u8"> {
  checkKeys("images", options, ["height", "width", "channels", "augment", "normalize", "name"]);
  const { augment, normalize = {}, name } = options;
  const height = checkNumber("images.height", options.height, SIZE);
  const width = checkNumber("images.width", options.width, SIZE);
  const channels = checkNumber("images.channels", options.channels, SIZE);
  checkObject("images.normalize", normalize);
  checkKeys("images.normalize", normalize, ["scale", "mean", "std"]);
  if (augment !== undefined) {
    checkObject("images.augment", augment);
    checkKeys("images.augment", augment, AUGMENTATION);
  }
  const drawn = checkAugmentation("images.augment", augment ?? {});
  const seen = croppedSize("images", [height, width], drawn.crop);
  const isCropped = seen[0] !== height || seen[1] !== width;
  const draws = isCropped || drawn.flips.columns || drawn.flips.rows || drawn.shift.some((most) => most > 0);
  const normalized = checkNormalization("images.normalize", channels, normalize);
  const { factors, summands } = factorsOf("images.normalize", normalized);
  const { shift, fill } = drawn;
  const config = { height, width, channels, flip: nameOfFlips(drawn.flips), shift, crop: seen, fill, ...normalized };
  const layer = defineLayer({
    kind: "images",
    inputs: [height, width, channels],
    outputs: [...seen, channels],
    takes: "u8",
    name,
    config,
    forward(x, _parameters, { training, nextSite }) {
      const window =
        training && draws
          ? augmented("images", x, drawn, nextSite(), undefined)
          : isCropped
            ? ops.centerCrop(x, seen)
            : x;
      return ops.scaleShift(window, factors, summands);
    },
  });
  return madeBy("images", { ...config, name }, layer);
}

/** Options of {@link images} without those within others, as descriptions have them. */
export interface FlatImagesOptions
  extends Omit<ImagesOptions, "augment" | "normalize">,
    ImagesAugmentation,
    ImageNormalization {}

/** The layer of a description. */
export function imagesOf({
  height,
  width,
  channels,
  name,
  flip,
  shift,
  crop,
  fill,
  ...normalize
}: FlatImagesOptions): Layer {
  return images({ height, width, channels, name, augment: { flip, shift, crop, fill }, normalize });
}
