/** A stream that may be a terminal, such as `process.stderr`. */
export interface TerminalStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): boolean;
}

const COLUMNS = 80;

/** Whether a line can be written over: a terminal, and none that knows no such thing. */
export function isTerminal(stream: TerminalStream): boolean {
  return stream.isTTY === true && process.env.TERM !== "dumb";
}

/**
 * A line at the bottom of a terminal that is written again and again. The cursor stays visible, at the line's beginning, so that a process
 * that is killed leaves the terminal as it was.
 */
export class TerminalLine {
  readonly #stream: TerminalStream;
  #shown = "";

  constructor(stream: TerminalStream) {
    this.#stream = stream;
  }

  /** Characters that a line may have. */
  get columns(): number {
    return Math.max(20, (this.#stream.columns ?? COLUMNS) - 1);
  }

  /** Shows a text in the place of the one before. */
  show(text: string): void {
    if (text === this.#shown) return;
    this.#shown = text;
    this.#stream.write(`${CLEAR}${text}\r`);
  }

  /** Writes lines that stay, above the line. */
  print(text: string): void {
    const again = this.#shown;
    this.clear();
    this.#stream.write(`${text}\n`);
    if (again !== "") this.show(again);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#shown !== "") this.#stream.write(CLEAR);
    this.#shown = "";
  }

  /** Leaves the line as it is; what is written next stands below. */
  leave(): void {
    if (this.#shown !== "") this.#stream.write("\n");
    this.#shown = "";
  }
}

/** To the beginning of the line, and nothing in it (ECMA-48, EL). */
const CLEAR = "\r\u001b[2K";
