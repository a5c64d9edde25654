// A small version of `npm run crash-test`.
import { expect, test } from "vitest";
import { bundle } from "../train/child.js";
import { crashTest } from "./crash.js";
import { fightTest } from "./fights.js";

test("a job that is killed again and again ends with the bits of one that was not", async () => {
  const job = [process.execPath, await bundle("main", "test/crash"), "job"];
  const report = await crashTest({ job, kills: 6, insideWrites: 1, seed: 5 });
  expect(report.failures).toEqual([]);
  expect(report.kills).toBeGreaterThanOrEqual(6);
  expect(report.insideWrites).toBeGreaterThanOrEqual(1);
  expect(report.runs).toBeGreaterThanOrEqual(1);
  expect(report.identical).toBe(report.runs);
});

test("two processes fight for one folder: no job is lost and no two are mixed", async () => {
  const job = [process.execPath, await bundle("main", "test/crash"), "fight"];
  const report = await fightTest({ job, fights: 4, seed: 3 });
  expect(report.failures).toEqual([]);
  expect(report.fights).toBe(4);
  expect(report.busy + report.foreign).toBeGreaterThanOrEqual(2);
  expect(report.ended).toBe(report.begun);
});
