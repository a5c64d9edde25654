// Norms by running figures, which are a factor and a summand a feature, within the product before them.
import type { Applied, Value } from "../../tensor/value.js";
import { type Folded, floatsOf } from "./graph.js";

/** What products compute with in the place of their weights, and what is gone for that. */
export interface FoldedNorms {
  readonly folded: ReadonlyMap<Applied, Folded>;
  readonly gone: ReadonlySet<Value>;
}

/** Times that each value is used. */
function usesOf(all: readonly Applied[], outputs: readonly Value[]): ReadonlyMap<Value, number> {
  const uses = new Map<Value, number>();
  for (const value of [...all.flatMap(({ inputs }) => inputs), ...outputs]) uses.set(value, (uses.get(value) ?? 0) + 1);
  return uses;
}

/** The product that gives a value, behind reshapes that leave the last axis; `undefined` where something else uses it too. */
function productOf(value: Value, uses: ReadonlyMap<Value, number>): Applied<"linear" | "conv"> | undefined {
  if (uses.get(value) !== 1 || value.source.kind !== "operation") return undefined;
  const { applied } = value.source;
  if (applied.operation === "linear" || applied.operation === "conv") return applied;
  const [input] = applied.inputs;
  const isThrough = applied.operation === "reshape" && input?.shape.at(-1) === value.shape.at(-1);
  return isThrough && input !== undefined ? productOf(input, uses) : undefined;
}

/** w·scale and b·scale + shift, each rounded once. */
function foldedOf(
  weight: Float32Array,
  bias: Float32Array | undefined,
  scale: Float32Array,
  shift: Float32Array,
): Folded {
  const size = weight.length / scale.length;
  const scaled = new Float32Array(weight.length);
  for (const [output, factor] of scale.entries()) {
    for (let at = output * size; at < (output + 1) * size; at++) scaled[at] = (weight[at] ?? 0) * factor;
  }
  return {
    weight: scaled,
    bias: shift.map((summand, output) => (bias?.[output] ?? 0) * (scale[output] ?? 0) + summand),
  };
}

/** Folds the norms of a network, each of which stands behind a product that nothing else uses. */
export function foldNorms(all: readonly Applied[], outputs: readonly Value[]): FoldedNorms {
  const uses = usesOf(all, outputs);
  const folded = new Map<Applied, Folded>();
  const gone = new Set<Value>();
  for (const applied of all) {
    const [x, ...factors] = applied.inputs;
    const [y] = applied.outputs;
    const [scale, shift] = factors.map(floatsOf);
    if (applied.operation !== "scaleShift" || x === undefined || y === undefined || !scale || !shift) continue;
    const product = productOf(x, uses);
    const [weight, bias] = [floatsOf(product?.inputs[1]), floatsOf(product?.inputs[2])];
    if (product === undefined || weight === undefined || (product.inputs[2] !== undefined && bias === undefined))
      continue;
    if (folded.has(product)) continue;
    folded.set(product, foldedOf(weight, bias, scale, shift));
    gone.add(y);
  }
  return { folded, gone };
}
