// A small version of `npm run crash-test`.
import { expect, test } from "vitest";
import { bundle } from "../train/child.js";
import { crashTest } from "./crash.js";

test("a job that is killed again and again ends with the bits of one that was not", async () => {
  const job = [process.execPath, await bundle("main", "test/crash"), "job"];
  const report = await crashTest({ job, kills: 6, insideWrites: 1, seed: 5 });
  expect(report.failures).toEqual([]);
  expect(report.kills).toBeGreaterThanOrEqual(6);
  expect(report.insideWrites).toBeGreaterThanOrEqual(1);
  expect(report.runs).toBeGreaterThanOrEqual(1);
  expect(report.identical).toBe(report.runs);
});
