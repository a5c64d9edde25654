// A file of tensors, whatever its format: what it says of itself is known and verified, and its data is not read yet.
import { CarillonError, describe } from "../../errors.js";
import { broken } from "../../io/refusal.js";
import { extent } from "../../tensor/shape.js";
import { becomes, FOREIGN_BYTES, type ForeignDtype, type ReadTensor } from "./elements.js";

/** What a file says of a tensor. */
export interface TensorEntry {
  readonly dtype: ForeignDtype;
  readonly shape: readonly number[];
}

/** Tensors by name. */
export interface TensorFile {
  readonly where: string;
  /** In words, such as `safetensors`. */
  readonly format: string;
  /** In the order of the file. */
  readonly entries: ReadonlyMap<string, TensorEntry>;
  /** What else the file says, as text or plain data. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Of a `.pt` the keys at its top, and what stands there. */
  readonly topKeys?:
    | readonly { readonly key: string; readonly isTensor: boolean; readonly isDictionary: boolean }[]
    | undefined;
  /** One of the entries. */
  read(name: string): Promise<ReadTensor>;
  close(): Promise<void>;
}

/** Limits of what a file may ask for. */
export interface ExchangeLimits {
  /** Tensors; 100,000 by default. */
  readonly tensors?: number | undefined;
  /** Bytes of all tensors as they are here; by default half of the memory of the machine. */
  readonly bytes?: number | undefined;
}

/** These, checked. */
export interface CheckedExchangeLimits {
  readonly tensors: number;
  readonly bytes: number;
}

/** `ERR_OPTION` for what are no limits. */
export function checkExchangeLimits(
  where: string,
  { tensors = 100_000, bytes }: ExchangeLimits = {},
): CheckedExchangeLimits {
  const most = bytes ?? process.getBuiltinModule("node:os").totalmem() / 2;
  for (const [name, value] of [
    ["tensors", tensors],
    ["bytes", most],
  ] as const) {
    if (typeof value === "number" && value >= 0) continue;
    throw new CarillonError(
      "ERR_OPTION",
      `${where}.${name}`,
      `expected a number >= 0 for '${where}.${name}' but received ${describe(value)}`,
    );
  }
  return { tensors, bytes: most };
}

/** Axes of a tensor. */
export const MOST_AXES = 64;

/** `ERR_FILE` unless sizes are those of a tensor, whose elements a double counts. */
export function checkSizes(where: string, sizes: readonly unknown[]): readonly number[] {
  const shape = sizes.filter(
    (size): size is number => typeof size === "number" && Number.isSafeInteger(size) && size >= 0,
  );
  if (shape.length !== sizes.length || shape.length > MOST_AXES)
    throw broken(where, `at most ${MOST_AXES} sizes of 0 or more`, describeList(sizes));
  if (!Number.isSafeInteger(extent(shape)))
    throw broken(where, "a tensor whose elements can be counted", describeList(shape));
  return shape;
}

const describeList = (sizes: readonly unknown[]): string =>
  `[${sizes.slice(0, 8).map(describe).join(", ")}${sizes.length > 8 ? ", …" : ""}]`;

/** `ERR_FILE` where the tensors of a file, as they are here, ask for more than they may. */
export function expectWithin(
  where: string,
  entries: Iterable<TensorEntry>,
  { tensors, bytes }: CheckedExchangeLimits,
): void {
  let [count, sum] = [0, 0];
  for (const { dtype, shape } of entries) {
    count += 1;
    sum += extent(shape) * Math.max(FOREIGN_BYTES[dtype], becomes(dtype) === "u8" ? 1 : 4);
  }
  if (count > tensors) throw broken(where, `at most ${tensors} tensors (limits.tensors)`, `${count}`);
  if (sum > bytes) throw broken(where, `tensors of at most ${bytes} bytes (limits.bytes)`, `${sum} bytes`);
}

/** The entry of a name; `ERR_STATE` where there is none. */
export function entryOf<E>(where: string, entries: ReadonlyMap<string, E>, name: string): E {
  const found = entries.get(name);
  if (found !== undefined) return found;
  throw new CarillonError(
    "ERR_STATE",
    where,
    `expected a tensor of the file for '${where}' but received ${describe(name)}`,
  );
}
