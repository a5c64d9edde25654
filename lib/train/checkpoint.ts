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
import { type DataProgress, isDataProgress } from "./course.js";
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
  /** Whether the run is one that nobody has changed: neither its data nor a setting. */
  readonly bitEqual: boolean;
  /** The epochs so far, of which a history is made again. */
  readonly history: State;
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
  data: isDataProgress,
  bitEqual: isBoolean,
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

/** The settings of the run that a checkpoint is of; `ERR_FILE` if it has none, or was made by another arithmetic. */
export function decodeSettings({ metadata }: StoredTensors, where: string): Readonly<Record<string, unknown>> {
  checkVersion(where, metadata);
  const value = decodeState(metadata.settings ?? "", NO_ARRAYS)?.value;
  return isRecord(value) ? value : refuse(where, "the settings of a run", "something else");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A checkpoint, verified against the model and the optimizer that it is to continue. */
export interface DecodedCheckpoint {
  readonly progress: Progress;
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** By `state/parameter`. */
  readonly states: ReadonlyMap<string, Float32Array>;
  /** Whether it has no averages, although the run is to have some: they begin at the weights. */
  readonly averagesBegin: boolean;
}

/** Tensors of averages have names that begin with this. */
const AVERAGE = "average/";

/** `ERR_FILE` unless what was computed then is what would be computed now. */
export function checkVersion(where: string, { numericsVersion = "none" }: Readonly<Record<string, string>>): void {
  const { numericsVersion: version } = numericsMetadata();
  if (numericsVersion !== version) refuse(where, `numericsVersion ${version}`, numericsVersion);
}

/**
 * Reads a checkpoint. `ERR_FILE` says what does not fit: parameters of another model, states of another optimizer.
 *
 * @param newAverages Whether the run may have averages where the checkpoint has none, or none where it has.
 */
export function decodeCheckpoint(
  { tensors, metadata }: StoredTensors,
  where: string,
  model: Model,
  minimizer: Minimizer,
  newAverages: boolean,
): DecodedCheckpoint {
  const names = [...tensors.keys()];
  const shapes = [...minimizer.stateShapes(model)];
  const averages = names.filter((name) => name.startsWith(AVERAGE)).length;
  const averagesBegin = newAverages && averages === 0;
  const expectedStates = shapes.filter(([name]) => !(averagesBegin && name.startsWith(AVERAGE)));
  const parameters = model.parameters.map(({ name, shape }) => [name, shape] as const);
  const weights = section(where, "weights/", parameters, tensors);
  const states = new Map(section(where, "", expectedStates, tensors));
  const useless = newAverages && !shapes.some(([name]) => name.startsWith(AVERAGE)) ? averages : 0;
  const expected = states.size + weights.size + countArrays(tensors) + useless;
  if (tensors.size !== expected) refuse(where, `${expected} tensors`, `${tensors.size}`);
  if (averagesBegin) for (const [name, data] of weights) states.set(`${AVERAGE}${name}`, data);
  return { progress: parseProgress(where, metadata.progress, tensors), weights, states, averagesBegin };
}
