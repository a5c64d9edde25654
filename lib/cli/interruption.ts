import { codeOf } from "../errors.js";

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
    return this.#interrupted && (error === this.signal.reason || codeOf(error) === "ERR_STATE");
  }

  /** From now on a run is stopped, and keeps what it has trained. */
  follow(run: { stop(): void }): void {
    this.#run = run;
  }

  off(): void {
    process.off("SIGINT", this.#interrupt).off("SIGTERM", this.#interrupt);
  }
}
