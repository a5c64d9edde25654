// What the scripts share: running a command, building native tests, bundling a program.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const jobs = String(availableParallelism());

/**
 * Runs a command from the root of the checkout, with node_modules/.bin in its path.
 * Its output is returned, and also shown at once when `show` is set. Never rejects: a command that cannot be started
 * has status 127.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, show?: boolean, cwd?: string }} [options]
 * @returns {Promise<{ status: number, output: string, stdout: string }>}
 */
export function run(command, args, { env = {}, show = false, cwd = root } = {}) {
  return new Promise((done) => {
    const PATH = `${join(root, "node_modules/.bin")}${delimiter}${process.env.PATH}`;
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, PATH, ...env },
      stdio: show ? "inherit" : ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let stdout = "";
    child.stdout?.on("data", (text) => {
      output += text;
      stdout += text;
    });
    child.stderr?.on("data", (text) => {
      output += text;
    });
    child.on("error", (error) => done({ status: 127, output: `${command}: ${error.message}`, stdout }));
    child.on("close", (code, signal) => {
      if (signal !== null) output += `\n${command} was ended by ${signal}`;
      done({ status: code ?? 1, output, stdout });
    });
  });
}

/**
 * Like run, quiet, but a failure shows the output and ends the process.
 *
 * @param {string} what said in front of the output of a failure
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, cwd?: string }} [options]
 * @returns {Promise<string>} the standard output
 */
export async function mustRun(what, command, args, options) {
  const { status, output, stdout } = await run(command, args, options);
  if (status !== 0) {
    console.error(`${output.trimEnd()}\n${what}: FAILED (${command}, status ${status})`);
    process.exit(1);
  }
  return stdout;
}

/** @returns {Promise<string>} the zig executable; ends the process where there is none */
export async function findZig() {
  const python = "import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), 'zig'))";
  const packaged = await run("python3", ["-c", python]);
  const candidates = [process.env.CARILLON_ZIG ?? "", "zig", packaged.status === 0 ? packaged.stdout.trim() : ""];
  for (const zig of candidates.filter((name) => name !== "")) {
    const { status, stdout } = await run(zig, ["version"]);
    if (status === 0) {
      console.log(`zig ${stdout.trim()} (${zig === process.env.CARILLON_ZIG ? "CARILLON_ZIG" : zig})`);
      return zig === "zig" ? (await mustRun("zig", "which", ["zig"])).trim() : zig;
    }
  }
  console.error(
    "cross-compiling needs zig, which is not here: neither CARILLON_ZIG nor PATH nor python3's package " +
      "ziglang has it. `pip install ziglang`, or https://ziglang.org/download, then CARILLON_ZIG=/…/zig.",
  );
  process.exit(1);
}

/**
 * Configures and builds with CMake.
 *
 * @param {string} what said in front of a failure
 * @param {string} directory relative to the root
 * @param {string[]} options of the configuration (-D…)
 */
export async function cmakeBuild(what, directory, options) {
  await mustRun(what, "cmake", ["-S", ".", "-B", directory, "-DCMAKE_BUILD_TYPE=Release", ...options]);
  await mustRun(what, "cmake", ["--build", directory, "--parallel", jobs]);
}

/** Where cmake-js builds the addon. */
const ADDON = "build/cmake";

/**
 * Builds a program of the objects that the addon is made of, which `npm ci` has built.
 *
 * @param {string} target
 * @returns {Promise<string>} the program
 */
export async function buildOfAddon(target) {
  if (!existsSync(join(root, ADDON, "CMakeCache.txt"))) await mustRun("addon", "npm", ["run", "build:native"]);
  await mustRun(target, "cmake", ["--build", ADDON, "--target", target, "--parallel", jobs]);
  return join(root, ADDON, target);
}

/**
 * Bundles a TypeScript program into one file that this Node.js, or an emulated one, can run.
 *
 * @param {string} program relative to the root
 * @param {string} outfile
 * @param {string[]} external packages that stay imports
 */
export async function bundleProgram(program, outfile, external) {
  await build({
    absWorkingDir: root,
    entryPoints: [resolve(root, program)],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external,
    sourcemap: "inline",
    logLevel: "warning",
  });
}

/**
 * Whether a bundle is of a process that is not over yet, whose number stands at the end of its name.
 *
 * @param {string} name
 */
export function isOfLiving(name) {
  const number = Number(/-(\d+)\.mjs$/.exec(name)?.[1] ?? 0);
  try {
    return number > 0 && process.kill(number, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
