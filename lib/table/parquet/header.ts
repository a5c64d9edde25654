// Headers of Parquet's pages: structures of Thrift's compact protocol.

/** Bytes that are damaged: whoever reads the file says which. */
export function failPages(received: string): never {
  throw new Error(received);
}

/** How values are written: the numbers that Parquet gives. */
export const PLAIN = 0;
export const PLAIN_DICTIONARY = 2;
export const RLE = 3;
export const RLE_DICTIONARY = 8;

/** What is used of a page's header. */
export interface PageHeader {
  readonly kind: "data" | "data 2" | "dictionary" | "other";
  /** Bytes of the header itself, and of the page behind it, as it lies and unpacked. */
  readonly length: number;
  readonly packed: number;
  readonly unpacked: number;
  readonly values: number;
  readonly encoding: number;
  /** How it is written which rows have a value. */
  readonly levelEncoding: number;
  /** Of a second version: rows without a value; its levels are not packed: their bytes, and whether values are. */
  readonly missing: number | undefined;
  readonly repetitionBytes: number;
  readonly definitionBytes: number;
  readonly isPacked: boolean;
}

const KINDS = ["data", "other", "dictionary", "data 2"] as const;

/** Types of Thrift's compact protocol. */
const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const INTEGERS = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const SET = 10;
const STRUCT = 12;

/** Structures within one another. */
const DEEPEST = 8;

/** A structure: its whole numbers, flags as 0 and 1, and structures by their numbers; whatever else it has is passed over. */
type Struct = ReadonlyMap<number, number | Struct>;

/** Bytes, one behind the other; `undefined` is where they end. */
class Bytes {
  at: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  byte(): number {
    const byte = this.#bytes[this.at++];
    return byte === undefined ? failEnd() : byte;
  }

  /** An unsigned number of 7 bits a byte. */
  varint(): number {
    let value = 0;
    for (let [factor, left] = [1, 10]; left > 0; factor *= 128, left--) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    return failPages("a number of more than ten bytes");
  }

  /** A signed one; below 2⁵³ it is exact. */
  integer(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #value(type: number, depth: number): number | Struct | undefined {
    if (type === TRUE || type === FALSE) return type === TRUE ? 1 : 0;
    if (type > BYTE && type <= INTEGERS) return this.integer();
    if (type === STRUCT) return this.struct(depth + 1);
    if (type === LIST || type === SET) this.#passList(depth);
    else {
      const length = type === BYTE ? 1 : type === DOUBLE ? 8 : type === BINARY ? this.varint() : undefined;
      this.at += length ?? failPages(`a header with a field of type ${type}`);
    }
    return undefined;
  }

  #passList(depth: number): void {
    const head = this.byte();
    const type = head & 15;
    const size = head >> 4 === 15 ? this.varint() : head >> 4;
    for (let left = size; left > 0; left--) {
      // In a list a flag is a byte.
      if (type === TRUE || type === FALSE) this.byte();
      else this.#value(type, depth + 1);
      if (this.at > this.#bytes.length) failEnd();
    }
  }

  struct(depth: number): Struct {
    if (depth > DEEPEST) failPages("a header of many structures");
    const fields = new Map<number, number | Struct>();
    let field = 0;
    for (let head = this.byte(); head !== 0; head = this.byte()) {
      field = head >> 4 === 0 ? this.integer() : field + (head >> 4);
      const value = this.#value(head & 15, depth);
      if (value !== undefined) fields.set(field, value);
      if (this.at > this.#bytes.length) failEnd();
    }
    return fields;
  }
}

/** A header that goes on behind the bytes that were read. */
export class CutHeader extends Error {}

function failEnd(): never {
  throw new CutHeader("a header without an end");
}

const NONE: Struct = new Map();

function numberIn(struct: Struct, field: number, otherwise?: number): number {
  const value = struct.get(field) ?? otherwise;
  return typeof value === "number" ? value : failPages(`a page whose header lacks field ${field}`);
}

function sizeIn(struct: Struct, field: number, otherwise?: number): number {
  const value = numberIn(struct, field, otherwise);
  return value >= 0 && value < 2_147_483_648 ? value : failPages(`a page with a size of ${value}`);
}

/** The header at a place of some bytes; throws {@link CutHeader} where they end before it does. */
export function pageHeader(bytes: Uint8Array, begin: number): PageHeader {
  const reader = new Bytes(bytes, begin);
  const header = reader.struct(0);
  const kind = KINDS[numberIn(header, 1)] ?? "other";
  const one = { data: 5, other: 6, dictionary: 7, "data 2": 8 }[kind];
  const given = header.get(one);
  const own =
    typeof given === "object" ? given : kind === "other" ? NONE : failPages("a page without a header of its kind");
  const isSecond = kind === "data 2";
  return {
    kind,
    length: reader.at - begin,
    unpacked: sizeIn(header, 2),
    packed: sizeIn(header, 3),
    values: kind === "other" ? 0 : sizeIn(own, 1),
    encoding: kind === "other" ? PLAIN : numberIn(own, isSecond ? 4 : 2),
    levelEncoding: kind === "data" ? numberIn(own, 3) : RLE,
    missing: isSecond ? sizeIn(own, 2) : undefined,
    definitionBytes: isSecond ? sizeIn(own, 5) : 0,
    repetitionBytes: isSecond ? sizeIn(own, 6) : 0,
    isPacked: !isSecond || numberIn(own, 7, 1) !== 0,
  };
}
