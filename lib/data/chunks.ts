// Long work on data of the caller, in turns.
import { type NativeSlab, native } from "../binding/native.js";
import { unlessAborted } from "../signals.js";
import type { RowPart } from "./row_store.js";
import { Turns } from "./turns.js";

/** Elements that are worked on between two looks at the clock, at first and at most. */
const FEW = 512;
export const CHUNK = 16_384;

/** Ends of long work between two turns: an abort, or data of the caller that has gone, of which `unchanged` throws. */
export interface Interruption {
  readonly signal?: AbortSignal | undefined;
  readonly unchanged?: (() => void) | undefined;
}

/** Calls `work` for one range of rows after another; the event loop has its turns in between. */
export async function inChunks(
  rows: number,
  columns: number,
  { signal, unchanged }: Interruption,
  work: (begin: number, end: number) => void,
): Promise<void> {
  const rowsOf = (elements: number): number => Math.max(1, Math.floor(elements / columns));
  await new Turns(signal).inPieces(rows, { least: rowsOf(FEW), most: rowsOf(CHUNK) }, (begin, end) => {
    unchanged?.();
    work(begin, end);
  });
}

/** Bytes from which the system is made to find memory before it is filled. */
const LARGE = 2_097_152;

/** Memory for a member; where there is much of it a native thread writes to it first, as that may take long. */
export async function makeRoom(count: number, dtype: RowPart["dtype"], signal?: AbortSignal): Promise<NativeSlab> {
  const slab = native.slabCreate(count, dtype);
  const bytes = dtype === "u8" ? count : count * Float32Array.BYTES_PER_ELEMENT;
  if (bytes >= LARGE) await unlessAborted(signal, native.slabClear(slab));
  return slab;
}
