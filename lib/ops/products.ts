import { CarillonError } from "../errors.js";
import { checkBoolean, checkKeys } from "../options.js";
import type { Transposes } from "../tensor/attributes.js";
import { asMatrix, type Dim, extent, formatShape, type Shape } from "../tensor/shape.js";
import type { Rule, Value } from "../tensor/value.js";
import { apply, at, checkValue, expectDtype, f32, type Of } from "./apply.js";
import { broadcast, reshape, spreadShape, sumOver } from "./broadcast.js";
import { instruction } from "./encode.js";

/** Options of {@link matmul}. */
export interface MatmulOptions {
  /** Use aᵀ. */
  readonly transposeA?: boolean | undefined;
  /** Use bᵀ. */
  readonly transposeB?: boolean | undefined;
}

function pair(where: string, shape: Shape): readonly [Dim, Dim] {
  const [rows, columns] = shape;
  if (shape.length !== 2 || rows === undefined || columns === undefined) {
    throw new CarillonError("ERR_SHAPE", where, `expected two axes for '${where}' but received ${formatShape(shape)}`);
  }
  return [rows, columns];
}

/** Rows and columns of an operand of `matmul`, transposed if wanted; rows are all axes but the last. */
function sides(shape: Shape, transposed: boolean): readonly [number, number] {
  if (shape.length < 2) {
    throw new CarillonError(
      "ERR_SHAPE",
      "matmul",
      `expected two axes or more for 'matmul' but received ${formatShape(shape)}`,
    );
  }
  const { rows, columns } = asMatrix(shape);
  return transposed ? [columns, rows] : [rows, columns];
}

function failProduct(a: Value, b: Value, { transposeA, transposeB }: Transposes): never {
  const text = (shape: Shape, transposed: boolean): string => `${formatShape(shape)}${transposed ? "ᵀ" : ""}`;
  throw new CarillonError(
    "ERR_SHAPE",
    "matmul",
    `expected [m, k] and [k, n] for 'matmul' but received ${text(a.shape, transposeA)} and ${text(b.shape, transposeB)}`,
  );
}

/** Sizes of one product; −k is k·rows of the batch. */
function product(a: Value, b: Value, transposes: Transposes): { m: number; n: number; k: number } {
  expectDtype("matmul", a, "f32");
  expectDtype("matmul", b, "f32");
  const [m, k] = sides(a.shape, transposes.transposeA);
  const [other, n] = sides(b.shape, transposes.transposeB);
  return k === other && n > 0 ? { m, n, k } : failProduct(a, b, transposes);
}

/** One product: of more axes than two, all but the last are rows. */
const matmulRule: Rule<"matmul"> = {
  name: "matmul",
  infer(inputs, options) {
    const a = at(inputs, 0);
    const { m, n } = product(a, at(inputs, 1), options);
    return f32(options.transposeA ? [m, n] : [...a.shape.slice(0, -1), n]);
  },
  lower(inputs, outputs, options) {
    const [a, b, c] = [at(inputs, 0), at(inputs, 1), at(outputs, 0)];
    const layoutB = options.transposeB ? "transposed" : "plain";
    const { m, n, k } = product(a, b, options);
    return instruction("gemm", { a, b, c }, { m, n, k, transposeA: options.transposeA, layoutB });
  },
  gradient(inputs, _outputs, flows, options) {
    const [a, b] = [at(inputs, 0), at(inputs, 1)];
    const [byA, byB] = productGradients(matmulRule, a, b, at(flows, 0), options);
    return [reshape(byA, a.shape), reshape(byB, b.shape)];
  },
  takesEpilogue: true,
};

/** ∂ℓ/∂a and ∂ℓ/∂b of op(a)·op(b), products of the same kind. */
function productGradients<K extends "matmul" | "batchedMatmul">(
  rule: Rule<K>,
  a: Value,
  b: Value,
  gradient: Value,
  { transposeA, transposeB }: Transposes,
): readonly [Value, Value] {
  const multiplied = (left: Value, right: Value, transposedLeft: boolean, transposedRight: boolean): Value =>
    apply(rule, [left, right], { transposeA: transposedLeft, transposeB: transposedRight });
  return [
    transposeA ? multiplied(b, gradient, transposeB, true) : multiplied(gradient, b, false, !transposeB),
    transposeB ? multiplied(gradient, a, true, transposeA) : multiplied(a, gradient, !transposeA, false),
  ];
}

/** A product for each element of the leading axes, which are the same in a and b. */
const batchedMatmulRule: Rule<"batchedMatmul"> = {
  name: "batchedMatmul",
  infer(inputs, options) {
    const [a, b] = [at(inputs, 0), at(inputs, 1)];
    const { m, n } = matrices(a, b, options);
    return f32([...a.shape.slice(0, -2), m, n]);
  },
  lower(inputs, outputs, options) {
    const [a, b, c] = [at(inputs, 0), at(inputs, 1), at(outputs, 0)];
    const numbers = { products: extent(c.shape.slice(0, -2)), ...matrices(a, b, options), ...options };
    return instruction("gemm_batch", { a, b, c }, numbers);
  },
  gradient: (inputs, _outputs, flows, options) =>
    productGradients(batchedMatmulRule, at(inputs, 0), at(inputs, 1), at(flows, 0), options),
};

/** Sizes of the products of two lists of matrices; the batch is none of them. */
function matrices(a: Value, b: Value, transposes: Transposes): { m: number; n: number; k: number } {
  const last = (value: Value, transposed: boolean): readonly [number, number] =>
    sides(value.shape.slice(-2), transposed);
  expectDtype("matmul", a, "f32");
  expectDtype("matmul", b, "f32");
  const [m, k] = last(a, transposes.transposeA);
  const [other, n] = last(b, transposes.transposeB);
  return k === other && Math.min(m, n, k) > 0 ? { m, n, k } : failProduct(a, b, transposes);
}

/** Products over leading axes that differ by axes of 1. */
function batched(a: Value, b: Value, transposes: Transposes): Value {
  const leading = [a.shape.slice(0, -2), b.shape.slice(0, -2)] as const;
  if (!transposes.transposeA && leading[1].length <= leading[0].length && extent(leading[1]) === 1) {
    // One right side for all: one product of all rows.
    return apply(matmulRule, [a, reshape(b, b.shape.slice(-2))], transposes);
  }
  matrices(a, b, transposes);
  const common = spreadShape(...leading) ?? failProduct(a, b, transposes);
  const repeated = (value: Value): Value => broadcast(value, [...common, ...value.shape.slice(-2)]);
  return apply(batchedMatmulRule, [repeated(a), repeated(b)], transposes);
}

const AS_THEY_ARE: Transposes = { transposeA: false, transposeB: false };

function transposesOf(options: MatmulOptions): Transposes {
  checkKeys("matmul", options, ["transposeA", "transposeB"]);
  const { transposeA = false, transposeB = false } = options;
  return {
    transposeA: checkBoolean("matmul.transposeA", transposeA),
    transposeB: checkBoolean("matmul.transposeB", transposeB),
  };
}

/**
 * y = op(a)·op(b), [m, n] from [m, k] and [k, n]. Every element is one chain of fused multiply-adds over k, restarted
 * every 1,024 terms. `'batch'` may be m or k.
 *
 * Of more axes the last two are the matrices, and those before them, aligned at the last, differ by axes of 1 at most: [b, m, k]
 * and [b, k, n] give b products, each with the bits that it has alone. [b, m, k] and [k, n] are one product of b·m rows.
 */
export function matmul<A extends Value, B extends Value>(a: A, b: B, options?: MatmulOptions): Of<A | B> {
  const transposes = options === undefined ? AS_THEY_ARE : transposesOf(options);
  checkValue("matmul", a);
  checkValue("matmul", b);
  const several = a.shape.length >= 2 && b.shape.length >= 2 && (a.shape.length > 2 || b.shape.length > 2);
  return (several ? batched(a, b, transposes) : apply(matmulRule, [a, b], transposes)) as Of<A | B>;
}

const linearRule: Rule<"linear"> = {
  name: "linear",
  infer(inputs) {
    const x = at(inputs, 0);
    const [outputs, features] = pair("linear.weight", at(inputs, 1).shape);
    const bias = inputs[2];
    for (const value of inputs) expectDtype("linear", value, "f32");
    if (x.shape.length < 2 || x.shape.at(-1) !== features || outputs === "batch") {
      throw new CarillonError(
        "ERR_SHAPE",
        "linear",
        `expected x of [batch, ${features}], or with axes between them, for 'linear' but received ${formatShape(x.shape)}`,
      );
    }
    if (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== outputs)) {
      throw new CarillonError(
        "ERR_SHAPE",
        "linear.bias",
        `expected [${outputs}] for 'linear.bias' but received ${formatShape(bias.shape)}`,
      );
    }
    return f32([...x.shape.slice(0, -1), outputs]);
  },
  lower(inputs, outputs) {
    const [x, weight, bias, c] = [at(inputs, 0), at(inputs, 1), inputs[2], at(outputs, 0)];
    const { rows, columns } = asMatrix(x.shape);
    const sizes = { m: rows, n: asMatrix(c.shape).columns, k: columns };
    return instruction("gemm", { a: x, b: weight, bias, c }, { ...sizes, layoutB: "transposed" });
  },
  gradient(inputs, _outputs, flows) {
    const [x, weight, gradient] = [at(inputs, 0), at(inputs, 1), at(flows, 0)];
    const parts = [
      apply(matmulRule, [gradient, weight], { transposeA: false, transposeB: false }),
      apply(matmulRule, [gradient, x], { transposeA: true, transposeB: false }),
    ];
    return inputs.length === 3 ? [...parts, sumOver(gradient, "first")] : parts;
  },
  takesEpilogue: true,
};

/**
 * y = x·Wᵀ + b with x: [batch, …, in], weight: [out, in], bias: [out] (optional), y: [batch, …, out]. The sum over `in` is one
 * chain of fused multiply-adds restarted every 1,024 terms; the bias is added once, at the end.
 */
export function linear<X extends Value, W extends Value, B extends Value = W>(
  x: X,
  weight: W,
  bias?: B,
): Of<X | W | B> {
  return apply(linearRule, bias === undefined ? [x, weight] : [x, weight, bias], null) as Of<X | W | B>;
}

/** Rules of this file, for the tests that walk all operations. */
export const productRules = { matmul: matmulRule, batchedMatmul: batchedMatmulRule, linear: linearRule } as const;
