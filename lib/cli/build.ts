import { type SpawnSyncOptions, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { platform } from "../binding/platform.js";
import { CarillonError } from "../errors.js";
import { manifest, ownFolder } from "./package.js";

/** How `carillon build` is asked. */
export interface BuildOptions {
  /** Where the binary goes; into the package by default. */
  readonly out: string | undefined;
  /** Shows what CMake and the compiler say. */
  readonly verbose: boolean;
  readonly print: (line: string) => void;
  readonly complain: (line: string) => void;
}

/** Packages of headers: needed for a build, not to run, so they are no dependencies. */
const HEADERS = ["node-api-headers", "node-addon-api"] as const;

const NEEDS = "CMake >= 3.20 and a C++20 compiler (GCC >= 11, Clang >= 14)";

function refuse(where: string, message: string): never {
  throw new CarillonError("ERR_NATIVE", where, message);
}

/** Runs a program to its end; refuses with what it said if it fails. */
function must(what: string, command: string, args: readonly string[], { verbose }: BuildOptions, cwd: string): void {
  const options: SpawnSyncOptions = { cwd, stdio: verbose ? ["ignore", "inherit", "inherit"] : "pipe" };
  const { error, status, signal, stdout, stderr } = spawnSync(command, [...args], { ...options, encoding: "utf8" });
  if (error !== undefined) {
    refuse(what, `${what}: ${command} cannot be started (${error.message}). A build needs ${NEEDS} and npm`);
  }
  if (status === 0) return;
  const said = verbose ? "" : `\n${stdout ?? ""}${stderr ?? ""}`.trimEnd();
  refuse(what, `${what}: ${command} failed with ${signal ?? `status ${status}`}. A build needs ${NEEDS}${said}`);
}

/** Where the headers lie that are installed beside the package; `undefined` if one is not. */
function installedHeaders(folder: string): readonly string[] | undefined {
  const { resolve: find } = createRequire(join(folder, "package.json"));
  try {
    return HEADERS.map((name) => dirname(find(`${name}/package.json`)));
  } catch {
    return undefined;
  }
}

/** npm, as whoever started this command has it. */
function npm(): { readonly command: string; readonly args: readonly string[] } {
  const script = process.env.npm_execpath;
  if (script?.endsWith("npm-cli.js")) return { command: process.execPath, args: [script] };
  const beside = (process.env.PATH ?? "").split(delimiter).map((path) => join(path, "npm"));
  return { command: beside.find((path) => existsSync(path)) ?? "npm", args: [] };
}

/** The headers, fetched into `work` if need be. */
function findHeaders(folder: string, work: string, options: BuildOptions): readonly string[] {
  const installed = installedHeaders(folder);
  if (installed !== undefined) return installed;
  const { devDependencies } = manifest();
  const wanted = HEADERS.map((name) => `${name}@${devDependencies[name] ?? "latest"}`);
  options.print(`fetching the headers ${wanted.join(" and ")} (beside the package they would be found)`);
  writeFileSync(join(work, "package.json"), '{ "private": true }\n');
  const { command, args } = npm();
  const install = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", ...wanted];
  must("headers", command, [...args, ...install], options, work);
  return HEADERS.map((name) => join(work, "node_modules", name));
}

/** Whether files can be made at this path, whose folder may still be missing. */
function canWrite(path: string): boolean {
  let folder = dirname(path);
  while (!existsSync(folder)) folder = dirname(folder);
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where the package has its source: files by name, as JSON, by Brotli. */
const packedSource = (folder: string): string => join(folder, "dist/source.json.br");

/** In a checkout the source itself; in the package what it has of it, unpacked into `work`. */
function sourceOf(folder: string, work: string): string {
  if (existsSync(join(folder, "native"))) return folder;
  const text = brotliDecompressSync(readFileSync(packedSource(folder))).toString("utf8");
  const source = join(work, "source");
  for (const [name, contents] of Object.entries(JSON.parse(text) as Record<string, string>)) {
    // our own file
    const file = join(source, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, contents);
  }
  return source;
}

function compile(folder: string, work: string, headers: readonly string[], options: BuildOptions): string {
  const [api = "", addon = ""] = headers;
  const tree = join(work, "tree");
  const settings = {
    CMAKE_BUILD_TYPE: "Release",
    CARILLON_ADDON: "ON",
    CARILLON_ADDON_DIR: work,
    CMAKE_JS_INC: `${join(api, "include")};${addon}`,
    ...(process.platform === "linux" ? { CMAKE_MODULE_LINKER_FLAGS: "-s" } : {}),
  };
  const defines = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
  must("cmake", "cmake", ["-S", sourceOf(folder, work), "-B", tree, ...defines], options, work);
  must("compiler", "cmake", ["--build", tree, "--parallel", String(availableParallelism())], options, work);
  return join(work, "carillon.node");
}

/** Loads a binary in a process of its own and returns the name of its kernels. */
function tryOut(binary: string, options: BuildOptions): string {
  const program = "process.stdout.write(require(process.argv[1]).info().isa)";
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["-e", program, binary], { encoding: "utf8" });
  if (status === 0) return stdout;
  if (!options.verbose) options.complain(stderr);
  return refuse("build", `the binary that was built does not load (${signal ?? `status ${status}`})`);
}

/** Under its name only when it is there in full. */
function place(binary: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  const temporary = `${target}.${process.pid}`;
  try {
    copyFileSync(binary, temporary);
    renameSync(temporary, target);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/**
 * Compiles the native binary from the source in the package and puts it where an import finds it, or to `out`. Returns the
 * exit status. `ERR_NATIVE` says what is missing: CMake, a compiler, headers, a folder that can be written.
 */
export function buildBinary(options: BuildOptions): number {
  const { print, out } = options;
  const folder = ownFolder();
  if (process.platform === "win32") {
    return refuse(
      "build",
      "carillon build does not know Windows: take the binary in the package, or npm run build:native",
    );
  }
  const target = out === undefined ? join(folder, "build/Release/carillon.node") : resolve(out);
  if (!canWrite(target)) {
    const advice = "build it elsewhere with --out FILE, and let CARILLON_BINARY name that file";
    return refuse("build", `${target} cannot be written: ${advice}`);
  }
  print(`compiling carillon ${manifest().version} for ${platform()} from the source in ${folder}`);
  print(`this takes a minute or two, ${NEEDS}`);
  const work = mkdtempSync(join(tmpdir(), "carillon-build-"));
  const started = performance.now();
  try {
    const binary = compile(folder, work, findHeaders(folder, work, options), options);
    const isa = tryOut(binary, options);
    place(binary, target);
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    print(`built ${target} in ${seconds} s; it loads and has chosen the ${isa} kernels`);
    print(`sha256 ${createHash("sha256").update(readFileSync(target)).digest("hex")}`);
    print(out === undefined ? "import takes it from now on" : `import takes it with CARILLON_BINARY=${target}`);
    return 0;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
