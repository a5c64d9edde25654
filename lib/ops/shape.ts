import type { Shape } from "../tensor/shape.js";
import { checkShape } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";
import type { Of } from "./apply.js";
import * as spread from "./broadcast.js";

/** The same elements under another shape; `'batch'` stays the first axis. */
export function reshape<A extends Value>(x: A, shape: Shape): Of<A> {
  return spread.reshape(x, checkShape("reshape", shape)) as Of<A>;
}

/** `x` repeated over `shape`: a scalar everywhere, a row [n] down [m, n], a column [m, 1] across [m, n]. */
export function broadcast<A extends Value>(x: A, shape: Shape): Of<A> {
  return spread.broadcast(x, checkShape("broadcast", shape)) as Of<A>;
}
