import { type Affine, parseAffine, type Transforms } from "../data/transform.js";
import { CarillonError, fail } from "../errors.js";
import type { StoredTensor } from "../io/element_types.js";
import { readFileChecked } from "../io/file.js";
import { decodeSafetensors, encodeSafetensors, type StoredTensors } from "../io/safetensors.js";
import { openSealed } from "../io/seal.js";
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

/** Reads a model, a checkpoint of a run, or any safetensors file of weights; `ERR_FILE` says what is wrong with it. */
export function openModel(bytes: Uint8Array, where: string, options: LoadOptions): SavedModel {
  const { tensors, metadata } = decodeSafetensors(bytes, where);
  const { format = "", version = "1" } = metadata;
  if (!format.startsWith("carillon.")) return { weights: tensors, metadata: undefined };
  if (format === FORMATS.loop)
    refuse(where, "a model or a checkpoint of fit", "one of a loop, which loadCheckpoint() reads");
  if (Number(version) !== VERSION) refuse(where, `version ${VERSION} of the format`, version);
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

function parseAveraging(where: string, text: string): Averaging {
  const value = parse(text);
  if (typeof value === "object" && value !== null && "scale" in value && "except" in value) {
    const { scale, except } = value;
    const isFactor = typeof scale === "number" && Number.isFinite(scale) && scale > 0;
    if (isFactor && Array.isArray(except) && except.every((name) => typeof name === "string")) return { scale, except };
  }
  return refuse(where, "how averages become weights", "something else");
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
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
  const affine = (text: string | undefined, columns: number): Affine | undefined =>
    text === undefined ? undefined : parseAffine(where, parse(text), columns);
  return { inputs: affine(metadata?.inputs, inputs), targets: affine(metadata?.targets, outputs) };
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
  const lossKind = rememberedKind(metadata?.loss);
  if (metadata?.classes === undefined) return { lossKind, classNames: undefined };
  const names = parse(metadata.classes);
  const classes = outputs === 1 ? 2 : outputs;
  if (Array.isArray(names) && names.length === classes && names.every((name) => typeof name === "string")) {
    return { lossKind, classNames: names };
  }
  return refuse(where, `the names of ${classes} classes`, "something else");
}

function isSavedLayer(value: unknown): value is SavedLayer {
  if (typeof value !== "object" || value === null) return false;
  if (!("kind" in value && "name" in value && "config" in value)) return false;
  const { kind, name, config } = value;
  const fits = !("same" in value) || typeof value.same === "number";
  return fits && typeof kind === "string" && (name === null || typeof name === "string") && typeof config === "object";
}

/** The layers that a file describes; `ERR_FILE` if it describes none. */
export function savedLayers({ metadata }: SavedModel, where: string): readonly SavedLayer[] {
  if (metadata === undefined) {
    return refuse(where, "a model", "a safetensors file of weights alone: build the model and use its load()");
  }
  const layers = parse(metadata.layers);
  if (Array.isArray(layers) && layers.every(isSavedLayer)) return layers;
  return refuse(where, "a list of layers", metadata.layers === undefined ? "none" : "something else");
}
