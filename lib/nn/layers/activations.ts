import * as ops from "../../ops/index.js";
import type { Value } from "../../tensor/value.js";
import { defineLayer, type Layer } from "../layer.js";

function activation(kind: string, apply: (x: Value) => Value): () => Layer<number, "same"> {
  const layer = defineLayer({ kind, outputs: "same", config: {}, forward: (x) => apply(x) });
  return () => layer;
}

/** y = x < 0 ? 0 : x. */
export const relu = activation("relu", ops.relu);

/** y = tanh x. */
export const tanh = activation("tanh", ops.tanh);

/** y = 1/(1 + e⁻ˣ). */
export const sigmoid = activation("sigmoid", ops.sigmoid);
