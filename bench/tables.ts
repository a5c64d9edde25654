// npm run bench -- tables: the tables of docs/performance.md, from the reports in bench/results. A folder there is a processor,
// and a column, or a few, of every table; so the next one is added by `npm run bench -- all --json` on it, and this.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RESULTS } from "./all.js";
import type { GemmRow, GemmSummary } from "./gemm.js";
import { fixed, type Machine, type Peers } from "./report.js";
import type { StreamedRow } from "./streamed.js";
import type { TrainRow } from "./train/rows.js";
import { PEERS } from "./train/settings.js";
import type { TogetherRow } from "./train/together.js";

const DOCUMENT = "docs/performance.md";

/** Kernels of the suites `dropout` and `elementwise` that the table shows. */
const SHOWN = [
  "dropout, keep 0.5",
  "dropout, keep 0.8",
  "backward, relu_gradient",
  "backward, tanh_gradient",
  "relu",
  "square",
  "sqrt",
  "reciprocal",
  "exp",
  "tanh",
  "erf",
  "row_norm, rows of 64",
  "row_norm, rows of 512",
  "row_norm, rows of 30",
  "row_norm, rows of 100",
  "row_norm, no mean, rows of 512",
  "row_norm, 8 groups of 32",
  "row_norm_gradient, rows of 64",
  "row_norm_gradient, rows of 512",
  "row_norm_gradient, rows of 30",
  "row_norm_gradient, rows of 100",
  "row_norm_gradient, no mean, rows of 512",
  "row_norm_gradient, 8 groups of 32",
  "column_norm, rows of 64",
  "column_norm, rows of 512",
  "column_norm_gradient, rows of 64",
  "column_norm_gradient, rows of 512",
];

/** A report as a file holds it: of an old one, or of another machine, not every figure is there. */
interface Stored<Row> {
  readonly machine: Partial<Machine> & Pick<Machine, "kind" | "date">;
  readonly peers: Peers;
  readonly rows: readonly Partial<Row>[];
  readonly summary?: unknown;
}

interface GemmStored extends Stored<GemmRow> {
  readonly summary?: { readonly byThreads?: Readonly<Record<string, Partial<GemmSummary>>> };
}

/** What there is of one processor. */
export interface Results {
  readonly machine: Stored<unknown>["machine"];
  readonly gemm: GemmStored | undefined;
  readonly train: Stored<TrainRow> | undefined;
  readonly together: Stored<TogetherRow> | undefined;
  /** Rows of `optimizers`, then those of `dropout` and `elementwise` that are shown. */
  readonly streamed: readonly Partial<StreamedRow>[];
}

function read<T>(folder: string, suite: string): T | undefined {
  const file = join(folder, `${suite}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as T) : undefined; // our own
}

/** Of every folder, the oldest first. */
export function readResults(directory: string): Results[] {
  return readdirSync(directory)
    .flatMap((name): Results[] => {
      const folder = join(directory, name);
      const [gemm, train] = [read<GemmStored>(folder, "gemm"), read<Stored<TrainRow>>(folder, "train")];
      const together = read<Stored<TogetherRow>>(folder, "together");
      const rules = read<Stored<StreamedRow>>(folder, "optimizers");
      const others = ["dropout", "elementwise"].map((suite) => read<Stored<StreamedRow>>(folder, suite));
      const machine = [gemm, train, together, rules, ...others].find((report) => report !== undefined)?.machine;
      if (machine === undefined) return [];
      const shown = others.flatMap((report) => report?.rows ?? []).filter(({ name = "" }) => SHOWN.includes(name));
      return [{ machine, gemm, train, together, streamed: [...(rules?.rows ?? []), ...shown] }];
    })
    .sort((a, b) => (a.machine.date < b.machine.date ? -1 : 1));
}

/** A table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

/** Titles of the columns of one processor: its name stands before the first. */
function titled({ machine }: Results, [first = "", ...more]: readonly string[]): string[] {
  return [`${machine.kind}: ${first}`, ...more];
}

/** Every key once, in the order of the processors that have it. */
function keysOf<T>(lists: readonly (readonly T[])[], key: (row: T) => string): string[] {
  return [...new Set(lists.flatMap((rows) => rows.map(key)))];
}

const thousands = (value: number | undefined, digits: number): string =>
  fixed(value, digits).replace(/\B(?=(\d{3})+(?!\d|\.\d*\d{3}))/g, (comma) =>
    value !== undefined && value >= 1000 ? "," : comma,
  );

const TITLES: Readonly<Record<string, string>> = {
  onednn: "oneDNN",
  openblas: "OpenBLAS",
  blis: "BLIS",
  mkl: "MKL",
  pytorch: "PyTorch",
  tensorflow: "TensorFlow",
  tfjsWasm: "tfjs wasm",
  tfjsCpu: "tfjs cpu",
};

function machines(all: readonly Results[]): string {
  const rows = all.map(({ machine, gemm, train }) => {
    const { kind, cpu, isa, cores, node, compiler, date, revision } = machine;
    const peers = Object.entries({ ...gemm?.peers, ...train?.peers }).flatMap(([name, version]) =>
      version === null ? [] : [`${TITLES[name] ?? name} ${version}`],
    );
    const name = cpu === undefined || cpu === kind ? kind : `${kind} (${cpu})`;
    return [
      name,
      isa ?? "–",
      String(cores ?? "–"),
      [node, compiler].filter(Boolean).join(", ") || "–",
      `${date.slice(0, 10)}${revision ? `, ${revision}` : ""}`,
      peers.join("; ") || "–",
    ];
  });
  return table(["processor", "kernels", "cores", "Node.js, compiler", "measured, revision", "peers"], rows);
}

function products(all: readonly Results[]): string {
  const lists = all.map(({ gemm }) => gemm?.rows ?? []);
  const names = keysOf(lists, ({ name = "" }) => name);
  const rows = names.map((name) => {
    const found = lists.map((list) =>
      [1, 2].map((count) => list.find((row) => row.name === name && row.threads === count)),
    );
    const { m, n, k } = found.flat().find((row) => row !== undefined) ?? {};
    const figures = found.flatMap(([one, two]) => [
      fixed(one?.gflops, 0),
      fixed(one?.shareOfPeak, 2),
      fixed(one?.ratioToBest, 2),
      fixed(two?.gflops, 0),
      fixed(two?.ratioToBest, 2),
    ]);
    return [name, `${m}×${n}×${k}`, ...figures];
  });
  const columns = ["GFLOP/s", "of peak", "to best", "2 threads", "to best"];
  return table(["product", "m×n×k", ...all.flatMap((results) => titled(results, columns))], rows);
}

/** Of the summaries of one and of two threads. */
function productSummary(all: readonly Results[]): string {
  const line = (text: (summary: Partial<GemmSummary> | undefined) => string): string[] =>
    all.flatMap(({ gemm }) => ["1", "2"].map((count) => text(gemm?.summary?.byThreads?.[count])));
  return table(
    ["", ...all.flatMap((results) => titled(results, ["one thread", "two"])), "asked"],
    [
      [
        "of the best single library, geometric mean",
        ...line((each) => `${fixed(each?.geomeanToBestLibrary, 2)} (${each?.bestLibrary ?? "none"})`),
        "1.0",
      ],
      ["of the best library for each shape", ...line((each) => fixed(each?.geomeanToBestPerShape, 2)), "0.95"],
      ["least", ...line((each) => `${fixed(each?.minimum, 2)} (${each?.minimumName ?? "–"})`), "0.8"],
      ["FMA peak at 1024³, the least of three", ...line((each) => fixed(each?.shareOfPeakAt1024, 2)), "0.9"],
    ],
  );
}

function steps(all: readonly Results[]): string {
  const lists = all.map(({ train }) => train?.rows ?? []);
  // A peer that was not there has no column.
  const peers = lists.map((list) =>
    PEERS.filter((name) => list.some((row) => typeof row.timesFaster?.[name] === "number")),
  );
  const keys = keysOf(lists, ({ network, batch, threads }) => `${network} | ${batch} | ${threads}`);
  const rows = keys.map((key) => [
    key,
    ...lists.flatMap((list, index) => {
      const row = list.find(({ network, batch, threads }) => `${network} | ${batch} | ${threads}` === key);
      const times = (peers[index] ?? []).map((name) => {
        const value = row?.timesFaster?.[name];
        return typeof value === "number" ? `${fixed(value, 1)}×` : "–";
      });
      return [
        thousands(row?.microseconds, (row?.microseconds ?? 0) < 100 ? 1 : 0),
        fixed(row?.ratioToRoofline, 2),
        ...times,
      ];
    }),
  ]);
  const columns = all.flatMap((results, index) =>
    titled(results, ["µs", "× limit", ...(peers[index] ?? []).map((name) => TITLES[name] ?? name)]),
  );
  return table(["network", "batch", "threads", ...columns], rows);
}

const percent = (value: number | undefined): string => `${fixed(value === undefined ? value : 100 * value, 1)}%`;

function pairs(all: readonly Results[]): string {
  const lists = all.map(({ together }) => together?.rows ?? []);
  const keys = keysOf(lists, ({ network, batch }) => `${network}, ${batch}`);
  const rows = keys.map((key) => [
    key,
    ...lists.flatMap((list) =>
      [1, 2].map((count) => {
        const row = list.find(({ network, batch, threads }) => `${network}, ${batch}` === key && threads === count);
        if (row === undefined) return "–";
        return `${fixed(row.throughput, 2)} ×, ${percent(row.apart)} (${percent(row.mostApart)})`;
      }),
    ),
  ]);
  const columns = ["1 thread: together, apart", "2 threads"];
  return table(["network, batch", ...all.flatMap((results) => titled(results, columns))], rows);
}

const [SMALL, LARGE] = [524_288, 67_108_864];

/** Kernels on one thread. */
function kernels(all: readonly Results[]): string {
  const lists = all.map(({ streamed }) => streamed.filter(({ threads }) => threads === 1));
  const names = keysOf(lists, ({ name = "" }) => name);
  const rows = names.map((name) => [
    name,
    ...lists.flatMap((list) => {
      const at = (bytes: number) => list.find((row) => row.name === name && row.workingSet === bytes);
      const [small, large] = [at(SMALL), at(LARGE)];
      return [
        fixed(small?.fractionOfStream, 2),
        fixed(large?.fractionOfStream, 2),
        fixed(small?.fractionOfPattern, 2),
        fixed(large?.fractionOfPattern, 2),
      ];
    }),
  ]);
  const columns = ["stream, 512 KB", "64 MB", "pattern, 512 KB", "64 MB"];
  return table(["kernel", ...all.flatMap((results) => titled(results, columns))], rows);
}

interface Made {
  readonly make: (all: readonly Results[]) => string;
  /** Whether a processor has anything for it. */
  readonly has: (results: Results) => boolean;
}

const TABLES: Readonly<Record<string, Made>> = {
  machines: { make: machines, has: () => true },
  products: { make: products, has: ({ gemm }) => gemm !== undefined },
  "product summary": { make: productSummary, has: ({ gemm }) => gemm !== undefined },
  steps: { make: steps, has: ({ train }) => train !== undefined },
  together: { make: pairs, has: ({ together }) => together !== undefined },
  kernels: { make: kernels, has: ({ streamed }) => streamed.length > 0 },
};

/** `text` with every table between its marks (`<!-- table NAME -->` … `<!-- end -->`) made anew. */
export function withTables(text: string, all: readonly Results[]): string {
  return text.replaceAll(
    /(<!-- table ([a-z ]+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, begin: string, name: string, end: string) => {
      const made = TABLES[name];
      if (made === undefined) throw new Error(`there is no table "${name}"`);
      return `${begin}\n${made.make(all.filter(made.has))}\n\n${end}`;
    },
  );
}

export function updateTables(): void {
  const text = readFileSync(DOCUMENT, "utf8");
  const all = readResults(RESULTS);
  writeFileSync(DOCUMENT, withTables(text, all));
  console.log(`${DOCUMENT}: ${all.map(({ machine }) => machine.kind).join(", ")}`);
}
