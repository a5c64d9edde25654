// What the samples of the operations do not have: products with their epilogues, gradients, draws in pieces, memory.
import { ops, tensor } from "carillon";
import * as kernels from "carillon/kernels";
import { describe, expect, test } from "vitest";
import { gamma } from "../ops/bounds.js";
import { bits, Memory } from "./memory.js";

/** Element (i, j) of op(a)·op(b) in float64, and the same of absolute values. */
function product(options: kernels.GemmOptions): readonly { readonly value: number; readonly size: number }[] {
  const { m, n, k, a, b, transposeA, transposeB } = options;
  return Array.from({ length: m * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let value = 0;
    let size = 0;
    for (let p = 0; p < k; p++) {
      const left = a[transposeA === true ? p * m + i : i * k + p] ?? Number.NaN;
      const right = b[transposeB === true ? j * k + p : p * n + j] ?? Number.NaN;
      value += left * right;
      size += Math.abs(left * right);
    }
    return { value, size };
  });
}

describe("gemm", () => {
  const shapes = [1, 2, 3, 5, 8, 17].flatMap((m) =>
    [1, 10, 16, 33].flatMap((n) => [1, 7, 1025].map((k) => ({ m, n, k }))),
  );
  const transposes = [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => ({ transposeA, transposeB })),
  );

  test.each(transposes)(
    "a transposed: $transposeA, b transposed: $transposeB; accumulated and with bias and relu",
    (turn) => {
      for (const { m, n, k } of shapes) {
        const memory = new Memory(m * n * k);
        const [a, b, bias] = [memory.floats(m * k), memory.floats(k * n), memory.floats(n)];
        const before = memory.floats(m * n);
        const [accumulated, biased] = [before.slice(), new Float32Array(m * n)];
        const options = { m, n, k, a, b, ...turn };
        kernels.gemm({ ...options, c: accumulated, accumulate: true });
        kernels.gemm({ ...options, c: biased, bias, activation: "relu" });
        // A rounding a term of a chunk, one a chunk, one for what is added (and it is at most as large as the sum).
        const depth = Math.min(k, 1024) + Math.ceil(k / 1024) + 1;
        for (const [at, { value, size }] of product({ ...options, c: biased }).entries()) {
          const old = before[at] ?? 0;
          const bound = gamma(depth) * (size + Math.abs(old));
          expect(Math.abs((accumulated[at] ?? Number.NaN) - (value + old)), `${m} ${n} ${k}`).toBeLessThanOrEqual(
            bound,
          );
          const added = bias[at % n] ?? 0;
          const wide = gamma(depth) * (size + Math.abs(added));
          const wanted = Math.max(0, value + added);
          expect(Math.abs((biased[at] ?? Number.NaN) - wanted), `${m} ${n} ${k}`).toBeLessThanOrEqual(wide);
        }
      }
    },
  );

  test("an activation is the unary kernel behind the product, and a bias is added before it", () => {
    const memory = new Memory(1);
    const [m, n, k] = [9, 37, 65];
    const [a, b, bias] = [memory.floats(m * k), memory.floats(k * n, -0.2, 0.2), memory.floats(n)];
    const plain = new Float32Array(m * n);
    kernels.gemm({ m, n, k, a, b, c: plain, bias });
    for (const activation of ["relu", "tanh"] as const) {
      const [c, wanted] = [new Float32Array(m * n), new Float32Array(m * n)];
      kernels.gemm({ m, n, k, a, b, c, bias, activation });
      kernels.unary[activation](plain, wanted);
      expect(c).toEqual(wanted);
    }
  });

  test("a row alone is the row of the batch", () => {
    const memory = new Memory(2);
    const [m, n, k] = [37, 45, 1100];
    const [a, b, bias] = [memory.floats(m * k), memory.floats(k * n), memory.floats(n)];
    for (const transposeB of [false, true]) {
      const c = new Float32Array(m * n);
      kernels.gemm({ m, n, k, a, b, c, bias, transposeB });
      for (let row = 0; row < m; row++) {
        const alone = new Float32Array(n);
        kernels.gemm({ m: 1, n, k, a: a.slice(row * k, (row + 1) * k), b, c: alone, bias, transposeB });
        expect(alone).toEqual(c.slice(row * n, (row + 1) * n));
      }
    }
  });
});

test("a product with packed weights is the product", () => {
  const memory = new Memory(9);
  for (const m of [1, 3, 4, 5, 33]) {
    for (const n of [1, 10, 16, 31, 32, 33, 65, 100]) {
      for (const k of [1, 17, 1025]) {
        const [a, b, bias] = [memory.floats(m * k), memory.floats(k * n), memory.floats(n)];
        const packed = new Float32Array(kernels.packedLength(n, k)).fill(Number.NaN);
        for (const transposed of [false, true]) {
          const [c, wanted] = [new Float32Array(m * n), new Float32Array(m * n)];
          kernels.packWeights({ n, k, b, transposed, packed });
          kernels.gemm({ m, n, k, a, b: packed, packed: true, bias, activation: "relu", c });
          kernels.gemm({ m, n, k, a, b, transposeB: transposed, bias, activation: "relu", c: wanted });
          expect(bits([c]) === bits([wanted]), `${m} ${n} ${k} ${transposed}`).toBe(true);
        }
      }
    }
  }
});

describe("in place", () => {
  const x = (): Float32Array => new Memory(3).floats(300);

  test("elementwise functions", () => {
    for (const [name, kernel] of Object.entries(kernels.unary)) {
      const [y, z] = [new Float32Array(300), x()];
      kernel(x(), y);
      kernel(z, z);
      expect(bits([z]), name).toBe(bits([y]));
    }
    for (const [name, kernel] of Object.entries(kernels.binary)) {
      const [y, left, right] = [new Float32Array(300), x(), x()];
      const other = new Memory(4).floats(300);
      kernel(x(), other, y);
      kernel(left, other, left);
      expect(bits([left]), name).toBe(bits([y]));
      kernel(other, x(), y);
      kernel(other, right, right);
      expect(bits([right]), name).toBe(bits([y]));
    }
  });

  test("softmax, logSoftmax, the gradient of cross-entropy, dropout, noise", () => {
    const draw = { seed: 1, step: 1, site: 0 };
    const labels = new Memory(5).integers(30, 10);
    const calls: readonly ((from: Float32Array, y: Float32Array) => void)[] = [
      (from, y) => kernels.softmax({ rows: 30, columns: 10, x: from, y }),
      (from, y) => kernels.logSoftmax({ rows: 30, columns: 10, x: from, y }),
      (from, y) =>
        kernels.softmaxCrossEntropyGradient({
          rows: 30,
          columns: 10,
          logits: from,
          labels,
          lossGradient: 0.1,
          logitsGradient: y,
        }),
      (from, y) => kernels.dropoutForward({ x: from, y, rate: 0.5, ...draw }),
      (from, y) => kernels.dropoutBackward({ outputGradient: from, inputGradient: y, rate: 0.5, ...draw }),
      (from, y) => kernels.gaussianNoise({ x: from, y, deviation: 1, ...draw }),
    ];
    for (const call of calls) {
      const [y, z] = [new Float32Array(300), x()];
      call(x(), y);
      call(z, z);
      expect(bits([z])).toBe(bits([y]));
    }
  });
});

describe("draws", () => {
  const draw = { seed: 2 ** 53 - 1, step: 2 ** 32 - 1, site: 2 ** 31 - 1 };
  const x = new Memory(6).floats(1000);

  test("pieces at an offset are the whole", () => {
    const [dropped, noisy] = [new Float32Array(1000), new Float32Array(1000)];
    kernels.dropoutForward({ x, y: dropped, keep: 0.6, ...draw });
    kernels.gaussianNoise({ x, y: noisy, deviation: 0.5, ...draw });
    const pieces = [0, 1, 255, 256, 300, 999];
    for (const [index, offset] of pieces.entries()) {
      const piece = x.slice(offset, pieces[index + 1]);
      const [y, z] = [new Float32Array(piece.length), new Float32Array(piece.length)];
      kernels.dropoutForward({ x: piece, y, keep: 0.6, ...draw, offset });
      kernels.gaussianNoise({ x: piece, y: z, deviation: 0.5, ...draw, offset });
      expect(y).toEqual(dropped.slice(offset, pieces[index + 1]));
      expect(z).toEqual(noisy.slice(offset, pieces[index + 1]));
    }
  });

  test("the backward pass has the mask of the forward pass", () => {
    const ones = new Float32Array(1000).fill(1);
    const [y, gradient] = [new Float32Array(1000), new Float32Array(1000)];
    kernels.dropoutForward({ x: ones, y, rate: 0.25, ...draw, shift: 0, dropped: 0 });
    kernels.dropoutBackward({ outputGradient: ones, inputGradient: gradient, rate: 0.25, ...draw });
    expect(gradient).toEqual(y);
    expect(new Set(y)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
  });

  test("alpha dropout is the same kernel with shift and another floor", () => {
    const keep = 0.9;
    const floor = -1.0507009873554805 * 1.6732632423543772;
    const scale = 1 / Math.sqrt(keep + floor * floor * keep * (1 - keep));
    const shift = -scale * (1 - keep) * floor;
    const y = new Float32Array(1000);
    kernels.dropoutForward({ x, y, keep, scale, shift, dropped: scale * floor + shift, seed: 3, step: 2, site: 1 });
    expect(y).toEqual(ops.alphaDropout(tensor(x), { keep, seed: 3, step: 2, site: 1 }).data);
  });
});

describe("rows", () => {
  test("the gradient of cross-entropy is (softmax − onehot)·g", () => {
    const memory = new Memory(8);
    const [rows, columns] = [23, 17];
    const logits = memory.floats(rows * columns, -5, 5);
    const labels = memory.integers(rows, columns);
    const each = memory.floats(rows);
    for (const lossGradient of [each, 1 / rows] as const) {
      const found = new Float32Array(rows * columns);
      kernels.softmaxCrossEntropyGradient({ rows, columns, logits, labels, lossGradient, logitsGradient: found });
      const target = new Float32Array(rows * columns);
      kernels.oneHot({ labels, classes: columns, y: target });
      const wanted = new Float32Array(rows * columns);
      kernels.softmax({ rows, columns, x: logits, y: wanted });
      kernels.binary.subtract(wanted, target, wanted);
      const g = Float32Array.from(wanted, (_, at) => {
        return typeof lossGradient === "number" ? lossGradient : (lossGradient[Math.floor(at / columns)] ?? 0);
      });
      kernels.binary.multiply(wanted, g, wanted);
      kernels.unary.flush(wanted, wanted);
      expect(found).toEqual(wanted);
    }
  });

  test("with one column the gradient may lie over the logits alone", () => {
    const memory = new Float32Array(4);
    const call = (lossGradient: Float32Array, labels: Int32Array, logits: Float32Array): void =>
      kernels.softmaxCrossEntropyGradient({
        rows: 4,
        columns: 1,
        logits,
        labels,
        lossGradient,
        logitsGradient: memory,
      });
    call(new Float32Array(4), new Int32Array(4), memory);
    const data = expect.objectContaining({ code: "ERR_DATA" });
    expect(() => call(memory, new Int32Array(4), new Float32Array(4))).toThrow(data);
    expect(() => call(new Float32Array(4), new Int32Array(memory.buffer), new Float32Array(4))).toThrow(data);
  });
});

describe("memory", () => {
  test("fill rounds once and takes every number", () => {
    for (const value of [0.1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e300, 2 ** -149]) {
      const y = new Float32Array(5);
      kernels.fill(y, value);
      expect(y).toEqual(new Float32Array(5).fill(value));
    }
  });

  test("convertU8 multiplies in float32", () => {
    const x = Uint8Array.from({ length: 256 }, (_, value) => value);
    const [plain, scaled] = [new Float32Array(256), new Float32Array(256)];
    kernels.convertU8(x, plain);
    kernels.convertU8(x, scaled, { scale: 1 / 255 });
    expect(plain).toEqual(Float32Array.from(x));
    expect(scaled).toEqual(Float32Array.from(x, (value) => value * Math.fround(1 / 255)));
  });

  test("gather takes rows in any order, of every type", () => {
    const indices = Int32Array.of(2, 0, 2);
    const numbers = [1, 2, 3, 4, 5, 6];
    const wanted = [5, 6, 1, 2, 5, 6];
    const [f, u, i] = [new Float32Array(6), new Float32Array(6), new Int32Array(6)];
    kernels.gather({ columns: 2, indices, source: Float32Array.from(numbers), y: f });
    kernels.gather({ columns: 2, indices, source: Uint8Array.from(numbers), y: u, scale: 0.5 });
    kernels.gather({ columns: 2, indices, source: Int32Array.from(numbers), y: i });
    expect([...f]).toEqual(wanted);
    expect([...u]).toEqual(wanted.map((value) => value / 2));
    expect([...i]).toEqual(wanted);
  });
});
