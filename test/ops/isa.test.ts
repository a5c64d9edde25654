import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { runtime } from "../../lib/runtime.js";
import { bundleProgram, root } from "../../scripts/tools.mjs";
import { samples } from "./samples.js";
import * as ways from "./ways.js";

const start = promisify(execFile);

/** What isa-main.ts prints under the kernel table `isa`. */
async function report(bundle: string, isa: string): Promise<{ readonly isa: string; readonly operations: object }> {
  const { stdout } = await start(process.execPath, [bundle], { env: { ...process.env, CARILLON_ISA: isa } });
  return JSON.parse(stdout);
}

test("every instruction set computes the same bits for every sample of every operation", async () => {
  const bundle = join(root, "build/test-ops/isa-main.mjs");
  await bundleProgram("test/ops/isa-main.ts", bundle, ["node-gyp-build"]);
  const reports = await Promise.all(runtime.isas.map((isa) => report(bundle, isa)));
  expect(reports.map(({ isa }) => isa)).toEqual(runtime.isas);
  expect(runtime.isas).toContain("scalar");
  const counts = Object.entries(samples).map(([name, usages]) => [name, ways.namedSamples(name, usages).length]);
  for (const { operations } of reports) {
    expect(operations).toEqual(reports.at(-1)?.operations);
    const counted = Object.entries(operations).map(([name, of]) => [name, of.samples]);
    expect(counted).toEqual(counts);
  }
});
