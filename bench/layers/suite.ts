// npm run bench -- layers: whole training steps of networks with one kind of layer, beside PyTorch and TensorFlow, and beside the limit of one thread.
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
import { attention } from "./attention.js";
import type { LayerCase } from "./case.js";
import { convolution } from "./convolution.js";
import { recurrence } from "./recurrence.js";

const PEERS = ["pytorch", "tensorflow"] as const;
type PeerName = (typeof PEERS)[number];

/** Rows, and the scripts of bench/peers that train the same. */
interface Part {
  readonly cases: readonly LayerCase[];
  readonly scripts: { readonly [K in PeerName]?: string };
}

/** TensorFlow.js is not here: of its wasm backend neither convolutions nor these cells have gradients (`Conv2DBackpropFilter` is not registered, 4.22). */
const PARTS: readonly Part[] = [
  { cases: attention, scripts: { pytorch: "pytorch_attention.py", tensorflow: "tensorflow_attention.py" } },
  { cases: recurrence, scripts: { pytorch: "pytorch_recurrence.py", tensorflow: "tensorflow_recurrence.py" } },
  { cases: convolution, scripts: { pytorch: "pytorch_layers.py", tensorflow: "tensorflow_layers.py" } },
];

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
  /** Of the best setting of each. */
  readonly peers: { readonly [K in PeerName]: number | null };
  /** That of the best peer. */
  readonly setting: string | null;
  /** Median over turns of the best peer / ours. */
  readonly ratioToBest: number | null;
  /** µs that one thread takes at least: multiply-adds at its peak, and the bytes of the products and of Adam's pass at its stream. */
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
  { title: "best peer", width: 9, text: ({ ratioToBest }) => times(ratioToBest) },
  { title: "pytorch", width: 9, text: ({ peers: { pytorch } }) => (pytorch === null ? "–" : fixed(pytorch, 0)) },
  {
    title: "tensorflow",
    width: 10,
    text: ({ peers: { tensorflow } }) => (tensorflow === null ? "–" : fixed(tensorflow, 0)),
  },
  { title: "asked", width: 7, text: ({ asks }) => times(asks) },
  { title: "setting", width: 24, align: "left", text: ({ setting }) => setting ?? "–" },
]);

/** The best setting of each peer that there is. */
type Settings = ReadonlyMap<PeerName, Setting>;

interface Turn {
  readonly ours: ReadonlyMap<number, number>;
  readonly theirs: ReadonlyMap<PeerName, number>;
}

async function takeTurn(of: LayerCase, settings: Settings, threads: readonly number[], seconds: number): Promise<Turn> {
  const ours = new Map<number, number>();
  for (const count of threads) {
    await setTimeout(PAUSE);
    ours.set(count, await of.measure(count, seconds));
  }
  const theirs = new Map<PeerName, number>();
  for (const [name, { peer, way }] of settings) {
    await setTimeout(PAUSE);
    const answer = await peer.ask(of.asked, way, seconds * 1000);
    if (!("absent" in answer)) theirs.set(name, answer.microseconds);
  }
  return { ours, theirs };
}

async function measureCase(of: LayerCase, settings: Settings, options: SuiteOptions): Promise<LayerRow> {
  const { threads, quick, seconds = SECONDS } = options;
  const count = quick ? 1 : 5;
  const turns: Turn[] = [];
  for (let turn = 0; turn < count; turn++) turns.push(await takeTurn(of, settings, threads, seconds / count));
  const ofThreads = (each: number): number => median(turns.map(({ ours }) => ours.get(each) ?? Number.NaN));
  const fewest = threads.toSorted((a, b) => ofThreads(a) - ofThreads(b))[0] ?? 1;
  const moved = BYTES * of.parameters + of.bytes;
  const limits = await measureLimits([moved], 1, 0.05);
  const rooflineMicroseconds = of.flops / (limits.fmaPeak * 1e3) + moved / ((limits.bandwidths[0] ?? Number.NaN) * 1e3);
  const ofPeer = (name: PeerName): number | null => {
    const theirs = turns.flatMap((turn) => turn.theirs.get(name) ?? []);
    return theirs.length === 0 ? null : median(theirs);
  };
  const peers = { pytorch: ofPeer("pytorch"), tensorflow: ofPeer("tensorflow") };
  const [best] = [...settings].toSorted(
    ([a], [b]) => (peers[a] ?? Number.POSITIVE_INFINITY) - (peers[b] ?? Number.POSITIVE_INFINITY),
  );
  const ratios = turns.flatMap(({ ours, theirs }) => {
    const each = best === undefined ? undefined : theirs.get(best[0]);
    return each === undefined ? [] : each / (ours.get(fewest) ?? Number.NaN);
  });
  return {
    name: of.name,
    threads: fewest,
    microseconds: ofThreads(fewest),
    peers,
    setting: best === undefined ? null : `${best[0]} ${titleOfSetting(best[1])}`,
    ratioToBest: ratios.length === 0 ? null : median(ratios),
    rooflineMicroseconds,
    ratioToRoofline: ofThreads(fewest) / rooflineMicroseconds,
    asks: of.asks,
  };
}

/** What the ratios of some rows come to. */
function summaryOf(rows: readonly LayerRow[]) {
  const ratios = rows.flatMap(({ ratioToBest }) => ratioToBest ?? []);
  if (ratios.length === 0) return { geomeanToBest: null, minimum: null };
  const geomeanToBest = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  return { geomeanToBest, minimum: Math.min(...ratios) };
}

/** Starts the peers of a part; `absent` is told why one is not there. */
async function enterAll({ scripts }: Part, absent: Map<PeerName, string>): Promise<ReadonlyMap<PeerName, Contestant>> {
  const entered = new Map<PeerName, Contestant>();
  for (const name of PEERS) {
    const script = scripts[name];
    if (script === undefined) continue;
    const one = await enter(name, commandsOfScript(process.env, [1, 2], script));
    if ("absent" in one) absent.set(name, one.absent);
    else entered.set(name, one);
  }
  return entered;
}

export async function run(options: SuiteOptions): Promise<Report<LayerRow>> {
  const { machine, only, quick, print } = options;
  const rows: LayerRow[] = [];
  const singles: LayerRow[] = [];
  const versions = new Map<PeerName, string>();
  const absent = new Map<PeerName, string>();
  print(`\n${COLUMNS.header()}`);
  for (const part of PARTS) {
    const chosen = part.cases.filter(({ name }) => only?.test(name) ?? true).slice(0, quick ? 1 : part.cases.length);
    if (chosen.length === 0) continue;
    if (quick) for (const name of PEERS) absent.set(name, "quick");
    const contestants = quick ? new Map<PeerName, Contestant>() : await enterAll(part, absent);
    for (const [name, { version }] of contestants) versions.set(name, version);
    try {
      for (const each of chosen) {
        const settings = new Map<PeerName, Setting>();
        for (const [name, contestant] of contestants) {
          const setting = await bestSetting(contestant, each.asked, TRIAL);
          if (!("absent" in setting)) settings.set(name, setting);
        }
        const row = await measureCase(each, settings, options);
        print(COLUMNS.line(row));
        rows.push(row);
        if (each.single) singles.push(row);
      }
    } finally {
      for (const { processes } of contestants.values()) for (const peer of processes) peer.end();
    }
  }
  const summary = {
    absent: Object.fromEntries(absent),
    ...summaryOf(rows),
    /** Of the single convolutions alone. */
    singleConvolutions: summaryOf(singles),
  };
  const version = (name: PeerName): string | null => versions.get(name) ?? null;
  return {
    suite: "layers",
    machine,
    peers: { pytorch: version("pytorch"), tensorflow: version("tensorflow") },
    rows,
    summary,
  };
}
