import { nativeInfo } from "../binding/native.js";
import { CarillonError } from "../errors.js";
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from "../io/safetensors.js";
import { countArrays, decodeState, encodeState, type State } from "../io/state.js";
import type { Evaluation } from "../nn/evaluator.js";
import type { Model } from "../nn/model.js";
import type { Minimizer } from "../optim/minimizer.js";
import type { DataProgress } from "./course.js";

/** What a checkpoint is told apart by. */
const FORMAT = "carillon.checkpoint";

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
  /** Names of the callbacks that have still to decide at this step. */
  readonly pending: readonly string[];
  readonly callbacks: Readonly<Record<string, State>>;
  readonly data: DataProgress;
}

/** A checkpoint as the bytes of a safetensors file: weights, one tensor a state and parameter, JSON metadata. */
export function encodeCheckpoint(model: Model, minimizer: Minimizer, progress: Progress): Uint8Array {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { shape, data }] of model.weights()) {
    tensors.set(`weights/${name}`, { dtype: "f32", shape, data });
  }
  const shapes = minimizer.stateShapes(model);
  for (const [key, data] of minimizer.states(model)) {
    tensors.set(key, { dtype: "f32", shape: shapes.get(key) ?? [], data });
  }
  const text = encodeState(progress, tensors);
  return encodeSafetensors(tensors, {
    format: FORMAT,
    numericsVersion: String(nativeInfo.numericsVersion),
    optimizer: minimizer.signature(),
    progress: text,
  });
}

function refuse(where: string, expected: string, received: string): never {
  throw new CarillonError("ERR_FILE", where, `expected ${expected} for '${where}' but received ${received}`);
}

/** The tensors of these keys and shapes, by key without `prefix`. */
function section(
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
    (get("validation") === null || isObject(get("validation"))) &&
    isListOf("string", get("pending")) &&
    isObject(get("callbacks"))
  );
}

function parseProgress(where: string, text: string | undefined, tensors: ReadonlyMap<string, StoredTensor>): Progress {
  const value = decodeState(text ?? "", tensors);
  return isProgress(value) ? value : refuse(where, "the progress of a run", "something else");
}

/** A checkpoint, verified against the model and the optimizer that it is to continue. */
export interface DecodedCheckpoint {
  readonly progress: Progress;
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** By `state/parameter`. */
  readonly states: ReadonlyMap<string, Float32Array>;
}

/**
 * Reads a checkpoint. `ERR_FILE` says what does not fit: no checkpoint, another numerics version, another optimizer,
 * parameters of another model.
 */
export function decodeCheckpoint(
  bytes: Uint8Array,
  where: string,
  model: Model,
  minimizer: Minimizer,
): DecodedCheckpoint {
  const { tensors, metadata } = decodeSafetensors(bytes, where);
  if (metadata.format !== FORMAT) refuse(where, `the format ${FORMAT}`, metadata.format ?? "none");
  const version = String(nativeInfo.numericsVersion);
  if (metadata.numericsVersion !== version) {
    refuse(where, `numericsVersion ${version}`, metadata.numericsVersion ?? "none");
  }
  if (metadata.optimizer !== minimizer.signature()) {
    refuse(where, `the optimizer ${minimizer.signature()}`, metadata.optimizer ?? "none");
  }
  const states = minimizer.stateShapes(model);
  const expected = states.size + model.parameters.length + countArrays(tensors);
  if (tensors.size !== expected) refuse(where, `${expected} tensors`, `${tensors.size}`);
  const parameters = model.parameters.map(({ name, shape }) => [name, shape] as const);
  return {
    progress: parseProgress(where, metadata.progress, tensors),
    weights: section(where, "weights/", parameters, tensors),
    states: section(where, "", states, tensors),
  };
}
