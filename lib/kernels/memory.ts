import { fail } from "../errors.js";
import { numberOf } from "../ops/native_table.js";
import { checkKeys, checkNumber } from "../options.js";
import { isFloats, isInts, isUint8Array } from "../tensor/arrays.js";
import {
  checkFloats,
  checkIntegers,
  checkSize,
  checkThreads,
  countOf,
  lengthOf,
  lengthOfIntegers,
  type ThreadOptions,
} from "./arguments.js";
import { atFirstUse, Call } from "./call.js";

const THREADS_ONLY = ["threads"] as const;

const fillCall = atFirstUse(() => new Call("fill", "fill", ["y"]));

/** y[i] = value, rounded to float32; NaN and infinities too. y: [count], count ≥ 0. */
export function fill(y: Float32Array, value: number, options?: ThreadOptions): void {
  if (options !== undefined) checkKeys("fill", options, THREADS_ONLY);
  const threads = checkThreads("fill.threads", options?.threads);
  if (typeof value !== "number") fail("ERR_OPTION", "fill.value", "a number", value);
  const call = fillCall();
  call.set(call.at.count, lengthOf("fill.y", y));
  call.set(call.at.value, value);
  call.run(threads, [y]);
}

const copyCall = atFirstUse(() => new Call("copy", "copy", ["x", "y"]));

/** y[i] = x[i]. x, y: [count], count ≥ 0; they may not overlap (`ERR_DATA`). */
export function copy(x: Float32Array, y: Float32Array, options?: ThreadOptions): void {
  if (options !== undefined) checkKeys("copy", options, THREADS_ONLY);
  const threads = checkThreads("copy.threads", options?.threads);
  const count = lengthOf("copy.x", x);
  checkFloats("copy.y", y, count);
  const call = copyCall();
  call.set(call.at.count, count);
  call.run(threads, [x, y]);
}

/** Options of {@link convertU8}. */
export interface ConvertOptions extends ThreadOptions {
  /** Factor of the float, rounded to float32: 1 by default, 1/255 for pixels. */
  readonly scale?: number | undefined;
}

const convertCall = atFirstUse(() => new Call("convertU8", "convert", ["x", "y"]));

/** y[i] = float(x[i])·scale. x, y: [count], count ≥ 0. */
export function convertU8(x: Uint8Array, y: Float32Array, options?: ConvertOptions): void {
  if (options !== undefined) checkKeys("convertU8", options, ["scale", "threads"]);
  const threads = checkThreads("convertU8.threads", options?.threads);
  if (!isUint8Array(x)) fail("ERR_DTYPE", "convertU8.x", "a Uint8Array", x);
  const count = countOf("convertU8.x", x);
  checkFloats("convertU8.y", y, count);
  const call = convertCall();
  call.set(call.at.count, count);
  call.set(call.at.scale, checkNumber("convertU8.scale", options?.scale ?? 1));
  call.run(threads, [x, y]);
}

/** Arguments of {@link gather}: y is an Int32Array where the source is one, otherwise a Float32Array. */
export type GatherOptions = ThreadOptions & {
  /** Elements a row, ≥ 1. */
  readonly columns: number;
  /** [rows], integers in [0, rows of the source). */
  readonly indices: Int32Array;
} & (
    | {
        /** [source rows, columns], row-major. */
        readonly source: Float32Array;
        /** [rows, columns], written. */
        readonly y: Float32Array;
        readonly scale?: never;
      }
    | { readonly source: Int32Array; readonly y: Int32Array; readonly scale?: never }
    | {
        readonly source: Uint8Array;
        readonly y: Float32Array;
        /** Factor of a byte, rounded to float32; 1 by default. */
        readonly scale?: number | undefined;
      }
  );

const GATHER_KEYS = ["columns", "indices", "source", "y", "scale", "threads"] as const;

const F32 = numberOf("dtypes", "f32");
const I32 = numberOf("dtypes", "i32");
const U8 = numberOf("dtypes", "u8");

const gatherCall = atFirstUse(() => new Call("gather", "gather", ["source", "order", "y"], { order: "indices" }));

/**
 * y[r, c] = source[indices[r], c]; bytes become float(byte)·scale. An index outside of the source is `ERR_DATA`, found
 * before anything is written.
 */
export function gather(options: GatherOptions): void {
  checkKeys("gather", options, GATHER_KEYS);
  const { source, indices, y, scale } = options;
  const columns = checkSize("gather.columns", options.columns);
  const rows = lengthOfIntegers("gather.indices", indices);
  const bytes = isUint8Array(source);
  const integers = isInts(source);
  if (!bytes && !integers && !isFloats(source)) {
    fail("ERR_DTYPE", "gather.source", "a Float32Array, Int32Array or Uint8Array", source);
  }
  const sourceRows = countOf("gather.source", source) / columns;
  if (!Number.isInteger(sourceRows)) fail("ERR_SHAPE", "gather.source", `rows of ${columns} elements`, source);
  if (integers) checkIntegers("gather.y", y as Int32Array, rows * columns);
  else checkFloats("gather.y", y as Float32Array, rows * columns);
  if (!bytes && scale !== undefined) fail("ERR_OPTION", "gather.scale", "none, which is for bytes,", scale);
  const call = gatherCall();
  const { at } = call;
  call.set(at.rows, rows);
  call.set(at.columns, columns);
  call.set(at.sourceRows, sourceRows);
  call.set(at.dtype, bytes ? U8 : integers ? I32 : F32);
  call.set(at.scale, checkNumber("gather.scale", scale ?? 1));
  call.run(checkThreads("gather.threads", options.threads), [source, indices, y]);
}
