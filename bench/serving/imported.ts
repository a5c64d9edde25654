// npm run bench -- imported: µs from a call to its answer, of networks that come from a file of ONNX, beside onnxruntime-node with the same file.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { exportOnnx, importOnnx } from "../../lib/exchange/index.js";
import {
  type AnyModel,
  averagePool2d,
  batchNorm,
  conv2d,
  flatten,
  linear,
  maxPool2d,
  relu,
  sequential,
  softmax,
} from "../../lib/index.js";
import { fixed, median, type Report, type SuiteOptions, Table } from "../report.js";
import { type Entrant, floats, type Libraries, loadLibraries } from "./entrants.js";
import { time } from "./suite.js";

/** What is imported, as the file was made of. */
const NETWORKS: Readonly<Record<string, { readonly batch: number; readonly make: () => AnyModel }>> = {
  "dense 784-256-10 at 1": { batch: 1, make: () => sequential(linear(784, 256), relu(), linear(256, 10), softmax()) },
  "dense 784-256-10 at 64": { batch: 64, make: () => sequential(linear(784, 256), relu(), linear(256, 10), softmax()) },
  "normalized 64-128-128-8 at 16": {
    batch: 16,
    make: () =>
      sequential(linear(64, 128), batchNorm(128), relu(), linear(128, 128), batchNorm(128), relu(), linear(128, 8)),
  },
  "LeNet at 16": {
    batch: 16,
    make: () =>
      sequential(
        { input: [28, 28, 1] },
        ...[conv2d(1, 6, { kernel: 5, padding: 2 }), relu(), maxPool2d(2), conv2d(6, 16, { kernel: 5 }), relu()],
        ...[averagePool2d(2), flatten(), linear(400, 120), relu(), linear(120, 84), relu(), linear(84, 10)],
      ),
  },
};

/** Seconds of measuring one network, all turns together. */
const SECONDS = 4;
const TURNS = 9;

/** Milliseconds between entrants; behind onnxruntime, whose worker spins behind every call, until it is asleep. */
const PAUSE = 8;
const SPIN = 120;

const THREADS = [1, 2] as const;

export interface ImportedRow {
  readonly network: string;
  readonly threads: number;
  /** Of `run(x, into)`; median over the turns. */
  readonly microseconds: number;
  /** µs of onnxruntime-node by its threads; null where it is absent. */
  readonly onnxruntime: readonly (number | null)[];
  /** Median of (its best / ours) within a turn; null without it. */
  readonly ratioToBest: number | null;
}

const COLUMNS = new Table<ImportedRow>([
  { title: "network", width: 30, align: "left", text: ({ network }) => network },
  { title: "threads", width: 7, text: ({ threads }) => String(threads) },
  { title: "µs", width: 8, text: ({ microseconds }) => fixed(microseconds, 2) },
  ...THREADS.map((threads, at) => ({
    title: `onnxruntime${threads}`,
    width: 12,
    text: ({ onnxruntime }: ImportedRow) => fixed(onnxruntime[at] ?? null, 1),
  })),
  { title: "to best", width: 7, text: ({ ratioToBest }) => fixed(ratioToBest, 2) },
]);

function ours(model: AnyModel, x: Float32Array, rows: number, threads: number): Entrant {
  const predictor = model.predictor({ maxBatch: rows, threads });
  const into = new Float32Array(rows * predictor.outputs);
  const call = (): Float32Array => Reflect.apply(predictor.run, predictor, [x, into]);
  return { call, outputs: () => Promise.resolve(call()), end: () => undefined };
}

/** The same file there: its inputs and the memory of its outputs are made once. */
async function theirs(
  { ort }: Libraries,
  file: Uint8Array,
  x: Float32Array,
  { shapes, threads }: { readonly shapes: readonly [readonly number[], readonly number[]]; readonly threads: number },
): Promise<Entrant | undefined> {
  if (ort === undefined) return undefined;
  const options = { intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: "sequential" };
  const session = await ort.InferenceSession.create(file, options);
  const [given, made] = shapes;
  const feeds = { x: new ort.Tensor("float32", x, given) };
  const count = made.reduce((product, size) => product * size, 1);
  const fetches = { y: new ort.Tensor("float32", new Float32Array(count), made) };
  return {
    call: () => session.run(feeds, fetches),
    outputs: async () => (await session.run(feeds, fetches)).y?.data ?? new Float32Array(),
    end: () => {
      session.release().catch(() => undefined);
    },
  };
}

async function measure(
  name: string,
  path: string,
  libraries: Libraries,
  options: SuiteOptions,
): Promise<ImportedRow[]> {
  const { batch, make } = NETWORKS[name] ?? { batch: 1, make: () => sequential(linear(1, 1)) };
  const { quick, seconds = SECONDS, print } = options;
  await exportOnnx(make().initialize(1), path, { probabilities: false });
  const model = await importOnnx(path);
  const file = await readFile(path);
  const [given, made] = [model.rows.inputs[0]?.shape ?? [], model.rows.outputs[0]?.shape ?? []];
  const x = floats(batch * given.reduce((product, size) => product * size, 1), 7);
  const shapes = [
    [batch, ...given],
    [batch, ...made],
  ] as const;
  const entrants: { readonly name: string; readonly entrant: Entrant }[] = [];
  for (const threads of THREADS) entrants.push({ name: `ours ${threads}`, entrant: ours(model, x, batch, threads) });
  for (const threads of THREADS) {
    const entrant = await theirs(libraries, file, x, { shapes, threads });
    if (entrant !== undefined) entrants.push({ name: `theirs ${threads}`, entrant });
  }
  const [expected] = await Promise.all(entrants.map(({ entrant }) => entrant.outputs()));
  for (const { name: who, entrant } of entrants) {
    const far = (await entrant.outputs()).findIndex((value, at) => Math.abs(value - (expected?.[at] ?? 0)) > 1e-4);
    if (far >= 0) throw new Error(`${who} computes something else for ${name}`);
  }
  const turns = quick ? 1 : TURNS;
  const times: ReadonlyMap<string, number>[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const taken = new Map<string, number>();
    for (const { name: who, entrant } of turn % 2 === 1 ? entrants.toReversed() : entrants) {
      await setTimeout(PAUSE);
      taken.set(who, await time(entrant, (1000 * seconds) / (turns * entrants.length)));
      if (who.startsWith("theirs")) await setTimeout(SPIN);
    }
    times.push(taken);
  }
  const of = (who: string): number[] => times.map((taken) => taken.get(who) ?? Number.NaN);
  const isThere = entrants.some(({ name: who }) => who.startsWith("theirs"));
  const best = times.map((taken) =>
    Math.min(...THREADS.map((threads) => taken.get(`theirs ${threads}`) ?? Number.NaN)),
  );
  const rows = THREADS.map((threads): ImportedRow => {
    const mine = of(`ours ${threads}`);
    return {
      network: name,
      threads,
      microseconds: median(mine),
      onnxruntime: THREADS.map((each) => (isThere ? median(of(`theirs ${each}`)) : null)),
      ratioToBest: isThere ? median(best.map((peer, at) => peer / (mine[at] ?? Number.NaN))) : null,
    };
  });
  for (const { entrant } of entrants) entrant.end();
  for (const row of rows) print(COLUMNS.line(row));
  return rows;
}

export async function run(options: SuiteOptions): Promise<Report<ImportedRow>> {
  const { machine, only, quick, print } = options;
  const libraries: Libraries = quick ? { ort: undefined, tf: undefined, absent: {} } : await loadLibraries();
  if (libraries.absent.onnxruntime !== undefined) print(`peer onnxruntime: absent (${libraries.absent.onnxruntime})`);
  print("\nµs from the call to the answer; how much longer onnxruntime-node takes with its better number of threads");
  print(COLUMNS.header());
  const folder = await mkdtemp(join(tmpdir(), "carillon-imported-"));
  const rows: ImportedRow[] = [];
  try {
    const chosen = Object.keys(NETWORKS).filter((name) => only?.test(name) ?? true);
    for (const name of quick ? chosen.slice(0, 1) : chosen) {
      rows.push(...(await measure(name, join(folder, "model.onnx"), libraries, options)));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  const best = new Map<string, number>();
  for (const { network, ratioToBest } of rows) {
    if (ratioToBest !== null) best.set(network, Math.max(best.get(network) ?? 0, ratioToBest));
  }
  const versions = libraries.ort?.env.versions;
  return {
    suite: "imported",
    machine,
    peers: { onnxruntime: versions?.node ?? versions?.common ?? null },
    rows,
    summary: { minimum: best.size === 0 ? null : Math.min(...best.values()) },
  };
}
