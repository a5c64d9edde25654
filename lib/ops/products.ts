import { CarillonError } from "../errors.js";
import type { Transposes } from "../tensor/attributes.js";
import { asMatrix, type Dim, extent, formatShape, type Shape } from "../tensor/shape.js";
import type { Rule, Value } from "../tensor/value.js";
import { apply, at, expectDtype, f32, type Of } from "./apply.js";
import { sumOver } from "./broadcast.js";
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

function product(a: Value, b: Value, { transposeA, transposeB }: Transposes): { m: Dim; n: Dim; k: Dim } {
  expectDtype("matmul", a, "f32");
  expectDtype("matmul", b, "f32");
  const [m, k] = transposeA ? [...pair("matmul", a.shape)].reverse() : pair("matmul", a.shape);
  const [other, n] = transposeB ? [...pair("matmul", b.shape)].reverse() : pair("matmul", b.shape);
  if (m === undefined || n === undefined || k === undefined || k !== other || n === "batch") {
    const text = (shape: Shape, transposed: boolean): string => `${formatShape(shape)}${transposed ? "ᵀ" : ""}`;
    throw new CarillonError(
      "ERR_SHAPE",
      "matmul",
      `expected [m, k] and [k, n] for 'matmul' but received ${text(a.shape, transposeA)} and ${text(b.shape, transposeB)}`,
    );
  }
  return { m, n, k };
}

const matmulRule: Rule<"matmul"> = {
  name: "matmul",
  infer(inputs, options) {
    const { m, n } = product(at(inputs, 0), at(inputs, 1), options);
    return f32([m, n]);
  },
  lower(inputs, outputs, options) {
    const [a, b] = [at(inputs, 0), at(inputs, 1)];
    const { m, n, k } = product(a, b, options);
    const sizes = { m: extent([m]), n: extent([n]), k: extent([k]) };
    const layoutB = options.transposeB ? "transposed" : "plain";
    return instruction("gemm", { a, b, c: at(outputs, 0) }, { ...sizes, transposeA: options.transposeA, layoutB });
  },
  gradient(inputs, _outputs, flows, { transposeA, transposeB }) {
    const [a, b, gradient] = [at(inputs, 0), at(inputs, 1), at(flows, 0)];
    return [
      transposeA
        ? matmul(b, gradient, { transposeA: transposeB, transposeB: true })
        : matmul(gradient, b, { transposeB: !transposeB }),
      transposeB
        ? matmul(gradient, a, { transposeA: true, transposeB: transposeA })
        : matmul(a, gradient, { transposeA: !transposeA }),
    ];
  },
  takesEpilogue: true,
};

/**
 * y = op(a)·op(b), [m, n] from [m, k] and [k, n]. Every element is one chain of fused multiply-adds over k, restarted
 * every 1,024 terms. `'batch'` may be m or k.
 */
export function matmul<A extends Value, B extends Value>(a: A, b: B, options: MatmulOptions = {}): Of<A | B> {
  const transposes = { transposeA: options.transposeA ?? false, transposeB: options.transposeB ?? false };
  return apply(matmulRule, [a, b], transposes) as Of<A | B>;
}

const linearRule: Rule<"linear"> = {
  name: "linear",
  infer(inputs) {
    const x = at(inputs, 0);
    const [outputs, features] = pair("linear.weight", at(inputs, 1).shape);
    const bias = inputs[2];
    for (const value of inputs) expectDtype("linear", value, "f32");
    if (x.shape.length !== 2 || x.shape[1] !== features || outputs === "batch") {
      throw new CarillonError(
        "ERR_SHAPE",
        "linear",
        `expected x of [batch, ${features}] for 'linear' but received ${formatShape(x.shape)}`,
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
    const parts = [matmul(gradient, weight), matmul(gradient, x, { transposeA: true })];
    return inputs.length === 3 ? [...parts, sumOver(gradient, "first")] : parts;
  },
  takesEpilogue: true,
};

/**
 * y = x·Wᵀ + b with x: [batch, in], weight: [out, in], bias: [out] (optional), y: [batch, out]. The sum over `in` is one
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
export const productRules = { matmul: matmulRule, linear: linearRule } as const;
