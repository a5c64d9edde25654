// Suite `reading`: files of rows to typed columns beside the parsers that do the same, CPU seconds of a process each, in turn.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fixed, median, type Report, type SuiteOptions, Table } from "./report.js";

/** Within the checkout, whose files find the packages by their names. */
const work = resolve("build/bench/reading");

const COLUMNS = 20;

interface Row {
  readonly name: string;
  readonly rows: number;
  /** CPU seconds of the process from the call to its end, median. */
  readonly seconds: number;
  /** The same, over that of papaparse, or of hyparquet. */
  readonly ratio: number;
  /** Most memory of the process, MB. */
  readonly megabytes: number;
}

const table = new Table<Row>([
  { title: "to typed columns", width: 31, align: "left", text: ({ name }) => name },
  { title: "rows", width: 9, text: ({ rows }) => String(rows) },
  { title: "CPU s", width: 6, text: ({ seconds }) => fixed(seconds, 2) },
  { title: "ratio", width: 5, text: ({ ratio }) => fixed(ratio, 2) },
  { title: "MB", width: 5, text: ({ megabytes }) => fixed(megabytes, 0) },
]);

/** Texts of few values, numbers of all lengths, dates, answers, some missing: the same for a number of rows. */
function writeRows(file: string, rows: number): void {
  let state = 1;
  const draw = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const value = (column: number): string => {
    if (column < 4) return `level_${Math.floor(draw() * ([5, 50, 500, 20][column] ?? 1))}`;
    if (column === 4)
      return `20${10 + Math.floor(draw() * 12)}-0${1 + Math.floor(draw() * 9)}-1${Math.floor(draw() * 10)}`;
    if (column === 5) return draw() < 0.5 ? "yes" : "no";
    if (column < 10) return String(Math.floor(draw() * 10 ** (column - 4)));
    if (column < 15) return draw() < 0.03 ? "" : String((draw() - 0.5) * 1000);
    return (draw() * 1000).toFixed(2);
  };
  const names = Array.from({ length: COLUMNS }, (_, column) => `column${column}`).join(",");
  const parts = [`${names}\n`];
  for (let row = 0; row < rows; row++)
    parts.push(`${Array.from({ length: COLUMNS }, (_, column) => value(column)).join(",")}\n`);
  writeFileSync(file, parts.join(""));
}

/** From a table to what a network is given. */
const BIND = `const { schema } = await schemaOf(read, { target: "column5" });
const { x, y } = (await prepare(read, { schema })).examples(read);
rows = y.length; if (x.numbers.shape[0] !== rows) throw new Error("rows are missing");`;

/** Programs that read CSV, or PARQUET, and say how many rows there were. */
const PROGRAMS: Readonly<Record<string, string>> = {
  "carillon table": `import { table } from "carillon"; rows = (await table(CSV)).rows;`,
  "carillon tableBlocks": `import { tableBlocks } from "carillon"; for await (const block of tableBlocks(CSV)) rows += block.rows;`,
  "carillon to bound data": `import { prepare, schemaOf, table } from "carillon"; const read = await table(CSV); ${BIND}`,
  "papaparse, dynamicTyping": `import Papa from "papaparse"; import { createReadStream } from "node:fs";
await new Promise((resolve, reject) => Papa.parse(createReadStream(CSV), { dynamicTyping: true, skipEmptyLines: true,
  chunk: ({ data }) => { rows += data.length; }, complete: resolve, error: reject }));
rows -= 1;`,
  "csv-parse, cast": `import { parse } from "csv-parse"; import { createReadStream } from "node:fs";
for await (const row of createReadStream(CSV).pipe(parse({ cast: true, from_line: 2 }))) rows += 1;`,
  "DuckDB, chunks": `import { DuckDBInstance } from "@duckdb/node-api";
const connection = await (await DuckDBInstance.create(":memory:", { threads: "1" })).connect();
const result = await connection.stream("SELECT * FROM read_csv('" + CSV + "', header = true, sample_size = -1)");
for (let chunk = await result.fetchChunk(); chunk?.rowCount > 0; chunk = await result.fetchChunk()) rows += chunk.getColumns()[0].length;`,
  "Parquet: carillon table": `import { table } from "carillon"; rows = (await table(PARQUET)).rows;`,
  "Parquet: carillon to bound data": `import { prepare, schemaOf, table } from "carillon"; const read = await table(PARQUET); ${BIND}`,
  "Parquet: hyparquet, columns": `import { asyncBufferFromFile, parquetScan, parquetSchema } from "hyparquet"; import { compressors } from "hyparquet-compressors";
const scan = await parquetScan({ file: await asyncBufferFromFile(PARQUET), compressors });
for (const { rowStart, rowEnd } of scan.ranges) {
  for (const { element } of parquetSchema(scan.metadata).children) await scan.readColumn({ column: element.name, rowStart, rowEnd });
  rows += rowEnd - rowStart;
}`,
};

/** The peers that others are measured by. */
const CSV_PEER = "papaparse, dynamicTyping";
const PARQUET_PEER = "Parquet: hyparquet, columns";

const peerOf = (name: string): string => (name.startsWith("Parquet") ? PARQUET_PEER : CSV_PEER);

/** Writes the same rows as Parquet by DuckDB. */
const WRITE = `import { DuckDBInstance } from "@duckdb/node-api";
const connection = await (await DuckDBInstance.create(":memory:")).connect();
const read = "SELECT * FROM read_csv('" + CSV + "', header = true, sample_size = -1)";
await connection.run("COPY (" + read + ") TO '" + PARQUET + "' (FORMAT parquet, COMPRESSION snappy)");`;

const PACKAGES = ["papaparse", "csv-parse", "hyparquet", "@duckdb/node-api"];

interface Sample {
  readonly rows: number;
  readonly seconds: number;
  readonly megabytes: number;
}

function sample(name: string, csv: string, parquet: string, written: string = PROGRAMS[name] ?? ""): Sample {
  const program = join(work, `${name.replaceAll(/\W+/g, "-")}.mjs`);
  const [, imports = "", body = ""] = /^((?:import [^;]*;\s?)+)([\s\S]*)$/.exec(written) ?? [];
  const text = `${imports}
const [CSV, PARQUET] = ${JSON.stringify([csv, parquet])};
let rows = 0;
const before = process.cpuUsage();
${body}
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ rows, seconds: (user + system) / 1e6, megabytes: process.resourceUsage().maxRSS / 1024 }));
`;
  writeFileSync(program, text);
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${name} failed: ${stderr}`);
  return JSON.parse(stdout) as Sample; // what the program prints
}

const versionOf = (name: string): string | null => {
  const file = resolve("node_modules", name, "package.json");
  if (!existsSync(file)) return null;
  const { version }: { readonly version?: string } = JSON.parse(readFileSync(file, "utf8"));
  return version ?? null;
};

export function run({ machine, print, seconds, only, quick }: SuiteOptions): Promise<Report<Row>> {
  mkdirSync(work, { recursive: true });
  const rows = quick ? 2000 : 1_000_000;
  const file = join(work, `${rows}.csv`);
  const parquet = join(work, `${rows}.parquet`);
  if (!existsSync(file)) writeRows(file, rows);
  if (!existsSync(parquet)) sample("writing Parquet", file, parquet, WRITE);
  const asked = Object.keys(PROGRAMS).filter((name) => only?.test(name) ?? true);
  const peers = new Set(asked.map(peerOf));
  const names = Object.keys(PROGRAMS).filter((name) => asked.includes(name) || peers.has(name));
  const turns = quick || seconds !== undefined ? 1 : 3;
  const samples = new Map(names.map((name): [string, Sample[]] => [name, []]));
  for (let turn = 0; turn < turns; turn++)
    for (const name of names) samples.get(name)?.push(sample(name, file, parquet));
  const of = (name: string): number => median((samples.get(name) ?? []).map((one) => one.seconds));
  print(`\n${table.header()}`);
  const measured = names.map((name): Row => {
    const found = samples.get(name) ?? [];
    const row = {
      name,
      rows: found[0]?.rows ?? 0,
      seconds: of(name),
      ratio: of(name) / of(peerOf(name)),
      megabytes: median(found.map(({ megabytes }) => megabytes)),
    };
    if (row.rows !== rows) throw new Error(`${name} has read ${row.rows} of ${rows} rows`);
    print(table.line(row));
    return row;
  });
  const versions = Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)]));
  return Promise.resolve({ suite: "reading", machine, peers: versions, rows: measured, summary: {} });
}
