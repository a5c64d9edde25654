// The part of Python's pickle that state dicts are written in, as plain data. Nothing is imported or called: what a pickle names must be one of the few things
// that a table has, which make data. Protocols 2 to 5; opcodes from Python's pickletools.
import { describe, shortened, tagOf } from "../../errors.js";
import { broken } from "../../io/refusal.js";

/** A name of a pickle, which `reduce` gives a meaning. */
export class Global {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** What a pickle may name, by `module name`: what is made of its arguments. */
export type Known = Readonly<Record<string, (args: readonly unknown[], place: string) => unknown>>;

/** What reads a pickle. */
export interface PickleReader {
  readonly known: Known;
  /** What stands for something outside of it. */
  persistent(id: unknown, place: string): unknown;
}

/** A dictionary of Python; keys are as they stand. */
export type Dictionary = Map<unknown, unknown>;

/** Values on the stack, values that are remembered, opcodes, and characters of a text. */
const [DEEPEST, MOST_REMEMBERED, MOST_STEPS] = [100_000, 1_000_000, 20_000_000] as const;

/** Values in one another, at most: whoever walks through them calls itself. */
export const NESTED = 64;

const MARK = Symbol("mark");

/** What an opcode leaves that pushes nothing. */
const NOTHING = Symbol("nothing");

class Machine {
  readonly #where: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #reader: PickleReader;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();
  #at = 0;

  constructor(where: string, bytes: Uint8Array, reader: PickleReader, begin: number) {
    this.#at = begin;
    this.#where = where;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#reader = reader;
  }

  run(): unknown {
    for (let step = 0; ; step++) {
      if (step > MOST_STEPS) this.#refuse(`at most ${MOST_STEPS} steps`, "more");
      const opcode = this.#take(1);
      if (this.#bytes[opcode] === 0x2e) break; // STOP
      const value = this.#step(this.#bytes[opcode] ?? 0);
      if (value !== NOTHING) this.#stack.push(value);
      if (this.#stack.length > DEEPEST) this.#refuse(`at most ${DEEPEST} values on its stack`, "more");
    }
    const value = this.#pop();
    if (this.#stack.length > 0) this.#refuse("one value", `${this.#stack.length} more`);
    return value;
  }

  /** The byte behind what was read. */
  get end(): number {
    return this.#at;
  }

  #refuse(expected: string, received: string): never {
    throw broken(`${this.#where}: byte ${this.#at}`, expected, received);
  }

  /** The place of so many bytes, which are behind it then. */
  #take(count: number): number {
    const begin = this.#at;
    if (count > this.#bytes.length - begin) this.#refuse("a whole pickle", "one that is cut");
    this.#at += count;
    return begin;
  }

  #byte(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }

  #u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  #text(length: number): string {
    const begin = this.#take(length);
    return new TextDecoder().decode(this.#bytes.subarray(begin, begin + length));
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) this.#refuse("a line", "the end");
    const text = this.#text(end - this.#at);
    this.#take(1);
    return text;
  }

  #wide(): number {
    const value = this.#view.getBigUint64(this.#take(8), true);
    if (value > 0xffffffffn) this.#refuse("a length", `${value}`);
    return Number(value);
  }

  #pop(): unknown {
    if (this.#stack.length === 0) this.#refuse("a value on the stack", "none");
    const value = this.#stack.pop();
    return value === MARK ? this.#refuse("a value on the stack", "a mark") : value;
  }

  #toMark(): unknown[] {
    const begin = this.#stack.lastIndexOf(MARK);
    if (begin < 0) this.#refuse("a mark on the stack", "none");
    const values = this.#stack.splice(begin);
    values.shift();
    return values;
  }

  /** What is below the values that were taken. */
  #top(): unknown {
    const value = this.#stack.at(-1);
    return value === undefined && this.#stack.length === 0 ? this.#refuse("a value on the stack", "none") : value;
  }

  #remember(at: number): unknown {
    if (this.#memo.size >= MOST_REMEMBERED)
      this.#refuse(`at most ${MOST_REMEMBERED} values that are remembered`, "more");
    const value = this.#top();
    if (value === MARK) this.#refuse("a value", "a mark");
    this.#memo.set(at, value);
    return NOTHING;
  }

  #recall(at: number): unknown {
    if (!this.#memo.has(at)) this.#refuse(`the value ${at}, which was remembered`, "none");
    return this.#memo.get(at);
  }

  #integer(length: number): number | bigint {
    if (length > 64) this.#refuse("an integer of at most 64 bytes", `${length}`);
    const begin = this.#take(length);
    let value = 0n;
    for (let at = length - 1; at >= 0; at--) value = (value << 8n) | BigInt(this.#bytes[begin + at] ?? 0);
    if (length > 0 && ((this.#bytes[begin + length - 1] ?? 0) & 0x80) !== 0) value -= 1n << BigInt(8 * length);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  #name(module: unknown, name: unknown): Global {
    const called = `${String(module)} ${String(name)}`;
    if (typeof module === "string" && typeof name === "string" && Object.hasOwn(this.#reader.known, called))
      return new Global(called);
    return this.#refuse(
      "a state dict of tensors and plain data",
      `the name ${describe(`${String(module)}.${String(name)}`)}, and nothing of a file is executed: save model.state_dict()`,
    );
  }

  #call(callee: unknown, args: unknown): unknown {
    if (!(callee instanceof Global) || !Array.isArray(args))
      return this.#refuse("a known name with its arguments", describe(callee));
    return this.#reader.known[callee.name]?.(args, `${this.#where}: byte ${this.#at}`);
  }

  #setItems(target: unknown, items: readonly unknown[]): unknown {
    if (!isDictionary(target) || items.length % 2 !== 0)
      this.#refuse("a dictionary, and keys with values", describe(target));
    for (let at = 0; at < items.length; at += 2) target.set(items[at], items[at + 1]);
    return NOTHING;
  }

  #append(target: unknown, items: readonly unknown[]): unknown {
    if (!Array.isArray(target) || Object.isFrozen(target)) this.#refuse("a list", describe(target));
    for (const item of items) target.push(item);
    return NOTHING;
  }

  /** What a dictionary of its own class keeps beside its items (`_metadata`) is no tensor. */
  #build(): unknown {
    this.#pop();
    const target = this.#top();
    if (!isDictionary(target)) this.#refuse("a dictionary", describe(target));
    return NOTHING;
  }

  /** What an opcode pushes. */
  #step(opcode: number): unknown {
    switch (opcode) {
      case 0x80: {
        // PROTO
        const version = this.#byte();
        if (version < 2 || version > 5) this.#refuse("protocol 2 to 5", `${version}`);
        return NOTHING;
      }
      case 0x95: {
        // FRAME
        const length = this.#wide();
        if (length > this.#bytes.length - this.#at) this.#refuse("a whole frame", "one that is cut");
        return NOTHING;
      }
      case 0x28:
        return MARK;
      case 0x4e:
        return null;
      case 0x88:
        return true;
      case 0x89:
        return false;
      case 0x4b:
        return this.#byte();
      case 0x4d:
        return this.#view.getUint16(this.#take(2), true);
      case 0x4a:
        return this.#view.getInt32(this.#take(4), true);
      case 0x8a:
        return this.#integer(this.#byte());
      case 0x8b:
        return this.#integer(this.#u32());
      case 0x47:
        return this.#view.getFloat64(this.#take(8), false);
      case 0x58:
        return this.#text(this.#u32());
      case 0x8c:
        return this.#text(this.#byte());
      case 0x8d:
        return this.#text(this.#wide());
      case 0x54:
        return this.#text(this.#u32()); // BINSTRING
      case 0x55:
        return this.#text(this.#byte());
      case 0x42:
        return this.#text(this.#u32()); // BINBYTES
      case 0x43:
        return this.#text(this.#byte());
      case 0x7d:
        return new Map();
      case 0x5d:
        return [];
      case 0x8f:
        return []; // EMPTY_SET
      case 0x29:
        return Object.freeze([]);
      case 0x74:
        return Object.freeze(this.#toMark());
      case 0x85:
        return Object.freeze([this.#pop()]);
      case 0x86:
        return Object.freeze([this.#pop(), this.#pop()].reverse());
      case 0x87:
        return Object.freeze([this.#pop(), this.#pop(), this.#pop()].reverse());
      case 0x61: {
        // APPEND
        const item = this.#pop();
        return this.#append(this.#top(), [item]);
      }
      case 0x65: {
        // APPENDS
        const items = this.#toMark();
        return this.#append(this.#top(), items);
      }
      case 0x90: {
        // ADDITEMS
        const items = this.#toMark();
        return this.#append(this.#top(), items);
      }
      case 0x73: {
        // SETITEM
        const value = this.#pop();
        const key = this.#pop();
        return this.#setItems(this.#top(), [key, value]);
      }
      case 0x75: {
        // SETITEMS
        const items = this.#toMark();
        return this.#setItems(this.#top(), items);
      }
      case 0x64: {
        // DICT
        const made = new Map();
        this.#setItems(made, this.#toMark());
        return made;
      }
      case 0x6c:
        return this.#toMark(); // LIST
      case 0x71:
        return this.#remember(this.#byte()); // BINPUT
      case 0x72:
        return this.#remember(this.#u32());
      case 0x94:
        return this.#remember(this.#memo.size);
      case 0x68:
        return this.#recall(this.#byte());
      case 0x6a:
        return this.#recall(this.#u32());
      case 0x30:
        this.#pop();
        return NOTHING;
      case 0x32:
        return this.#top();
      case 0x63:
        return this.#name(this.#line(), this.#line()); // GLOBAL
      case 0x93: {
        // STACK_GLOBAL
        const name = this.#pop();
        return this.#name(this.#pop(), name);
      }
      case 0x52: {
        // REDUCE
        const args = this.#pop();
        return this.#call(this.#pop(), args);
      }
      case 0x81: {
        // NEWOBJ
        const args = this.#pop();
        return this.#call(this.#pop(), args);
      }
      case 0x62:
        return this.#build();
      case 0x51:
        return this.#reader.persistent(this.#pop(), `${this.#where}: byte ${this.#at}`); // BINPERSID
      default:
        return this.#refuse("a pickle of plain data", `the opcode 0x${opcode.toString(16)}`);
    }
  }
}

/** Whether a value of a pickle is a dictionary. */
export function isDictionary(value: unknown): value is Dictionary {
  return tagOf(value) === "Map";
}

/** The value of a pickle, and the byte behind it; `ERR_FILE` with the byte at which it is something else than plain data. */
export function unpickle(
  where: string,
  bytes: Uint8Array,
  reader: PickleReader,
  begin = 0,
): { readonly value: unknown; readonly end: number } {
  const machine = new Machine(where, bytes, reader, begin);
  return { value: machine.run(), end: machine.end };
}

/** A key of a dictionary in words. */
export function keyText(key: unknown): string {
  return typeof key === "string" ? shortened(key, 200) : describe(key);
}
