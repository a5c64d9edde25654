// Every kernel against the samples of the operations (test/ops): within the bound of their float64 references, and the
// very bits of the operation on tensors.
import * as kernels from "carillon/kernels";
import { describe, expect, test } from "vitest";
import type { NativeArray } from "../../lib/binding/native.js";
import type { OperationName } from "../../lib/ops/rules.js";
import { type Drawn, size } from "../ops/sample.js";
import { DRAW, samples } from "../ops/samples.js";
import * as ways from "../ops/ways.js";
import { bits } from "./memory.js";

/** The kernel on the inputs of a sample; `undefined` where it has no form for them. */
type Adapter = (inputs: readonly Drawn[], label: string, outputs: number) => NativeArray | undefined;

function floats(drawn: Drawn | undefined): Float32Array {
  return Float32Array.from(drawn?.data ?? []);
}

function integers(drawn: Drawn | undefined): Int32Array {
  return Int32Array.from(drawn?.data ?? []);
}

/** All axes but the last, and the last. */
function matrix(drawn: Drawn | undefined): { readonly rows: number; readonly columns: number } {
  const shape = drawn?.shape ?? [];
  return { rows: size(shape.slice(0, -1)), columns: shape.at(-1) ?? 1 };
}

const unary = Object.entries(kernels.unary).map(([name, kernel]): [string, Adapter] => [
  name,
  ([x], _label, outputs) => {
    const y = new Float32Array(outputs);
    kernel(floats(x), y);
    return y;
  },
]);

const binary = Object.entries(kernels.binary).map(([name, kernel]): [string, Adapter] => [
  name,
  ([a, b], _label, outputs) => {
    const operand = (drawn: Drawn | undefined): Float32Array | number | undefined => {
      const array = floats(drawn);
      return array.length === outputs ? array : array.length === 1 ? array[0] : undefined;
    };
    const [left, right] = [operand(a), operand(b)];
    // Rows and columns over a matrix are the operation's work, not the kernel's.
    if (left === undefined || right === undefined || (typeof left === "number" && typeof right === "number")) {
      return undefined;
    }
    const y = new Float32Array(outputs);
    kernel(left, right, y);
    return y;
  },
]);

const SITES: Readonly<Record<string, number>> = { "keep 0.5": 0, "keep 0.3": 3, "keep 1": 1 };

const others: Partial<Record<OperationName, Adapter>> = {
  matmul([a, b], label, outputs) {
    const [transposeA, transposeB] = [label.startsWith("aᵀ"), label.endsWith("bᵀ")];
    const [first = 1, second = 1] = a?.shape ?? [];
    const [m, k] = transposeA ? [second, first] : [first, second];
    const c = new Float32Array(outputs);
    kernels.gemm({ m, n: outputs / m, k, a: floats(a), b: floats(b), c, transposeA, transposeB });
    return c;
  },
  linear([x, weight, bias], _label, outputs) {
    const { rows: m, columns: k } = matrix(x);
    const c = new Float32Array(outputs);
    const n = outputs / m;
    const b = floats(weight);
    kernels.gemm({ m, n, k, a: floats(x), b, transposeB: true, c, bias: bias && floats(bias) });
    return c;
  },
  sum([x], label, outputs) {
    const { rows, columns } = matrix(x);
    if (label === "all") return Float32Array.of(kernels.sum(floats(x)));
    const y = new Float32Array(outputs);
    (label === "last" ? kernels.rowSum : kernels.columnSum)({ rows, columns, x: floats(x), y });
    return y;
  },
  sumSquares: ([x]) => Float32Array.of(kernels.sumSquares(floats(x))),
  softmax([x], _label, outputs) {
    const y = new Float32Array(outputs);
    kernels.softmax({ ...matrix(x), x: floats(x), y });
    return y;
  },
  logSoftmax([x], _label, outputs) {
    const y = new Float32Array(outputs);
    kernels.logSoftmax({ ...matrix(x), x: floats(x), y });
    return y;
  },
  softmaxCrossEntropy([x, labels], _label, outputs) {
    const losses = new Float32Array(outputs);
    kernels.softmaxCrossEntropy({ ...matrix(x), logits: floats(x), labels: integers(labels), losses });
    return losses;
  },
  oneHot([labels], _label, outputs) {
    const y = new Float32Array(outputs);
    kernels.oneHot({ labels: integers(labels), classes: 17, y });
    return y;
  },
  argmax([x], _label, outputs) {
    const y = new Int32Array(outputs);
    kernels.argmax({ ...matrix(x), x: floats(x), y });
    return y;
  },
  countEqual: ([a, b]) => Float32Array.of(kernels.countEqual(integers(a), integers(b))),
  dropout([x], label, outputs) {
    const y = new Float32Array(outputs);
    const keep = Number(label.slice("keep ".length));
    const classic = label === "keep 0.3";
    const site = SITES[label] ?? -1;
    kernels.dropoutForward({ x: floats(x), y, keep, ...(classic ? { scale: 1 } : {}), ...DRAW, site });
    return y;
  },
  noise([x], _label, outputs) {
    const y = new Float32Array(outputs);
    kernels.gaussianNoise({ x: floats(x), y, deviation: Math.sqrt(0.25 / 0.75), ...DRAW, site: 5 });
    return y;
  },
};

const adapters: ReadonlyMap<string, Adapter> = new Map([...unary, ...binary, ...Object.entries(others)]);

/** Operations that are no kernel of their own: other shapes, or values of a program. */
const NO_KERNEL = [
  "attention",
  "attentionGradient",
  "augment",
  "averagePool",
  "averagePoolGradient",
  "axisSum",
  "bag",
  "batchedMatmul",
  "broadcast",
  "candidates",
  "columnNorm",
  "columnNormGradient",
  "concat",
  "conv",
  "convTransposed",
  "convWeight",
  "inBatch",
  "inBatchGradient",
  "maxPool",
  "maxPoolGradient",
  "pad",
  "recurrence",
  "recurrenceGradient",
  "reshape",
  "rowCount",
  "rowNorm",
  "rowNormGradient",
  "scaleShift",
  "scheduleValue",
  "slice",
  "stepMask",
  "take",
  "takeGradient",
  "transpose",
  "where",
];

test("every operation has an adapter", () => {
  const missing = Object.keys(samples).filter((name) => !adapters.has(name));
  expect(missing.sort()).toEqual(NO_KERNEL);
});

const named = Object.entries(samples)
  .filter(([operation]) => adapters.has(operation))
  .flatMap(([operation, usages]) => ways.namedSamples(operation, usages).map((one) => ({ operation, ...one })));

describe("against float64 and the operation", () => {
  test.each(named)("$name", ({ operation, usage, sample, ...rest }) => {
    const [wanted] = ways.eager({ usage, sample, ...rest });
    const expected = usage.reference(...sample.inputs);
    const found = adapters.get(operation)?.(sample.inputs, usage.label ?? "", expected.length);
    if (found === undefined) return;
    expect(bits([found]) === bits(wanted === undefined ? [] : [wanted.data])).toBe(true);
    const allowed = usage.error(expected, ...sample.inputs);
    const outside = expected.findIndex((value, index) => {
      return !(Math.abs((found[index] ?? Number.NaN) - value) <= (allowed[index] ?? 0));
    });
    expect(outside, `${found[outside]} for ${expected[outside]}`).toBe(-1);
  });

  test("no operation is left without a sample that its kernel can take", () => {
    const taken = named.filter(({ operation, usage, sample }) => {
      const { length } = usage.reference(...sample.inputs);
      return adapters.get(operation)?.(sample.inputs, usage.label ?? "", length) !== undefined;
    });
    expect([...new Set(taken.map(({ operation }) => operation))].sort()).toEqual([...adapters.keys()].sort());
  });
});
