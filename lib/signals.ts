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
