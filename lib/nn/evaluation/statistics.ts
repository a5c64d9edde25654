// Running statistics of a model's normalizations, measured anew in a pass over data.
import { bindData } from "../../data/bind_stream.js";
import type { AnyInputs } from "../../data/dataset.js";
import { hold, isSmall } from "../../data/held.js";
import type { Dataset } from "../../data/stream.js";
import { CarillonError, describe, fail } from "../../errors.js";
import { CompiledProgram } from "../../graph/compiled.js";
import { Trace, tracing } from "../../graph/trace.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber } from "../../options.js";
import type { RowSpecs } from "../../tensor/row_spec.js";
import type { Value } from "../../tensor/value.js";
import type { Meaning } from "../meaning/meaning.js";
import { layOut, SegmentSlab } from "../memory/slab.js";
import { TracedStates } from "../memory/traced_states.js";
import { checkWork, type PredictOptions } from "../serving/predict_options.js";
import type { Shares } from "../structure/structure.js";
import { Caller } from "./caller.js";
import { logScalar } from "./log.js";
import { recordInputs } from "./objective.js";
import { Passes } from "./passes.js";
import { RunControl } from "./run_control.js";

/** Options of `Model.refreshStatistics`. */
export interface RefreshOptions extends PredictOptions {
  /** Rows that a mean and a variance are taken of, at least 2; 256 by default. */
  readonly batchSize?: number | undefined;
}

const BATCH = 256;

/** Steps of a call, at most. */
const CALL_STEPS = 1024;

/** A copy of a model, whose states are measured. */
export interface Refreshed {
  readonly rows: RowSpecs;
  readonly meaning: Meaning;
  /** Layers that declare states, by their names. */
  readonly keepers: readonly string[];
  recordRows(inputs: readonly Value[], tell: undefined, shares: Shares): readonly Value[];
  readStates(): ReadonlyMap<string, Float32Array>;
  prepareInitial(seed: number, signal?: AbortSignal): Promise<() => void>;
}

/** Counts the rows that layers have seen, in memory of its own. */
class SeenRows implements Shares {
  /** Whether anybody has asked. */
  asked = false;
  readonly #seen: TracedStates;

  constructor(trace: Trace, layers: readonly string[]) {
    const { segments, total } = layOut(new Map(layers.map((name) => [name, { shape: [] }])));
    this.#seen = new TracedStates(trace, new SegmentSlab(segments, total).values());
  }

  of(layer: string): Value {
    this.asked = true;
    const rows = ops.rowCount();
    const before = this.#seen.get(layer);
    const seen = before === undefined ? rows : ops.add(before, rows);
    this.#seen.set(layer, seen);
    return ops.divide(rows, seen);
  }
}

/** The states of `measured`, a copy that nobody else has, after a pass over `data` in its order. */
export async function measureStates(
  where: string,
  measured: Refreshed,
  data: AnyInputs | Dataset,
  unchanged: () => void,
  { batchSize, threads, signal }: CheckedRefresh,
): Promise<ReadonlyMap<string, Float32Array>> {
  const { rows, meaning } = measured;
  const examples = await bindData(`${where}.data`, data, {
    shape: { inputs: rows.inputs, targets: [] },
    batch: batchSize,
    units: { inputs: meaning.inputs, targets: [] },
    unchanged,
    signal,
  });
  const control = new RunControl(signal);
  try {
    const trace = new Trace(0, false);
    const batch = Math.min(batchSize, examples.samples);
    const seenRows = tracing(trace, () => {
      const seen = new SeenRows(trace, measured.keepers);
      measured.recordRows(recordInputs(rows, examples, batch), undefined, seen);
      trace.add(logScalar(ops.rowCount(), 0));
      trace.end();
      return seen;
    });
    if (!seenRows.asked) return measured.readStates();
    const program = new CompiledProgram(trace, {
      maxRows: batch,
      bindings: examples.bindings,
      feed: { samples: examples.samples, batch, shuffle: false, set: examples.set, rows: examples.rows },
      logColumns: 1,
      logRows: CALL_STEPS,
    });
    let seen = 0;
    await new Passes(examples, batch, CALL_STEPS).run(control, new Caller(program), { threads }, (_, finished) => {
      seen = program.log(0, finished).reduce((sum, count) => sum + count, seen);
    });
    signal?.throwIfAborted();
    const { by, rows: needed } = trace.needed;
    if (seen < needed)
      fail("ERR_DATA", `${where}.data`, `${needed} rows or more, as '${by}' takes their variance,`, seen);
    const states = measured.readStates();
    for (const [name, values] of states) expectFinite(where, name, values);
    return states;
  } finally {
    control.release();
    await examples.stream?.close();
  }
}

function expectFinite(where: string, name: string, values: Float32Array): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  const received = `${describe(values[at])} in element ${at}`;
  throw new CarillonError("ERR_NON_FINITE", where, `expected finite numbers for '${name}' but received ${received}`);
}

/** {@link RefreshOptions}, checked. */
export type CheckedRefresh = PredictOptions & { readonly batchSize: number };

export function checkRefresh(where: string, options: RefreshOptions): CheckedRefresh {
  checkKeys(where, options, ["batchSize", "threads", "signal"]);
  const batchSize = checkNumber(`${where}.batchSize`, options.batchSize ?? BATCH, { min: 2, integer: true });
  return { batchSize, ...checkWork(where, options) };
}

/** A model whose states are exchanged for new ones. */
interface Refreshable {
  acquire(where: string, seed: number): void;
  readonly unread: Promise<unknown> | undefined;
  release(): void;
  readonly initialized: boolean;
  /** Of the same layers, without weights. */
  bare(): Refreshed;
  cloneBeside(): Promise<Refreshed>;
  prepareInitial(seed: number, signal?: AbortSignal): Promise<() => void>;
  restoreStates(values: ReadonlyMap<string, Float32Array>, where: string): void;
}

/** Of the weights of a model that has none yet, as of every first look at them. */
const SEED = 0;

/** A copy to measure. One that has no weights yet is left without: a call that fails changes nothing. */
async function copyOf(model: Refreshable, signal: AbortSignal | undefined): Promise<Refreshed> {
  if (model.initialized) return await model.cloneBeside();
  const copy = model.bare();
  const initialize = await copy.prepareInitial(SEED, signal);
  initialize();
  return copy;
}

/** `Model.refreshStatistics`: a copy of the model is measured, and the model has its states at once. */
export async function refreshModel(
  model: Refreshable,
  data: AnyInputs | Dataset,
  options: RefreshOptions,
): Promise<void> {
  const where = "refreshStatistics";
  const checked = checkRefresh(where, options);
  checked.signal?.throwIfAborted();
  model.acquire(where, SEED);
  try {
    const held = hold(`${where}.data`, data, isSmall(data));
    await model.unread;
    const measured = await copyOf(model, checked.signal);
    const states = await measureStates(where, measured, held.data, held.unchanged, checked);
    const initialize = model.initialized ? undefined : await model.prepareInitial(SEED, checked.signal);
    if (!model.initialized) initialize?.();
    model.restoreStates(states, where);
  } finally {
    model.release();
  }
}
