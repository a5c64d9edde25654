// A seal: the SHA-256 of a safetensors file stands in it as its last tensor and covers every byte before, so that no
// flipped, missing or added byte of the file goes unseen.
import { CarillonError } from "../errors.js";
import type { StoredTensor } from "./element_types.js";
import { fileReader } from "./file.js";
import { decodeSafetensors, layOutSafetensors, type StoredTensors } from "./safetensors.js";

/** Name of the tensor. */
export const SEAL = "sha256";
const SEAL_BYTES = 32;
const SEAL_TENSOR = { dtype: "u8", shape: [SEAL_BYTES] } as const;

/** Bytes that are hashed or copied at once while JavaScript has other things to do: below a millisecond. */
export const PIECE_BYTES = 512 * 1024;

/** node:crypto is loaded by the first seal: that takes as long as a third of what an import of carillon does. */
const sha256 = () => process.getBuiltinModule("node:crypto").createHash("sha256");

/** Pieces of `bytes`, without a copy. */
function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

/** What a sealed file of these tensors consists of before its seal, in order; the data are not copied. */
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
  const bytes = new Uint8Array(parts.reduce((total, { length }) => total + length, SEAL_BYTES));
  let at = 0;
  for (const piece of sealedPieces(parts)) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** The contents of a sealed file without the seal; `ERR_FILE` says what is wrong with it. */
export function openSealed(bytes: Uint8Array, where: string, format: string): StoredTensors {
  const end = Math.max(0, bytes.length - SEAL_BYTES);
  return opened(bytes, sha256().update(bytes.subarray(0, end)).digest(), where, format);
}

/** {@link openSealed} of the file at `path`, read and hashed in pieces, so that JavaScript is not kept waiting. */
export async function readSealed(path: string, format: string): Promise<StoredTensors> {
  const { bytes, read } = await fileReader(path);
  const hash = sha256();
  const end = bytes.length - SEAL_BYTES;
  let hashed = 0;
  await read(PIECE_BYTES, (done) => {
    const upTo = Math.max(hashed, Math.min(done, end));
    hash.update(bytes.subarray(hashed, upTo));
    hashed = upTo;
  });
  return opened(bytes, hash.digest(), path, format);
}

function opened(bytes: Uint8Array, digest: Buffer, where: string, format: string): StoredTensors {
  // What breaks the structure is told first: it says more than that the hash differs.
  const { tensors, metadata } = decodeSafetensors(bytes, where);
  if (metadata.format !== format) refuse(where, `the format ${format}`, metadata.format ?? "none");
  if (!digest.equals(bytes.subarray(-SEAL_BYTES)) || tensors.get(SEAL)?.shape[0] !== SEAL_BYTES) {
    refuse(where, "the bytes that its SHA-256 was made of", "others: the file is damaged");
  }
  const rest = new Map(tensors);
  rest.delete(SEAL);
  return { tensors: rest, metadata };
}

function refuse(where: string, expected: string, received: string): never {
  throw new CarillonError("ERR_FILE", where, `expected ${expected} for '${where}' but received ${received}`);
}
