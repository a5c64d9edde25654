import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { runtime } from "carillon";
import { expect, test } from "vitest";
import { bundleProgram, root } from "../../scripts/tools.mjs";

const start = promisify(execFile);

/** What bits-main.ts prints. */
interface Report {
  readonly isa: string;
  readonly trainings: Readonly<Record<string, readonly string[]>>;
}

test("every trick gives the same bits for 1, 2 and 3 threads and for every instruction set", async () => {
  const bundle = join(root, "build/test-regularizers/bits-main.mjs");
  await bundleProgram("test/regularizers/bits-main.ts", bundle, ["node-gyp-build"]);
  const reports: Report[] = [];
  for (const isa of runtime.isas) {
    const { stdout } = await start(process.execPath, [bundle], { env: { ...process.env, CARILLON_ISA: isa } });
    reports.push(JSON.parse(stdout));
  }
  expect(reports.map(({ isa }) => isa)).toEqual(runtime.isas);
  expect(runtime.isas).toContain("scalar");
  const [first] = reports;
  const hashes = Object.values(first?.trainings ?? {}).map(([one]) => one);
  // No two trainings are the same: none of the tricks is left out.
  expect(hashes).toHaveLength(17);
  expect(new Set(hashes).size).toBe(17);
  for (const { trainings } of reports) {
    for (const [name, threads] of Object.entries(trainings)) {
      expect([name, ...new Set(threads)]).toEqual([name, first?.trainings[name]?.[0]]);
    }
  }
});
