import type { Affine } from "../../data/transform.js";
import { CarillonError, fail } from "../../errors.js";
import type { Part } from "../../io/part.js";
import type { State } from "../../io/state.js";
import { copyState } from "../../io/state_reader.js";
import { checkFunction, checkKeys, checkString, type NumberRange } from "../../options.js";
import type { Ending } from "../ending.js";
import type { Loss } from "../losses/loss.js";

/** Weights of examples by actual class (rows) and predicted class (columns). */
export type ConfusionMatrix = readonly (readonly number[])[];

/** What a metric gives. */
export type MetricValue = number | ConfusionMatrix;

/** Examples as a metric sees them, one batch or several. */
export interface MetricRows {
  readonly rows: number;
  /** Values of one output. */
  readonly columns: number;
  /** [rows, columns], as the network gives them: logits where the loss takes logits. */
  readonly outputs: Float32Array | Float64Array;
  /** [rows] classes, or [rows, columns] numbers, as the loss takes them. */
  readonly targets: Int32Array | Float32Array | Float64Array;
  /** [rows]; 1 where the data has no weights. */
  readonly weights: Float32Array;
}

/** What a metric is asked to measure. */
export interface MetricSet {
  /** Names the option in errors. */
  readonly where: string;
  readonly loss: Loss;
  /** Columns of the outputs. */
  readonly outputs: number;
  /** What the outputs are already, if they are probabilities. */
  readonly ending?: Ending | undefined;
  /** What targets went through: rows are in the units of the network, `value·scale + shift` is in those of the data. */
  readonly units?: Affine | undefined;
}

/** Takes in a set, part by part, and gives the figure of the whole. */
export interface Accumulator {
  add(rows: MetricRows): void;
  result(): MetricValue | Promise<MetricValue>;
  /** What a resumed run needs to go on in the middle of an epoch. */
  state(): State;
  restore(state: State): void;
  /**
   * `ERR_FILE` for a state that {@link state} does not give over examples that weigh `weight`. A metric of one's own has what it likes.
   *
   * @internal
   */
  check?(state: Part, weight: number): void;
}

/**
 * A figure over a whole set, besides the loss: exact, never a mean of the figures of batches. Made by `topK`, `precision`,
 * `recall`, `f1`, {@link defineMetric}; the others are named by strings.
 */
export interface Metric<N extends string = string> {
  readonly name: N;
  /** For one set; `ERR_OPTION` where it makes no sense for the loss. @internal */
  begin(set: MetricSet): Accumulator;
  /** Where its figure lies, besides NaN; that of a matrix is one of its elements. Any number where it does not say. @internal */
  readonly range?: NumberRange | undefined;
  /** Whether its figure is a matrix of so many classes. @internal */
  readonly isMatrix?: boolean | undefined;
}

/** Ranges of figures. */
export const SHARE: NumberRange = { min: 0, max: 1 };
export const POSITIVE: NumberRange = { min: 0 };

/** A metric of one's own. */
export interface MetricDefinition<N extends string, S extends State> {
  /** Key of `metrics` in events. */
  readonly name: N;
  /** The state before the first example: what checkpoints keep as it is, see {@link State}. */
  start(): S;
  /**
   * The state with these examples taken in; it may be the same object, changed. The arrays are only valid meanwhile. Where
   * targets have units, outputs and targets are in those of the data, as float64.
   */
  add(state: S, rows: MetricRows): S;
  result(state: S): number;
}

/** A copy of the state that `start` has given, which may be one object for all sets and runs. What no checkpoint keeps stays as it is. */
function ownState<S extends State>(state: S): S {
  if (typeof state !== "object" || state === null) return state;
  try {
    return copyState(state);
  } catch {
    return state;
  }
}

/** Names that figures of events have already. */
const RESERVED = ["loss", "dataLoss", "penalty", "validation"];

/** `name` as the key of a figure; else `ERR_OPTION`. */
export function checkMetricName<N extends string>(where: string, name: N): N {
  checkString(where, name);
  if (!RESERVED.includes(name) && !name.includes(".")) return name;
  throw new CarillonError("ERR_OPTION", where, `expected another name for '${where}': '${name}' has a meaning already`);
}

/**
 * A metric in plain TypeScript, on the JavaScript thread, between calls of native code.
 *
 * @example
 * const bias = defineMetric({
 *   name: 'bias',
 *   start: () => ({ sum: 0, weight: 0 }),
 *   add(state, { rows, outputs, targets, weights }) {
 *     for (let row = 0; row < rows; row++) {
 *       state.sum += weights[row] * (outputs[row] - targets[row]);
 *       state.weight += weights[row];
 *     }
 *     return state;
 *   },
 *   result: ({ sum, weight }) => sum / weight,
 * });
 *
 * Errors: an unknown key (`ERR_UNKNOWN_OPTION`); a name that events use already, or no function (`ERR_OPTION`).
 */
export function defineMetric<const N extends string, S extends State>(definition: MetricDefinition<N, S>): Metric<N> {
  checkKeys("defineMetric", definition, ["name", "start", "add", "result"]);
  const { start, add, result } = definition;
  const name = checkMetricName("defineMetric.name", definition.name);
  for (const [key, value] of Object.entries({ start, add, result })) checkFunction(`defineMetric.${key}`, value);
  return Object.freeze({
    name,
    begin({ units }: MetricSet): Accumulator {
      let state = ownState(checkState(`${name}.start`, start()));
      return {
        add(rows) {
          state = checkState(`${name}.add`, add(state, units === undefined ? rows : inUnits(rows, units)));
        },
        result: () => checkResult(name, result(state)),
        state: () => state,
        restore(saved) {
          state = saved as S; // of a checkpoint of this very metric
        },
      };
    },
  });
}

/** The state that a function of a metric has given, which is not waited for. */
function checkState<S extends State>(where: string, state: S): S {
  if (state === undefined || isPromise(state)) fail("ERR_OPTION", where, "the state", state);
  return state;
}

/** The figure, which may take its time. */
function checkResult(name: string, given: number | PromiseLike<number>): number | Promise<number> {
  if (isPromise(given)) return Promise.resolve(given).then((value) => checkResult(name, value));
  return typeof given === "number" ? given : fail("ERR_OPTION", `${name}.result`, "a number", given);
}

function isPromise(value: unknown): value is PromiseLike<number> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Outputs and targets in the units of the data, in double: nothing is rounded to float32 again. */
function inUnits(rows: MetricRows, { shift, scale }: Affine): MetricRows {
  const restored = (values: ArrayLike<number>): Float64Array =>
    Float64Array.from(values, (value, index) => {
      const column = index % rows.columns;
      return value * (scale[column] ?? 1) + (shift[column] ?? 0);
    });
  return { ...rows, outputs: restored(rows.outputs), targets: restored(rows.targets) };
}
