// What state dicts of PyTorch name, as plain data: storages, and tensors as places in them.
import { describe } from "../../errors.js";
import { broken } from "../../io/refusal.js";
import { FOREIGN_BYTES, type ForeignDtype } from "./elements.js";
import { Global, type Known, type PickleReader } from "./pickle.js";
import { checkSizes } from "./tensor_file.js";

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
export class Storage {
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

/** Reads the pickles of PyTorch. */
export const READER: PickleReader = {
  known: KNOWN,
  persistent(id, place) {
    const [kind, type, key, , count]: readonly unknown[] = Array.isArray(id) ? id : [];
    const dtype = type instanceof Global ? STORAGES[type.name.split(" ")[1] ?? ""] : undefined;
    if (kind !== "storage" || dtype === undefined || typeof key !== "string") return refuse(place, "a storage", id);
    return new Storage(key, dtype, checkSizes(place, [count])[0] ?? 0);
  },
};
