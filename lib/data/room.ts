import { type NativeSlab, native } from "../binding/native.js";
import { unlessAborted } from "../signals.js";
import type { RowPart } from "./row_store.js";

/** Bytes from which a native thread finds memory before it is filled: the first write to it may take longer than what follows. */
const LARGE = 2_097_152;

/** New memory of so many elements, all 0; where there is much of it a native thread writes to it first. */
export async function makeRoom(count: number, dtype: RowPart["dtype"], signal?: AbortSignal): Promise<NativeSlab> {
  const slab = native.slabCreate(count, dtype);
  const bytes = dtype === "u8" ? count : count * Float32Array.BYTES_PER_ELEMENT;
  if (bytes >= LARGE) await unlessAborted(signal, native.slabClear(slab));
  return slab;
}
