import { keepOf } from "../ops/random.js";
import { checkKeys, checkNumber } from "../options.js";
import { checkFloats, checkThreads, lengthOf, type ThreadOptions } from "./arguments.js";
import { atFirstUse, Call, type Draw } from "./call.js";

/** Seed and place of a draw, of which it is a function besides the index of its element. */
export interface DrawOptions extends ThreadOptions {
  /** An integer in [0, 2⁵³). */
  readonly seed: number;
  /** An integer in [1, 2³²). */
  readonly step: number;
  /** Number of the place that draws, an integer in [0, 2³¹). */
  readonly site: number;
  /** Index of the first element, an integer ≥ 0; 0 by default: pieces of an array draw what the whole draws. */
  readonly offset?: number | undefined;
}

const SEED = { min: 0, integer: true } as const;
const STEP = { min: 1, max: 4_294_967_295, integer: true } as const;
const SITE = { min: 0, max: 2_147_483_647, integer: true } as const;
/** So that the index of the last element is exact too. */
const OFFSET = { min: 0, max: 4_503_599_627_370_496, integer: true } as const;

function drawOf(where: string, { seed, step, offset }: DrawOptions): Draw {
  return {
    seed: checkNumber(`${where}.seed`, seed, SEED),
    step: checkNumber(`${where}.step`, step, STEP),
    offset: offset === undefined ? 0 : checkNumber(`${where}.offset`, offset, OFFSET),
  };
}

/** Integers of an instruction that draws for `count` elements in a row: each is a row of one column. */
function place(call: Call<"dropout"> | Call<"noise">, count: number, where: string, site: number): void {
  const { at } = call;
  call.set(at.rows, count);
  call.set(at.columns, 1);
  call.set(at.site, checkNumber(where, site, SITE));
  call.set(at.group, 1);
  call.set(at.exampleRows, 1);
}

/** Either `rate` or `keep`, and the factor of what is kept. */
export interface KeepOptions {
  /** Probability of dropping, [0, 1). */
  readonly rate?: number | undefined;
  /** Probability of keeping, (0, 1]; exact to 2⁻³². */
  readonly keep?: number | undefined;
  /** Factor of kept elements: 1/keep by default (inverted dropout), 1 for the classic form. */
  readonly scale?: number | undefined;
}

/** Options of {@link dropoutForward}. */
export interface DropoutForwardOptions extends DrawOptions, KeepOptions {
  /** [count], count ≥ 0. */
  readonly x: Float32Array;
  /** [count], written; may be x itself. */
  readonly y: Float32Array;
  /** Summand of kept elements; 0 by default. Alpha dropout needs it, and `dropped`. */
  readonly shift?: number | undefined;
  /** Value of the others; 0 by default. */
  readonly dropped?: number | undefined;
}

/** Options of {@link dropoutBackward}. */
export interface DropoutBackwardOptions extends DrawOptions, KeepOptions {
  /** dℓ/dy: [count], count ≥ 0. */
  readonly outputGradient: Float32Array;
  /** dℓ/dx: [count], written; may be `outputGradient` itself. */
  readonly inputGradient: Float32Array;
}

const DRAW_KEYS = ["seed", "step", "site", "offset", "threads"] as const satisfies readonly (keyof DrawOptions)[];
const KEEP_KEYS = ["rate", "keep", "scale"] as const satisfies readonly (keyof KeepOptions)[];
const FORWARD_KEYS = ["x", "y", "shift", "dropped", ...KEEP_KEYS, ...DRAW_KEYS] as const;
const BACKWARD_KEYS = ["outputGradient", "inputGradient", ...KEEP_KEYS, ...DRAW_KEYS] as const;

const forwardCall = atFirstUse(() => new Call("dropoutForward", "dropout", ["x", "y"]));

/** Probability of keeping and the factor of what is kept. */
function keep(call: Call<"dropout">, where: string, options: KeepOptions): void {
  const kept = keepOf(where, options.rate, options.keep);
  call.set(call.at.keep, kept);
  call.set(call.at.scale, options.scale === undefined ? 1 / kept : checkNumber(`${where}.scale`, options.scale));
}

/**
 * y[i] = keep(offset + i) ? x[i]·scale : dropped, with `shift` fma(x[i], scale, shift) for x[i]·scale. What is kept is a
 * function of (seed, step, site, index), one byte an element and 24 more bits where the byte decides nothing: the mask of
 * `ops.dropout` and of the layer (Srivastava et al. 2014; Philox: Salmon et al. 2011).
 *
 * Numbers out of range, `rate` beside `keep` or neither are `ERR_OPTION`.
 */
export function dropoutForward(options: DropoutForwardOptions): void {
  checkKeys("dropoutForward", options, FORWARD_KEYS);
  const { x, y, shift, dropped } = options;
  const count = lengthOf("dropoutForward.x", x);
  checkFloats("dropoutForward.y", y, count);
  const call = forwardCall();
  place(call, count, "dropoutForward.site", options.site);
  keep(call, "dropoutForward", options);
  call.set(call.at.shift, shift === undefined ? 0 : checkNumber("dropoutForward.shift", shift));
  call.set(call.at.dropped, dropped === undefined ? 0 : checkNumber("dropoutForward.dropped", dropped));
  const draw = drawOf("dropoutForward", options);
  call.run(checkThreads("dropoutForward.threads", options.threads), [x, y], draw);
}

const backwardCall = atFirstUse(
  () => new Call("dropoutBackward", "dropout", ["x", "y"], { x: "outputGradient", y: "inputGradient" }),
);

/** inputGradient[i] = keep(offset + i) ? outputGradient[i]·scale : 0, with the mask of {@link dropoutForward}, drawn again. */
export function dropoutBackward(options: DropoutBackwardOptions): void {
  checkKeys("dropoutBackward", options, BACKWARD_KEYS);
  const { outputGradient, inputGradient } = options;
  const count = lengthOf("dropoutBackward.outputGradient", outputGradient);
  checkFloats("dropoutBackward.inputGradient", inputGradient, count);
  const call = backwardCall();
  place(call, count, "dropoutBackward.site", options.site);
  keep(call, "dropoutBackward", options);
  const draw = drawOf("dropoutBackward", options);
  const threads = checkThreads("dropoutBackward.threads", options.threads);
  call.run(threads, [outputGradient, inputGradient], draw);
}

/** Options of {@link gaussianNoise}. */
export interface GaussianNoiseOptions extends DrawOptions {
  /** [count], count ≥ 0. */
  readonly x: Float32Array;
  /** [count], written; may be x itself. */
  readonly y: Float32Array;
  /** Standard deviation of the factor, ≥ 0: √(rate/(1 − rate)) for the variance of dropout. */
  readonly deviation: number;
}

const NOISE_KEYS = ["x", "y", "deviation", ...DRAW_KEYS] as const;
const DEVIATION = { min: 0 } as const;

const noiseCall = atFirstUse(() => new Call("gaussianNoise", "noise", ["x", "y"]));

/**
 * y[i] = x[i]·(1 + deviation·n(offset + i)), n ~ N(0, 1) a function of (seed, step, site, index): that of
 * `ops.gaussianDropout` (Srivastava et al. 2014, §10). The gradient is the same with dℓ/dy in place of x.
 */
export function gaussianNoise(options: GaussianNoiseOptions): void {
  checkKeys("gaussianNoise", options, NOISE_KEYS);
  const { x, y, deviation } = options;
  const count = lengthOf("gaussianNoise.x", x);
  checkFloats("gaussianNoise.y", y, count);
  const call = noiseCall();
  place(call, count, "gaussianNoise.site", options.site);
  call.set(call.at.deviation, checkNumber("gaussianNoise.deviation", deviation, DEVIATION));
  const draw = drawOf("gaussianNoise", options);
  call.run(checkThreads("gaussianNoise.threads", options.threads), [x, y], draw);
}
