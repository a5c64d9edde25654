// Kills a training job again and again, and sees what is left.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { numbers } from "./numbers.js";

export interface CrashOptions {
  /** The program: run with a folder as its argument, it trains there. */
  readonly job: readonly string[];
  readonly kills: number;
  /** Kills that have to hit a write: more are made, at most three times as many, until so many have. */
  readonly insideWrites: number;
  readonly seed: number;
  /** Told after every kill. */
  readonly tell?: ((line: string) => void) | undefined;
}

export interface CrashReport {
  readonly kills: number;
  /** Kills that left a checkpoint half written. */
  readonly insideWrites: number;
  readonly duringStart: number;
  /** Runs that were killed and resumed until done. */
  readonly runs: number;
  /** The most lives that one of them took. */
  readonly mostLives: number;
  readonly identical: number;
  readonly failures: readonly string[];
  readonly hash: string;
}

/** How one life of the job ended. */
interface Life {
  readonly killed: boolean;
  /** Step at which it began; `undefined` if it did not come so far. */
  readonly began: number | undefined;
  readonly passedOver: number;
  /** What it said at its end. */
  readonly done: string | undefined;
  readonly error: string;
}

/** When to kill: so long after the beginning of the process, or of the training; then, perhaps, in the next write. */
interface Plan {
  readonly from: "spawn" | "training";
  readonly milliseconds: number;
  readonly inWrite: boolean;
}

const unfinished = (dir: string): boolean =>
  existsSync(dir) && readdirSync(dir).some((name) => /^\.step-\d+\.safetensors-/.test(name));

/** Kills where a write has begun: polled, as a write tells nobody. */
async function untilWriting(dir: string, over: () => boolean): Promise<void> {
  while (!over() && !unfinished(dir)) await sleep(0.2);
}

async function live(job: readonly string[], dir: string, plan: Plan | undefined): Promise<Life> {
  const [command = process.execPath, ...args] = job;
  const child = spawn(command, [...args, dir], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let error = "";
  let over = false;
  const ended = new Promise<NodeJS.Signals | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (_code, signal) => {
      over = true;
      resolve(signal);
    });
  });
  child.stderr.on("data", (text: Buffer) => {
    error += text.toString();
  });
  const training = new Promise<void>((resolve) => {
    child.stdout.on("data", (text: Buffer) => {
      out += text.toString();
      if (out.includes("\n")) resolve();
    });
    child.on("close", () => resolve());
  });
  if (plan !== undefined) {
    if (plan.from === "training") await training;
    await sleep(plan.milliseconds);
    if (plan.inWrite) await untilWriting(dir, () => over);
    child.kill("SIGKILL");
  }
  const signal = await ended;
  const start = /^start (\d+) (\d+)$/m.exec(out);
  return {
    killed: signal === "SIGKILL",
    began: start === null ? undefined : Number(start[1]),
    passedOver: Number(start?.[2] ?? 0),
    done: /^done .*$/m.exec(out)?.[0],
    error: signal === "SIGKILL" ? "" : error,
  };
}

/** Step of the newest checkpoint, 0 where there is none; what is wrong with any goes to `failures`. */
function newestOf(dir: string, failures: string[]): number {
  if (!existsSync(dir)) return 0;
  let newest = 0;
  for (const name of readdirSync(dir)) {
    const step = /^step-(\d+)\.safetensors$/.exec(name)?.[1];
    if (step === undefined) continue;
    newest = Math.max(newest, Number(step));
    const bytes = readFileSync(join(dir, name));
    const digest = createHash("sha256").update(bytes.subarray(0, -32)).digest();
    if (!digest.equals(bytes.subarray(-32))) failures.push(`${name} is not whole`);
  }
  return newest;
}

/**
 * Runs the job once undisturbed, then lets it be killed at random moments until `kills` kills are done, resuming it until
 * it is done each time. Every file that stands under a checkpoint's name must be whole after every kill, every life must
 * begin at the newest, and every end must be that of the undisturbed run.
 */
export async function crashTest(options: CrashOptions): Promise<CrashReport> {
  const { job, kills, insideWrites, seed, tell = () => undefined } = options;
  const root = mkdtempSync(join(tmpdir(), "carillon-crash-"));
  const next = numbers(seed);
  const failures: string[] = [];
  const count = { kills: 0, insideWrites: 0, duringStart: 0, runs: 0, mostLives: 0, identical: 0 };
  const enough = (): boolean =>
    count.kills >= kills && (count.insideWrites >= insideWrites || count.kills >= MOST * kills);
  try {
    const whole = await live(job, join(root, "whole"), undefined);
    if (whole.done === undefined) throw new Error(`the undisturbed run failed: ${whole.error}`);
    while (!enough()) {
      const dir = join(root, `run-${count.runs + 1}`);
      let done: string | undefined;
      let lives = 0;
      while (done === undefined && failures.length === 0) {
        const newest = newestOf(dir, failures);
        const life = await live(job, dir, enough() ? undefined : plan(next, count.kills >= kills));
        lives += 1;
        if (life.began !== undefined && (life.began !== newest || life.passedOver !== 0)) {
          failures.push(`a life began at step ${life.began}, but step ${newest} was saved`);
        }
        if (life.killed) {
          count.kills += 1;
          count.insideWrites += unfinished(dir) ? 1 : 0;
          count.duringStart += life.began === undefined ? 1 : 0;
          tell(`kill ${count.kills}: run ${count.runs + 1}, begun at step ${life.began ?? "-"}`);
        } else if (life.done === undefined) failures.push(`a life ended by itself: ${life.error}`);
        done = life.done;
      }
      newestOf(dir, failures);
      if (done === undefined || failures.length > 0) break;
      count.runs += 1;
      count.mostLives = Math.max(count.mostLives, lives);
      if (done === whole.done) count.identical += 1;
      else failures.push(`run ${count.runs} ended with ${done} instead of ${whole.done}`);
      rmSync(dir, { recursive: true });
    }
    if (count.insideWrites < insideWrites) failures.push(`only ${count.insideWrites} kills hit a write`);
    return { ...count, failures, hash: whole.done };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Kills are at most so many times what was wanted. */
const MOST = 3;

/** One kill in ten before or at the beginning, four in ten inside of a write, the others anywhere; or all inside. */
function plan(next: () => number, inside: boolean): Plan {
  const kind = next();
  const moment = next();
  if (inside) return { from: "training", milliseconds: 350 * moment, inWrite: true };
  if (kind < 0.1) return { from: "spawn", milliseconds: 200 * moment, inWrite: false };
  return { from: "training", milliseconds: 350 * moment, inWrite: kind < 0.5 };
}
