// npm run bench -- together: two equal runs at once against one alone. Each should end at the same time as the other, and
// both together do as many steps a second as one. Alone and together in turns; every run does the same steps.
import { adam, crossEntropy, fit } from "../../lib/index.js";
import { fixed, median, type Report, type SuiteOptions, Table } from "../report.js";
import { chosenOf, examplesOf, modelOf, NETWORKS, type Network, nameOf } from "./networks.js";
import { OurStep } from "./ours.js";

const turnsOf = ({ quick }: SuiteOptions): number => (quick ? 1 : 5);

/** Seconds that one run alone takes, about. */
const SECONDS = 1.5;

export interface TogetherRow {
  readonly network: string;
  readonly batch: number;
  readonly threads: number;
  /** Steps of a run. */
  readonly steps: number;
  /** µs a step of one run alone. */
  readonly alone: number;
  /** Median over the turns of: steps a second of two runs at once / of one alone. */
  readonly throughput: number;
  /** Median and greatest over the turns of: time of the slower run / of the faster one − 1. */
  readonly apart: number;
  readonly mostApart: number;
}

const COLUMNS = new Table<TogetherRow>([
  { title: "network", width: 18, align: "left", text: ({ network }) => network },
  { title: "batch", width: 5, text: ({ batch }) => String(batch) },
  { title: "threads", width: 7, text: ({ threads }) => String(threads) },
  { title: "alone, µs", width: 10, text: ({ alone }) => fixed(alone, 1) },
  { title: "together ×", width: 10, text: ({ throughput }) => fixed(throughput, 2) },
  { title: "apart", width: 7, text: ({ apart }) => `${fixed(100 * apart, 1)}%` },
  { title: "at most", width: 7, text: ({ mostApart }) => `${fixed(100 * mostApart, 1)}%` },
]);

/** When a run of `steps` steps began and ended, its preparation not counted; in seconds. */
interface Span {
  readonly begin: number;
  readonly end: number;
}

type Examples = ReturnType<typeof examplesOf>;

async function spanOf(network: Network, data: Examples, threads: number, steps: number): Promise<Span> {
  const run = fit(modelOf(network), {
    data,
    loss: crossEntropy(),
    optimizer: adam(),
    batchSize: network.batch,
    steps,
    threads,
  });
  let begin = Number.NaN;
  let end = Number.NaN;
  for await (const { kind } of run) {
    if (kind === "start") begin = performance.now() / 1000;
    if (kind === "end") end = performance.now() / 1000;
  }
  return { begin, end };
}

const length = ({ begin, end }: Span): number => end - begin;

async function measureNetwork(network: Network, threads: number, seconds: number, count: number): Promise<TogetherRow> {
  const step = await new OurStep(network, threads).measure(0.1);
  const steps = Math.ceil((seconds * 1e6) / step);
  const data = examplesOf(network.sizes[0] ?? 0, network.sizes.at(-1) ?? 0);
  const one = (): Promise<Span> => spanOf(network, data, threads, steps);
  const turns: { alone: number; throughput: number; apart: number }[] = [];
  for (let turn = 0; turn < count; turn++) {
    const alone = length(await one());
    const both = await Promise.all([one(), one()]);
    const [fast = 0, slow = 0] = both.map(length).toSorted((a, b) => a - b);
    const whole = Math.max(...both.map(({ end }) => end)) - Math.min(...both.map(({ begin }) => begin));
    turns.push({ alone, throughput: (2 * alone) / whole, apart: slow / fast - 1 });
  }
  return {
    network: nameOf(network),
    batch: network.batch,
    threads,
    steps,
    alone: (median(turns.map(({ alone }) => alone)) * 1e6) / steps,
    throughput: median(turns.map(({ throughput }) => throughput)),
    apart: median(turns.map(({ apart }) => apart)),
    mostApart: Math.max(...turns.map(({ apart }) => apart)),
  };
}

export async function run(options: SuiteOptions): Promise<Report<TogetherRow>> {
  const { machine, threads, print, seconds = SECONDS } = options;
  const turns = turnsOf(options);
  print(COLUMNS.header());
  const rows: TogetherRow[] = [];
  for (const network of chosenOf(NETWORKS, options)) {
    for (const count of threads) {
      const row = await measureNetwork(network, count, seconds, turns);
      rows.push(row);
      print(COLUMNS.line(row));
    }
  }
  return { suite: "together", machine, peers: {}, rows, summary: { turns } };
}
