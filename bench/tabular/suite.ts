// npm run bench -- tabular: whole steps of the networks for tables, beside the roofline of their products and pytabkit.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fit } from "../../lib/index.js";
import { measureLimits } from "../native.js";
import { fixed, median, type Report, type SuiteOptions, Table } from "../report.js";
import { ADAM_BYTES } from "../roofline.js";
import { Clock, stepsOfStretch } from "../train/clock.js";
import * as networks from "./networks.js";
import { BATCH, CASES, type TabularCase, titleOf } from "./networks.js";

/** Seconds of measuring a row, all turns together. */
const SECONDS = 3;

export interface TabularRow extends TabularCase {
  readonly batch: number;
  /** Median over the turns, of one step with one thread. */
  readonly microseconds: number;
  /** flops of the products / FMA peak + 28 bytes × parameters / stream. */
  readonly rooflineMicroseconds: number;
  readonly ratioToRoofline: number;
  /** CPU time of a step of pytabkit, all threads together, at its better number of threads. */
  readonly pytabkitMicroseconds: number | null;
  readonly timesFaster: number | null;
}

const ROW = new Table<TabularRow>([
  { title: "network", width: 13, align: "left", text: ({ network }) => network },
  { title: "target", width: 8, align: "left", text: ({ target }) => target },
  { title: "µs", width: 8, text: ({ microseconds }) => fixed(microseconds, 0) },
  { title: "limit", width: 8, text: ({ rooflineMicroseconds }) => fixed(rooflineMicroseconds, 0) },
  { title: "× limit", width: 7, text: ({ ratioToRoofline }) => fixed(ratioToRoofline, 2) },
  {
    title: "pytabkit",
    width: 9,
    text: ({ timesFaster }) => (timesFaster === null ? "–" : `${fixed(timesFaster, 2)} ×`),
  },
  { title: "asked", width: 24, align: "left", text: () => "≤ 1.6 × limit, ≥ 3 ×" },
]);

/** µs a step as `fit` does it with one thread, one figure a stretch. */
async function stretches(of: TabularCase, every: number, count: number): Promise<readonly number[]> {
  const clock = new Clock(every, every);
  const { examples, loss, optimizer, model } = networks.made(of);
  const steps = every * (count + 1);
  await fit(model, { data: examples, loss, optimizer, batchSize: BATCH, steps, threads: 1, callbacks: [clock] });
  return clock.times;
}

/** µs a step of the roofline, now. */
async function limitOf(of: TabularCase): Promise<number> {
  const { flops, parameters } = networks.workOf(of);
  const { fmaPeak, bandwidths } = await measureLimits([ADAM_BYTES * parameters], 1, 0.05);
  return flops / (fmaPeak * 1e3) + (ADAM_BYTES * parameters) / ((bandwidths[0] ?? Number.NaN) * 1e3);
}

/** µs of CPU time a step of pytabkit, by title; the Python with it is CARILLON_PYTABKIT. */
async function measurePeer(python: string, threads: number, only: RegExp): Promise<ReadonlyMap<string, number>> {
  const args = ["bench/peers/pytabkit_step.py", networks.ROWS, networks.COLUMNS, BATCH, threads, only.source].map(
    String,
  );
  const child = spawn(python, args, {
    env: { ...process.env, OMP_NUM_THREADS: String(threads) },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const found = new Map<string, number>();
  const closed = once(child, "close");
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith("{")) continue;
    const row = JSON.parse(line) as TabularCase & { readonly microseconds: number };
    found.set(titleOf(row), row.microseconds);
  }
  await closed;
  return found;
}

async function measureCase(of: TabularCase, { quick, seconds = SECONDS }: SuiteOptions) {
  const count = quick ? 1 : 5;
  let guess = median(await stretches(of, 4, 2));
  const turns: { readonly ours: number; readonly limit: number }[] = [];
  for (let turn = 0; turn < count; turn++) {
    const limit = await limitOf(of);
    const every = stepsOfStretch(guess);
    const ours = median(await stretches(of, every, Math.max(2, Math.round((seconds * 1e6) / (count * every * guess)))));
    guess = ours;
    turns.push({ ours, limit });
  }
  return {
    microseconds: median(turns.map(({ ours }) => ours)),
    rooflineMicroseconds: median(turns.map(({ limit }) => limit)),
    ratioToRoofline: median(turns.map(({ ours, limit }) => ours / limit)),
  };
}

export async function run(options: SuiteOptions): Promise<Report<TabularRow>> {
  const { machine, only = /(?:)/, quick, print } = options;
  const chosen = CASES.filter((each) => only.test(titleOf(each)));
  const cases = quick ? chosen.slice(0, 1) : chosen;
  const python = quick ? undefined : process.env.CARILLON_PYTABKIT;
  const rows: TabularRow[] = [];
  print(`\n${ROW.header()}`);
  for (const each of cases) {
    const own = await measureCase(each, options);
    const theirs: number[] = [];
    for (const threads of python === undefined ? [] : [1, 2]) {
      const found = await measurePeer(python ?? "", threads, new RegExp(`^${titleOf(each)}$`));
      theirs.push(found.get(titleOf(each)) ?? Number.POSITIVE_INFINITY);
    }
    const least = Math.min(...theirs);
    const pytabkitMicroseconds = Number.isFinite(least) ? least : null;
    const timesFaster = pytabkitMicroseconds === null ? null : pytabkitMicroseconds / own.microseconds;
    const row: TabularRow = { ...each, batch: BATCH, ...own, pytabkitMicroseconds, timesFaster };
    rows.push(row);
    print(ROW.line(row));
  }
  return { suite: "tabular", machine, peers: { pytabkit: python ?? null }, rows, summary: {} };
}
