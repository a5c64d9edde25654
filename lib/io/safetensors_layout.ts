// How a safetensors file is laid out: what stands before its data, and where the data of each tensor is.
import { CarillonError, describe } from "../errors.js";
import { checkKeys } from "../options.js";
import { extent } from "../tensor/shape.js";
import { ELEMENT_BYTES, type ElementTypes, type StoredTensor } from "./element_types.js";
import { formatOf, LOOKED_AT } from "./format.js";
import { checkCoverage, type Header, HeaderReader, METADATA } from "./header.js";
import type { CheckedLimits } from "./limits.js";
import type { ByteSource } from "./open_file.js";
import { broken } from "./refusal.js";

/** Bytes of the header's length, and the alignment of the data behind the header. */
const PREFIX = 8;

/** The reference implementation refuses longer headers, in bytes. */
const MAX_HEADER = 100_000_000;

/** A file without its data: what comes first, and where the data of each tensor has to stand behind it. */
export interface SafetensorsLayout {
  /** Length and header. */
  readonly head: Uint8Array<ArrayBuffer>;
  /** First byte of each tensor, from the end of `head`. */
  readonly begins: ReadonlyMap<string, number>;
  /** Bytes of all data. */
  readonly bytes: number;
}

/**
 * The layout of a safetensors file of tensors of these types and shapes: 8 bytes length of the header (little-endian), the header in JSON,
 * padded with spaces to a multiple of 8 bytes, the data of all tensors without gaps.
 *
 * The same input gives the same bytes: names stand in the order of the map, metadata is sorted by key. In the data, tensors of larger elements
 * come first, so that all are aligned. Format: github.com/huggingface/safetensors. Metadata that is not text is `ERR_OPTION`, a header that no
 * reader takes `ERR_STATE`.
 */
export function layOutSafetensors(
  tensors: ReadonlyMap<string, Pick<StoredTensor, "dtype" | "shape">>,
  metadata: Readonly<Record<string, string>>,
): SafetensorsLayout {
  const begins = new Map<string, number>();
  let total = 0;
  const byAlignment = [...tensors].sort(([, a], [, b]) => ELEMENT_BYTES[b.dtype] - ELEMENT_BYTES[a.dtype]);
  for (const [name, tensor] of byAlignment) {
    begins.set(name, total);
    total += bytesOf(tensor);
  }
  const header = new TextEncoder().encode(headerText(tensors, begins, metadata));
  if (header.length > MAX_HEADER) {
    throw problem(
      "ERR_STATE",
      "header",
      `at most ${MAX_HEADER} bytes, names and metadata together,`,
      `${header.length}`,
    );
  }
  const padded = header.length + ((PREFIX - (header.length % PREFIX)) % PREFIX);
  const head = new Uint8Array(PREFIX + padded);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.fill(0x20, PREFIX);
  head.set(header, PREFIX);
  return { head, begins, bytes: total };
}

function bytesOf({ dtype, shape }: Pick<StoredTensor, "dtype" | "shape">): number {
  return extent(shape) * ELEMENT_BYTES[dtype];
}

/** Written by hand: an object would move names such as "0" to its front. */
function headerText(
  tensors: ReadonlyMap<string, Pick<StoredTensor, "dtype" | "shape">>,
  begins: ReadonlyMap<string, number>,
  metadata: Readonly<Record<string, string>>,
): string {
  const members: string[] = [];
  const keys = checkMetadata(metadata);
  if (keys.length > 0) {
    const pairs = keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`);
    members.push(`"${METADATA}":{${pairs.join(",")}}`);
  }
  for (const [name, tensor] of tensors) {
    const { dtype, shape } = tensor;
    const begin = begins.get(name) ?? 0;
    const entry = { dtype: dtype.toUpperCase(), shape, data_offsets: [begin, begin + bytesOf(tensor)] };
    members.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
  }
  return `{${members.join(",")}}`;
}

/** The keys in order. */
function checkMetadata(metadata: Readonly<Record<string, string>>): string[] {
  const keys = Object.keys(metadata).sort();
  checkKeys("metadata", metadata, keys);
  for (const key of keys) {
    const value: unknown = metadata[key];
    if (typeof value !== "string") throw problem("ERR_OPTION", `metadata.${key}`, "a string", describe(value));
  }
  return keys;
}

/**
 * The header of a safetensors file, verified before anything else is read: its length and JSON, no repeated key, types, shapes, sizes,
 * and that the data covers the rest of the file without hole or overlap. `ERR_FILE` names the source and the tensor at fault;
 * what asks for more than the limits is refused when so much of it is read.
 */
export async function openHeader<D extends string>(
  source: Pick<ByteSource, "where" | "size" | "read">,
  limits: Pick<CheckedLimits, "tensors">,
  types: ElementTypes<D>,
): Promise<Header<D> & { readonly start: number }> {
  const { where, size } = source;
  const begin = await part(source, 0, LOOKED_AT);
  const length = headerLength(where, begin, size);
  if (typeof length !== "number") {
    throw broken(where, "a safetensors file", formatOf(begin, await part(source, Math.max(0, size - LOOKED_AT), size)));
  }
  const start = PREFIX + length;
  const reader = new HeaderReader(where, start, limits, types);
  const piece = new Uint8Array(Math.min(length, HEADER_PIECE));
  const counter = new HeaderReader(where, start, limits, types, "count");
  for (const pass of length > piece.length ? [counter, reader] : [reader]) {
    for (let at = PREFIX; at < start; at += piece.length) {
      const next = piece.subarray(0, Math.min(piece.length, start - at));
      await source.read(next, at);
      pass.push(next);
    }
  }
  const header = reader.end();
  checkCoverage(where, header, start, size);
  return { ...header, start };
}

/** Bytes of a header that are looked through at once: a thousand tensors, two milliseconds. */
const HEADER_PIECE = 131_072;

/** The bytes [begin, end) of a source, or those that it has of them. */
async function part(source: Pick<ByteSource, "size" | "read">, begin: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(0, Math.min(end, source.size) - begin));
  await source.read(bytes, begin);
  return bytes;
}

/** Bytes of the header; `undefined` of what is no such file. One that was cut is told by what is missing. */
function headerLength(where: string, begin: Uint8Array, size: number): number | undefined {
  const isObjectAhead = begin.length > PREFIX && begin[PREFIX] === 0x7b;
  if (!isObjectAhead) return undefined;
  const length = Number(new DataView(begin.buffer, begin.byteOffset, PREFIX).getBigUint64(0, true));
  if (length > MAX_HEADER) return undefined;
  const rest = size - PREFIX;
  if (length <= rest) return length;
  throw broken(where, `a header of ${length} bytes`, `${rest}: the file was cut, or is no safetensors file`);
}

function problem(code: "ERR_OPTION" | "ERR_STATE", where: string, expected: string, received: string): CarillonError {
  return new CarillonError(code, where, `expected ${expected} for '${where}' but received ${received}`);
}
