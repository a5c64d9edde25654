import { type NativeMemory, native, nativeInfo } from "./binding/native.js";
import { THREADS, threadLimit } from "./binding/threads.js";
import { checkNumber } from "./options.js";

/** Processor features, threads and versions that this process computes with. */
export const runtime = {
  /** Version of the bits: the same seed gives the same bits within one version. */
  numericsVersion: nativeInfo.numericsVersion,
  /** Instruction set in use: `avx512`, `avx2`, `neon` or `scalar`; the environment variable CARILLON_ISA overrides it. */
  isa: nativeInfo.isa,
  /** Instruction sets that this machine has, best first. */
  isas: nativeInfo.isas,
  /**
   * Threads that compute at once in this process, however many runs there are; each run has an even share of them, and more
   * runs than threads take turns. At first the physical cores that the process may use, or the environment variable
   * CARILLON_THREADS (1 to 1024; anything else is `ERR_OPTION` at the import). It is also the default of every option `threads`.
   */
  get threads(): number {
    return threadLimit();
  },
  /**
   * Sets {@link threads}, 1 to 1024, for this process: its other worker threads too, and runs under way, from their next
   * 20 ms on. Bits do not depend on it.
   */
  limitThreads(threads: number): void {
    native.threadLimit(checkNumber("runtime.limitThreads", threads, THREADS));
  },
  /** Native memory of programs, weights and data: bytes and buffers held now, allocations since the start. */
  memory: (): NativeMemory => native.memory(),
} as const;
