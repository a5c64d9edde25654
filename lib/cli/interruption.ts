import { codeOf } from "../errors.js";
import type { Status } from "./terms.js";

/** Ctrl-C, from now on: the first one aborts a signal, or stops the run that is followed; the second one ends the process at once. */
export class Interruption {
  readonly #controller = new AbortController();
  #run: { stop(): void } | undefined;
  #interrupted = false;

  constructor() {
    process.on("SIGINT", this.#interrupt).on("SIGTERM", this.#interrupt);
  }

  readonly #interrupt = (): void => {
    if (this.#interrupted) process.exit(130);
    this.#interrupted = true;
    if (this.#run === undefined) this.#controller.abort(new Error("interrupted"));
    else this.#run.stop();
  };

  /** Aborted by a Ctrl-C while no run is followed. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** Whether an error says no more than that there was a Ctrl-C. */
  is(error: unknown): boolean {
    const code = codeOf(error);
    return this.#interrupted && (error === this.signal.reason || code === "ERR_STATE" || code === "ABORT_ERR");
  }

  /** From now on a run is stopped, and keeps what it has trained. */
  follow(run: { stop(): void }): void {
    this.#run = run;
  }

  off(): void {
    process.off("SIGINT", this.#interrupt).off("SIGTERM", this.#interrupt);
  }
}

/**
 * Does the work of a command, which Ctrl-C breaks off: status 130 then. Of work that was broken off, or that failed, `left` clears up and tells what there is,
 * if anything; an error that is none of Ctrl-C's is thrown on.
 */
export async function interruptible(
  work: (interruption: Interruption) => Promise<Status>,
  left: (stopped: boolean) => Promise<string | undefined>,
  say: (text: string) => void,
): Promise<Status> {
  const interruption = new Interruption();
  try {
    return await work(interruption);
  } catch (error) {
    const stopped = interruption.is(error);
    const text = await left(stopped);
    if (text !== undefined) say(text);
    if (!stopped) throw error;
    return 130;
  } finally {
    interruption.off();
  }
}
