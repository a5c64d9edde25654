import { describe, expect, test } from "vitest";
import { now } from "../../lib/binding/clock.js";
import { Turns } from "../../lib/data/turns.js";

function spin(milliseconds: number): void {
  for (const until = now() + milliseconds; now() < until; );
}

/** Ends of the ranges of work that takes so many milliseconds an element, and the turns of the event loop meanwhile. */
async function pieces(count: number, most: number, each: number): Promise<{ ends: number[]; turns: number }> {
  const ends: number[] = [];
  let [turns, over] = [0, false];
  const turn = (): void => {
    turns += 1;
    if (!over) setImmediate(turn);
  };
  setImmediate(turn);
  await new Turns().inPieces(count, { least: 8, most }, (begin, end) => {
    expect(begin).toBe(ends.at(-1) ?? 0);
    spin((end - begin) * each);
    ends.push(end);
  });
  over = true;
  return { ends, turns };
}

describe("work in pieces", () => {
  test("takes as many elements as time allows: all that may be, of quick ones", async () => {
    const { ends } = await pieces(1000, 128, 0);
    const sizes = ends.map((end, index) => end - (ends[index - 1] ?? 0));
    expect(ends.at(-1)).toBe(1000);
    expect(sizes[0]).toBe(8);
    expect(sizes.length).toBeGreaterThan(1000 / 128);
    expect(sizes.length).toBeLessThan(40);
    expect(Math.max(...sizes)).toBe(128);
  });

  test("takes one at a time of slow ones, and gives the event loop its turn after a millisecond", async () => {
    const { ends, turns } = await pieces(40, 1_000_000, 0.5);
    const sizes = ends.map((end, index) => end - (ends[index - 1] ?? 0));
    expect(sizes.slice(0, 3)).toEqual([8, 4, 2]);
    expect(sizes.slice(3).every((size) => size === 1)).toBe(true);
    expect(turns).toBeGreaterThan(10); // of 20 ms of work
  });

  test("of nothing is none", async () => {
    expect((await pieces(0, 4, 0)).ends).toEqual([]);
    expect((await pieces(3, 2, 0)).ends).toEqual([2, 3]);
  });
});

describe("a turn that short work waits for", () => {
  test("is none where the event loop has had them by itself", async () => {
    const turns = new Turns();
    for (let work = 0; work < 5; work++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(turns.due).toBe(undefined);
    }
  });

  test("is one where the loop has been held for two of its lengths", async () => {
    const turns = new Turns(undefined, 2);
    let came = false;
    setImmediate(() => {
      came = true;
    });
    spin(3);
    expect(turns.due).toBe(undefined); // asked for
    await Promise.resolve();
    spin(3);
    const { due } = turns;
    expect(due).toBeInstanceOf(Promise);
    expect(came).toBe(false);
    await due;
    expect(came).toBe(true);
    expect(turns.due).toBe(undefined);
  });
});
