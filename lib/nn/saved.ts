import { type Affine, affineOf, type Transforms } from "../data/transform.js";
import { CarillonError, fail } from "../errors.js";
import type { StoredTensor } from "../io/element_types.js";
import { readFileChecked } from "../io/file.js";
import type { Part } from "../io/part.js";
import { decodeSafetensors, encodeSafetensors, type StoredTensors } from "../io/safetensors.js";
import { openSealed } from "../io/seal.js";
import { parsePlain } from "../io/state_reader.js";
import { checkKeys, checkOneOf, checkString } from "../options.js";
import { isUint8Array } from "../tensor/arrays.js";
import { isDetached } from "../tensor/detached.js";
import type { Layer, LayerConfig } from "./layer.js";
import { type Meaning, rememberedKind } from "./meaning.js";
import type { Model } from "./model.js";

/** What files are told apart by: a model, what a run goes on from, and the same of a loop written by hand. */
export const FORMATS = { model: "carillon.model", checkpoint: "carillon.checkpoint", loop: "carillon.loop" } as const;

/** Of the layout that docs/files.md describes. A file that names none has the first; keys that a reader does not know change nothing. */
const VERSION = 1;

/** A layer as a file describes it; `config` is `null` for one that a user defined. */
export interface SavedLayer {
  readonly kind: string;
  readonly name: string | null;
  readonly config: LayerConfig | null;
  /** Place, from 0, of the layer before it that it is: its parameters are shared. */
  readonly same?: number | undefined;
}

/** What a file says of a model besides its weights, as metadata. */
export function describeModel(
  model: Pick<Model, "layers" | "transforms" | "lossKind" | "classNames">,
): Record<string, string> {
  return {
    version: String(VERSION),
    layers: JSON.stringify(describeLayers(model.layers)),
    ...transformsText(model.transforms),
    ...meaningText(model),
  };
}

/** Weights by name as f32 tensors; format and description as metadata. */
export function encodeModel(model: Parameters<typeof describeModel>[0] & Pick<Model, "weights">): Uint8Array {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { shape, data }] of model.weights()) tensors.set(name, { dtype: "f32", shape, data });
  return encodeSafetensors(tensors, { format: FORMATS.model, ...describeModel(model) });
}

/** Layers as a file describes them. */
export function describeLayers(layers: readonly Layer[]): readonly SavedLayer[] {
  return layers.map((layer, index): SavedLayer => {
    const { kind, name = null, config = null, parameters } = layer;
    const first = layers.indexOf(layer);
    const shares = first < index && Object.keys(parameters).length > 0;
    return { kind, name, config, ...(shares ? { same: first } : {}) };
  });
}

function refuse(where: string, expected: string, received: string): never {
  throw new CarillonError("ERR_FILE", where, `expected ${expected} for '${where}' but received ${received}`);
}

/** Which weights of a checkpoint are taken. */
export interface LoadOptions {
  /**
   * Of a checkpoint: the averages of a run with `averageWeights`, which its validation has measured, or those of its last step.
   * By default the averages, where there are any.
   */
  readonly weights?: "averaged" | "last" | undefined;
}

/** A file with weights. */
export interface SavedModel {
  /** By name. */
  readonly weights: ReadonlyMap<string, StoredTensor>;
  /** What it says of the model; `undefined` for a file that is not of ours. */
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

/** The bytes of a file, or those that were given, and what errors call them. */
export async function readSource(
  caller: string,
  source: string | Uint8Array,
  options: LoadOptions,
): Promise<{ readonly bytes: Uint8Array; readonly where: string }> {
  checkKeys(caller, options, ["weights"]);
  if (options.weights !== undefined) checkOneOf(`${caller}.weights`, options.weights, ["averaged", "last"]);
  if (typeof source !== "string") {
    if (!isUint8Array(source)) return fail("ERR_OPTION", `${caller}.path`, "a path, or the bytes of a file", source);
    if (isDetached(source)) fail("ERR_DETACHED", caller, "bytes", source);
    return { bytes: new Uint8Array(source), where: caller }; // the caller may write to its own
  }
  const where = checkString(`${caller}.path`, source);
  return { bytes: await readFileChecked(where), where };
}

/** `ERR_FILE` for a file of another layout, such as a later one. */
export function checkLayout(where: string, { version = String(VERSION) }: Readonly<Record<string, string>>): void {
  if (version !== String(VERSION)) refuse(where, `version ${VERSION} of the format`, version);
}

/** Reads a model, a checkpoint of a run, or any safetensors file of weights; `ERR_FILE` says what is wrong with it. */
export function openModel(bytes: Uint8Array, where: string, options: LoadOptions): SavedModel {
  const { tensors, metadata } = decodeSafetensors(bytes, where);
  const { format = "" } = metadata;
  if (!format.startsWith("carillon.")) return { weights: tensors, metadata: undefined };
  if (format === FORMATS.loop)
    refuse(where, "a model or a checkpoint of fit", "one of a loop, which loadCheckpoint() reads");
  checkLayout(where, metadata);
  if (format === FORMATS.model) return { weights: tensors, metadata };
  if (format !== FORMATS.checkpoint) refuse(where, `the format ${FORMATS.model} or ${FORMATS.checkpoint}`, format);
  return { weights: servedWeights(openSealed(bytes, where, format), where, options), metadata };
}

const WEIGHTS = "weights/";
const AVERAGE = "average/";

/** How the averages of a checkpoint become weights. */
export interface Averaging {
  /** What they are multiplied by. */
  readonly scale: number;
  /** Parameters that are not averaged: their weights are meant. */
  readonly except: readonly string[];
}

/** Averages, or weights of the last step, by the names of parameters. */
function servedWeights(
  { tensors, metadata }: StoredTensors,
  where: string,
  { weights }: LoadOptions,
): ReadonlyMap<string, StoredTensor> {
  const below = (prefix: string): [string, StoredTensor][] =>
    [...tensors].flatMap(([name, tensor]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : []));
  const last = new Map(below(WEIGHTS));
  const averaging = metadata.averages === undefined ? undefined : parseAveraging(where, metadata.averages);
  if (averaging === undefined && weights === "averaged")
    refuse(where, "a checkpoint with averaged weights", "one without");
  if (averaging === undefined || weights === "last") return last;
  const { scale, except } = averaging;
  return new Map(
    below(AVERAGE).map(([name, average]) => {
      if (except.includes(name)) return [name, last.get(name) ?? average];
      if (average.dtype !== "f32" || scale === 1) return [name, average];
      return [name, { ...average, data: average.data.map((value) => value * scale) }];
    }),
  );
}

/** How averages become weights, as a file has it; `ERR_FILE` names what it cannot be. */
export function parseAveraging(where: string, text: string): Averaging {
  const averages = parsePlain(text, where, "averages");
  return { scale: averages.at("scale").number({ min: 1 }), except: averages.at("except").names() };
}

/** As metadata; a model without transforms has none. */
function transformsText({ inputs, targets }: Transforms): Record<string, string> {
  return {
    ...(inputs === undefined ? {} : { inputs: JSON.stringify(inputs) }),
    ...(targets === undefined ? {} : { targets: JSON.stringify(targets) }),
  };
}

/** The transforms of a saved model; `ERR_FILE` if they are not for these sizes. */
export function savedTransforms({ metadata }: SavedModel, where: string, inputs: number, outputs: number): Transforms {
  const affine = (name: "inputs" | "targets", columns: number): Affine | undefined =>
    metadata?.[name] === undefined ? undefined : affineOf(parsePlain(metadata[name], where, name), columns);
  return { inputs: affine("inputs", inputs), targets: affine("targets", outputs) };
}

/** As metadata; a model that remembers nothing has none. */
function meaningText({ lossKind, classNames }: Meaning): Record<string, string> {
  return {
    ...(lossKind === undefined ? {} : { loss: lossKind }),
    ...(classNames === undefined ? {} : { classes: JSON.stringify(classNames) }),
  };
}

/** What a saved model's training says of its outputs; `ERR_FILE` if the names of classes are not for so many outputs. */
export function savedMeaning({ metadata }: SavedModel, where: string, outputs: number): Meaning {
  const lossKind = rememberedKind(metadata?.loss); // one that nobody knows is of a later version
  if (metadata?.classes === undefined) return { lossKind, classNames: undefined };
  return { lossKind, classNames: savedNames(parsePlain(metadata.classes, where, "classes"), outputs) };
}

/** Names of the classes of so many outputs, as a file has them. */
export function savedNames(classes: Part, outputs: number): readonly string[] {
  const names = classes.names();
  const count = outputs === 1 ? 2 : outputs;
  classes.expect(names.length === count, `the names of ${count} classes`);
  return names;
}

/** Layers as a file describes them; `ERR_FILE` names what no layer has. */
export function describedLayers(layers: Part): readonly SavedLayer[] {
  const list = layers.list();
  return list.map((part, index) => {
    const [name, config, same] = [part.at("name"), part.at("config"), part.at("same")];
    const layer: SavedLayer = {
      kind: part.at("kind").text(),
      name: name.value === null ? null : name.text(),
      config: config.value === null ? null : configOf(config),
    };
    if (same.value === undefined) return layer;
    const first = list.slice(0, index).findIndex((_, place) => place === same.value);
    same.expect(list[first]?.at("kind").value === layer.kind, `the place of a ${layer.kind} before it`);
    return { ...layer, same: first };
  });
}

function configOf(config: Part): LayerConfig {
  const isSetting = (value: unknown): value is LayerConfig[string] =>
    value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  return Object.fromEntries(
    [...config.members()].map(([key, part]) => {
      const { value } = part;
      return [key, isSetting(value) ? value : part.refuse("text, a number, true, false or null")];
    }),
  );
}

/** The layers that a file describes; `ERR_FILE` if it describes none. */
export function savedLayers({ metadata }: SavedModel, where: string): readonly SavedLayer[] {
  if (metadata === undefined) {
    return refuse(where, "a model", "a safetensors file of weights alone: build the model and use its load()");
  }
  return describedLayers(parsePlain(metadata.layers, where, "layers"));
}
