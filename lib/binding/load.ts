import { dirname, join, resolve } from "node:path";
import { CarillonError, messageOf } from "../errors.js";
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

/**
 * This file. In a bundle the bundle, or, by webpack and Rspack, where this file lay when it was built; in one of CommonJS, which has
 * no address, nothing.
 */
const here: string | undefined = fileOf(import.meta.url);

function fileOf(address: unknown): string | undefined {
  if (typeof address !== "string" || !address.startsWith("file:")) return undefined;
  return process.getBuiltinModule("node:url").fileURLToPath(address);
}

/** Files beside which what this needs may lie: this one, the program that was started, the executable that it may be itself. */
const places: readonly string[] = [here, process.argv[1] && resolve(process.argv[1]), process.execPath].flatMap(
  (place) => (place === undefined || place === "" ? [] : [place]),
);

/** As if a file of this folder said it. */
function requireFrom(file: string): NodeJS.Require {
  return process.getBuiltinModule("node:module").createRequire(file);
}

/** A binary, and what said so. */
export interface Binary {
  readonly path: string;
  readonly from: "CARILLON_BINARY" | "build" | "prebuilds" | "beside the program";
}

function isOurs(folder: string): boolean {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { readonly name?: unknown };
    return name === "carillon";
  } catch {
    return false;
  }
}

/** The folder of the package that this file belongs to: two above lib/binding/ and dist/chunks/. */
function ownFolder(): string | undefined {
  const own = here === undefined ? undefined : resolve(here, "../../..");
  return own !== undefined && isOurs(own) ? own : undefined;
}

/** The folder of the package as an import from one of these places finds it. */
function installedFolder(): string | undefined {
  for (const place of [...places, join(process.cwd(), "program.js")]) {
    try {
      return dirname(requireFrom(place).resolve("carillon/package.json"));
    } catch {
      // From the next place, perhaps.
    }
  }
  return undefined;
}

/** The folder of this package; `undefined` for a bundle that it is not installed beside. */
export function packageFolder(): string | undefined {
  return ownFolder() ?? installedFolder();
}

function refuse(what: string, advice: string, cause?: unknown): never {
  const reason = cause === undefined ? "" : ` Reason: ${messageOf(cause).trim()}`;
  const message = `${what} on ${platform()}, Node.js ${process.version}. ${advice}${reason}`;
  throw new CarillonError("ERR_NATIVE", "carillon", message, { cause });
}

/** Advice for this platform where the package has no binary for it. `carillon build` is not for Windows. */
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

/** The name of a binary that somebody has put beside a bundle, or beside an executable that holds the program. */
const BESIDE = "carillon.node";

/**
 * The native binary to load: the `.node` file that `CARILLON_BINARY` names, else build/Release of this package (what
 * `carillon build` and a checkout make), else the one in prebuilds/ that fits. A bundle takes `carillon.node` beside it, beside the
 * program that was started or beside the executable, else that of the package that is installed. `ERR_NATIVE` says where there is none.
 */
export function findBinary(): Binary {
  const given = process.env.CARILLON_BINARY;
  if (given) return { path: resolve(given), from: "CARILLON_BINARY" };
  const own = ownFolder();
  if (own !== undefined) return binaryIn(own);
  const beside = places.map((place) => join(dirname(place), BESIDE));
  const path = beside.find(exists);
  if (path !== undefined) return { path, from: "beside the program" };
  const installed = installedFolder();
  if (installed !== undefined) return binaryIn(installed);
  return refuse(
    "neither the native binary nor the package carillon, which holds it, is to be found from here",
    `Is this file a bundle? Keep carillon out of it and installed beside it (esbuild: external: ["carillon"]), put the package's .node file beside it as ${BESIDE}, or let CARILLON_BINARY name it. Looked for ${beside.join(", ")}.`,
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
