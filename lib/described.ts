import { CarillonError, describe, fail } from "./errors.js";
import { checkKeys, checkOneOf } from "./options.js";

/** A value of JSON. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A built-in thing as plain data: the name of the function that makes it, and all options that it was made with, defaults too. */
export type Description = {
  readonly kind: string;
  readonly options: { readonly [name: string]: Json };
};

/** How a thing was made: the options of its description, whose values may be things themselves. */
interface Making {
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
}

const MAKINGS = new WeakMap<object, Making>();

/** `thing`, of which is remembered how it was made; options that are `undefined` are none. */
export function madeBy<T extends object>(kind: string, options: Making["options"], thing: T): T {
  MAKINGS.set(thing, { kind, options });
  return thing;
}

/** How one of the functions of this package has made `thing`; `undefined` for anything else, a copy too. */
export function makingOf(thing: unknown): Making | undefined {
  const isThing = (typeof thing === "object" && thing !== null) || typeof thing === "function";
  return isThing ? MAKINGS.get(thing) : undefined;
}

/** How a description is read. */
export interface Reading {
  /** Keys that are not known change nothing, as in files, which a later version may have written. */
  readonly lenient: boolean;
  /** Descriptions around this one. */
  readonly depth: number;
  readonly met: Met;
}

/** Things that may be shared, in the order in which one description, from its outermost thing on, has them: a place is told by its number. */
export type Met = unknown[];

/** Descriptions in one another, at most: whoever walks through them calls itself. */
const DEEPEST = 100;

/** A reading from its beginning. */
export function reading(lenient: boolean): Reading {
  return { lenient, depth: 0, met: [] };
}

/** How the values of an option stand in a description, both ways; `ERR_OPTION` names the place that does not fit. */
export interface Form {
  describe(where: string, value: unknown, met: Met): Json;
  make(where: string, given: unknown, how: Reading): unknown;
}

/** Values that are JSON as they are: the function that takes them checks which. */
export const plain: Form = {
  describe: copyOf,
  make: (where, given) => (given === null ? fail("ERR_OPTION", where, "a value, if it is there,", given) : given),
};

function copyOf(where: string, value: unknown): Json {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return value.map((one: unknown, index) => copyOf(`${where}[${index}]`, one));
  if (typeof value !== "object") return fail("ERR_OPTION", where, "plain data", value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([key, member]) => [key, copyOf(`${where}.${key}`, member)]));
}

/** A list, each of whose values has a form. */
export function listOf(form: Form, noun: string): Form {
  const map = <T>(where: string, list: unknown, one: (where: string, value: unknown) => T): readonly T[] => {
    if (!Array.isArray(list)) return fail("ERR_OPTION", where, `a list of ${noun}`, list);
    return Array.from(list, (value: unknown, index) => one(`${where}[${index}]`, value));
  };
  return {
    describe: (where, list, met) => map(where, list, (place, value) => form.describe(place, value, met)),
    make: (where, list, how) => map(where, list, (place, value) => form.make(place, value, how)),
  };
}

/** `form`, or one of the values that `isPlain` takes, which stand as they are. */
export function orPlain(isPlain: (value: unknown) => boolean, form: () => Form): Form {
  return {
    describe: (where, value, met) => (isPlain(value) ? copyOf(where, value) : form().describe(where, value, met)),
    make: (where, given, how) => (isPlain(given) ? given : form().make(where, given, how)),
  };
}

export const isNumber = (value: unknown): boolean => typeof value === "number";
export const isNull = (value: unknown): boolean => value === null;

/** A kind: the forms of its options, and how it is made of them. */
export interface Kind<T> {
  readonly forms: Readonly<Record<string, Form>>;
  make(options: Readonly<Record<string, unknown>>): T;
}

/** A kind by the function that makes it; every option of that function has a form. */
export function kind<O, T>(make: (options: O) => T, forms: { readonly [K in keyof NonNullable<O>]-?: Form }): Kind<T> {
  return { forms: { ...forms }, make: (options) => make(options as O) }; // `make` checks each of them
}

/** All that one option of somebody may be: layers, losses, …, by their kinds. */
export class Family<T extends object> implements Form {
  readonly #noun: string;
  readonly #kinds: Readonly<Record<string, Kind<T>>>;
  readonly #makingOf: (thing: unknown) => Making | undefined;

  /**
   * @param noun Such as `optimizer`, for errors.
   * @param making Where it is not remembered how a thing was made, as it says so itself.
   */
  constructor(noun: string, kinds: Readonly<Record<string, Kind<T>>>, making = makingOf) {
    this.#noun = noun;
    this.#kinds = kinds;
    this.#makingOf = making;
  }

  /** Names of its kinds. */
  get names(): readonly string[] {
    return Object.keys(this.#kinds);
  }

  /** Names of the options of a kind. */
  optionsOf(name: string): readonly string[] {
    return Object.keys(this.#named(name)?.forms ?? {});
  }

  /** Which of its kinds `thing` is of. */
  kindOf(thing: unknown): string | undefined {
    const { kind: name } = this.#makingOf(thing) ?? {};
    return name !== undefined && Object.hasOwn(this.#kinds, name) ? name : undefined;
  }

  /** The description of a thing, but for some options; `ERR_OPTION` for one that none of our functions has made, or that has such a part. */
  describe(where: string, thing: unknown, met: Met = [], except: readonly string[] = []): Description {
    const making = this.#makingOf(thing);
    const known = making === undefined ? undefined : this.#named(making.kind);
    if (making === undefined || known === undefined) return refuseOwn(`a built-in ${this.#noun}`, where, thing);
    const options = Object.entries(known.forms).flatMap(([name, form]): [string, Json][] => {
      const value = making.options[name];
      return value === undefined || except.includes(name)
        ? []
        : [[name, form.describe(`${where}.${name}`, value, met)]];
    });
    return { kind: making.kind, options: Object.fromEntries(options) };
  }

  /** The thing that a description is of; `ERR_OPTION` or `ERR_UNKNOWN_OPTION` names the place of what it cannot be of. */
  make(where: string, given: unknown, how = reading(false)): T {
    const { lenient, depth } = how;
    if (depth >= DEEPEST) fail("ERR_OPTION", where, `at most ${DEEPEST} descriptions in one another`, given);
    const { kind: name, options = {} } = members(where, given, ["kind", "options"], lenient);
    const known = this.#named(checkOneOf(`${where}.kind`, name, this.names));
    if (known === undefined) return fail("ERR_OPTION", `${where}.kind`, `a ${this.#noun}`, name);
    const place = lenient ? `${where}: ${name}` : `${where}.options`;
    const present = Object.entries(members(place, options, Object.keys(known.forms), lenient));
    const made = present.map(([option, value]) => {
      return [option, known.forms[option]?.make(`${place}.${option}`, value, { ...how, depth: depth + 1 })];
    });
    return placed(`${name}`, place, () => known.make(Object.fromEntries(made)));
  }

  #named(name: string): Kind<T> | undefined {
    return Object.hasOwn(this.#kinds, name) ? this.#kinds[name] : undefined;
  }
}

/** The description that `describe` gives, or `otherwise()` where it meets something of one's own. */
export function describedOr(describe: () => Json, otherwise: () => unknown): unknown {
  try {
    return describe();
  } catch (cause) {
    if (cause instanceof CarillonError && cause.code === "ERR_OPTION") return otherwise();
    throw cause;
  }
}

/** The members of a plain object that are there, none but `known` ones. */
function members(
  where: string,
  given: unknown,
  known: readonly string[],
  lenient: boolean,
): Readonly<Record<string, unknown>> {
  checkKeys(where, given, lenient ? Object.keys(Object(given)) : known);
  const entries: [string, unknown][] = Object.entries(Object(given));
  return Object.fromEntries(entries.filter(([key, value]) => known.includes(key) && value !== undefined));
}

/** The thing that `make` gives; its errors about an option get the place of the option in the description. */
function placed<T>(name: string, place: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof CarillonError) || !cause.where.startsWith(name)) throw cause;
    const where = `${place}${cause.where.slice(name.length)}`;
    throw new CarillonError(
      cause.code,
      where,
      cause.message.replace(`'${cause.where}'`, () => `'${where}'`),
      { cause },
    );
  }
}

/** `ERR_OPTION` for what has no description, where one is `expected`. */
export function refuseOwn(expected: string, where: string, thing: unknown): never {
  const name: unknown = thing === null || thing === undefined ? undefined : Reflect.get(Object(thing), "kind");
  const isNamed = typeof name === "string" && name !== "";
  const received = isNamed
    ? `one of your own, ${describe(name)}`
    : typeof thing === "function"
      ? "one of your own"
      : describe(thing);
  throw new CarillonError("ERR_OPTION", where, `expected ${expected} for '${where}' but received ${received}`);
}
