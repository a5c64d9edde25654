import { dirname, join, resolve } from "node:path";
import { CarillonError } from "../errors.js";
import { platform } from "./platform.js";

// An import of carillon is short: by getBuiltinModule, as an import of node:fs takes 1.6 ms to 2.8 ms; by process.dlopen, as the
// first require() takes 1.3 ms; and node-gyp-build, which needs it, is asked only for what has another name than ours.
const { existsSync, readFileSync } = process.getBuiltinModule("node:fs");

/** Whether there is such a file. Node.js's permission model throws where it does not let one look. */
function exists(path: string): boolean {
  try {
    return existsSync(path);
  } catch {
    return false;
  }
}

/** This file; in a bundle of CommonJS, which has no address, the program that was started. */
const here: string | undefined =
  typeof import.meta.url === "string"
    ? process.getBuiltinModule("node:url").fileURLToPath(import.meta.url)
    : process.argv[1] && resolve(process.argv[1]);

/** As if a file of this folder said it. */
function requireFrom(file: string): NodeJS.Require {
  return process.getBuiltinModule("node:module").createRequire(file);
}

/** A binary, and what said so. */
export interface Binary {
  readonly path: string;
  readonly from: "CARILLON_BINARY" | "build" | "prebuilds";
}

function isOurs(folder: string): boolean {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { readonly name?: unknown };
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
    const require = requireFrom(here ?? join(process.cwd(), "program.js"));
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

/** What can be done on this platform where the package has no binary for it. `carillon build` is not for Windows. */
const BUILD =
  process.platform !== "win32"
    ? "`npx carillon build` compiles one from the source in the package."
    : process.arch === "x64"
      ? "The package has one for this platform: install it anew."
      : "The package has one for Windows on x64, with Node.js for x64, which Windows on arm64 emulates.";

/** The names that prebuildify gives the binaries of this package, in the order in which node-gyp-build prefers them. */
function prebuiltNames(): readonly string[] {
  if (process.platform !== "linux") return ["carillon.node"];
  const library = process.env.LIBC || (exists("/etc/alpine-release") ? "musl" : "glibc");
  return [`carillon.${library}.node`, "carillon.node"];
}

function binaryIn(folder: string): Binary {
  const built = join(folder, "build/Release/carillon.node");
  if (exists(built)) return { path: built, from: "build" };
  const prebuilds = join(folder, "prebuilds", `${process.platform}-${process.arch}`);
  const prebuilt = prebuiltNames()
    .map((name) => join(prebuilds, name))
    .find((path) => exists(path));
  if (prebuilt !== undefined) return { path: prebuilt, from: "prebuilds" };
  try {
    // From there: where packages see only what they name, this file may see less when it is in a bundle.
    const { path } = requireFrom(join(folder, "package.json"))("node-gyp-build") as { path(folder: string): string };
    return { path: path(folder), from: "prebuilds" };
  } catch (cause) {
    return refuse(`there is no native binary in ${dirname(built)} or ${prebuilds}`, BUILD, cause);
  }
}

/**
 * The native binary to load: the `.node` file that `CARILLON_BINARY` names, else build/Release of this package (what
 * `carillon build` and a checkout make), else the one in prebuilds/ that fits. `ERR_NATIVE` says where there is none.
 */
export function findBinary(): Binary {
  const given = process.env.CARILLON_BINARY;
  if (given) return { path: resolve(given), from: "CARILLON_BINARY" };
  const folder = packageFolder();
  if (folder !== undefined) return binaryIn(folder);
  return refuse(
    "the package carillon, which holds the native binary, is not to be found from here",
    `Is this file a bundle? Keep carillon out of it and installed beside it (esbuild: external: ["carillon"]), or let CARILLON_BINARY name the .node file. Looked from ${here ?? process.cwd()}.`,
  );
}

/** The native addon, as it exports itself, with all `functions`. `ERR_NATIVE` if there is none, none that loads, or another. */
export function loadAddon(functions: readonly string[]): unknown {
  const { path, from } = findBinary();
  const addon: { exports: unknown } = { exports: {} };
  try {
    process.dlopen(addon, path);
  } catch (cause) {
    if (from === "CARILLON_BINARY") return refuse(`CARILLON_BINARY=${path} does not load`, "", cause);
    return refuse(`${path} does not load`, BUILD, cause);
  }
  const { exports } = addon;
  const missing = functions.find((name) => typeof Reflect.get(Object(exports), name) !== "function");
  if (missing === undefined) return exports;
  const what = from === "CARILLON_BINARY" ? `CARILLON_BINARY=${path}` : path;
  const advice = from === "build" ? BUILD : "";
  return refuse(`${what} is no binary of this version of carillon (it has no function '${missing}')`, advice);
}
