// Files of tensors by what they hold, whatever they are called.
import { formatOf, LOOKED_AT } from "../../io/format.js";
import { broken } from "../../io/refusal.js";
import { type FileSource, type OpenFile, open } from "./file.js";
import { openNpy, openNpz } from "./npy.js";
import { openOldPt, openPt } from "./pt.js";
import { openSafetensorsFile, openShards } from "./safetensors.js";
import {
  type CheckedExchangeLimits,
  checkExchangeLimits,
  type ExchangeLimits,
  type TensorFile,
} from "./tensor_file.js";

/** What a file is, by its first and its last bytes. */
export type FileKind = "safetensors" | "shards" | "pt" | "old pt" | "npz" | "npy" | "keras" | "hdf5" | "onnx" | "json";

/** The kind of a file; `ERR_FILE` names what is none of them. */
export async function kindOf(file: OpenFile): Promise<FileKind> {
  const { where, size } = file;
  const first = await file.bytes(0, Math.min(size, LOOKED_AT));
  const last = await file.bytes(Math.max(0, size - LOOKED_AT), Math.min(size, LOOKED_AT));
  if (first.length > 8 && first[8] === 0x7b) return "safetensors";
  const words = formatOf(first, last);
  const known = KINDS.find(([begin]) => words.startsWith(begin));
  if (known === undefined)
    throw broken(
      where,
      "a file of tensors or of a model (safetensors, PyTorch, NumPy, Keras, ONNX, TensorFlow.js)",
      words,
    );
  if (known[1] !== "json") return known[1];
  return /"weight_map"/.test(new TextDecoder().decode(first)) &&
    !/"modelTopology"/.test(new TextDecoder().decode(first))
    ? "shards"
    : "json";
}

const KINDS: readonly (readonly [string, FileKind])[] = [
  ["a PyTorch file (.pt, .pth) of before", "old pt"],
  ["a PyTorch file (.pt, .pth)", "pt"],
  ["a NumPy archive", "npz"],
  ["a NumPy array", "npy"],
  ["a Keras model", "keras"],
  ["an HDF5 file", "hdf5"],
  ["an ONNX model", "onnx"],
  ["JSON", "json"],
];

/** Opens a file of tensors by name: safetensors with or without an index, `.pt`, `.npz` or `.npy`. */
export async function openTensors(
  where: string,
  source: FileSource,
  limits: ExchangeLimits | undefined,
): Promise<TensorFile> {
  const checked = checkExchangeLimits(`${where}.limits`, limits);
  const file = await open(where, source, where);
  try {
    return await openKind(file, await kindOf(file), checked);
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

async function openKind(file: OpenFile, kind: FileKind, limits: CheckedExchangeLimits): Promise<TensorFile> {
  switch (kind) {
    case "safetensors":
      return await openSafetensorsFile(file, limits);
    case "shards":
      return await openShards(file, limits);
    case "pt":
      return await openPt(file, limits);
    case "old pt":
      return await openOldPt(file, limits);
    case "npz":
      return await openNpz(file, limits);
    case "npy":
      return await openNpy(file, limits);
    default:
      throw broken(file.where, "a file of tensors by name (safetensors, .pt, .npz, .npy)", WORDS[kind] ?? kind);
  }
}

const WORDS: Readonly<Record<string, string>> = {
  keras: "a Keras model: importKeras() reads it",
  hdf5: "an HDF5 file: loadKerasWeights() reads those of Keras",
  onnx: "an ONNX model: importOnnx() reads it",
  json: "JSON: importTfjs() reads a model of TensorFlow.js, modelFromJson() a description",
};
