// npm run bench -- layers: whole training steps of networks with one kind of layer, beside PyTorch, and beside the limit of one thread.
import { setTimeout } from "node:timers/promises";
import { measureLimits } from "../native.js";
import { fixed, median, type Report, type SuiteOptions, Table } from "../report.js";
import {
  bestSetting,
  type Contestant,
  commandsOfScript,
  enter,
  type Setting,
  titleOfSetting,
} from "../train/settings.js";
import type { LayerCase } from "./case.js";
import { convolution } from "./convolution.js";
import { recurrence } from "./recurrence.js";

/** Rows by the script of bench/peers that trains the same. */
const CASES: Readonly<Record<string, readonly LayerCase[]>> = {
  "pytorch_recurrence.py": recurrence,
  "pytorch_layers.py": convolution,
};

/** Seconds of measuring a row, all turns together; milliseconds of a setting's trial, and between entrants. */
const SECONDS = 2;
const TRIAL = 150;
const PAUSE = 30;

/** Bytes of Adam's pass a parameter. */
const BYTES = 28;

export interface LayerRow {
  readonly name: string;
  /** The better number, of ours. */
  readonly threads: number;
  /** Medians over the turns, of one step. */
  readonly microseconds: number;
  readonly peers: { readonly pytorch: number | null };
  /** PyTorch's best setting. */
  readonly setting: string | null;
  /** Median over turns of PyTorch / ours. */
  readonly ratioToBest: number | null;
  /** µs that one thread takes at least: multiply-adds at its peak, and Adam's pass at its stream. */
  readonly rooflineMicroseconds: number;
  readonly ratioToRoofline: number;
  /** What `ratioToBest` is to be. */
  readonly asks: number;
}

const times = (value: number | null): string => (value === null ? "–" : `${fixed(value, 2)} ×`);

const COLUMNS = new Table<LayerRow>([
  { title: "network", width: 38, align: "left", text: ({ name }) => name },
  { title: "threads", width: 7, text: ({ threads }) => String(threads) },
  { title: "µs", width: 9, text: ({ microseconds }) => fixed(microseconds, 0) },
  { title: "limit", width: 9, text: ({ rooflineMicroseconds }) => fixed(rooflineMicroseconds, 0) },
  { title: "× limit", width: 8, text: ({ ratioToRoofline }) => times(ratioToRoofline) },
  { title: "pytorch", width: 9, text: ({ ratioToBest }) => times(ratioToBest) },
  { title: "asked", width: 7, text: ({ asks }) => times(asks) },
  { title: "setting", width: 24, align: "left", text: ({ setting }) => setting ?? "–" },
]);

interface Turn {
  readonly ours: ReadonlyMap<number, number>;
  readonly theirs: number | undefined;
}

async function takeTurn(
  of: LayerCase,
  peer: Setting | undefined,
  threads: readonly number[],
  seconds: number,
): Promise<Turn> {
  const ours = new Map<number, number>();
  for (const count of threads) {
    await setTimeout(PAUSE);
    ours.set(count, await of.measure(count, seconds));
  }
  await setTimeout(PAUSE);
  const answer = peer === undefined ? undefined : await peer.peer.ask(of.asked, peer.way, seconds * 1000);
  return { ours, theirs: answer === undefined || "absent" in answer ? undefined : answer.microseconds };
}

async function measureCase(of: LayerCase, peer: Setting | undefined, options: SuiteOptions): Promise<LayerRow> {
  const { threads, quick, seconds = SECONDS } = options;
  const count = quick ? 1 : 5;
  const turns: Turn[] = [];
  for (let turn = 0; turn < count; turn++) turns.push(await takeTurn(of, peer, threads, seconds / count));
  const ofThreads = (each: number): number => median(turns.map(({ ours }) => ours.get(each) ?? Number.NaN));
  const best = threads.toSorted((a, b) => ofThreads(a) - ofThreads(b))[0] ?? 1;
  const limits = await measureLimits([BYTES * of.parameters], 1, 0.05);
  const rooflineMicroseconds =
    of.flops / (limits.fmaPeak * 1e3) + (BYTES * of.parameters) / ((limits.bandwidths[0] ?? Number.NaN) * 1e3);
  const theirs = turns.flatMap(({ theirs: each }) => each ?? []);
  const ratios = turns.flatMap(({ ours, theirs: each }) =>
    each === undefined ? [] : each / (ours.get(best) ?? Number.NaN),
  );
  return {
    name: of.name,
    threads: best,
    microseconds: ofThreads(best),
    peers: { pytorch: theirs.length === 0 ? null : median(theirs) },
    setting: peer === undefined ? null : titleOfSetting(peer),
    ratioToBest: ratios.length === 0 ? null : median(ratios),
    rooflineMicroseconds,
    ratioToRoofline: ofThreads(best) / rooflineMicroseconds,
    asks: of.asks,
  };
}

const meanOfRatios = (ratios: readonly number[]): number | null =>
  ratios.length === 0 ? null : Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);

export async function run(options: SuiteOptions): Promise<Report<LayerRow>> {
  const { machine, only, quick, print } = options;
  const rows: LayerRow[] = [];
  let version: string | null = null;
  let absent: string | null = null;
  print(`\n${COLUMNS.header()}`);
  for (const [script, all] of Object.entries(CASES)) {
    const chosen = all.filter(({ name }) => only?.test(name) ?? true).slice(0, quick ? 1 : all.length);
    if (chosen.length === 0) continue;
    const entered = quick ? { absent: "quick" } : await enter("pytorch", commandsOfScript(process.env, [1, 2], script));
    const contestant: Contestant | undefined = "absent" in entered ? undefined : entered;
    if ("absent" in entered) absent = entered.absent;
    version = contestant?.version ?? version;
    try {
      for (const each of chosen) {
        const setting = contestant === undefined ? undefined : await bestSetting(contestant, each.asked, TRIAL);
        const row = await measureCase(
          each,
          setting !== undefined && "absent" in setting ? undefined : setting,
          options,
        );
        print(COLUMNS.line(row));
        rows.push(row);
      }
    } finally {
      for (const peer of contestant?.processes ?? []) peer.end();
    }
  }
  const ratios = rows.flatMap(({ ratioToBest }) => ratioToBest ?? []);
  const summary = {
    absent,
    geomeanToBest: meanOfRatios(ratios),
    minimum: ratios.length === 0 ? null : Math.min(...ratios),
  };
  return { suite: "layers", machine, peers: { pytorch: version }, rows, summary };
}
