// From a file to a file: what somebody else keeps a model in, as what another reads.
import { CarillonError } from "../errors.js";
import { type AnyModel, loadModel } from "../index.js";
import { isObject } from "../io/header.js";
import { broken } from "../io/refusal.js";
import { checkKeys } from "../options.js";
import { modelFromJson, modelToJson } from "./json.js";
import { importKeras, jsonOf, loadKerasWeights, saveKerasWeights } from "./keras/import.js";
import { exportOnnx } from "./onnx/export.js";
import { importOnnx } from "./onnx/import.js";
import type { LayerNames } from "./pytorch_walk.js";
import { type FileKind, kindOf } from "./reading/any.js";
import { open } from "./reading/file.js";
import { loadStateDict, saveStateDict, stateDict } from "./state_dict.js";
import { readTensors, writeTensors } from "./tensors.js";
import { importTfjs } from "./tfjs/import.js";
import { writePieces } from "./writing.js";

/** Options of {@link convertFile}. */
export interface ConvertOptions {
  /** A file of a model (saved by Carillon, or JSON of its layers) that takes the tensors of the input over. */
  readonly model?: string | undefined;
  /** Names of layers in PyTorch, as of {@link stateDict}. */
  readonly map?: LayerNames | "order" | undefined;
  /** Where the state dict stands in a `.pt`. */
  readonly key?: string | undefined;
  /** Names of written tensors: `'carillon'` (the default), or `'pytorch'` with its layouts. */
  readonly names?: "carillon" | "pytorch" | undefined;
  /** Sizes of a row where a model of Keras or TensorFlow.js leaves some open. */
  readonly input?: readonly number[] | undefined;
}

/** What {@link convertFile} has done. */
export interface Converted {
  /** What was read and written, in words. */
  readonly from: string;
  readonly to: string;
  /** Options of the input's layers that the model does not have, by `layer.option`. */
  readonly notes: readonly string[];
}

interface Read {
  readonly from: string;
  readonly model: AnyModel;
  readonly notes: readonly string[];
}

/** The model of a file; `undefined` where it has tensors alone. */
async function readModel(path: string, options: ConvertOptions): Promise<Read | undefined> {
  const { kind, json, isOurs } = await lookAt(path);
  if (kind === "onnx") return { from: "ONNX model", model: await importOnnx(path), notes: [] };
  if (kind === "keras") return { from: "Keras model", ...(await importKeras(path, { input: options.input })) };
  if (kind === "json") {
    const isTfjs = isObject(json) && "modelTopology" in json;
    if (isTfjs) return { from: "TensorFlow.js model", ...(await importTfjs(path, { input: options.input })) };
    return { from: "description", model: modelFromJson(json, path), notes: [] };
  }
  return isOurs ? { from: "Carillon model", model: await loadModel(path), notes: [] } : undefined;
}

/** What a file is, its JSON if it is some, and whether it is a model of ours. */
async function lookAt(
  path: string,
): Promise<{ readonly kind: FileKind; readonly json: unknown; readonly isOurs: boolean }> {
  const file = await open("convertFile", path);
  try {
    const kind = await kindOf(file);
    const json = kind === "json" ? jsonOf(path, await file.bytes(0, Math.min(file.size, LONGEST))) : undefined;
    const begin =
      kind === "safetensors"
        ? new TextDecoder("latin1").decode(await file.bytes(8, Math.min(file.size - 8, 4096)))
        : "";
    return { kind, json, isOurs: begin.includes('"carillon.') };
  } finally {
    await file.close();
  }
}

const LONGEST = 100_000_000;

/** The model that `options.model` names, with the tensors of a file. */
async function withTensorsOf(path: string, model: string, { map, key, input }: ConvertOptions): Promise<Read> {
  const read = await readModel(model, { input });
  if (read === undefined) throw broken(model, "a model, or JSON of its layers", "tensors alone");
  if (path.endsWith(".h5")) await loadKerasWeights(read.model, path);
  else await loadStateDict(read.model, path, { map, key });
  return { ...read, from: "weights" };
}

/**
 * Reads a file and writes another one, by its ending: a model (of Carillon, Keras, ONNX, TensorFlow.js, or weights with `model`) as `.safetensors` (which `loadModel` takes), as `.onnx`, as `.weights.h5` of Keras, as `.json` of its layers, or its tensors as `.npz`; tensors
 * alone as `.safetensors` or `.npz`. `names: 'pytorch'` writes a state dict.
 *
 * @example
 * await convertFile("model.keras", "model.safetensors");
 * await convertFile("weights.pt", "model.safetensors", { model: "layers.json", map: "order" });
 */
export async function convertFile(from: string, to: string, options: ConvertOptions = {}): Promise<Converted> {
  const where = "convertFile";
  checkKeys(where, options, ["model", "map", "key", "names", "input"]);
  const read =
    options.model === undefined ? await readModel(from, options) : await withTensorsOf(from, options.model, options);
  if (read === undefined) {
    const tensors = await readTensors(from);
    await writeTensors(to, tensors);
    return { from: "tensors", to: `${tensors.size} tensors`, notes: [] };
  }
  return { from: read.from, to: await writeModelAs(read.model, to, options), notes: read.notes };
}

/** Writes a model as the ending of a path says, and tells what it is. */
async function writeModelAs(model: AnyModel, to: string, { names }: ConvertOptions): Promise<string> {
  if (to.endsWith(".onnx")) {
    await exportOnnx(model, to);
    return "ONNX model";
  }
  if (to.endsWith(".json")) {
    await writePieces("convertFile.to", to, [
      new TextEncoder().encode(`${JSON.stringify(modelToJson(model), null, 2)}\n`),
    ]);
    return "description, without weights";
  }
  if (to.endsWith(".weights.h5")) {
    await saveKerasWeights(model, to);
    return `weights of Keras${unitsLeft(model)}`;
  }
  const isNamed = names === "pytorch";
  if (to.endsWith(".npz")) {
    await writeTensors(to, isNamed ? stateDict(model) : model.weights());
    return `NumPy archive${unitsLeft(model)}`;
  }
  if (!to.endsWith(".safetensors"))
    throw new CarillonError(
      "ERR_OPTION",
      "convertFile.to",
      `expected a path that ends in .safetensors, .weights.h5, .npz, .onnx or .json for 'convertFile.to' but received '${to}'`,
    );
  if (isNamed) await saveStateDict(model, to);
  else await model.save(to);
  if (isNamed) return `state dict of PyTorch${unitsLeft(model)}`;
  return isKept(model)
    ? "Carillon model"
    : "weights of a network, whose form is a function that no file keeps: build it, and load() them";
}

/** What is said of weights alone, where the model changes units before and behind its network. */
function unitsLeft(model: AnyModel): string {
  const { inputs, outputs } = model.meaning;
  const hasUnits = inputs.some((units) => units !== undefined) || outputs.some(({ units }) => units !== undefined);
  return hasUnits ? ", without the units of its data: what the network there takes and gives is in its own" : "";
}

/** Whether a file keeps the layers of a model, so that `loadModel` builds it. */
function isKept(model: AnyModel): boolean {
  try {
    modelToJson(model);
    return true;
  } catch {
    return false;
  }
}
