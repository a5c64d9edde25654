import { fail } from "../errors.js";
import { MOST_THREADS, readCores, threadsOf } from "./cores.js";
import { native } from "./native.js";

/** Bounds of an option of threads; native code has the same. */
export const THREADS = { min: 1, max: MOST_THREADS, integer: true } as const;

/** CARILLON_THREADS, `undefined` if it is not given or empty; `ERR_OPTION` unless it is an integer from 1 to 1024. */
function givenThreads(text: string | undefined = process.env.CARILLON_THREADS): number | undefined {
  if (text === undefined || text === "") return undefined;
  const threads = Number(text);
  if (/^\d{1,9}$/.test(text) && threads >= 1 && threads <= MOST_THREADS) return threads;
  return fail("ERR_OPTION", "CARILLON_THREADS", `an integer from 1 to ${MOST_THREADS}`, text);
}

/** Of a system file; `undefined` where there is none, or none that this process may read. */
function readText(path: string): string | undefined {
  try {
    return process.getBuiltinModule("node:fs").readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

const given = givenThreads();
let counted = false;

/** Files of the system are read when somebody asks first, not with the import. Whoever has set a limit before is right. */
function count(): void {
  if (counted) return;
  counted = true;
  const processors = native.processors();
  const cores = process.platform === "linux" ? readCores(readText, processors) : undefined;
  native.threadDefault(given ?? threadsOf(cores, processors.length));
}

/** Threads that compute at once in this process: what was set, CARILLON_THREADS, or the cores that it may use. */
export function threadLimit(): number {
  count();
  return native.threadLimit();
}

/** Threads of a call that asks for `threads`: all that there are by default. How many it gets, the limit says. */
export function threadsFor(threads?: number): number {
  if (threads === undefined) return threadLimit();
  if (threads > 1) count();
  return threads;
}
