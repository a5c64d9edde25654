import { nativeInfo } from "../binding/native.js";
import { CarillonError } from "../errors.js";
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from "../io/safetensors.js";
import type { Evaluation } from "../nn/evaluator.js";
import type { Model } from "../nn/model.js";
import type { Minimizer } from "../optim/minimizer.js";
import type { State } from "./callback.js";
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
  /** The last one, which callbacks see until the next. */
  readonly validation: Evaluation | null;
  /** Names of the callbacks that have still to decide at this step. */
  readonly pending: readonly string[];
  readonly callbacks: Readonly<Record<string, State>>;
  readonly data: DataProgress;
}

/** JSON has no NaN and no infinities; sums and the states of callbacks may be both. */
const NUMBER = "$number";

function numberToJson(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? { [NUMBER]: String(value) } : value;
}

function numberFromJson(_key: string, value: unknown): unknown {
  return typeof value === "object" && value !== null && NUMBER in value ? Number(value[NUMBER]) : value;
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
  return encodeSafetensors(tensors, {
    format: FORMAT,
    numericsVersion: String(nativeInfo.numericsVersion),
    optimizer: minimizer.signature(),
    progress: JSON.stringify(progress, numberToJson),
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
    (get("validation") === null || isObject(get("validation"))) &&
    isListOf("string", get("pending")) &&
    isObject(get("callbacks"))
  );
}

function parseProgress(where: string, text: string | undefined): Progress {
  let value: unknown;
  try {
    value = JSON.parse(text ?? "", numberFromJson);
  } catch {
    value = undefined;
  }
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
  const expected = states.size + model.parameters.length;
  if (tensors.size !== expected) refuse(where, `${expected} tensors`, `${tensors.size}`);
  const parameters = model.parameters.map(({ name, shape }) => [name, shape] as const);
  return {
    progress: parseProgress(where, metadata.progress),
    weights: section(where, "weights/", parameters, tensors),
    states: section(where, "", states, tensors),
  };
}
