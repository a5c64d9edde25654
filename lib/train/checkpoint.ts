import { nativeInfo } from "../binding/native.js";
import { CarillonError } from "../errors.js";
import type { StoredTensor } from "../io/element_types.js";
import type { StoredTensors } from "../io/safetensors.js";
import { countArrays, decodeState, encodeState, type State } from "../io/state.js";
import type { Evaluation } from "../nn/evaluator.js";
import type { Model } from "../nn/model.js";
import { describeModel, FORMATS } from "../nn/saved.js";
import type { Stretch } from "../nn/slab.js";
import type { Minimizer } from "../optim/minimizer.js";
import type { DataProgress } from "./course.js";
import type { Settings } from "./settings.js";

/** What a checkpoint is told apart by. */
export const FORMAT = FORMATS.checkpoint;

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
  /** Of the metrics, over the epoch under way. */
  readonly metrics: Readonly<Record<string, State>>;
  /** The last one, which callbacks see until the next, and its step. */
  readonly validation: Evaluation | null;
  readonly validationStep: number | null;
  /** Whether this step's validation and callbacks are still to come. */
  readonly undecided: boolean;
  /** Name of the callback that has stopped the run at this step. */
  readonly stoppedBy: string | null;
  /** Names of the callbacks that have still to decide at this step. */
  readonly pending: readonly string[];
  readonly callbacks: Readonly<Record<string, State>>;
  readonly data: DataProgress;
  /** Of the checkpoints kept so far. */
  readonly best: BestCheckpoint | null;
}

/** The checkpoint whose figure is the best. */
export interface BestCheckpoint {
  readonly step: number;
  readonly value: number;
}

/** Beside the weights and states: metadata, and the typed arrays that stand in it, as tensors. */
export interface Contents {
  readonly metadata: Readonly<Record<string, string>>;
  readonly arrays: ReadonlyMap<string, StoredTensor>;
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

/** What stands beside weights and states; arrays are copies. */
export function contentsOf(model: Model, minimizer: Minimizer, settings: Settings, progress: Progress): Contents {
  const arrays = new Map<string, StoredTensor>();
  const averaging = minimizer.averaging(model);
  const metadata = {
    format: FORMAT,
    ...describeModel(model),
    ...(averaging === undefined ? {} : { averages: JSON.stringify(averaging) }),
    ...numericsMetadata(),
    optimizer: minimizer.signature(),
    progress: encodeState(progress, arrays, "checkpoint"),
    settings: JSON.stringify(settings),
  };
  return { metadata, arrays };
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
    isObject(get("metrics")) &&
    (get("validationStep") === null || isCount(get("validationStep"))) &&
    typeof get("undecided") === "boolean" &&
    (get("stoppedBy") === null || typeof get("stoppedBy") === "string") &&
    (get("validation") === null || isObject(get("validation"))) &&
    isListOf("string", get("pending")) &&
    isObject(get("callbacks")) &&
    (get("best") === null || isObject(get("best")))
  );
}

function parseProgress(where: string, text: string | undefined, tensors: ReadonlyMap<string, StoredTensor>): Progress {
  const value = decodeState(text ?? "", tensors)?.value;
  return isProgress(value) ? value : refuse(where, "the progress of a run", "something else");
}

/** Of text that holds none. */
export const NO_ARRAYS: ReadonlyMap<string, StoredTensor> = new Map();

function parseSettings(where: string, text: string | undefined): Readonly<Record<string, string>> {
  const value = decodeState(text ?? "", NO_ARRAYS)?.value;
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
  const expected = states.size + model.parameters.length + countArrays(tensors);
  if (tensors.size !== expected) refuse(where, `${expected} tensors`, `${tensors.size}`);
  const parameters = model.parameters.map(({ name, shape }) => [name, shape] as const);
  return {
    progress: parseProgress(where, metadata.progress, tensors),
    settings: parseSettings(where, metadata.settings),
    weights: section(where, "weights/", parameters, tensors),
    states: section(where, "", states, tensors),
  };
}
