/** Milliseconds of work after which the event loop gets its turn. */
const TURN = 2;

/** Cuts long work on the JavaScript thread into turns, so that requests are answered in between. */
export class Turns {
  #since = performance.now();

  /** Whether this turn has lasted long enough. */
  get over(): boolean {
    return performance.now() - this.#since > TURN;
  }

  /** Lets everything that waits run first. */
  async next(): Promise<void> {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    this.#since = performance.now();
  }
}
