// npm run bench -- embeddings: whole steps of tables that are looked up, beside PyTorch, and beside the stream of as many rows.
import { setTimeout } from "node:timers/promises";
import { measureRows } from "../native.js";
import { fixed, median, type Report, type SuiteOptions, Table } from "../report.js";
import { bestSetting, commandsOfTables, enter, type Setting, titleOfSetting } from "../train/settings.js";
import { askedOf, type Bounds, CASES, type Case, statesOf, titleOf, type Way } from "./cases.js";
import { TableStep } from "./ours.js";

/** Seconds of measuring a row, all turns together. */
const SECONDS = 1;

/** Milliseconds of a setting's trial, and between entrants. */
const TRIAL = 100;
const PAUSE = 30;

const GRADIENTS = ["dense", "sparse"] as const;
type Peers = Readonly<Partial<Record<(typeof GRADIENTS)[number], Setting>>>;

export interface EmbeddingRow {
  readonly table: string;
  readonly batch: number;
  readonly optimizer: Case["optimizer"];
  readonly rows: Way;
  /** Of ours, the better number. */
  readonly threads: number;
  /** Median over the turns, of one step. */
  readonly microseconds: number;
  /** Native memory of a step besides table, states and examples. */
  readonly stepBytes: number;
  /** The same of the gradient of every touched row. */
  readonly touchedBytes: number;
  /** µs a step of PyTorch with gradients of either kind at their best settings. */
  readonly pytorchDenseMicroseconds: number | null;
  readonly pytorchSparseMicroseconds: number | null;
  readonly settings: readonly string[];
  /** Medians of ratios within a turn: PyTorch / ours, ours / ours, ours / stream. */
  readonly pytorchDense: number | null;
  readonly pytorchSparse: number | null;
  readonly pytorchBest: number | null;
  readonly toDense: number | null;
  readonly toTouched: number | null;
  readonly toStream: number | null;
  readonly bounds: Bounds;
}

const times = (value: number | null): string => (value === null ? "–" : `${fixed(value, 2)} ×`);

const COLUMNS = new Table<EmbeddingRow>([
  { title: "table", width: 22, align: "left", text: ({ table }) => table },
  { title: "optimizer", width: 9, align: "left", text: ({ optimizer }) => optimizer },
  { title: "rows", width: 7, align: "left", text: ({ rows }) => rows },
  { title: "threads", width: 7, text: ({ threads }) => String(threads) },
  { title: "µs", width: 8, text: ({ microseconds }) => fixed(microseconds, 0) },
  { title: "MB", width: 6, text: ({ stepBytes }) => fixed(stepBytes / 2 ** 20, 1) },
  { title: "PT dense", width: 9, text: ({ pytorchDense }) => times(pytorchDense) },
  { title: "PT sparse", width: 9, text: ({ pytorchSparse }) => times(pytorchSparse) },
  { title: "/ dense", width: 8, text: ({ toDense }) => times(toDense) },
  { title: "/ touched", width: 9, text: ({ toTouched }) => times(toTouched) },
  { title: "/ stream", width: 8, text: ({ toStream }) => times(toStream) },
  { title: "asked", width: 30, align: "left", text: ({ bounds }) => boundsText(bounds) },
]);

const boundsText = (bounds: Bounds): string =>
  Object.entries(bounds)
    .map(([name, value]) => `${name} ${name.startsWith("to") ? "≤" : "≥"} ${value}`)
    .join(", ");

/** What one turn has measured: µs. */
interface Turn {
  readonly ours: ReadonlyMap<string, number>;
  readonly dense: number | undefined;
  readonly sparse: number | undefined;
  /** By number of threads. */
  readonly stream: ReadonlyMap<number, number>;
}

const keyOf = (way: Way, threads: number): string => `${way} ${threads}`;

async function takeTurn(
  { table, ...rest }: Case,
  steps: ReadonlyMap<string, TableStep>,
  peers: Peers,
  threads: readonly number[],
  seconds: number,
  backwards: boolean,
): Promise<Turn> {
  const ours = new Map<string, number>();
  const stream = new Map<number, number>();
  const theirs: Partial<Record<keyof Peers, number>> = {};
  const entrants = [
    ...[...steps].map(([key, step]) => async () => {
      ours.set(key, await step.measure(seconds));
    }),
    ...threads.map((count) => async () => {
      const bytes = table.count * table.size * 4;
      const updated = 1 + statesOf({ table, ...rest });
      stream.set(count, await measureRows({ bytes, rows: table.batch * table.words, updated }, count, seconds));
    }),
    ...GRADIENTS.map((name) => async () => {
      const setting = peers[name];
      if (setting === undefined) return;
      const answer = await setting.peer.ask(askedOf({ table, ...rest }), setting.way, seconds * 1000);
      if (!("absent" in answer)) theirs[name] = answer.microseconds;
    }),
  ];
  for (const entrant of backwards ? entrants.toReversed() : entrants) {
    await setTimeout(PAUSE);
    await entrant();
  }
  return { ours, dense: theirs.dense, sparse: theirs.sparse, stream };
}

/** The median over turns of what each has; `null` where none has it. */
function over(turns: readonly Turn[], value: (turn: Turn) => number | undefined): number | null {
  const values = turns.flatMap((turn) => value(turn) ?? []);
  return values.length === 0 ? null : median(values);
}

const ratio = (above: number | undefined, below: number | undefined): number | undefined =>
  above === undefined || below === undefined ? undefined : above / below;

/** The least of numbers of which some may not be there. */
const leastOf = (...values: readonly (number | undefined)[]): number | undefined => {
  const there = values.filter((value) => value !== undefined);
  return there.length === 0 ? undefined : Math.min(...there);
};

async function measureCase(of: Case, peers: Peers, options: SuiteOptions): Promise<EmbeddingRow[]> {
  const { threads, quick, print, seconds = SECONDS } = options;
  const { table, optimizer, ways } = of;
  const count = quick ? 1 : 5;
  const steps = new Map<string, TableStep>();
  const bytes = new Map<Way, number>();
  for (const { way } of ways) {
    for (const each of threads) steps.set(keyOf(way, each), new TableStep(of, way, each));
    bytes.set(way, (await steps.get(keyOf(way, threads[0] ?? 1))?.bytes()) ?? Number.NaN);
  }
  const turns: Turn[] = [];
  for (let turn = 0; turn < count; turn++) {
    turns.push(await takeTurn(of, steps, peers, threads, seconds / count, turn % 2 === 1));
  }
  // The better number of threads of a way, in every ratio.
  const best = (way: Way): ((turn: Turn) => number | undefined) => {
    const median = (each: number) => over(turns, ({ ours }) => ours.get(keyOf(way, each))) ?? Number.POSITIVE_INFINITY;
    const chosen = threads.toSorted((a, b) => median(a) - median(b))[0] ?? 1;
    return ({ ours }) => ours.get(keyOf(way, chosen));
  };
  return ways.map(({ way, bounds }) => {
    const own = best(way);
    const times = new Map(threads.map((each) => [each, over(turns, ({ ours }) => ours.get(keyOf(way, each)))]));
    const microseconds = over(turns, own) ?? Number.NaN;
    const chosen = threads.find((each) => times.get(each) === microseconds) ?? 1;
    const theirs = (value: (turn: Turn) => number | undefined) => over(turns, (turn) => ratio(value(turn), own(turn)));
    const toOther = (other: Way) =>
      other === way || !ways.some((each) => each.way === other)
        ? null
        : over(turns, (turn) => ratio(own(turn), best(other)(turn)));
    const row: EmbeddingRow = {
      table: table.name,
      batch: table.batch,
      optimizer,
      rows: way,
      threads: chosen,
      microseconds,
      stepBytes: bytes.get(way) ?? Number.NaN,
      touchedBytes: table.batch * table.words * table.size * 4,
      pytorchDenseMicroseconds: over(turns, ({ dense }) => dense),
      pytorchSparseMicroseconds: over(turns, ({ sparse }) => sparse),
      settings: Object.values(peers).map(titleOfSetting),
      pytorchDense: theirs(({ dense }) => dense),
      pytorchSparse: theirs(({ sparse }) => sparse),
      pytorchBest: theirs(({ dense, sparse }) => leastOf(dense, sparse)),
      toDense: toOther("dense"),
      toTouched: toOther("touched"),
      toStream: way === "dense" ? null : over(turns, (turn) => ratio(own(turn), turn.stream.get(chosen))),
      bounds,
    };
    print(COLUMNS.line(row));
    return row;
  });
}

export async function run(options: SuiteOptions): Promise<Report<EmbeddingRow>> {
  const { machine, only, quick, print } = options;
  const chosen = CASES.filter((each) => only?.test(titleOf(each)) ?? true);
  // Quickly the smallest table.
  const cases = quick ? chosen.filter(({ table }) => table.words > 1) : chosen;
  const entered = new Map<(typeof GRADIENTS)[number], Awaited<ReturnType<typeof enter>>>();
  const rows: EmbeddingRow[] = [];
  const failed: Record<string, string> = {};
  try {
    for (const gradient of quick ? [] : GRADIENTS) {
      entered.set(gradient, await enter("pytorch", commandsOfTables(process.env, [1, 2], gradient)));
    }
    print(`\n${COLUMNS.header()}`);
    for (const each of cases) {
      const peers: Partial<Record<(typeof GRADIENTS)[number], Setting>> = {};
      for (const [gradient, contestant] of entered) {
        if ("absent" in contestant) continue;
        const setting = await bestSetting(contestant, askedOf(each), TRIAL);
        if ("absent" in setting) print(`  PyTorch with ${gradient} gradients is absent here: ${setting.absent}`);
        else peers[gradient] = setting;
      }
      const measured = await measureCase(each, peers, options).catch((error: unknown) => {
        failed[titleOf(each)] = error instanceof Error ? error.message : String(error);
        print(`${titleOf(each)}: FAILED: ${failed[titleOf(each)]}`);
      });
      rows.push(...(measured ?? []));
    }
  } finally {
    for (const contestant of entered.values()) {
      if (!("absent" in contestant)) for (const peer of contestant.processes) peer.end();
    }
  }
  const [first] = entered.values();
  const absent = first !== undefined && "absent" in first ? first.absent : null;
  const version = first === undefined || "absent" in first ? null : first.version;
  return { suite: "embeddings", machine, peers: { pytorch: version }, rows, summary: { absent, failed } };
}
