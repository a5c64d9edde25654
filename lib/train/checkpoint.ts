import { nativeInfo } from "../binding/native.js";
import { CarillonError } from "../errors.js";
import type { StoredTensor } from "../io/element_types.js";
import type { StoredTensors } from "../io/safetensors.js";
import { copyState, countArrays, decodeState, encodeState, type State } from "../io/state.js";
import type { Evaluation } from "../nn/evaluator.js";
import type { Model } from "../nn/model.js";
import { describeModel, FORMATS } from "../nn/saved.js";
import type { Stretch } from "../nn/slab.js";
import type { Minimizer } from "../optim/minimizer.js";
import type { Decided } from "./callbacks.js";
import type { DataProgress } from "./course.js";
import type { Settings } from "./settings.js";

/** What a checkpoint is told apart by. */
export const FORMAT = FORMATS.checkpoint;

/** Everything besides weights and optimizer states that determines the rest of a run. */
export interface Progress extends Decided {
  /** Steps done. */
  readonly step: number;
  readonly seed: number;
  readonly samples: number;
  readonly batchSize: number;
  readonly shuffle: boolean;
  /** Sums of the epoch under way. */
  readonly sums: readonly number[];
  /** Of the metrics, over the epoch under way. */
  readonly metrics: Readonly<Record<string, State>>;
  /** The last one, which callbacks see until the next, and its step. */
  readonly validation: Evaluation | null;
  readonly validationStep: number | null;
  /** Whether this step's validation and callbacks are still to come. */
  readonly undecided: boolean;
  readonly data: DataProgress;
  /** Of the checkpoints kept so far. */
  readonly best: BestCheckpoint | null;
}

/** What the run itself puts into a checkpoint. */
export type RunProgress = Omit<Progress, "best">;

/** The checkpoint whose figure is the best. */
export interface BestCheckpoint {
  /** What was looked for, such as `min validation.loss`. */
  readonly aim: string;
  readonly step: number;
  readonly value: number;
}

/** A copy that later decisions do not change. One that cannot be made is told of where a checkpoint is made of it. */
export function copyOf(progress: RunProgress): RunProgress {
  try {
    return copyState(progress);
  } catch {
    return progress;
  }
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

const isCount = (value: unknown): boolean => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
const isFiniteNumber = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value);
const isNumber = (value: unknown): boolean => typeof value === "number";
const isText = (value: unknown): boolean => typeof value === "string";
const isBoolean = (value: unknown): boolean => typeof value === "boolean";
const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const listOf = (is: (one: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(is);
const orNull = (is: (one: unknown) => boolean) => (value: unknown) => value === null || is(value);

/** Whether `value` is an object whose members are of these kinds; what else it holds does not matter. */
const withMembers = (members: Readonly<Record<string, (value: unknown) => boolean>>) => (value: unknown) =>
  isObject(value) && Object.entries(members).every(([key, is]) => is(Reflect.get(value, key)));

/** Figures may be infinite or NaN, as what they measure may be. */
const isProgressLike = withMembers({
  step: isCount,
  seed: isCount,
  samples: isCount,
  batchSize: isCount,
  shuffle: isBoolean,
  rateScale: (value) => isFiniteNumber(value) && Number(value) >= 0,
  sums: listOf(isNumber),
  metrics: isObject,
  validation: orNull(withMembers({ loss: isNumber, metrics: isObject })),
  validationStep: orNull(isCount),
  undecided: isBoolean,
  stoppedBy: orNull(isText),
  pending: listOf(isText),
  owed: listOf(isText),
  callbacks: isObject,
  data: isObject,
  best: orNull(withMembers({ step: isCount, value: (value) => isNumber(value) && !Number.isNaN(value) })),
});

function isProgress(value: unknown): value is Progress {
  return isProgressLike(value);
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
