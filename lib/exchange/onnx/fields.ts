// Fields of messages whose bytes are anybody's: each thing that is kept is counted before it is made.
import { refuseFile } from "../../io/refusal.js";
import { WIRE, type Wire, type WireReader } from "./wire.js";

/** Bytes that everything but weights may take in memory, about. */
export const ROOM = 33_554_432;

/** Bytes of an object, and of a number in a list, about. */
export const OBJECT = 240;
export const NUMBER = 16;

/** Characters of a name. */
export const LONGEST_NAME = 4096;

/** A file while it is read. */
export class Reading {
  readonly wire: Wire;
  readonly where: string;
  #left = ROOM;

  constructor(wire: Wire, where: string) {
    this.wire = wire;
    this.where = where;
  }

  /** Counts what is about to be made; `ERR_FILE` where it is too much. */
  spend(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) refuseFile(this.where, "a graph that takes at most 32 MB beside its weights", "a larger one");
  }
}

/** A field of a message. */
export class Field {
  readonly number: number;
  readonly #type: number;
  readonly #reader: WireReader;
  readonly #of: Reading;
  readonly #path: string;
  #isRead = false;

  constructor(of: Reading, path: string, reader: WireReader) {
    const [number, type] = reader.tag();
    this.number = number;
    this.#type = type;
    this.#reader = reader;
    this.#of = of;
    this.#path = path;
  }

  #expect(type: number): WireReader {
    this.#isRead = true;
    if (this.#type === type) return this.#reader;
    return this.#refuse(`field ${this.number} of wire type ${type}`, `wire type ${this.#type}`);
  }

  #refuse(expected: string, received: string): never {
    return refuseFile(`${this.#of.where}: ${this.#path}`, expected, received);
  }

  /** An integer that a double holds. */
  integer(): number {
    return this.#safe(this.#expect(WIRE.varint).int64());
  }

  #safe(value: bigint | string): number {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : this.#refuse("an integer below 2^53", String(value));
  }

  float(): number {
    return this.#expect(WIRE.bit32).float();
  }

  /** One integer, or several side by side, behind those before. */
  integers(into: number[], most: number): void {
    if (this.#type === WIRE.varint) {
      this.#of.spend(NUMBER);
      into.push(this.integer());
    } else {
      const bytes = this.bytes();
      const reader = this.#of.wire.reader(bytes);
      while (reader.pos < reader.len) {
        this.#of.spend(NUMBER);
        into.push(this.#safe(reader.int64()));
        if (into.length > most) break;
      }
    }
    if (into.length > most) this.#refuse(`at most ${most} numbers`, "more");
  }

  floats(into: number[]): void {
    if (this.#type === WIRE.bit32) {
      this.#of.spend(NUMBER);
      into.push(this.float());
      return;
    }
    const reader = this.#of.wire.reader(this.bytes());
    while (reader.pos < reader.len) {
      this.#of.spend(NUMBER);
      into.push(reader.float());
    }
  }

  /** Whether its value is bytes, or a message. */
  get isDelimited(): boolean {
    return this.#type === WIRE.delimited;
  }

  /** Bytes where they lie. */
  bytes(): Uint8Array {
    return this.#expect(WIRE.delimited).bytes();
  }

  text(most = LONGEST_NAME): string {
    const bytes = this.bytes();
    if (bytes.length > most) this.#refuse(`a text of at most ${most} bytes`, `${bytes.length}`);
    this.#of.spend(2 * bytes.length + NUMBER);
    return new TextDecoder().decode(bytes);
  }

  /** Goes over what nobody has read. */
  end(): void {
    if (this.#isRead) return;
    const isKnown = this.#type === WIRE.varint || this.#type === WIRE.bit32 || this.#type === WIRE.bit64;
    if (!isKnown && this.#type !== WIRE.delimited)
      this.#refuse("a field of ONNX", `a field of wire type ${this.#type}`);
    this.#reader.skip(this.#type);
  }
}

/** Gives each field of a message to `take`, which reads those that it knows. */
export function eachField(of: Reading, path: string, bytes: Uint8Array, take: (field: Field) => void): void {
  const reader = of.wire.reader(bytes);
  while (reader.pos < reader.len) {
    const field = new Field(of, path, reader);
    take(field);
    field.end();
  }
}
