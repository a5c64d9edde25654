// Suite `import`: what the first import of the built package costs a fresh process, above that of an empty module.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fixed, median, type Report, type SuiteOptions, Table } from "./report.js";

const ENTRIES = ["carillon", "carillon/kernels"] as const;

/** Within the checkout, whose files find the package by its name. */
const work = resolve("build/bench/import");

/** Pairs of processes unless --seconds says for how long. */
const PAIRS = 41;

interface Sample {
  /** From the call of import() to its end. */
  readonly milliseconds: number;
  /** Of the processor meanwhile, all threads: hardly more on a machine that has other things to do. */
  readonly processor: number;
  /** Of the process behind it: resident, MiB. */
  readonly resident: number;
}

interface Row {
  readonly name: string;
  readonly pairs: number;
  /** Median over pairs of neighbours in time: with the package less with the empty module. */
  readonly milliseconds: number;
  /** The least difference of a pair. */
  readonly least: number;
  /** Of the processor: median over pairs. */
  readonly processor: number;
  readonly megabytes: number;
  readonly emptyMilliseconds: number;
  readonly emptyMegabytes: number;
}

const table = new Table<Row>([
  { title: "module", width: 17, align: "left", text: ({ name }) => name },
  { title: "pairs", width: 5, text: ({ pairs }) => String(pairs) },
  { title: "ms above", width: 8, text: ({ milliseconds }) => fixed(milliseconds, 1) },
  { title: "least", width: 6, text: ({ least }) => fixed(least, 1) },
  { title: "CPU ms", width: 6, text: ({ processor }) => fixed(processor, 1) },
  { title: "MB above", width: 8, text: ({ megabytes }) => fixed(megabytes, 1) },
  { title: "empty ms", width: 8, text: ({ emptyMilliseconds }) => fixed(emptyMilliseconds, 1) },
  { title: "empty MB", width: 8, text: ({ emptyMegabytes }) => fixed(emptyMegabytes, 1) },
]);

/** A program that imports one module and says what that took. */
function writeProgram(name: string, module: string): string {
  const file = join(work, name);
  writeFileSync(
    file,
    `const [begin, used] = [process.hrtime.bigint(), process.cpuUsage()];
await import(${JSON.stringify(module)});
const [milliseconds, { user, system }] = [Number(process.hrtime.bigint() - begin) / 1e6, process.cpuUsage(used)];
const resident = process.memoryUsage.rss() / 2 ** 20;
console.log(JSON.stringify({ milliseconds, processor: (user + system) / 1e3, resident }));
`,
  );
  return file;
}

function sample(program: string): Sample {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} failed: ${stderr}`);
  return JSON.parse(stdout) as Sample; // what writeProgram's program prints
}

function measure(name: string, seconds: number | undefined): Row {
  const empty = writeProgram("of-empty.mjs", "./empty.mjs");
  const full = writeProgram(`of-${name.replace("/", "-")}.mjs`, name);
  sample(full); // files into the system's cache
  const end = performance.now() + 1000 * (seconds ?? Number.POSITIVE_INFINITY);
  const pairs: { readonly without: Sample; readonly with: Sample }[] = [];
  while (pairs.length < (seconds === undefined ? PAIRS : 3) || (seconds !== undefined && performance.now() < end)) {
    const swapped = pairs.length % 2 === 1;
    const first = sample(swapped ? full : empty);
    const second = sample(swapped ? empty : full);
    pairs.push(swapped ? { without: second, with: first } : { without: first, with: second });
  }
  const differences = pairs.map((pair) => pair.with.milliseconds - pair.without.milliseconds);
  return {
    name,
    pairs: pairs.length,
    milliseconds: median(differences),
    least: Math.min(...differences),
    processor: median(pairs.map((pair) => pair.with.processor - pair.without.processor)),
    megabytes: median(pairs.map((pair) => pair.with.resident - pair.without.resident)),
    emptyMilliseconds: median(pairs.map(({ without }) => without.milliseconds)),
    emptyMegabytes: median(pairs.map(({ without }) => without.resident)),
  };
}

export function run({ machine, print, seconds, only }: SuiteOptions): Promise<Report<Row>> {
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, "empty.mjs"), "export {};\n");
  print(`\n${table.header()}`);
  const rows = ENTRIES.filter((name) => only?.test(name) ?? true).map((name) => {
    const row = measure(name, seconds);
    print(table.line(row));
    return row;
  });
  return Promise.resolve({ suite: "import", machine, peers: {}, rows, summary: {} });
}
