/**
 * Milliseconds of a batch that is computed on the JavaScript thread: to hand it to another one and have its result back takes about as
 * long.
 */
const SHORT = 0.1;

/**
 * The same of a single call that nobody waits behind: so long it may hold the event loop, which saves it the way. What comes meanwhile is
 * gathered in the next turn.
 */
const BEARABLE = 0.4;

/** Milliseconds on one thread beside which those of JavaScript for its calls are few. */
const LONG = 5;

/** Milliseconds that are not short any more. */
const JUST_LONGER = 1.01 * SHORT;

/** Milliseconds that the way to another thread and back takes at most: what comes back sooner than it may take here is tried here. */
const WAY = 0.1;

/**
 * A batch that takes longer than expected counts with no more than so many times the expectation, and with a quarter: somebody else may
 * have had the processor for a while. So seven in a row make 100 µs of 2, and one short one brings them back.
 */
const MOST_GROWTH = 4;
const SHARE = 0.25;

/** The same of a batch that had helpers: one that lost its processor shall not send the next call the long way. */
const MOST_GROWTH_HELPED = 2;

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

  /** Whether it may be, with helpers, if it is a single call that nobody waits behind. */
  isBearable(rows: number): boolean {
    return (this.#took[sizeOf(rows)] ?? 0) <= BEARABLE;
  }

  /** Whether it takes much longer than what JavaScript has to do for its calls. */
  isLong(rows: number): boolean {
    return (this.#took[sizeOf(rows)] ?? 0) > LONG;
  }

  /** A batch on the JavaScript thread took so long with helpers, without which it is not tried again unless that promises to be short. */
  tookHelped(rows: number, milliseconds: number): void {
    const size = sizeOf(rows);
    this.#count(size, milliseconds, MOST_GROWTH_HELPED);
    if (milliseconds > SHORT / 2) this.#took[size] = Math.max(this.#took[size] ?? 0, JUST_LONGER);
  }

  /** A batch on the JavaScript thread alone took so long. */
  tookHere(rows: number, milliseconds: number): void {
    this.#count(sizeOf(rows), milliseconds, MOST_GROWTH);
  }

  #count(size: number, milliseconds: number, growth: number): void {
    const known = Math.max(this.#took[size] ?? 0, LEAST);
    const counted = Math.min(milliseconds, growth * known);
    this.#took[size] = counted < known ? counted : known + SHARE * (counted - known);
  }

  /** A batch on another thread took so long. */
  tookThere(rows: number, milliseconds: number): void {
    const size = sizeOf(rows);
    const most = milliseconds <= SHORT + WAY ? SHORT : BEARABLE;
    if (milliseconds <= most + WAY) this.#took[size] = Math.min(this.#took[size] ?? 0, most);
  }
}

/** log₂ of the rows, rounded down. */
function sizeOf(rows: number): number {
  return SIZES - 1 - Math.clz32(rows);
}
