// Files that have their name when all of it is on the disk.
import { resolve } from "node:path";
import { CarillonError, describe } from "../errors.js";
import { replaceFile } from "../io/replaced_file.js";
import { layOutSafetensors } from "../io/safetensors_layout.js";

/** What a file waits for, on Windows alone, is another program that has the one before it open. */
const pause = async (milliseconds: number): Promise<void> => (await import("../binding/clock.js")).wait(milliseconds);

/** Writes a file whole: after a failure there is the one of before, or none. */
export async function writePieces(where: string, path: string, pieces: Iterable<Uint8Array>): Promise<void> {
  if (typeof path !== "string" || path === "")
    throw new CarillonError("ERR_OPTION", where, `expected a path for '${where}' but received ${describe(path)}`);
  await replaceFile(resolve(path), pieces, pause); // the working directory may be another before it is written
}

/** A tensor that is written. */
export interface WrittenTensor {
  readonly dtype: "f32" | "i32" | "u8" | "i64";
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint8Array | BigInt64Array;
}

/** The bytes of a typed array. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** A safetensors file of tensors, piece by piece. */
export function* safetensorsPieces(
  tensors: ReadonlyMap<string, WrittenTensor>,
  metadata: Readonly<Record<string, string>>,
): Generator<Uint8Array> {
  const { head, begins } = layOutSafetensors(tensors, metadata);
  yield head;
  const inOrder = [...tensors].sort(([a], [b]) => (begins.get(a) ?? 0) - (begins.get(b) ?? 0));
  for (const [, { data }] of inOrder) yield bytesOf(data);
}
