import { CarillonError, describe, messageOf } from "../errors.js";
import { checkKeys } from "../options.js";
import { arrayClass } from "../tensor/arrays.js";
import { isDetached } from "../tensor/detached.js";
import {
  CLASSES,
  dtypeOf,
  ELEMENT_BYTES,
  isDtype,
  STORED_NAMES,
  type StoredDtype,
  type StoredTensor,
  storedTensor,
} from "./element_types.js";
import { formatOf } from "./format.js";
import { repeatedKey } from "./json.js";

/** The contents of a file; tensors in the order of its header. */
export interface StoredTensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const METADATA = "__metadata__";

/** Bytes of the header's length, and the alignment of the data behind the header. */
const PREFIX = 8;

/** The reference implementation refuses longer headers, in bytes. */
const MAX_HEADER = 100_000_000;

/**
 * The bytes of a safetensors file: 8 bytes length of the header (little-endian), the header in JSON, padded with
 * spaces to a multiple of 8 bytes, the data of all tensors without gaps.
 *
 * The same input gives the same bytes: names stand in the order of the map, metadata is sorted by key. In the data,
 * tensors of larger elements come first, so that all are aligned. Format: github.com/huggingface/safetensors.
 *
 * Errors: data that is not the product of its shape (`ERR_SHAPE`), elements of another type than `dtype` says
 * (`ERR_DTYPE`), memory that was transferred away (`ERR_DETACHED`), the name `__metadata__` or metadata that is not
 * text (`ERR_OPTION`).
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  for (const [name, tensor] of tensors) checkTensor(name, tensor);
  const { head, begins, bytes: size } = layOutSafetensors(tensors, metadata);
  const bytes = new Uint8Array(head.length + size);
  bytes.set(head);
  for (const [name, { data }] of tensors) {
    const begin = head.length + (begins.get(name) ?? 0);
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), begin);
  }
  return bytes;
}

/** A file without its data: what comes first, and where the data of each tensor has to stand behind it. */
export interface SafetensorsLayout {
  /** Length and header. */
  readonly head: Uint8Array<ArrayBuffer>;
  /** First byte of each tensor, from the end of `head`. */
  readonly begins: ReadonlyMap<string, number>;
  /** Bytes of all data. */
  readonly bytes: number;
}

/** The layout that {@link encodeSafetensors} gives to tensors of these types and shapes, for those who write piece by piece. */
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
  const padded = header.length + ((PREFIX - (header.length % PREFIX)) % PREFIX);
  const head = new Uint8Array(PREFIX + padded);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.fill(0x20, PREFIX);
  head.set(header, PREFIX);
  return { head, begins, bytes: total };
}

function bytesOf({ dtype, shape }: Pick<StoredTensor, "dtype" | "shape">): number {
  return sizeOf(shape) * ELEMENT_BYTES[dtype];
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

function checkTensor(name: string, { dtype, shape, data }: StoredTensor): void {
  if (name === METADATA) throw problem("ERR_OPTION", name, "another name for a tensor", `"${METADATA}"`);
  if (!isDtype(dtype)) throw problem("ERR_DTYPE", name, "dtype f32, i32, u8 or another of a file", describe(dtype));
  if (arrayClass(data) !== CLASSES[dtype]) throw problem("ERR_DTYPE", name, `data of type ${dtype}`, describe(data));
  if (data.length === sizeOf(shape)) return;
  if (isDetached(data))
    throw problem("ERR_DETACHED", name, "data", `${describe(data)} whose memory was transferred away`);
  throw problem("ERR_SHAPE", name, `${sizeOf(shape)} elements, as shape [${shape.join(", ")}] has,`, describe(data));
}

/** One entry of the header, checked. */
interface Entry {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * The tensors and the metadata of a safetensors file. All data is copied, so `bytes` may be reused.
 *
 * Everything is verified before a tensor is made: length and JSON of the header, no repeated key, types, shapes,
 * sizes, and that the data covers the rest of the file without hole or overlap. `ERR_FILE` names `where` and the
 * tensor at fault. Element types that are neither a typed array's nor F16 or BF16 are refused.
 */
export function decodeSafetensors(bytes: Uint8Array, where: string): StoredTensors {
  const { header, start } = parseHeader(bytes, where);
  const entries: Entry[] = [];
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA) metadata = parseMetadata(where, value);
    else entries.push(parseEntry(where, name, value));
  }
  checkCoverage(where, entries, bytes.length - start);
  const tensors = new Map<string, StoredTensor>();
  for (const entry of entries) tensors.set(entry.name, readTensor(bytes, start, entry));
  return { tensors, metadata };
}

function readTensor(bytes: Uint8Array, start: number, { dtype, shape, begin, end }: Entry): StoredTensor {
  const data = new Uint8Array(end - begin);
  data.set(bytes.subarray(start + begin, start + end));
  return storedTensor(dtype, shape, data.buffer);
}

/** Bytes of the header. A file of another format is told by what it is, one that was cut by what is missing. */
function headerLength(bytes: Uint8Array, where: string): number {
  const isObjectAhead = bytes.length > PREFIX && bytes[PREFIX] === 0x7b;
  const other = formatOf(bytes);
  if (bytes.length < PREFIX || !isObjectAhead) throw broken(where, "a safetensors file", other);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, PREFIX).getBigUint64(0, true));
  if (length > MAX_HEADER) throw broken(where, "a safetensors file", other);
  const rest = bytes.length - PREFIX;
  if (length <= rest) return length;
  throw broken(where, `a header of ${length} bytes`, `${rest}: the file was cut, or is no safetensors file`);
}

/** The header, and the byte at which the data starts. */
function parseHeader(bytes: Uint8Array, where: string): { readonly header: object; readonly start: number } {
  const length = headerLength(bytes, where);
  const start = PREFIX + length;
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(PREFIX, start));
    header = JSON.parse(text);
  } catch (cause) {
    throw new CarillonError(
      "ERR_FILE",
      where,
      `expected a header in JSON for '${where}' but received ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
  if (!(isObject(header) && text.startsWith("{"))) throw broken(where, "an object as header", describe(header));
  const repeated = repeatedKey(text);
  if (repeated !== undefined) throw broken(where, "every key once", `${JSON.stringify(repeated)} twice`);
  return { header, start };
}

function parseMetadata(where: string, value: unknown): Readonly<Record<string, string>> {
  const place = `${where}: ${METADATA}`;
  if (!isObject(value)) throw broken(place, "an object of strings", describe(value));
  const pairs: [string, string][] = [];
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw broken(`${place}.${key}`, "a string", describe(text));
    pairs.push([key, text]);
  }
  return Object.fromEntries(pairs);
}

function parseEntry(where: string, name: string, value: unknown): Entry {
  const place = `${where}: ${name}`;
  if (!isObject(value)) throw broken(place, "an object with dtype, shape and data_offsets", describe(value));
  const { dtype, shape, data_offsets: offsets, ...others } = { ...EMPTY_ENTRY, ...value };
  const stray = Object.keys(others)[0];
  if (stray !== undefined) throw broken(place, "only dtype, shape and data_offsets", JSON.stringify(stray));
  const type = dtypeOf(dtype);
  if (type === undefined) throw broken(`${place}.dtype`, `one of ${STORED_NAMES.join(", ")}`, describe(dtype));
  if (!isSizes(shape)) throw broken(`${place}.shape`, "an array of sizes", JSON.stringify(shape));
  if (!isSizes(offsets)) throw broken(`${place}.data_offsets`, "two offsets in bytes", JSON.stringify(offsets));
  const [begin = -1, end = -1] = offsets;
  const size = sizeOf(shape) * ELEMENT_BYTES[type];
  if (offsets.length !== 2 || end - begin !== size) {
    const expected = `two offsets ${size} bytes apart, as ${type.toUpperCase()} [${shape.join(", ")}] needs,`;
    throw broken(`${place}.data_offsets`, expected, JSON.stringify(offsets));
  }
  return { name, dtype: type, shape, begin, end };
}

const EMPTY_ENTRY: Readonly<Record<"dtype" | "shape" | "data_offsets", unknown>> = {
  dtype: undefined,
  shape: undefined,
  data_offsets: undefined,
};

/** The data of the tensors must cover the `length` bytes behind the header exactly once. */
function checkCoverage(where: string, entries: readonly Entry[], length: number): void {
  let covered = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) throw broken(`${where}: ${name}`, `data from byte ${covered}`, `data from byte ${begin}`);
    covered = end;
  }
  if (covered > length) throw broken(where, `${covered} bytes of data`, `${length}: the file was cut`);
  if (covered < length) throw broken(where, `${covered} bytes of data`, `${length}`);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether `value` is an array of integers ≥ 0. Their product may be too large: it then equals no length of data. */
function isSizes(value: unknown): value is readonly number[] {
  const sizes: readonly unknown[] | undefined = Array.isArray(value) ? value : undefined;
  return sizes?.every((size) => typeof size === "number" && Number.isSafeInteger(size) && size >= 0) ?? false;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function problem(
  code: "ERR_SHAPE" | "ERR_DTYPE" | "ERR_OPTION" | "ERR_DETACHED",
  where: string,
  expected: string,
  received: string,
): CarillonError {
  return new CarillonError(code, where, `expected ${expected} for '${where}' but received ${received}`);
}

function broken(where: string, expected: string, received: string): CarillonError {
  return new CarillonError("ERR_FILE", where, `expected ${expected} for '${where}' but received ${received}`);
}
