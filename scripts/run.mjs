// Runs a TypeScript program of the checkout: node scripts/run.mjs examples/digits/quickstart.ts [arguments].
// Node.js 20 cannot run TypeScript, so it is bundled into build/examples; `carillon` stays the built package in dist/.
// Each run has a bundle of its own, with the number of this process in its name, and what processes that are over have
// left there goes.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { bundleProgram, isOfLiving, root, run } from "./tools.mjs";

const folder = join(root, "build/examples");

function sweep() {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    if (name.endsWith(".mjs") && !isOfLiving(name)) rmSync(join(folder, name), { force: true });
  }
}

const [program, ...args] = process.argv.slice(2);
if (program === undefined) {
  console.error("usage: node scripts/run.mjs PROGRAM.ts [arguments]");
  process.exit(2);
}
sweep();
const bundle = join(folder, `${basename(program, ".ts")}-${process.pid}.mjs`);
await bundleProgram(program, bundle, ["carillon", "carillon/*"]);
const { status } = await run(process.execPath, ["--enable-source-maps", bundle, ...args], { show: true });
rmSync(bundle, { force: true });
process.exit(status);
