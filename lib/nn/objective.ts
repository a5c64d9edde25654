import type { BoundExamples } from "../data/bind.js";
import type { Affine } from "../data/transform.js";
import { CarillonError, describe } from "../errors.js";
import { chooseRows } from "../ops/elementwise.js";
import * as ops from "../ops/index.js";
import { extent, formatShape, type Shape } from "../tensor/shape.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import { Value } from "../tensor/value.js";
import type { Loss } from "./losses/loss.js";
import type { Measured } from "./meter.js";
import type { Model } from "./model.js";

/** The sums over a batch that a set's figures are made of, all scalars, and what metrics look at. */
export interface Objective extends Measured {
  /** Σ wℓ */
  readonly total: Value;
  /** Σ w */
  readonly weight: Value;
  /** Σ wℓ/Σ w, 0 for a batch that weighs nothing */
  readonly mean: Value;
}

/** Who looks at what is computed on the way. */
export interface Watcher {
  layer(name: string, output: Value): void;
  /** [batch] */
  losses(losses: Value): void;
}

/** Records forward and loss of a batch of `examples`. */
export function recordObjective(
  model: Model,
  loss: Loss,
  examples: Pick<BoundExamples, "weighted" | "zeros" | "units">,
  watcher?: Watcher | undefined,
): Objective {
  const input = (name: string, shape: Shape, dtype: "f32" | "i32"): Value =>
    new Value(shape, dtype, { kind: "input", name });
  const [rows] = model.rows.inputs;
  const x = input("x", ["batch", ...(rows?.shape ?? [])], rows?.dtype ?? "f32");
  const classes = loss.target === "classes";
  const y = classes
    ? input("y", ["batch"], "i32")
    : input("y", ["batch", ...(model.rows.outputs[0]?.shape ?? [])], "f32");
  const { inputs } = examples.units;
  const fed = inputs === undefined ? x : toUnits(x, inputs);
  const [output = fed] = model.recordRows([fed], watcher?.layer);
  const w = examples.weighted ? input("weight", ["batch"], "f32") : undefined;
  // What weighs nothing is left out by a select, not by 0·ℓ: its loss may be infinite, and so may a slope on the way back.
  const chosen = examples.zeros ? w : undefined;
  const losses = loss(chooseRows(output, chosen), y);
  if (!(losses instanceof Value) || losses.dtype !== "f32" || extent(losses.shape) !== -1) {
    const received = losses instanceof Value ? formatShape(losses.shape) : describe(losses);
    throw new CarillonError(
      "ERR_SHAPE",
      "loss",
      `expected one number an example, [batch], for 'loss' but received ${received}`,
    );
  }
  const flat = chooseRows(ops.reshape(losses, ["batch"]), chosen);
  watcher?.losses(flat);
  const total = ops.sum(w === undefined ? flat : ops.multiply(flat, w));
  const weight = w === undefined ? ops.rowCount() : ops.sum(w);
  return {
    total,
    weight,
    mean: ops.divide(total, divisorOf(weight, examples)),
    output,
    target: y,
    weights: w,
  };
}

function row(values: readonly number[]): Tensor {
  return tensor(Float32Array.from(values), [values.length]);
}

/** (value − shift)/scale, column by column. */
function toUnits(value: Value, { shift, scale }: Affine): Value {
  return ops.divide(ops.subtract(value, row(shift)), row(scale));
}

/** 2⁻¹²⁶, the smallest normal number. */
const SMALLEST = 1.1754943508222875e-38;

/** Σ w to divide by. A batch may weigh nothing; then Σ wℓ is 0 as well, and so are its mean and its gradients. */
export function divisorOf(weight: Value, { weighted }: Pick<BoundExamples, "weighted">): Value {
  return weighted ? ops.maximum(weight, SMALLEST) : weight;
}
