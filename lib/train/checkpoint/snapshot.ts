import { native } from "../../binding/native.js";
import { Turns } from "../../data/turns.js";
import type { StoredTensor } from "../../io/element_types.js";
import { sealedBytes, sealedParts, sealedPieces } from "../../io/seal.js";
import { PIECE_BYTES } from "../../io/source.js";
import type { Stretch } from "../../nn/memory/slab.js";
import { extent } from "../../tensor/shape.js";
import type { Contents } from "./checkpoint.js";

/** Elements copied between two looks at the clock, at first and at most. */
const PIECES = { least: 1024, most: PIECE_BYTES / Float32Array.BYTES_PER_ELEMENT } as const;

/** A tensor and its copy. */
interface Place extends Stretch {
  readonly copy: Float32Array;
}

/** Weights and states, copied out of native memory into arrays that stay for the next time. */
export class Snapshot {
  readonly #places: readonly Place[];

  constructor(stretches: readonly Stretch[]) {
    this.#places = stretches.map((stretch) => {
      return { ...stretch, copy: new Float32Array(extent(stretch.shape)) };
    });
  }

  /** Copies everything at once. */
  take(): void {
    for (const { slab, offset, copy } of this.#places) native.slabRead(slab, offset, copy);
  }

  /**
   * Copies everything while nothing writes it, with turns of the event loop in between. Gives the first tensor that holds a
   * number that is not finite.
   */
  async takeInPieces(): Promise<string | undefined> {
    const turns = new Turns();
    let bad: string | undefined;
    for (const { key, slab, offset, copy } of this.#places) {
      await turns.inPieces(copy.length, PIECES, (begin, end) => {
        const piece = copy.subarray(begin, end);
        native.slabRead(slab, offset + begin, piece);
        if (!areFinite(piece)) bad ??= key;
      });
    }
    return bad;
  }

  /** The copy as the bytes of a sealed file. */
  bytes({ metadata, arrays }: Contents): Uint8Array {
    return sealedBytes(sealedParts(this.#with(arrays), metadata));
  }

  /** The same a piece at a time; the next copy must wait for the last piece. */
  pieces({ metadata, arrays }: Contents): Iterable<Uint8Array> {
    return sealedPieces(sealedParts(this.#with(arrays), metadata));
  }

  #with(arrays: ReadonlyMap<string, StoredTensor>): ReadonlyMap<string, StoredTensor> {
    const own = this.#places.map(({ key, shape, copy }): [string, StoredTensor] => {
      return [key, { dtype: "f32", shape, data: copy }];
    });
    return new Map([...own, ...arrays]);
  }
}

function areFinite(data: Float32Array): boolean {
  let sum = 0;
  for (const value of data) sum += value - value; // 0, or NaN
  return sum === 0;
}
