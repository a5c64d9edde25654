// Who has a file: a process of a host, so that what a killed one has left is known from what a living one needs.

import { codeOf } from "../errors.js";
import { fnv1a } from "../tensor/fnv1a.js";

/** A process. What is not known of it is "". */
export interface Owner {
  /** The host's name. */
  readonly host: string;
  /** This start of the host. */
  readonly boot: string;
  /** The space that its number counts in: a container has one of its own. */
  readonly space: string;
  readonly process: number;
  /** When it was started, in the system's ticks; a later process with its number has another. */
  readonly started: string;
}

const KEYS = ["host", "boot", "space", "started"] as const;

const files = () => process.getBuiltinModule("node:fs");

/** Text of a file of the system; "" where there is none, or none that may be read. */
function told(read: () => string): string {
  try {
    return read().trim();
  } catch {
    return "";
  }
}

const system = (path: string): string => told(() => files().readFileSync(path, "utf8"));

/** State and start of a process by Linux (proc(5)); its name, which comes before them, may hold anything. */
function stateOf(pid: number): { readonly state: string; readonly started: string } {
  const [state = "", ...fields] = system(`/proc/${pid}/stat`).split(") ").at(-1)?.split(" ") ?? [];
  return { state, started: fields[STARTED] ?? "" };
}

/** The start is field 22, the state field 3. */
const STARTED = 22 - 4;

let own: Owner | undefined;

/** This process. */
export function thisProcess(): Owner {
  own ??= {
    host: told(() => process.getBuiltinModule("node:os").hostname()),
    boot: system("/proc/sys/kernel/random/boot_id"),
    space: told(() => files().readlinkSync("/proc/self/ns/pid")),
    process: process.pid,
    started: stateOf(process.pid).started,
  };
  return own;
}

/**
 * Whether a process is still there. Of another host nobody here can say, nor of another container of this one (`"unknown"`); where
 * the host was started anew it is not.
 */
export function lifeOf(owner: Owner): "alive" | "dead" | "unknown" {
  const here = thisProcess();
  if (owner.host === "" || owner.host !== here.host) return "unknown";
  if (owner.boot !== here.boot) return owner.boot === "" || here.boot === "" ? "unknown" : "dead";
  if (owner.space !== here.space) return "unknown";
  try {
    process.kill(owner.process, 0);
  } catch (error) {
    const isGone = codeOf(error) === "ESRCH";
    return isGone ? "dead" : "alive"; // it is another user's
  }
  const { state, started } = stateOf(owner.process);
  const isOver = state === "Z" || state === "X"; // and nobody has asked how it ended
  return isOver || (started !== "" && owner.started !== "" && started !== owner.started) ? "dead" : "alive";
}

/** An owner as a file has it; `undefined` if it has none. */
export function parseOwner(text: string): Owner | undefined {
  try {
    const given: unknown = JSON.parse(text);
    if (typeof given !== "object" || given === null) return undefined;
    const [host, boot, space, started] = KEYS.map((key): unknown => Reflect.get(given, key));
    const number: unknown = Reflect.get(given, "process");
    if (typeof host !== "string" || typeof boot !== "string") return undefined;
    if (typeof space !== "string" || typeof started !== "string" || !isProcess(number)) return undefined;
    return { host, boot, space, process: number, started };
  } catch {
    return undefined;
  }
}

const MOST_PROCESS = 0x7fffffff;

/** 0 and less are groups of processes. */
function isProcess(number: unknown): number is number {
  return Number.isInteger(number) && Number(number) > 0 && Number(number) <= MOST_PROCESS;
}

/** `process 4711 of web-3`. */
export function describeOwner(owner: Owner | undefined): string {
  if (owner === undefined) return "another process";
  const { host, process: number } = owner;
  const here = thisProcess();
  const isHere = number === here.process && lifeOf(owner) === "alive";
  return isHere ? `this process (${number})` : `process ${number} of ${host}`;
}

/** Eight letters that stand for a text in a file's name. Not by node:crypto, whose import would hold the first save for 3 ms. */
function short(text: string): string {
  return (fnv1a(text) >>> 0).toString(16).padStart(8, "0");
}

let mark: string | undefined;

/** Mark of this process in the name of a file, whose rest has no `-`. */
export function ownMark(): string {
  const { host, boot, space, process: number, started } = thisProcess();
  mark ??= [short(host), short(boot), short(space), `${number}`, started === "" ? "0" : started].join("-");
  return mark;
}

const MARK = /-([\da-f]{8})-([\da-f]{8})-([\da-f]{8})-(\d{1,10})-(\d+)-[^-]*$/;

/** Characters that mkdtemp adds to a name. */
const RANDOM = /-[^-]{6}$/;

/** Beginning of a temporary file's or folder's name before its mark, or before six characters of nobody's; `undefined` if it ends in neither. */
export function nameBeforeMark(name: string): string | undefined {
  const end = (MARK.exec(name) ?? RANDOM.exec(name))?.index;
  return end === undefined ? undefined : name.slice(0, end);
}

/**
 * The {@link lifeOf} of the process whose {@link ownMark} a name ends in; `"elsewhere"` for one of another host, `undefined` if
 * it ends in none.
 */
export function lifeByMark(name: string): "alive" | "dead" | "unknown" | "elsewhere" | undefined {
  const [, host, boot, space, number = "", started = ""] = MARK.exec(name) ?? [];
  const pid = Number(number);
  if (!isProcess(pid)) return undefined;
  const here = thisProcess();
  if (here.host === "" || host !== short(here.host)) return "elsewhere";
  if (boot !== short(here.boot) || space !== short(here.space)) return "unknown";
  return lifeOf({ ...here, process: pid, started: started === "0" ? "" : started });
}
