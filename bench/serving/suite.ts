// npm run bench -- serving: µs from a call to its answer, from JavaScript, beside other libraries.
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { WeightForm } from "../../lib/index.js";
import { fixed, median, type Report, type SuiteOptions, Table } from "../report.js";
import {
  type Entrant,
  floats,
  type Libraries,
  loadLibraries,
  modelOf,
  NETWORKS,
  type Network,
  nameOf,
  onnxruntime,
  ours,
  PEERS,
  type PeerName,
  tfjs,
} from "./entrants.js";
import { type Gathered, measureGathered } from "./gathered.js";

const BATCHES = [1, 64] as const;
const FORMS: readonly WeightForm[] = ["f32", "bf16", "int8"];

/** Seconds of measuring one network with one batch, all turns together. */
const SECONDS = 4;
const TURNS = 9;

/** Milliseconds between entrants; behind onnxruntime, whose worker spins for some 60 ms behind every call, until it is asleep. */
const PAUSE = 8;
const SPIN = 120;

/** Calls between two looks at the clock. */
const FEW = 8;

export interface ServingRow {
  readonly network: string;
  readonly batch: number;
  /** Of ours. */
  readonly threads: number;
  readonly weights: WeightForm;
  /** Of `run(x, into)`; median over the turns. */
  readonly microseconds: number;
  /** A call, on JavaScript's heap and outside of it. */
  readonly bytesAllocated: number;
  /** µs of the peers; null for one that is absent or wrong. */
  readonly peers: Readonly<Record<PeerName, number | null>>;
  /** Median of (best peer / ours) within a turn; null without peers. */
  readonly ratioToBest: number | null;
  /** Median of (ours in f32 with as many threads / ours) within a turn. */
  readonly ratioToF32: number;
}

const COLUMNS = new Table<ServingRow>([
  { title: "network", width: 14, align: "left", text: ({ network }) => network },
  { title: "batch", width: 5, text: ({ batch }) => String(batch) },
  { title: "threads", width: 7, text: ({ threads }) => String(threads) },
  { title: "weights", width: 7, text: ({ weights }) => weights },
  { title: "µs", width: 8, text: ({ microseconds }) => fixed(microseconds, 2) },
  { title: "bytes", width: 6, text: ({ bytesAllocated }) => fixed(bytesAllocated, 0) },
  ...PEERS.map((name) => ({ title: name, width: 12, text: ({ peers }: ServingRow) => fixed(peers[name], 1) })),
  { title: "to best", width: 7, text: ({ ratioToBest }) => fixed(ratioToBest, 2) },
  { title: "to f32", width: 6, text: ({ ratioToF32 }) => fixed(ratioToF32, 2) },
]);

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Calls whose memory is looked at: less than a collection of the young comes after. */
const LOOKED_AT = 500;

/** Bytes that one of these calls leaves to the collector; 0 where that is less than the looking itself. */
function bytesOf(entrant: Entrant): number {
  const held = (): number => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  for (let call = 0; call < LOOKED_AT; call++) entrant.call();
  collect();
  held();
  const before = held();
  for (let call = 0; call < LOOKED_AT; call++) entrant.call();
  return Math.max(0, Math.floor((held() - before) / LOOKED_AT));
}

/** µs a call, one call after another for so long, behind one that brings everything back into the caches. */
export async function time({ call }: Entrant, milliseconds: number): Promise<number> {
  await call();
  const waits = call() instanceof Promise;
  const began = performance.now();
  const end = began + milliseconds;
  let calls = 0;
  for (;;) {
    if (waits) for (let few = 0; few < FEW; few++) await call();
    else for (let few = 0; few < FEW; few++) call();
    calls += FEW;
    const now = performance.now();
    if (now >= end) return ((now - began) * 1000) / calls;
  }
}

interface Named {
  readonly name: string;
  readonly entrant: Entrant;
}

/** Those peers that compute what ours does: the difference is that of another order of sums. */
async function rightPeers(libraries: Libraries, network: Network, x: Float32Array, print: SuiteOptions["print"]) {
  const { ort, tf } = libraries;
  const expected = await ours(modelOf(network), x, "f32", 1).outputs();
  const peers: Named[] = [];
  if (ort !== undefined) {
    peers.push({ name: "onnxruntime1", entrant: await onnxruntime(ort, network, x, 1) });
    peers.push({ name: "onnxruntime2", entrant: await onnxruntime(ort, network, x, 2) });
  }
  if (tf !== undefined) peers.push({ name: "tfjsWasm", entrant: tfjs(tf, network, x) });
  const right: Named[] = [];
  for (const peer of peers) {
    const outputs = await peer.entrant.outputs();
    const isRight = outputs.length === expected.length && outputs.every((value, at) => near(value, expected[at] ?? 0));
    if (isRight) right.push(peer);
    else print(`  ${peer.name} computes something else for ${nameOf(network)}`);
  }
  return right;
}

function near(value: number, expected: number): boolean {
  return Math.abs(value - expected) <= 1e-3 * (1 + Math.abs(expected));
}

async function measure(network: Network, batch: number, libraries: Libraries, options: SuiteOptions) {
  const { threads, quick, seconds = SECONDS, print } = options;
  const turns = quick ? 1 : TURNS;
  const x = floats(batch * (network.sizes[0] ?? 0), 7);
  const model = modelOf(network);
  const own = threads.flatMap((each) =>
    FORMS.map((weights) => ({
      threads: each,
      weights,
      name: `${each} ${weights}`,
      entrant: ours(model, x, weights, each),
    })),
  );
  const peers = await rightPeers(libraries, network, x, print);
  const entrants: readonly Named[] = [...own, ...peers];
  const times: ReadonlyMap<string, number>[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const taken = new Map<string, number>();
    for (const { name, entrant } of turn % 2 === 1 ? entrants.toReversed() : entrants) {
      await setTimeout(PAUSE);
      taken.set(name, await time(entrant, (1000 * seconds) / (turns * entrants.length)));
      if (name.startsWith("onnxruntime")) await setTimeout(SPIN);
    }
    times.push(taken);
  }
  const of = (name: string): number[] => times.map((taken) => taken.get(name) ?? Number.NaN);
  const theirs = (name: PeerName): number | null =>
    peers.some((peer) => peer.name === name) ? median(of(name)) : null;
  const rows = own.map(({ name, weights, threads: each, entrant }): ServingRow => {
    const best = times.map((taken) => Math.min(...peers.map((peer) => taken.get(peer.name) ?? Number.NaN)));
    const mine = of(name);
    const exact = of(`${each} f32`);
    return {
      network: nameOf(network),
      batch,
      threads: each,
      weights,
      microseconds: median(mine),
      bytesAllocated: bytesOf(entrant),
      peers: {
        onnxruntime1: theirs("onnxruntime1"),
        onnxruntime2: theirs("onnxruntime2"),
        tfjsWasm: theirs("tfjsWasm"),
      },
      ratioToBest: peers.length === 0 ? null : median(best.map((peer, at) => peer / (mine[at] ?? Number.NaN))),
      ratioToF32: median(exact.map((value, at) => value / (mine[at] ?? Number.NaN))),
    };
  });
  for (const { entrant } of peers) entrant.end();
  for (const row of rows) print(COLUMNS.line(row));
  return rows;
}

/** Of every network and batch in f32 the number of threads that is better; the least of their ratios. */
export function summaryOf(rows: readonly ServingRow[]) {
  const bestOf = (batch: number | undefined): number | null => {
    const best = new Map<string, number>();
    for (const row of rows) {
      if (row.weights !== "f32" || row.ratioToBest === null || (batch !== undefined && row.batch !== batch)) continue;
      const key = `${row.network} at ${row.batch}`;
      best.set(key, Math.max(best.get(key) ?? 0, row.ratioToBest));
    }
    return best.size === 0 ? null : Math.min(...best.values());
  };
  const formOf = (weights: WeightForm): number | null => {
    const large = rows.filter((row) => row.network === "1024-1024-1024" && row.batch === 1 && row.weights === weights);
    return large.length === 0 ? null : Math.max(...large.map(({ ratioToF32 }) => ratioToF32));
  };
  return { minimum: bestOf(undefined), minimumOfOneRow: bestOf(1), bf16: formOf("bf16"), int8: formOf("int8") };
}

export async function run(options: SuiteOptions): Promise<Report<ServingRow>> {
  const { machine, only, quick, print } = options;
  const libraries: Libraries = quick ? { ort: undefined, tf: undefined, absent: {} } : await loadLibraries();
  for (const [name, reason] of Object.entries(libraries.absent)) print(`peer ${name}: absent (${reason})`);
  const { ort, tf } = libraries;
  const onnx = ort === undefined ? null : (ort.env.versions.node ?? ort.env.versions.common);
  print("\nµs from the call to the answer; how much longer the best peer takes; how much faster than in f32");
  print(COLUMNS.header());
  const chosen = NETWORKS.flatMap((network) => BATCHES.map((batch) => ({ network, batch }))).filter(
    ({ network, batch }) => only?.test(`${nameOf(network)} at ${batch}`) ?? true,
  );
  const rows: ServingRow[] = [];
  for (const { network, batch } of quick ? chosen.slice(0, 2) : chosen) {
    rows.push(...(await measure(network, batch, libraries, options)));
  }
  const gathered: Gathered[] = [];
  const measured = NETWORKS.filter((network) => rows.some((row) => row.network === nameOf(network)));
  for (const network of measured) gathered.push(await measureGathered(network, options));
  return {
    suite: "serving",
    machine,
    peers: { onnxruntime1: onnx, onnxruntime2: onnx, tfjsWasm: tf?.version.tfjs ?? null },
    rows,
    summary: { ...summaryOf(rows), gathered },
  };
}
