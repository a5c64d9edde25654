import { now, turn } from "../binding/clock.js";

/** Bytes of all sets of a call up to which they are copied at once; a number in an array counts as four. */
export const COPIED_AT_ONCE = 4_194_304;

/** Milliseconds of preparing after which the event loop gets its turn; what waits there needs two or three turns of it. */
const TURN = 0.5;

/** The same of runs, which have nothing to do but to go on: a turn costs them some 20 µs. */
const RUNS_TURN = 1;

/** Milliseconds that a piece of work may take: what a turn may last longer. */
const PIECE = 0.25;

/** Cuts long work on the JavaScript thread into turns, so that requests are answered in between. */
export class Turns {
  readonly #signal: AbortSignal | undefined;
  readonly #length: number;
  #since = now();
  /** A turn that was asked for and has not come, and when that was. */
  #asked: { readonly turn: Promise<void>; readonly at: number } | undefined;

  /** An abort of `signal` is thrown at the end of a turn. */
  constructor(signal?: AbortSignal | undefined, milliseconds = TURN) {
    this.#signal = signal;
    this.#length = milliseconds;
  }

  /** Whether this turn has lasted long enough. */
  get over(): boolean {
    return now() - this.#since > this.#length;
  }

  /** Lets everything that waits run first. */
  async next(): Promise<void> {
    await turn();
    this.#since = now();
    this.#signal?.throwIfAborted();
  }

  /**
   * The turn that short work has to wait for before it begins: none, unless one that was asked for before is due. It
   * is asked for here, where the last one is long ago: if nobody has held the event loop meanwhile, it comes by itself.
   */
  get due(): Promise<void> | undefined {
    if (this.#asked !== undefined) return now() - this.#asked.at > this.#length ? this.#asked.turn : undefined;
    if (this.over) {
      const taken = async (): Promise<void> => {
        await turn();
        this.#since = now();
        this.#asked = undefined;
      };
      this.#asked = { turn: taken(), at: now() };
    }
    return undefined;
  }

  /** Does work one piece at each `next`, with turns in between, and gives its result. */
  async through<T>(pieces: Generator<void, T>): Promise<T> {
    for (;;) {
      const { done, value } = pieces.next();
      if (this.over) await this.next();
      if (done === true) return value;
    }
  }

  /**
   * Calls `work` for one range [begin, end) of `count` after another, with turns in between: of `least` elements at first, as
   * code that has hardly run is slow, then of as many as the time of the range before allows, `most` at most.
   */
  async inPieces(
    count: number,
    { least, most }: { readonly least: number; readonly most: number },
    work: (begin: number, end: number) => void,
  ): Promise<void> {
    let size = Math.min(least, most);
    for (let begin = 0; begin < count; ) {
      const end = Math.min(begin + size, count);
      const from = now();
      work(begin, end);
      const took = now() - from;
      if (took > PIECE) size = Math.max(1, Math.floor(size / 2));
      else if (took < PIECE / 4) size = Math.min(most, 2 * size);
      begin = end;
      if (this.over) await this.next();
    }
  }
}

/** Of all runs together: they go on as native calls end, and many short ones would leave the event loop no turn. */
export const commonTurns = new Turns(undefined, RUNS_TURN);
