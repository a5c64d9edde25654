// Large files are read beside the event loop: by what is bundled, as a thread begins with a file of it.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, expect, test } from "vitest";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "carillon-thread-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach((context) => {
  if (!existsSync(join(dist, "cli/table_worker.js"))) context.skip("nothing is built: npm run build:js");
});

const large = join(folder, "large.csv");
const row = (index: number): string =>
  `${index},level ${index % 50},${((index * 37) % 1000) / 8},${index % 3 === 0 ? "yes" : "no"}`;
const lines = Array.from({ length: 300_000 }, (_, index) => row(index));
writeFileSync(large, `id,name,x,target\n${lines.join("\n")}\n`);
writeFileSync(join(folder, "broken.csv"), `id,name,x,target\n${lines.join("\n")}\n1,2,3\n`);

/** What a program prints as JSON that has everything of the bundle, and the path of a folder. */
function run(program: string): unknown {
  const file = join(folder, "program.mjs");
  writeFileSync(file, `import * as carillon from ${JSON.stringify(join(dist, "index.js"))};\n${program}`);
  const { stdout, stderr, status } = spawnSync(process.execPath, [file, folder], { encoding: "utf8", timeout: 60_000 });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

test("a table, its schema and its preparation are those of this thread, and the event loop has little to do", () => {
  const found = run(`
    const path = process.argv[2] + "/large.csv";
    const busy = async (work) => {
      const before = performance.eventLoopUtilization();
      const result = await work();
      return { result, busy: performance.eventLoopUtilization(before).utilization };
    };
    const both = async (work) => {
      const [there, here] = [await busy(() => work({})), await busy(() => work({ thread: false }))];
      return { same: JSON.stringify(there.result) === JSON.stringify(here.result), there: there.busy, here: here.busy };
    };
    const sums = (table) => table.names.map((name) => {
      const column = table.column(name);
      return column.kind === "text" ? [...new Set(column.codes)].length + column.levels.join() : column.values.reduce((a, b) => a + b);
    });
    const table = async (options) => {
      const found = await carillon.table(path, options);
      return [found.rows, sums(found), found.place(299_999), found.dialect];
    };
    const blocks = async (options) => {
      const all = [];
      for await (const block of carillon.tableBlocks(path, options)) all.push([block.rows, block.place(0)]);
      return all;
    };
    const { schema } = await carillon.schemaOf(path, { target: "target", rows: 1000 });
    const kinds = { columns: { ...schema.columns, x: { kind: "number" } }, target: "target" };
    console.log(JSON.stringify({
      table: await both(table),
      blocks: await both(blocks),
      schema: await both((options) => carillon.schemaOf(path, { ...options, target: "target" })),
      prepare: await both((options) => carillon.prepare(path, { ...options, schema: kinds })),
    }));`);
  const tasks = Object.entries(found as Record<string, { same: boolean; there: number; here: number }>);
  expect(tasks.map(([name, { same }]) => [name, same])).toEqual(
    ["table", "blocks", "schema", "prepare"].map((name) => [name, true]),
  );
  for (const [name, { there, here }] of tasks) expect(there, name).toBeLessThan(here / 2);
});

test("an error comes with its place, an abort with its reason, and nothing holds the process", () => {
  expect(
    run(`
      const broken = await carillon.table(process.argv[2] + "/broken.csv").catch(({ code, message, constructor }) => [code, message.split("/").at(-1), constructor === carillon.CarillonError]);
      const controller = new AbortController();
      const reading = carillon.table(process.argv[2] + "/large.csv", { signal: controller.signal });
      setTimeout(() => controller.abort(new Error("enough")), 20);
      const ended = await reading.catch(({ message }) => message);
      let first = 0;
      for await (const block of carillon.tableBlocks(process.argv[2] + "/large.csv")) {
        first = block.rows;
        break;
      }
      console.log(JSON.stringify([broken, ended, first > 0]));`),
  ).toEqual([["ERR_DATA", 'broken.csv, line 300002\' but received 3, the last of which is "3"', true], "enough", true]);
});

test("who listens is told of what a thread reads", () => {
  const program = `const events = [];
    const { rows } = await carillon.table(process.argv[2] + "/large.csv", { onEvent: (event) => events.push(event) });
    const last = events.at(-1);
    console.log(JSON.stringify([last.kind, last.rows === rows, last.bytes > 4e6, last.done, events.filter(({ done }) => done).length]));`;
  expect(run(program)).toEqual(["read", true, true, true, 1]);
});

test("an iterator that is left where it stands keeps no process", () => {
  const program = 'await carillon.tableBlocks(process.argv[2] + "/large.csv").next(); console.log("1");';
  expect(run(program)).toBe(1);
});
