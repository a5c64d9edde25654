/** What went wrong, for programs to branch on. */
export type ErrorCode =
  | "ERR_SHAPE"
  | "ERR_DTYPE"
  | "ERR_OPTION"
  | "ERR_UNKNOWN_OPTION"
  | "ERR_DATA"
  | "ERR_LABEL"
  | "ERR_FILE"
  | "ERR_BUSY"
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

/** The one error class of Carillon. `message` says what was expected, where, and what came instead. */
export class CarillonError extends Error {
  readonly code: ErrorCode;
  /** The option, layer, parameter or file that the error is about, such as `dropout.rate`. */
  readonly where: string;

  constructor(code: ErrorCode, where: string, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
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
      cause: cause instanceof Error ? cause.message : describe(cause),
    };
  }
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
      return value.name === "" ? "a function" : `function ${value.name}, which was not called`;
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

function describeObject(value: object): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : `array of ${value.length}`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  const type = className(value);
  if (ArrayBuffer.isView(value)) {
    return `${type}(${"length" in value ? String(value.length) : value.byteLength})`;
  }
  if (type !== "Object") return `an instance of ${type}`;
  const keys = Object.keys(value);
  if (keys.length === 0) return "an empty object";
  const more = keys.length > SHOWN_KEYS ? ", …" : "";
  return `object with ${keys.slice(0, SHOWN_KEYS).join(", ")}${more}`;
}

/** Name of the class of `value`; objects without a prototype count as plain ones. */
function className(value: object): string {
  const made: unknown = value.constructor;
  return typeof made === "function" && made.name !== "" ? made.name : "Object";
}
