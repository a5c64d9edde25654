/**
 * Milliseconds of a batch that is computed on the JavaScript thread: to hand it to another one and have its result back takes about as
 * long.
 */
const SHORT = 0.1;

/** Milliseconds on another thread, with the way there and back, behind which a batch is tried on the JavaScript thread. */
const WORTH_A_TRY = 0.2;

/**
 * A batch that takes longer than expected counts with no more than so many times the expectation, and with a quarter: somebody else may
 * have had the processor for a while. So seven in a row make 100 µs of 2, and one short one brings them back.
 */
const MOST_GROWTH = 4;
const SHARE = 0.25;

/** Floating-point operations a millisecond of a processor that nobody has measured yet. */
const SPEED = 40e6;

/** Milliseconds that every batch takes at least. */
const LEAST = 0.002;

/** Sizes of batches that are told apart, by powers of two. */
const SIZES = 32;

/** How long batches take on the JavaScript thread, by what those of about as many rows have taken. */
export class Expectation {
  /** Milliseconds. */
  readonly #took: Float64Array;

  /** @param work Floating-point operations of a row, about. */
  constructor(work: number) {
    this.#took = new Float64Array(SIZES).fill(work / SPEED);
    for (let size = 1; size < SIZES; size++) this.#took[size] = 2 * (this.#took[size - 1] ?? 0);
  }

  /** Whether a batch of `rows` rows, at least one, is computed on the JavaScript thread. */
  isShort(rows: number): boolean {
    return (this.#took[sizeOf(rows)] ?? 0) <= SHORT;
  }

  /** A batch on the JavaScript thread took so long. */
  tookHere(rows: number, milliseconds: number): void {
    const size = sizeOf(rows);
    const known = Math.max(this.#took[size] ?? 0, LEAST);
    const counted = Math.min(milliseconds, MOST_GROWTH * known);
    this.#took[size] = counted < known ? counted : known + SHARE * (counted - known);
  }

  /** A batch on another thread took so long. */
  tookThere(rows: number, milliseconds: number): void {
    const size = sizeOf(rows);
    if (milliseconds <= WORTH_A_TRY) this.#took[size] = Math.min(this.#took[size] ?? 0, SHORT);
  }
}

/** log₂ of the rows, rounded down. */
function sizeOf(rows: number): number {
  return SIZES - 1 - Math.clz32(rows);
}
