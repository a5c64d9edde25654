// Bytes of a source in blocks that begin where the last one was used up.
import type { Bytes } from "../source.js";

/** Bytes that are read before they are looked at. */
const BLOCK = 1_048_576;

/** Gathers the pieces that a source gives: what was not used of a block is the beginning of the next. */
export class Blocks {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #most: number;
  #memory = new Uint8Array(BLOCK + BLOCK / 2);
  #begin = 0;
  #end = 0;
  /** Whether nothing follows what was given last. */
  last = false;
  /** Where it begins in the source. */
  offset = 0;
  #wanted = BLOCK;
  /** A piece that had no room. */
  #left: Uint8Array | undefined;

  constructor(source: Bytes, most: number) {
    this.#pieces = source.pieces[Symbol.asyncIterator]();
    this.#most = most;
  }

  /** Whether no longer block is read. */
  get full(): boolean {
    return this.#end - this.#begin >= this.#most;
  }

  /** The first block, or one with more behind it. */
  async fill(): Promise<Uint8Array> {
    const held = this.#end - this.#begin;
    if (this.#begin > 0) {
      this.#memory.copyWithin(0, this.#begin, this.#end);
      [this.#begin, this.#end] = [0, held];
    }
    while (!this.last && this.#end < this.#wanted) {
      const piece = this.#left ?? (await this.#read());
      this.#left = undefined;
      if (piece === undefined) {
        this.last = true;
        break;
      }
      if (this.#end + piece.length > this.#memory.length) this.#widen(this.#end + piece.length);
      this.#memory.set(piece, this.#end);
      this.#end += piece.length;
    }
    return this.#memory.subarray(this.#begin, this.#end);
  }

  async #read(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#pieces.next();
    return done === true ? undefined : value;
  }

  #widen(least: number): void {
    const memory = new Uint8Array(Math.max(least, 2 * this.#memory.length));
    memory.set(this.#memory.subarray(0, this.#end));
    this.#memory = memory;
  }

  /** So many bytes of the block are done with; of a block without a whole row twice as much is read. */
  use(bytes: number): void {
    this.#begin += bytes;
    this.offset += bytes;
    const held = this.#end - this.#begin;
    this.#wanted = bytes === 0 ? Math.min(2 * Math.max(held, BLOCK), this.#most) : Math.max(BLOCK, held + BLOCK / 2);
  }

  /** The next block; `undefined` behind the last. */
  async next(): Promise<Uint8Array | undefined> {
    if (this.last) return undefined;
    return await this.fill();
  }

  /** Tells the source that nobody reads any more. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}
