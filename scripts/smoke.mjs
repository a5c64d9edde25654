// `npm run smoke`: every script of package.json comes to its end, in a short form. With names as arguments only those. What
// has no short form says why; test/scripts.test.ts fails for a script that does not stand here.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { argv, env } from "node:process";
import { fileURLToPath } from "node:url";
import { root, run } from "./tools.mjs";

/** What programs write goes there. */
const OUT = join(root, "build/smoke");

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
  quickstart: { forms: [["--epochs", "2", "--out", OUT]] },
  "quickstart:seeds": { forms: [["--quick"]] },
  "example:l1-vs-l2": { forms: [["--quick", "--out", OUT]] },
  "example:optimizers": { forms: [["--quick", "--out", OUT]] },
  "example:gan": { forms: [["--steps", "20", "--out", OUT]] },
  "example:gradient-penalty": { forms: [["--steps", "10"]] },
  "example:custom-parts": { forms: [["--epochs", "2"]] },
  "example:towers": { forms: [["--epochs", "1"]] },
  "example:categories": { forms: [["--epochs", "1"]] },
  "example:forecast": { forms: [["--epochs", "1", "--out", OUT]] },
  "example:series": { forms: [["--epochs", "1", "--hours", "2000"]] },
  "example:characters": { forms: [["--quick", "--out", OUT]] },
  "example:words": { forms: [["--epochs", "1"]] },
  "example:churn": { forms: [["--epochs", "2", "--out", OUT]] },
  "example:job": { forms: [["--epochs", "2", "--out", OUT]] },
  "example:serving": { forms: [["--quick", "--out", OUT]] },
  "example:mnist": { forms: [["--quick", "--out", OUT]] },
  "example:lenet": { forms: [["--quick", "--out", OUT]] },
  bench: { forms: [["all", "--quick", "--json", OUT]] },
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
 * @param {string} suite
 */
function reportProblem(suite) {
  const file = join(OUT, `${suite}.json`);
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
  for (const [name, entry] of Object.entries(SCRIPTS)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    if ("reason" in entry && entry.reason.startsWith("needs")) console.log(`${name}: left out; ${entry.reason}`);
    for (const args of "forms" in entry ? entry.forms : []) {
      const started = performance.now();
      const { status, output } = await run("npm", ["run", "--silent", name, "--", ...args]);
      const problem = status === 0 && name === "bench" ? BENCH.map(reportProblem).find(Boolean) : undefined;
      const good = status === 0 && problem === undefined;
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      const shown = args.map((word) => word.replace(OUT, "…")).join(" ");
      console.log(`${name} ${shown}: ${good ? "ok" : "FAILED"}, ${seconds} s`);
      if (good) continue;
      failures.push(name);
      console.error(`${output.trimEnd()}\n${problem ?? `status ${status}`}`);
    }
  }
  rmSync(OUT, { recursive: true, force: true });
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(failures.length === 0 ? `smoke: all ended, ${seconds} s` : `smoke: FAILED: ${failures.join(", ")}`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

if (argv[1] === fileURLToPath(import.meta.url)) await main(argv.slice(2));
