import { now } from "../../binding/clock.js";
import type { NativeRunResult } from "../../binding/native.js";
import type { CompiledProgram, StepRange } from "../../graph/compiled.js";
import type { RunControl } from "./run_control.js";

/** Milliseconds of a call that is made on the JavaScript thread: to hand it to another one and its result back takes about as long. */
const SHORT = 0.1;

/** Milliseconds, with the way to another thread and back, of calls that are tried on the JavaScript thread. */
const WORTH_A_TRY = 1;

/** Calls on another thread between two tries, after two that took too long. */
const PATIENCE = 32;

type Callable = Pick<CompiledProgram, "run" | "runSync" | "stop">;

/**
 * Makes the calls of a program that steps belong to: on native threads, and those that are over at once on the JavaScript thread,
 * as the calls before have told. Where a call runs changes no bit.
 */
export class Caller {
  readonly #program: Callable;
  /** Milliseconds of a step, at most, and whether the way to another thread is in them. */
  #each = Number.POSITIVE_INFINITY;
  #isThere = true;
  /** A call was too long once: somebody else may have had the processor. */
  #wasLong = false;
  #waits = 0;

  constructor(program: Callable) {
    this.#program = program;
  }

  /** Runs steps that an interruption by the control ends after the one in hand. */
  async run(control: RunControl, range: StepRange): Promise<NativeRunResult> {
    const took = this.#each * range.steps;
    const isShort = this.#waits === 0 && took < (this.#isThere ? WORTH_A_TRY : SHORT);
    return isShort && range.priority !== "background" ? this.#here(range) : await this.#there(control, range);
  }

  /** No pull can come meanwhile. */
  #here(range: StepRange): NativeRunResult {
    const began = now();
    const result = this.#program.runSync({ ...range, threads: 1 });
    const took = now() - began;
    const isLong = took > SHORT;
    if (!isLong || this.#wasLong) {
      this.#each = took / range.steps;
      this.#isThere = false;
    }
    if (isLong && this.#wasLong) this.#waits = PATIENCE;
    this.#wasLong = isLong && !this.#wasLong;
    return result;
  }

  async #there(control: RunControl, range: StepRange): Promise<NativeRunResult> {
    const off = control.onInterrupt(() => this.#program.stop());
    const began = now();
    try {
      return await this.#program.run(range);
    } finally {
      off();
      this.#each = (now() - began) / range.steps;
      this.#isThere = true;
      if (this.#waits > 0) this.#waits -= 1;
    }
  }
}
