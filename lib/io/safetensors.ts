import type { CarillonError } from "../errors.js";
import { STORED_TYPES, type StoredTensor, storedTensor } from "./element_types.js";
import type { Header, StoredEntry } from "./header.js";
import { DEFAULT_LIMITS, expectBytes } from "./limits.js";
import { broken } from "./refusal.js";
import { openHeader } from "./safetensors_layout.js";
import { type ByteSource, bytesFor, PIECE_BYTES } from "./source.js";

export type { StoredEntry } from "./header.js";
export { layOutSafetensors, type SafetensorsLayout } from "./safetensors_layout.js";

/** A file whose header is read and verified, and whose data is not read yet. */
export interface StoredFile extends Header {
  readonly source: ByteSource;
}

/**
 * A safetensors file with its header, as {@link openHeader} verifies it. Element types that are neither a typed array's nor F16
 * or BF16 are refused.
 */
export async function openSafetensors(source: ByteSource, limits = DEFAULT_LIMITS): Promise<StoredFile> {
  const { start, ...header } = await openHeader(source, limits, STORED_TYPES);
  expectBytes(source.where, source.size - start, limits);
  return { ...header, source };
}

/** The data of an entry; `ERR_FILE` where no array can be so long. */
export async function readTensor(
  { source }: Pick<StoredFile, "source">,
  { dtype, shape, begin, end }: StoredEntry,
): Promise<StoredTensor> {
  const tooLong = (): CarillonError => broken(source.where, "tensors that fit an array", `one of ${end - begin} bytes`);
  const data = bytesFor(end - begin, tooLong);
  for (let at = 0; at < data.length; at += PIECE_BYTES) {
    await source.read(data.subarray(at, at + PIECE_BYTES), begin + at);
  }
  return storedTensor(dtype, shape, data.buffer);
}
