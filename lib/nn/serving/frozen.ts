import {
  type NativeFault,
  type NativeProgram,
  type NativeProgramSpec,
  type NativeSlab,
  native,
} from "../../binding/native.js";
import { threadLimit } from "../../binding/threads.js";
import { makeRoom } from "../../data/room.js";
import { Turns } from "../../data/turns.js";
import { CarillonError } from "../../errors.js";
import { alongBatch } from "../../graph/along_batch.js";
import { type Fault, faultError, type LookedUp, placedFault, THE_CALL } from "../../graph/fault.js";
import { Freezer, type FrozenSlab } from "../../graph/freeze.js";
import { giveOut } from "../../graph/output.js";
import type { WeightForm } from "../../graph/passes/frozen_products.js";
import { atOnce, type Plan, planInPieces } from "../../graph/plan.js";
import { Trace, tracing } from "../../graph/trace.js";
import { isFloats } from "../../tensor/arrays.js";
import { pathsOf, type RowSpec } from "../../tensor/row_spec.js";
import { formatShape } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";
import { FrozenInput, type InputRows } from "./frozen_input.js";

/** Options of a {@link FrozenProgram}. */
export interface FrozenOptions {
  /** Records the network at inference over the memory of its weights: [batch, n]. */
  readonly forward: (...inputs: readonly Value[]) => Value;
  readonly inputs: readonly RowSpec[];
  /** Memory that `forward` reads besides, by the names of its inputs, which are known once it has been called. */
  readonly kept?: ReadonlyMap<string, NativeSlab> | undefined;
  /** Rows of a call at most. */
  readonly maxBatch: number;
  /** The form of the weights of products that stand at an offset, in floats, of a slab; f32 by default. */
  readonly formOf?: ((slab: NativeSlab, offset: number) => WeightForm) | undefined;
}

/** Rows of a call: of a single input as they are, otherwise a list. */
export type GivenRows = InputRows | readonly InputRows[];

/** The rows of each input, as `rowsOf` gives them. */
export function givenRows<T>(inputs: readonly T[], rowsOf: (input: T, at: number) => InputRows): GivenRows {
  const [first] = inputs;
  return first !== undefined && inputs.length === 1 ? rowsOf(first, 0) : inputs.map(rowsOf);
}

/** Memory that a program reads its rows from, and writes its outputs to. */
interface Ends {
  /** Of the ports of each input. */
  readonly inputs: readonly (readonly NativeSlab[])[];
  readonly output: NativeSlab;
}

/** A program over memory at both of its ends. */
interface Line extends Ends {
  readonly program: NativeProgram;
}

/** One copy of the weights, with what fills it and what reads it. */
interface Copy {
  readonly packing: NativeProgram;
  /** On the calling thread. */
  readonly here: Line;
  /** On native threads; made when it is first needed. */
  there: Line | undefined;
  /** The slabs of this copy in the place of those of the plan. */
  readonly instead: ReadonlyMap<NativeSlab, NativeSlab>;
  /** Which packing has filled it: later ones have higher numbers, 0 none. */
  filled: number;
  /** Whether a call on native threads, or one that packs, has it. */
  busy: boolean;
}

/** A network that was recorded and planned. */
interface Planned extends Ends {
  readonly frozen: readonly FrozenInput[];
  readonly outputs: number;
  readonly alongBatch: string | undefined;
  readonly trace: Trace;
  readonly freezer: Freezer;
  readonly instructions: Plan;
}

/** Records and plans a network, one piece at each `next`. */
function* prepareInPieces({
  forward,
  inputs,
  kept,
  maxBatch,
  formOf = () => "f32",
}: FrozenOptions): Generator<void, Planned> {
  const trace = new Trace(0, false);
  const paths = pathsOf("x", inputs);
  const frozen = inputs.map((input, at) => new FrozenInput({ ...input, name: paths[at] ?? input.name }, maxBatch));
  const y = tracing(trace, () => {
    const values = frozen.map((input) => input.value());
    const output = forward(...values);
    for (const [at, input] of frozen.entries()) input.note(values[at] ?? output);
    return output;
  });
  yield;
  const outputs = checkOutputs(y);
  const output = native.slabCreate(maxBatch * outputs, "f32");
  trace.add(giveOut(y, output));
  const slabs = frozen.map(({ ports }) => ports.map(({ count, dtype }) => native.slabCreate(count, dtype)));
  const freezer = new Freezer(formOf);
  yield;
  const own = frozen.flatMap(({ ports }, at) => ports.map(({ name }, port) => [name, slabs[at]?.[port]] as const));
  const named = [...own, ...(kept ?? [])];
  const bindings = new Map(
    named.flatMap(([name, slab]) => (slab === undefined ? [] : [[name, { kind: "direct", slab } as const] as const])),
  );
  const instructions = yield* planInPieces(trace, { maxRows: maxBatch, bindings, replacement: freezer });
  return { frozen, outputs, alongBatch: alongBatch(y), inputs: slabs, output, trace, freezer, instructions };
}

const NO_LANES = new Float64Array(0);

/**
 * A network at inference over a copy of its weights that is packed for serving. Calls answer from the weights of the last
 * packing; every element has the bits of the unpacked program (for f32), whatever the batch, the threads and the machine.
 */
export class FrozenProgram {
  readonly inputs: readonly RowSpec[];
  /** The inputs with their memory. */
  readonly taken: readonly FrozenInput[];
  /** Columns of y. */
  readonly outputs: number;
  readonly maxBatch: number;
  /** An operation by which the outputs of a row depend on the other rows of its call; `undefined` where there is none. */
  readonly alongBatch: string | undefined;
  /** Bytes of the packed weights of products. */
  readonly weightBytes: number;
  /** Whether rows are read where the caller has them: those of a single input of floats. */
  readonly #direct: boolean;
  readonly #own: readonly FrozenSlab[];
  readonly #packing: NativeProgramSpec;
  readonly #spec: NativeProgramSpec;
  readonly #first: ReadonlySet<() => void>;
  readonly #lookedUp: ReadonlyMap<number, LookedUp>;
  readonly #ends: Ends;
  #current: Copy;
  #spare: Copy | undefined;
  #packings = 0;

  /** @param planned What {@link prepareInPieces} gives, if that was asked already. */
  constructor(options: FrozenOptions, planned: Planned = atOnce(prepareInPieces(options))) {
    const { outputs, inputs: slabsOfInputs, output, trace, freezer, instructions } = planned;
    const { inputs, maxBatch } = options;
    const { code, views, slabs, arenaCount, lookedUp } = instructions;
    const slotOf = (slab: NativeSlab): number => slabs.findIndex((each) => each.slab === slab) + 1;
    const [first] = slabsOfInputs[0] ?? [];
    this.inputs = inputs;
    this.taken = planned.frozen;
    this.#direct = inputs.length === 1 && inputs[0]?.dtype === "f32";
    this.outputs = outputs;
    this.maxBatch = maxBatch;
    this.alongBatch = planned.alongBatch;
    this.weightBytes = freezer.weightBytes;
    this.#own = freezer.own;
    this.#packing = freezer.packing();
    this.#first = trace.first;
    this.#lookedUp = lookedUp;
    this.#ends = { inputs: slabsOfInputs, output };
    this.#spec = {
      ...this.#packing,
      code,
      views,
      slabs,
      arenaCount,
      maxRows: maxBatch,
      ...(this.#direct ? { inputSlot: first === undefined ? 0 : slotOf(first), outputSlot: slotOf(output) } : {}),
    };
    this.#current = this.#copyOver(new Map());
  }

  /** Makes it with turns of the event loop in between: where none was made before, the code alone takes some milliseconds. */
  static async inTurns(options: FrozenOptions): Promise<FrozenProgram> {
    return new FrozenProgram(options, await new Turns().through(prepareInPieces(options)));
  }

  /** Whether there is a packing to answer from. */
  get packed(): boolean {
    return this.#current.filled > 0;
  }

  /** Packs the weights as they stand between two steps, on the calling thread and helpers. */
  packNow(): void {
    const copy = this.#current.busy ? this.#takeSpare() : this.#current;
    for (const prepare of this.#first) prepare();
    this.#packings += 1;
    native.programRunSync(copy.packing, packingRequest());
    copy.filled = this.#packings;
    this.#use(copy);
  }

  /** Packs them on native threads. Calls answer from the packing before until it is over. */
  async pack(): Promise<void> {
    const copy = this.packed || this.#current.busy ? this.#takeSpare() : this.#current;
    for (const prepare of this.#first) prepare();
    this.#packings += 1;
    const number = this.#packings;
    copy.busy = true;
    try {
      await native.programRun(copy.packing, packingRequest());
      copy.filled = number;
    } finally {
      copy.busy = false;
    }
    this.#use(copy);
  }

  /**
   * y: [rows, outputs] from x: [rows, …], on the calling thread and at most `threads` − 1 helpers; both are used as they lie and nothing is
   * allocated, where x is a single input of floats, else they are copied. They may be the same memory. A number that is out of range is told by
   * its row, counted from `begin` on.
   */
  runInto(x: GivenRows, rows: number, y: Float32Array, threads: number, begin = 0): void {
    checkFault(this.tryInto(x, rows, y, threads), begin);
  }

  /** {@link runInto} on native threads. x stays as it is until then. One call at a time, else `ERR_BUSY`. */
  async runAsync(x: GivenRows, rows: number, y: Float32Array, threads: number, begin = 0): Promise<void> {
    checkFault(await this.tryAsync(x, rows, y, threads), begin);
  }

  /** {@link runInto} that gives what is wrong with a row, instead of throwing it; y is of no use then. */
  tryInto(x: GivenRows, rows: number, y: Float32Array, threads: number): Fault | null {
    const { here } = this.#filled();
    if (this.#direct) return this.#placed(native.programAnswer(here.program, onlyOf(x), rows, y, threads), 0);
    for (let from = 0; from < rows; ) {
      const to = this.#write(here, x, from, rows);
      const { fault } = native.programRunSync(here.program, requestOf(to - from, threads));
      if (fault !== null) return this.#placed(fault, from);
      this.#read(here, y, from, to);
      from = to;
    }
    return null;
  }

  /** {@link runAsync} that gives what is wrong with a row, as {@link tryInto} does. */
  async tryAsync(x: GivenRows, rows: number, y: Float32Array, threads: number): Promise<Fault | null> {
    const copy = this.#filled();
    if (copy.busy) throw new CarillonError("ERR_BUSY", "run", "expected one call at a time for 'run'");
    copy.busy = true;
    try {
      copy.there ??= await this.#lineApart(copy);
      const { program } = copy.there;
      for (let from = 0; from < rows; ) {
        const to = this.#write(copy.there, x, from, rows);
        const fault = this.#direct
          ? await native.programAnswerAsync(program, to - from, threads)
          : (await native.programRun(program, requestOf(to - from, threads))).fault;
        if (fault !== null) return this.#placed(fault, from);
        this.#read(copy.there, y, from, to);
        from = to;
      }
    } finally {
      copy.busy = false;
    }
    return null;
  }

  /** A fault in rows of which row `from` was the first. */
  #placed(fault: NativeFault | null, from: number): Fault | null {
    if (fault === null) return null;
    const placed = placedFault(fault, this.#lookedUp);
    return { ...placed, row: from + placed.row };
  }

  /** Copies rows from row `from` on: all that are left, but of long lists as many as there is room for. The row behind them. */
  #write({ inputs }: Line, x: GivenRows, from: number, rows: number): number {
    let to = rows;
    for (let at = 0; at < inputs.length; at++) {
      const [input, given] = [this.taken[at], isList(x) ? x[at] : x];
      if (input !== undefined && given !== undefined) to = input.until(given, from, to);
    }
    if (to < rows && this.alongBatch !== undefined) {
      const expected = `expected fewer ids for 'x', as '${this.alongBatch}' of the network works along the batch,`;
      throw new CarillonError(
        "ERR_SHAPE",
        "x",
        `${expected} but received lists of which ${to - from} rows are too many`,
      );
    }
    for (let at = 0; at < inputs.length; at++) {
      const [input, slabs, given] = [this.taken[at], inputs[at], isList(x) ? x[at] : x];
      if (input !== undefined && slabs !== undefined && given !== undefined) input.write(given, from, to, slabs);
    }
    return to;
  }

  #read({ output }: Line, y: Float32Array, from: number, to: number): void {
    native.slabRead(output, 0, y.subarray(from * this.outputs, to * this.outputs));
  }

  #filled(): Copy {
    if (this.#current.filled > 0) return this.#current;
    throw new CarillonError("ERR_STATE", "run", "expected weights that are packed for 'run'");
  }

  /** A copy that nobody uses. */
  #takeSpare(): Copy {
    const spare = this.#spare;
    if (spare !== undefined && !spare.busy) return spare;
    return this.#copyOver(new Map(this.#own.map(({ slab, count, dtype }) => [slab, native.slabCreate(count, dtype)])));
  }

  /** Answers come from `copy` unless a later packing has been faster. */
  #use(copy: Copy): void {
    if (copy === this.#current) return;
    if (copy.filled < this.#current.filled) {
      this.#spare = copy;
      return;
    }
    this.#spare = this.#current;
    this.#current = copy;
  }

  #copyOver(instead: ReadonlyMap<NativeSlab, NativeSlab>): Copy {
    const packing = native.programCreate(replaced(this.#packing, instead));
    return { packing, here: this.#lineOf(instead, this.#ends), there: undefined, instead, filled: 0, busy: false };
  }

  /** With memory of its own at both ends. */
  async #lineApart({ instead }: Copy): Promise<Line> {
    const inputs: NativeSlab[][] = [];
    for (const { ports } of this.taken) {
      const slabs: NativeSlab[] = [];
      for (const { count, dtype } of ports) slabs.push(await makeRoom(count, dtype));
      inputs.push(slabs);
    }
    const output = native.slabCreate(this.maxBatch * this.outputs, "f32"); // native threads write it first
    return this.#lineOf(instead, { inputs, output });
  }

  #lineOf(instead: ReadonlyMap<NativeSlab, NativeSlab>, ends: Ends): Line {
    const all = new Map([...instead, [this.#ends.output, ends.output]]);
    for (const [at, slabs] of this.#ends.inputs.entries()) {
      for (const [port, slab] of slabs.entries()) all.set(slab, ends.inputs[at]?.[port] ?? slab);
    }
    return { program: native.programCreate(replaced(this.#spec, all)), ...ends };
  }
}

/** Throws what is wrong with a row of a call, of which row `begin` was the first that was computed. */
function checkFault(fault: Fault | null, begin: number): void {
  if (fault !== null) throw faultError({ ...fault, row: begin + fault.row }, THE_CALL);
}

function replaced(spec: NativeProgramSpec, instead: ReadonlyMap<NativeSlab, NativeSlab>): NativeProgramSpec {
  return { ...spec, slabs: spec.slabs.map((each) => ({ ...each, slab: instead.get(each.slab) ?? each.slab })) };
}

function isList(x: GivenRows): x is readonly InputRows[] {
  return Array.isArray(x);
}

/** The rows of a single input. */
function onlyOf(x: GivenRows): Float32Array {
  const first = isList(x) ? x[0] : x;
  if (isFloats(first)) return first;
  throw new CarillonError("ERR_DTYPE", "run", "expected floats for 'run'");
}

function packingRequest(): Parameters<typeof native.programRun>[1] {
  return requestOf(1, threadLimit());
}

function requestOf(rows: number, threads: number): Parameters<typeof native.programRun>[1] {
  return { firstStep: 1, steps: 1, rows, lanes: NO_LANES, threads, waits: false, background: false };
}

/** Columns of [batch, n]; else `ERR_SHAPE`. */
function checkOutputs(y: Value): number {
  const last = y.shape.at(-1);
  if (y.shape.length === 2 && y.shape[0] === "batch" && last !== undefined && last !== "batch") return last;
  throw new CarillonError(
    "ERR_SHAPE",
    "predict",
    `expected an output of [batch, n] for 'predict' but the model gives ${formatShape(y.shape)}`,
  );
}
