import type { ManyLabels } from "./labels.js";

/** The place of the largest value, the first among equals; −1 if none is above `least`. */
function largestOf(count: number, of: (index: number) => number, least: number): number {
  let best = -1;
  let most = least;
  for (let index = 0; index < count; index++) {
    const value = of(index);
    if (value > most) {
      best = index;
      most = value;
    }
  }
  return best;
}

/**
 * The part of each row, of parts of exactly `sizes` rows, so that every label has in each about its share. Iterative
 * stratification (Sechidis, Tsoumakas, Vlahavas 2011): of the label with the fewest rows left, each row, in `order`, goes to
 * the part that wants most of that label, among equals to the one with the most room, among these to the first; rows without
 * labels fill what is left.
 */
export function dealtByLabels({ columns, has }: ManyLabels, order: Uint32Array, sizes: readonly number[]): Uint32Array {
  const rows = order.length;
  const part = new Uint32Array(rows);
  const done = new Uint8Array(rows);
  const room = [...sizes];
  const left = new Array<number>(columns).fill(0);
  for (let place = 0; place < has.length; place++)
    left[place % columns] = (left[place % columns] ?? 0) + (has[place] ?? 0);
  const wanted = sizes.map((size) => left.map((count) => (count * size) / rows));

  const give = (row: number, to: number): void => {
    part[row] = to;
    done[row] = 1;
    room[to] = (room[to] ?? 0) - 1;
    const wants = wanted[to] ?? [];
    for (let label = 0; label < columns; label++) {
      if (has[row * columns + label] !== 1) continue;
      left[label] = (left[label] ?? 0) - 1;
      wants[label] = (wants[label] ?? 0) - 1;
    }
  };
  const roomiest = (): number => largestOf(room.length, (one) => room[one] ?? 0, 0);
  /** Most wanted, then most room: wants differ by more than a part of 2·rows, or are equal. */
  const choose = (label: number): number => {
    const wants = (one: number): number =>
      (room[one] ?? 0) === 0 ? Number.NEGATIVE_INFINITY : (wanted[one]?.[label] ?? 0);
    const best = largestOf(room.length, wants, Number.NEGATIVE_INFINITY);
    const most = wants(best) - 1 / (2 * rows);
    return largestOf(room.length, (one) => (wants(one) > most ? (room[one] ?? 0) : 0), 0);
  };

  for (;;) {
    const rarest = largestOf(
      columns,
      (label) => ((left[label] ?? 0) === 0 ? Number.NEGATIVE_INFINITY : -(left[label] ?? 0)),
      Number.NEGATIVE_INFINITY,
    );
    if (rarest < 0) break;
    for (const row of order) {
      if (done[row] === 0 && has[row * columns + rarest] === 1) give(row, choose(rarest));
    }
  }
  for (const row of order) if (done[row] === 0) give(row, roomiest());
  return part;
}
