import { now } from "../../binding/clock.js";
import { countText } from "../../counts.js";
import { CarillonError } from "../../errors.js";
import type { RunControl } from "../../nn/evaluation/run_control.js";
import { onAbort } from "../../signals.js";
import { describedResult, type FitResult } from "../fit_result.js";
import type { FitEvent, ReadingEvent } from "./events.js";
import type { RunContext } from "./run.js";

/** The time of a run before its first step, in which it can be stopped and aborted as well. */
export class Preparation {
  readonly #stopping = new AbortController();
  readonly #control: RunControl;
  readonly #given: AbortSignal | undefined;
  readonly #off: () => void;
  readonly #offSignal: () => void;

  constructor(control: RunControl, signal: AbortSignal | undefined) {
    this.#control = control;
    this.#given = signal;
    this.#off = control.onInterrupt(this.#end);
    // By hand: AbortSignal.any would stay with a signal that outlives many runs.
    this.#offSignal = signal === undefined ? () => undefined : onAbort(signal, this.#end);
    this.#end();
  }

  readonly #end = (): void => {
    if (this.#given?.aborted === true) this.#stopping.abort(this.#given.reason);
    else if (this.#control.ended) this.#stopping.abort(this);
  };

  /** The result of `work`, which must reject with the reason of the signal; `undefined` if the run was stopped meanwhile. */
  async unlessStopped<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    try {
      return await work(this.#stopping.signal);
    } catch (error) {
      if (error === this) return undefined;
      throw error;
    } finally {
      this.#off();
      this.#offSignal();
    }
  }
}

/** Milliseconds between two events of a stream that is read. */
const REPORT_INTERVAL = 250;

/** Tells how much of a stream was read before the first step. */
export class Reading {
  readonly #emit: (event: ReadingEvent) => void;
  readonly #began = now();
  #told = now();
  #examples = 0;

  constructor(emit: (event: ReadingEvent) => void) {
    this.#emit = emit;
  }

  get text(): string {
    return this.#examples === 0 ? "reading data" : `reading data  ${countText(this.#examples, "example")}`;
  }

  note(step: number, examples: number): void {
    this.#examples = examples;
    const at = now();
    if (at - this.#told < REPORT_INTERVAL) return;
    this.#told = at;
    this.#emit({ kind: "reading", step, examples, seconds: (at - this.#began) / 1000 });
  }
}

/** The end of a run that was stopped before its first step: nothing was changed and nothing is kept. */
export function stoppedBeforehand({ emit }: RunContext<FitEvent>, seconds: number, step: number): FitResult {
  emit({ kind: "end", reason: "stopped", stoppedBy: null, step, seconds });
  return describedResult({
    reason: "stopped",
    stoppedBy: null,
    step,
    seconds,
    best: undefined,
    bitEqual: true,
    history: [],
    losses: undefined,
    averaged: () => undefined,
    checkpoint(): never {
      throw new CarillonError(
        "ERR_STATE",
        "checkpoint",
        "the run was stopped before its first step: there is nothing to keep",
      );
    },
  });
}
