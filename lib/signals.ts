import { fail } from "./errors.js";

/** An AbortSignal of any realm, or one of a polyfill that does as much. */
function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== "object" || value === null || typeof Reflect.get(value, "aborted") !== "boolean") return false;
  return ["addEventListener", "removeEventListener", "throwIfAborted"].every(
    (method) => typeof Reflect.get(value, method) === "function",
  );
}

/** A signal of options, or none; else `ERR_OPTION`. */
export function checkSignal(where: string, signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal === undefined || isAbortSignal(signal)) return signal;
  return fail("ERR_OPTION", `${where}.signal`, "an AbortSignal", signal);
}

/** Who waits for a signal's abort, and the one listener that the signal has for all of them. */
interface Waiting {
  readonly listeners: Set<() => void>;
  readonly tell: () => void;
}

const waiting = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls `listener` when the signal, which is not aborted yet, is; gives what takes the listener off. Node.js takes more than ten
 * listeners of a signal for a leak and warns of them: here many runs share one, and it goes with the last of them.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const { listeners, tell } = waiting.get(signal) ?? listen(signal);
  listeners.add(listener);
  return () => {
    if (!listeners.delete(listener) || listeners.size > 0) return;
    waiting.delete(signal);
    signal.removeEventListener("abort", tell);
  };
}

function listen(signal: AbortSignal): Waiting {
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listener of [...listeners]) listener();
  };
  const shared = { listeners, tell };
  waiting.set(signal, shared);
  signal.addEventListener("abort", tell);
  return shared;
}

/** The result of `pending`, unless `signal` is aborted before: then its reason is thrown, at once, and what comes of `pending` is let go. */
export async function unlessAborted<T>(signal: AbortSignal | undefined, pending: Promise<T>): Promise<T> {
  if (signal === undefined) return await pending;
  if (signal.aborted) pending.catch(() => undefined);
  signal.throwIfAborted();
  let off = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    off = onAbort(signal, () => reject(signal.reason));
  });
  try {
    return await Promise.race([pending, aborted]);
  } finally {
    off();
  }
}

/** What comes of `work`, which is given a signal that is aborted with the first of these: they are listened to while it works. */
export async function underAll<T>(
  signals: readonly (AbortSignal | undefined)[],
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const given = [...new Set(signals)].filter((signal) => signal !== undefined);
  const [only, ...others] = given;
  if (others.length === 0) return await work(only);
  // By hand: AbortSignal.any would stay with a signal that outlives many runs.
  const first = new AbortController();
  const offs = given.map((signal) => {
    const end = (): void => first.abort(signal.reason);
    if (!signal.aborted) return onAbort(signal, end);
    end();
    return end;
  });
  try {
    return await work(first.signal);
  } finally {
    for (const off of offs) off();
  }
}
