import type { Described } from "../meaning/meaning.js";

/**
 * Makes an answer of the outputs of a batch, in which those of `rows` rows begin at element `begin`; it copies what it needs, unless they are
 * all that is there and `given` to it.
 */
export type Take<T> = (outputs: Float32Array, begin: number, rows: number, described: Described, given?: boolean) => T;

/** A call, until it is answered. */
export interface Call {
  readonly where: string;
  readonly rows: number;
  readonly threads: number | undefined;
  /** Takes the listener of its signal off. */
  off: (() => void) | undefined;
  /** Whether its batch has not begun. */
  waits: boolean;
  /** Whether nobody waits for it any more. */
  readonly over: boolean;
  /** Tells what comes of it, of outputs that begin at element `begin`. */
  answer(outputs: Float32Array, begin: number, described: Described): void;
  reject(reason: unknown): void;
}

/** A {@link Call} with the two ends of its promise. */
export class PromisedCall<T> implements Call {
  readonly where: string;
  readonly rows: number;
  readonly threads: number | undefined;
  off: (() => void) | undefined = undefined;
  waits = true;
  over = false;
  readonly #take: Take<T>;
  readonly #resolve: (value: T) => void;
  readonly #reject: (reason: unknown) => void;

  constructor(
    { where, rows, threads }: Pick<Call, "where" | "rows" | "threads">,
    take: Take<T>,
    resolve: (value: T) => void,
    reject: (reason: unknown) => void,
  ) {
    this.where = where;
    this.rows = rows;
    this.threads = threads;
    this.#take = take;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  answer(outputs: Float32Array, begin: number, described: Described): void {
    this.#end();
    try {
      this.#resolve(this.#take(outputs, begin, this.rows, described));
    } catch (error) {
      this.#reject(error);
    }
  }

  reject(reason: unknown): void {
    this.#end();
    this.#reject(reason);
  }

  #end(): void {
    this.over = true;
    this.off?.();
  }
}
