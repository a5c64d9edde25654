// What torch.save has written: an archive with a pickle, and the bytes of every storage beside it; before PyTorch 1.6 pickles, and storages one behind the other.
import { describe, shortened } from "../../errors.js";
import { broken } from "../../io/refusal.js";
import { extent } from "../../tensor/shape.js";
import { FOREIGN_BYTES, type ReadTensor, tensorOf } from "./elements.js";
import type { OpenFile } from "./file.js";
import { isDictionary, keyText, NESTED, unpickle } from "./pickle.js";
import { PtTensor, READER, type Storage } from "./pt_values.js";
import { type CheckedExchangeLimits, entryOf, expectWithin, type TensorFile } from "./tensor_file.js";
import { type Archive, openZip, type Packed, smallFile } from "./zip.js";

/** Bytes of a pickle: names and sizes, not data. */
const LONGEST_PICKLE = 67_108_864;

/** Values that a file has besides tensors, at most. */
const MOST_VALUES = 1_000_000;

/** The folder of the archive, which every file in it lies in. */
function rootOf({ where, files }: Archive): string {
  const [pickle, ...more] = [...files.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickle === undefined || more.length > 0)
    throw broken(
      where,
      "an archive of torch.save, with one data.pkl",
      `${more.length + (pickle === undefined ? 0 : 1)}`,
    );
  return pickle.slice(0, -"data.pkl".length);
}

/** Where the bytes of storages are. */
interface Storages {
  /** `ERR_FILE` unless they are there, as many as they say; `name` is that of a tensor. */
  check(storage: Storage, name: string): void;
  /** The bytes [begin, begin + count) of a storage. */
  bytes(storage: Storage, begin: number, count: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Opens a file of torch.save: an archive. */
export async function openPt(file: OpenFile, limits: CheckedExchangeLimits): Promise<TensorFile> {
  const { where } = file;
  const archive = await openZip(file);
  const root = rootOf(archive);
  const order = archive.files.get(`${root}byteorder`);
  if (order !== undefined) {
    const text = new TextDecoder().decode(await smallFile(archive, order, 64, "length"));
    if (text !== "little") throw broken(where, "elements in little-endian order", describe(text));
  }
  const pickle = entryOf(where, archive.files, `${root}data.pkl`);
  const bytes = await smallFile(archive, pickle, LONGEST_PICKLE, "length");
  const { value } = unpickle(`${where}: ${root}data.pkl`, bytes, READER);
  return tensorsIn(file, value, limits, {
    check(storage, name) {
      fileOf(archive, root, storage, name);
    },
    bytes: async (storage, begin, count) =>
      await bytesIn(file, archive, fileOf(archive, root, storage, storage.key), begin, count),
  });
}

/** What the first pickle of a file of before PyTorch 1.6 is, and the second. */
const [MAGIC, PROTOCOL] = [0x1950a86a20f9469cfc6cn, 1001] as const;

/** Opens a file of torch.save of before PyTorch 1.6: five pickles, then each storage, behind the number of its elements. */
export async function openOldPt(file: OpenFile, limits: CheckedExchangeLimits): Promise<TensorFile> {
  const { where, size } = file;
  const bytes = await file.bytes(0, Math.min(size, LONGEST_PICKLE));
  let end = 0;
  const next = (): unknown => {
    const found = unpickle(where, bytes, READER, end);
    end = found.end;
    return found.value;
  };
  const [magic, protocol, system] = [next(), next(), next()];
  if (magic !== MAGIC || protocol !== PROTOCOL) throw broken(where, "a file of torch.save", "another pickle");
  if (isDictionary(system) && system.get("little_endian") === false)
    throw broken(where, "elements in little-endian order", "others");
  const value = next();
  const keys = next();
  if (!Array.isArray(keys)) throw broken(where, "the keys of its storages", describe(keys));
  const named = new Map<unknown, Storage>();
  forStorages(where, value, (storage) => named.set(storage.key, storage));
  const begins = new Map<string, number>();
  for (const key of keys) {
    const storage = named.get(key);
    if (storage === undefined) throw broken(where, "storages of its tensors", describe(key));
    const count = Number(new DataView((await file.bytes(end, 8)).buffer).getBigInt64(0, true));
    if (count !== storage.count)
      throw broken(`${where}: storage ${describe(key)}`, `${storage.count} elements`, `${count}`);
    begins.set(storage.key, end + 8);
    end += 8 + count * widthOf(storage);
    if (end > size) throw broken(`${where}: storage ${describe(key)}`, `${count} elements`, "fewer: the file was cut");
  }
  if (end !== size) throw broken(where, `${end} bytes`, `${size}`);
  const beginOf = ({ key }: Storage): number => begins.get(key) ?? refuseKey(where, key);
  return tensorsIn(file, value, limits, {
    check(storage) {
      beginOf(storage);
    },
    bytes: async (storage, begin, count) => await file.bytes(beginOf(storage) + begin, count),
  });
}

function refuseKey(where: string, key: string): never {
  throw broken(where, `the storage ${describe(key)}`, "none");
}

/** Bytes of an element. */
const widthOf = ({ dtype }: Storage): number => (dtype === "bytes" ? 1 : FOREIGN_BYTES[dtype]);

/** The storages of all tensors of a value. */
function forStorages(where: string, value: unknown, each: (storage: Storage) => void): void {
  const entries = new Map<string, PtTensor>();
  collect(where, value, { entries, facts: {}, left: MOST_VALUES, most: MOST_VALUES });
  for (const { storage } of entries.values()) each(storage);
}

/** The tensors of what was saved. */
function tensorsIn(file: OpenFile, value: unknown, limits: CheckedExchangeLimits, storages: Storages): TensorFile {
  const { where } = file;
  const entries = new Map<string, PtTensor>();
  const facts: Record<string, unknown> = {};
  collect(where, value, { entries, facts, left: MOST_VALUES, most: limits.tensors });
  for (const [name, { storage }] of entries) storages.check(storage, name);
  expectWithin(where, entries.values(), limits);
  return {
    ...{ where, format: "PyTorch", entries, facts, topKeys: topKeysOf(value) },
    read: async (name) => await readTensor(where, storages, entryOf(where, entries, name), name),
    close: () => file.close(),
  };
}

function topKeysOf(value: unknown): NonNullable<TensorFile["topKeys"]> {
  if (!isDictionary(value)) return [];
  return [...value].map(([key, one]) => ({
    ...{ key: keyText(key), isTensor: one instanceof PtTensor, isDictionary: isDictionary(one) },
  }));
}

/** The file of a storage, which has the bytes that it says. */
function fileOf(archive: Archive, root: string, storage: Storage, name: string): Packed {
  const { key, count } = storage;
  const place = `${archive.where}: ${shortened(name, 100)}`;
  const found = archive.files.get(`${root}data/${key}`);
  if (found === undefined) throw broken(place, `the storage ${describe(key)} in the archive`, "none");
  const bytes = count * widthOf(storage);
  if (found.size !== bytes) throw broken(place, `a storage of ${bytes} bytes`, `${found.size}`);
  return found;
}

interface Collected {
  readonly entries: Map<string, PtTensor>;
  readonly facts: Record<string, unknown>;
  readonly most: number;
  left: number;
}

/** Tensors by their keys, those of dictionaries and lists in one another joined by points; other values are facts. */
function collect(where: string, value: unknown, to: Collected, name = "", depth = 0): void {
  to.left -= 1;
  if (to.left < 0)
    throw broken(where, `at most ${MOST_VALUES} values`, "more: it holds itself, or the same again and again");
  if (depth > NESTED) throw broken(where, `dictionaries and lists at most ${NESTED} deep`, "more");
  if (value instanceof PtTensor) {
    const key = name === "" ? "tensor" : name;
    if (to.entries.has(key)) throw broken(where, "every name once", `${describe(key)} twice`);
    if (to.entries.size >= to.most) throw broken(where, `at most ${to.most} tensors (limits.tensors)`, "more");
    to.entries.set(key, value);
    return;
  }
  const inside = (key: string): string => (name === "" ? key : `${name}.${key}`);
  if (isDictionary(value)) for (const [key, one] of value) collect(where, one, to, inside(keyText(key)), depth + 1);
  else if (Array.isArray(value))
    for (const [at, one] of value.entries()) collect(where, one, to, inside(String(at)), depth + 1);
  else to.facts[name] = value;
}

/** Whether elements stand one behind the other, the last axis fastest. */
function isInOrder({ shape, strides }: PtTensor): boolean {
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size !== 1 && strides[axis] !== stride) return false;
    stride *= size;
  }
  return true;
}

async function readTensor(where: string, storages: Storages, tensor: PtTensor, name: string): Promise<ReadTensor> {
  const { dtype, shape, offset, strides, storage } = tensor;
  const place = `${where}: ${shortened(name, 100)}`;
  const size = FOREIGN_BYTES[dtype];
  const count = extent(shape);
  const span = count === 0 ? 0 : 1 + shape.reduce((sum, one, axis) => sum + (one - 1) * (strides[axis] ?? 0), 0);
  const held = await storages.bytes(storage, offset * size, span * size);
  if (isInOrder(tensor)) return tensorOf(place, dtype, shape, held);
  const bytes = new Uint8Array(count * size);
  let to = 0;
  const go = (axis: number, from: number): void => {
    if (axis === shape.length) {
      for (let byte = 0; byte < size; byte++) bytes[to++] = held[from * size + byte] ?? 0;
      return;
    }
    for (let at = 0; at < (shape[axis] ?? 0); at++) go(axis + 1, from + at * (strides[axis] ?? 0));
  };
  if (count > 0) go(0, 0);
  return tensorOf(place, dtype, shape, bytes);
}

/** A part of a file of an archive. */
async function bytesIn(
  file: OpenFile,
  archive: Archive,
  packed: Packed,
  begin: number,
  count: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const stored = await archive.stored(packed);
  if (stored !== undefined) return await file.bytes(stored + begin, count);
  const found = new Uint8Array(count);
  let at = 0;
  for await (const piece of archive.pieces(packed, "length")) {
    const [from, to] = [Math.max(begin - at, 0), Math.min(begin + count - at, piece.length)];
    if (from < to) found.set(piece.subarray(from, to), at + from - begin);
    at += piece.length;
  }
  return found;
}
