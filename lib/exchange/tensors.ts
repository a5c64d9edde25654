// Files of tensors by name, whatever they are the weights of.
import { CarillonError, describe } from "../errors.js";
import { checkKeys } from "../options.js";
import { npyPieces, npzPieces } from "./numpy_writing.js";
import { openTensors } from "./reading/any.js";
import type { ReadTensor } from "./reading/elements.js";
import type { FileSource } from "./reading/file.js";
import { heldTensors } from "./reading/held.js";
import { ONLY } from "./reading/npy.js";
import type { ExchangeLimits } from "./reading/tensor_file.js";
import type { GivenTensors } from "./state_dict.js";
import { safetensorsPieces, type WrittenTensor, writePieces } from "./writing.js";

/** Options of {@link readTensors}. */
export interface ReadTensorsOptions {
  readonly limits?: ExchangeLimits | undefined;
}

/**
 * All tensors of a file by name, in its order: of safetensors (with an index of several files, too), of a `.pt` that `torch.save` has written, of a `.npz`, or of a
 * `.npy`, whose one array is called `array`. Floats become f32 (f64 to the nearest; f16, bf16 and the kinds of eight bits exactly), integers i32, bytes and truth values u8; `stored` is the type in the
 * file. Dictionaries in one another have keys joined by points. `ERR_FILE` names what a file is not, and the tensor at fault; nothing of a file is executed.
 *
 * @example
 * const tensors = await readTensors("weights.npz");
 * const x = tensor(tensors.get("x"));
 */
export async function readTensors(
  source: FileSource,
  options: ReadTensorsOptions = {},
): Promise<ReadonlyMap<string, ReadTensor>> {
  checkKeys("readTensors", options, ["limits"]);
  const file = await openTensors("readTensors", source, options.limits);
  try {
    const read = new Map<string, ReadTensor>();
    for (const name of file.entries.keys()) read.set(name, await file.read(name));
    return read;
  } finally {
    await file.close();
  }
}

/**
 * Writes tensors by name as the ending of the path says: `.safetensors`, `.npz`, or `.npy`, which has one. Elements are written as they are: f32, i32 or u8, row by row. The file has its name when all of
 * it is on the disk.
 */
export async function writeTensors(path: string, tensors: GivenTensors): Promise<void> {
  const where = "writeTensors";
  const held = heldTensors(where, tensors);
  const all = new Map<string, WrittenTensor>();
  for (const name of held.entries.keys()) all.set(name, await held.read(name));
  await writePieces(`${where}.path`, path, piecesFor(where, path, all));
}

/** The pieces of a file by the ending of its path; `ERR_OPTION` for another one. */
export function piecesFor(
  where: string,
  path: string,
  tensors: ReadonlyMap<string, WrittenTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Iterable<Uint8Array> {
  const [, ending = ""] = /\.([a-z]+)$/.exec(String(path)) ?? [];
  if (ending === "safetensors") return safetensorsPieces(tensors, metadata);
  if (ending === "npz") return npzPieces(tensors);
  const [first, ...more] = tensors.values();
  if (ending === "npy" && first !== undefined && more.length === 0) return npyPieces(first);
  if (ending !== "npy")
    throw new CarillonError(
      "ERR_OPTION",
      `${where}.path`,
      `expected a path that ends in .safetensors, .npz or .npy for '${where}.path' but received ${describe(path)}`,
    );
  throw new CarillonError(
    "ERR_OPTION",
    where,
    `expected one tensor for '${where}' of a .npy, which has one ('${ONLY}'), but received ${tensors.size}`,
  );
}
