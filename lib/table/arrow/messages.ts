// Messages of Arrow's formats for streams and files: what they claim is looked at before there is room for it.
import { broken, refuseFile } from "../../io/refusal.js";
import type { Slices } from "../slices.js";
import { joinedBytes } from "../source.js";
import { type Block, blocksOf, bodyOf, checkHeader, RECORD_BATCH } from "./header.js";

/** Begins a file, and ends it. */
export const MAGIC = "ARROW1";

/** Stands before the length of each message since Arrow 0.15. */
const CONTINUED = 0xffffffff;

/** Bytes of what a message begins with. */
const LONGEST_HEADER = 268_435_456;

const WHOLE = "a whole file of Arrow";

export const textOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** An error as it is told: offsets that lead out of a message are RangeErrors. */
function told(name: string, cause: unknown): unknown {
  const isRange = typeof cause === "object" && cause !== null && "name" in cause && cause.name === "RangeError";
  return isRange && "message" in cause ? broken(name, WHOLE, String(cause.message)) : cause;
}

/** Takes so many bytes at a time of pieces. */
class Taker {
  readonly #pieces: AsyncGenerator<Uint8Array, void>;
  #held: Uint8Array[] = [];
  #length = 0;

  constructor(pieces: AsyncGenerator<Uint8Array, void>) {
    this.#pieces = pieces;
  }

  /** The next `count` bytes, or what is left of them. */
  async take(count: number): Promise<Uint8Array> {
    while (this.#length < count) {
      const { done, value } = await this.#pieces.next();
      if (done === true) break;
      this.#held.push(value);
      this.#length += value.length;
    }
    const all = joinedBytes(this.#held);
    const taken = all.slice(0, Math.min(count, all.length));
    this.#held = taken.length < all.length ? [all.subarray(taken.length)] : [];
    this.#length -= taken.length;
    return taken;
  }
}

/** Messages with rows that were given. */
export interface Counted {
  batches: number;
}

/** Messages of a stream, each in memory of its own, one after the other; `ERR_FILE` where it is cut within one. */
export async function* streamMessages(
  name: string,
  pieces: AsyncGenerator<Uint8Array, void>,
  counted: Counted,
): AsyncGenerator<Uint8Array> {
  const taker = new Taker(pieces);
  try {
    for (;;) {
      const prefix = await nextPrefix(taker, name);
      if (prefix === undefined) return;
      const { message, kind } = await messageOf(taker, name, prefix);
      if (kind === RECORD_BATCH) counted.batches += 1;
      yield message;
    }
  } catch (cause) {
    throw told(name, cause);
  } finally {
    await pieces.return();
  }
}

/** What stands before a message: its length; `undefined` behind the last one. */
async function nextPrefix(taker: Taker, name: string): Promise<number | undefined> {
  let bytes = await taker.take(4);
  if (bytes.length === 0) return undefined;
  if (bytes.length === 4 && viewOf(bytes).getUint32(0, true) === CONTINUED) bytes = await taker.take(4);
  if (bytes.length < 4) refuseFile(name, WHOLE, "one that ends between two messages");
  const length = viewOf(bytes).getUint32(0, true);
  return length === 0 ? undefined : length;
}

async function messageOf(
  taker: Taker,
  name: string,
  length: number,
): Promise<{ readonly message: Uint8Array; readonly kind: number }> {
  const refuse = (): never => refuseFile(name, WHOLE, "one that ends within a message");
  if (length > LONGEST_HEADER) refuse();
  const header = await taker.take(length);
  if (header.length < length) refuse();
  const kind = checkHeader(viewOf(header));
  const size = bodyOf(viewOf(header));
  if (size < 0 || !Number.isSafeInteger(size)) refuse();
  const body = await taker.take(size);
  if (body.length < size) refuse();
  // As a stream has it; the body begins at a multiple of 8 bytes, of which views are made.
  const padded = (8 - (length % 8)) % 8;
  const message = new Uint8Array(8 + length + padded + size);
  viewOf(message).setUint32(0, CONTINUED, true);
  viewOf(message).setUint32(4, length + padded, true);
  message.set(header, 8);
  message.set(body, 8 + length + padded);
  return { message, kind };
}

/** `ERR_FILE` for a file whose end, or what that lists, is damaged; how many messages with rows it has. */
export async function checkFile(name: string, slices: Slices): Promise<Counted> {
  const { byteLength } = slices;
  const read = async (begin: number, end: number): Promise<Uint8Array> =>
    new Uint8Array(await slices.slice(begin, end));
  try {
    const end = await read(Math.max(0, byteLength - 10), byteLength);
    if (end.length < 10 || textOf(end.subarray(4)) !== MAGIC) refuseFile(name, WHOLE, "one without its end");
    const length = viewOf(end).getInt32(0, true);
    if (length <= 0 || length > byteLength - 18) refuseFile(name, WHOLE, "a damaged end");
    const counted = { batches: 0 };
    for (const block of blocksOf(viewOf(await read(byteLength - 10 - length, byteLength - 10)))) {
      const kind = await checkBlock(block, byteLength, read);
      if (kind === RECORD_BATCH) counted.batches += 1;
    }
    return counted;
  } catch (cause) {
    throw told(name, cause);
  }
}

/** Kind of a message of a file. */
async function checkBlock(
  { offset, header, body }: Block,
  byteLength: number,
  read: (begin: number, end: number) => Promise<Uint8Array>,
): Promise<number> {
  const isWithin = offset >= 8 && header >= 8 && body >= 0 && offset + header + body <= byteLength;
  if (!isWithin || header > LONGEST_HEADER) throw new RangeError("a message that lies elsewhere");
  const bytes = await read(offset, offset + header);
  const view = viewOf(bytes);
  const begin = view.getUint32(0, true) === CONTINUED ? 8 : 4;
  const length = view.getUint32(begin - 4, true);
  const own = viewOf(bytes.subarray(begin, begin + length));
  if (length > header - begin || bodyOf(own) !== body) throw new RangeError("a message of another length");
  return checkHeader(own);
}
