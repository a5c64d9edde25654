// Runs a TypeScript program of the checkout: node scripts/run.mjs examples/digits/quickstart.ts [arguments].
// Node.js 20 cannot run TypeScript, so it is bundled into build/examples; `carillon` stays the built package in dist/.
import { basename, join } from "node:path";
import { bundleProgram, root, run } from "./tools.mjs";

const [program, ...args] = process.argv.slice(2);
if (program === undefined) {
  console.error("usage: node scripts/run.mjs PROGRAM.ts [arguments]");
  process.exit(2);
}
const bundle = join(root, "build/examples", basename(program).replace(/\.ts$/, ".mjs"));
await bundleProgram(program, bundle, ["carillon", "carillon/*"]);
const { status } = await run(process.execPath, ["--enable-source-maps", bundle, ...args], { show: true });
process.exit(status);
