// Values as whole numbers, so that rows and classes are compared fast.
import { type Column, hasValue, lengthOf } from "../column.js";

/** A column as numbers: codes of its values, each a whole number from 0 on; −1 where it is missing. */
export interface Codes {
  readonly codes: Int32Array;
  /** Codes that there are. */
  readonly count: number;
}

/** Mixes 32 bits into another 32. */
export function mixed(hash: number, bits: number): number {
  const one = Math.imul(hash ^ bits, 0x9e3779b1);
  return one ^ (one >>> 15);
}

/** The least power of two that is at least twice a number. */
function placesFor(count: number): number {
  let places = 16;
  while (places < 2 * count) places *= 2;
  return places;
}

export function codesOfColumn(column: Column): Codes {
  if (column.kind === "text") return { codes: column.codes, count: column.levels.length };
  const codes = new Int32Array(lengthOf(column)).fill(-1);
  const places = new Int32Array(placesFor(codes.length)).fill(-1);
  const values = new Float64Array(codes.length);
  const bits = new Int32Array(2);
  const one = new Float64Array(bits.buffer);
  let count = 0;
  for (let row = 0; row < codes.length; row++) {
    if (!hasValue(column, row)) continue;
    const value = (column.values[row] ?? 0) + 0; // −0 is 0
    one[0] = value;
    let place = mixed(mixed(0, bits[0] ?? 0), bits[1] ?? 0) & (places.length - 1);
    for (let code = places[place] ?? -1; code >= 0 && values[code] !== value; code = places[place] ?? -1)
      place = (place + 1) & (places.length - 1);
    if ((places[place] ?? -1) < 0) {
      places[place] = count;
      values[count] = value;
      count += 1;
    }
    codes[row] = places[place] ?? 0;
  }
  return { codes, count };
}

/** How many rows stand before them already, and the first of these. */
export function repeatedRows(
  columns: readonly Int32Array[],
  rows: number,
): { readonly twice: number; readonly first: number } {
  const places = new Int32Array(placesFor(rows)).fill(-1);
  const same = (a: number, b: number): boolean => columns.every((codes) => codes[a] === codes[b]);
  let [twice, first] = [0, -1];
  for (let row = 0; row < rows; row++) {
    let hash = 0;
    for (const codes of columns) hash = mixed(hash, codes[row] ?? -1);
    let place = hash & (places.length - 1);
    for (let other = places[place] ?? -1; other >= 0 && !same(other, row); other = places[place] ?? -1)
      place = (place + 1) & (places.length - 1);
    if ((places[place] ?? -1) < 0) places[place] = row;
    else {
      twice += 1;
      if (first < 0) first = row;
    }
  }
  return { twice, first };
}
