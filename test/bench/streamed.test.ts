import { expect, test } from "vitest";
import { bytesText, summarize } from "../../bench/streamed.js";

test("sizes", () => {
  expect([24 << 10, 512 << 10, 8 << 20, 64 << 20].map(bytesText)).toEqual(["24 KB", "512 KB", "8 MB", "64 MB"]);
});

test("fractions by working set and threads", () => {
  const row = (name: string, workingSet: number, threads: number, fractionOfStream: number) => ({
    name,
    workingSet,
    threads,
    fractionOfStream,
  });
  const rows = [row("a", 64, 1, 1), row("a", 8, 1, 0.5), row("b", 64, 1, 0.25), row("a", 64, 2, 0.75)];
  expect(summarize(rows)).toEqual([
    { workingSet: 64, threads: 1, rows: 2, geomean: 0.5, minimum: 0.25, minimumName: "b" },
    { workingSet: 8, threads: 1, rows: 1, geomean: 0.5, minimum: 0.5, minimumName: "a" },
    { workingSet: 64, threads: 2, rows: 1, geomean: 0.75, minimum: 0.75, minimumName: "a" },
  ]);
});
