import { madeBy } from "../../described.js";
import * as ops from "../../ops/index.js";
import { chooseSteps, type Steps, stepsOf } from "../../ops/sequence.js";
import { checkKeys, checkNumber, checkOneOf } from "../../options.js";
import { elements, type Shape } from "../../tensor/shape.js";
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

/** Rows of each feature: those of the batch, and all places of each. */
function rowsOf(x: Value): ops.Operand {
  const places = x.shape.slice(1, -1).reduce<number>((product, size) => product * Number(size), 1);
  return x.shape[0] === "batch" ? ops.multiply(ops.rowCount(), places) : Number(x.shape[0]) * places;
}

/** rows/(rows − 1), 1 of a lone row. */
function unbiased(rows: ops.Operand): ops.Operand {
  return ops.divide(rows, ops.maximum(ops.subtract(rows, 1), 1));
}

/**
 * By mean and biased variance over the steps that are there: of each example its steps in order, then the examples, so that neither what padding holds nor how much
 * of it there is changes a bit. Of a single step, and of none, by the running values, where there are some.
 */
function normedSteps(
  x: Value,
  steps: Steps,
  { scale, shift }: Learned,
  epsilon: number,
  running: Context["state"] | undefined,
) {
  const [batch = 1, ...axes] = x.shape;
  const features = Number(axes.at(-1));
  const places = elements(axes) / features;
  const flat: Shape = [batch, places, features];
  const rows = ops.multiply(ops.sum(steps.lengths), places / steps.count);
  const least = ops.maximum(rows, 1);
  const isLone = ops.less(rows, 2);
  /** One row of features as that of each example: what flows back is summed over places first. */
  const spread = (row: Value): Value => ops.reshape(ops.broadcast(row, [batch, features]), [batch, 1, features]);
  const meanOf = (all: Value): Value => {
    const own = ops.sum(chooseSteps(all, steps), { axis: 1 });
    return ops.divide(ops.sum(ops.reshape(own, [batch, features]), { axis: "first" }), least);
  };
  const given = ops.reshape(x, flat);
  const found = meanOf(given);
  const mean = running === undefined ? found : ops.where(isLone, running.mean, found);
  const off = ops.subtract(given, spread(mean));
  const squares = meanOf(ops.square(off));
  const variance = running === undefined ? squares : ops.where(isLone, running.variance, squares);
  const inverse = ops.reciprocal(ops.sqrt(ops.add(variance, epsilon)));
  const normed = ops.multiply(off, spread(inverse));
  const scaled = scale === undefined ? normed : ops.multiply(normed, spread(scale));
  const y = ops.reshape(shift === undefined ? scaled : ops.add(scaled, spread(shift)), x.shape);
  return { y, mean, variance, rows };
}

/**
 * Batch normalization: y = (x − mean)/√(variance + ε)·scale + shift, in training by mean and biased variance of each feature over all rows
 * of the batch (and all places of each), at inference by running ones: running ← running + (1 − keep)·(new − running) after each step,
 * 0 and 1 at first. x: [batch, …, inputs]; formula at `ops.batchNorm`. Of sequences with lengths rows are the steps that are there. Of one row there is no variance: `ERR_OPTION` before the first step
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
    const steps = stepsOf(x);
    const { y, mean, variance, rows } =
      steps === undefined
        ? { ...ops.batchNorm(x, scale, shift, { epsilon, running }), rows: rowsOf(x) }
        : normedSteps(x, steps, { scale, shift }, epsilon, running);
    const share = measure?.();
    const moved = (kept: Value, now: Value): Value => {
      const old = share === undefined ? kept : ops.where(ops.less(share, 1), kept, 0);
      return ops.flush(ops.add(old, ops.multiply(share ?? 1 - keep, ops.subtract(now, old))));
    };
    const taken = preset === "pytorch" ? ops.multiply(variance, unbiased(rows)) : variance;
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
