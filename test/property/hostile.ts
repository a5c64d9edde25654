// Values that nobody should give, by name: a counterexample is told by names.
import { runInNewContext } from "node:vm";
import { OwnError } from "./property.js";

function detached(): Float32Array {
  const array = new Float32Array(8);
  structuredClone(array, { transfer: [array.buffer] });
  return array;
}

/** An array over memory that has become shorter than it. */
function shrunk(): Float32Array {
  const buffer: ArrayBuffer = Reflect.construct(ArrayBuffer, [64, { maxByteLength: 128 }]);
  const array = new Float32Array(buffer, 32, 8);
  const resize: unknown = Reflect.get(buffer, "resize");
  if (typeof resize === "function") Reflect.apply(resize, buffer, [16]);
  return array;
}

function resizable(): Float32Array {
  const buffer: ArrayBuffer = Reflect.construct(ArrayBuffer, [64, { maxByteLength: 128 }]);
  return new Float32Array(buffer);
}

function thrower(): never {
  throw new OwnError("thrown by the caller's code");
}

/** A proxy all of whose traps throw. */
function allThrow(target: object): object {
  const traps = ["get", "has", "ownKeys", "getOwnPropertyDescriptor", "getPrototypeOf", "set", "apply", "construct"];
  return new Proxy(target, Object.fromEntries(traps.map((trap) => [trap, thrower])));
}

function cyclic(): object {
  const object: Record<string, unknown> = {};
  object.self = object;
  return object;
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/** The name of what is waited for. */
const THEN = ["th", "en"].join("");

/** Numbers, also for the fields of options. */
export const NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
  "0": 0,
  "-0": -0,
  "-1": -1,
  "0.5": 0.5,
  "1": 1,
  "3": 3,
  "5e-324": 5e-324,
  "1e-40": 1e-40,
  "1.8e308": Number.MAX_VALUE,
  "2^31-1 and a half": 2_147_483_647.5,
  "2^53": 2 ** 53,
  "2^53-1": 2 ** 53 - 1,
  "2^63": 2 ** 63,
  "-2^63": -(2 ** 63),
};

const OTHERS: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  "an empty string": () => "",
  "a string": () => "constructor",
  "a string of a NUL": () => "a\0b",
  "a lone surrogate": () => "\ud800",
  __proto__: () => "__proto__",
  "a bigint": () => 1n,
  "a symbol": () => Symbol("s"),
  "a function": () => () => undefined,
  "a function that throws": () => thrower,
  "a class": () => class Some {},
  "an empty object": () => ({}),
  "an object without a prototype": () => Object.create(null),
  "an object that holds itself": cyclic,
  "an empty array": () => [],
  "an array of holes": () => new Array(3),
  "an array with a getter that throws": () => Object.defineProperty([1, 2, 3], 1, { get: thrower }),
  "an object with a length": () => ({ length: 2 ** 53 - 1, 0: 1 }),
  "a date": () => new Date(Number.NaN),
  "a map": () => new Map([[{}, 1]]),
  "a promise": () => Promise.resolve(1),
  "a promise that is rejected": () => {
    const promise = Promise.reject(new OwnError("rejected by the caller's code"));
    promise.catch(() => undefined);
    return promise;
  },
  "a thenable that throws": () => Object.defineProperty({}, THEN, { get: thrower }),
  "an iterator that throws": () => ({ [Symbol.iterator]: thrower }),
  "an object whose conversion throws": () => ({ [Symbol.toPrimitive]: thrower, toString: thrower, valueOf: thrower }),
  "an object whose tag throws": () => Object.defineProperty({}, Symbol.toStringTag, { get: thrower }),
  "an object whose constructor throws": () => Object.defineProperty({ a: 1 }, "constructor", { get: thrower }),
  "an error whose message throws": () => Object.defineProperty(new Error("e"), "message", { get: thrower }),
  "a proxy that throws": () => allThrow({}),
  "a proxy of an array that throws": () => allThrow([]),
  "a proxy of a function that throws": () => allThrow(() => undefined),
  "a proxy of floats": () => new Proxy(new Float32Array(8), {}),
  "a revoked proxy": () => revoked({}),
  "a revoked proxy of an array": () => revoked([]),
  "a revoked proxy of a function": () => revoked(() => undefined),
  "an object of another realm": () => runInNewContext("({ a: 1 })"),
  "an array of another realm": () => runInNewContext("[1, 2, 3, 4]"),
  "floats of another realm": () => runInNewContext("new Float32Array(8)"),
  "no floats": () => new Float32Array(0),
  "three floats": () => new Float32Array(3),
  "floats that are no numbers": () => new Float32Array(8).fill(Number.NaN),
  "floats of all kinds": () =>
    Float32Array.of(0, -0, 1e-40, -1e-40, 3.4e38, -3.4e38, Number.POSITIVE_INFINITY, Number.NaN),
  "detached floats": detached,
  "floats whose memory has shrunk": shrunk,
  "resizable floats": resizable,
  "shared floats": () => new Float32Array(new SharedArrayBuffer(32)),
  "floats of a class of their own": () => new (class extends Float32Array {})(8),
  "floats with a length of their own": () => Object.defineProperty(new Float32Array(8), "length", { value: 2 ** 40 }),
  integers: () => Int32Array.of(-1, 2_147_483_647, -2_147_483_648, 0, 1, 2, 3, 4),
  doubles: () => new Float64Array(8),
  "big integers": () => new BigInt64Array(8),
  bytes: () => new Uint8Array(8).fill(255),
  "a buffer": () => Buffer.from("carillon"),
  "plain memory": () => new ArrayBuffer(32),
  "a view of bytes": () => new DataView(new ArrayBuffer(32)),
};

/** Every value that nobody should give. */
export const HOSTILE: Readonly<Record<string, () => unknown>> = {
  ...OTHERS,
  ...Object.fromEntries(Object.entries(NUMBERS).map(([name, value]) => [name, () => value])),
};

export const HOSTILE_NAMES: readonly string[] = Object.keys(HOSTILE);

/** The value of a name. */
export function hostile(name: string): unknown {
  return HOSTILE[name]?.();
}
