import { recorded } from "../ops/broadcast.js";
import * as ops from "../ops/index.js";
import { checkShape, type Shape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import type { Value } from "../tensor/value.js";

/** At this rate the factor 1 + σz of `ops.gaussianDropout` has σ = 1. */
const RATE = 0.5;

/** z ~ N(0, 1) of `shape`, as (1 + z) − 1 of the factors that Gaussian dropout multiplies with. */
export function drawNormal(where: string, shape: Shape, site: number): Value {
  const one = recorded(new Tensor(Float32Array.of(1), [], "f32"));
  const factors = ops.gaussianDropout(ops.broadcast(one, checkShape(where, [...shape])), { rate: RATE, site });
  return ops.subtract(factors, 1);
}

/** u = Φ(z) = ½·(1 + erf(z/√2)), in [0, 1]. */
export function drawUniform(where: string, shape: Shape, site: number): Value {
  const z = drawNormal(where, shape, site);
  return ops.multiply(ops.add(ops.erf(ops.multiply(z, Math.sqrt(0.5))), 1), 0.5);
}
