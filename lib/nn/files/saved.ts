import { COPIED_AT_ONCE, commonTurns } from "../../data/turns.js";
import type { Json } from "../../described.js";
import { fail } from "../../errors.js";
import { exceeds } from "../../io/json.js";
import { type CheckedLimits, checkLimits, expectBytes, type FileLimits } from "../../io/limits.js";
import { Part } from "../../io/part.js";
import { refuseFile } from "../../io/refusal.js";
import {
  layOutSafetensors,
  openSafetensors,
  type SafetensorsLayout,
  type StoredEntry,
  type StoredFile,
} from "../../io/safetensors.js";
import { expectSealed } from "../../io/seal.js";
import { type ByteSource, bytesSource, openFile } from "../../io/source.js";
import { parsePlain } from "../../io/state_reader.js";
import { checkKeys, checkOneOf, checkString, isWithin } from "../../options.js";
import { isUint8Array } from "../../tensor/arrays.js";
import { isDetached } from "../../tensor/detached.js";
import { areNamed, type RowSpecs } from "../../tensor/row_spec.js";
import { extent } from "../../tensor/shape.js";
import type { ValueSpec } from "../../tensor/value.js";
import { type Meaning, type OutputMeaning, rememberedKind } from "../meaning/meaning.js";
import { inWords, namesIn, partsOf, unitsIn } from "../meaning/meaning_words.js";
import { expectWeights } from "../memory/given_weights.js";
import { type ParameterInfo, room, type Stretch } from "../memory/slab.js";
import { Staging } from "../memory/staging.js";
import type { Layer, LayerConfig } from "../structure/layer.js";
import { checkInput } from "../structure/sequential_options.js";
import { DEEPEST } from "../structure/structure.js";

/** Formats of files: a model, a checkpoint of a run, and one of a loop written by hand. */
export const FORMATS = { model: "carillon.model", checkpoint: "carillon.checkpoint", loop: "carillon.loop" } as const;

/** Of the layout that docs/files.md describes. A file that names none has the first; keys that a reader does not know change nothing. */
const VERSION = 1;

/** A layer as a file describes it; `config` is `null` for one that a user defined. */
export interface SavedLayer {
  readonly kind: string;
  readonly name: string | null;
  readonly config: LayerConfig | null;
  /** Place, from 0, of the layer before it that it is, counted as a reader meets them: its parameters are shared. */
  readonly same?: number | undefined;
  /** Layers of a block, in order. */
  readonly layers?: readonly SavedLayer[] | undefined;
}

/** A model as files describe it. */
export interface FiledModel {
  readonly described: readonly Layer[];
  readonly rows: RowSpecs;
  readonly meaning: Meaning;
  /** Its parameters and states. */
  readonly stored: readonly ParameterInfo[];
}

/** A model that takes over what a file has. */
export interface LoadedModel extends Pick<FiledModel, "rows" | "stored"> {
  /** Where parameters and states lie, by name. */
  readonly stretches: readonly Stretch[];
  noteWritten(): void;
  changeMeaning(meaning: Meaning): void;
}

/** Metadata of a model's file: its layers, rows and meaning. */
export function describeModel(model: Pick<FiledModel, "described" | "rows" | "meaning">): Record<string, string> {
  return {
    version: String(VERSION),
    layers: JSON.stringify(describeLayers(model.described)),
    ...inputText(model),
    ...meaningText(model),
  };
}

/** How the file of a model begins, with format and description as metadata, and where its weights stand in it by name, as f32. */
export function layOutModel(model: FiledModel): SafetensorsLayout {
  const tensors = model.stored.map(({ name, shape }) => [name, { dtype: "f32", shape }] as const);
  return layOutSafetensors(new Map(tensors), { format: FORMATS.model, ...describeModel(model) });
}

/** Layers as a file describes them. */
export function describeLayers(layers: readonly Layer[]): readonly SavedLayer[] {
  const places = new Map<Layer, number>();
  let next = 0;
  const describeAll = (all: readonly Layer[]): readonly SavedLayer[] =>
    all.map((layer): SavedLayer => {
      const { kind, name = null, config = null } = layer;
      const first = places.get(layer);
      if (first === undefined) places.set(layer, next);
      next += 1;
      if (first !== undefined && declares(layer)) return { kind, name, config, same: first };
      const inside = layersInside(layer);
      return { kind, name, config, ...(inside.length > 0 ? { layers: describeAll(inside) } : {}) };
    });
  return describeAll(layers);
}

/** Whether a layer, or one inside of it, has parameters or states, so that it matters which one it is. */
export function declares({ parameters, state = {}, layers = {} }: Layer): boolean {
  return [parameters, state].some((all) => Object.keys(all).length > 0) || Object.values(layers).some(declares);
}

/** Layers that follow one another in a block. */
export function layersInside({ layers = {}, order = [] }: Layer): readonly Layer[] {
  return order.flatMap((name) => layers[name] ?? []);
}

/** Which weights of a checkpoint are taken, and what a file may ask for. */
export interface LoadOptions {
  /**
   * Of a checkpoint: the averages of a run with `averageWeights`, which its validation has measured, or those of its last step.
   * By default the averages, where there are any.
   */
  readonly weights?: "averaged" | "last" | undefined;
  /** For files of people who are not trusted, or of which more is expected than the defaults let through. */
  readonly limits?: FileLimits | undefined;
}

/** Weights of a file, which have not been read. */
export interface SavedWeight extends StoredEntry {
  /** Factor of the numbers; 1 by default. */
  readonly scale?: number | undefined;
}

/** Metadata of a file. */
type Metadata = Readonly<Record<string, string>>;

/** A file with weights, whose header is verified, and of a checkpoint all of it. */
export interface SavedModel {
  /** Its name in errors. */
  readonly where: string;
  readonly file: StoredFile;
  readonly limits: CheckedLimits;
  /** By name. */
  readonly weights: ReadonlyMap<string, SavedWeight>;
  /** Metadata about the model; `undefined` for a file that is not of ours. */
  readonly metadata: Metadata | undefined;
}

/** Opens the file of a path, or bytes: a copy of them, or those themselves where they are many. */
export async function openSource(caller: string, source: string | Uint8Array): Promise<ByteSource> {
  if (typeof source === "string") return await openFile(checkString(`${caller}.path`, source));
  if (!isUint8Array(source)) return fail("ERR_OPTION", `${caller}.path`, "a path, or the bytes of a file", source);
  if (isDetached(source)) fail("ERR_DETACHED", caller, "bytes", source);
  return bytesSource(source.length > COPIED_AT_ONCE ? source : new Uint8Array(source), caller);
}

/**
 * Opens a model, a checkpoint of a run, or any safetensors file of weights, for `use`; `ERR_FILE` says what is wrong with it. Its
 * numbers are not read yet.
 */
export async function withModel<T>(
  caller: string,
  source: string | Uint8Array,
  options: LoadOptions,
  use: (saved: SavedModel) => Promise<T>,
): Promise<T> {
  checkKeys(caller, options, ["weights", "limits"]);
  if (options.weights !== undefined) checkOneOf(`${caller}.weights`, options.weights, ["averaged", "last"]);
  const limits = checkLimits(`${caller}.limits`, options.limits);
  const opened = await openSource(caller, source);
  try {
    const saved = await openModel(opened, options, limits);
    if (commonTurns.over) await commonTurns.next();
    return await use(saved);
  } finally {
    await opened.close();
  }
}

/**
 * Fills memory with the weights of a file, and makes it the model's, with what the file says of them, once `ready`. `ERR_FILE` if they
 * are not for this model; then nothing is written.
 */
export async function takeSaved(model: LoadedModel, saved: SavedModel, ready?: Promise<unknown>): Promise<void> {
  const { where, metadata, weights, file, limits } = saved;
  const { stored, stretches } = model;
  expectWeights(where, weights, stored);
  const floats = stored.reduce((sum, { shape }) => sum + room(shape), 0);
  expectBytes(where, floats * Float32Array.BYTES_PER_ELEMENT, limits);
  const meaning = metadata === undefined ? undefined : savedMeaning(where, metadata, model);
  const fillings = stretches.flatMap((stretch) => {
    const entry = weights.get(stretch.key);
    return entry === undefined ? [] : [{ stretch, entry, scale: entry.scale }];
  });
  if (commonTurns.over) await commonTurns.next();
  const staging = await Staging.fill(file, fillings, where);
  await ready;
  staging.commit();
  model.noteWritten();
  if (meaning !== undefined) model.changeMeaning(meaning);
}

/** `ERR_FILE` for a file of another layout, such as a later one. */
export function checkLayout(where: string, { version = String(VERSION) }: Metadata): void {
  if (version !== String(VERSION)) refuseFile(where, `version ${VERSION} of the format`, version);
}

async function openModel(source: ByteSource, options: LoadOptions, limits: CheckedLimits): Promise<SavedModel> {
  const { where } = source;
  const file = await openSafetensors(source, limits);
  const { entries, metadata } = file;
  const { format = "" } = metadata;
  if (options.weights === "averaged" && format !== FORMATS.checkpoint)
    refuseFile(where, "a checkpoint with averaged weights", format === FORMATS.model ? "a model" : "another file");
  if (!format.startsWith("carillon.")) return { where, file, limits, weights: entries, metadata: undefined };
  if (format === FORMATS.loop)
    refuseFile(where, "a model or a checkpoint of fit", "one of a loop, which loadCheckpoint() reads");
  checkLayout(where, metadata);
  if (format === FORMATS.model) return { where, file, limits, weights: entries, metadata };
  if (format !== FORMATS.checkpoint) refuseFile(where, `the format ${FORMATS.model} or ${FORMATS.checkpoint}`, format);
  const unsealed = await expectSealed(file, format);
  return { where, file: unsealed, limits, weights: servedWeights(unsealed, where, options), metadata };
}

/** Commas, colons and brackets that JSON has besides those of its list. */
const SLACK = 64;

/** Commas, colons and brackets of a layer's description, at most. */
const WORDS_OF_A_LAYER = 64;

/** Tensors of weights, of states of layers and of averages have names that begin with these. */
export const WEIGHTS = "weights/";
export const STATES = "layers/";
export const AVERAGE = "average/";

/** How the averages of a checkpoint become weights. */
export interface Averaging {
  /** Factor of the numbers. */
  readonly scale: number;
  /** Parameters that are not averaged: their weights are meant. */
  readonly except: readonly string[];
}

/** Averages, or weights of the last step, by the names of parameters. */
function servedWeights(
  { entries, metadata }: StoredFile,
  where: string,
  { weights }: LoadOptions,
): ReadonlyMap<string, SavedWeight> {
  const below = (prefix: string): [string, StoredEntry][] =>
    [...entries].flatMap(([name, tensor]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : []));
  const last = new Map([...below(WEIGHTS), ...below(STATES)]);
  const averaging = metadata.averages === undefined ? undefined : parseAveraging(where, metadata.averages);
  if (averaging === undefined && weights === "averaged")
    refuseFile(where, "a checkpoint with averaged weights", "one without");
  if (averaging === undefined || weights === "last") return last;
  const { scale, except } = averaging;
  const asTheyAre = new Set(except);
  const averages = below(AVERAGE).map(([name, average]): [string, SavedWeight] => {
    return [name, asTheyAre.has(name) ? (last.get(name) ?? average) : { ...average, scale }];
  });
  return new Map([...last, ...averages]); // states of layers have no averages
}

/** How averages become weights, as a file has it; `ERR_FILE` names what it cannot be. */
export function parseAveraging(where: string, text: string): Averaging {
  const averages = parsePlain(text, where, "averages");
  return { scale: averages.at("scale").number({ min: 1 }), except: averages.at("except").names() };
}

/**
 * Rows of a model as metadata, `{ "shape": [28, 28, 1], "dtype": "f32" }` or `{ "ragged": "i32", "longest": 50 }`: what a file without it has
 * is told by its layers.
 */
function inputText({ rows: { inputs } }: Pick<FiledModel, "rows">): Record<string, string> {
  const [x] = inputs;
  if (x?.ragged !== undefined) return { input: JSON.stringify(x.ragged) };
  const isPlain = x === undefined || (x.shape.length === 1 && x.dtype === "f32" && !x.bytes);
  return isPlain ? {} : { input: JSON.stringify({ shape: x.shape, dtype: x.bytes ? "u8" : x.dtype }) };
}

/** The input of the model of a file, if the file says it; `ERR_FILE` for one that no model has. */
export function savedInput({ metadata }: SavedModel, where: string): ValueSpec | undefined {
  if (metadata?.input === undefined) return undefined;
  const input = parsePlain(metadata.input, where, "input", SLACK);
  const lists = input.at("ragged");
  if (lists.value !== undefined) {
    lists.expect(lists.value === "i32", "i32");
    const longest = input.at("longest");
    return checkInput("input", { ragged: "i32", ...(longest.isNothing ? {} : { longest: longest.count(1) }) });
  }
  const shape = input
    .at("shape")
    .list()
    .map((size) => size.count(1));
  const dtype = input.at("dtype").text();
  input.at("dtype").expect(dtype === "f32" || dtype === "i32" || dtype === "u8", "f32, i32 or u8");
  if (dtype === "u8") return { shape: ["batch", ...shape], dtype: "f32", bytes: true };
  return { shape: ["batch", ...shape], dtype: dtype === "i32" ? "i32" : "f32" };
}

/** The meaning that a saved model's training has left; `ERR_FILE` if it is not for such inputs and outputs. */
function savedMeaning(
  where: string,
  metadata: Metadata,
  { rows: { inputs, outputs } }: Pick<FiledModel, "rows">,
): Meaning {
  const most = [...inputs, ...outputs].reduce((sum, { shape }) => sum + 2 * extent(shape) + SLACK, 0);
  const part = (name: string, text: string | undefined): Part =>
    text === undefined ? new Part(where, name, undefined) : parsePlain(text, where, name, most);
  const targets = unitsIn("y", outputs, part("targets", metadata.targets));
  const classes = namesIn(outputs, part("classes", metadata.classes));
  const kinds = areNamed("y", outputs)
    ? partsOf("y", outputs, part("loss", metadata.loss)).map(({ value }) => value)
    : [metadata.loss];
  const { preparation } = metadata;
  return {
    preparation: preparation === undefined ? undefined : jsonIn(parsePlain(preparation, where, "preparation")),
    inputs: unitsIn("x", inputs, part("inputs", metadata.inputs)),
    outputs: outputs.map((_, at) => {
      const kind = kinds[at];
      // A loss that nobody knows is of a later version.
      const lossKind = rememberedKind(typeof kind === "string" ? kind : undefined);
      return { units: targets[at], lossKind, classNames: classes[at] };
    }),
  };
}

/** An object of JSON. */
function jsonIn(part: Part): Json {
  return Object.fromEntries([...part.members()].map(([key, { value }]) => [key, value as Json])); // JSON.parse gives no other
}

/** As metadata; a model that remembers nothing has none. */
function meaningText({
  rows: { inputs, outputs },
  meaning,
}: Pick<FiledModel, "rows" | "meaning">): Record<string, string> {
  const ofOutputs = <T>(of: (output: OutputMeaning) => T | undefined): unknown =>
    inWords("y", outputs, meaning.outputs.map(of));
  const words = {
    inputs: inWords("x", inputs, meaning.inputs),
    targets: ofOutputs(({ units }) => units),
    loss: ofOutputs(({ lossKind }) => lossKind),
    classes: ofOutputs(({ classNames }) => classNames),
    preparation: meaning.preparation,
  };
  return Object.fromEntries(
    Object.entries(words).flatMap(([name, value]) => {
      if (value === undefined) return [];
      return [[name, typeof value === "string" ? value : JSON.stringify(value)] as const];
    }),
  );
}

/** Layers as a file describes them; `ERR_FILE` names what no layer has. */
export function describedLayers(layers: Part): readonly SavedLayer[] {
  const met: Part[] = [];
  const read = (all: Part, depth: number): readonly SavedLayer[] => {
    all.expect(depth <= DEEPEST, `at most ${DEEPEST} layers in one another`);
    return all.list().map((part) => {
      const [name, config, same, inside] = [part.at("name"), part.at("config"), part.at("same"), part.at("layers")];
      const place = met.push(part) - 1;
      const layer: SavedLayer = {
        kind: part.at("kind").text(),
        name: name.value === null ? null : name.text(),
        config: config.value === null ? null : configOf(config),
      };
      if (same.value !== undefined) {
        const first = isWithin(same.value, { min: 0, max: place - 1, integer: true }) ? same.value : -1;
        same.expect(met[first]?.at("kind").value === layer.kind, `the place of a ${layer.kind} before it`);
        return { ...layer, same: first };
      }
      return inside.value === undefined ? layer : { ...layer, layers: read(inside, depth + 1) };
    });
  };
  return read(layers, 1);
}

/** Layers with those inside of them, which stand there once more where a block does (`same`). */
function countLayers(layers: Part): number {
  const counts: number[] = [];
  const countOf = (all: Part, depth: number): number => {
    all.expect(depth <= DEEPEST, `at most ${DEEPEST} layers in one another`);
    return all.list().reduce((sum, part) => {
      const place = counts.push(1) - 1;
      const [{ value: same }, inside] = [part.at("same"), part.at("layers")];
      if (same !== undefined) counts[place] = (typeof same === "number" ? counts[same] : undefined) ?? 1;
      else if (inside.value !== undefined) counts[place] = 1 + countOf(inside, depth + 1);
      return sum + (counts[place] ?? 1);
    }, 0);
  };
  return countOf(layers, 1);
}

function configOf(config: Part): LayerConfig {
  const isPlain = (value: unknown): value is LayerConfig[string] =>
    value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  const isSetting = (value: unknown): value is LayerConfig[string] =>
    isPlain(value) || (Array.isArray(value) && value.every((each) => typeof each === "number"));
  return Object.fromEntries(
    [...config.members()].map(([key, part]) => {
      const { value } = part;
      return [key, isSetting(value) ? value : part.refuse("text, a number, numbers, true, false or null")];
    }),
  );
}

/** The layers that a file describes; `ERR_FILE` if it describes none. */
export function savedLayers({ metadata, limits }: SavedModel, where: string): readonly SavedLayer[] {
  if (metadata === undefined) {
    return refuseFile(where, "a model", "a safetensors file of weights alone: build the model and use its load()");
  }
  const { layers: text = "" } = metadata;
  const most = `at most ${limits.layers} layers (limits.layers)`;
  if (exceeds(text, limits.layers * WORDS_OF_A_LAYER + SLACK)) refuseFile(where, most, "more");
  const layers = parsePlain(metadata.layers, where, "layers");
  const count = countLayers(layers);
  if (count > limits.layers) refuseFile(where, most, `${count}`);
  return describedLayers(layers);
}
