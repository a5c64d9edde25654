// The header of a safetensors file, which anybody may have written. Its members are counted in the raw bytes and read one by
// one as they are complete, so that what is refused costs no more than the bytes before it.
import { CarillonError, describe, messageOf, shortened } from "../errors.js";
import { extent } from "../tensor/shape.js";
import type { ElementTypes, StoredDtype } from "./element_types.js";
import { repeatedKey } from "./json.js";
import type { CheckedLimits } from "./limits.js";
import { broken } from "./refusal.js";

export const METADATA = "__metadata__";

/** A tensor of a file, whose data has not been read. */
export interface StoredEntry<D extends string = StoredDtype> {
  readonly dtype: D;
  readonly shape: readonly number[];
  /** First byte in the file, and the byte behind the last. */
  readonly begin: number;
  readonly end: number;
}

export interface Header<D extends string = StoredDtype> {
  /** In the order of the header. */
  readonly entries: ReadonlyMap<string, StoredEntry<D>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Bytes of a member that describes a tensor, its name included. */
const LONGEST_ENTRY = 65_536;

/** Brackets in one another; three are needed. */
const DEEPEST = 64;

/** Of a member that describes a tensor: its name, dtype, shape and data_offsets. */
const KEYS = 4;

/** Dimensions of a tensor. */
const MOST_DIMENSIONS = 64;

/** Characters of a name that a message shows. */
const SHOWN = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const BRACE = 0x7b;
const BRACKET = 0x5b;
const END_OF_BRACE = 0x7d;
const END_OF_BRACKET = 0x5d;
const SPACES: readonly number[] = [0x20, 0x09, 0x0a, 0x0d];

/** Reads a header that is given in pieces; every method throws `ERR_FILE` with what is wrong, at the first byte that tells. */
export class HeaderReader<D extends string> {
  readonly #where: string;
  readonly #start: number;
  readonly #limits: Pick<CheckedLimits, "tensors">;
  readonly #types: ElementTypes<D>;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #entries = new Map<string, StoredEntry<D>>();
  #metadata: Readonly<Record<string, string>> | undefined;
  /** Text of the member under way that earlier pieces have. */
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  /** Open brackets; of the header itself as well. */
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Of the member under way, outside of strings: as many as it has keys, its own included. */
  #colons = 0;
  #began = false;
  readonly #counting: boolean;
  #members = 0;

  /**
   * @param start The byte at which the data starts.
   * @param mode With `count` members are counted and nothing else, a tenth of the work: for a pass before the one that reads.
   */
  constructor(
    where: string,
    start: number,
    limits: Pick<CheckedLimits, "tensors">,
    types: ElementTypes<D>,
    mode: "count" | "read" = "read",
  ) {
    this.#where = where;
    this.#start = start;
    this.#limits = limits;
    this.#types = types;
    this.#counting = mode === "count";
  }

  /** Takes the next bytes, which may be reused afterwards. */
  push(bytes: Uint8Array): void {
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
        continue;
      }
      if (this.#depth === 0) {
        this.#outside(byte);
        from = at + 1;
        continue;
      }
      switch (byte) {
        case QUOTE:
          this.#inString = true;
          break;
        case COLON:
          this.#colons += 1;
          if (this.#colons > this.#limits.tensors + KEYS) this.#failNumber("keys");
          break;
        case BRACE:
        case BRACKET:
          this.#depth += 1;
          if (this.#depth > DEEPEST) throw broken(this.#where, `brackets at most ${DEEPEST} deep`, "more");
          break;
        case END_OF_BRACE:
        case END_OF_BRACKET:
          this.#depth -= 1;
          if (this.#depth > 0) break;
          if (byte !== END_OF_BRACE) throw this.#noJson("the wrong bracket at its end");
          this.#member(bytes.subarray(from, at), true);
          from = at + 1;
          break;
        case COMMA:
          if (this.#depth > 1) break;
          this.#member(bytes.subarray(from, at), false);
          from = at + 1;
      }
    }
    if (this.#depth > 0 && !this.#counting) this.#keep(bytes.slice(from));
  }

  end(): Header<D> {
    if (this.#depth > 0 || !this.#began) throw this.#noJson("its end too early");
    return { entries: this.#entries, metadata: this.#metadata ?? {} };
  }

  /** A byte in front of the header's object, or behind it. */
  #outside(byte: number): void {
    if (!this.#began && byte === BRACE) {
      this.#began = true;
      this.#depth = 1;
    } else if (!(this.#began && SPACES.includes(byte))) {
      throw this.#noJson("something beside its object");
    }
  }

  #keep(part: Uint8Array): void {
    this.#parts.push(part);
    this.#partBytes += part.length;
    if (this.#partBytes > LONGEST_ENTRY && !this.#isMetadata()) this.#failLength();
  }

  #isMetadata(): boolean {
    const begin = Buffer.concat(this.#parts.slice(0, 2)).subarray(0, 100).toString("latin1").trimStart();
    return begin.startsWith(`"${METADATA}"`);
  }

  #member(rest: Uint8Array, last: boolean): void {
    if (this.#counting) {
      this.#members += 1;
      this.#colons = 0;
      if (this.#members > this.#limits.tensors + 1) this.#failNumber("tensors"); // one may be the metadata
      return;
    }
    const bytes = this.#parts.length === 0 ? rest : Buffer.concat([...this.#parts, rest]);
    const colons = this.#colons;
    [this.#parts, this.#partBytes, this.#colons] = [[], 0, 0];
    const text = this.#decoded(bytes);
    const isFirst = this.#entries.size === 0 && this.#metadata === undefined;
    const [member] = Object.entries(this.#parsed(text));
    if (member === undefined) {
      if (last && isFirst) return;
      throw this.#noJson("a comma without a member");
    }
    const [name, value] = member;
    if (name === METADATA ? this.#metadata !== undefined : this.#entries.has(name)) this.#failRepeated(name);
    if (name === METADATA) {
      this.#expectKeysOnce(text, value, colons);
      this.#metadata = parseMetadata(this.#where, value);
      return;
    }
    if (bytes.length > LONGEST_ENTRY) this.#failLength();
    if (this.#entries.size === this.#limits.tensors) this.#failNumber("tensors");
    this.#expectKeysOnce(text, value, colons);
    this.#entries.set(name, parseEntry(`${this.#where}: ${shortened(name, SHOWN)}`, value, this.#start, this.#types));
  }

  #decoded(bytes: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes);
    } catch (cause) {
      throw this.#noJson("bytes that are no UTF-8", cause);
    }
  }

  #parsed(member: string): object {
    try {
      return JSON.parse(`{${member}}`);
    } catch (cause) {
      throw this.#noJson(messageOf(cause), cause);
    }
  }

  /** JSON.parse silently keeps the last of two equal keys: then there are more colons than keys. */
  #expectKeysOnce(member: string, value: unknown, colons: number): void {
    if (!isObject(value) || colons === 1 + Object.keys(value).length) return;
    const repeated = repeatedKey(`{${member}}`);
    if (repeated !== undefined) this.#failRepeated(repeated);
  }

  #failRepeated(name: string): never {
    throw broken(this.#where, "every key once", `${JSON.stringify(shortened(name, SHOWN))} twice`);
  }

  #failLength(): never {
    throw broken(this.#where, `a tensor's name, type and shape in at most ${LONGEST_ENTRY} bytes`, "more");
  }

  #failNumber(of: "tensors" | "keys"): never {
    throw broken(this.#where, `at most ${this.#limits.tensors} ${of} (limits.tensors)`, "more");
  }

  #noJson(received: string, cause?: unknown): CarillonError {
    const { message } = broken(this.#where, "a header in JSON", received);
    return new CarillonError("ERR_FILE", this.#where, message, { cause });
  }
}

function parseMetadata(where: string, value: unknown): Readonly<Record<string, string>> {
  const place = `${where}: ${METADATA}`;
  if (!isObject(value)) throw broken(place, "an object of strings", describe(value));
  const pairs = Object.entries(value);
  for (const [key, text] of pairs) {
    if (typeof text !== "string") throw broken(`${place}.${shortened(key, SHOWN)}`, "a string", describe(text));
  }
  return Object.fromEntries(pairs);
}

function parseEntry<D extends string>(
  place: string,
  value: unknown,
  start: number,
  types: ElementTypes<D>,
): StoredEntry<D> {
  if (!isObject(value)) throw broken(place, "an object with dtype, shape and data_offsets", describe(value));
  const { dtype, shape, data_offsets: offsets, ...others } = { ...EMPTY_ENTRY, ...value };
  const stray = Object.keys(others)[0];
  if (stray !== undefined) throw broken(place, "only dtype, shape and data_offsets", describe(stray));
  const type = types.of(dtype);
  if (type === undefined) throw broken(`${place}.dtype`, `one of ${types.names.join(", ")}`, describe(dtype));
  if (!isSizes(shape)) throw broken(`${place}.shape`, "an array of sizes", shortJson(shape));
  if (shape.length > MOST_DIMENSIONS)
    throw broken(`${place}.shape`, `at most ${MOST_DIMENSIONS} sizes`, `${shape.length}`);
  if (!isSizes(offsets)) throw broken(`${place}.data_offsets`, "two offsets in bytes", shortJson(offsets));
  const [begin = -1, end = -1] = offsets;
  const size = extent(shape) * types.bytes[type];
  if (offsets.length !== 2 || end - begin !== size) {
    const expected = `two offsets ${size} bytes apart, as ${type.toUpperCase()} [${shape.join(", ")}] needs,`;
    throw broken(`${place}.data_offsets`, expected, shortJson(offsets));
  }
  return { dtype: type, shape, begin: start + begin, end: start + end };
}

const EMPTY_ENTRY: Readonly<Record<"dtype" | "shape" | "data_offsets", unknown>> = {
  dtype: undefined,
  shape: undefined,
  data_offsets: undefined,
};

function shortJson(value: unknown): string {
  return shortened(JSON.stringify(value) ?? "undefined", SHOWN);
}

/** The data of the tensors must cover the bytes of the file from `start` to `size` exactly once. */
export function checkCoverage(where: string, { entries }: Header<string>, start: number, size: number): void {
  let covered = start;
  const inOrder = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  for (const [name, { begin, end }] of inOrder) {
    if (begin !== covered) {
      const [wanted, found] = [covered - start, begin - start];
      throw broken(`${where}: ${shortened(name, SHOWN)}`, `data from byte ${wanted}`, `data from byte ${found}`);
    }
    covered = end;
  }
  const [bytes, rest] = [covered - start, size - start];
  if (bytes > rest) throw broken(where, `${bytes} bytes of data`, `${rest}: the file was cut`);
  if (bytes < rest) throw broken(where, `${bytes} bytes of data`, `${rest}`);
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether `value` is an array of integers ≥ 0. Their product may be too large: it then equals no length of data. */
function isSizes(value: unknown): value is readonly number[] {
  const sizes: readonly unknown[] | undefined = Array.isArray(value) ? value : undefined;
  return sizes?.every((size) => typeof size === "number" && Number.isSafeInteger(size) && size >= 0) ?? false;
}
