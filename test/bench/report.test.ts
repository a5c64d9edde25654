import { expect, test } from "vitest";
import { fixed, geometricMean, median, peerLines, Table, thisMachine } from "../../bench/report.js";

test("medians", () => {
  expect(median([3])).toBe(3);
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([10, 9, 2])).toBe(9); // by number, not by spelling
  expect(median([])).toBeNaN();
});

test("geometric means", () => {
  expect(geometricMean([2, 8])).toBeCloseTo(4, 12);
  expect(geometricMean([0.5, 1, 2])).toBeCloseTo(1, 12);
  expect(geometricMean([])).toBeNaN();
});

test("numbers that are not there", () => {
  expect([fixed(1.25, 1), fixed(null, 1), fixed(undefined, 1), fixed(Number.NaN, 1)]).toEqual(["1.3", "–", "–", "–"]);
});

test("a table keeps its columns", () => {
  const table = new Table<{ name: string; value: number }>([
    { title: "name", width: 6, align: "left", text: ({ name }) => name },
    { title: "value", width: 7, text: ({ value }) => fixed(value, 2) },
  ]);
  expect(table.header()).toBe("name      value");
  expect(table.line({ name: "a", value: 12.5 })).toBe("a         12.50");
});

test("absent peers are named", () => {
  expect(peerLines({ onednn: "oneDNN 3.2.0", mkl: null })).toEqual(["peer onednn: oneDNN 3.2.0", "peer mkl: absent"]);
});

test("the machine is described", () => {
  const machine = thisMachine();
  expect(machine.isas).toContain(machine.isa);
  expect(machine.cores).toBeGreaterThanOrEqual(1);
  expect(machine.node).toBe(process.version);
  expect(Date.parse(machine.date)).toBeGreaterThan(0);
});
