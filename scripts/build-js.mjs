// dist/: one bundled file an entry point (what both share is a chunk of its own), parts that are loaded at their first use, the
// command, and the types. Fails if the types of lib/ do not hold. Classes exist once: the command imports the built entry points.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { builtEntries, errorsOfLibrary } from "./built-entries.mjs";
import { nameClasses } from "./class-names.mjs";
import { keepReached } from "./declarations.mjs";
import { shortenLocals } from "./local-names.mjs";
import { PACKED_SOURCE, packSource } from "./package-source.mjs";
import { linkParts, partEntries, partsAtFirstUse } from "./parts.mjs";
import { mustRun, root } from "./tools.mjs";

/** Node.js prints the whole line of an uncaught error. */
const lineLimit = 300;

/** @type {import("esbuild").BuildOptions} */
const options = {
  absWorkingDir: root,
  outdir: "dist",
  outbase: "lib",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  // Names stay: local-names.mjs shortens those that no stack trace has.
  minifyWhitespace: true,
  minifySyntax: true,
  lineLimit,
  packages: "external",
  logLevel: "warning",
};

rmSync(join(root, "dist"), { recursive: true, force: true });
await Promise.all([
  mustRun("types", "tsc", ["-p", "tsconfig.build.json"]),
  build({
    ...options,
    entryPoints: [{ in: "lib/kernels/index.ts", out: "kernels/index" }, ...partEntries],
    plugins: [partsAtFirstUse],
  }),
  build({ ...options, entryPoints: ["lib/exchange/index.ts"], plugins: [builtEntries, errorsOfLibrary] }),
  build({
    ...options,
    entryPoints: ["lib/cli/main.ts", "lib/cli/self_check.ts", "lib/cli/table_worker.ts"],
    plugins: [builtEntries],
  }),
]);
linkParts(join(root, "dist"));
// Node.js loads parts of the library at their first use; bundlers take all of them.
writeFileSync(join(root, "dist/exchange/whole.js"), 'import"../whole.js";export*from"./index.js";\n');
nameClasses(join(root, "dist"));
await shortenLocals(join(root, "dist"), lineLimit);
keepReached(join(root, "dist"), ["index.d.ts", "kernels/index.d.ts", "exchange/index.d.ts"]);
packSource(join(root, "dist", PACKED_SOURCE));
