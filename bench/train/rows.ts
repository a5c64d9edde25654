// What the suite `train` reports of a network, from what was measured in turns.
import { median } from "../report.js";
import { rooflineMicroseconds } from "../roofline.js";
import { type Network, nameOf } from "./networks.js";
import { PEERS, type PeerName } from "./settings.js";

/** What the machine could do beside a turn, with one number of threads. */
export interface Limits {
  /** GFLOP/s. */
  readonly fmaPeak: number;
  /** GB/s at 28 bytes × parameters. */
  readonly bandwidth: number;
}

/** One turn with one number of threads of ours: µs a step of ours and of the peers that took part. */
export interface Turn {
  readonly ours: number;
  readonly limits: Limits;
  readonly peers: Readonly<Partial<Record<PeerName, number>>>;
}

export type ByPeer<T> = Readonly<Record<PeerName, T | null>>;

export interface TrainRow {
  readonly network: string;
  readonly batch: number;
  readonly optimizer: "adam";
  /** Of ours. */
  readonly threads: number;
  /** Median over the turns, of one step. */
  readonly microseconds: number;
  /** With the limits of as many threads; median over the turns. */
  readonly rooflineMicroseconds: number;
  /** Median of the ratios within a turn. */
  readonly ratioToRoofline: number;
  /** µs a step at the peer's best setting. */
  readonly peers: ByPeer<number>;
  /** Median of peer / ours within a turn. */
  readonly timesFaster: ByPeer<number>;
  /** The peers' best settings. */
  readonly settings: ByPeer<string>;
}

export function byPeer<T>(value: (name: PeerName) => T | null): ByPeer<T> {
  const [pytorch, tensorflow, tfjsWasm, tfjsCpu] = PEERS;
  return {
    pytorch: value(pytorch),
    tensorflow: value(tensorflow),
    tfjsWasm: value(tfjsWasm),
    tfjsCpu: value(tfjsCpu),
  };
}

/** `once`: µs a step of peers that are too slow to take part in turns. */
export function rowOf(
  network: Network,
  threads: number,
  turns: readonly Turn[],
  once: Turn["peers"],
  settings: ByPeer<string>,
): TrainRow {
  const microseconds = median(turns.map(({ ours }) => ours));
  const limits = turns.map(({ limits: { fmaPeak, bandwidth } }) =>
    rooflineMicroseconds({ sizes: network.sizes, batch: network.batch, fmaPeak, bandwidth }),
  );
  const inTurns = (name: PeerName, value: (theirs: number, ours: number) => number): number | undefined => {
    const values = turns.flatMap(({ ours, peers }) => {
      const theirs = peers[name];
      return theirs === undefined ? [] : [value(theirs, ours)];
    });
    return values.length === 0 ? undefined : median(values);
  };
  return {
    network: nameOf(network),
    batch: network.batch,
    optimizer: "adam",
    threads,
    microseconds,
    rooflineMicroseconds: median(limits),
    ratioToRoofline: median(turns.map(({ ours }, index) => ours / (limits[index] ?? Number.NaN))),
    peers: byPeer((name) => inTurns(name, (theirs) => theirs) ?? once[name] ?? null),
    timesFaster: byPeer(
      (name) =>
        inTurns(name, (theirs, ours) => theirs / ours) ?? (once[name] === undefined ? null : once[name] / microseconds),
    ),
    settings,
  };
}

/** The rows of every network at the number of threads that is faster. */
export function fastest(rows: readonly TrainRow[]): TrainRow[] {
  const best = new Map<string, TrainRow>();
  for (const row of rows) {
    const key = `${row.network} at ${row.batch}`;
    const known = best.get(key);
    if (known === undefined || row.microseconds < known.microseconds) best.set(key, row);
  }
  return [...best.values()];
}
