// The part of `carillon doctor` that loads the native binary: a process of its own, so that a crash is a finding. Prints
// one line of JSON.
import { createHash } from "node:crypto";
import { adam, crossEntropy, dropout, fit, l2, linear, relu, runtime, sequential, tanh } from "../index.js";
import { gemm } from "../kernels/index.js";

/** Findings of a self-check. */
export interface SelfCheck {
  readonly numericsVersion: number;
  readonly isa: string;
  readonly isas: readonly string[];
  /** Default number of threads. */
  readonly threads: number;
  /** SHA-256 of the weights and outputs of a small training run, with one thread and with two. */
  readonly bits: readonly string[];
  readonly gemm: readonly Speed[];
}

/** Of a product of 512 × 512 matrices. */
export interface Speed {
  readonly threads: number;
  readonly gflops: number;
}

const INPUTS = 12;
const CLASSES = 3;
const EXAMPLES = 250;

/** The same numbers in [−1, 1) everywhere: a multiplicative generator modulo 2³¹ − 1 (Lehmer). */
function numbers(count: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 1_073_741_824 - 1;
  });
}

/** Trains with `threads` and hashes what came out: products, masks, activations, the optimizer, the order of the examples. */
async function trainedBits(threads: number): Promise<string> {
  const x = numbers(EXAMPLES * INPUTS);
  const y = Int32Array.from({ length: EXAMPLES }, (_, row) => ((x[row * INPUTS] ?? 0) > 0.3 ? 2 : row % 2));
  const model = sequential(
    linear(INPUTS, 96),
    relu(),
    dropout(0.3),
    linear(96, 80),
    tanh(),
    dropout(0.5),
    linear(80, CLASSES),
  );
  const data = { x, y };
  await fit(model, {
    data,
    loss: crossEntropy(),
    optimizer: adam({ lr: 0.003 }),
    regularizer: l2(1e-4),
    batchSize: 64,
    epochs: 12,
    seed: 7,
    threads,
  });
  const hash = createHash("sha256");
  for (const { data: weights } of [...model.weights().values(), await model.predictProbabilities(x)]) {
    hash.update(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength));
  }
  return hash.digest("hex");
}

const SIZE = 512;

/** The best of the calls of a third of a second. */
function speedOf(threads: number): Speed {
  const [a, b, c] = [numbers(SIZE * SIZE), numbers(SIZE * SIZE), new Float32Array(SIZE * SIZE)];
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + 330;
  while (performance.now() < end) {
    const begin = performance.now();
    gemm({ m: SIZE, n: SIZE, k: SIZE, a, b, c, threads });
    best = Math.min(best, performance.now() - begin);
  }
  return { threads, gflops: (2 * SIZE * SIZE * SIZE) / best / 1e6 };
}

const bits = [await trainedBits(1), await trainedBits(2)];
const timed = process.argv.includes("--speed") ? [...new Set([1, runtime.threads])] : [];
const { numericsVersion, isa, isas, threads } = runtime;
const check: SelfCheck = { numericsVersion, isa, isas, threads, bits, gemm: timed.map(speedOf) };
process.stdout.write(`${JSON.stringify(check)}\n`);
