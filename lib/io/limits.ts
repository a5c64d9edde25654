import { gigabytes, memoryLimit } from "../binding/memory.js";
import { checkKeys, checkNumber } from "../options.js";
import { refuseFile } from "./refusal.js";

/** Limits of what a file may ask for; one that asks for more is refused (`ERR_FILE`) before it costs anything. */
export interface FileLimits {
  /** Tensors; 100,000 by default. */
  readonly tensors?: number | undefined;
  /** Layers of a model; 10,000 by default. */
  readonly layers?: number | undefined;
  /** Bytes of memory for what the tensors hold; by default those that this process may have. */
  readonly bytes?: number | undefined;
}

/** Limits with every default filled in but that of `bytes`, which may mean reading files of the system. */
export interface CheckedLimits {
  readonly tensors: number;
  readonly layers: number;
  readonly bytes: number | undefined;
}

export const DEFAULT_LIMITS: CheckedLimits = { tensors: 100_000, layers: 10_000, bytes: undefined };

/** `ERR_OPTION` for what are no limits. */
export function checkLimits(where: string, given: FileLimits | undefined): CheckedLimits {
  if (given === undefined) return DEFAULT_LIMITS;
  checkKeys(where, given, ["tensors", "layers", "bytes"]);
  const { tensors = DEFAULT_LIMITS.tensors, layers = DEFAULT_LIMITS.layers, bytes } = given;
  const range = { min: 0, integer: true };
  checkNumber(`${where}.tensors`, tensors, range);
  checkNumber(`${where}.layers`, layers, range);
  if (bytes !== undefined) checkNumber(`${where}.bytes`, bytes, { min: 0 });
  return { tensors, layers, bytes };
}

/** Bytes that are not worth to look for a limit. */
const LITTLE = 67_108_864;

/** `ERR_FILE` where tensors ask for more memory than they may. */
export function expectBytes(where: string, bytes: number, { bytes: limit }: CheckedLimits): void {
  if (limit === undefined && bytes <= LITTLE) return;
  const most = limit ?? memoryLimit();
  if (bytes <= most) return;
  const shown = limit === undefined ? gigabytes(most) : `${most} bytes`;
  refuseFile(where, `tensors of at most ${shown} (limits.bytes)`, `${bytes} bytes`);
}
