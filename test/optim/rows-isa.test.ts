import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { runtime } from "../../lib/runtime.js";
import { bundleProgram, root } from "../../scripts/tools.mjs";

const start = promisify(execFile);

test("every instruction set makes the same bits of updates in rows", async () => {
  const bundle = join(root, "build/test-optim/rows-isa-main.mjs");
  await bundleProgram("test/optim/rows-isa-main.ts", bundle, ["node-gyp-build"]);
  const reports = await Promise.all(
    runtime.isas.map(async (isa) => {
      const { stdout } = await start(process.execPath, [bundle], { env: { ...process.env, CARILLON_ISA: isa } });
      return JSON.parse(stdout) as { readonly isa: string; readonly hash: string };
    }),
  );
  expect(reports.map(({ isa }) => isa)).toEqual(runtime.isas);
  expect(new Set(reports.map(({ hash }) => hash)).size).toBe(1);
});
