import type { NativeSlab } from "../../binding/native.js";
import type { NativeLists } from "../../binding/operations.js";
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
  const f = activation === "identity" ? undefined : activation;
  return frozenProduct(value, { x, packed, bias }, { m, n, k, form, function: f });
}

type Operands = Omit<InstructionOf<"frozen_product", Value>["views"], "c">;

function frozenProduct(value: Value, operands: Operands, numbers: NumbersOf<"frozen_product">): Step {
  const { x, packed, bias, scale, shift } = operands;
  const given = [x, packed, bias, scale, shift].filter((each) => each !== undefined && each !== null);
  return {
    inputs: given,
    outputs: [value],
    lower(inputs, outputs) {
      const at = (each: Value | null | undefined): Value | undefined =>
        each === undefined || each === null ? undefined : inputs[given.indexOf(each)];
      const views = { x: at(x) ?? x, packed: at(packed) ?? packed, bias: at(bias), scale: at(scale), shift: at(shift) };
      return instruction("frozen_product", { ...views, c: outputs[0] ?? value }, numbers);
    },
    inPlace: null,
    applied: null,
  };
}

/** Joins to a product the step behind it, where nobody else uses the product: the roundings are those of the step alone. */
function merged(value: Value, step: Step, product: Step | undefined): Step | undefined {
  if (step.lower === null || product === undefined || product.lower === null) return undefined;
  const last = step.lower(step.inputs, step.outputs);
  const own = product.lower(product.inputs, product.outputs);
  if (own.operation !== "frozen_product" || own.numbers.function !== undefined) return undefined;
  if (last.operation === "unary")
    return frozenProduct(value, own.views, { ...own.numbers, function: last.numbers.function });
  if (last.operation !== "scale_shift" || (own.views.scale ?? null) !== null || last.views.x !== product.outputs[0])
    return undefined;
  const { scale, shift } = last.views;
  const { function: f, site = -1 } = last.numbers;
  return site < 0 ? frozenProduct(value, { ...own.views, scale, shift }, { ...own.numbers, function: f }) : undefined;
}

/** Has products read packed weights, and apply what follows them: a scale and a shift a column, then a function. */
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
      const whole = merged(value, step, draft.steps.get(input));
      if (whole === undefined) continue;
      draft.replace(value, whole);
      draft.remove(input);
      products.add(value);
    }
  };
}
