import { tracingNow } from "../../graph/trace.js";
import { recorded } from "../../ops/broadcast.js";
import * as ops from "../../ops/index.js";
import type { Shape } from "../../tensor/shape.js";
import { tensor } from "../../tensor/tensor.js";
import type { Value } from "../../tensor/value.js";

/** A mask of `shape` by itself, 0 with the probability `rate` and else 1/(1 − rate), of the place `site` of the program that is traced. */
export function drawnMask(shape: Shape, rate: number, site: number): Value {
  const ones = ops.broadcast(tensor(1), shape);
  // Of fixed sizes it is a tensor, of which an operation would compute at once.
  return ops.dropout(tracingNow() === undefined ? ones : recorded(ones), { rate, site });
}
