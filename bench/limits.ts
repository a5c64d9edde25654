// Suite `roofline`: what the machine can do at most, which roofline.ts makes the least time of a step from.
import { type LimitRow, runNative } from "./native.js";
import { fixed, type Report, type SuiteOptions, Table } from "./report.js";
import { bytesText, nativeArguments } from "./streamed.js";

const table = new Table<LimitRow>([
  { title: "loop", width: 10, align: "left", text: ({ name }) => name },
  { title: "bytes", width: 7, text: ({ workingSet }) => (workingSet === undefined ? "" : bytesText(workingSet)) },
  { title: "threads", width: 7, text: ({ threads }) => String(threads) },
  {
    title: "arrays",
    width: 6,
    text: ({ readOnly, readWrite }) => (readOnly === undefined ? "" : `${readOnly}/${readWrite}`),
  },
  { title: "prefetch", width: 8, text: ({ prefetch }) => (prefetch === true ? "yes" : "") },
  { title: "GB/s", width: 7, text: ({ gbps }) => fixed(gbps, 1) },
  { title: "GFLOP/s", width: 8, text: ({ gflops }) => fixed(gflops, 1) },
]);

export async function run(options: SuiteOptions): Promise<Report<LimitRow>> {
  const { machine, print, threads } = options;
  const rows: LimitRow[] = [];
  print(`\n${table.header()}`);
  for (const count of threads) {
    await runNative<LimitRow>(nativeArguments("roofline", count, options), (row) => {
      rows.push(row);
      print(table.line(row));
    });
  }
  const peaks = rows.filter(({ name }) => name === "fma");
  const streams = rows.filter(({ name }) => name === "stream");
  const summary = {
    fmaPeak: Object.fromEntries(peaks.map(({ threads: count, gflops }) => [count, gflops])),
    stream: streams.map(({ threads: count, workingSet, gbps }) => ({ threads: count, workingSet, gbps })),
  };
  const text = peaks.map(({ threads: count, gflops }) => `${fixed(gflops, 0)} GFLOP/s with ${count}`);
  print(`\nFMA peak by threads: ${text.join(", ")}`);
  return { suite: "roofline", machine, peers: {}, rows, summary };
}
