// `npm run check`: format, lint and types of everything, C++ and TypeScript. Nothing is written; `npm run format`
// (check.mjs --format) writes what can be written.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { jobs, mustRun, root, run } from "./tools.mjs";

const folders = ["lib", "native", "test", "bench", "examples", "scripts"].filter((name) =>
  existsSync(join(root, name)),
);
const files = folders.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`),
);
const cpp = files.filter((name) => /^(native|test\/native|bench\/native)\/.*\.(cc|h)$/.test(name));
const units = cpp.filter((name) => name.endsWith(".cc"));
const scripts = files.filter((name) => /\.(ts|mjs)$/.test(name));

if (process.argv.includes("--format")) {
  await mustRun("format of TypeScript", "biome", ["check", "--write", "--linter-enabled=false", "."]);
  if (cpp.length > 0) await mustRun("format of C++", "clang-format", ["-i", ...cpp]);
  console.log(`formatted: ${scripts.length} files of TypeScript, ${cpp.length} of C++`);
  process.exit(0);
}

/** @type {string[]} */
const failures = [];

/**
 * @param {string} name
 * @param {string} count what was looked at
 * @param {() => string | Promise<string>} step returns what is wrong, or nothing
 */
async function check(name, count, step) {
  const started = performance.now();
  const problem = (await step()).trimEnd();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (problem === "") {
    console.log(`${name}: ${count}, ${seconds} s`);
  } else {
    console.error(`${problem}\n${name}: FAILED`);
    failures.push(name);
  }
}

/**
 * @param {string} command
 * @param {string[]} args
 */
async function problemOf(command, args) {
  const { status, output } = await run(command, args);
  return status === 0 ? "" : output || `${command}: status ${status}`;
}

// A finding is repaired, not silenced. A mistake on purpose is what test/types is made of.
function suppressions() {
  const silencer = /biome-ignore|@ts-(ignore|nocheck)|NOLINT|clang-format off|eslint-disable|GCC diagnostic ignored/;
  const found = [...scripts, ...cpp]
    .filter((name) => name !== "scripts/check.mjs")
    .flatMap((name) =>
      readFileSync(join(root, name), "utf8")
        .split("\n")
        .flatMap((line, index) =>
          silencer.test(line) || (line.includes("@ts-expect-error") && !name.startsWith("test/types/"))
            ? [`${name}:${index + 1}: silences a check: ${line.trim()}`]
            : [],
        ),
    );
  return found.join("\n");
}

// native/sources.txt is the one list: a file beside it would be built by nobody.
function unlisted() {
  const listed = readFileSync(join(root, "native/sources.txt"), "utf8").split("\n");
  const missing = units.filter((name) => name.startsWith("native/") && !listed.includes(name.slice("native/".length)));
  return missing.map((name) => `${name} is not in native/sources.txt`).join("\n");
}

async function clangTidy() {
  const version = await run("clang-tidy", ["--version"]);
  if (version.status !== 0) {
    if (process.env.CI) return "clang-tidy is not installed (Debian: apt-get install clang-tidy)";
    console.log("clang-tidy: SKIPPED, not installed; CI runs it (Debian: apt-get install clang-tidy)");
    return "";
  }
  const options = ["-DCMAKE_BUILD_TYPE=Release", "-DCARILLON_ADDON=ON", "-DCARILLON_TESTS=ON"];
  await mustRun("clang-tidy", "cmake", ["-S", ".", "-B", "build/lint", ...options]);
  const queue = [...units];
  /** @type {string[]} */
  const problems = [];
  const worker = async () => {
    for (let unit = queue.shift(); unit !== undefined; unit = queue.shift()) {
      const problem = await problemOf("clang-tidy", ["-p", "build/lint", "--quiet", unit]);
      // "123 warnings generated" counts those in the headers of others.
      if (problem !== "")
        problems.push(problem.replaceAll(/^\d+ warnings? .*(generated|treated as errors?)\.?\n/gm, ""));
    }
  };
  await Promise.all(Array.from({ length: Number(jobs) }, worker));
  return problems.join("\n");
}

const biome = ["ci", "--colors=off", "--error-on-warnings", "--max-diagnostics=200", "."];
await check("biome (format, lint)", `${scripts.length} files`, () => problemOf("biome", biome));
await check("tsc (types)", `${scripts.length} files`, () => problemOf("tsc", ["-p", "tsconfig.json"]));
await check("suppressions", `${scripts.length + cpp.length} files, none`, suppressions);
await check("native/sources.txt", `${units.length} files`, unlisted);
if (cpp.length > 0) {
  await check("clang-format", `${cpp.length} files`, () => problemOf("clang-format", ["--dry-run", "-Werror", ...cpp]));
  await check("clang-tidy", `${units.length} files`, clangTidy);
}

if (failures.length > 0) {
  console.error(`check: ${failures.length} FAILED: ${failures.join(", ")}`);
  process.exit(1);
}
console.log("check: all passed");
