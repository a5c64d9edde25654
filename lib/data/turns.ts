import { now, turn } from "../binding/clock.js";

/** Milliseconds of work after which the event loop gets its turn; what waits there needs two or three turns of it. */
const TURN = 1;

/** Cuts long work on the JavaScript thread into turns, so that requests are answered in between. */
export class Turns {
  readonly #signal: AbortSignal | undefined;
  #since = now();

  /** An abort of `signal` is thrown at the end of a turn. */
  constructor(signal?: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Whether this turn has lasted long enough. */
  get over(): boolean {
    return now() - this.#since > TURN;
  }

  /** Lets everything that waits run first. */
  async next(): Promise<void> {
    await turn();
    this.#since = now();
    this.#signal?.throwIfAborted();
  }
}

/** Of all runs together: they go on as native calls end, and many short ones would leave the event loop no turn. */
export const commonTurns = new Turns();
