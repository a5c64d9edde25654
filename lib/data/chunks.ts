// Long work on data of the caller, in turns.
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
