import { fitsMemory, gigabytes } from "../binding/memory.js";
import {
  type NativeProgram,
  type NativeProgramSpec,
  type NativeRunResult,
  type NativeSlab,
  native,
} from "../binding/native.js";
import { threadsFor } from "../binding/threads.js";
import { CarillonError } from "../errors.js";
import { checkOneOf } from "../options.js";
import type { Binding } from "./binding.js";
import { CopyTogether, type SlabCopy } from "./copy.js";
import { type CountedIn, faultError, type LookedUp, placedFault } from "./fault.js";
import type { Lane, ScheduleAt } from "./lane.js";
import { atOnce, type Plan, planInPieces } from "./plan.js";
import { Calls, SharedMemory } from "./shared.js";
import type { Trace } from "./trace.js";
import type { UpdateCounter } from "./update_counter.js";

/** Rows of a data set that the program gathers itself, epoch after epoch. */
export interface Feed {
  readonly samples: number;
  /** Rows a step; the last batch of an epoch may be shorter. */
  readonly batch: number;
  readonly shuffle: boolean;
  /** Where the epochs of these rows begin; before step 1 if it is absent. */
  readonly origin?: FeedOrigin | undefined;
  readonly set?: FedSet | undefined;
  /** Numbers of the samples among the rows of the set, i32; `undefined`: they are all rows. */
  readonly rows?: NativeSlab | undefined;
}

/** The set that the rows of a feed come from. */
export interface FedSet extends CountedIn {
  /** Numbers of the examples of a step that lies in memory, the last of a call; absent where the feed's rows are those of the set. */
  readonly examplesOf?: ((step: number) => ArrayLike<number>) | undefined;
}

/** A step behind which an epoch begins, and the epochs before it. */
export interface FeedOrigin {
  readonly step: number;
  readonly epoch: number;
}

/** Options by which a trace becomes a native program. */
export interface CompileOptions {
  readonly maxRows: number;
  readonly bindings: ReadonlyMap<string, Binding>;
  /** Whether errors name an input; by default as of examples. */
  readonly isNamed?: ((input: string) => boolean) | undefined;
  readonly feed?: Feed | undefined;
  /** Scalars logged a step. */
  readonly logColumns?: number | undefined;
  /** Steps that one call may log. */
  readonly logRows?: number | undefined;
}

/** Threads and priority of a call. */
export interface Effort {
  /** `runtime.threads` by default. */
  readonly threads?: number | undefined;
  /** `'normal'` by default. */
  readonly priority?: Priority | undefined;
  /** Whether the call does not take turns with other runs, as somebody waits for it. */
  readonly prompt?: boolean | undefined;
}

/** Steps of one native call. */
export interface StepRange extends Effort {
  /** From 1. */
  readonly firstStep: number;
  readonly steps: number;
  /** Rows of the batch without a feed; with one, of the last step where it has fewer than the feed gives. */
  readonly rows?: number | undefined;
  /** Steps of the whole run, for schedules, and those of an epoch, or the epoch itself. */
  readonly totalSteps?: number | "unknown" | undefined;
  readonly stepsPerEpoch?: number | undefined;
  readonly epoch?: number | undefined;
  /** Factor of every rate. */
  readonly rateScale?: number | undefined;
}

const START: FeedOrigin = { step: 0, epoch: 0 };

/** The operating system's priority of the threads of a run. */
export type Priority = "normal" | "background";

const PRIORITIES: readonly Priority[] = ["normal", "background"];

export function checkPriority(where: string, priority: Priority | undefined): Priority {
  return priority === undefined ? "normal" : checkOneOf(where, priority, PRIORITIES);
}

/** Numbers that the values of a program may take, as many as its instructions can address. */
const MOST_NUMBERS = 2_147_483_648;

/** `ERR_OPTION` for batches whose rows or values are more than a program can address, or than there is memory for. */
function expectRows(rows: number, numbers: number): void {
  const bytes = numbers * Float32Array.BYTES_PER_ELEMENT;
  if (rows <= MOST_NUMBERS && numbers <= MOST_NUMBERS && fitsMemory(bytes)) return;
  const received = `${rows} rows${numbers === 0 ? "" : `, whose values take ${gigabytes(bytes)}`}`;
  throw new CarillonError("ERR_OPTION", "batchSize", `expected a batch that fits into memory but received ${received}`);
}

/** A plan, and the memory of the order of an epoch. */
type OrderedPlan = Plan & { readonly order: NativeSlab | undefined };

function* plannedInPieces(trace: Trace, options: CompileOptions): Generator<void, OrderedPlan> {
  const { maxRows, bindings, isNamed, feed } = options;
  expectRows(maxRows, 0);
  const order = feed === undefined ? undefined : native.slabCreate(Math.max(feed.samples, maxRows), "i32");
  return { ...(yield* planInPieces(trace, { maxRows, bindings, isNamed, order, rows: feed?.rows })), order };
}

/** A verified native program with the schedules of its trace. */
export class CompiledProgram {
  readonly #spec: NativeProgramSpec;
  readonly #native: NativeProgram;
  #beside: Beside | undefined;
  readonly #lanes: readonly Lane[];
  readonly #updates: ReadonlyMap<UpdateCounter, number>;
  readonly #laneCount: number;
  readonly #lookedUp: ReadonlyMap<number, LookedUp>;
  readonly #order: NativeSlab | undefined;
  readonly #feed: Feed | undefined;
  readonly #origin: FeedOrigin;
  #started = false;
  readonly logColumns: number;
  readonly logRows: number;

  constructor(trace: Trace, options: CompileOptions, planned = atOnce(plannedInPieces(trace, options))) {
    const { maxRows, feed, logColumns = 0, logRows = 0 } = options;
    const { code, views, slabs, arenaCount, lookedUp, orderSlot, rowsSlot, microBegin, microEnd, order } = planned;
    expectRows(maxRows, arenaCount);
    this.logColumns = logColumns;
    this.logRows = logRows;
    this.#lookedUp = lookedUp;
    this.#order = order;
    this.#feed = feed;
    this.#origin = feed?.origin ?? START;
    this.#lanes = trace.lanes;
    this.#updates = trace.updates;
    this.#laneCount = trace.laneCount;
    const fed = orderSlot !== 0;
    this.#spec = {
      code,
      views,
      slabs,
      arenaCount,
      maxRows,
      logColumns,
      logRows,
      lanes: trace.laneCount,
      seed: trace.seed,
      samples: fed ? (feed?.samples ?? 0) : 0,
      batch: fed ? (feed?.batch ?? 0) : 0,
      shuffle: feed?.shuffle ?? false,
      orderSlot,
      rowsSlot: fed ? rowsSlot : 0,
      originStep: fed ? this.#origin.step : 0,
      originEpoch: fed ? this.#origin.epoch : 0,
      microBegin,
      microEnd,
    };
    this.#native = native.programCreate(this.#spec);
  }

  /** The program one piece at each `next`: where this code runs for the first time it takes some milliseconds. */
  static *inPieces(trace: Trace, options: CompileOptions): Generator<void, CompiledProgram> {
    const planned = yield* plannedInPieces(trace, options);
    yield;
    return new CompiledProgram(trace, options, planned);
  }

  /** Calls over its shared memory. */
  calls(): Calls {
    return new Calls(this.#spec.slabs);
  }

  /** Runs on native threads; resolves after the last step, the step in hand at a stop, or the first impossible step. */
  async run(range: StepRange): Promise<NativeRunResult> {
    this.#started = false;
    const running = native.programRun(this.#native, this.#request(range));
    this.#started = true;
    return this.#counted(await running, range);
  }

  /** Runs on the calling thread. */
  runSync(range: StepRange): NativeRunResult {
    this.#started = false;
    const result = native.programRunSync(this.#native, this.#request(range));
    this.#started = true;
    return this.#counted(result, range);
  }

  /** As {@link run}, over copies of the shared memory that is only read: of what was there after a finished step. */
  async runBeside(range: StepRange): Promise<NativeRunResult> {
    return this.#counted(await native.programRun(this.#refreshed(), this.#request(range)), range);
  }

  /** As {@link runBeside}, on the calling thread. */
  runSyncBeside(range: StepRange): NativeRunResult {
    return this.#counted(native.programRunSync(this.#refreshed(), this.#request(range)), range);
  }

  /**
   * The result of a call, once its minimizers know of its updates. Throws what the data made impossible; what the guard of a guarded trace
   * found is the caller's to tell.
   */
  #counted(result: NativeRunResult, { firstStep }: StepRange): NativeRunResult {
    for (const [counter, updates] of this.#updates) counter.add(result.steps, result.steps * updates);
    const { fault } = result;
    if (fault === null || fault.what === "finite") return result;
    const placed = placedFault(fault, this.#lookedUp);
    const set = this.#feed?.set;
    if (set === undefined) throw faultError(placed);
    const step = firstStep + result.steps;
    const row = (set.examplesOf?.(step) ?? this.batchOf(step))[placed.row] ?? placed.row;
    throw faultError({ ...placed, row }, set);
  }

  #refreshed(): NativeProgram {
    this.#beside ??= besideOf(this.#spec);
    this.#beside.refresh();
    return this.#beside.program;
  }

  /** Ends the call under way after the step in hand. */
  stop(): void {
    native.programStop(this.#native);
  }

  /** Steps that the call under way, or the last one, has finished; 0 after a call that could not start. */
  get finished(): number {
    return this.#started ? native.programFinished(this.#native) : 0;
  }

  /** Examples of the batch of `step`, the last that ran: indices into the data; none without a feed. */
  batchOf(step: number): Int32Array {
    if (this.#feed === undefined || this.#order === undefined) return new Int32Array();
    const { samples, batch } = this.#feed;
    const begin = ((step - 1 - this.#origin.step) % Math.ceil(samples / batch)) * batch;
    const examples = new Int32Array(Math.min(batch, samples - begin));
    native.slabRead(this.#order, begin, examples);
    return examples;
  }

  /** The log of steps [begin, end) of the call: `logColumns` values each. */
  log(begin: number, end: number): Float32Array {
    const rows = new Float32Array((end - begin) * this.logColumns);
    native.programLog(this.#native, begin, rows);
    return rows;
  }

  #request(range: StepRange): Parameters<typeof native.programRun>[1] {
    const { firstStep, steps, rows = 0, rateScale = 1 } = range;
    const { priority = "normal", prompt = false } = range;
    const lanes = new Float64Array(steps * this.#laneCount);
    // An update goes by the counts of its minimizer, which other programs may have moved on too.
    const places = this.#lanes.map(({ first, rate, update, scales }) => {
      const counts = update?.counter.counts ?? { steps: firstStep - 1, updates: 0 };
      const updatesPerStep = update === null ? 0 : (this.#updates.get(update.counter) ?? 0);
      const factor = scales ? rateScale : 1;
      return { first, rate, factor, scalars: update?.scalars ?? null, ...counts, updatesPerStep };
    });
    for (let index = 0; index < steps; index++) {
      for (const { first, rate, factor, scalars, steps: made, updates, updatesPerStep } of places) {
        const begin = index * this.#laneCount + first;
        lanes[begin] = rate(rateAt(made + index + 1, range, made + steps, this.#origin)) * factor;
        if (scalars !== null) lanes.set(scalars(updates + index * updatesPerStep), begin + 1);
      }
    }
    const threads = threadsFor(range.threads);
    return { firstStep, steps, rows, lanes, threads, waits: !prompt, background: priority === "background" };
  }
}

/** A program over copies of what it shares and only reads. */
interface Beside {
  readonly program: NativeProgram;
  /** Brings what is read up to the last finished step. */
  refresh(): void;
}

function besideOf(spec: NativeProgramSpec): Beside {
  const copies: SlabCopy[] = [];
  const slabs = spec.slabs.map(({ slab, writable }) => {
    const shared = writable ? undefined : SharedMemory.find(slab);
    if (shared === undefined) return { slab, writable };
    const copy = native.slabCreate(shared.count, "f32");
    copies.push({ from: slab, to: copy, count: shared.count });
    return { slab: copy, writable };
  });
  return { program: native.programCreate({ ...spec, slabs }), refresh: refreshing(copies) };
}

/** Copies slabs as they are between two steps of whoever writes them; all of one step. */
function refreshing(copies: readonly SlabCopy[]): () => void {
  const [only, ...others] = copies;
  if (only !== undefined && others.length === 0) return () => native.slabCopy(only.from, only.to);
  const together = new CopyTogether(copies);
  return () => together.now();
}

/** Where a run stands at `step`; `last` is the last step of the call, and of the run where nobody tells. */
function rateAt(
  step: number,
  { totalSteps, stepsPerEpoch, epoch }: StepRange,
  last: number,
  origin: FeedOrigin,
): ScheduleAt {
  const total = totalSteps ?? last;
  const epochSteps = stepsPerEpoch ?? (total === "unknown" ? 1 : total);
  return {
    step,
    epoch: epoch ?? origin.epoch + Math.floor((step - 1 - origin.step) / epochSteps) + 1,
    get steps(): number {
      return total === "unknown" ? failUnknownSteps(step) : total;
    },
  };
}

function failUnknownSteps(step: number): never {
  throw new CarillonError(
    "ERR_OPTION",
    "schedule",
    `expected a schedule that does without 'steps' at step ${step}, as a stream does not tell how many there will be: ` +
      "give the run, or the schedule, its number of steps",
  );
}
