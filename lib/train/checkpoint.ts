import { nativeInfo } from "../binding/native.js";
import { CarillonError } from "../errors.js";
import type { StoredTensor, StoredTensors } from "../io/safetensors.js";
import type { Evaluation } from "../nn/evaluator.js";
import type { Model } from "../nn/model.js";
import type { Stretch } from "../nn/slab.js";
import type { Minimizer } from "../optim/minimizer.js";
import type { State } from "./callback.js";
import type { Settings } from "./settings.js";

/** What a checkpoint is told apart by. */
export const FORMAT = "carillon.checkpoint";

/** Everything besides weights and optimizer states that determines the rest of a run. */
export interface Progress {
  /** Steps done. */
  readonly step: number;
  readonly seed: number;
  readonly samples: number;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly rateScale: number;
  /** Sums of the epoch under way. */
  readonly sums: readonly number[];
  /** The last one, which callbacks see until the next. */
  readonly validation: Evaluation | null;
  /** Names of the callbacks that have still to decide at this step. */
  readonly pending: readonly string[];
  readonly callbacks: Readonly<Record<string, State>>;
  /** Of the checkpoints kept so far. */
  readonly best: Best | null;
}

/** The checkpoint whose figure is the best. */
export interface Best {
  readonly step: number;
  readonly value: number;
}

/** JSON has no NaN and no infinities; sums and the states of callbacks may be both. */
const NUMBER = "$number";

function numberToJson(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? { [NUMBER]: String(value) } : value;
}

function numberFromJson(_key: string, value: unknown): unknown {
  return typeof value === "object" && value !== null && NUMBER in value ? Number(value[NUMBER]) : value;
}

/** Text of a value of JSON, NaN and infinities included. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, numberToJson);
}

/** What {@link toJson} was given; `undefined` for text that is no JSON. */
export function fromJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "", numberFromJson);
  } catch {
    return undefined;
  }
}

/** The arithmetic that a checkpoint belongs to. */
export function numericsMetadata(): { readonly numericsVersion: string } {
  return { numericsVersion: String(nativeInfo.numericsVersion) };
}

/** Where everything lies that a checkpoint holds: weights, one tensor a state and parameter. */
export function stretchesOf(model: Model, minimizer: Minimizer): readonly Stretch[] {
  const weights = model.segments.map(({ name, shape, offset }) => {
    return { key: `weights/${name}`, shape, slab: model.slab, offset };
  });
  return [...weights, ...minimizer.stretches(model)];
}

/** What stands beside the tensors. */
export function metadataOf(minimizer: Minimizer, settings: Settings, progress: Progress): Record<string, string> {
  return {
    format: FORMAT,
    ...numericsMetadata(),
    optimizer: minimizer.signature(),
    progress: toJson(progress),
    settings: JSON.stringify(settings),
  };
}

/** Throws `ERR_FILE`. */
export function refuse(where: string, expected: string, received: string): never {
  throw new CarillonError("ERR_FILE", where, `expected ${expected} for '${where}' but received ${received}`);
}

/** The tensors of these keys and shapes, by key without `prefix`; else `ERR_FILE`. */
export function section(
  where: string,
  prefix: string,
  shapes: Iterable<readonly [string, readonly number[]]>,
  tensors: ReadonlyMap<string, StoredTensor>,
): ReadonlyMap<string, Float32Array> {
  return new Map(
    [...shapes].map(([name, shape]) => {
      const stored = tensors.get(`${prefix}${name}`);
      if (stored?.dtype !== "f32" || JSON.stringify(stored.shape) !== JSON.stringify(shape)) {
        const received = stored === undefined ? "nothing" : `${stored.dtype} [${stored.shape.join(", ")}]`;
        refuse(where, `f32 [${shape.join(", ")}] as ${prefix}${name}`, received);
      }
      return [name, stored.data];
    }),
  );
}

function isProgress(value: unknown): value is Progress {
  if (typeof value !== "object" || value === null) return false;
  const get = (key: string): unknown => Reflect.get(value, key);
  const isCount = (count: unknown): boolean => typeof count === "number" && Number.isSafeInteger(count) && count >= 0;
  const isListOf = (type: string, list: unknown): boolean =>
    Array.isArray(list) && list.every((one) => typeof one === type);
  const isObject = (given: unknown): boolean => typeof given === "object" && given !== null && !Array.isArray(given);
  const scale = get("rateScale");
  return (
    ["step", "seed", "samples", "batchSize"].every((key) => isCount(get(key))) &&
    typeof get("shuffle") === "boolean" &&
    typeof scale === "number" &&
    Number.isFinite(scale) &&
    scale >= 0 &&
    isListOf("number", get("sums")) &&
    (get("validation") === null || isObject(get("validation"))) &&
    isListOf("string", get("pending")) &&
    isObject(get("callbacks")) &&
    (get("best") === null || isObject(get("best")))
  );
}

function parseProgress(where: string, text: string | undefined): Progress {
  const value = fromJson(text);
  return isProgress(value) ? value : refuse(where, "the progress of a run", "something else");
}

function parseSettings(where: string, text: string | undefined): Readonly<Record<string, string>> {
  const value = fromJson(text);
  if (typeof value !== "object" || value === null) return refuse(where, "the settings of a run", "something else");
  return Object.fromEntries(Object.entries(value).map(([name, setting]) => [name, String(setting)]));
}

/** A checkpoint, verified against the model and the optimizer that it is to continue. */
export interface DecodedCheckpoint {
  readonly progress: Progress;
  readonly settings: Readonly<Record<string, string>>;
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** By `state/parameter`. */
  readonly states: ReadonlyMap<string, Float32Array>;
}

/** `ERR_FILE` unless what was computed then is what would be computed now. */
export function checkVersion(where: string, { numericsVersion = "none" }: Readonly<Record<string, string>>): void {
  const { numericsVersion: version } = numericsMetadata();
  if (numericsVersion !== version) refuse(where, `numericsVersion ${version}`, numericsVersion);
}

/**
 * Reads a checkpoint. `ERR_FILE` says what does not fit: another numerics version, another optimizer, parameters of
 * another model.
 */
export function decodeCheckpoint(
  { tensors, metadata }: StoredTensors,
  where: string,
  model: Model,
  minimizer: Minimizer,
): DecodedCheckpoint {
  checkVersion(where, metadata);
  if (metadata.optimizer !== minimizer.signature()) {
    refuse(where, `the optimizer ${minimizer.signature()}`, metadata.optimizer ?? "none");
  }
  const states = minimizer.stateShapes(model);
  const expected = states.size + model.parameters.length;
  if (tensors.size !== expected) refuse(where, `${expected} tensors`, `${tensors.size}`);
  const parameters = model.parameters.map(({ name, shape }) => [name, shape] as const);
  return {
    progress: parseProgress(where, metadata.progress),
    settings: parseSettings(where, metadata.settings),
    weights: section(where, "weights/", parameters, tensors),
    states: section(where, "", states, tensors),
  };
}
