import { type NativeMemory, native, nativeInfo } from "./binding/native.js";

/** What this process computes with. */
export const runtime = {
  /** Version of the bits: the same seed gives the same bits within one version. */
  numericsVersion: nativeInfo.numericsVersion,
  /** Instruction set in use: `avx512`, `avx2`, `neon` or `scalar`; the environment variable CARILLON_ISA overrides it. */
  isa: nativeInfo.isa,
  /** Instruction sets that this machine has, best first. */
  isas: nativeInfo.isas,
  /** Default number of threads: physical cores that the process may use. */
  threads: nativeInfo.threads,
  /** Native memory of programs, weights and data: bytes and buffers held now, allocations since the start. */
  memory: (): NativeMemory => native.memory(),
} as const;
