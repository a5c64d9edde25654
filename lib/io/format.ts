// The format of a file that somebody took for a safetensors file, by its first bytes.

/** The first bytes of formats, from byte `at` on; the first that fits is named. */
const SIGNATURES: readonly (readonly [at: number, sign: string, name: string])[] = [
  [0, "\x89HDF", "an HDF5 file (.h5), as Keras writes it"],
  [0, "\x93NUMPY", "a NumPy array (.npy)"],
  [0, "GGUF", "a GGUF file"],
  [4, "TFL3", "a TensorFlow Lite model"],
  [0, "\x1f\x8b", "a gzip file"],
  [0, "\x28\xb5\x2f\xfd", "a Zstandard file"],
  [0, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46", "a PyTorch file (.pt, .pth) of before version 1.6"],
];

/** A pickle begins with 0x80 and the version of its protocol. */
function isPickle([first, protocol = 0]: Uint8Array): boolean {
  return first === 0x80 && protocol >= 2 && protocol <= 5;
}

/** ONNX: a protobuf whose field 1 is a small number, `ir_version`, before a field of text or of a message. */
function isOnnx([first, version = 0, next = 0]: Uint8Array): boolean {
  return first === 0x08 && version > 0 && version < 0x20 && (next & 7) === 2;
}

/** No control characters but those of white space. */
function isText(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d));
}

const ZIP = "PK\x03\x04";

/** Names of files in a ZIP archive that tell who wrote it. */
const IN_ARCHIVES = [
  ["data.pkl", "a PyTorch file (.pt, .pth)"],
  ["model.weights.h5", "a Keras model (.keras)"],
  [".npy", "a NumPy archive (.npz)"],
] as const;

/** Bytes that are looked at, at the beginning and, where an archive lists its files, at the end. */
export const LOOKED_AT = 1 << 16;

/** The format of a file that is no safetensors file, in words, by its first and its last {@link LOOKED_AT} bytes. */
export function formatOf(bytes: Uint8Array, last: Uint8Array): string {
  if (bytes.length === 0) return "an empty file";
  const begin = latin1(bytes);
  if (begin.startsWith(ZIP)) {
    const ends = begin + latin1(last);
    return IN_ARCHIVES.find(([name]) => ends.includes(name))?.[1] ?? "a ZIP archive";
  }
  const known = SIGNATURES.find(([at, sign]) => begin.startsWith(sign, at));
  if (known !== undefined) return known[2];
  if (isPickle(bytes)) return "a Python pickle (.pkl, .joblib)";
  if (isOnnx(bytes)) return "an ONNX model";
  if (isText(bytes)) return /^\s*[[{]/.test(begin) ? "JSON" : "text";
  return "something else";
}

/** One character a byte. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
