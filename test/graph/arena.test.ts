import { describe, expect, test } from "vitest";
import { Arena } from "../../lib/graph/arena.js";
import { uniforms } from "../ops/sample.js";

interface Taken {
  readonly begin: number;
  readonly end: number;
}

describe("arena", () => {
  test.each([1, 2, 3, 4, 5])("random takes and frees never overlap (seed %i)", (seed) => {
    const next = uniforms(seed);
    const arena = new Arena();
    const held: Taken[] = [];
    for (let round = 0; round < 2000; round++) {
      if (held.length > 0 && next() < 0.48) {
        const [gone] = held.splice(Math.floor(next() * held.length), 1);
        if (gone !== undefined) arena.free(gone.begin);
        continue;
      }
      const count = 1 + Math.floor(next() ** 3 * 1000);
      const begin = arena.take(count);
      const block = { begin, end: begin + count };
      expect(begin % 16).toBe(0);
      expect(held.filter((other) => other.begin < block.end && block.begin < other.end)).toEqual([]);
      expect(arena.size).toBeGreaterThanOrEqual(block.end);
      held.push(block);
    }
  });

  test("the first gap that fits is taken, the smallest stretch kept", () => {
    const arena = new Arena();
    const [a, b, c] = [arena.take(16), arena.take(32), arena.take(16)];
    expect([a, b, c, arena.size]).toEqual([0, 16, 48, 64]);
    arena.free(b);
    expect(arena.take(33)).toBe(64);
    expect(arena.take(17)).toBe(16);
    arena.free(a);
    expect(arena.take(1)).toBe(0);
    expect(arena.size).toBe(112);
  });

  test("neighbouring gaps are one", () => {
    const arena = new Arena();
    const [a, b] = [arena.take(16), arena.take(16)];
    arena.take(16);
    arena.free(a);
    arena.free(b);
    expect(arena.take(32)).toBe(0);
    expect(arena.size).toBe(48);
  });

  test("an offset where nothing lies is left alone", () => {
    const arena = new Arena();
    const a = arena.take(16);
    arena.free(a + 16);
    expect(arena.take(16)).toBe(16);
  });
});
