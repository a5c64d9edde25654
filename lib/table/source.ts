// Where the bytes of a table come from: files, patterns of files, standard input, streams, memory.

import { basename, resolve } from "node:path";
import { CarillonError, fail, isPromise, tagOf } from "../errors.js";
import { fileError, fileSystem } from "../io/file.js";
import { areTexts } from "../options.js";
import { isUint8Array } from "../tensor/arrays.js";
import { filesOf } from "./glob.js";

/** Bytes of a text, or of anything else, piece by piece. */
export interface Bytes {
  /** What errors call it. */
  readonly name: string;
  readonly pieces: AsyncIterable<Uint8Array>;
}

/** Bytes that can be opened. */
export interface ByteFile {
  readonly name: string;
  /** Where it lies, if it is a file. */
  readonly path: string | undefined;
  /** Opens it; `ERR_STATE` for the second time where there is only one. */
  open(): AsyncIterable<Uint8Array>;
  /** Whether it can be opened more than once. */
  readonly again: boolean;
}

/** What gives bytes, or texts, one after the other: a stream of Node.js or of the web, say. */
export type ByteStream = AsyncIterable<Uint8Array | string>;

/** Bytes that are read at once. */
const PIECE = 262_144;

async function* piecesOfFile(path: string): AsyncGenerator<Uint8Array> {
  const refuse = (cause: unknown): never => {
    throw fileError(path, "a file that can be read", cause);
  };
  const file = await fileSystem().open(resolve(path), "r").catch(refuse);
  try {
    if ((await file.stat().catch(refuse)).isDirectory()) refuse(new Error("a folder"));
    for (;;) {
      const piece = new Uint8Array(PIECE);
      const { bytesRead } = await file.read(piece, 0, PIECE).catch(refuse);
      if (bytesRead === 0) return;
      yield piece.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function* piecesOfMemory(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let begin = 0; begin < length; begin += PIECE) {
    await Promise.resolve();
    if (bytes.length !== length) {
      const expected = "memory that stays as it is until it has been read";
      const received = "some that was transferred or resized meanwhile";
      throw new CarillonError("ERR_DETACHED", "bytes", `expected ${expected} for 'bytes' but received ${received}`);
    }
    yield bytes.subarray(begin, begin + PIECE);
  }
}

async function* piecesOfStream(name: string, stream: ByteStream): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  for await (const piece of stream) {
    if (typeof piece === "string") yield encoder.encode(piece);
    else if (isUint8Array(piece))
      yield piece.slice(); // a stream may fill its memory again
    else fail("ERR_DATA", name, "bytes or text from the stream", piece);
  }
}

function once(name: string, pieces: () => AsyncIterable<Uint8Array>): ByteFile {
  let opened = false;
  return {
    name,
    path: undefined,
    again: false,
    open() {
      if (opened)
        throw new CarillonError("ERR_STATE", name, `expected a source that can be read once more for '${name}'`);
      opened = true;
      return pieces();
    },
  };
}

/** What has gone through is kept, so that it can be read once more. */
export function remembered(file: ByteFile): ByteFile {
  if (file.again) return file;
  const kept: Uint8Array[] = [];
  let whole = false;
  async function* first(): AsyncGenerator<Uint8Array> {
    for await (const piece of file.open()) {
      kept.push(piece);
      yield piece;
    }
    whole = true;
  }
  async function* later(): AsyncGenerator<Uint8Array> {
    for (const piece of kept) {
      await Promise.resolve();
      yield piece;
    }
  }
  return { ...file, again: true, open: () => (whole ? later() : first()) };
}

/** Pieces one behind the other. */
export function joinedBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const [only, ...more] = pieces;
  if (only !== undefined && more.length === 0) return only;
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Bytes that tell what a source is. */
const TELLING = 64;

/** The first bytes of a source, however short the pieces that they come in, and all of it. Who ends `all` ends the source. */
export async function beginningOf(
  pieces: AsyncIterable<Uint8Array>,
): Promise<{ readonly first: Uint8Array; readonly all: AsyncGenerator<Uint8Array, void> }> {
  const iterator = pieces[Symbol.asyncIterator]();
  const taken: Uint8Array[] = [];
  for (let length = 0; length < TELLING; ) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    taken.push(value);
    length += value.length;
  }
  const first = joinedBytes(taken);
  async function* all(): AsyncGenerator<Uint8Array, void> {
    try {
      yield first;
      for (;;) {
        const { done, value } = await iterator.next();
        if (done === true) return;
        yield value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { first, all: all() };
}

/** A file; what is none, such as a pipe, can be read once, from the beginning to the end. */
async function fileAt(path: string): Promise<ByteFile> {
  const again = await fileSystem()
    .stat(path)
    .then(
      (found) => found.isFile() || found.isDirectory(),
      () => true,
    );
  if (!again) return once(path, () => piecesOfFile(path));
  return { name: path, path, again, open: () => piecesOfFile(path) };
}

function filesAt(paths: readonly string[]): Promise<readonly ByteFile[]> {
  return Promise.all(paths.map(fileAt));
}

/** Bytes in memory, as long as they are now. */
class HeldBytes implements ByteFile {
  readonly name = "bytes";
  readonly path = undefined;
  readonly again = true;
  readonly #bytes: Uint8Array;
  readonly #length: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#length = bytes.length;
  }

  open(): AsyncIterable<Uint8Array> {
    return piecesOfMemory(this.#bytes, this.#length);
  }
}

/** What was read of a source that can be read only once: all of it. */
export class KeptPieces implements ByteFile {
  readonly name: string;
  readonly path = undefined;
  readonly again = true;
  readonly #pieces: readonly Uint8Array[];

  constructor(name: string, pieces: readonly Uint8Array[]) {
    this.name = name;
    this.#pieces = pieces;
  }

  async *open(): AsyncGenerator<Uint8Array> {
    for (const piece of this.#pieces) {
      await Promise.resolve();
      yield piece;
    }
  }
}

/** Bytes that are copied at the call, so that their memory may be filled again. */
const COPIED = 4_194_304;

/** Bytes as they are at the call: up to 4 MB are copied, of more the length is kept. What is no bytes stays as it is. */
export function heldBytes(source: unknown): unknown {
  if (!isUint8Array(source)) return source;
  return new HeldBytes(source.length <= COPIED ? new Uint8Array(source) : source);
}

export function isStream(value: unknown): value is ByteStream {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value && !isPromise(value);
}

/**
 * What `source` is bytes of: a path, `-` for standard input, a pattern of paths, a URL of a file, bytes, a stream, or a list of paths. `undefined` for what is no
 * source of bytes.
 */
export async function byteFiles(where: string, source: unknown): Promise<readonly ByteFile[] | undefined> {
  if (source === "-") return [once("standard input", () => piecesOfStream("standard input", process.stdin))];
  if (typeof source === "string") {
    if (source === "") fail("ERR_OPTION", where, "a path", source);
    return await filesAt(await filesOf(source));
  }
  if (tagOf(source) === "URL") {
    const { fileURLToPath } = process.getBuiltinModule("node:url");
    return await filesAt([fileURLToPath(String(source))]);
  }
  const held = heldBytes(source);
  if (held instanceof HeldBytes || held instanceof KeptPieces) return [held];
  if (isStream(source)) return [once("stream", () => piecesOfStream("stream", source))];
  if (areTexts(source) && source.length > 0) {
    const files = await Promise.all(source.map((one: string) => filesOf(one)));
    return await filesAt(files.flat());
  }
  return undefined;
}

/** The last part of a path, without the endings of compression, in small letters. */
export function bareName(name: string): string {
  return basename(name)
    .toLowerCase()
    .replace(/\.(?:gz|zst|zstd)$/, "");
}
