import { join } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { root } from "../../scripts/tools.mjs";
import { reportsOf } from "../reports_by_isa.js";
import { CASES, nameOf } from "./cases.js";

test("every kernel gives the same bits under every instruction set", async () => {
  const bundle = join(root, "build/test-kernels/isa-main.mjs");
  await build({
    absWorkingDir: root,
    entryPoints: ["test/kernels/isa-main.ts"],
    outfile: bundle,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    alias: { "carillon/kernels": join(root, "lib/kernels/index.ts"), carillon: join(root, "lib/index.ts") },
    external: ["node-gyp-build"],
    logLevel: "warning",
  });
  const reports = await reportsOf<{ readonly isa: string; readonly hashes: readonly [string, string][] }>(bundle);
  const scalar = reports.at(-1);
  expect(scalar?.hashes.map(([name]) => name)).toEqual(CASES.map(nameOf));
  for (const { isa, hashes } of reports) expect(hashes, isa).toEqual(scalar?.hashes);
});
