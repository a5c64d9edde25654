/** Bytes that a number in an array takes. */
const NUMBER_BYTES = 8;

/** Bytes of the numbers in nested arrays. */
export function arrayBytes(value: unknown): number {
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (!Array.isArray(value)) return 0;
  return value.reduce<number>((sum, one) => sum + NUMBER_BYTES + arrayBytes(one), 0);
}

/** The same plain data with every array empty. */
export function withoutArrays<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  const light: unknown = Array.isArray(value)
    ? []
    : Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withoutArrays(one)]));
  return light as T; // an empty array is one of any type
}

/** How much is kept: items, and bytes of the arrays in them. */
export interface Limits {
  readonly items: number;
  readonly bytes: number;
}

/** Limits of the events that are kept for `history`, and for a reader that begins late or is slow. */
export const KEPT: Limits = { items: 10_000, bytes: 33_554_432 };

interface Entry<T> {
  readonly index: number;
  readonly item: T;
  readonly bytes: number;
}

/** How far a {@link Thinned} has come. */
export interface ThinnedPlace {
  readonly count: number;
  readonly every: number;
  readonly whole: number;
  /** Of the items that are kept. */
  readonly indexes: readonly number[];
}

/**
 * The first and the last item of a sequence of plain data, and of those in between every k-th one: k is 1, and doubles whenever
 * there would be more items than the limit. Arrays stay in every m-th one, likewise within their bytes; in the others they
 * are empty. The last item is always whole.
 */
export class Thinned<T> {
  readonly #bytesOf: (item: T) => number;
  readonly #limits: Limits;
  #kept: Entry<T>[] = [];
  #last: Entry<T> | undefined;
  #bytes = 0;
  /** k, and m. */
  #every = 1;
  #whole = 1;
  #count = 0;

  /** @param bytesOf Bytes of the arrays in an item. */
  constructor(bytesOf: (item: T) => number, limits: Limits = KEPT) {
    this.#bytesOf = bytesOf;
    this.#limits = limits;
  }

  /** All that is kept, in order. */
  get items(): T[] {
    const last = this.#last;
    const before = this.#kept.filter(({ index }) => index !== last?.index).map(({ item }) => item);
    return last === undefined ? before : [...before, last.item];
  }

  add(item: T): void {
    const entry = { index: this.#count, item, bytes: this.#bytesOf(item) };
    this.#count += 1;
    this.#last = entry;
    if (entry.index % this.#every === 0) {
      this.#kept.push(this.#lightened(entry));
      this.#bytes += this.#kept.at(-1)?.bytes ?? 0;
    }
    while (this.#size > this.#limits.items && this.#kept.length > 1) {
      this.#every *= 2;
      this.#keep(this.#kept.filter(({ index }) => index % this.#every === 0));
    }
    while (this.#bytes > this.#limits.bytes && this.#whole <= entry.index) {
      this.#whole *= 2;
      this.#keep(this.#kept.map((one) => this.#lightened(one)));
    }
  }

  /** With the last one. */
  get #size(): number {
    return this.#kept.length + (this.#kept.at(-1)?.index === this.#last?.index ? 0 : 1);
  }

  /** Counts that {@link restore} needs beside {@link items}. */
  get place(): ThinnedPlace {
    const indexes = this.#kept.map(({ index }) => index).filter((index) => index !== this.#last?.index);
    if (this.#last !== undefined) indexes.push(this.#last.index);
    return { count: this.#count, every: this.#every, whole: this.#whole, indexes };
  }

  /** Goes on behind these items, which stood in another at this place: false if they do not fit it. */
  restore(items: readonly T[], { count, every, whole, indexes }: ThinnedPlace): boolean {
    if (items.length !== indexes.length) return false;
    const entries = items.map((item, at): Entry<T> => ({ index: indexes[at] ?? 0, item, bytes: this.#bytesOf(item) }));
    [this.#count, this.#every, this.#whole, this.#last] = [count, every, whole, entries.at(-1)];
    this.#keep(entries.filter(({ index }) => index % every === 0).map((entry) => this.#lightened(entry)));
    return true;
  }

  /** Takes the last item back. */
  dropLast(): void {
    const { items, place } = this;
    const rest = { ...place, count: place.count - 1, indexes: place.indexes.slice(0, -1) };
    if (items.length > 0) this.restore(items.slice(0, -1), rest);
  }

  #lightened(entry: Entry<T>): Entry<T> {
    if (entry.bytes === 0 || entry.index % this.#whole === 0) return entry;
    return { index: entry.index, item: withoutArrays(entry.item), bytes: 0 };
  }

  #keep(entries: Entry<T>[]): void {
    this.#kept = entries;
    this.#bytes = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
