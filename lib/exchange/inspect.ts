// What a file of a model or of weights holds, without reading more of it than that takes.
import { messageOf } from "../errors.js";
import type { AnyModel } from "../index.js";
import { isObject } from "../io/header.js";
import { broken } from "../io/refusal.js";
import { checkKeys } from "../options.js";
import { extent } from "../tensor/shape.js";
import { openHdf5 } from "./hdf5/hdf5.js";
import { modelFromJson } from "./json.js";
import { jsonOf } from "./keras/import.js";
import { buildModel } from "./keras/model.js";
import { importOnnx } from "./onnx/import.js";
import { onnxFacts } from "./onnx/inspect.js";
import { kindOf, openTensors } from "./reading/any.js";
import { type FileSource, type OpenFile, open } from "./reading/file.js";
import {
  type CheckedExchangeLimits,
  checkExchangeLimits,
  type ExchangeLimits,
  type TensorFile,
} from "./reading/tensor_file.js";
import { openZip, smallFile } from "./reading/zip.js";
import { openManifest } from "./tfjs/manifest.js";

/** What a file holds. */
export interface FileFacts {
  /** In words: `safetensors`, `PyTorch`, `Keras model`, … */
  readonly format: string;
  /** Tensors in the order of the file: type as it is there, and shape. */
  readonly tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
  /** Elements of all tensors. */
  readonly elements: number;
  /** What else the file says: metadata, numbers and texts beside the tensors. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** The layers, where the file tells them and Carillon has them: as `model.summary()`. */
  readonly summary?: string | undefined;
  /** Why there are no layers, where the file tells some that Carillon does not have. */
  readonly refused?: string | undefined;
}

/** Bytes of JSON. */
const LONGEST = 100_000_000;

/**
 * What a file of a model or of weights holds: safetensors (with an index, too), `.pt`, `.npz`, `.npy`, `.keras`, `.h5`, `.onnx`, `model.json` of TensorFlow.js, and JSON of {@link modelToJson}. Nothing of it is executed, and tensors
 * are not read, but for those of ONNX, of which a model is made. `ERR_FILE` names what a file is not.
 */
export async function inspectFile(
  source: FileSource,
  options: { readonly limits?: ExchangeLimits | undefined } = {},
): Promise<FileFacts> {
  checkKeys("inspectFile", options, ["limits"]);
  const limits = checkExchangeLimits("inspectFile.limits", options.limits);
  const file = await open("inspectFile", source, "inspectFile");
  try {
    const kind = await kindOf(file);
    if (kind === "keras") return await kerasFacts(file, limits);
    if (kind === "hdf5")
      return await withTensors(await openHdf5(file.where, await file.bytes(0, within(file, limits.bytes)), limits));
    if (kind === "json") return await jsonFacts(file, limits);
    if (kind === "onnx") return await modelFacts(file, source, limits);
    return await withTensors(await openTensors("inspectFile", source, options.limits));
  } finally {
    await file.close();
  }
}

/** The size of a file; `ERR_FILE` above a limit. */
function within({ where, size }: OpenFile, most: number): number {
  if (size > most) throw broken(where, `a file of at most ${most} bytes`, `${size}`);
  return size;
}

async function withTensors(file: TensorFile, more: Partial<FileFacts> = {}): Promise<FileFacts> {
  const tensors = [...file.entries].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  await file.close();
  const elements = tensors.reduce((sum, { shape }) => sum + extent(shape), 0);
  return { format: file.format, tensors, elements, facts: file.facts, ...more };
}

const summaryOf = (make: () => AnyModel): Pick<FileFacts, "summary" | "refused"> => {
  try {
    return { summary: make().summary() };
  } catch (cause) {
    return { refused: messageOf(cause) };
  }
};

async function modelFacts(file: OpenFile, source: FileSource, limits: CheckedExchangeLimits): Promise<FileFacts> {
  const { tensors, facts } = await onnxFacts(file.where, source, within(file, limits.bytes));
  const elements = tensors.reduce((sum, { shape }) => sum + extent(shape), 0);
  const told = await importOnnx(source).then(
    (model) => ({ summary: model.summary() }),
    (cause: unknown) => ({ refused: messageOf(cause) }),
  );
  return { format: "ONNX model", tensors, elements, facts, ...told };
}

async function kerasFacts(file: OpenFile, limits: CheckedExchangeLimits): Promise<FileFacts> {
  const archive = await openZip(file);
  const read = async (name: string, most: number): Promise<Uint8Array<ArrayBuffer>> => {
    const found = archive.files.get(name);
    if (found === undefined) throw broken(file.where, `a Keras model, with ${name}`, "none");
    return await smallFile(archive, found, most);
  };
  const topology = jsonOf(`${file.where}: config.json`, await read("config.json", LONGEST));
  const metadata = archive.files.has("metadata.json")
    ? jsonOf(`${file.where}: metadata.json`, await read("metadata.json", LONGEST))
    : {};
  const weights = await openHdf5(
    `${file.where}: model.weights.h5`,
    await read("model.weights.h5", limits.bytes),
    limits,
  );
  const facts = isObject(metadata) ? { ...metadata } : {};
  return await withTensors(weights, {
    format: "Keras model",
    facts,
    ...summaryOf(() => buildModel(file.where, topology).model),
  });
}

async function jsonFacts(file: OpenFile, limits: CheckedExchangeLimits): Promise<FileFacts> {
  const { where } = file;
  const json = jsonOf(where, await file.bytes(0, within(file, LONGEST)));
  const { modelTopology, weightsManifest, format, generatedBy, convertedBy }: Record<string, unknown> = isObject(json)
    ? { ...json }
    : {};
  if (modelTopology === undefined) {
    const told = summaryOf(() => modelFromJson(json, where));
    if (told.refused !== undefined)
      throw broken(
        where,
        "a model of TensorFlow.js, an index of shards, or a description of modelToJson",
        "other JSON",
      );
    return { format: "description", tensors: [], elements: 0, facts: {}, ...told };
  }
  const topology: unknown = isObject(modelTopology)
    ? (Reflect.get(modelTopology, "model_config") ?? modelTopology)
    : undefined;
  const facts = { format, generatedBy, convertedBy };
  const told =
    format === "graph-model"
      ? { refused: "a graph model has operations and no layers" }
      : summaryOf(() => buildModel(where, topology).model);
  return await withTensors(await openManifest(where, weightsManifest, limits), { facts, ...told });
}
