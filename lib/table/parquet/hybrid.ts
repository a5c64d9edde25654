// Small whole numbers as Parquet packs them: runs of one value, and groups of eight of a few bits each.
import { failPages } from "./header.js";

/** Bits up to which values are taken out of one 32-bit word. */
const NARROW = 24;

/** Fills `values` with those that the bytes [begin, end) hold, of `width` bits each. */
export function unpackHybrid(
  bytes: Uint8Array,
  begin: number,
  end: number,
  width: number,
  values: Int32Array | Uint8Array,
): void {
  if (width > 31) failPages(`values of ${width} bits`);
  let [at, seen] = [begin, 0];
  const take = (): number => (at < end ? (bytes[at++] ?? 0) : failPages("fewer values than a page has"));
  while (seen < values.length) {
    let head = 0;
    for (let factor = 1, byte = 128; byte >= 128 && factor < 34_359_738_368; factor *= 128) {
      byte = take();
      head += (byte & 127) * factor;
    }
    const left = values.length - seen;
    if (head % 2 === 1) {
      const groups = (head - 1) / 2;
      const count = Math.min(8 * groups, left);
      // The last group may be cut off behind the last value.
      if (at + Math.ceil((count * width) / 8) > end) failPages("fewer values than a page has");
      if (width <= NARROW) unpackNarrow(bytes, at, width, values, seen, count);
      else unpackWide(bytes, at, width, values, seen, count);
      at = Math.min(at + groups * width, end);
      seen += count;
      continue;
    }
    const count = Math.min(head / 2, left);
    let value = 0;
    for (let bits = 0; bits < width; bits += 8) value |= take() << bits;
    if (value >>> width !== 0) failPages(`a value of more than ${width} bits`);
    values.fill(value, seen, seen + count);
    seen += count;
  }
}

function unpackNarrow(
  bytes: Uint8Array,
  begin: number,
  width: number,
  values: Int32Array | Uint8Array,
  first: number,
  count: number,
): void {
  const mask = (1 << width) - 1;
  let [at, word, bits] = [begin, 0, 0];
  for (let index = first; index < first + count; index++) {
    for (; bits < width; bits += 8) word |= (bytes[at++] ?? 0) << bits;
    values[index] = word & mask;
    word >>>= width;
    bits -= width;
  }
}

function unpackWide(
  bytes: Uint8Array,
  begin: number,
  width: number,
  values: Int32Array | Uint8Array,
  first: number,
  count: number,
): void {
  for (let index = 0; index < count; index++) {
    let value = 0;
    for (let bit = 0, at = 8 * begin + index * width; bit < width; bit++, at++)
      value |= (((bytes[at >>> 3] ?? 0) >>> (at & 7)) & 1) << bit;
    values[first + index] = value;
  }
}
