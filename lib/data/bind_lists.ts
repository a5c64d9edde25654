import { type NativeSlab, native } from "../binding/native.js";
import { fail } from "../errors.js";
import type { Binding } from "../graph/binding.js";
import { listNames } from "../tensor/ragged_value.js";
import { CHUNK, type Interruption, inChunks } from "./chunks.js";
import { type ListMember, lengthOf, writeIds, writeIdWeights } from "./lists.js";
import { makeRoom } from "./room.js";

/** Lists in native memory. */
export interface BoundLists {
  /** Whether their ids have weights. */
  readonly weighted: boolean;
  /** Ids that so many rows have at most. */
  room(rows: number): number;
}

/** Most ids of a set: they are counted in 32-bit words. */
const MOST = 2_147_483_647;

/** Where lists end in native memory, and how many of each length there are. */
interface Bounds {
  /** One more than there are rows. */
  readonly offsets: Int32Array;
  /** Lists by their lengths. */
  readonly counts: ReadonlyMap<number, number>;
}

/**
 * Copies lists into native memory, one behind the other, as they are given; those of rows that weigh nothing are empty. A program finds them
 * under `path`: ids, ends and weights. Errors name the row and the column.
 */
export async function bindLists(
  path: string,
  member: ListMember,
  leftOut: Float32Array | undefined,
  bindings: Map<string, Binding>,
  interruption: Interruption,
): Promise<BoundLists> {
  const { rows: samples } = member;
  const { offsets, counts } = await boundsOf(member, leftOut, interruption);
  const entries = offsets[samples] ?? 0;
  const bounds = await makeRoom(samples + 1, "i32", interruption.signal);
  await inChunks(samples + 1, 1, interruption, (begin, end) => {
    native.slabWrite(bounds, begin, offsets.subarray(begin, end));
  });
  const names = listNames(path);
  const common = { kind: "lists", bounds, width: 0, samples, entries } as const;
  bindings.set(names.ends, { ...common, slab: undefined, dtype: "i32" });
  const ids = await makeRoom(Math.max(entries, 1), "i32", interruption.signal);
  await copyLists(member, offsets, sinkOfIds(member, ids), interruption);
  bindings.set(names.ids, { ...common, slab: ids, dtype: "i32" });
  const weighted = member.weights !== undefined;
  if (weighted) {
    const weights = await makeRoom(Math.max(entries, 1), "f32", interruption.signal);
    await copyLists(member, offsets, sinkOfWeights(member, weights), interruption);
    bindings.set(names.weights, { ...common, slab: weights, dtype: "f32" });
  }
  return { weighted, room: (rows) => roomOf(counts, rows) };
}

/** Ids of so many of the longest lists, of which `counts` are of each length; 1 at least. */
export function roomOf(counts: ReadonlyMap<number, number>, rows: number): number {
  let [left, ids] = [rows, 0];
  for (const [length, count] of [...counts].sort(([one], [other]) => other - one)) {
    const some = Math.min(left, count);
    ids += some * length;
    left -= some;
  }
  return Math.max(ids, 1);
}

async function boundsOf(
  member: ListMember,
  leftOut: Float32Array | undefined,
  interruption: Interruption,
): Promise<Bounds> {
  const { rows } = member;
  const offsets = new Int32Array(rows + 1);
  const counts = new Map<number, number>();
  let before = 0;
  await inChunks(rows, 1, interruption, (begin, end) => {
    for (let row = begin; row < end; row++) {
      const own = lengthOf(member, row);
      const length = leftOut?.[row] === 0 ? 0 : own;
      counts.set(length, (counts.get(length) ?? 0) + 1);
      before += length;
      if (before > MOST) fail("ERR_DATA", member.where, `at most ${MOST} ids in all`, before);
      offsets[row + 1] = before;
    }
  });
  return { offsets, counts };
}

/** Memory that lists are gathered in on their way into native memory. */
interface Sink {
  /** Elements that it has room for. */
  readonly size: number;
  /** Makes room for one list of so many. */
  widen(length: number): void;
  write(row: number, to: number): void;
  /** Copies the first `count` elements to native memory, from element `at` on. */
  store(at: number, count: number): void;
}

/** Gathers what `write` writes of a row in memory that `make` makes. */
function sinkOf<A extends Int32Array | Float32Array>(
  slab: NativeSlab,
  make: (count: number) => A,
  write: (row: number, target: A, to: number) => void,
): Sink {
  let scratch = make(CHUNK);
  return {
    get size() {
      return scratch.length;
    },
    widen(length) {
      scratch = make(length);
    },
    write: (row, to) => write(row, scratch, to),
    store: (at, count) => native.slabWrite(slab, at, scratch.subarray(0, count)),
  };
}

const sinkOfIds = (member: ListMember, slab: NativeSlab): Sink =>
  sinkOf(
    slab,
    (count) => new Int32Array(count),
    (row, target, to) => writeIds(member, row, target, to),
  );

const sinkOfWeights = (member: ListMember, slab: NativeSlab): Sink =>
  sinkOf(
    slab,
    (count) => new Float32Array(count),
    (row, target, to) => writeIdWeights(member, row, target, to),
  );

/** Copies all lists but those of rows that are left out, whose places in `offsets` are empty. */
async function copyLists(
  { rows }: ListMember,
  offsets: Int32Array,
  sink: Sink,
  interruption: Interruption,
): Promise<void> {
  const mean = Math.max(1, Math.round((offsets[rows] ?? 0) / rows));
  await inChunks(rows, mean, interruption, (begin, end) => {
    let [first, filled] = [offsets[begin] ?? 0, 0];
    const store = (): void => {
      if (filled > 0) sink.store(first, filled);
      first += filled;
      filled = 0;
    };
    for (let row = begin; row < end; row++) {
      const length = (offsets[row + 1] ?? 0) - (offsets[row] ?? 0);
      if (length === 0) continue;
      if (filled + length > sink.size) store();
      if (length > sink.size) sink.widen(length);
      sink.write(row, filled);
      filled += length;
    }
    store();
  });
}
