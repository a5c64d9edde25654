// The bits of a run on every ISA: test/golden/bits-main.ts prints hashes of what was computed; every table, and (for
// test-arm64.mjs) an emulated processor, must print the same.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { argv, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { bundleProgram, mustRun, root, run } from "./tools.mjs";

const program = "test/golden/bits-main.ts";
const bundle = join(root, "build/golden/bits.mjs");

/**
 * What the program prints on this machine, the same for every kernel table that it can run. A table that the processor
 * lacks is skipped, and said to be.
 *
 * @returns {Promise<{ bundle: string, expected: string }>}
 */
export async function goldenBits() {
  await bundleProgram(program, bundle, ["node-gyp-build"]);
  const env = (/** @type {string} */ isa) => ({ env: { CARILLON_ISA: isa } });
  const expected = await mustRun("golden bits, scalar", execPath, [bundle], env("scalar"));
  if (expected.trim() === "") {
    console.error(`golden bits: ${program} prints nothing`);
    process.exit(1);
  }
  for (const isa of process.arch === "arm64" ? ["neon"] : ["avx2", "avx512"]) {
    const { status, output, stdout } = await run(execPath, [bundle], env(isa));
    if (status !== 0 && output.includes("CARILLON_ISA")) {
      console.log(`golden bits, ${isa}: SKIPPED, not on this processor`);
    } else if (status !== 0) {
      console.error(`${output}\ngolden bits, ${isa}: FAILED (status ${status})`);
      process.exit(1);
    } else {
      mustEqual(isa, stdout, expected);
    }
  }
  return { bundle, expected };
}

/**
 * Ends the process if the bits differ.
 *
 * @param {string} isa
 * @param {string} actual
 * @param {string} expected
 */
export function mustEqual(isa, actual, expected) {
  if (actual === expected) {
    console.log(`golden bits, ${isa}: the same as scalar`);
    return;
  }
  const expectedLines = expected.split("\n");
  const different = actual.split("\n").filter((line, index) => line !== expectedLines[index]);
  console.error(`${different.join("\n")}\ngolden bits, ${isa}: DIFFERENT from scalar on ${process.arch}:\n${expected}`);
  process.exit(1);
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  if (existsSync(join(root, program))) await goldenBits();
  else console.log(`golden bits: SKIPPED, there is no ${program} yet`);
}
