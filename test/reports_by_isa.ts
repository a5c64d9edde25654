import { execFile } from "node:child_process";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import { runtime } from "../lib/runtime.js";
import { bundleProgram, root } from "../scripts/tools.mjs";

/** What a program prints under a table of kernels, and which that was. */
interface Report {
  readonly isa: string;
}

const start = promisify(execFile);

/** What a bundled program prints, as JSON, under every instruction set of this machine, in their order, the scalar one among them. */
export async function reportsOf<T extends Report>(bundle: string): Promise<readonly T[]> {
  const reports = await Promise.all(
    runtime.isas.map(async (isa) => {
      const { stdout } = await start(process.execPath, [bundle], { env: { ...process.env, CARILLON_ISA: isa } });
      return JSON.parse(stdout) as T;
    }),
  );
  expect(reports.map(({ isa }) => isa)).toEqual(runtime.isas);
  expect(runtime.isas).toContain("scalar");
  return reports;
}

/** The same of a program of the checkout, such as `test/ops/isa-main.ts`. */
export async function reportsByIsa<T extends Report>(program: string): Promise<readonly T[]> {
  const bundle = join(root, "build/test-isa", `${basename(program, ".ts")}.mjs`);
  await bundleProgram(program, bundle, ["node-gyp-build"]);
  return await reportsOf<T>(bundle);
}

/** Whether a program prints the same `hash` under each. */
export async function expectOneHash(program: string): Promise<void> {
  const reports = await reportsByIsa<Report & { readonly hash: string }>(program);
  expect(new Set(reports.map(({ hash }) => hash)).size).toBe(1);
}
