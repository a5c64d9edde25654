// dist/: one bundled file an entry point (what two share is a chunk of its own), and the types. Fails if the types of lib/ do not hold.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { mustRun, root } from "./tools.mjs";

const entryPoints = ["lib/index.ts", "lib/kernels/index.ts"];

rmSync(join(root, "dist"), { recursive: true, force: true });
await Promise.all([
  mustRun("types", "tsc", ["-p", "tsconfig.build.json"]),
  build({
    absWorkingDir: root,
    entryPoints,
    outdir: "dist",
    outbase: "lib",
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    // What is imported on first use (`await import(…)`) becomes a file of its own.
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    external: ["node-gyp-build"],
    logLevel: "warning",
  }),
]);
