import { expect, test } from "vitest";
import { native } from "../../lib/binding/native.js";
import { Arena } from "../../lib/graph/arena.js";
import { type Lease, Regions } from "../../lib/graph/regions.js";

const [slab, other] = [native.slabCreate(32, "f32"), native.slabCreate(32, "f32")];
const lease = (offset: number, count: number, from: number, until: number): Lease => ({ offset, count, from, until });

/** Offsets that the regions of updates get, one after another, and the arena they need. */
function taken(...wanted: readonly (readonly Lease[])[]): readonly number[] {
  const arena = new Arena();
  const regions = new Regions(arena);
  return [...wanted.map((leases) => regions.take(slab, 32, leases)), arena.size];
}

test("updates of different elements of a slab share its region", () => {
  expect(taken([lease(0, 16, 0, 9)], [lease(16, 8, 3, 5), lease(24, 8, 0, 9)])).toEqual([0, 0, 32]);
});

test("so do updates of the same elements, one after another", () => {
  expect(taken([lease(0, 32, 0, 4)], [lease(0, 32, 5, 8)], [lease(0, 32, 9, 9)])).toEqual([0, 0, 0, 32]);
});

test("a gradient that is computed before an update of the same elements, and used behind it, has another region", () => {
  expect(taken([lease(0, 32, 0, 4)], [lease(16, 16, 4, 8)], [lease(0, 8, 2, 3)])).toEqual([0, 32, 32, 64]);
});

test("each slab has its own", () => {
  const arena = new Arena();
  const regions = new Regions(arena);
  expect([regions.take(slab, 32, []), regions.take(other, 32, []), regions.take(slab, 32, [])]).toEqual([0, 32, 0]);
});
