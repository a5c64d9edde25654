import type { NativeSlab } from "../../binding/native.js";
import type { NativeLists } from "../../binding/operations.js";
import { at } from "../../ops/apply.js";
import { instruction } from "../../ops/encode.js";
import type { InstructionOf, NumbersOf, Value } from "../../tensor/value.js";
import type { Step } from "../step.js";
import type { Pass } from "./pass.js";

/** How packed weights are kept: as they are, as the upper halves of their floats, as integers with a scale an output. */
export type WeightForm = NativeLists["forms"];

/** Weights that a product reads: a matrix in a slab, rows along k (a weight [n, k]) or not ([k, n]). */
export interface Matrix {
  readonly slab: NativeSlab;
  readonly offset: number;
  readonly columns: number;
  readonly depth: number;
  readonly alongDepth: boolean;
}

/** A matrix packed, and how. */
export interface PackedMatrix {
  readonly packed: Value;
  readonly form: WeightForm;
}

/** Packs a matrix, or finds it packed. */
type Pack = (matrix: Matrix) => PackedMatrix;

/** The weights of a product as an operand: memory of somebody's, as it is. */
function matrixOf({ views, numbers }: InstructionOf<"gemm", Value>): Matrix | undefined {
  const weight = views.b;
  if (weight.source.kind !== "slab" || weight.dtype !== "f32") return undefined;
  if (numbers.transposeA === true || numbers.accumulate === true) return undefined;
  const { n: columns, k: depth } = numbers;
  const { slab, offset } = weight.source;
  const alongDepth = numbers.layoutB === "transposed";
  // Of weights that are the batch itself nothing can be packed before.
  return columns > 0 && depth > 0 ? { slab, offset, columns, depth, alongDepth } : undefined;
}

/** The product of `step` over packed weights, if it is one of weights that are memory. */
function packedProduct(value: Value, step: Step, pack: Pack): Step | undefined {
  const { lower, inputs } = step;
  if (lower === null || step.outputs.length > 1) return undefined;
  const product = lower(inputs, [value]);
  if (product.operation !== "gemm") return undefined;
  const matrix = matrixOf(product);
  if (matrix === undefined) return undefined;
  const { packed, form } = pack(matrix);
  const { m, n, k, activation = "identity" } = product.numbers;
  const { a: x, bias } = product.views;
  const operands = [x, packed, ...(bias === undefined || bias === null ? [] : [bias])];
  const f = activation === "identity" ? undefined : activation;
  return frozenProduct(value, operands, { m, n, k, form, function: f });
}

function frozenProduct(value: Value, operands: readonly Value[], numbers: NumbersOf<"frozen_product">): Step {
  return {
    inputs: operands,
    outputs: [value],
    lower(inputs, outputs) {
      const views = { x: at(inputs, 0), packed: at(inputs, 1), bias: inputs[2], c: at(outputs, 0) };
      return instruction("frozen_product", views, numbers);
    },
    inPlace: null,
    applied: null,
  };
}

/** A function of a product that nobody else uses, as part of it: the roundings are those of the function alone. */
function mergedUnary(value: Value, step: Step, product: Step | undefined): Step | undefined {
  if (step.lower === null || product === undefined || product.lower === null) return undefined;
  const last = step.lower(step.inputs, step.outputs);
  const own = product.lower(product.inputs, product.outputs);
  if (last.operation !== "unary" || own.operation !== "frozen_product") return undefined;
  if (own.numbers.function !== undefined) return undefined;
  return frozenProduct(value, product.inputs, { ...own.numbers, function: last.numbers.function });
}

/** Has products read packed weights, and apply functions that follow them. */
export function freezeProducts(pack: Pack): Pass {
  return (draft) => {
    const products = new Set<Value>();
    const uses = new Map<Value, number>();
    for (const value of [...draft.roots, ...[...draft.steps.values()].flatMap(({ inputs }) => inputs)]) {
      uses.set(value, (uses.get(value) ?? 0) + 1);
    }
    for (const [value, step] of [...draft.steps]) {
      const product = packedProduct(value, step, pack);
      if (product !== undefined) {
        draft.replace(value, product);
        products.add(value);
        continue;
      }
      const [input] = step.inputs;
      if (input === undefined || !products.has(input) || uses.get(input) !== 1) continue;
      const merged = mergedUnary(value, step, draft.steps.get(input));
      if (merged === undefined) continue;
      draft.replace(value, merged);
      draft.remove(input);
    }
  };
}
