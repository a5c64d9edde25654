import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Lines of `source` to which scripts/exact-arithmetic.grit objects when they stand in the file `path`. */
function objections(path: string, source: string[]): string[] {
  const checkout = mkdtempSync(join(tmpdir(), "carillon-lint-"));
  try {
    const makeFolder = (file: string) => mkdirSync(dirname(join(checkout, file)), { recursive: true });
    for (const file of ["biome.json", ".gitignore", "scripts/exact-arithmetic.grit"]) {
      makeFolder(file);
      copyFileSync(join(root, file), join(checkout, file));
    }
    makeFolder(path);
    writeFileSync(join(checkout, path), source.join("\n"));
    const args = [join(root, "node_modules/@biomejs/biome/bin/biome"), "lint", "--colors=off", "--max-diagnostics=200"];
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: checkout, encoding: "utf8" });
    expect(stdout).toContain("Checked ");
    const places = `${stdout}${stderr}`.matchAll(/:(\d+):\d+ plugin/g);
    return [...places].map((place) => source[Number(place[1]) - 1] ?? "?");
  } finally {
    rmSync(checkout, { recursive: true, force: true });
  }
}

const inexact = [
  ..."acos acosh asin asinh atan atan2 atanh cbrt cos cosh exp expm1 hypot log log10 log1p log2 pow random sin sinh tan tanh"
    .split(" ")
    .map((name) => `f(Math.${name}(0.5));`),
  "const rule = Math.exp;",
  "f([1, 2].map(Math.sin));",
  'f(Math["log"](2));',
  "const { tanh } = Math;",
  "f(globalThis.Math.exp(1));",
  "f(Math.max(Math.abs(1), Math.log(2)));",
  "f(x ** 2);",
  "x **= 2;",
];
const exact = [
  "f(Math.sqrt(2) + Math.fround(0.1) + Math.imul(3, 5));",
  "f(Math.max(Math.min(1, 2), Math.floor(Math.PI)));",
  'f("x ** 2, x **= 2, Math.exp(1)");',
  "x *= 2;",
];

describe("arithmetic whose last bits differ between machines stays out of lib/", () => {
  test("every way to it is an error there", () => {
    expect(objections("lib/nn/example.ts", inexact).sort()).toEqual([...inexact].sort());
  });
  test("what IEEE-754 fixes is allowed", () => {
    expect(objections("lib/nn/example.ts", exact)).toEqual([]);
  });
  test("tests may compute references with it", () => {
    expect(objections("test/nn/example.test.ts", inexact)).toEqual([]);
  });
});
