import { createRequire } from "node:module";
import { dirname } from "node:path";

const require = createRequire(import.meta.url);

/**
 * The native addon, as it exports itself. `CARILLON_BINARY` names a `.node` file to load instead of the one that
 * belongs to this package (build/Release of a checkout, otherwise prebuilds/).
 *
 * @throws Error that names the platform, when no binary loads.
 */
export function loadAddon(): unknown {
  const binary = process.env.CARILLON_BINARY;
  try {
    // The package finds itself by name: the same from lib/, from dist/ and from a bundle that contains this file.
    if (binary) return require(binary);
    const nodeGypBuild = require("node-gyp-build") as (root: string) => unknown;
    return nodeGypBuild(dirname(require.resolve("carillon/package.json")));
  } catch (cause) {
    const platform = `${process.platform}-${process.arch}, Node.js ${process.version}`;
    const what = binary ? `CARILLON_BINARY=${binary} does not load` : "there is no native binary that loads";
    throw new Error(
      `carillon: ${what} on ${platform}. In a checkout, build it with \`npm run build:native\`. ` +
        `Reason: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}
