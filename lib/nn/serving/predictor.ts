import { threadsFor } from "../../binding/threads.js";
import type { Affine } from "../../data/transform.js";
import { CarillonError, fail, introduce } from "../../errors.js";
import { checkKeys } from "../../options.js";
import { checkSignal } from "../../signals.js";
import { isFloats } from "../../tensor/arrays.js";
import { INSPECT, type Inspect, type InspectOptions, inspectDescription } from "../../tensor/inspect.js";
import { areNamed, type RowSpecs } from "../../tensor/row_spec.js";
import { type Described, labelledOf, type Normalization, normalizationsOf } from "../meaning/meaning.js";
import type { RowsOf } from "../meaning/row_types.js";
import type { Taken } from "../structure/chain.js";
import type { Elements, Sizes } from "../structure/sequence.js";
import { labelTaker, RowOutputs, tensorTaker } from "./answers.js";
import type { Take } from "./call.js";
import { type FormError, measureError } from "./form_error.js";
import type { FrozenProgram, GivenRows } from "./frozen.js";
import { FrozenCopy, type Network, workOf } from "./frozen_copy.js";
import type { InputRows } from "./frozen_input.js";
import { type Computer, Gathering } from "./gathering.js";
import { takenLists } from "./lists.js";
import type { Predicted, PredictedAs, PredictorSettings } from "./predictor_options.js";
import {
  type CallInput,
  callInputs,
  changeRows,
  countCall,
  failRows,
  failValue,
  firstNotFinite,
  listsIn,
  pathOf,
  rowsIn,
  writeRows,
} from "./rows.js";
import { roomFor } from "./stages.js";
import { StreamLanes } from "./stream_lanes.js";

/** Options of {@link Predictor.submit}. */
export interface SubmitOptions {
  /** An abort rejects with its reason, at once: a call that waits leaves the queue, the outputs of one that is computed go nowhere. */
  readonly signal?: AbortSignal | undefined;
}

/** Counts of calls and batches of {@link Predictor.submit} since the predictor was made, and of those that wait. */
export interface PredictorStatistics {
  /** Rows that wait for their batch now. */
  readonly queued: number;
  /** Rows of the batch that is being computed now. */
  readonly computing: number;
  /** Calls that were answered. */
  readonly calls: number;
  readonly batches: number;
  /** Rows of all batches, and of the largest. */
  readonly rows: number;
  readonly largest: number;
  /** Calls that an abort has ended, and those that found the queue full. */
  readonly aborted: number;
  readonly refused: number;
  /** From the beginning of each batch to its outputs, added up; where a native thread had it, with the way there and back. */
  readonly microseconds: number;
  /** Times that other weights were taken. */
  readonly refreshes: number;
  /** Of the packed weights. */
  readonly weightBytes: number;
}

/**
 * A frozen copy of a model for serving: weights packed once, biases and activations fused, nothing of the training. Made by
 * `Model.predictor`. It holds neither the process nor a thread while it idles, and goes when nobody refers to it any more.
 */
export class Predictor<
  A extends PredictedAs = PredictedAs,
  In extends Sizes = Taken,
  Out extends Sizes = Taken,
  E extends Elements = Elements,
> {
  /** Names, shapes and elements of its inputs and outputs, for a row. */
  readonly rows: RowSpecs;
  /** Numbers of a row of all inputs, and of all outputs. */
  readonly inputs: number;
  readonly outputs: number;
  /** Most rows of a call. */
  readonly maxBatch: number;
  readonly as: A;
  readonly #network: Network;
  /** Of streams that are taken step by step. */
  readonly #lanes: StreamLanes | undefined;
  readonly #settings: PredictorSettings;
  readonly #computer: FrozenComputer;
  readonly #gathering: Gathering;
  readonly #take: Take<unknown>;
  readonly #answers: RowOutputs;
  /** The inputs, each with memory for rows of {@link run} that are not as the network takes them. */
  readonly #given: readonly RunInput[];
  readonly #forms: readonly CallInput[];
  #refreshes = 0;
  #refreshing: Promise<void> | undefined;
  #closed = false;

  /** @internal */
  constructor(given: Network, settings: PredictorSettings, as: A) {
    this.#lanes = settings.stateful ? new StreamLanes(given, settings.maxBatch) : undefined;
    const network = this.#lanes ?? given;
    this.#network = network;
    this.#settings = settings;
    this.#computer = new FrozenComputer(network, settings);
    this.#gathering = new Gathering(this.#computer, settings.maxQueue);
    this.rows = network.rows;
    this.#answers = new RowOutputs(network.rows);
    this.#given = callInputs(network.rows.inputs).map((input) => new RunInput(input, settings.maxBatch));
    this.#forms = this.#given.map(({ input }) => input);
    this.inputs = this.#given.reduce((sum, { input }) => sum + input.columns, 0);
    this.outputs = this.#answers.columns;
    this.maxBatch = settings.maxBatch;
    this.as = as;
    this.#take = takerOf(as, this.#answers);
  }

  /**
   * The answer of the predictor ({@link PredictorOptions.as}) for `x`: [rows, inputs] as `predict` takes it, or one row as a plain array of
   * numbers; computed now, on the calling thread and `threads` − 1 others. The answer is the caller's own.
   *
   * Errors: more rows than `maxBatch` (`ERR_SHAPE`); rows of another width, a value that is no finite float32, NaN too (`ERR_DATA`);
   * a predictor that was closed (`ERR_STATE`).
   */
  run(x: RowsOf<In, E>): Predicted<A, Out>;
  /**
   * The same, written to `into`, which is given back: at least rows · outputs floats, of which the first are written. Nothing is
   * allocated for f32 and plain rows. Not for labels (`ERR_STATE`).
   */
  run<I extends Float32Array>(x: RowsOf<In, E>, into: A extends "labels" ? never : I): I;
  run(x: unknown, into?: Float32Array): unknown {
    this.#expectOpen("run");
    const { outputs } = this;
    const rows = countCall("run.x", x, this.#forms);
    if (rows > this.maxBatch) failRows("run.x", rows, this.maxBatch);
    const { program, described } = this.#computer;
    if (into !== undefined) this.#checkInto(into, rows * outputs);
    const y = into ?? new Float32Array(rows * outputs);
    program.runInto(this.#rowsOf(x, rows, described), rows, y, threadsFor(this.#settings.threads));
    if (into === undefined) return this.#take(y, 0, rows, described, true);
    if (hasUnits(described)) {
      this.#answers.restore(y.subarray(0, rows * outputs), described);
    }
    return into;
  }

  /**
   * The answer of {@link run}, computed on native threads, or at the end of this turn of the event loop where that is shorter than the way
   * to another thread. Calls that come meanwhile are gathered into the next batch; a call's rows stay together, and have the bits that
   * they have alone. `x` is copied before this returns, the answer is the caller's own.
   *
   * Rejects as {@link run} throws, and with `ERR_QUEUE_FULL` where `maxQueue` rows would be exceeded.
   */
  submit(x: RowsOf<In, E>, options?: SubmitOptions): Promise<Predicted<A, Out>>;
  submit(x: unknown, options?: SubmitOptions): Promise<unknown> {
    if (options !== undefined || this.#closed || this.#lanes !== undefined) return this.#submit(x, options);
    return this.#gathering.submit("submit.x", x, this.#take, this.#settings, this.maxBatch);
  }

  async #submit(x: unknown, options: SubmitOptions = {}): Promise<unknown> {
    this.#expectOpen("submit");
    this.#expectRows("submit");
    checkKeys("submit", options, ["signal"]);
    const { threads } = this.#settings;
    const signal = checkSignal("submit", options.signal);
    return await this.#gathering.submit("submit.x", x, this.#take, { threads, signal }, this.maxBatch);
  }

  /**
   * Begins the stream of a lane anew, or those of all lanes: what layers have kept of its steps is 0 again. `ERR_STATE` unless the predictor is `stateful`, `ERR_OPTION` for a
   * lane that there is not.
   */
  reset(lane?: number): void {
    this.#expectOpen("reset");
    if (this.#lanes === undefined) fail("ERR_STATE", "reset", "a predictor with { stateful: true }", this);
    this.#lanes.reset(lane);
  }

  /** Figures of `submit`, of this moment. */
  get statistics(): PredictorStatistics {
    const { weightBytes } = this.#computer.program;
    return { ...this.#gathering.counts, refreshes: this.#refreshes, weightBytes };
  }

  /**
   * Takes the weights, units and class names that the model has now; beside a run, those between two of its steps. A batch under way
   * ends with those before; what begins behind the promise has the new ones.
   */
  async refresh(): Promise<void> {
    this.#expectOpen("refresh");
    const before = this.#refreshing;
    const refreshing = (async () => {
      await before?.catch(() => undefined);
      await this.#computer.refresh();
      this.#refreshes += 1;
    })();
    this.#refreshing = refreshing;
    await refreshing;
  }

  /**
   * How far this predictor's form of the weights is from f32, over these rows, any number of them: of the weights that the model has
   * now, in the units that the predictor answers in.
   */
  async error(x: RowsOf<In, E>): Promise<FormError> {
    this.#expectOpen("error");
    this.#expectRows("error");
    const { formOf, as, maxBatch } = this.#settings;
    const normalizations = normalizationsFor(as, this.#network.described());
    return await measureError("error.x", this.#network, { formOf, normalizations, maxBatch }, x);
  }

  /** Takes no more calls; resolves when those that were made are answered. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#gathering.settled();
    await this.#refreshing?.catch(() => undefined);
  }

  /** {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal */
  [INSPECT](depth: number | null, options: InspectOptions, inspect: Inspect): string {
    const { as, maxBatch } = this;
    const title = `Predictor [${this.inputs}] → [${this.outputs}]`;
    return inspectDescription({ title, fields: { as, maxBatch, closed: this.#closed } }, depth, options, inspect);
  }

  /** `ERR_STATE` where rows are steps of streams, which have an order. */
  #expectRows(where: string): void {
    if (this.#lanes === undefined) return;
    const problem = `expected a predictor of rows for '${where}' but this one takes steps of streams`;
    throw new CarillonError("ERR_STATE", where, `${problem}: 'run' answers them`);
  }

  #expectOpen(where: string): void {
    if (!this.#closed) return;
    throw new CarillonError("ERR_STATE", where, `expected an open predictor for '${where}' but it was closed`);
  }

  #checkInto(into: unknown, count: number): void {
    if (this.as === "labels") fail("ERR_STATE", "run.into", "a predictor of numbers, not of labels,", into);
    if (areNamed("y", this.rows.outputs))
      fail("ERR_STATE", "run.into", "a predictor of one output without a name", into);
    if (!isFloats(into)) fail("ERR_DTYPE", "run.into", "a Float32Array", into);
    if (isShared(into)) fail("ERR_DTYPE", "run.into", "memory that is not shared", into);
    if (into.length < count) fail("ERR_SHAPE", "run.into", `at least ${count} floats`, into);
  }

  /** The rows as the network takes them: where they lie, if they are that already. */
  #rowsOf(x: unknown, rows: number, described: Described): GivenRows {
    const first = this.#given[0];
    // Without a function of its own, which would be garbage at every call.
    if (first !== undefined && this.#given.length === 1) return first.rowsOf(x, rows, described.inputs[0]);
    return this.#allRowsOf(x, rows, described);
  }

  #allRowsOf(x: unknown, rows: number, { inputs }: Described): GivenRows {
    return this.#given.map((given, at) => given.rowsOf(x, rows, inputs[at]));
  }
}
introduce(Predictor.prototype, "a predictor");

/** Whether outputs are changed back into the units of the data. */
function hasUnits({ outputs }: Described): boolean {
  for (let at = 0; at < outputs.length; at++) if (outputs[at]?.units !== undefined) return true;
  return false;
}

/** An input of {@link Predictor.run}, with memory for rows that are not as the network takes them. */
class RunInput {
  readonly input: CallInput;
  readonly #maxBatch: number;
  #floats: Float32Array = new Float32Array();
  #doubles: Float64Array = new Float64Array();
  #integers: Int32Array = new Int32Array();

  constructor(input: CallInput, maxBatch: number) {
    this.input = input;
    this.#maxBatch = maxBatch;
  }

  rowsOf(x: unknown, rows: number, affine: Affine | undefined): InputRows {
    const { longest } = this.input;
    if (longest !== undefined) {
      return takenLists(listsIn(pathOf("run.x", this.input), rowsIn(x, this.input), this.input), 0, rows);
    }
    if (this.input.dtype === "f32") return this.#floatsOf(x, rows, affine);
    if (this.#integers.length < rows * this.input.columns) this.#integers = new Int32Array(this.#room(rows));
    writeRows(pathOf("run.x", this.input), rowsIn(x, this.input), this.input, this.#integers, 0);
    return this.#integers;
  }

  #floatsOf(x: unknown, rows: number, affine: Affine | undefined): Float32Array {
    const { input } = this;
    const given = rowsIn(x, input);
    const where = pathOf("run.x", input);
    if (affine === undefined && isFloats(given) && !isShared(given)) {
      const bad = firstNotFinite(given);
      return bad < 0 ? given : failValue(where, given, input, bad);
    }
    const count = rows * input.columns;
    if (this.#floats.length < count) this.#floats = new Float32Array(this.#room(rows));
    if (affine === undefined) writeRows(where, given, input, this.#floats, 0);
    else {
      if (this.#doubles.length < count) this.#doubles = new Float64Array(this.#room(rows));
      writeRows(where, given, input, this.#doubles, 0);
      const bad = changeRows(affine, this.#doubles, count, this.#floats);
      if (bad >= 0) failValue(where, this.#doubles, input, bad);
    }
    return this.#floats;
  }

  #room(rows: number): number {
    return roomFor(rows, this.input.columns, this.#maxBatch);
  }
}

/** Whether other threads may write the memory while it is read. */
function isShared({ buffer }: Float32Array): boolean {
  return buffer[Symbol.toStringTag] === "SharedArrayBuffer";
}

/** Computes with a frozen copy until it takes another one, which stands in its place at once: no batch meets a part of it. */
class FrozenComputer implements Computer {
  readonly rows: RowSpecs;
  readonly maxBatch: number;
  readonly work: number;
  readonly #network: Network;
  readonly #settings: PredictorSettings;
  #copy: FrozenCopy;

  constructor(network: Network, settings: PredictorSettings) {
    this.rows = network.rows;
    this.maxBatch = settings.maxBatch;
    this.work = workOf(network);
    this.#network = network;
    this.#settings = settings;
    this.#copy = this.#make();
    this.#copy.takeNow();
  }

  get program(): FrozenProgram {
    return this.#copy.program;
  }

  get described(): Described {
    return this.#copy.described;
  }

  prepare(): undefined {
    return undefined;
  }

  async refresh(): Promise<void> {
    const copy = this.#make();
    await copy.take();
    this.#copy = copy;
  }

  #make(): FrozenCopy {
    const { as, maxBatch, formOf } = this.#settings;
    const copy = new FrozenCopy(this.#network, normalizationsFor(as, this.#network.described()), maxBatch, formOf);
    const { alongBatch } = copy.program;
    if (alongBatch === undefined) return copy;
    throw new CarillonError(
      "ERR_STATE",
      "predictor",
      `expected a network that answers each row by itself for 'predictor' but its '${alongBatch}' works along the batch: ` +
        "use 'predict', or a program",
    );
  }
}

/** {@link Predictor} of a network. */
export function predictorOf<A extends PredictedAs, In extends Sizes, Out extends Sizes, E extends Elements>(
  network: Network,
  settings: PredictorSettings,
  as: A,
): Predictor<A, In, Out, E> {
  return new Predictor(network, settings, as);
}

/** The function applied to each output; `ERR_STATE` where the model has no such answers. */
function normalizationsFor(as: PredictedAs, { outputs }: Described): readonly Normalization[] {
  if (as === "labels") return labelledOf("predictor.as", outputs).map(() => "none");
  return normalizationsOf("predictor.as", outputs, as).map((normalization = "none") => normalization);
}

function takerOf(as: PredictedAs, outputs: RowOutputs): Take<unknown> {
  if (as === "labels") return labelTaker("predictor", outputs);
  return tensorTaker(outputs, (all) => normalizationsOf("predictor.as", all, as));
}
