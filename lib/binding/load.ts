import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CarillonError } from "../errors.js";
import { platform } from "./platform.js";

/** This file; in a bundle of CommonJS, which has no address, the program that was started. */
const here: string | undefined =
  typeof import.meta.url === "string" ? fileURLToPath(import.meta.url) : process.argv[1] && resolve(process.argv[1]);
const require = createRequire(here ?? join(process.cwd(), "program.js"));

/** A binary, and what said so. */
export interface Binary {
  readonly path: string;
  readonly from: "CARILLON_BINARY" | "build" | "prebuilds";
}

function isOurs(folder: string): boolean {
  try {
    const { name } = require(join(folder, "package.json")) as { readonly name?: unknown };
    return name === "carillon";
  } catch {
    return false;
  }
}

/**
 * The folder of this package: two above lib/binding/ and dist/chunks/. A bundle that has taken this file in looks for the
 * package as an import would; `undefined` if there is none.
 */
export function packageFolder(): string | undefined {
  const own = here === undefined ? undefined : resolve(here, "../../..");
  if (own !== undefined && isOurs(own)) return own;
  try {
    return dirname(require.resolve("carillon/package.json"));
  } catch {
    return undefined;
  }
}

function refuse(what: string, advice: string, cause?: unknown): never {
  const reason = cause instanceof Error ? ` Reason: ${cause.message.trim()}` : "";
  const message = `${what} on ${platform()}, Node.js ${process.version}. ${advice}${reason}`;
  throw new CarillonError("ERR_NATIVE", "carillon", message, { cause });
}

const BUILD = "`npx carillon build` compiles one from the source in the package.";

/**
 * The native binary to load: the `.node` file that `CARILLON_BINARY` names, else build/Release of this package (what
 * `carillon build` and a checkout make), else the one in prebuilds/ that fits. `ERR_NATIVE` says where there is none.
 */
export function findBinary(): Binary {
  const given = process.env.CARILLON_BINARY;
  if (given) return { path: resolve(given), from: "CARILLON_BINARY" };
  const folder = packageFolder();
  if (folder === undefined) {
    return refuse(
      "the package carillon, which holds the native binary, is not to be found from here",
      `Is this file a bundle? Keep carillon out of it and installed beside it (esbuild: external: ["carillon"]), or let CARILLON_BINARY name the .node file. Looked from ${here ?? process.cwd()}.`,
    );
  }
  try {
    // From there: where packages see only what they name, this file may see less when it is in a bundle.
    const { path } = createRequire(join(folder, "package.json"))("node-gyp-build/node-gyp-build.js") as {
      path(folder: string): string;
    };
    const found = path(folder);
    return { path: found, from: found.startsWith(join(folder, "build")) ? "build" : "prebuilds" };
  } catch (cause) {
    const places = [join(folder, "build/Release"), join(folder, "prebuilds", `${process.platform}-${process.arch}`)];
    return refuse(`there is no native binary in ${places.join(" or ")}`, BUILD, cause);
  }
}

/** The native addon, as it exports itself. `ERR_NATIVE` if there is none, or none that loads. */
export function loadAddon(): unknown {
  const { path, from } = findBinary();
  try {
    return require(path);
  } catch (cause) {
    if (from === "CARILLON_BINARY") return refuse(`CARILLON_BINARY=${path} does not load`, "", cause);
    return refuse(`${path} does not load`, BUILD, cause);
  }
}
