// How many of a thing, in words.

/** A whole number as people read it, `1,234,567`: without `toLocaleString`, whose first call holds the JavaScript thread for 15 ms. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

const named = (count: number, noun: string): string => (count === 1 ? noun : `${noun}s`);

/** `1 row`, `5000 rows`, as in errors. */
export function countOf(count: number, noun: string): string {
  return `${count} ${named(count, noun)}`;
}

/** `1 row`, `5,000 rows`, as in what is shown. */
export function countText(count: number, noun: string): string {
  return `${grouped(count)} ${named(count, noun)}`;
}
