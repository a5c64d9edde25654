// Suites `elementwise`, `lookups`, `dropout` and `optimizers`: kernels whose limit is the memory, in turns with the stream.
import { runNative } from "./native.js";
import { fixed, geometricMean, type Report, type Suite, type SuiteOptions, Table } from "./report.js";

export interface StreamedRow {
  readonly name: string;
  /** Bytes of all arrays together. */
  readonly workingSet: number;
  readonly threads: number;
  /** Arrays of the kernel: read, read and written in place, written. */
  readonly readOnly: number;
  readonly readWrite: number;
  readonly writeOnly: number;
  /** Bytes read plus bytes written, in 10⁹ a second. */
  readonly gbps: number;
  readonly streamGbps: number;
  /** Of a loop over arrays that are read and written as the kernel's are. */
  readonly patternGbps: number;
  readonly fractionOfStream: number;
  readonly fractionOfPattern: number;
}

export function bytesText(bytes: number): string {
  return bytes >= 1 << 20 ? `${fixed(bytes / (1 << 20), 0)} MB` : `${fixed(bytes / 1024, 0)} KB`;
}

const table = new Table<StreamedRow>([
  { title: "kernel", width: 46, align: "left", text: ({ name }) => name },
  { title: "bytes", width: 7, text: ({ workingSet }) => bytesText(workingSet) },
  { title: "threads", width: 7, text: ({ threads }) => String(threads) },
  { title: "arrays", width: 6, text: ({ readOnly, readWrite, writeOnly }) => `${readOnly}/${readWrite}/${writeOnly}` },
  { title: "GB/s", width: 7, text: ({ gbps }) => fixed(gbps, 1) },
  { title: "stream", width: 7, text: ({ streamGbps }) => fixed(streamGbps, 1) },
  { title: "of stream", width: 9, text: ({ fractionOfStream }) => fixed(fractionOfStream, 2) },
  { title: "of pattern", width: 10, text: ({ fractionOfPattern }) => fixed(fractionOfPattern, 2) },
]);

export interface StreamedSummary {
  readonly workingSet: number;
  readonly threads: number;
  readonly rows: number;
  readonly geomean: number;
  readonly minimum: number;
  readonly minimumName: string;
}

type Rated = Pick<StreamedRow, "name" | "workingSet" | "threads" | "fractionOfStream">;

/** Fractions of the stream, by working set and threads in the order of the rows. */
export function summarize(rows: readonly Rated[]): StreamedSummary[] {
  const groups = new Map<string, Rated[]>();
  for (const row of rows) {
    const key = `${row.workingSet}, ${row.threads}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const least = group.reduce((a, b) => (b.fractionOfStream < a.fractionOfStream ? b : a));
    return [
      {
        workingSet: first.workingSet,
        threads: first.threads,
        rows: group.length,
        geomean: geometricMean(group.map(({ fractionOfStream }) => fractionOfStream)),
        minimum: least.fractionOfStream,
        minimumName: least.name,
      },
    ];
  });
}

/** Arguments of a native suite. */
export function nativeArguments(suite: string, threads: number, { seconds, only, quick }: SuiteOptions): string[] {
  const args = [suite, "--threads", String(threads)];
  if (seconds !== undefined) args.push("--seconds", String(seconds));
  if (only !== undefined) args.push("--only", only.source);
  if (quick) args.push("--quick");
  return args;
}

async function measure(suite: string, options: SuiteOptions): Promise<Report<StreamedRow>> {
  const { machine, print, threads } = options;
  const rows: StreamedRow[] = [];
  print(`\n${table.header()}`);
  for (const count of threads) {
    await runNative<StreamedRow>(nativeArguments(suite, count, options), (row) => {
      rows.push(row);
      print(table.line(row));
    });
  }
  const groups = summarize(rows);
  print("");
  for (const { workingSet, threads: count, geomean, minimum, minimumName } of groups) {
    print(
      `${bytesText(workingSet)}, ${count} thread${count === 1 ? "" : "s"}: ${fixed(geomean, 2)} of the stream ` +
        `(geometric mean), least ${fixed(minimum, 2)} (${minimumName})`,
    );
  }
  return { suite, machine, peers: {}, rows, summary: { groups } };
}

export const elementwise: Suite = (options) => measure("elementwise", options);
export const lookups: Suite = (options) => measure("lookups", options);
export const dropout: Suite = (options) => measure("dropout", options);
export const optimizers: Suite = (options) => measure("optimizers", options);
