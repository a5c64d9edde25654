// npm run test:property -- [--runs 200] [--seed 1 | --seed random] [--only PATTERN] [--all]: calls that nobody should make, drawn by fast-check
// (hostile.ts), of the raw binding (binding.ts) and of the public API (api.ts). Every call ends within five seconds in a value, in an error
// of ours with a sentence, or in the very error of the caller's own code, and leaves the library as it was. Each property runs in a process
// of its own, so that a crash or a call that never ends is told too, with what was drawn. With --all it goes on behind a failure and tells one of each kind.
// The program is its own child: `--child NAME`.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { apiProperties } from "./api.js";
import { bindingProperties } from "./binding.js";
import { LONGEST, type Property } from "./property.js";

const GROUPS = { binding: bindingProperties, api: apiProperties } as const;

const NAMES = ["binding: calls", "binding: programs", "api: calls", "api: files"] as const;

/** Characters of an error, digits left out, by which failures are of a kind. */
const KIND = 700;
/** How often the parent looks, in milliseconds. */
const LOOK = 250;
/** Of a draw, before its child is said to hang: that of its calls and of what stands around them, on a machine that does other things too. */
const PATIENCE = 4 * LONGEST;

function groupOf(name: string): () => Promise<readonly Property[]> {
  return name.startsWith("binding") ? GROUPS.binding : GROUPS.api;
}

/** In the child: one property, so many times; what is drawn stands in `file` before it is tried. */
async function child(name: string, runs: number, seed: number, file: string, all: boolean): Promise<void> {
  const properties = await groupOf(name)();
  const one = properties.find((each) => each.name === name);
  if (one === undefined) throw new Error(`there is no property '${name}'`);
  process.on("unhandledRejection", (reason) => {
    console.error("a rejection that nobody could have handled:", reason);
    process.exit(1);
  });
  let tried = 0;
  const different = new Map<string, string>();
  const holds = async (drawn: unknown): Promise<boolean> => {
    tried += 1;
    writeFileSync(file, `draw ${tried}: ${fc.stringify(drawn)}\n`);
    try {
      await one.holds(drawn);
    } catch (error) {
      if (!all) throw error;
      const text = [...causes(error)].join("\n");
      const kind = text.replaceAll(/\d+/g, "").slice(0, KIND);
      if (!different.has(kind)) different.set(kind, `${fc.stringify(drawn)}\n${text}`);
    }
    return true;
  };
  const told = await fc.check(fc.asyncProperty(one.drawn, holds), { numRuns: runs, seed });
  if (told.failed) {
    console.error(fc.defaultReportMessage(told));
    for (const text of causes(told.errorInstance)) console.error(text);
  }
  for (const text of different.values()) console.error(`\n${text}`);
  process.exit(told.failed || different.size > 0 ? 1 : 0);
}

/** An error, and what it came from. */
function* causes(error: unknown): Generator<string> {
  for (let cause = error; cause instanceof Error; cause = cause.cause) yield String(cause.stack);
}

interface Told {
  readonly good: boolean;
  readonly text: string;
}

/** One property in a process of its own. */
function tried(name: string, runs: number, seed: number, folder: string, all: boolean): Promise<Told> {
  const file = join(folder, `${name.replaceAll(/\W+/g, "-")}.txt`);
  writeFileSync(file, "before the first draw\n");
  const args = ["--enable-source-maps", "--expose-gc", fileURLToPath(import.meta.url)];
  const own = ["--child", name, "--runs", `${runs}`, "--seed", `${seed}`, "--file", file, ...(all ? ["--all"] : [])];
  const started = spawn(process.execPath, [...args, ...own], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [started.stdout, started.stderr]) stream.on("data", (bytes) => (output += bytes));
  let hangs = false;
  const watch = setInterval(() => {
    if (Date.now() - statSync(file).mtimeMs < PATIENCE) return;
    hangs = true;
    started.kill("SIGKILL");
  }, LOOK);
  return new Promise((resolve) => {
    started.on("close", (code, signal) => {
      clearInterval(watch);
      const last = readFileSync(file, "utf8").trim();
      if (code === 0) return resolve({ good: true, text: output });
      const how = hangs ? `no end after ${PATIENCE} ms` : signal === null ? `status ${code}` : `ended by ${signal}`;
      resolve({ good: false, text: `${output}${how}, seed ${seed}, at ${last}` });
    });
  });
}

async function main(runs: number, seed: number, only: RegExp, all: boolean): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "carillon-property-"));
  let failed = 0;
  try {
    for (const name of NAMES.filter((each) => only.test(each))) {
      const began = performance.now();
      const { good, text } = await tried(name, runs, seed, folder, all);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      console.log(`${name}: ${runs} draws, seed ${seed}: ${good ? "holds" : "FAILED"}, ${seconds} s`);
      if (text.trim() !== "") console.log(text.trimEnd());
      if (!good) failed += 1;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.exitCode = failed === 0 ? 0 : 1;
}

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    all: { type: "boolean", default: false },
    child: { type: "string" },
    file: { type: "string", default: "" },
  },
});
const seed = values.seed === "random" ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
if (values.child !== undefined) await child(values.child, Number(values.runs), seed, values.file, values.all);
else await main(Number(values.runs), seed, new RegExp(values.only, "i"), values.all);
