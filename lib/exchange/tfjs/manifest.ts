// The weights of a TensorFlow.js model: what its manifest says of them, and the files that hold them, one behind the other.
import { describe, shortened } from "../../errors.js";
import { isObject } from "../../io/header.js";
import { broken } from "../../io/refusal.js";
import { extent } from "../../tensor/shape.js";
import { fileBeside } from "../reading/beside.js";
import { FOREIGN_BYTES, type ForeignDtype, type ReadTensor, tensorOf } from "../reading/elements.js";
import { type OpenFile, open } from "../reading/file.js";
import { isInside } from "../reading/safetensors.js";
import {
  type CheckedExchangeLimits,
  checkSizes,
  entryOf,
  expectWithin,
  type TensorEntry,
  type TensorFile,
} from "../reading/tensor_file.js";

/** Types of elements by the names that manifests have. */
const TYPES: Readonly<Record<string, ForeignDtype>> = {
  float32: "f32",
  float16: "f16",
  int32: "i32",
  bool: "bool",
  uint8: "u8",
  uint16: "u16",
};

/** A weight in the files of its group. */
interface Weight extends TensorEntry {
  readonly group: number;
  readonly begin: number;
  /** Where numbers are kept in few bits: value = kept·scale + min. */
  readonly linear: { readonly scale: number; readonly min: number } | undefined;
}

/** The files of a group, which are one. */
interface Group {
  readonly files: readonly { readonly name: string; readonly file: OpenFile; readonly begin: number }[];
  readonly size: number;
}

const MOST_FILES = 10_000;

function weightOf(
  where: string,
  given: unknown,
  group: number,
  begin: number,
): { readonly name: string; readonly weight: Weight } {
  if (!isObject(given)) throw broken(where, "a weight", describe(given));
  const { name, shape, dtype, quantization }: Record<string, unknown> = { ...given };
  if (typeof name !== "string" || !Array.isArray(shape))
    throw broken(where, "a weight with name and shape", shortened(JSON.stringify(given), 100));
  const place = `${where}: ${shortened(name, 100)}`;
  const kept: Record<string, unknown> = isObject(quantization) ? { ...quantization } : {};
  const type: unknown = kept.dtype ?? dtype;
  const stored = typeof type === "string" && Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (stored === undefined) throw broken(`${place}.dtype`, `one of ${Object.keys(TYPES).join(", ")}`, describe(type));
  const isLinear = isObject(quantization) && stored !== "f16";
  const { scale, min } = kept;
  if (isLinear && !(Number.isFinite(scale) && Number.isFinite(min)))
    throw broken(`${place}.quantization`, "a scale and a min", shortened(JSON.stringify(quantization), 100));
  const linear = isLinear ? { scale: Number(scale), min: Number(min) } : undefined;
  return { name, weight: { dtype: stored, shape: checkSizes(place, shape), group, begin, linear } };
}

/** Weights by name, whose files lie in the folder of the model. */
export async function openManifest(
  where: string,
  manifest: unknown,
  limits: CheckedExchangeLimits,
): Promise<TensorFile> {
  if (!Array.isArray(manifest))
    throw broken(`${where}: weightsManifest`, "a list of groups of weights", describe(manifest));
  const groups: Group[] = [];
  const entries = new Map<string, Weight>();
  const close = async (): Promise<void> => {
    await Promise.all(groups.flatMap(({ files }) => files.map(({ file }) => file.close())));
  };
  try {
    for (const [at, group] of manifest.entries()) {
      const { paths, weights }: Record<string, unknown> = isObject(group) ? { ...group } : {};
      if (!Array.isArray(paths) || !Array.isArray(weights))
        throw broken(
          `${where}: weightsManifest`,
          "groups with paths and weights",
          shortened(JSON.stringify(group), 100),
        );
      const opened = await openGroup(where, paths, groups);
      let begin = 0;
      for (const one of weights) {
        const { name, weight } = weightOf(`${where}: weightsManifest`, one, at, begin);
        if (entries.has(name)) throw broken(where, "every weight once", `${describe(name)} twice`);
        entries.set(name, weight);
        begin += extent(weight.shape) * FOREIGN_BYTES[weight.dtype];
      }
      if (begin !== opened.size)
        throw broken(`${where}: ${paths.map(String).join(", ")}`, `${begin} bytes of weights`, `${opened.size}`);
    }
    expectWithin(where, entries.values(), limits);
  } catch (cause) {
    await close();
    throw cause;
  }
  return {
    ...{ where, format: "TensorFlow.js", entries, facts: {}, close },
    read: async (name) => await readWeight(where, name, entryOf(where, entries, name), groups),
  };
}

async function openGroup(where: string, paths: readonly unknown[], groups: Group[]): Promise<Group> {
  const files: { name: string; file: OpenFile; begin: number }[] = [];
  const group = { files, size: 0 };
  groups.push(group);
  if (paths.length > MOST_FILES) throw broken(where, `at most ${MOST_FILES} files`, `${paths.length}`);
  for (const path of paths) {
    if (typeof path !== "string" || !isInside(path))
      throw broken(`${where}: weightsManifest`, "names of files beside the model", describe(path));
    const file = await open(where, await fileBeside(where, path, "a file beside the model"));
    files.push({ name: path, file, begin: group.size });
    group.size += file.size;
  }
  return group;
}

async function readWeight(
  where: string,
  name: string,
  { dtype, shape, group, begin, linear }: Weight,
  groups: readonly Group[],
): Promise<ReadTensor> {
  const count = extent(shape) * FOREIGN_BYTES[dtype];
  const bytes = new Uint8Array(count);
  for (const { file, begin: first } of groups[group]?.files ?? []) {
    const [from, to] = [Math.max(begin, first), Math.min(begin + count, first + file.size)];
    if (from < to) bytes.set(await file.bytes(from - first, to - from), from - begin);
  }
  const read = tensorOf(`${where}: ${shortened(name, 100)}`, dtype, shape, bytes);
  if (linear === undefined) return read;
  const { scale, min } = linear;
  const data = new Float32Array(read.data.length);
  for (let at = 0; at < data.length; at++) data[at] = (read.data[at] ?? 0) * scale + min;
  return { ...read, dtype: "f32", data };
}
