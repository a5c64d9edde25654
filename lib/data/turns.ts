import { now, turn } from "../binding/clock.js";

/** Milliseconds of work after which the event loop gets its turn; what waits there needs two or three turns of it. */
const TURN = 1;

/** What `pending` gives, unless `signal` is aborted before: then its reason is thrown. */
export async function unlessAborted<T>(signal: AbortSignal | undefined, pending: Promise<T>): Promise<T> {
  if (signal === undefined) return await pending;
  signal.throwIfAborted();
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([pending, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

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
