// `npm run check`: format, lint and types of everything, C++ and TypeScript. Nothing is written; `npm run format`
// (check.mjs --format) writes what can be written.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
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

// What clang-tidy's readability-duplicate-include finds in one file.
function includedTwice() {
  const twice = cpp.flatMap((name) => {
    const found = readFileSync(join(root, name), "utf8").matchAll(/^#include [<"].*\.h[>"]/gm);
    const includes = Array.from(found, ([one]) => one);
    return includes.filter((one, at) => includes.indexOf(one) < at).map((one) => `${name}: ${one} stands there twice`);
  });
  return twice.join("\n");
}

/** Units of a group: more would leave a core without work at the end. */
const GROUP = 8;

/**
 * Names that a text defines outside of functions and classes, as its lines that begin with a word tell.
 *
 * @param {string} text
 */
function namesIn(text) {
  const types = text.matchAll(/^(?:struct|class|union|enum|enum class|using|namespace) (\w+)/gm);
  const others = text.matchAll(
    /^(?!using|namespace|struct|class|union|enum)[A-Za-z][^\n;(={]*?\b(\w+)(?: ?[({=;]|\[)/gm,
  );
  const macros = text.matchAll(/^#define (\w+)/gm);
  const shared = ["carillon", "test", "bench"]; // namespaces of all
  return [...types, ...others, ...macros].flatMap(([, name = ""]) => (shared.includes(name) ? [] : [name]));
}

/**
 * What a unit defines, and what else it sees: names of our headers. A header that may stand in a unit several times is its own.
 *
 * @param {string} unit
 */
function namesOf(unit) {
  /** @type {Set<string>[]} */
  const [own = new Set(), seen = new Set(), read = new Set()] = [];
  const walk = (/** @type {string} */ file, /** @type {boolean} */ isOwn) => {
    if (read.has(file)) return;
    read.add(file);
    const text = readFileSync(join(root, file), "utf8");
    const mine = isOwn || !text.includes("#pragma once");
    for (const name of namesIn(text)) (mine ? own : seen).add(name);
    for (const [, name = ""] of text.matchAll(/^#include "([^"]+)"/gm)) {
      const found = [join(dirname(file), name), join("native", name)].find((one) => existsSync(join(root, one)));
      if (found !== undefined) walk(found, false);
    }
  };
  walk(unit, true);
  return { own, seen };
}

const meet = (/** @type {Set<string>} */ a, /** @type {Set<string>} */ b) => Array.from(a).some((name) => b.has(name));

/**
 * Units that are looked at as one, as it is the headers that take the time: of the same flags, where no name is another one's too. Those of
 * an instruction set are long by themselves, and first.
 *
 * @param {ReadonlyMap<string, string>} flags by unit
 */
function groupsOf(flags) {
  /** @type {{ units: string[], flags: string | undefined, own: Set<string>, seen: Set<string> }[]} */
  const groups = [];
  for (const unit of units) {
    const [names, given] = [namesOf(unit), flags.get(unit)];
    const alone = unit.startsWith("native/isa/") || given === undefined;
    const group = groups.find((one) => {
      const isAlike = unit.startsWith("native/") === (one.units[0] ?? "").startsWith("native/");
      const fits = !alone && isAlike && one.flags === given && one.units.length < GROUP;
      return fits && !meet(names.own, one.own) && !meet(names.own, one.seen) && !meet(names.seen, one.own);
    });
    if (group === undefined) groups.push({ units: [unit], flags: alone ? undefined : given, ...names });
    else {
      group.units.push(unit);
      for (const name of names.own) group.own.add(name);
      for (const name of names.seen) group.seen.add(name);
    }
  }
  return groups.toSorted((a, b) => weightOf(b) - weightOf(a));
}

const weightOf = (/** @type {{ units: string[] }} */ group) =>
  group.units[0]?.startsWith("native/isa/") ? 2 * GROUP : group.units.length;

/** Checks that are left out: the paths through tests and benchmarks are those that they take, tests under sanitizers. @param {string} unit */
const without = (unit) => (unit.startsWith("native/") ? [] : ["-clang-analyzer-*"]);

/**
 * What is wrong with a unit, or a group of them.
 *
 * @param {readonly string[]} checks that are left out
 * @param {string[]} args
 */
async function tidyProblem(checks, args) {
  const chosen = checks.length === 0 ? [] : [`--checks=${checks.join(",")}`];
  const problem = await problemOf("clang-tidy", ["-p", "build/lint", "--quiet", ...chosen, ...args]);
  // "123 warnings generated" counts those in the headers of others.
  return problem.replaceAll(/^\d+ warnings? .*(generated|treated as errors?)\.?\n/gm, "");
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
  /** @type {{ file: string, command: string }[]} */
  const commands = JSON.parse(readFileSync(join(root, "build/lint/compile_commands.json"), "utf8"));
  const flags = new Map(
    commands.map(({ file, command }) => [
      relative(root, file),
      command.replace(/^\S+ /, "").replace(/ -o \S+ -c \S+$/, ""),
    ]),
  );
  const queue = groupsOf(flags).map((group, at) => ({ ...group, file: `build/lint/group-${at}.cc` }));
  /** @type {string[]} */
  const problems = [];
  const worker = async () => {
    for (let group = queue.shift(); group !== undefined; group = queue.shift()) {
      let rest = group.units;
      if (rest.length > 1) {
        // As one text: the analyzer follows paths only through what stands in the file itself.
        const text = rest.map((unit) => `#line 1 "${join(root, unit)}"\n${readFileSync(join(root, unit), "utf8")}\n`);
        writeFileSync(join(root, group.file), text.join(""));
        const folders = new Set(rest.map((unit) => `-iquote${join(root, dirname(unit))}`));
        const flags = (group.flags ?? "").split(" ").filter(Boolean);
        // Nothing found in all is nothing found in each; else each says by itself what is its own.
        const checks = ["-readability-duplicate-include", ...without(rest[0] ?? "")]; // of one file: includedTwice()
        if ((await tidyProblem(checks, [group.file, "--", ...flags, ...folders])) === "") rest = [];
      }
      for (const unit of rest) {
        const problem = await tidyProblem(without(unit), [unit]);
        if (problem !== "") problems.push(problem);
      }
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
  await check("includes", `${cpp.length} files, each once`, includedTwice);
  await check("clang-format", `${cpp.length} files`, () => problemOf("clang-format", ["--dry-run", "-Werror", ...cpp]));
  await check("clang-tidy", `${units.length} files`, clangTidy);
}

if (failures.length > 0) {
  console.error(`check: ${failures.length} FAILED: ${failures.join(", ")}`);
  process.exit(1);
}
console.log("check: all passed");
