// A seal: the SHA-256 of a safetensors file stands in it as its last tensor and covers every byte before, so that no
// flipped, missing or added byte of the file goes unseen.
import type { StoredTensor } from "./element_types.js";
import type { CheckedLimits } from "./limits.js";
import { refuseFile } from "./refusal.js";
import { layOutSafetensors, openSafetensors, type StoredFile } from "./safetensors.js";
import { type ByteSource, makeBytes, PIECE_BYTES } from "./source.js";

/** Name of the tensor. */
export const SEAL = "sha256";
const SEAL_BYTES = 32;
const SEAL_TENSOR = { dtype: "u8", shape: [SEAL_BYTES] } as const;

/** node:crypto is loaded by the first seal: that takes as long as a third of what an import of carillon does. */
const sha256 = () => process.getBuiltinModule("node:crypto").createHash("sha256");

/** Pieces of `bytes`, without a copy. */
function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

/** Pieces of a sealed file of these tensors before its seal, in order; the data are not copied. */
export function sealedParts(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>>,
): readonly Uint8Array[] {
  const all = new Map<string, Pick<StoredTensor, "dtype" | "shape">>([...tensors, [SEAL, SEAL_TENSOR]]);
  const { head, begins } = layOutSafetensors(all, metadata);
  const inOrder = [...tensors].sort(([a], [b]) => (begins.get(a) ?? 0) - (begins.get(b) ?? 0));
  return [head, ...inOrder.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))];
}

/** Parts and seal, a piece at a time; the parts must not change before the last piece. */
export function* sealedPieces(parts: readonly Uint8Array[]): Generator<Uint8Array> {
  const hash = sha256();
  for (const part of parts) {
    for (const piece of pieces(part)) {
      hash.update(piece);
      yield piece;
    }
  }
  yield hash.digest();
}

/** Parts and seal in one, in memory of their own, which can be transferred. */
export function sealedBytes(parts: readonly Uint8Array[]): Uint8Array {
  const size = parts.reduce((total, { length }) => total + length, SEAL_BYTES);
  const bytes = makeBytes("checkpoint", size);
  let at = 0;
  for (const piece of sealedPieces(parts)) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/**
 * Verifies a sealed file, which is read and hashed in pieces, so that JavaScript is not kept waiting; gives it without the seal.
 * `ERR_FILE` says what is wrong with it.
 */
export async function openSealed(source: ByteSource, format: string, limits: CheckedLimits): Promise<StoredFile> {
  return await expectSealed(await openSafetensors(source, limits), format);
}

/** {@link openSealed} of a file whose header is read. What breaks the structure is told first: it says more than that the hash differs. */
export async function expectSealed(file: StoredFile, format: string): Promise<StoredFile> {
  const { source, entries, metadata } = file;
  const { where, size } = source;
  if (metadata.format !== format) refuseFile(where, `the format ${format}`, metadata.format ?? "none");
  const hash = sha256();
  const end = size - SEAL_BYTES;
  const piece = new Uint8Array(Math.min(Math.max(0, end), PIECE_BYTES));
  for (let at = 0; at < end; at += piece.length) {
    const next = piece.subarray(0, Math.min(piece.length, end - at));
    await source.read(next, at);
    hash.update(next);
  }
  const sealed = new Uint8Array(Math.min(size, SEAL_BYTES));
  await source.read(sealed, Math.max(0, end));
  const { dtype, shape, end: behind } = entries.get(SEAL) ?? {};
  if (!(hash.digest().equals(sealed) && dtype === "u8" && shape?.[0] === SEAL_BYTES && behind === size)) {
    refuseFile(where, "the bytes that its SHA-256 was made of", "others: the file is damaged");
  }
  const rest = new Map(entries);
  rest.delete(SEAL);
  return { source, metadata, entries: rest };
}
