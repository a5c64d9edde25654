import type { Affine } from "../../data/transform.js";
import { fail, isPromise } from "../../errors.js";
import type { State } from "../../io/state.js";
import { copyState } from "../../io/state_reader.js";
import { checkFunction, checkKeys } from "../../options.js";
import { type Accumulator, checkMetricName, type Metric, type MetricRows, type MetricSet } from "./metric.js";

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

/** Outputs and targets in the units of the data, in double: nothing is rounded to float32 again. */
function inUnits(rows: MetricRows, { shift, scale }: Affine): MetricRows {
  // Several outputs may tell one target, side by side.
  const told = rows.columns / rows.targetColumns;
  const restored = (values: ArrayLike<number>, columns: number, share: number): Float64Array =>
    Float64Array.from(values, (value, index) => {
      const column = Math.floor((index % columns) / share);
      return value * (scale[column] ?? 1) + (shift[column] ?? 0);
    });
  const outputs = restored(rows.outputs, rows.columns, told);
  return { ...rows, outputs, targets: restored(rows.targets, rows.targetColumns, 1) };
}
