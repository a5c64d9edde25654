// Windows of images at places that are drawn an example: crops, shifts, flips.
import { CarillonError, fail } from "../errors.js";
import { checkKeys, checkNumber } from "../options.js";
import type { Augmented } from "../tensor/attributes.js";
import { extent, isBatched, type Shape } from "../tensor/shape.js";
import type { Rule, Value } from "../tensor/value.js";
import { apply, at, checkValue, expectDtype, f32, type Of } from "./apply.js";
import { instruction } from "./encode.js";
import { checkSite, type DrawOptions, drawOf } from "./random.js";
import { expectImages, expectShape, perAxis } from "./windows.js";

/** What images are augmented by. */
export interface ImageAugmentation {
  /**
   * Whether images are turned over with probability ½: `true` and `'horizontal'` left and right, `'vertical'` top and bottom, `'both'` each by
   * itself.
   */
  readonly flip?: boolean | "horizontal" | "vertical" | "both" | undefined;
  /** Places by which an image is moved at most, in both directions of an axis: a number, or [rows, columns]. */
  readonly shift?: number | readonly [number, number] | undefined;
  /** Rows and columns that are cut out of an image: a number, or [rows, columns]. By default all of it. */
  readonly crop?: number | readonly [number, number] | undefined;
  /** The value outside of the image, 0 by default. */
  readonly fill?: number | undefined;
}

/** Options of `ops.augment`. */
export interface AugmentOptions extends ImageAugmentation, DrawOptions {}

/** Names of the options of {@link ImageAugmentation}. */
export const AUGMENTATION = ["flip", "shift", "crop", "fill"] as const;

const augmentRule: Rule<"augment"> = {
  name: "augment",
  infer(inputs, { large, small, channels, back }) {
    const x = at(inputs, 0);
    const images = x.shape.slice(0, 1);
    const of = (sizes: readonly number[]): Shape => [...images, ...sizes, channels];
    expectShape("augment", x, of(back ? small : large));
    return f32(of(back ? large : small));
  },
  lower(inputs, outputs, { large, small, channels, first, places, flips, fill, back, site }) {
    const [x, y] = [at(inputs, 0), at(outputs, 0)];
    const images = extent(x.shape.slice(0, 1));
    return instruction(
      "augment",
      { x, y },
      {
        ...{ images, height: large[0], width: large[1], channels, outHeight: small[0], outWidth: small[1] },
        ...{ top: first[0], left: first[1], tops: places[0], lefts: places[1], back, site, fill },
        ...{ flipColumns: flips.columns, flipRows: flips.rows },
        exampleImages: isBatched(x.shape) ? 1 : 0,
      },
    );
  },
  // The same windows, drawn again: what flows to one goes back to where it was.
  gradient: (_inputs, _outputs, flows, attributes) => [
    apply(augmentRule, [at(flows, 0)], { ...attributes, back: !attributes.back, fill: 0 }, attributes.draw),
  ],
};

function flipsOf(where: string, flip: ImageAugmentation["flip"] = false): Augmented["flips"] {
  if (typeof flip !== "boolean" && flip !== "horizontal" && flip !== "vertical" && flip !== "both")
    return fail("ERR_OPTION", `${where}.flip`, "a boolean, 'horizontal', 'vertical' or 'both'", flip);
  return { columns: flip !== false && flip !== "vertical", rows: flip === "vertical" || flip === "both" };
}

/** What says that such images are turned over. */
export function nameOfFlips({ columns, rows }: Augmented["flips"]): "horizontal" | "vertical" | "both" | false {
  if (columns) return rows ? "both" : "horizontal";
  return rows && "vertical";
}

/** What is drawn of images, checked. */
export interface CheckedAugmentation {
  /** Rows and columns of a window; `undefined`: those of the image. */
  readonly crop: readonly [number, number] | undefined;
  readonly shift: readonly [number, number];
  readonly flips: Augmented["flips"];
  readonly fill: number;
}

const WINDOW = { min: 1, max: 16_777_216, integer: true } as const;

function pairOf(where: string, given: number | readonly number[], min: 0 | 1): readonly [number, number] {
  const [rows = 0, columns = 0] = perAxis(where, given, 2, { min, integer: true });
  const range = { ...WINDOW, min };
  return [checkNumber(where, rows, range), checkNumber(where, columns, range)];
}

/** The options of an augmentation, checked: else `ERR_OPTION`. */
export function checkAugmentation(
  where: string,
  { flip, shift = 0, crop, fill = 0 }: ImageAugmentation,
): CheckedAugmentation {
  return {
    crop: crop === undefined ? undefined : pairOf(`${where}.crop`, crop, 1),
    shift: pairOf(`${where}.shift`, shift, 0),
    flips: flipsOf(where, flip),
    fill: checkNumber(`${where}.fill`, fill),
  };
}

/** Rows and columns of what a window leaves of an image; one larger than that is `ERR_SHAPE` with the sizes. */
export function croppedSize(
  where: string,
  [height, width]: readonly [number, number],
  crop: CheckedAugmentation["crop"],
): readonly [number, number] {
  if (crop === undefined) return [height, width];
  if (crop[0] <= height && crop[1] <= width) return crop;
  const expected = `expected images of ${crop[0]} × ${crop[1]} or more, as 'crop' says,`;
  throw new CarillonError("ERR_SHAPE", where, `${expected} for '${where}' but received ${height} × ${width}`);
}

/** Sizes of images [batch, height, width, channels]: of any other value `ERR_SHAPE`. */
function sizesOf(where: string, x: Value): readonly [height: number, width: number, channels: number] {
  checkValue(where, x);
  expectDtype(where, x, "f32");
  const [height = 0, width = 0, channels = 0] = expectImages(where, x.shape, 2).slice(1).map(Number);
  return [height, width, channels];
}

/** Windows of images at places that are drawn, by options that have been checked. */
export function augmented(
  where: string,
  x: Value,
  { crop, shift, flips, fill }: CheckedAugmentation,
  site: number,
  draw: Augmented["draw"],
): Value {
  const [height, width, channels] = sizesOf(where, x);
  const small = croppedSize(where, [height, width], crop);
  const attributes: Augmented = {
    ...{ large: [height, width], small, channels, flips, fill, back: false, site, draw },
    first: [-shift[0], -shift[1]],
    places: [height - small[0] + 2 * shift[0] + 1, width - small[1] + 2 * shift[1] + 1],
  };
  return apply(augmentRule, [x], attributes, draw);
}

/**
 * Images augmented: x: [batch, height, width, channels], y: [batch, h, w, channels], h × w what `crop` says, by default all. y is the window
 * of x, padded with `fill`, that begins at a row of −shift … height − h + shift and a column likewise, each as probable; then turned over as `flip` says.
 * So `shift` alone moves an image, `crop` alone is torchvision's `RandomCrop(crop)`, both are its `RandomCrop(crop, padding=shift)`.
 *
 * What is drawn of an example is a function of (seed, step, site, place in the batch): Philox of (place, step, site, 20); its highest two bits say what is
 * turned over, floor(word·places/2³²) of its next two words row and column. The gradient goes back to where a pixel was. On tensors it needs `seed` and `step`; a program
 * has its own. A window larger than the image is `ERR_SHAPE`.
 */
export function augment<A extends Value>(x: A, options: AugmentOptions): Of<A> {
  checkKeys("augment", options, [...AUGMENTATION, "site", "seed", "step"]);
  const checked = checkAugmentation("augment", options);
  return augmented("augment", x, checked, checkSite("augment", options), drawOf("augment", x, options)) as Of<A>;
}

const NO_FLIPS = { columns: false, rows: false } as const;

/** d/2, a half rounded to even, as torchvision's `CenterCrop` has it. */
function halfOf(difference: number): number {
  const half = Math.floor(difference / 2);
  return difference % 2 === 1 && half % 2 === 1 ? half + 1 : half;
}

/**
 * The middle of images: y: [batch, rows, columns, channels] from x: [batch, height, width, channels], the window that begins at (height − rows)/2 and (width − columns)/2,
 * halves rounded to even, as torchvision's `CenterCrop`. One that is larger than the image is `ERR_SHAPE`.
 *
 * @param size Rows and columns: a number, or two.
 */
export function centerCrop<A extends Value>(x: A, size: number | readonly [number, number]): Of<A> {
  const [height, width, channels] = sizesOf("centerCrop", x);
  const small = croppedSize("centerCrop", [height, width], pairOf("centerCrop.size", size, 1));
  const attributes: Augmented = {
    ...{ large: [height, width], small, channels, flips: NO_FLIPS, fill: 0, back: false, site: 0, draw: undefined },
    first: [halfOf(height - small[0]), halfOf(width - small[1])],
    places: [1, 1],
  };
  return apply(augmentRule, [x], attributes) as Of<A>;
}

/** What the rule does, for its samples. */
export const augmentOf = (x: Value, attributes: Augmented): Value =>
  apply(augmentRule, [x], attributes, attributes.draw);

/** Rules of this file, for the tests that walk all operations. */
export const augmentRules = { augment: augmentRule } as const;
