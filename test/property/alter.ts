// A good call with something of its arguments exchanged, at any depth.
import { runInNewContext } from "node:vm";
import * as carillon from "carillon";
import { hostile } from "./hostile.js";
import { OwnError } from "./property.js";

export const HOWS = [
  "replace",
  "replace",
  "replace",
  "delete",
  "unknown",
  "getter",
  "re-enter",
  "proxy",
  "realm",
  "swap",
  "fewer",
] as const;

export interface Alteration {
  /** Which of the places of the arguments, counted through all of them. */
  readonly at: number;
  readonly how: (typeof HOWS)[number];
  /** Name of a hostile value. */
  readonly value: string;
}

function isTree(value: unknown): value is object {
  if (Array.isArray(value)) return value.length < 50;
  return (
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype && !isMade(value)
  );
}

/** Layers, losses, optimizers …: what the library has made is no tree. */
function isMade(value: object): boolean {
  return Object.isFrozen(value) || "forward" in value || "kind" in value || "build" in value;
}

/** Something that can be exchanged: what stands there, and where. */
interface Place {
  readonly owner: object;
  readonly key: string;
  readonly old: unknown;
}

/** A copy of the plain objects and arrays of `value`, whose places `found` gets. */
function copied(value: unknown, found: Place[]): unknown {
  if (!isTree(value)) return value;
  const copy: object = Array.isArray(value) ? [] : {};
  for (const key of Object.keys(value)) {
    const old = copied(Reflect.get(value, key), found);
    Reflect.set(copy, key, old);
    found.push({ owner: copy, key, old });
  }
  return copy;
}

/** What code of the caller may do while the library waits for it: everything that the library has. */
export function reenter(): void {
  const { adam, crossEntropy, fit, linear, sequential, tensor, ops } = carillon;
  const model = sequential(linear(2, 2));
  model.predictSync(new Float32Array(2));
  ops.add(tensor([1, 2]), tensor([3, 4]));
  const run = fit(model, {
    data: { x: new Float32Array(8), y: new Int32Array(4) },
    loss: crossEntropy(),
    optimizer: adam(),
    epochs: 1,
  });
  run.catch(() => undefined);
}

function inRealm(value: unknown): unknown {
  if (value instanceof Float32Array || value instanceof Int32Array || value instanceof Uint8Array) {
    const make: unknown = runInNewContext(value.constructor.name);
    return typeof make === "function" ? Reflect.construct(make, [[...value]]) : value;
  }
  if (!isTree(value)) return value;
  const made: object = runInNewContext(Array.isArray(value) ? "[]" : "({})");
  return Object.defineProperties(made, Object.getOwnPropertyDescriptors(value));
}

/** Exchanges what stands at a place. */
function exchange({ owner, key, old }: Place, { at, how, value }: Alteration, args: readonly unknown[]): void {
  const set = (one: unknown): void => {
    Object.defineProperty(owner, key, { value: one, enumerable: true, configurable: true, writable: true });
  };
  if (how === "replace") set(typeof old === "function" && at % 2 === 0 ? () => hostile(value) : hostile(value));
  else if (how === "delete") Reflect.deleteProperty(owner, key);
  else if (how === "unknown")
    Object.defineProperty(owner, value, { value: hostile(value), enumerable: true, configurable: true });
  else if (how === "realm") set(inRealm(old));
  else if (how === "proxy") set(typeof old === "object" && old !== null ? new Proxy(old, {}) : old);
  else if (how === "swap") set(args[at % args.length]);
  else {
    const before = (): void => {
      if (how === "getter") throw new OwnError("thrown by code of the caller's");
      reenter();
    };
    if (typeof old === "function") {
      set((...given: unknown[]) => {
        before();
        return Reflect.apply(old, undefined, given);
      });
    } else {
      const get = (): unknown => {
        before();
        return old;
      };
      Object.defineProperty(owner, key, { enumerable: true, configurable: true, get });
    }
  }
}

/** A copy of the arguments with some of them, or something in them, exchanged. */
export function altered(args: readonly unknown[], alterations: readonly Alteration[]): readonly unknown[] {
  const places: Place[] = [];
  const made = copied(args, places);
  if (!Array.isArray(made)) return args;
  const chosen = alterations.map((one) => ({ one, place: places[one.at % Math.max(1, places.length)] }));
  for (const { one, place } of chosen) {
    if (place === undefined || one.how === "fewer") made.length = one.at % (args.length + 1);
    else exchange(place, one, args);
  }
  return made;
}

/** Milliseconds after which a run is told to stop: it may have been asked for 2⁵³ epochs. */
const RUNS = 300;
/** Items of what a call gives that are looked at. */
const ITEMS = 3;

/** What a call comes to: the value itself, what is waited for, the first of what it gives one after the other. */
export async function taken(call: (...args: never[]) => unknown, args: readonly unknown[]): Promise<void> {
  const given = Reflect.apply(call, undefined, [...args]);
  if (typeof given !== "object" || given === null) return;
  const stop: unknown = Reflect.get(given, "stop");
  const timer = typeof stop === "function" ? setTimeout(() => Reflect.apply(stop, given, []), RUNS) : undefined;
  try {
    if (given instanceof Promise) await given;
    else if (Symbol.asyncIterator in given) {
      let count = 0;
      for await (const _ of given as AsyncIterable<unknown>) if (++count >= ITEMS) break;
    } else if (!Array.isArray(given) && !ArrayBuffer.isView(given) && Symbol.iterator in given) {
      let count = 0;
      for (const _ of given as Iterable<unknown>) if (++count >= ITEMS) break;
    }
  } finally {
    clearTimeout(timer);
  }
}
