// Bundles beside those of the library take it as it was built: so its classes and what it remembers exist once.
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { root } from "./tools.mjs";

/** Entry points by their module in lib/, as a file one folder below dist/ reaches them: whatever such a bundle is cut into lies in one. */
const ENTRIES = new Map(
  ["index", "kernels/index", "exchange/index"].map((name) => [join(root, `lib/${name}.ts`), `../${name}.js`]),
);

/**
 * Imports of the entry points stay what they are.
 *
 * @type {import("esbuild").Plugin}
 */
export const builtEntries = {
  name: "built entry points",
  setup(bundler) {
    bundler.onResolve({ filter: /\bindex\.js$/ }, ({ path, importer, kind }) => {
      if (kind === "entry-point") return undefined;
      const built = ENTRIES.get(resolve(dirname(importer), path.replace(/\.js$/, ".ts")));
      return built === undefined ? undefined : { path: built, external: true };
    });
  },
};

const CLASS = /^export class CarillonError [\s\S]*?^}\n/m;

/**
 * Errors of what a bundle has of lib/ are of the library's class, by which callers know them.
 *
 * @type {import("esbuild").Plugin}
 */
export const errorsOfLibrary = {
  name: "errors of the library",
  setup(bundler) {
    bundler.onLoad({ filter: /[/\\]lib[/\\]errors\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      if (!CLASS.test(text)) throw new Error(`${path}: no class CarillonError at its margin`);
      const theirs = 'import { CarillonError } from "./index.js";\nexport { CarillonError };\n';
      return { contents: text.replace(CLASS, theirs), loader: "ts" };
    });
  },
};
