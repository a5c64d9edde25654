// What is told while a source is read.
import { now } from "../binding/clock.js";

/** How far the reading of a source is: at most four a second, and one at the end. */
export interface ReadEvent {
  readonly kind: "read";
  /** Rows so far; from 0 again where the source is read once more, as a column has turned out to be texts. */
  readonly rows: number;
  /** Bytes of files and streams so far, as they lie; of queries and of memory 0. */
  readonly bytes: number;
  /** Since the call. */
  readonly seconds: number;
  readonly done: boolean;
}

/** Milliseconds between two events. */
const EVERY = 250;

/** Tells of rows and bytes. */
export class Progress {
  readonly #listener: (event: ReadEvent) => void;
  readonly #begun = now();
  #told = this.#begun;
  #rows = 0;
  #bytes = 0;

  constructor(listener: (event: ReadEvent) => void) {
    this.#listener = listener;
  }

  /** The source is read from its beginning. */
  begin(): void {
    [this.#rows, this.#bytes] = [0, 0];
  }

  addBytes(bytes: number): void {
    this.#bytes += bytes;
    this.#tell();
  }

  addRows(rows: number): void {
    this.#rows += rows;
    this.#tell();
  }

  end(): void {
    this.#told = now();
    this.#listener({ ...this.#event, done: true });
  }

  get #event(): ReadEvent {
    const seconds = (now() - this.#begun) / 1000;
    return { kind: "read", rows: this.#rows, bytes: this.#bytes, seconds, done: false };
  }

  #tell(): void {
    const time = now();
    if (time - this.#told < EVERY) return;
    this.#told = time;
    this.#listener(this.#event);
  }
}

/** Pieces whose bytes are counted. */
export async function* countedPieces(
  pieces: AsyncIterable<Uint8Array>,
  progress: Progress | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    progress?.addBytes(piece.length);
    yield piece;
  }
}
