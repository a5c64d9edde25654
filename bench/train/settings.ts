// The peers of the suite, and which setting of each is the best for a network.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type Absence, type Asked, type Command, Peer } from "./peers.js";

export const PEERS = ["pytorch", "tensorflow", "tfjsWasm", "tfjsCpu"] as const;
export type PeerName = (typeof PEERS)[number];

/** µs a step above which a peer is measured once, and not in turns. */
export const SLOW = 3e6;

/** A peer and its processes, one a number of threads. */
export interface Contestant {
  readonly name: PeerName;
  readonly version: string;
  readonly processes: readonly Peer[];
}

/** How a peer does a step. */
export interface Setting {
  readonly peer: Peer;
  readonly way: string;
  /** µs a step when it was chosen. */
  readonly microseconds: number;
}

export function titleOfSetting({ peer, way }: Setting): string {
  return `${way}, ${peer.threads} ${peer.threads === 1 ? "thread" : "threads"}`;
}

const peerFolder = (): string =>
  join(dirname(createRequire(import.meta.url).resolve("carillon/package.json")), "bench/peers");

/** The processes of every peer. Python is CARILLON_PYTHON; tfjs has one thread, and finds its packages itself. */
export function commandsOf(environment: NodeJS.ProcessEnv, threads: readonly number[]): Record<PeerName, Command[]> {
  const folder = peerFolder();
  const file = environment.CARILLON_PYTHON ?? "python3";
  const python = (script: string): Command[] =>
    threads.map((count) => ({ file, args: [join(folder, script), String(count)], threads: count }));
  const node = (backend: string): Command[] => [
    { file: process.execPath, args: [join(folder, "tfjs_step.mjs"), backend], threads: 1 },
  ];
  return {
    pytorch: python("pytorch_step.py"),
    tensorflow: python("tensorflow_step.py"),
    tfjsWasm: node("wasm"),
    tfjsCpu: node("cpu"),
  };
}

/** Processes of PyTorch that train tables with gradients of one kind. */
export function commandsOfTables(
  environment: NodeJS.ProcessEnv,
  threads: readonly number[],
  gradient: string,
): Command[] {
  const script = join(peerFolder(), "pytorch_tables.py");
  const file = environment.CARILLON_PYTHON ?? "python3";
  return threads.map((count) => ({ file, args: [script, String(count), gradient], threads: count }));
}

/** Processes of PyTorch that run a script of bench/peers. */
export function commandsOfScript(
  environment: NodeJS.ProcessEnv,
  threads: readonly number[],
  script: string,
): Command[] {
  const file = environment.CARILLON_PYTHON ?? "python3";
  return threads.map((count) => ({ file, args: [join(peerFolder(), script), String(count)], threads: count }));
}

/** Starts the processes of a peer. */
export async function enter(name: PeerName, commands: readonly Command[]): Promise<Contestant | Absence> {
  const processes: Peer[] = [];
  let reason = "no process";
  for (const command of commands) {
    const started = await Peer.start(command);
    if ("absent" in started) reason = started.absent;
    else processes.push(started);
  }
  const [first] = processes;
  return first === undefined ? { absent: reason } : { name, version: first.version, processes };
}

/** Rounds of the choice: one could be the moment at which the machine does something else. */
const ROUNDS = 2;

/** Tries every setting and takes the fastest; where one is slow, it is not followed by others of its process. */
export async function bestSetting(
  { processes }: Pick<Contestant, "processes">,
  asked: Asked,
  milliseconds: number,
): Promise<Setting | Absence> {
  let best: Setting | undefined;
  let reason = "no setting";
  const skipped = new Set<Peer>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const peer of processes) {
      for (const way of peer.ways) {
        if (skipped.has(peer)) continue;
        const answer = await peer.ask(asked, way, milliseconds);
        if ("absent" in answer) {
          reason = `${way}: ${answer.absent}`;
          continue;
        }
        const { microseconds } = answer;
        if (microseconds > SLOW) skipped.add(peer);
        if (best === undefined || microseconds < best.microseconds) best = { peer, way, microseconds };
      }
    }
  }
  return best ?? { absent: reason };
}
