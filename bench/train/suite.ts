// npm run bench -- train: whole training steps beside those of other libraries, and beside the machine's limit.
import { setTimeout } from "node:timers/promises";
import { fixed, median, type Report, type SuiteOptions, Table } from "../report.js";
import { type BusyRow, besideBusyProcess } from "./contention.js";
import { type DeadUnitsRow, deadUnits } from "./dead_units.js";
import { limitsOf } from "./limits.js";
import { askedOf, chosenOf, NETWORKS, type Network, nameOf, titleOf } from "./networks.js";
import { OurStep } from "./ours.js";
import { byPeer, fastest, type Limits, rowOf, type TrainRow, type Turn } from "./rows.js";
import {
  bestSetting,
  type Contestant,
  commandsOf,
  enter,
  PEERS,
  type PeerName,
  type Setting,
  SLOW,
  titleOfSetting,
} from "./settings.js";

const turnsOf = ({ quick }: SuiteOptions): number => (quick ? 1 : 5);

/** Seconds of measuring a row, all turns together. */
const SECONDS = 2;

/** Milliseconds of a setting's trial. */
const TRIAL = 150;

/** Milliseconds between entrants: threads of others that still spin go to sleep. */
const PAUSE = 30;

/** Networks for the row of dead units: small enough for the update to count, and large. */
const DEAD_IN: readonly Network[] = [
  { sizes: [784, 256, 10], batch: 32 },
  { sizes: [784, 512, 512, 10], batch: 128 },
];

/** The network on which two threads are to gain. */
const LARGE: Network = { sizes: [784, 1024, 1024, 10], batch: 512 };

const COLUMNS = new Table<TrainRow>([
  { title: "network", width: 17, align: "left", text: ({ network }) => network },
  { title: "batch", width: 5, text: ({ batch }) => String(batch) },
  { title: "threads", width: 7, text: ({ threads }) => String(threads) },
  { title: "µs", width: 9, text: ({ microseconds }) => fixed(microseconds, 1) },
  { title: "limit", width: 9, text: ({ rooflineMicroseconds }) => fixed(rooflineMicroseconds, 1) },
  { title: "× limit", width: 7, text: ({ ratioToRoofline }) => fixed(ratioToRoofline, 2) },
  ...PEERS.map((name) => ({
    title: name,
    width: 10,
    text: ({ timesFaster }: TrainRow) => (timesFaster[name] === null ? "–" : `${fixed(timesFaster[name], 1)} ×`),
  })),
]);

/** The best setting of every contestant; those without one are told. */
async function settingsOf(contestants: readonly Contestant[], network: Network, print: (line: string) => void) {
  const settings: Partial<Record<PeerName, Setting>> = {};
  for (const contestant of contestants) {
    const setting = await bestSetting(contestant, askedOf(network), TRIAL);
    if ("absent" in setting) print(`  ${contestant.name} is absent here: ${setting.absent}`);
    else settings[contestant.name] = setting;
  }
  return settings;
}

/** One turn: every entrant once, in the order of `names` or backwards, with what the machine could do beside. */
async function takeTurn(
  network: Network,
  ours: ReadonlyMap<number, OurStep>,
  settings: Partial<Record<PeerName, Setting>>,
  seconds: number,
  backwards: boolean,
): Promise<Map<number, Turn>> {
  const limits = new Map<number, Limits>();
  const steps = new Map<number, number>();
  const peers: Partial<Record<PeerName, number>> = {};
  const entrants = [
    ...[...ours].map(([threads, step]) => async () => {
      steps.set(threads, await step.measure(seconds));
      limits.set(threads, await limitsOf(network, threads));
    }),
    ...PEERS.map((name) => async () => {
      const setting = settings[name];
      if (setting === undefined || setting.microseconds > SLOW) return;
      const answer = await setting.peer.ask(askedOf(network), setting.way, seconds * 1000);
      if (!("absent" in answer)) peers[name] = answer.microseconds;
    }),
  ];
  for (const entrant of backwards ? entrants.toReversed() : entrants) {
    await setTimeout(PAUSE);
    await entrant();
  }
  return new Map(
    [...ours.keys()].map((threads) => [
      threads,
      {
        ours: steps.get(threads) ?? Number.NaN,
        limits: limits.get(threads) ?? { fmaPeak: Number.NaN, bandwidth: Number.NaN },
        peers,
      },
    ]),
  );
}

interface NetworkResult {
  readonly rows: readonly TrainRow[];
  /** The turns of every number of threads. */
  readonly turns: readonly ReadonlyMap<number, Turn>[];
}

async function measureNetwork(
  network: Network,
  contestants: readonly Contestant[],
  options: SuiteOptions,
): Promise<NetworkResult> {
  const { threads, seconds = SECONDS, print } = options;
  const count = turnsOf(options);
  const settings = await settingsOf(contestants, network, print);
  const ours = new Map(threads.map((each) => [each, new OurStep(network, each)]));
  const turns: Map<number, Turn>[] = [];
  for (let turn = 0; turn < count; turn++) {
    turns.push(await takeTurn(network, ours, settings, seconds / count, turn % 2 === 1));
  }
  const once = Object.fromEntries(
    Object.entries(settings)
      .filter(([, { microseconds }]) => microseconds > SLOW)
      .map(([name, { microseconds }]) => [name, microseconds]),
  );
  const titles = byPeer((name) => {
    const setting = settings[name];
    return setting === undefined ? null : titleOfSetting(setting);
  });
  const rows = threads.map((each) => {
    const own = turns.flatMap((turn) => turn.get(each) ?? []);
    return rowOf(network, each, own, once, titles);
  });
  for (const row of rows) print(COLUMNS.line(row));
  return { rows, turns };
}

/** How much faster two threads are, and how much the two cores were worth beside; medians over the turns. */
function speedups(turns: readonly ReadonlyMap<number, Turn>[]) {
  const ratios = turns.flatMap((turn) => {
    const [one, two] = [turn.get(1), turn.get(2)];
    return one === undefined || two === undefined
      ? []
      : [{ step: one.ours / two.ours, fmaPeak: two.limits.fmaPeak / one.limits.fmaPeak }];
  });
  return { step: median(ratios.map(({ step }) => step)), fmaPeak: median(ratios.map(({ fmaPeak }) => fmaPeak)) };
}

async function measureDeadUnits(options: SuiteOptions): Promise<DeadUnitsRow[]> {
  const { threads, print, seconds = SECONDS } = options;
  const turns = turnsOf(options);
  const rows: DeadUnitsRow[] = [];
  for (const network of chosenOf(DEAD_IN, options)) {
    for (const count of threads) {
      const times = await deadUnits(network, count, turns, seconds / turns);
      rows.push({ network: nameOf(network), batch: network.batch, threads: count, ...times });
      print(
        `half the units dead, ${titleOf(network)}, threads ${count}: ${fixed(times.dead, 1)} µs, ` +
          `${fixed(times.ratio, 2)} × the living`,
      );
    }
  }
  return rows;
}

async function measureBusy(options: SuiteOptions): Promise<BusyRow[]> {
  const { threads, print, seconds = SECONDS } = options;
  const turns = turnsOf(options);
  const rows: BusyRow[] = [];
  if (!threads.includes(2)) return rows;
  for (const network of chosenOf(NETWORKS, options)) {
    const times = await besideBusyProcess(network, turns, seconds / turns);
    rows.push({ network: nameOf(network), batch: network.batch, ...times });
    print(
      `a busy process beside, ${titleOf(network)}: two threads ${fixed(times.twoThreads, 1)} µs, ` +
        `${fixed(times.ratio, 2)} × one`,
    );
  }
  return rows;
}

export async function run(options: SuiteOptions): Promise<Report<TrainRow>> {
  const { machine, quick, print } = options;
  const contestants: Contestant[] = [];
  const absent: Partial<Record<PeerName, string>> = {};
  try {
    // One and two threads, whatever ours are: the best setting is what counts.
    for (const [name, commands] of Object.entries(quick ? {} : commandsOf(process.env, [1, 2]))) {
      const key = PEERS.find((peer) => peer === name);
      if (key === undefined) continue;
      const entered = await enter(key, commands);
      if ("absent" in entered) {
        absent[key] = entered.absent;
        print(`peer ${name}: absent (${entered.absent})`);
      } else {
        contestants.push(entered);
        print(`peer ${name}: ${entered.version}`);
      }
    }
    print("\nµs a step, dropout 0.5 and Adam; the limit; how many times longer a step of a peer at its best takes");
    print(COLUMNS.header());
    const rows: TrainRow[] = [];
    const failed: Record<string, string> = {};
    let large: ReturnType<typeof speedups> | undefined;
    for (const network of chosenOf(NETWORKS, options)) {
      const result = await measureNetwork(network, contestants, options).catch((error: unknown) => {
        failed[titleOf(network)] = error instanceof Error ? error.message : String(error);
        print(`${titleOf(network)}: FAILED: ${failed[titleOf(network)]}`);
      });
      if (result === undefined) continue;
      rows.push(...result.rows);
      if (titleOf(network) === titleOf(LARGE)) large = speedups(result.turns);
    }
    if (large !== undefined) {
      print(
        `\ntwo threads, ${titleOf(LARGE)}: ${fixed(large.step, 2)} × one; multiply-adds ${fixed(large.fmaPeak, 2)} ×`,
      );
    }
    const dead = await measureDeadUnits(options);
    const busy = await measureBusy(options);
    const versions = new Map(contestants.map(({ name, version }) => [name, version]));
    return {
      suite: "train",
      machine,
      peers: byPeer((name) => versions.get(name) ?? null),
      rows,
      summary: {
        turns: turnsOf(options),
        fastest: fastest(rows).map(({ network, batch, threads, ratioToRoofline, timesFaster }) => ({
          network,
          batch,
          threads,
          ratioToRoofline,
          timesFaster,
        })),
        twoThreads: large === undefined ? null : { network: titleOf(LARGE), ...large },
        deadUnits: dead,
        busyBeside: busy,
        absent,
        failed,
      },
    };
  } finally {
    for (const { processes } of contestants) for (const peer of processes) peer.end();
  }
}
