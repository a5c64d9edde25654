// The built package (dist/), as somebody who installed it has it: by name, at run time and for the compiler.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import { beforeEach, expect, test } from "vitest";
import { root } from "../../scripts/tools.mjs";

const work = join(root, "build/test-kernels/package");

const PROGRAM = `
import { CarillonError, runtime } from "carillon";
import * as kernels from "carillon/kernels";

const options: kernels.GemmOptions = {
  m: 1,
  n: 2,
  k: 2,
  a: Float32Array.of(1, 2),
  b: Float32Array.of(1, 2, 3, 4),
  c: new Float32Array(2),
};
kernels.gemm(options);
if (options.c.join() !== "7,10") throw new Error(options.c.join());
if (kernels.CarillonError !== CarillonError || kernels.runtime !== runtime) throw new Error("two copies");
`;

beforeEach((context) => {
  if (!existsSync(join(root, "dist/index.js"))) context.skip("nothing is built: npm run build:js");
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, "program.ts"), PROGRAM);
});

test("carillon/kernels has types", () => {
  const options = { extends: "../../../tsconfig.base.json", include: ["program.ts"] };
  writeFileSync(join(work, "tsconfig.json"), JSON.stringify(options));
  const { stdout } = spawnSync(execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", work], {
    encoding: "utf8",
  });
  expect(stdout).toBe("");
});

test("carillon/kernels runs, and shares its errors with carillon", () => {
  const file = join(work, "program.mjs");
  writeFileSync(file, PROGRAM.replace(": kernels.GemmOptions", ""));
  const { status, stderr } = spawnSync(execPath, [file], { encoding: "utf8" });
  expect(status, stderr).toBe(0);
});
