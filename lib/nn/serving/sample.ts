// Drawing one of several by what a network says of them.
import { fail } from "../../errors.js";
import { checkKeys, checkNumber, isPlainObject } from "../../options.js";
import { isTypedArray } from "../../tensor/copied.js";
import { exp } from "../../tensor/exact.js";
import { philox, seedKey } from "../../tensor/philox.js";

/** Options of {@link sampleToken}. */
export interface SampleOptions {
  /** Outputs are divided by it before they become probabilities; 1 by default. At 0 the largest is taken, the first among equals. */
  readonly temperature?: number | undefined;
  /** The largest outputs that are drawn from, as many at most; all by default. */
  readonly topK?: number | undefined;
  /** An integer from 0 on; 0 by default. */
  readonly seed?: number | undefined;
}

/** Last word of the counter of these draws. */
const PURPOSE = 22;

/** Whether a caller has given a list with something in it. */
function isList(outputs: unknown): boolean {
  if (Array.isArray(outputs) || isTypedArray(outputs)) return outputs.length > 0;
  if (!isPlainObject(outputs) || !("length" in outputs)) return false;
  return typeof outputs.length === "number" && outputs.length > 0;
}

/** Places of the largest outputs, in ascending order; the lower place among equals. */
function largest(outputs: ArrayLike<number>, count: number): readonly number[] {
  const places = Array.from({ length: outputs.length }, (_, place) => place);
  if (count >= outputs.length) return places;
  const sorted = places.sort((a, b) => (outputs[b] ?? 0) - (outputs[a] ?? 0) || a - b);
  return sorted.slice(0, count).sort((a, b) => a - b);
}

/** {@link SampleOptions}, checked. */
export function checkSample(
  where: string,
  options: SampleOptions,
): Required<{ readonly [K in keyof SampleOptions]: number }> {
  return {
    temperature: checkNumber(`${where}.temperature`, options.temperature ?? 1, { min: 0 }),
    topK:
      options.topK === undefined
        ? Number.MAX_SAFE_INTEGER
        : checkNumber(`${where}.topK`, options.topK, { min: 1, integer: true }),
    seed: checkNumber(`${where}.seed`, options.seed ?? 0, { min: 0, integer: true }),
  };
}

/**
 * One of the outputs of a network, by its place: drawn from softmax(outputs/temperature) over the `topK` largest. It is a function of the outputs, the seed and `draw`, the number
 * of the draw, on every machine: probabilities are made in double with + − × ÷ (Philox: Salmon et al. 2011). An output that is not finite is `ERR_NON_FINITE`.
 */
export function sampleToken(outputs: ArrayLike<number>, draw: number, options: SampleOptions = {}): number {
  checkKeys("sampleToken", options, ["temperature", "topK", "seed"]);
  checkNumber("sampleToken.draw", draw, { min: 0, max: 0xffff_ffff, integer: true });
  if (!isList(outputs)) fail("ERR_SHAPE", "sampleToken", "an output or more", outputs);
  const { temperature, topK, seed } = checkSample("sampleToken", options);
  for (let place = 0; place < outputs.length; place++) {
    if (!Number.isFinite(outputs[place]))
      fail("ERR_NON_FINITE", `sampleToken.outputs[${place}]`, "a finite number", outputs[place]);
  }
  const places = largest(outputs, temperature === 0 ? 1 : topK);
  const [first = 0] = places;
  if (places.length === 1) return first;
  const most = places.reduce((max, place) => Math.max(max, outputs[place] ?? max), outputs[first] ?? 0);
  const chances = places.map((place) => exp(((outputs[place] ?? 0) - most) / temperature));
  const [high = 0, low = 0] = philox([draw, 0, 0, PURPOSE], seedKey("sampleToken.seed", seed));
  const uniform = (high * 2_097_152 + Math.floor(low / 2048)) / 9_007_199_254_740_992;
  let left = uniform * chances.reduce((sum, chance) => sum + chance, 0);
  for (const [at, place] of places.entries()) {
    left -= chances[at] ?? 0;
    if (left < 0) return place;
  }
  return places.findLast((_, at) => (chances[at] ?? 0) > 0) ?? first;
}
