import { CarillonError, type ErrorCode, isError } from "../errors.js";
import { loadAddon } from "./load.js";
import type { NativeLists } from "./operations.js";

/** The arrays that native code reads and writes. */
export type NativeArray = Float32Array | Int32Array | Uint8Array;

export type NativeDtype = "f32" | "i32" | "u8";

declare const slabBrand: unique symbol;
declare const programBrand: unique symbol;

/** Flat native memory of one dtype, freed by the garbage collector. */
export interface NativeSlab {
  readonly [slabBrand]: true;
}

/** Verified instructions over slabs and an arena. */
export interface NativeProgram {
  readonly [programBrand]: true;
}

/** A fault that data caused: a label that is no class, an index outside the data, a length outside its sequence, a number that is not finite. */
export interface NativeFault {
  readonly what: "label" | "index" | "length" | "finite";
  /** Row of the part of the batch, as the instruction counts rows; of a number that is not finite: the element. */
  readonly row: number;
  /** Of a number that is not finite: which check found it. */
  readonly value: number;
  /** The value should have been in [0, limit). Of a number that is not finite: 1 for ∞, −1 for −∞, 0 for NaN. */
  readonly limit: number;
  /** Of an index: its place in the row, where a row has several. */
  readonly column?: number;
  readonly operation: string;
  /** Number of the instruction in its program. */
  readonly instruction: number;
  /** Rows of the batch before its part that the instruction has worked on. */
  readonly part: number;
}

export interface NativeInfo extends Readonly<Record<keyof NativeLists, readonly string[]>> {
  readonly numericsVersion: number;
  readonly isa: string;
  readonly isas: readonly string[];
  readonly maxStates: number;
  readonly operations: readonly string[];
  /** Of each operation, in the words of native/ops/operation.h: views; integers; doubles. */
  readonly operands: readonly string[];
  /** Forms of packed weights, by number, with bytes of a weight and of the scale of an output. */
  readonly weightForms: readonly NativeWeightForm[];
  /** Packed weights have room for whole panels of so many outputs. */
  readonly packedColumns: number;
}

export interface NativeWeightForm {
  readonly name: string;
  readonly weightBytes: number;
  readonly scaleBytes: number;
}

/** Values that an eager instruction finds where a program has those of its step. */
export interface NativeRegisters {
  readonly seed: number;
  readonly step: number;
  readonly epoch: number;
  readonly rows: number;
  readonly batchOffset: number;
  /** Schedule value 0. */
  readonly rate: number;
}

export interface NativeProgramSpec {
  readonly code: Int32Array;
  /** Slot, dtype, offset, count, batched: five integers a view. */
  readonly views: Float64Array;
  /** `gated`: read between two steps of whoever writes it, without a lease, and so beside a run. */
  readonly slabs: readonly { readonly slab: NativeSlab; readonly writable: boolean; readonly gated?: boolean }[];
  readonly arenaCount: number;
  readonly maxRows: number;
  readonly logColumns: number;
  readonly logRows: number;
  readonly lanes: number;
  readonly seed: number;
  readonly samples: number;
  readonly batch: number;
  readonly shuffle: boolean;
  readonly orderSlot: number;
  /** Slot of the numbers of the samples among the rows of the set; 0 or absent: they are all rows. */
  readonly rowsSlot?: number;
  /** The feed's first epoch is number `originEpoch`, from 0, and begins behind step `originStep`; 0 both where they are absent. */
  readonly originStep?: number;
  readonly originEpoch?: number;
  /** Instructions [microBegin, microEnd) run once a micro-batch; microEnd 0: the whole program is one batch. */
  readonly microBegin: number;
  readonly microEnd: number;
  /** Slots of f32 slabs in whose place `programAnswer` takes the arrays of its caller. */
  readonly inputSlot?: number;
  readonly outputSlot?: number;
}

export interface NativeRunRequest {
  readonly firstStep: number;
  readonly steps: number;
  readonly rows: number;
  /** [steps, lanes] */
  readonly lanes: Float64Array;
  readonly threads: number;
  /** Takes turns with other runs. */
  readonly waits: boolean;
  /** On threads of low priority. */
  readonly background: boolean;
}

export interface NativeRunResult {
  /** Steps finished. */
  readonly steps: number;
  readonly stopped: boolean;
  readonly fault: NativeFault | null;
}

/** Bytes and buffers held now, and allocations since the start, of native memory that programs touch. */
export interface NativeMemory {
  readonly bytes: number;
  readonly buffers: number;
  readonly allocations: number;
}

/** The addon as native/napi/module.cc exports it. */
export interface Native {
  info(): NativeInfo;
  memory(): NativeMemory;
  /** Threads of this process that compute at once, after setting them where they are given. */
  threadLimit(threads?: number): number;
  /** Sets them where nobody has. */
  threadDefault(threads: number): void;
  /** Numbers of the processors that this process may use; elsewhere than on Linux as many as there are, from 0. */
  processors(): readonly number[];
  execute(code: Int32Array, views: readonly NativeArray[], registers: NativeRegisters): NativeFault | null;
  /** One instruction, the words behind which are lanes, on typed arrays at once; views absent from it are null. */
  kernel(
    code: Int32Array,
    seed: number,
    step: number,
    offset: number,
    threads: number,
    ...views: readonly (NativeArray | null)[]
  ): NativeFault | null;
  slabCreate(count: number, dtype: NativeDtype): NativeSlab;
  /** Zeros over memory that nothing was written to yet, on a native thread. */
  slabClear(slab: NativeSlab): Promise<void>;
  slabRead(slab: NativeSlab, offset: number, target: NativeArray): void;
  slabWrite(slab: NativeSlab, offset: number, source: NativeArray): void;
  /** At a step boundary. */
  slabCopy(from: NativeSlab, to: NativeSlab): void;
  /** The same on a native thread, of what `from` holds until something else is written to it. */
  slabCopyLater(from: NativeSlab, to: NativeSlab): Promise<void>;
  /** Each gets the memory of the other, in programs too; `ERR_BUSY` while one of them is used. */
  slabSwap(a: NativeSlab, b: NativeSlab): void;
  programCreate(spec: NativeProgramSpec): NativeProgram;
  programRun(program: NativeProgram, request: NativeRunRequest): Promise<NativeRunResult>;
  programRunSync(program: NativeProgram, request: NativeRunRequest): NativeRunResult;
  /** y from x: [rows, …], both used as they lie, on the calling thread and helpers; allocates nothing. */
  programAnswer(
    program: NativeProgram,
    x: Float32Array,
    rows: number,
    y: Float32Array,
    threads: number,
  ): NativeFault | null;
  /** From the slab of the input to that of the output, on a native thread that stays. */
  programAnswerAsync(program: NativeProgram, rows: number, threads: number): Promise<NativeFault | null>;
  programStop(program: NativeProgram): void;
  programFinished(program: NativeProgram): number;
  programLog(program: NativeProgram, begin: number, target: Float32Array): void;
  /** Milliseconds of a clock that only goes forward. */
  now(): number;
  /** Resolves when the event loop has come to what waits now. */
  turn(): Promise<void>;
  /** Calls `then` once, so many milliseconds later. */
  timerStart(milliseconds: number, then: () => void): number;
  timerStop(timer: number): void;
  /** Keeps the process alive until as many calls of `release` have followed. */
  hold(): void;
  release(): void;
  /**
   * Locks a file that is there, or, given a text, makes one that is not: the number of the lock, which ends with the environment;
   * `"held"` where somebody has it, be it this process, `"unsupported"` where the file system has no locks. The path is one that
   * this process has just opened, as the permissions of Node.js say nothing to native code.
   */
  lockTake(path: string, text: string | null): number | "held" | "unsupported";
  lockRelease(lock: number): void;
}

const NATIVE_CODES: readonly ErrorCode[] = ["ERR_BUSY", "ERR_FILE", "ERR_OPTION"];

/** A native error as a {@link CarillonError}; anything else is passed on as it is. */
function translated(error: unknown, name: string): unknown {
  if (!isError(error) || error instanceof CarillonError) return error;
  const given = "code" in error ? error.code : undefined;
  const code = NATIVE_CODES.find((known) => known === given) ?? "ERR_NATIVE";
  return new CarillonError(code, name, error.message, { cause: error });
}

function translating<A extends readonly unknown[], R>(name: string, call: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    try {
      return call(...args);
    } catch (error) {
      throw translated(error, name);
    }
  };
}

/** All that an addon of this version has. */
const FUNCTIONS: Readonly<Record<keyof Native, true>> = {
  info: true,
  memory: true,
  threadLimit: true,
  threadDefault: true,
  processors: true,
  execute: true,
  kernel: true,
  slabCreate: true,
  slabClear: true,
  slabRead: true,
  slabWrite: true,
  slabCopy: true,
  slabCopyLater: true,
  slabSwap: true,
  programCreate: true,
  programRun: true,
  programRunSync: true,
  programAnswer: true,
  programAnswerAsync: true,
  programStop: true,
  programFinished: true,
  programLog: true,
  now: true,
  turn: true,
  timerStart: true,
  timerStop: true,
  hold: true,
  release: true,
  lockTake: true,
  lockRelease: true,
};

function load(): Native {
  const addon = loadAddon(Object.keys(FUNCTIONS)) as Native; // the one place where the addon's shape is taken on trust
  return {
    info: translating("info", addon.info),
    memory: translating("memory", addon.memory),
    threadLimit: translating("threadLimit", addon.threadLimit),
    threadDefault: translating("threadDefault", addon.threadDefault),
    processors: translating("processors", addon.processors),
    execute: translating("execute", addon.execute),
    kernel: translating("kernel", addon.kernel),
    slabCreate: translating("slabCreate", addon.slabCreate),
    slabClear: translating("slabClear", addon.slabClear),
    slabRead: translating("slabRead", addon.slabRead),
    slabWrite: translating("slabWrite", addon.slabWrite),
    slabCopy: translating("slabCopy", addon.slabCopy),
    slabCopyLater: translating("slabCopyLater", addon.slabCopyLater),
    slabSwap: translating("slabSwap", addon.slabSwap),
    programCreate: translating("programCreate", addon.programCreate),
    programRun: translating("programRun", addon.programRun),
    programRunSync: translating("programRunSync", addon.programRunSync),
    // No list of arguments is made.
    programAnswer: (program, x, rows, y, threads) => {
      try {
        return addon.programAnswer(program, x, rows, y, threads);
      } catch (error) {
        throw translated(error, "programAnswer");
      }
    },
    programAnswerAsync: translating("programAnswerAsync", addon.programAnswerAsync),
    programStop: translating("programStop", addon.programStop),
    programFinished: translating("programFinished", addon.programFinished),
    programLog: translating("programLog", addon.programLog),
    now: addon.now,
    turn: translating("turn", addon.turn),
    timerStart: translating("timerStart", addon.timerStart),
    timerStop: translating("timerStop", addon.timerStop),
    hold: translating("hold", addon.hold),
    release: translating("release", addon.release),
    lockTake: translating("lockTake", addon.lockTake),
    lockRelease: translating("lockRelease", addon.lockRelease),
  };
}

/** The addon, loaded with the package. */
export const native: Native = load();

/** Facts of the machine, read once. An unknown CARILLON_ISA is `ERR_OPTION` here. */
export const nativeInfo: NativeInfo = native.info();
