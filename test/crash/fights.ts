// Lets two processes fight for one folder, again and again, and sees that no job is lost and no two are mixed.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Manner } from "./fighter.js";
import { numbers } from "./numbers.js";

export interface FightOptions {
  /** The program: run with a folder, a seed and a manner as its arguments. */
  readonly job: readonly string[];
  readonly fights: number;
  readonly seed: number;
  /** Told after every fight. */
  readonly tell?: ((line: string) => void) | undefined;
}

export interface FightReport {
  readonly fights: number;
  /** Fights in which both were at work at once, so that one was refused because the other had the folder. */
  readonly busy: number;
  /** Refused because the folder was another job's. */
  readonly foreign: number;
  /** Fights in which one process was killed at a random moment, to be started again. */
  readonly kills: number;
  /** Jobs that were begun, and that came to their end with the bits of an undisturbed one. */
  readonly begun: number;
  readonly ended: number;
  readonly failures: readonly string[];
}

interface Fighter {
  readonly seed: number;
  readonly manner: Manner;
  /** Milliseconds after the beginning of the fight. */
  readonly delay: number;
  /** When it is killed, after its start. */
  readonly killed: number | undefined;
}

interface Fought {
  readonly fighter: Fighter;
  readonly out: string;
  readonly error: string;
  readonly signal: NodeJS.Signals | null;
}

/** A message: this is another job's folder, or somebody has it. */
const REFUSED = /^refused (ERR_BUSY|ERR_STATE) (.*)$/m;
const DONE = /^done .*$/m;

async function fightOne(job: readonly string[], dir: string, fighter: Fighter): Promise<Fought> {
  const [command = process.execPath, ...args] = job;
  await sleep(fighter.delay);
  const child = spawn(command, [...args, dir, `${fighter.seed}`, fighter.manner], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let error = "";
  child.stdout.on("data", (text: Buffer) => {
    out += text.toString();
  });
  child.stderr.on("data", (text: Buffer) => {
    error += text.toString();
  });
  const { killed } = fighter;
  const timer = killed === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killed);
  const signal = await new Promise<NodeJS.Signals | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (_code, how) => resolve(how));
  });
  clearTimeout(timer);
  return { fighter, out, error, signal };
}

/** The seeds of the runs whose checkpoints lie in a folder; what is not whole or not finished goes to `failures`. */
function seedsIn(dir: string, failures: string[]): Set<number> {
  const seeds = new Set<number>();
  for (const name of existsSync(dir) ? readdirSync(dir) : []) {
    if (/^\.step-/.test(name)) failures.push(`${name} was left`);
    if (!/^step-\d+\.safetensors$/.test(name)) continue;
    const bytes = readFileSync(join(dir, name));
    const digest = createHash("sha256").update(bytes.subarray(0, -32)).digest();
    if (!digest.equals(bytes.subarray(-32))) failures.push(`${name} is not whole`);
    const header: unknown = JSON.parse(bytes.toString("utf8", 8, 8 + Number(bytes.readBigUInt64LE(0))));
    const { __metadata__: about } = header as { readonly __metadata__: { readonly progress: string } };
    seeds.add((JSON.parse(about.progress) as { readonly seed: number }).seed);
  }
  return seeds;
}

/** Two that come close after one another: the same job twice, or two jobs; one in three fights has a killed one. */
function plan(next: () => number): readonly [Fighter, Fighter] {
  const kind = next();
  const close = next() < 0.6 ? 30 * next() : 300 * next();
  const killed = next() < 1 / 3 ? 150 + 500 * next() : undefined;
  const first: Fighter = { seed: 1, manner: next() < 0.5 ? "resume" : "anew", delay: 0, killed };
  if (kind < 0.4)
    return [
      { ...first, manner: "resume" },
      { ...first, manner: "resume", delay: close, killed: undefined },
    ];
  return [first, { seed: 2, manner: kind < 0.7 ? "resume" : "anew", delay: close, killed: undefined }];
}

/** What is counted, and what is wrong. */
class Tally {
  readonly count = { fights: 0, busy: 0, foreign: 0, kills: 0, begun: 0, ended: 0 };
  readonly failures: string[] = [];
  /** What each job says at its end when nobody disturbs it, by its seed. */
  readonly #whole: ReadonlyMap<number, string>;

  constructor(whole: ReadonlyMap<number, string>) {
    this.#whole = whole;
  }

  /** One process: it ended as an undisturbed one, was refused before it wrote anything, or was killed. */
  judge({ fighter, out, error, signal }: Fought): void {
    if (signal === "SIGKILL") return;
    const [, code, why] = REFUSED.exec(out) ?? [];
    const [done] = DONE.exec(out) ?? [];
    if (code !== undefined) {
      this.count[code === "ERR_BUSY" ? "busy" : "foreign"] += 1;
      if (hasWritten({ out })) this.failures.push(`a job at work was refused: ${why}`);
    } else if (done !== this.#whole.get(fighter.seed)) {
      this.failures.push(`job ${fighter.seed} ended with ${done ?? error}, not ${this.#whole.get(fighter.seed)}`);
    }
  }
}

const hasWritten = ({ out }: Pick<Fought, "out">): boolean => out.includes("kept ");
const shown = (lives: readonly Fought[]): string =>
  lives.map(({ out, error }) => (out + error).trimEnd().split("\n").at(-1)?.slice(0, 80)).join(" | ");

/** Two processes, and, where one was killed and the other did not come to its end, the job once more. */
async function fightOnce(job: readonly string[], dir: string, pair: readonly Fighter[], tally: Tally): Promise<string> {
  const { count, failures } = tally;
  const fought = await Promise.all(pair.map((fighter) => fightOne(job, dir, fighter)));
  const told = new Set(fought.filter(hasWritten).map(({ fighter }) => fighter.seed));
  const written = seedsIn(dir, []); // also what a killed one could not tell of any more
  const owners = new Set([...told, ...written]);
  if (owners.size > 1) failures.push(`two jobs have written: ${shown(fought)}`);
  const isKilled = fought.some(({ signal }) => signal === "SIGKILL");
  const isOver = fought.some(({ out }) => DONE.test(out));
  if (!isOver && !isKilled) failures.push(`nobody had the folder: ${shown(fought)}`);
  const [seed = 1] = owners;
  const manner = written.size === 0 ? "anew" : "resume";
  const again: Fighter = { seed, manner, delay: 0, killed: undefined };
  const lives = isOver ? fought : [...fought, await fightOne(job, dir, again)];
  for (const life of lives) tally.judge(life);
  count.fights += 1;
  count.kills += isKilled ? 1 : 0;
  count.begun += Math.max(1, owners.size);
  count.ended += lives.some(({ fighter, out }) => fighter.seed === seed && DONE.test(out)) ? 1 : 0;
  const { size } = seedsIn(dir, failures);
  if (size !== 1) failures.push(`the folder has files of ${size} jobs: ${shown(lives)}`);
  return shown(lives);
}

/**
 * Two processes want one folder at nearly the same moment, `fights` times. A job that has begun ends with the bits of an undisturbed
 * one, unless its process was killed: then the job is started again, and does. Whoever does not get the folder is refused with
 * `ERR_BUSY` or `ERR_STATE` before anything is written, and all files are of one job.
 */
export async function fightTest({ job, fights, seed, tell = () => undefined }: FightOptions): Promise<FightReport> {
  const root = mkdtempSync(join(tmpdir(), "carillon-fights-"));
  const next = numbers(seed);
  try {
    const whole = new Map<number, string>();
    for (const one of [1, 2]) {
      const fighter = { seed: one, manner: "anew", delay: 0, killed: undefined } as const;
      const { out, error } = await fightOne(job, join(root, `whole-${one}`), fighter);
      whole.set(one, DONE.exec(out)?.[0] ?? `nothing: ${error}`);
    }
    const tally = new Tally(whole);
    const { count, failures } = tally;
    while (count.fights < fights && failures.length === 0) {
      const dir = join(root, `fight-${count.fights + 1}`);
      const how = await fightOnce(job, dir, plan(next), tally);
      tell(`fight ${count.fights}: ${how}`);
      rmSync(dir, { recursive: true, force: true });
    }
    if (count.ended !== count.begun) failures.push(`${count.begun} jobs were begun, ${count.ended} came to their end`);
    return { ...count, failures };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
