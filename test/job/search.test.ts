import { expect, test } from "vitest";
import { partsOf, roundsOf, trialsOf } from "../../lib/job/search.js";

test.each([
  [
    27,
    256,
    [
      [27, 9],
      [9, 28],
      [3, 85],
      [1, 256],
    ],
  ],
  [
    4,
    9,
    [
      [4, 3],
      [1, 9],
    ],
  ],
  [1, 10, [[1, 10]]],
  [
    8,
    4,
    [
      [8, 1],
      [2, 1],
      [1, 4],
    ],
  ],
] as const)("%d trials of up to %d epochs: a third stays, with three times the epochs", (trials, epochs, rounds) => {
  expect(roundsOf(trials, epochs).map((round) => [round.trials, round.epochs])).toEqual(rounds);
});

test("trials are drawn by the seed, the first is the job as it is, and more of them begin with the same", () => {
  const ten = trialsOf(10, 3);
  expect(ten[0]).toEqual({});
  expect(trialsOf(4, 3)).toEqual(ten.slice(0, 4));
  expect(trialsOf(10, 4)).not.toEqual(ten);
  const many = trialsOf(2000, 1).slice(1);
  for (const key of ["lr", "dropout", "batchSize"] as const) {
    const counts = new Map<unknown, number>();
    for (const trial of many) counts.set(trial[key], (counts.get(trial[key]) ?? 0) + 1);
    const expected = many.length / counts.size;
    for (const times of counts.values()) expect(Math.abs(times - expected)).toBeLessThan(6 * Math.sqrt(expected));
  }
});

test("a fifth of the rows is held out, each row stands in one part", () => {
  const { train, validation } = partsOf(103, 5);
  expect([train.length, validation.length]).toEqual([83, 20]);
  expect([...train, ...validation].sort((a, b) => a - b)).toEqual(Array.from({ length: 103 }, (_, row) => row));
  expect([...validation]).not.toEqual([...partsOf(103, 6).validation]);
});
