import { after, now } from "../../binding/clock.js";
import { onAbort } from "../../signals.js";

/** Milliseconds that a stop leaves to work of the caller's own, such as a callback, before it is given up. */
const GRACE = 500;

/** Holds up or ends work between two steps: pause, stop and abort, for whoever works in calls of some steps. */
export class RunControl {
  readonly #listeners = new Set<() => void>();
  #signal: AbortSignal | undefined;
  #release = (): void => undefined;
  #paused = false;
  #stopped = false;
  #waiting: (() => void)[] = [];
  #waited = 0;

  constructor(signal?: AbortSignal) {
    this.watch(signal);
  }

  /** Whether work may begin, now: whoever has awaited anything asks again. */
  get free(): boolean {
    return !(this.#paused || this.ended);
  }

  /** Whether it rests. */
  get paused(): boolean {
    return this.#paused && !this.ended;
  }

  /** Whether work is to end: stopped or aborted. */
  get ended(): boolean {
    return this.#stopped || this.#signal?.aborted === true;
  }

  /** Milliseconds that {@link passable} has waited in pauses. */
  get waited(): number {
    return this.#waited;
  }

  /** Watches the signal from now on, until {@link release}. */
  watch(signal: AbortSignal | undefined): void {
    this.#signal = signal;
    if (signal !== undefined) this.#release = onAbort(signal, this.#interrupt);
  }

  release(): void {
    this.#release();
  }

  pause(): void {
    this.#paused = true;
    this.#interrupt();
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#interrupt();
  }

  /** Calls `listener` when the call under way is to end after its step; gives what takes the listener off. */
  onInterrupt(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Waits while there is a pause. True: go on; false: stopped. Rejects with the reason of an aborted signal. */
  async passable(): Promise<boolean> {
    while (this.#paused && !this.ended) {
      const since = now();
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
      this.#waited += now() - since;
    }
    this.#signal?.throwIfAborted();
    return !this.#stopped;
  }

  /**
   * The result of the caller's own work, at once where it is no promise. `undefined` where a stop has waited for it long enough; an abort
   * rejects at once with its reason. What comes later, be it a failure, is let go.
   */
  async unlessEnded<T>(work: T | PromiseLike<T>): Promise<{ readonly value: T } | undefined> {
    if (!isPromise(work)) return { value: work };
    let unset: (() => void) | undefined;
    let off = (): unknown => undefined;
    try {
      return await new Promise((resolve, reject) => {
        const look = (): void => {
          if (this.#signal?.aborted === true) reject(this.#signal.reason);
          else if (this.#stopped) unset ??= after(GRACE, () => resolve(undefined));
        };
        off = this.onInterrupt(look);
        Promise.resolve(work).then((value) => resolve({ value }), reject);
        look();
      });
    } finally {
      off();
      unset?.();
    }
  }

  readonly #interrupt = (): void => {
    for (const listener of this.#listeners) listener();
    this.#wake();
  };

  #wake(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }
}

function isPromise<T>(work: T | PromiseLike<T>): work is PromiseLike<T> {
  return typeof work === "object" && work !== null && "then" in work && typeof work.then === "function";
}
