import { madeBy } from "../../described.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber, checkOneOf } from "../../options.js";
import type { Value } from "../../tensor/value.js";
import { defineLayer, type Layer, type LayerContext, type LayerResult } from "../structure/layer.js";
import { checkNormOptions, type Learned, type NormLayerOptions, scaleAndShift } from "./layer_norm.js";

const PRESETS = ["pytorch", "keras"] as const;

/** Options of {@link batchNorm}. */
export interface BatchNormLayerOptions extends NormLayerOptions {
  /** Weight of the old running values in each step, [0, 1): 0.99 by default. PyTorch's `momentum` is the weight of the new ones. */
  readonly keep?: number | undefined;
  /**
   * Defaults of a framework. `'pytorch'`: keep 0.9, ε 1e-5, an unbiased running variance. `'keras'`: keep 0.99, ε
   * 1e-3, and a lone row gives the shift.
   */
  readonly preset?: (typeof PRESETS)[number] | undefined;
}

/** Defaults of each preset. */
const DEFAULTS = {
  own: { keep: 0.99, epsilon: 1e-5 },
  pytorch: { keep: 0.9, epsilon: 1e-5 },
  keras: { keep: 0.99, epsilon: 1e-3 },
} as const;

type Context = LayerContext<"mean" | "variance">;

/** By running values: x·s + t with s = scale/√(variance + ε) and t = shift − mean·s. */
function inferred(x: Value, { scale, shift }: Learned, { state }: Context, epsilon: number): Value {
  const inverse = ops.reciprocal(ops.sqrt(ops.add(state.variance, epsilon)));
  const factor = scale === undefined ? inverse : ops.multiply(scale, inverse);
  const taken = ops.multiply(state.mean, factor);
  return ops.scaleShift(x, factor, shift === undefined ? ops.negate(taken) : ops.subtract(shift, taken));
}

/** rows/(rows − 1), 1 of a lone row. */
function unbiased(x: Value): ops.Operand {
  const places = x.shape.slice(1, -1).reduce<number>((product, size) => product * Number(size), 1);
  const rows = x.shape[0] === "batch" ? ops.multiply(ops.rowCount(), places) : Number(x.shape[0]) * places;
  return ops.divide(rows, ops.maximum(ops.subtract(rows, 1), 1));
}

/**
 * Batch normalization: y = (x − mean)/√(variance + ε)·scale + shift, in training by mean and biased variance of each feature over all rows
 * of the batch (and all places of each), at inference by running ones: running ← running + (1 − keep)·(new − running) after each step,
 * 0 and 1 at first. x: [batch, …, inputs]; formula at `ops.batchNorm`. Of one row there is no variance: `ERR_OPTION` before the first step
 * where that is known; a last batch of a stream with one row is normalized by the running values, which it does not change. Micro-batches
 * have a mean and a variance each. Measured anew (`Model.refreshStatistics`) the running values are means of those of the batches, by rows. Ioffe,
 * Szegedy 2015.
 */
export function batchNorm<const In extends number>(inputs: In, options: BatchNormLayerOptions = {}): Layer<In, "same"> {
  const { keep: keepOption, preset, ...others } = options;
  checkKeys("batchNorm", options, ["epsilon", "affine", "name", "keep", "preset"]);
  const defaults = DEFAULTS[preset === undefined ? "own" : checkOneOf("batchNorm.preset", preset, PRESETS)];
  const { epsilon, affine } = checkNormOptions("batchNorm", inputs, {
    ...others,
    epsilon: options.epsilon ?? defaults.epsilon,
  });
  const keep = checkNumber("batchNorm.keep", keepOption ?? defaults.keep, { min: 0, below: 1 });
  const { name } = options;
  const normalize = (x: Value, { scale, shift }: Learned, context: Context): LayerResult<"mean" | "variance"> => {
    const { state, training, measure } = context;
    if (!training && measure === undefined) return { output: inferred(x, { scale, shift }, context, epsilon) };
    if (preset !== "keras" && x.shape.length === 2) context.needRows(2);
    const running = preset === "keras" ? undefined : state;
    const { y, mean, variance } = ops.batchNorm(x, scale, shift, { epsilon, running });
    const share = measure?.();
    const moved = (kept: Value, now: Value): Value => {
      const old = share === undefined ? kept : ops.where(ops.less(share, 1), kept, 0);
      return ops.flush(ops.add(old, ops.multiply(share ?? 1 - keep, ops.subtract(now, old))));
    };
    const taken = preset === "pytorch" ? ops.multiply(variance, unbiased(x)) : variance;
    return { output: y, state: { mean: moved(state.mean, mean), variance: moved(state.variance, taken) } };
  };
  const config = { inputs, epsilon, affine, keep, ...(preset === undefined ? {} : { preset }) };
  const layer = defineLayer({
    kind: "batchNorm",
    inputs,
    outputs: "same",
    name,
    config,
    parameters: scaleAndShift(inputs, affine),
    state: { mean: { shape: [inputs], init: 0 }, variance: { shape: [inputs], init: 1, min: 0 } },
    forward: normalize,
  });
  return madeBy("batchNorm", { ...config, name }, layer);
}
