// Operands by name: what is missing, misspelt or of another list is an error of the compiler.
import { instruction } from "../../lib/ops/encode.js";
import { numberOf } from "../../lib/ops/native_table.js";
import { type OperationName, rules } from "../../lib/ops/rules.js";
import { Template } from "../../lib/ops/template.js";
import type { Applied, Rule, Value } from "../../lib/tensor/value.js";

declare const [a, b, c]: readonly [Value, Value, Value];
const sizes = { m: 1, n: 2, k: 3 };

instruction("gemm", { a, b, c }, sizes);
instruction("gemm", { a, b, bias: null, c }, { ...sizes, activation: "relu", layoutB: "packed", transposeA: true });
// @ts-expect-error no operation has this name
instruction("gem", { a, b, c }, sizes);
// @ts-expect-error c is missing
instruction("gemm", { a, b }, sizes);
// @ts-expect-error k is missing
instruction("gemm", { a, b, c }, { m: 1, n: 2 });
// @ts-expect-error no view has this name
instruction("gemm", { a, b, c, gate: a }, sizes);
// @ts-expect-error no number has this name
instruction("gemm", { a, b, c }, { ...sizes, transposeB: true });
// @ts-expect-error a name, not its number
instruction("gemm", { a, b, c }, { ...sizes, activation: 1 });
// @ts-expect-error gelu is no activation of a product
instruction("gemm", { a, b, c }, { ...sizes, activation: "gelu" });
// @ts-expect-error a flag, not a number
instruction("gemm", { a, b, c }, { ...sizes, transposeA: 1 });
// @ts-expect-error no list has this name
numberOf("spread", "full");
// @ts-expect-error no spread has this name
numberOf("spreads", "rows");
// @ts-expect-error a softmax has no depth
new Template("softmax").at.depth;

const { matmul, ...others } = rules;
// @ts-expect-error a rule is missing
const incomplete: { readonly [K in OperationName]: Rule<K> } = others;
// @ts-expect-error the rule of another operation
const mistaken: { readonly [K in OperationName]: Rule<K> } = { ...others, matmul: rules.linear };
export const complete: { readonly [K in OperationName]: Rule<K> } = { ...incomplete, ...mistaken, matmul };

declare const behind: Applied;
// @ts-expect-error only dropout keeps
behind.attributes?.keep;
if (behind.operation === "dropout") behind.attributes.keep.toFixed();
