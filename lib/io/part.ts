import { CarillonError, describe, shortened } from "../errors.js";
import { isWithin, type NumberRange, rangeText } from "../options.js";
import { isDoubles } from "../tensor/arrays.js";

/** Characters of a path that a message shows. */
const SHOWN = 160;

/** `ERR_FILE`: what a file has at a place is not what it should be. */
export function refusePart(file: string, path: string, expected: string, received: string): never {
  const place = shortened(path, SHOWN);
  throw new CarillonError(
    "ERR_FILE",
    file,
    `expected ${expected} for '${place}' in '${file}' but received ${received}`,
  );
}

/** `path.key`, or `path["a key"]`. */
export function placeOf(path: string, key: string | symbol): string {
  if (typeof key === "symbol") return `${path}[${String(key)}]`;
  return /^[\w$]+$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

/** A value of a file with its place there. What is asked of it is true, or refused by that place: `ERR_FILE`. */
export class Part {
  readonly file: string;
  readonly path: string;
  readonly value: unknown;

  constructor(file: string, path: string, value: unknown) {
    this.file = file;
    this.path = path;
    this.value = value;
  }

  refuse(expected: string, received: string = describe(this.value)): never {
    return refusePart(this.file, this.path, expected, received);
  }

  /** Makes something of this value; an error of `make` becomes `ERR_FILE`, with its place. */
  made<T>(make: (where: string, value: unknown) => T): T {
    try {
      return make(this.path, this.value);
    } catch (cause) {
      if (!(cause instanceof CarillonError)) throw cause;
      const place = `'${shortened(cause.where, SHOWN)}' in '${this.file}'`;
      throw new CarillonError(
        "ERR_FILE",
        this.file,
        cause.message.replace(`'${cause.where}'`, () => place),
        { cause },
      );
    }
  }

  expect(holds: boolean, expected: string): void {
    if (!holds) this.refuse(expected);
  }

  /** Of this value, in any form. */
  equal(value: string | number | boolean | null): void {
    this.expect(Object.is(this.value, value), describe(value));
  }

  /** A number of a range: no infinity, no NaN. */
  number(range: NumberRange = {}): number {
    return isWithin(this.value, range) ? this.value : this.refuse(rangeText(range));
  }

  count(min = 0, max = Number.MAX_SAFE_INTEGER): number {
    const { value } = this;
    if (isWithin(value, { min, max, integer: true })) return value;
    return this.refuse(max === Number.MAX_SAFE_INTEGER ? `an integer >= ${min}` : `an integer in [${min}, ${max}]`);
  }

  /** A figure that was measured: a number of a range, be it infinite, or NaN where there was nothing to measure. */
  figure({ min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: NumberRange = {}): number {
    const { value } = this;
    if (typeof value === "number" && !(value < min || value > max)) return value;
    const isAny = min === Number.NEGATIVE_INFINITY && max === Number.POSITIVE_INFINITY;
    const range =
      max === Number.POSITIVE_INFINITY ? { min } : min === Number.NEGATIVE_INFINITY ? { max } : { min, max };
    return this.refuse(isAny ? "a number" : `${rangeText(range)}, or NaN`);
  }

  flag(): boolean {
    return typeof this.value === "boolean" ? this.value : this.refuse("true or false");
  }

  /** Of one character at least. */
  text(): string {
    const { value } = this;
    return typeof value === "string" && value !== "" ? value : this.refuse("a string that is not empty");
  }

  oneOf<const T extends string>(allowed: readonly T[]): T {
    const { value } = this;
    return allowed.find((one) => one === value) ?? this.refuse(`one of ${allowed.join(", ")}`);
  }

  list(length?: number | undefined): readonly Part[] {
    const { value } = this;
    if (!Array.isArray(value) || (length !== undefined && value.length !== length))
      return this.refuse(length === undefined ? "a list" : `a list of ${length}`);
    return Array.from(value, (one: unknown, index) => new Part(this.file, `${this.path}[${index}]`, one));
  }

  /** Strings, each once. */
  names(): readonly string[] {
    const names = new Set<string>();
    for (const one of this.list()) {
      const name = one.text();
      one.expect(!names.has(name), "a name that stands once");
      names.add(name);
    }
    return [...names];
  }

  /** Members of an object by their keys. */
  members(): ReadonlyMap<string, Part> {
    return new Map(Object.keys(this.#record()).map((key) => [key, this.at(key)]));
  }

  /** A member of an object; a part of nothing where there is none. */
  at(key: string): Part {
    const record = this.#record();
    const value: unknown = Object.hasOwn(record, key) ? Reflect.get(record, key) : undefined;
    return new Part(this.file, placeOf(this.path, key), value);
  }

  /** A plain object: no Map, no Date, no array of any kind. */
  #record(): object {
    const { value } = this;
    if (typeof value !== "object" || value === null) return this.refuse("an object");
    const prototype: unknown = Object.getPrototypeOf(value);
    const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
    return isPlain ? value : this.refuse("an object");
  }

  /** Doubles: a Float64Array. */
  doubles(length?: number | undefined): Float64Array {
    const { value } = this;
    if (isDoubles(value) && (length === undefined || value.length === length)) return value;
    return this.refuse(length === undefined ? "a Float64Array" : `a Float64Array of ${length}`);
  }

  get isNothing(): boolean {
    return this.value === null || this.value === undefined;
  }
}
