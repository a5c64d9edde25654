// What a property is, and what every call of one must come to.

import { CarillonError } from "carillon";
import type { Arbitrary } from "fast-check";

/** One thing that holds for everything that is drawn. What is drawn is plain data, so that it can be told and drawn again. */
export interface Property<T = unknown> {
  readonly name: string;
  readonly drawn: Arbitrary<T>;
  /** Throws where it does not hold. */
  readonly holds: (drawn: T) => Promise<void>;
}

/** A property of one kind of draws among those of any. */
export function property<T>(name: string, drawn: Arbitrary<T>, holds: (drawn: T) => Promise<void>): Property {
  return { name, drawn, holds: (one) => holds(one as T) }; // drawn by the arbitrary beside it
}

/** Milliseconds after which a call that has not ended hangs. */
export const LONGEST = 5000;

/** What the caller's own code throws. It may come out as it is, and nothing else of its kind. */
export class OwnError extends Error {
  override readonly name = "OwnError";
}

/** A proxy that the caller has revoked throws as code of the caller's would. */
function isRevoked(error: unknown): boolean {
  return error instanceof TypeError && error.message.endsWith("on a proxy that has been revoked");
}

/** Whether an error is an answer: ours with a sentence, or the very one of the caller. `also` says what else the layer may throw. */
export function expectAnswer(error: unknown, also: (error: unknown) => boolean = () => false): void {
  if (error instanceof OwnError || isRevoked(error) || also(error)) return;
  const ours = error instanceof CarillonError || (error instanceof Error && error.name === "CarillonError");
  if (!ours || !(error instanceof Error)) throw new Error("neither a value nor an error of ours", { cause: error });
  const { message } = error;
  const sentence =
    / /.test(message) && !/\[object [A-Z]|undefined is not|is not a function$|Cannot read prop/.test(message);
  if (!sentence) throw new Error(`the message is no sentence: ${JSON.stringify(message)}`, { cause: error });
}

/** What `call` comes to, waited for no longer than {@link LONGEST}. */
export async function ended<R>(call: () => R): Promise<Awaited<R>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${LONGEST} ms`)), LONGEST);
  });
  try {
    const began = performance.now();
    const value = await Promise.race([call(), late]);
    // A call that held the thread all the time was not overtaken by the timer.
    const took = performance.now() - began;
    if (took > LONGEST) throw new Error(`an end after ${took} ms`);
    return value;
  } finally {
    clearTimeout(timer);
  }
}
