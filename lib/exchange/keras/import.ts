// Models of Keras 3, and their weights, both ways.
import { CarillonError, messageOf } from "../../errors.js";
import type { AnyModel } from "../../index.js";
import { nestingOf } from "../../io/json.js";
import { broken } from "../../io/refusal.js";
import { checkKeys } from "../../options.js";
import { openHdf5, writeHdf5 } from "../hdf5/hdf5.js";
import { type FileSource, type OpenFile, open } from "../reading/file.js";
import {
  type CheckedExchangeLimits,
  checkExchangeLimits,
  type ExchangeLimits,
  type TensorFile,
} from "../reading/tensor_file.js";
import { type Archive, openZip, smallFile } from "../reading/zip.js";
import { weightsOf } from "../staged_weights.js";
import { checkVerification, type Verification, verifyModel } from "../verify.js";
import type { BuildOptions } from "./builder.js";
import { buildModel } from "./model.js";
import { importedEntries, kerasEntries, takeVariables } from "./weights.js";

/** Options of {@link importKeras}. */
export interface ImportKerasOptions extends BuildOptions {
  /** Inputs, and what Keras gave for them: where the model gives something else it is `ERR_STATE`. */
  readonly verify?: Verification | undefined;
  readonly limits?: ExchangeLimits | undefined;
}

/** A model that was imported. */
export interface ImportedModel {
  readonly model: AnyModel;
  /** What the file says and the model does not have, by `layer.option`: it changes no answer, such as a penalty that training would add. */
  readonly notes: readonly string[];
}

/** Bytes of a configuration. */
const LONGEST_CONFIG = 67_108_864;

/** Objects in one another. */
const DEEPEST = 200;

/** JSON of a file; `ERR_FILE` for what is none, or is too deep. */
export function jsonOf(where: string, bytes: Uint8Array): unknown {
  const text = new TextDecoder().decode(bytes);
  if (nestingOf(text) > DEEPEST) throw broken(where, `JSON at most ${DEEPEST} levels deep`, "more");
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw broken(where, "JSON", messageOf(cause));
  }
}

async function fileIn(archive: Archive, name: string, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const found = archive.files.get(name);
  if (found === undefined)
    throw broken(archive.where, `a Keras model, with ${name}`, [...archive.files.keys()].slice(0, 5).join(", "));
  return await smallFile(archive, found, most);
}

/**
 * A model of a `.keras` file of Keras 3, Sequential or Functional, with its weights: to answer, and to be trained on. Its layers have the names that they have there. The weights are read by the package
 * `h5wasm`, which has to be installed. `ERR_FILE` names the first layer, or option of a layer, that Carillon does not have; `notes` tells what was left out that changes no answer, such as penalties.
 *
 * @example
 * const { model, notes } = await importKeras("model.keras");
 * await fit(model, { data, loss: crossEntropy(), optimizer: adam(), epochs: 3 });
 */
export async function importKeras(source: FileSource, options: ImportKerasOptions = {}): Promise<ImportedModel> {
  const where = "importKeras";
  checkKeys(where, options, ["input", "verify", "limits"]);
  checkVerification(`${where}.verify`, options.verify);
  const limits = checkExchangeLimits(`${where}.limits`, options.limits);
  const file = await open(where, source, where);
  try {
    const archive = await openZip(file);
    const topology = jsonOf(`${file.where}: config.json`, await fileIn(archive, "config.json", LONGEST_CONFIG));
    const { model, layers, notes } = buildModel(`${file.where}: config.json`, topology, options);
    const bytes = await fileIn(archive, "model.weights.h5", limits.bytes);
    await takeHdf5(model, { where: `${file.where}: model.weights.h5`, bytes, limits }, (own) =>
      importedEntries(where, own, layers),
    );
    if (options.verify !== undefined) await verifyModel(`${where}.verify`, model, options.verify);
    return { model, notes };
  } finally {
    await file.close();
  }
}

/** The weights of a file of Keras with what each is in a model: of a `.keras` by its configuration, of weights alone by the layers of the model. */
export async function openKerasWeights(
  where: string,
  model: AnyModel,
  file: OpenFile,
  limits: CheckedExchangeLimits,
): Promise<{ readonly weights: TensorFile; readonly entries: ReturnType<typeof kerasEntries> }> {
  const isArchive = (await file.bytes(0, Math.min(2, file.size)))[0] === 0x50; // PK
  if (!isArchive) {
    const entries = kerasEntries(where, model);
    return {
      entries,
      weights: await openHdf5(file.where, await file.bytes(0, Math.min(file.size, limits.bytes)), limits),
    };
  }
  const archive = await openZip(file);
  const topology = jsonOf(`${file.where}: config.json`, await fileIn(archive, "config.json", LONGEST_CONFIG));
  const { layers } = buildModel(`${file.where}: config.json`, topology, { input: model.rows.inputs[0]?.shape });
  const entries = importedEntries(where, model, layers);
  const bytes = await fileIn(archive, "model.weights.h5", limits.bytes);
  return { entries, weights: await openHdf5(`${file.where}: model.weights.h5`, bytes, limits) };
}

interface Hdf5Bytes {
  readonly where: string;
  readonly bytes: Uint8Array;
  readonly limits: CheckedExchangeLimits;
}

async function takeHdf5(
  model: AnyModel,
  { where, bytes, limits }: Hdf5Bytes,
  entriesOf: (model: AnyModel) => ReturnType<typeof kerasEntries>,
): Promise<void> {
  const entries = entriesOf(model);
  const file = await openHdf5(where, bytes, limits);
  try {
    (await takeVariables(model, file, entries)).commit();
  } finally {
    await file.close();
  }
}

/** Options of {@link loadKerasWeights}. */
export interface LoadKerasOptions {
  readonly verify?: Verification | undefined;
  readonly limits?: ExchangeLimits | undefined;
}

/**
 * Takes over the weights of a `.weights.h5` that `model.save_weights` of Keras 3 has written, of a model of the same layers in the same order. Needs `h5wasm`. Nothing is written unless all of it fits:
 * `ERR_FILE` names what is missing, too many or of another shape. `kerasNameMap(model)` shows what is expected.
 */
export async function loadKerasWeights(
  model: AnyModel,
  source: FileSource,
  options: LoadKerasOptions = {},
): Promise<void> {
  const where = "loadKerasWeights";
  checkKeys(where, options, ["verify", "limits"]);
  checkVerification(`${where}.verify`, options.verify);
  const limits = checkExchangeLimits(`${where}.limits`, options.limits);
  const entries = kerasEntries(where, model);
  const file = await open(where, source, where);
  try {
    if (file.size > limits.bytes)
      throw broken(file.where, `a file of at most ${limits.bytes} bytes (limits.bytes)`, `${file.size}`);
    const before = options.verify === undefined || !model.initialized ? undefined : model.weights();
    await takeHdf5(model, { where: file.where, bytes: await file.bytes(0, file.size), limits }, () => entries);
    if (options.verify === undefined) return;
    try {
      await verifyModel(`${where}.verify`, model, options.verify);
    } catch (cause) {
      if (before !== undefined) model.setWeights(before);
      throw cause;
    }
  } finally {
    await file.close();
  }
}

/**
 * Writes the weights of a model as a `.weights.h5`, which `load_weights` of Keras 3 takes in a model of the same layers in the same order. Needs `h5wasm`. `ERR_OPTION` names a layer that Keras does not have.
 */
export async function saveKerasWeights(model: AnyModel, path: string): Promise<void> {
  if (!String(path).endsWith(".weights.h5"))
    throw new CarillonError(
      "ERR_OPTION",
      "saveKerasWeights.path",
      `expected a path that ends in .weights.h5, as Keras wants it, for 'saveKerasWeights.path' but received '${path}'`,
    );
  const weights = weightsOf(model);
  const tensors = kerasEntries("saveKerasWeights", model).map(({ crossing }) => ({
    name: crossing.theirs,
    shape: crossing.shape,
    data: crossing.read(weights),
  }));
  await writeHdf5("saveKerasWeights.path", path, tensors);
}
