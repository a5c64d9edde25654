// Reports on sources that are too large to be held: some of their rows stand for all.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { report, table, tabular } from "../../lib/index.js";
import { LargeSource } from "../../lib/table/large.js";
import { sampleOf } from "../../lib/table/sample.js";

const folder = mkdtempSync(join(tmpdir(), "carillon-sampled-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a sample has the rows that a draw of seed and number says, whatever the blocks are, in their order", async () => {
  const path = join(folder, "rows.csv");
  const rows = Array.from({ length: 20_000 }, (_, row) => `${row},${"x".repeat(row % 50)}`);
  writeFileSync(path, `row,text\n${rows.join("\n")}\n`);
  const { table: sample, rows: numbers, all } = await sampleOf(new LargeSource(path), {}, 1000, 3);
  expect(all).toBe(20_000);
  expect(numbers.length).toBeGreaterThan(500);
  expect(numbers.length).toBeLessThanOrEqual(1000);
  const { column } = { column: sample.column("row") };
  expect(column.kind === "number" ? [...column.values] : []).toEqual([...numbers]);
  const halves = [...numbers].filter((row) => row < 10_000).length / numbers.length;
  expect(Math.abs(halves - 0.5)).toBeLessThan(0.1);
  const whole = await sampleOf(new LargeSource(await table(path)), {}, 1000, 3);
  expect([...whole.rows]).toEqual([...numbers]);
  expect([...(await sampleOf(new LargeSource(path), {}, 1000, 4)).rows]).not.toEqual([...numbers]);
  expect((await sampleOf(new LargeSource(path), {}, 50_000, 3)).rows).toHaveLength(20_000);
});

test("a report on a large file looks at some rows, those held out among them by who had not seen them", async () => {
  const path = join(folder, "large.csv");
  const lines = Array.from({ length: 3000 }, (_, i) => {
    return `${(i * 37) % 1009},${i % 3},${(i * 37) % 1009 > 500 ? "stays" : "goes"}`;
  });
  writeFileSync(path, `a,b,end\n${lines.join("\n")}\n`);
  const model = await tabular({ preset: "fast", epochs: 1, hidden: [8] }).fit(path, { target: "end", memory: 0 });
  const { json, html } = await report(model, path, { memory: 0, rows: 100, repeats: 20, shuffles: 1 });
  const { all, sample = 0, measured, how } = json.rows;
  expect([all, how]).toEqual([3000, "held out"]);
  expect([sample, measured]).toEqual([3000, model.outOfFold?.rows.length]);
  const score = json.targets[0]?.scores.find(({ measure }) => measure === "accuracy");
  expect(score?.value).toBeCloseTo(model.score.accuracy ?? 0, 5);
  expect(html).toContain("drawn from them");
});
