import { setImmediate } from "node:timers/promises";
import { native } from "../binding/native.js";
import { PIECE_BYTES, sealedBytes, sealedHead, sealedPieces } from "../io/seal.js";
import type { Stretch } from "../nn/slab.js";

const PIECE = PIECE_BYTES / Float32Array.BYTES_PER_ELEMENT;

/** A tensor's place in the snapshot. */
interface Place extends Stretch {
  readonly begin: number;
  readonly count: number;
}

/** Weights and states, copied out of native memory into one array that stays for the next time. */
export class Snapshot {
  readonly #places: readonly Place[];
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #data: Float32Array;

  constructor(stretches: readonly Stretch[]) {
    let total = 0;
    this.#places = stretches.map((stretch) => {
      const begin = total;
      const count = stretch.shape.reduce((product, size) => product * size, 1);
      total += count;
      return { ...stretch, begin, count };
    });
    this.#shapes = new Map(stretches.map(({ key, shape }) => [key, shape]));
    this.#data = new Float32Array(total);
  }

  /** Copies everything at once. */
  take(): void {
    for (const { slab, offset, begin, count } of this.#places) {
      native.slabRead(slab, offset, this.#data.subarray(begin, begin + count));
    }
  }

  /**
   * Copies everything while nothing writes it, and lets others have the JavaScript thread every half megabyte. Gives the
   * first tensor that holds a number that is not finite.
   */
  async takeInPieces(): Promise<string | undefined> {
    let bad: string | undefined;
    let copied = 0;
    for (const { key, slab, offset, begin, count } of this.#places) {
      for (let done = 0; done < count; done += PIECE) {
        const piece = this.#data.subarray(begin + done, begin + Math.min(count, done + PIECE));
        native.slabRead(slab, offset + done, piece);
        if (!areFinite(piece)) bad ??= key;
        copied += piece.length;
        if (copied < PIECE) continue;
        copied = 0;
        await setImmediate();
      }
    }
    return bad;
  }

  /** The copy as the bytes of a sealed file. */
  bytes(metadata: Readonly<Record<string, string>>): Uint8Array {
    return sealedBytes(sealedHead(this.#shapes, metadata), this.#raw);
  }

  /** The same a piece at a time; the next copy must wait for the last piece. */
  pieces(metadata: Readonly<Record<string, string>>): Iterable<Uint8Array> {
    return sealedPieces(sealedHead(this.#shapes, metadata), this.#raw);
  }

  get #raw(): Uint8Array {
    return new Uint8Array(this.#data.buffer);
  }
}

function areFinite(data: Float32Array): boolean {
  let sum = 0;
  for (const value of data) sum += value - value; // 0, or NaN
  return sum === 0;
}
