// What docs/performance.md shows is made from the reports in bench/results.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { folderOf, isDone, orderOf } from "../../bench/all.js";
import { processorOf, slugOf } from "../../bench/processor.js";
import { reportText, thisMachine } from "../../bench/report.js";
import { SUITES } from "../../bench/suites.js";
import { type Results, readResults, withTables } from "../../bench/tables.js";

test("the tables are those of the reports", () => {
  const text = readFileSync("docs/performance.md", "utf8");
  expect(withTables(text, readResults("bench/results"))).toBe(text);
  for (const name of ["machines", "products", "product summary", "steps", "together", "kernels"]) {
    expect(text).toContain(`<!-- table ${name} -->`);
  }
});

test("a processor is some columns, and what it lacks is a dash", () => {
  const date = "2026-01-01T00:00:00.000Z";
  const row = { name: "adam", threads: 1, workingSet: 67_108_864, fractionOfStream: 0.911, fractionOfPattern: 0.994 };
  const none = { gemm: undefined, train: undefined, together: undefined };
  const results: Results[] = [
    { ...none, machine: { kind: "A", date }, streamed: [{ ...row, workingSet: 524_288, fractionOfStream: 0.48 }] },
    { ...none, machine: { kind: "B", date }, streamed: [row, { ...row, threads: 2 }] },
  ];
  const lines = withTables("x\n<!-- table kernels -->\nold\n<!-- end -->\ny", results).split("\n");
  expect(lines).toEqual([
    "x",
    "<!-- table kernels -->",
    "",
    "| kernel | A: stream, 512 KB | 64 MB | pattern, 512 KB | 64 MB | B: stream, 512 KB | 64 MB | pattern, 512 KB | 64 MB |",
    `|${"---|".repeat(9)}`,
    "| adam | 0.48 | – | 0.99 | – | – | 0.91 | – | 0.99 |",
    "",
    "<!-- end -->",
    "y",
  ]);
  expect(() => withTables("<!-- table rows -->\n<!-- end -->", results)).toThrow('no table "rows"');
});

test("processors have the names that people know", () => {
  const cpuinfo = (family: number, model: number): string =>
    `processor\t: 0\ncpu family\t: ${family}\nmodel\t\t: ${model}\nmodel name\t: X\n`;
  expect(processorOf("Intel(R) Xeon(R) Processor", cpuinfo(6, 207)).kind).toBe("Emerald Rapids");
  expect(processorOf("AMD EPYC", cpuinfo(0x19, 0x11)).kind).toBe("Zen 4");
  expect(processorOf("AMD EPYC", cpuinfo(0x19, 0x01)).kind).toBe("Zen 3");
  expect(processorOf("Apple M2", undefined)).toEqual({ cpu: "Apple M2", kind: "Apple M2" });
  expect(slugOf("Intel(R) Xeon(R) Gold 6430")).toBe("intel-r-xeon-r-gold-6430");
});

test("all suites, those first that take least, and none twice of one revision", () => {
  const names = Object.keys(SUITES);
  expect(orderOf(names).toSorted()).toEqual(names.toSorted());
  expect(orderOf(names).at(-1)).toBe("train");
  const machine = { ...thisMachine(), kind: "Zen 9", revision: "abc1234" };
  expect(folderOf({ json: "" }, machine)).toBe(join("bench/results", "zen-9"));
  expect(folderOf({ json: "here" }, machine)).toBe("here");
  expect(folderOf({ json: undefined }, machine)).toBeUndefined();
  const folder = mkdtempSync(join(tmpdir(), "carillon-bench-"));
  try {
    const file = join(folder, "gemm.json");
    expect(isDone(file, machine)).toBe(false);
    const report = { suite: "gemm", machine, peers: {}, rows: [{ a: 1 / 3 }, { b: [2] }], summary: { c: 1e-9 / 3 } };
    writeFileSync(file, reportText(report));
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
      ...report,
      rows: [{ a: 0.33333 }, { b: [2] }],
      summary: { c: 3.3333e-10 },
    });
    expect(isDone(file, machine)).toBe(true);
    expect(isDone(file, { ...machine, revision: "abc1235" })).toBe(false);
    expect(isDone(file, { ...machine, revision: "abc1234-dirty" })).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
