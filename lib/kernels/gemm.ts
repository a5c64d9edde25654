import { fail } from "../errors.js";
import { numberOf } from "../ops/native_table.js";
import { checkBoolean, checkKeys, checkOneOf } from "../options.js";
import { checkFloats, checkSize, checkThreads, type ThreadOptions } from "./arguments.js";
import { atFirstUse, Call } from "./call.js";

/** Activations that a product applies while its tile is in registers: those of native/kernels/activations.def. */
export const ACTIVATIONS = ["identity", "relu", "tanh"] as const;
/** One of {@link ACTIVATIONS}. */
export type GemmActivation = (typeof ACTIVATIONS)[number];

/** Columns of a packed panel, kPackedColumns of native/ops/operation.h. */
const PANEL = 32;

/** Floats of a packed b of `k` rows and `n` columns: n rounded up to whole panels of 32, times k. */
export function packedLength(n: number, k: number): number {
  return Math.ceil(checkSize("packedLength.n", n) / PANEL) * PANEL * checkSize("packedLength.k", k);
}

/** Options of {@link packWeights}. */
export interface PackOptions extends ThreadOptions {
  /** Columns of b, ≥ 1. */
  readonly n: number;
  /** Rows of b, ≥ 1. */
  readonly k: number;
  /** [k, n], or [n, k] with `transposed`: the weights of a layer with k inputs and n outputs. */
  readonly b: Float32Array;
  /** b lies as bᵀ; false by default. */
  readonly transposed?: boolean | undefined;
  /** [{@link packedLength}(n, k)], written. */
  readonly packed: Float32Array;
}

const PACK_KEYS = ["n", "k", "b", "transposed", "packed", "threads"] as const satisfies readonly (keyof PackOptions)[];

const packCall = atFirstUse(() => new Call("packWeights", "gemm_pack", ["b", "packed"]));

/**
 * Writes b as the products read it, in panels of columns: gemm({ …, b: packed, packed: true }) then has the bits of the
 * product with b itself. The order within `packed` is that of the instruction set in use: it belongs in no file. Write it
 * anew when b has changed.
 *
 * Errors are those of {@link gemm}.
 */
export function packWeights(options: PackOptions): void {
  checkKeys("packWeights", options, PACK_KEYS);
  const n = checkSize("packWeights.n", options.n);
  const k = checkSize("packWeights.k", options.k);
  const b = checkFloats("packWeights.b", options.b, k * n);
  const packed = checkFloats("packWeights.packed", options.packed, packedLength(n, k));
  const transposed = flag("packWeights.transposed", options.transposed);
  const threads = checkThreads("packWeights.threads", options.threads);
  const call = packCall();
  call.set(call.at.n, n);
  call.set(call.at.k, k);
  call.set(call.at.alongDepth, transposed);
  call.run(threads, [b, packed]);
}

/** Options of {@link gemm}. */
export interface GemmOptions extends ThreadOptions {
  /** Rows of c, ≥ 1. */
  readonly m: number;
  /** Columns of c, ≥ 1. */
  readonly n: number;
  /** Terms of a sum, ≥ 1. */
  readonly k: number;
  /** [m, k], or [k, m] with `transposeA`; row-major without gaps, as all arrays here. */
  readonly a: Float32Array;
  /** [k, n], or [n, k] with `transposeB`; with `packed` what {@link packWeights} wrote. */
  readonly b: Float32Array;
  /** [m, n], written. */
  readonly c: Float32Array;
  /** Use aᵀ; false by default. */
  readonly transposeA?: boolean | undefined;
  /** Use bᵀ; false by default. */
  readonly transposeB?: boolean | undefined;
  /** b has been packed, whichever way it lay before; false by default. */
  readonly packed?: boolean | undefined;
  /** [n], added to every row at the end. */
  readonly bias?: Float32Array | undefined;
  /** Applied last; `'identity'` by default. */
  readonly activation?: GemmActivation | undefined;
  /** c += op(a)·op(b), without bias and activation; false by default. */
  readonly accumulate?: boolean | undefined;
}

const KEYS = [
  "m",
  "n",
  "k",
  "a",
  "b",
  "c",
  "transposeA",
  "transposeB",
  "packed",
  "bias",
  "activation",
  "accumulate",
  "threads",
] as const satisfies readonly (keyof GemmOptions)[];

const PLAIN = numberOf("layouts", "plain");
const TRANSPOSED = numberOf("layouts", "transposed");
const PACKED = numberOf("layouts", "packed");

const IDS: ReadonlyMap<unknown, number> = new Map(ACTIVATIONS.map((name) => [name, numberOf("activations", name)]));

const productCall = atFirstUse(() => new Call("gemm", "gemm", ["a", "b", "bias", "c"]));

function flag(where: string, value: boolean | undefined): 0 | 1 {
  if (value === undefined) return 0;
  return checkBoolean(where, value) ? 1 : 0;
}

/**
 * c = activation(op(a)·op(b) + bias), or c += op(a)·op(b): 2·m·n·k floating-point operations.
 *
 * Every element is one chain of fused multiply-adds over k in order, restarted every 1,024 terms and the chunks added in
 * order; then the bias, then the activation. `accumulate` adds the finished sum to c. So the bits depend on neither
 * tiles, threads nor the instruction set, and a row's on nothing but this row and b.
 *
 * Operands that a product packs for itself lie in memory that the process keeps for the next call; {@link packWeights} does it once
 * for many products. A wrong length is `ERR_SHAPE`, a wrong type `ERR_DTYPE`, c over another array `ERR_DATA`, a detached buffer
 * `ERR_DETACHED`, anything else `ERR_OPTION`; then nothing has been written.
 */
export function gemm(options: GemmOptions): void {
  checkKeys("gemm", options, KEYS);
  const m = checkSize("gemm.m", options.m);
  const n = checkSize("gemm.n", options.n);
  const k = checkSize("gemm.k", options.k);
  const a = checkFloats("gemm.a", options.a, m * k);
  const packed = flag("gemm.packed", options.packed) === 1;
  const b = checkFloats("gemm.b", options.b, packed ? packedLength(n, k) : k * n);
  const c = checkFloats("gemm.c", options.c, m * n);
  const bias = options.bias === undefined ? null : checkFloats("gemm.bias", options.bias, n);
  const accumulate = flag("gemm.accumulate", options.accumulate);
  const activation = options.activation ?? "identity";
  if (accumulate === 1) {
    if (bias !== null) fail("ERR_OPTION", "gemm.bias", "none, which accumulate needs,", bias);
    if (activation !== "identity")
      fail("ERR_OPTION", "gemm.activation", "'identity', which accumulate needs,", activation);
  }
  const id = IDS.get(activation) ?? numberOf("activations", checkOneOf("gemm.activation", activation, ACTIVATIONS));
  const transposeA = flag("gemm.transposeA", options.transposeA);
  const transposeB = flag("gemm.transposeB", options.transposeB);
  if (packed && transposeB === 1) fail("ERR_OPTION", "gemm.transposeB", "false, as b is packed,", true);
  const threads = checkThreads("gemm.threads", options.threads);
  const call = productCall();
  const { at } = call;
  call.set(at.m, m);
  call.set(at.n, n);
  call.set(at.k, k);
  call.set(at.transposeA, transposeA);
  call.set(at.layoutB, packed ? PACKED : transposeB === 1 ? TRANSPOSED : PLAIN);
  call.set(at.activation, id);
  call.set(at.accumulate, accumulate);
  call.run(threads, [a, b, bias, c]);
}
