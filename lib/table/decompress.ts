// Bytes that were compressed by gzip or zstd, told by how they begin.
import { CarillonError, messageOf } from "../errors.js";
import { broken } from "../io/refusal.js";
import { type Bytes, beginningOf } from "./source.js";
import { checkZstd } from "./zstd.js";

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;
const isZstd = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x28 && bytes[1] === 0xb5 && bytes[2] === 0x2f && bytes[3] === 0xfd;

async function* byStream(
  pieces: AsyncIterable<Uint8Array>,
  make: (zlib: typeof import("node:zlib")) => NodeJS.ReadWriteStream & AsyncIterable<unknown>,
): AsyncGenerator<Uint8Array> {
  const { pipeline, Readable } = process.getBuiltinModule("node:stream");
  const stream = make(process.getBuiltinModule("node:zlib"));
  // An error of the source destroys the stream, whose reader is told.
  pipeline(Readable.from(pieces), stream, () => undefined);
  for await (const piece of stream)
    if (ArrayBuffer.isView(piece)) yield new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
}

async function* byFzstd(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import("fzstd");
  const given: Uint8Array[] = [];
  const stream = new Decompress((piece) => given.push(piece));
  let first = true;
  for await (const piece of pieces) {
    if (first) checkZstd(piece);
    first = false;
    stream.push(piece);
    for (const one of given.splice(0)) yield one;
  }
  stream.push(new Uint8Array(), true);
  for (const one of given.splice(0)) yield one;
}

function zstd(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const zlib: object = process.getBuiltinModule("node:zlib");
  const make: unknown = Reflect.get(zlib, "createZstdDecompress");
  return typeof make === "function" ? byStream(pieces, () => make()) : byFzstd(pieces);
}

/** `bytes`, decompressed if they are compressed, which `compression` is told before the first piece; `ERR_FILE` where they are damaged. */
export async function* decompressed(
  { name, pieces }: Bytes,
  compression: { found: boolean },
): AsyncGenerator<Uint8Array, void> {
  const { first, all } = await beginningOf(pieces);
  if (!isGzip(first) && !isZstd(first)) return yield* all;
  compression.found = true;
  const format = isGzip(first) ? "gzip" : "zstd";
  try {
    yield* isGzip(first) ? byStream(all, ({ createGunzip }) => createGunzip()) : zstd(all);
  } catch (cause) {
    if (cause instanceof CarillonError) throw cause;
    throw broken(name, `a whole file of ${format}`, messageOf(cause));
  }
}
