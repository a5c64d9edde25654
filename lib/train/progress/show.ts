import { repeat } from "../../binding/clock.js";
import { durationText, lineText, progressText, type Standing } from "./line.js";
import { isTerminal, TerminalLine } from "./terminal.js";

/** Milliseconds between two looks at a run. */
const INTERVAL = 100;

/** The line of a run, or nothing where standard error is no terminal. */
export class Progress {
  readonly #line: TerminalLine | undefined;
  #state: (() => Standing | string) | undefined;
  readonly #off: () => void;

  constructor(wanted: boolean) {
    this.#line = wanted && isTerminal(process.stderr) ? new TerminalLine(process.stderr) : undefined;
    this.#off = this.#line === undefined ? () => undefined : repeat(INTERVAL, () => this.#show());
  }

  /** Whether somebody looks on. */
  get isShown(): boolean {
    return this.#line !== undefined;
  }

  /** Says from now on what this gives. */
  follow(state: () => Standing | string): void {
    this.#state = state;
    this.#show();
  }

  /** The last words; without them the line stays as it is. */
  end(last?: { readonly figures: Standing["figures"]; readonly place: string; readonly seconds: number }): void {
    this.#off();
    if (last === undefined || this.#line === undefined) this.#show();
    else this.#line.show(lineText([last.place], last.figures, [durationText(last.seconds)], this.#line.columns));
    this.#line?.leave();
    this.#state = undefined;
  }

  #show(): void {
    const state = this.#state?.();
    if (this.#line === undefined || state === undefined) return;
    const { columns } = this.#line;
    this.#line.show(typeof state === "string" ? state.slice(0, columns) : progressText(state, columns));
  }
}
