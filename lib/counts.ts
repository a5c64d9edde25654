// How many of a thing, in words.

const named = (count: number, noun: string): string => (count === 1 ? noun : `${noun}s`);

/** `1 row`, `5000 rows`, as in errors. */
export function countOf(count: number, noun: string): string {
  return `${count} ${named(count, noun)}`;
}

/** `1 row`, `5,000 rows`, as in what is shown. */
export function countText(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${named(count, noun)}`;
}
