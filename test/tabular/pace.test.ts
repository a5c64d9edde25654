import { describe, expect, test } from "vitest";
import { Pace } from "../../lib/tabular/pace.js";

describe("the pace of a run of members", () => {
  const member = { steps: 100, batchSize: 8, cost: 1 };

  test("a step takes as long as those before it", () => {
    let seconds = 0;
    const pace = new Pace([member, { ...member, cost: 3 }], () => seconds);
    expect(pace.secondsLeft).toBe(Number.POSITIVE_INFINITY);
    expect(pace.rowsPerSecond).toBe(0);
    pace.reach(0, 50);
    seconds = 5;
    expect(pace).toMatchObject({ steps: 50, own: 50, secondsLeft: 35, rowsPerSecond: 80 }); // 0.1 s a step, 50 and 3·100 of them
  });

  test("steps of before a break took no time", () => {
    let seconds = 0;
    const pace = new Pace([member, member], () => seconds);
    pace.begin(0, 100); // it was done
    pace.end(0);
    pace.begin(1, 60);
    expect(pace.secondsLeft).toBe(Number.POSITIVE_INFINITY);
    pace.reach(1, 70);
    seconds = 2;
    expect(pace).toMatchObject({ steps: 170, own: 10, secondsLeft: 6, rowsPerSecond: 40 });
  });

  test("a member that ends early leaves its other steps out, and does them in no time", () => {
    let seconds = 0;
    const pace = new Pace([member, member], () => seconds);
    pace.reach(0, 40);
    pace.end(0);
    seconds = 4;
    expect(pace).toMatchObject({ steps: 40, own: 40, secondsLeft: 4, rowsPerSecond: 80 });
  });
});
