import { madeBy } from "../../described.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber } from "../../options.js";
import { defineLayer, type Layer } from "../structure/layer.js";

/** Options of {@link smoothClip}. */
export interface SmoothClipOptions {
  /** What |y| stays below, > 0; 3 by default. */
  readonly limit?: number | undefined;
  readonly name?: string | undefined;
}

const DEFAULT_LIMIT = 3;
/** Beyond so many limits y is the limit to the last bit, and a square could be infinite. */
const FAR = 1_048_576;

/**
 * y = x/√(1 + (x/c)²), c the limit: x near 0, never beyond ±c, with a slope that is nowhere 0 for |x| < 2²⁰·c, beyond which x counts as that. For inputs
 * with outliers, behind `inputs: robustScale()`. Holzmüller, Grinsztajn, Steinwart 2024, where c = 3.
 */
export function smoothClip(options: SmoothClipOptions = {}): Layer<number, "same", "f32"> {
  checkKeys("smoothClip", options, ["limit", "name"]);
  const limit = checkNumber("smoothClip.limit", options.limit ?? DEFAULT_LIMIT, { above: 0 });
  const { name } = options;
  const layer = defineLayer({
    kind: "smoothClip",
    outputs: "same",
    name,
    config: { limit },
    forward: (x) => {
      const near = ops.clip(x, -FAR * limit, FAR * limit);
      return ops.divide(near, ops.sqrt(ops.add(1, ops.square(ops.divide(near, limit)))));
    },
  });
  return madeBy("smoothClip", { limit, name }, layer);
}
