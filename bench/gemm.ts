// Suite `gemm`: the products of gemm-shapes.json, ours and those of other libraries in turns.
import { readFileSync } from "node:fs";
import { runNative } from "./native.js";
import {
  type Candidate,
  choosePeers,
  describePeers,
  environmentFor,
  findCandidates,
  LIBRARIES,
  type LibraryName,
  peerArguments,
  peerDirectories,
} from "./peers.js";
import { fixed, geometricMean, median, peerLines, type Report, type SuiteOptions, Table } from "./report.js";
import { nativeArguments } from "./streamed.js";

export interface Shape {
  readonly name: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transA: boolean;
  readonly transB: boolean;
  readonly prepacked: boolean;
}

type PerLibrary<T> = Readonly<Record<LibraryName, T | null>>;

export interface GemmRow extends Shape {
  readonly threads: number;
  readonly gflops: number;
  /** GFLOP/s; null: absent or wrong. */
  readonly peers: PerLibrary<number>;
  /** Our speed over that of each library: medians over the turns. */
  readonly ratios: PerLibrary<number>;
  /** The function of each library that was the fastest. */
  readonly ways: PerLibrary<string>;
  /** The smallest of the ratios; null without peers. */
  readonly ratioToBest: number | null;
  readonly shareOfPeak: number;
  /** Peers whose result was not the product. */
  readonly wrong: string;
}

interface Loaded {
  readonly peer: LibraryName;
  readonly path: string;
  readonly version?: string;
}

/** As carillon_bench prints it: libraries that are absent are not named. */
interface NativeRow extends Omit<GemmRow, "peers" | "ratios" | "ways" | "ratioToBest"> {
  readonly peers: Readonly<Record<string, number>>;
  readonly ratios: Readonly<Record<string, number>>;
  readonly ways: Readonly<Record<string, string>>;
}

export function readShapes(): Shape[] {
  return JSON.parse(readFileSync("bench/gemm-shapes.json", "utf8")) as Shape[];
}

function perLibrary<T>(given: Readonly<Record<string, T>>): PerLibrary<T> {
  const of = (library: LibraryName): T | null => given[library] ?? null;
  return { onednn: of("onednn"), openblas: of("openblas"), blis: of("blis"), mkl: of("mkl") };
}

function numbersOf(values: PerLibrary<number>): number[] {
  return Object.values(values).filter((value): value is number => value !== null);
}

function completed(row: NativeRow): GemmRow {
  const ratios = perLibrary(row.ratios);
  const given = numbersOf(ratios);
  return {
    ...row,
    peers: perLibrary(row.peers),
    ratios,
    ways: perLibrary(row.ways),
    ratioToBest: given.length === 0 ? null : Math.min(...given),
  };
}

/** One row of those that several processes measured: of every library the version that leaves us the smallest ratio. */
function merged(row: NativeRow, parts: readonly NativeRow[]): NativeRow {
  const peers: Record<string, number> = {};
  const ratios: Record<string, number> = {};
  const ways: Record<string, string> = {};
  for (const part of parts) {
    for (const [library, ratio] of Object.entries(part.ratios)) {
      if (ratio >= (ratios[library] ?? Number.POSITIVE_INFINITY)) continue;
      ratios[library] = ratio;
      peers[library] = part.peers[library] ?? Number.NaN;
      ways[library] = part.ways[library] ?? "";
    }
  }
  return {
    ...row,
    gflops: median(parts.map(({ gflops }) => gflops)),
    shareOfPeak: median(parts.map(({ shareOfPeak }) => shareOfPeak)),
    peers,
    ratios,
    ways,
    wrong: parts.flatMap(({ wrong }) => (wrong === "" ? [] : [wrong])).join(", "),
  };
}

export interface GemmSummary {
  readonly rows: number;
  /** The one library that leaves us the smallest geometric mean; null without peers. */
  readonly bestLibrary: LibraryName | null;
  readonly geomeanToBestLibrary: number | null;
  readonly geomeanToBestPerShape: number | null;
  readonly minimum: number | null;
  readonly minimumName: string | null;
  /** Least share of the measured FMA peak over the rows with m = n = k = 1024. */
  readonly shareOfPeakAt1024: number | null;
}

type Rated = Pick<GemmRow, "name" | "m" | "n" | "k" | "ratios" | "ratioToBest" | "shareOfPeak">;

/** The least of what `of` gives, with its row. */
function leastOf(rows: readonly Rated[], of: (row: Rated) => number | null): { name: string; value: number } | null {
  const given = rows.flatMap((row) => {
    const value = of(row);
    return value === null ? [] : [{ name: row.name, value }];
  });
  return given.reduce<{ name: string; value: number } | null>(
    (least, each) => (least === null || each.value < least.value ? each : least),
    null,
  );
}

export function summarize(rows: readonly Rated[]): GemmSummary {
  const means = LIBRARIES.flatMap((library) => {
    const ratios = rows.map((row) => row.ratios[library]).filter((ratio) => ratio !== null);
    return ratios.length === 0 ? [] : [{ library, mean: geometricMean(ratios) }];
  }).sort((a, b) => a.mean - b.mean);
  const best = means[0];
  const perShape = rows.map(({ ratioToBest }) => ratioToBest).filter((ratio) => ratio !== null);
  const minimum = leastOf(rows, ({ ratioToBest }) => ratioToBest);
  const cubes = rows.filter(({ m, n, k }) => m === 1024 && n === 1024 && k === 1024);
  return {
    rows: rows.length,
    bestLibrary: best?.library ?? null,
    geomeanToBestLibrary: best?.mean ?? null,
    geomeanToBestPerShape: perShape.length === 0 ? null : geometricMean(perShape),
    minimum: minimum?.value ?? null,
    minimumName: minimum?.name ?? null,
    shareOfPeakAt1024: leastOf(cubes, ({ shareOfPeak }) => shareOfPeak)?.value ?? null,
  };
}

const bit = (value: boolean): string => (value ? "1" : "0");

/** A line of carillon_bench's standard input. */
function lineOf({ name, m, n, k, transA, transB, prepacked }: Shape): string {
  return `${m} ${n} ${k} ${bit(transA)} ${bit(transB)} ${bit(prepacked)} ${name}\n`;
}

const table = new Table<GemmRow>([
  { title: "product", width: 24, align: "left", text: ({ name }) => name },
  { title: "op", width: 3, text: ({ transA, transB }) => `${transA ? "T" : "N"}${transB ? "T" : "N"}` },
  { title: "packed", width: 6, text: ({ prepacked }) => (prepacked ? "yes" : "") },
  { title: "threads", width: 7, text: ({ threads }) => String(threads) },
  { title: "GFLOP/s", width: 8, text: ({ gflops }) => fixed(gflops, 1) },
  ...LIBRARIES.map((library) => ({
    title: library,
    width: 8,
    text: ({ peers }: GemmRow) => fixed(peers[library], 1),
  })),
  { title: "to best", width: 7, text: ({ ratioToBest }) => fixed(ratioToBest, 2) },
  { title: "of peak", width: 7, text: ({ shareOfPeak }) => fixed(shareOfPeak, 2) },
]);

function summaryLine(title: string, summary: GemmSummary): string {
  const { bestLibrary, geomeanToBestLibrary, geomeanToBestPerShape, minimum, minimumName, shareOfPeakAt1024 } = summary;
  return (
    `${title}: ${fixed(geomeanToBestLibrary, 3)} of the best library (${bestLibrary ?? "none"}), ` +
    `${fixed(geomeanToBestPerShape, 3)} of the best per shape, least ${fixed(minimum, 2)} (${minimumName ?? "–"}), ` +
    `${fixed(shareOfPeakAt1024, 2)} of the FMA peak at 1024³`
  );
}

export async function run(options: SuiteOptions): Promise<Report<GemmRow>> {
  const { machine, print, threads, only, quick } = options;
  const shapes = readShapes().filter(({ name }) => only?.test(name) ?? true);
  const candidates: Candidate[] = quick ? [] : await choosePeers(findCandidates(peerDirectories()));
  const loaded: Loaded[] = [];
  const rows: GemmRow[] = [];
  const settings = new Map(candidates.map(({ path, setting }) => [path, setting]));
  const peers = () =>
    describePeers(
      loaded.flatMap(({ peer, path, version }) =>
        version === undefined ? [] : [{ library: peer, version, setting: settings.get(path) }],
      ),
    );
  const measure = async (count: number, used: readonly Candidate[], onRow: (row: NativeRow) => void): Promise<void> => {
    const args = nativeArguments("gemm", count, { ...options, only: undefined }); // the shapes are chosen already
    await runNative<NativeRow | Loaded>(
      [...args, ...used.flatMap(peerArguments)],
      (line) => {
        if ("path" in line) loaded.push(line);
        else onRow(line);
      },
      { env: environmentFor(used), input: shapes.map(lineOf).join("") },
    );
  };
  const show = (row: GemmRow, first: boolean): void => {
    if (first) print([...(rows.length === 0 ? peerLines(peers()) : []), "", table.header()].join("\n"));
    rows.push(row);
    print(table.line(row));
    if (row.wrong !== "") print(`  WRONG RESULT, not used: ${row.wrong}`);
  };
  for (const count of threads) {
    // Libraries take their number of threads once: a process for each.
    let first = true;
    if (count === 1 || candidates.length < 2) {
      await measure(count, candidates, (row) => {
        show(completed(row), first);
        first = false;
      });
      continue;
    }
    // Threads of one library that still spin, or are moved about, would disturb the next: a process for each as well.
    const apart: NativeRow[][] = [];
    for (const candidate of candidates) {
      const own: NativeRow[] = [];
      await measure(count, [candidate], (row) => own.push(row));
      apart.push(own);
    }
    for (const index of shapes.keys()) {
      const parts = apart.flatMap((own) => own[index] ?? []);
      const [row] = parts;
      if (row === undefined) continue;
      show(completed(merged(row, parts)), first);
      first = false;
    }
  }
  const byThreads = Object.fromEntries(
    threads.map((count) => [count, summarize(rows.filter((row) => row.threads === count))]),
  );
  const summary = summarize(rows);
  print("");
  for (const count of threads) {
    const part = byThreads[count];
    if (part !== undefined) print(summaryLine(`${count} thread${count === 1 ? "" : "s"}`, part));
  }
  print(summaryLine("all", summary));
  return { suite: "gemm", machine, peers: peers(), rows, summary: { ...summary, byThreads } };
}
