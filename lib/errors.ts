/** Kind of an error, for programs to branch on. */
export type ErrorCode =
  | "ERR_SHAPE"
  | "ERR_DTYPE"
  | "ERR_OPTION"
  | "ERR_UNKNOWN_OPTION"
  | "ERR_DATA"
  | "ERR_LABEL"
  | "ERR_FILE"
  | "ERR_BUSY"
  | "ERR_QUEUE_FULL"
  | "ERR_STATE"
  | "ERR_TRACE"
  | "ERR_DETACHED"
  | "ERR_NON_FINITE"
  | "ERR_NATIVE";

/** The plain data of a {@link CarillonError}, as `JSON.stringify` writes it. */
export interface ErrorData {
  readonly name: string;
  readonly code: ErrorCode;
  readonly where: string;
  readonly message: string;
  /** Message of the cause, if the error has one. */
  readonly cause?: string;
}

/** Characters of a message: what it quotes from a file may be as long as that. */
const LONGEST_MESSAGE = 6000;

/** `text`, or its beginning and its end where it has more characters than that. */
export function shortened(text: string, characters: number): string {
  if (text.length <= characters) return text;
  const end = Math.floor(characters / 4);
  return `${text.slice(0, characters - end)}…${text.slice(-end)}`;
}

/** The one error class of Carillon. `message` says what was expected, where, and what came instead. */
export class CarillonError extends Error {
  readonly code: ErrorCode;
  /** The option, layer, parameter or file that the error is about, such as `dropout.rate`. */
  readonly where: string;

  constructor(code: ErrorCode, where: string, message: string, options?: { readonly cause?: unknown }) {
    super(shortened(message, LONGEST_MESSAGE), options);
    this.name = "CarillonError";
    this.code = code;
    this.where = where;
  }

  /** Plain data for logs and server-sent events; the stack stays here. */
  toJSON(): ErrorData {
    const { name, code, where, message, cause } = this;
    if (cause === undefined) return { name, code, where, message };
    return {
      name,
      code,
      where,
      message,
      cause: messageOf(cause),
    };
  }
}

/** The tag of an object of the language, such as `Error`, `Map` or `Promise`: the same in every realm. */
export function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

/** Whether `value` can be waited for: a promise of any realm, or of any library. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** An error of any realm, a `DOMException` too. */
export function isError(value: unknown): value is Error {
  const tag = tagOf(value);
  return tag === "Error" || tag === "DOMException";
}

/** The message of an error, or a rendering of whatever else was thrown. */
export function messageOf(thrown: unknown): string {
  return isError(thrown) ? String(thrown.message) : typeof thrown === "string" ? thrown : describe(thrown);
}

/** The code of an error, such as `ENOENT`. */
export function codeOf(thrown: unknown): unknown {
  return typeof thrown === "object" && thrown !== null ? Reflect.get(thrown, "code") : undefined;
}

/** Throws ``expected X for `where` but received Y``; `received` is the raw value, rendered by {@link describe}. */
export function fail(code: ErrorCode, where: string, expected: string, received: unknown): never {
  throw new CarillonError(code, where, `expected ${expected} for '${where}' but received ${describe(received)}`);
}

/** Characters of a string, or keys of an object, that a message shows. */
const SHOWN_CHARACTERS = 40;
const SHOWN_KEYS = 4;

/** A short rendering of any value for an error message: `NaN`, `"text"`, `array of 3`, `Float32Array(5)`. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
      return `${value}n`;
    case "string":
      return describeString(value);
    case "function":
      return originOf(value) ?? (value.name === "" ? "a function" : `function ${value.name}, which was not called`);
    case "object":
      return value === null ? "null" : describeObject(value);
    default:
      return String(value);
  }
}

function describeString(value: string): string {
  if (value.length <= SHOWN_CHARACTERS) return JSON.stringify(value);
  return `${JSON.stringify(value.slice(0, SHOWN_CHARACTERS))}… (${value.length} characters)`;
}

/** On the prototypes of classes whose instances come back to us: what they are, and of which copy of this package. */
const ORIGIN: unique symbol = Symbol.for("carillon.origin");

/** The address of this copy; a bundle of CommonJS has none. */
export const COPY: string = typeof import.meta.url === "string" ? import.meta.url : "a bundle";

/** Gives instances of a class the name that errors call them by, under which another copy of the package knows them too. */
export function introduce(prototype: object, called: string): void {
  Object.defineProperty(prototype, ORIGIN, { value: { called, copy: COPY } });
}

/** `a model`; `undefined` for what nobody has introduced. */
function originOf(value: object): string | undefined {
  const origin: unknown = Reflect.get(value, ORIGIN);
  if (typeof origin !== "object" || origin === null || !("called" in origin && "copy" in origin)) return undefined;
  if (process.getBuiltinModule("node:util").types.isProxy(value))
    return `a Proxy of ${origin.called} (give what it stands for)`;
  if (origin.copy === COPY) return String(origin.called);
  return `${origin.called} of another copy of carillon (${origin.copy}; this one is ${COPY})`;
}

/** Names of the language's objects for messages, by their tag; `value.constructor` tells nothing of most of them. */
const CALLED: Readonly<Record<string, string>> = {
  Generator: "a generator",
  AsyncGenerator: "an async generator",
  AsyncFromSyncIterator: "an async iterator",
  Promise: "a Promise (await it)",
  Arguments: "an arguments object",
  Module: "a module",
};

/** Nobody awaits a promise that is refused: its own failure must not end the process. */
function letGo(promise: object): void {
  Promise.resolve(promise).catch(() => undefined);
}

function describeObject(value: object): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : `array of ${value.length}`;
  const tag = tagOf(value);
  if (isError(value)) return describeError(value);
  if (tag === "Promise") letGo(value);
  const called = CALLED[tag];
  if (called !== undefined) return called;
  const origin = originOf(value);
  if (origin !== undefined) return origin;
  const type = className(value);
  if (ArrayBuffer.isView(value)) {
    return `${type ?? tag}(${"length" in value ? String(value.length) : value.byteLength})`;
  }
  if (tag === "ArrayBuffer" || tag === "SharedArrayBuffer") {
    return `${tag === "ArrayBuffer" ? "an" : "a"} ${tag} of ${Reflect.get(value, "byteLength")} bytes`;
  }
  if ((tag === "Map" || tag === "Set") && type === tag) return `a ${tag} of ${Reflect.get(value, "size")}`;
  if (tag === "Number" || tag === "Boolean" || tag === "String" || tag === "BigInt") {
    return `a ${tag} object (${describe(value.valueOf())})`;
  }
  if (tag.endsWith("Iterator") || tag.endsWith("Iterator Helper")) return "an iterator";
  if (type === undefined) return describeIterator(value) ?? "an instance of a class without a name";
  if (type !== "Object") return `an instance of ${type}`;
  const keys = Object.keys(value);
  if (keys.length === 0) return describeIterator(value) ?? "an empty object";
  const more = keys.length > SHOWN_KEYS ? ", …" : "";
  return `object with ${keys.slice(0, SHOWN_KEYS).join(", ")}${more}`;
}

function describeError(value: object): string {
  return "name" in value && "message" in value ? `${value.name}: ${value.message}` : "an Error";
}

/** Objects that say no more of themselves than that they can be iterated. */
function describeIterator(value: object): string | undefined {
  if (Symbol.asyncIterator in value) return "an async iterable";
  return Symbol.iterator in value ? "an iterable" : undefined;
}

/** Name of the class of `value`, `Object` for plain objects and those without a prototype; `undefined` if it has none. */
function className(value: object): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return "Object";
  const made: unknown = value.constructor;
  return typeof made === "function" && made.name !== "" ? made.name : undefined;
}
