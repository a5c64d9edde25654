// State dicts that torch.save has written (since PyTorch 1.6): an archive with a pickle, and the bytes of every storage beside it.
import { CarillonError, describe, shortened } from "../../errors.js";
import { broken } from "../../io/refusal.js";
import { extent } from "../../tensor/shape.js";
import { FOREIGN_BYTES, type ForeignDtype, type ReadTensor, tensorOf } from "./elements.js";
import type { OpenFile } from "./file.js";
import { Global, isDictionary, type Known, keyText, NESTED, type PickleReader, unpickle } from "./pickle.js";
import { type CheckedExchangeLimits, checkSizes, entryOf, expectWithin, type TensorFile } from "./tensor_file.js";
import { type Archive, openZip, type Packed, smallFile } from "./zip.js";

/** Kinds of storage. */
const STORAGES: Readonly<Record<string, ForeignDtype | "bytes">> = {
  ...{ FloatStorage: "f32", DoubleStorage: "f64", HalfStorage: "f16", BFloat16Storage: "bf16" },
  ...{ LongStorage: "i64", IntStorage: "i32", ShortStorage: "i16", CharStorage: "i8" },
  ...{ ByteStorage: "u8", BoolStorage: "bool", UntypedStorage: "bytes" },
};

/** Types of elements, of storages that are bytes. */
const DTYPES: Readonly<Record<string, ForeignDtype>> = {
  ...{ float32: "f32", float64: "f64", float16: "f16", bfloat16: "bf16" },
  ...{ int64: "i64", int32: "i32", int16: "i16", int8: "i8", uint64: "u64", uint32: "u32", uint16: "u16" },
  ...{ uint8: "u8", bool: "bool", float8_e4m3fn: "f8_e4m3", float8_e5m2: "f8_e5m2" },
  ...{ float8_e4m3fnuz: "f8_e4m3fnuz", float8_e5m2fnuz: "f8_e5m2fnuz", float8_e8m0fnu: "f8_e8m0" },
};

/** The bytes of some tensors. */
class Storage {
  readonly key: string;
  readonly dtype: ForeignDtype | "bytes";
  readonly count: number;
  constructor(key: string, dtype: ForeignDtype | "bytes", count: number) {
    this.key = key;
    this.dtype = dtype;
    this.count = count;
  }
}

/** A tensor over a storage: element i, j, … stands at offset + i·strides[0] + j·strides[1] + … */
export class PtTensor {
  readonly storage: Storage;
  readonly dtype: ForeignDtype;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly strides: readonly number[];
  constructor(
    storage: Storage,
    dtype: ForeignDtype,
    shape: readonly number[],
    offset: number,
    strides: readonly number[],
  ) {
    this.storage = storage;
    this.dtype = dtype;
    this.shape = shape;
    this.offset = offset;
    this.strides = strides;
  }
}

const sizesOf = (place: string, list: unknown): readonly number[] =>
  Array.isArray(list) ? checkSizes(place, list) : refuse(place, "sizes", list);

function refuse(place: string, expected: string, received: unknown): never {
  throw broken(place, expected, describe(received));
}

/** `_rebuild_tensor` and its later forms: a storage, an offset, sizes, strides, and of one form the type. */
function tensorFrom([storage, offset, size, stride, , , type]: readonly unknown[], place: string): PtTensor {
  if (!(storage instanceof Storage)) return refuse(place, "a tensor of a storage", storage);
  const dtype =
    type instanceof Global
      ? DTYPES[type.name.replace(/^torch /, "")]
      : storage.dtype === "bytes"
        ? "u8"
        : storage.dtype;
  if (dtype === undefined) return refuse(place, "a type of elements", type);
  const [shape, strides] = [sizesOf(place, size), sizesOf(place, stride)];
  const begin = sizesOf(place, [offset])[0] ?? 0;
  if (shape.length !== strides.length) return refuse(place, "a stride for each size", stride);
  const span = shape.includes(0) ? 0 : 1 + shape.reduce((sum, one, axis) => sum + (one - 1) * (strides[axis] ?? 0), 0);
  const held = storage.dtype === "bytes" ? Math.floor(storage.count / FOREIGN_BYTES[dtype]) : storage.count;
  if (!(begin + span <= held)) throw broken(place, `a tensor within its ${held} elements`, `${span} from ${begin} on`);
  return new PtTensor(storage, dtype, shape, begin, strides);
}

function dictionaryFrom([items = []]: readonly unknown[], place: string): unknown {
  if (!Array.isArray(items)) return refuse(place, "a list of keys and values", items);
  const pairs = items.map((pair: unknown) =>
    Array.isArray(pair) && pair.length === 2 ? ([pair[0], pair[1]] as const) : refuse(place, "a key and a value", pair),
  );
  return new Map<unknown, unknown>(pairs);
}

const uncalled = (_args: readonly unknown[], place: string): never =>
  refuse(place, "a name that is not called", "a call");

const named = (names: Readonly<Record<string, unknown>>, module: string): Known =>
  Object.fromEntries(Object.keys(names).map((name) => [`${module} ${name}`, uncalled]));

/** All that a state dict names. */
const KNOWN: Known = {
  ...named(STORAGES, "torch"),
  ...named(STORAGES, "torch.storage"),
  ...named(DTYPES, "torch"),
  "torch._utils _rebuild_tensor": tensorFrom,
  "torch._utils _rebuild_tensor_v2": ([storage, offset, size, stride], place) =>
    tensorFrom([storage, offset, size, stride], place),
  "torch._utils _rebuild_tensor_v3": tensorFrom,
  "torch._utils _rebuild_parameter": ([tensor]) => tensor,
  "torch._utils _rebuild_parameter_with_state": ([tensor]) => tensor,
  "torch Size": ([sizes = []], place) => sizesOf(place, sizes),
  "torch device": (args) => args.map(String).join(":"),
  "collections OrderedDict": dictionaryFrom,
};

const READER: PickleReader = {
  known: KNOWN,
  persistent(id, place) {
    const [kind, type, key, , count]: readonly unknown[] = Array.isArray(id) ? id : [];
    const dtype = type instanceof Global ? STORAGES[type.name.split(" ")[1] ?? ""] : undefined;
    if (kind !== "storage" || dtype === undefined || typeof key !== "string") return refuse(place, "a storage", id);
    return new Storage(key, dtype, checkSizes(place, [count])[0] ?? 0);
  },
};

/** Bytes of a pickle: names and sizes, not data. */
const LONGEST_PICKLE = 67_108_864;

/** Values that a file has besides tensors, at most. */
const MOST_VALUES = 1_000_000;

/** A file of torch.save, with all that it holds besides tensors. */
export interface PtFile extends TensorFile {
  /** What was saved: dictionaries are maps, tuples are lists, tensors are places in storages. */
  readonly value: unknown;
}

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

/** Opens a file of torch.save. */
export async function openPt(file: OpenFile, limits: CheckedExchangeLimits): Promise<PtFile> {
  const { where } = file;
  const archive = await openZip(file);
  const root = rootOf(archive);
  const order = archive.files.get(`${root}byteorder`);
  if (order !== undefined) {
    const text = new TextDecoder().decode(await smallFile(archive, order, 64, "length"));
    if (text !== "little") throw broken(where, "elements in little-endian order", describe(text));
  }
  const pickle = entryOf(where, archive.files, `${root}data.pkl`);
  const value = unpickle(
    `${where}: ${root}data.pkl`,
    await smallFile(archive, pickle, LONGEST_PICKLE, "length"),
    READER,
  );
  const entries = new Map<string, PtTensor>();
  const facts: Record<string, unknown> = {};
  collect(where, value, { entries, facts, left: MOST_VALUES, most: limits.tensors });
  for (const [name, { storage }] of entries) fileOf(archive, root, storage, name);
  expectWithin(where, entries.values(), limits);
  return {
    ...{ where, format: "PyTorch", entries, facts, value, topKeys: topKeysOf(value) },
    async read(name) {
      const tensor = entryOf(where, entries, name);
      return await readTensor(file, archive, fileOf(archive, root, tensor.storage, name), tensor, name);
    },
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
function fileOf(archive: Archive, root: string, { key, dtype, count }: Storage, name: string): Packed {
  const place = `${archive.where}: ${shortened(name, 100)}`;
  const found = archive.files.get(`${root}data/${key}`);
  if (found === undefined) throw broken(place, `the storage ${describe(key)} in the archive`, "none");
  const bytes = count * (dtype === "bytes" ? 1 : FOREIGN_BYTES[dtype]);
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

async function readTensor(
  file: OpenFile,
  archive: Archive,
  packed: Packed,
  tensor: PtTensor,
  name: string,
): Promise<ReadTensor> {
  const { dtype, shape, offset, strides } = tensor;
  const place = `${file.where}: ${shortened(name, 100)}`;
  const size = FOREIGN_BYTES[dtype];
  const count = extent(shape);
  const span = count === 0 ? 0 : 1 + shape.reduce((sum, one, axis) => sum + (one - 1) * (strides[axis] ?? 0), 0);
  const held = await bytesIn(file, archive, packed, offset * size, span * size);
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

/** A dictionary of what was saved, by its keys joined by points; `ERR_STATE` where there is none. */
export function dictionaryAt({ where, value }: PtFile, key: string): ReadonlyMap<unknown, unknown> {
  let found = value;
  for (const part of key === "" ? [] : key.split(".")) found = isDictionary(found) ? found.get(part) : undefined;
  if (isDictionary(found)) return found;
  const known = isDictionary(value) ? [...value.keys()].slice(0, 20).map(keyText).join(", ") : describe(value);
  throw new CarillonError("ERR_STATE", where, `expected a dictionary '${key}' in '${where}' but it has ${known}`);
}
