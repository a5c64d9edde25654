// `npm run smoke`: every script of package.json comes to its end, in a short form. With names as arguments only those. What
// has no short form says why; test/scripts.test.ts fails for a script that does not stand here.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { argv, env } from "node:process";
import { fileURLToPath } from "node:url";
import { jobs, root, run } from "./tools.mjs";

/** What programs write goes there, each into a folder of its own. */
const OUT = join(root, "build/smoke");

/** Stands for that folder in arguments. */
const OWN = "OUT";

/** What measures latency or memory runs by itself, behind the others, of which as many run at once as there are cores. */
const ALONE = [
  "stream-test",
  "soak",
  "worker-test",
  "server-test",
  "serving-test",
  "crash-test",
  "large-test",
  "file-test",
];

/** The suites of bench/suites.ts. */
export const BENCH = [
  "roofline",
  "gemm",
  "elementwise",
  "lookups",
  "dropout",
  "optimizers",
  "train",
  "embeddings",
  "layers",
  "tabular",
  "scaling",
  "together",
  "serving",
  "imported",
  "import",
  "reading",
];

const NPM_TEST = "npm test runs it in full";

/**
 * Of every script the arguments of its short forms, or the reason why there is none.
 *
 * @type {Readonly<Record<string, { readonly forms: readonly (readonly string[])[] } | { readonly reason: string }>>}
 */
export const SCRIPTS = {
  prepare: { reason: "npm ci runs it; npm pack runs it without a compiler, which is tried first" },
  "build:native": { reason: "npm ci runs it as a part of prepare" },
  "build:gyp": {
    reason: "compiles everything once more, by node-gyp",
  },
  "build:js": { reason: "npm ci runs it as a part of prepare" },
  operations: { forms: [["--check"]] },
  schemas: { forms: [["--check"]] },
  prebuild: { reason: "as build:gyp" },
  "prebuild:all": { reason: "needs Zig and many minutes; the workflow Release runs it" },
  tarball: { reason: "needs a registry; the workflow Release runs it, and npm pack is tried first" },
  quickstart: { forms: [["--epochs", "2", "--out", OWN]] },
  "quickstart:seeds": { forms: [["--quick"]] },
  "example:l1-vs-l2": { forms: [["--quick", "--out", OWN]] },
  "example:optimizers": { forms: [["--quick", "--out", OWN]] },
  "example:gan": { forms: [["--steps", "20", "--out", OWN]] },
  "example:gradient-penalty": { forms: [["--steps", "10"]] },
  "example:custom-parts": { forms: [["--epochs", "2"]] },
  "example:towers": { forms: [["--epochs", "1"]] },
  "example:categories": { forms: [["--epochs", "1"]] },
  "example:forecast": { forms: [["--epochs", "1", "--out", OWN]] },
  "example:series": { forms: [["--epochs", "1", "--hours", "2000"]] },
  "example:characters": { forms: [["--quick", "--out", OWN]] },
  "example:words": { forms: [["--epochs", "1"]] },
  "example:churn": { forms: [["--epochs", "2", "--out", OWN]] },
  "example:job": { forms: [["--epochs", "2", "--out", OWN]] },
  "example:serving": { forms: [["--quick", "--out", OWN]] },
  "example:mnist": { forms: [["--quick", "--out", OWN]] },
  "example:lenet": { forms: [["--quick", "--out", OWN]] },
  bench: { forms: [["all", "--quick", "--json", OWN]] },
  test: { reason: "it ends with this one" },
  "test:types": { reason: NPM_TEST },
  "test:native": { reason: NPM_TEST },
  "test:golden": { reason: NPM_TEST },
  "test:arm64": { reason: "needs qemu and minutes; .ci/run has it as its last step" },
  "test:matrix": { reason: "downloads a Node.js for each platform and takes an hour" },
  "test:package": { reason: "needs a registry and minutes; a job of the workflow CI" },
  "test:databases": { reason: "needs a server of PostgreSQL; .ci/run has it as a step of its own" },
  "test:pages": { reason: "needs Chromium (Debian: apt-get install chromium); a step of .ci/run" },
  smoke: { reason: "this one" },
  "stream-test": { forms: [["--gigabytes", "0.01"]] },
  soak: { forms: [["--quick"]] },
  "test:property": { forms: [["--runs", "100"]] },
  "worker-test": { forms: [["--workers", "2", "--rounds", "2"]] },
  "server-test": { forms: [["--quick"]] },
  "serving-test": { forms: [["--quick"]] },
  "crash-test": { forms: [["--kills", "2", "--fights", "2"]] },
  "large-test": { forms: [["--quick"]] },
  "file-test": { forms: [["--gigabytes", "0.1", "--milliseconds", "20"]] },
  check: { reason: "the first step of .ci/run" },
  format: { reason: "writes what check looks at" },
};

/**
 * What is wrong with the report of a suite; nothing: `undefined`.
 *
 * @param {string} folder
 * @param {string} suite
 */
function reportProblem(folder, suite) {
  const file = join(folder, `${suite}.json`);
  if (!existsSync(file)) return `${suite} wrote no JSON`;
  const report = JSON.parse(readFileSync(file, "utf8"));
  return report.suite === suite && report.rows.length > 0 ? undefined : `${suite}: the report has no rows`;
}

/** What is wrong with packing where CMake does not work: packing compiles nothing. */
async function packingProblem() {
  const stub = join(OUT, "bin");
  mkdirSync(stub, { recursive: true });
  writeFileSync(join(stub, "cmake"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  const paths = { PATH: `${stub}${delimiter}${env.PATH}` };
  const { status, output } = await run("npm", ["pack", "--dry-run", "--json"], { env: paths });
  if (status !== 0) return output;
  return output.includes('"docs/README.md"') ? undefined : `npm pack lists no docs:\n${output}`;
}

/** @param {readonly string[]} chosen */
async function main(chosen) {
  /** @type {string[]} */
  const failures = [];
  const began = performance.now();
  rmSync(OUT, { recursive: true, force: true });
  if (chosen.length === 0 || chosen.includes("prepare")) {
    const problem = await packingProblem();
    console.log(`npm pack without a compiler: ${problem === undefined ? "ok" : "FAILED"}`);
    if (problem !== undefined) failures.push(problem);
  }
  /** @type {{ readonly name: string, readonly args: readonly string[] }[]} */
  const forms = [];
  for (const [name, entry] of Object.entries(SCRIPTS)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    if ("reason" in entry && entry.reason.startsWith("needs")) console.log(`${name}: left out; ${entry.reason}`);
    forms.push(...("forms" in entry ? entry.forms.map((args) => ({ name, args })) : []));
  }
  /** @param {(typeof forms)[number]} form */
  const tryForm = async ({ name, args }) => {
    const started = performance.now();
    const own = join(OUT, name.replaceAll(":", "-"));
    const given = args.map((word) => (word === OWN ? own : word));
    const { status, output } = await run("npm", ["run", "--silent", name, "--", ...given]);
    const problem =
      status === 0 && name === "bench" ? BENCH.map((suite) => reportProblem(own, suite)).find(Boolean) : undefined;
    const good = status === 0 && problem === undefined;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(
      `${name} ${args.map((word) => (word === OWN ? "…" : word)).join(" ")}: ${good ? "ok" : "FAILED"}, ${seconds} s`,
    );
    if (good) return;
    failures.push(name);
    console.error(`${output.trimEnd()}\n${problem ?? `status ${status}`}`);
  };
  const alone = forms.filter(({ name }) => ALONE.includes(name));
  // The longest first.
  const waiting = forms
    .filter(({ name }) => !ALONE.includes(name))
    .sort((a, b) => Number(b.name === "bench") - Number(a.name === "bench"));
  const lane = async () => {
    for (let form = waiting.shift(); form !== undefined; form = waiting.shift()) await tryForm(form);
  };
  await Promise.all(Array.from({ length: Number(jobs) }, lane));
  for (const form of alone) await tryForm(form);
  rmSync(OUT, { recursive: true, force: true });
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(failures.length === 0 ? `smoke: all ended, ${seconds} s` : `smoke: FAILED: ${failures.join(", ")}`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

if (argv[1] === fileURLToPath(import.meta.url)) await main(argv.slice(2));
