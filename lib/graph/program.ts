import { type NativeArray, type NativeSlab, native } from "../binding/native.js";
import { THREADS } from "../binding/threads.js";
import { CarillonError, fail, introduce } from "../errors.js";
import { checkBoolean, checkFunction, checkKeys, checkNumber, checkObject, checkOneOf } from "../options.js";
import { copied } from "../tensor/copied.js";
import { INSPECT, type Inspect, type InspectOptions, inspectDescription } from "../tensor/inspect.js";
import { checkShape, type Dtype, elements, formatShape, isBatched, type Shape, sameShape } from "../tensor/shape.js";
import { allocate, Tensor } from "../tensor/tensor.js";
import { Value } from "../tensor/value.js";
import type { Binding } from "./binding.js";
import { CompiledProgram, checkPriority, type Effort, type Priority, type StepRange } from "./compiled.js";
import { giveOut } from "./output.js";
import { givenTensor, type ProgramInput } from "./program_input.js";
import { drawNormal, drawUniform } from "./program_noise.js";
import type { Call, Calls } from "./shared.js";
import { Trace, tracing } from "./trace.js";

/** Shape and dtype of an input; the first axis may be `'batch'`. */
export interface Spec<S extends Shape = Shape, D extends "f32" | "i32" = "f32" | "i32"> {
  readonly shape: S;
  readonly dtype: D;
}

/** An input of a program: `spec(['batch', 784])`, `spec(['batch'], 'i32')`. */
export function spec<const S extends Shape>(shape: S, dtype?: undefined): Spec<S, "f32">;
export function spec<const S extends Shape, const D extends "f32" | "i32">(shape: S, dtype: D): Spec<S, D>;
export function spec<const S extends Shape>(shape: S, dtype: "f32" | "i32" | undefined): Spec<S>;
export function spec(shape: Shape, dtype: "f32" | "i32" = "f32"): Spec {
  if (dtype !== "f32" && dtype !== "i32") fail("ERR_DTYPE", "spec.dtype", "'f32' or 'i32'", dtype);
  return { shape: [...checkShape("spec", shape)], dtype };
}

/** Copies of { shape, dtype } by name, checked: somebody may have written them by hand. */
function checkInputs<I extends Inputs>(inputs: I): I {
  checkObject("program.inputs", inputs);
  const copies = Object.entries(inputs).map(([name, given]) => {
    const where = `program.inputs.${name}`;
    checkObject(where, given);
    const { shape, dtype } = given;
    return [name, { shape: [...checkShape(where, shape)], dtype: checkOneOf(where, dtype, ["f32", "i32"]) }];
  });
  return Object.fromEntries(copies) as I; // the same names
}

type Inputs = Readonly<Record<string, Spec>>;
type Outputs = Readonly<Record<string, Value>>;

/** The context of a program's body while it is traced. */
export interface ProgramContext {
  /** As the program's option. */
  readonly training: boolean;
  /** A number for the next place that draws, such as `ops.dropout(x, { rate: 0.5, site: nextSite() })`. */
  nextSite(): number;
  /**
   * Numbers of the standard normal distribution, drawn anew in every step: a function of (seed, step, place in the body,
   * element). A sum with 1 rounds them to multiples of 2⁻²⁴ or coarser. Nothing flows back.
   */
  normal(shape: Shape): Value;
  /** Numbers uniform in [0, 1], drawn anew in every step: Φ(z) of {@link normal}. */
  uniform(shape: Shape): Value;
}

/** Argument of {@link program}. */
export interface ProgramOptions<I extends Inputs, O extends Outputs> {
  /** Of everything that draws; 0 by default. */
  readonly seed?: number | undefined;
  /** Whether dropout drops; false by default. */
  readonly training?: boolean | undefined;
  readonly inputs: I;
  /** Largest number of rows of inputs whose first axis is `'batch'`; required if there is one. */
  readonly maxBatch?: number | undefined;
  /** Native threads of `run`, at most; by default and in no case more than `runtime.threads`. */
  readonly threads?: number | undefined;
  /** `'background'` lowers the operating system's priority of the threads of `run`; `'normal'` by default. */
  readonly priority?: Priority | undefined;
  /** Steps of the whole training, for schedules; without it a schedule sees the step under way as the last. */
  readonly steps?: number | undefined;
  /** Traced once, in source order: what comes after a `minimize` sees the new weights. */
  body(inputs: { readonly [K in keyof I]: Value }, context: ProgramContext): O;
}

/** The inputs of a call: tensors, or numbers that have the shape of the spec. */
type Arguments<I> = { readonly [K in keyof I]: ProgramInput };

/** Tensors in the place of outputs; integers stand in an Int32Array. */
type Tensors<O> = { readonly [K in keyof O]: Tensor };

/**
 * A traced and compiled body. Each call is one step, counted from 1. Calls of one program, and of programs of which one changes
 * what the other uses, are done one after another in the order in which they were made.
 *
 * A run of `fit` has its model alone: a call that changes the model is `ERR_BUSY` at once; one that only reads it works
 * on a copy of what the last finished step has left, as `predict` does.
 */
export interface Program<I extends Inputs, O extends Outputs> {
  /** Steps done. */
  readonly step: number;
  /** One step, on native threads. The inputs are copied before this returns. */
  run(inputs: Arguments<I>): Promise<Tensors<O>>;
  /** One step, on the calling thread. `ERR_BUSY` while it would have to wait for another call. */
  runSync(inputs: Arguments<I>): Tensors<O>;
}

interface Port {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: Dtype;
  readonly slab: NativeSlab;
}

/** Checked inputs of a call: the elements of each, in the caller's memory. */
interface Given {
  readonly rows: number;
  readonly data: readonly NativeArray[];
}

function sizeOf(shape: Shape, rows: number): number {
  return elements(shape) * (isBatched(shape) ? rows : 1);
}

/** The shape with the rows that there are. */
function concrete(shape: Shape, rows: number): number[] {
  return shape.map((dim) => (dim === "batch" ? rows : dim));
}

function contextOf(trace: Trace): ProgramContext {
  const nextSite = (): number => trace.nextSite();
  return {
    training: trace.training,
    nextSite,
    normal: (shape) => drawNormal("normal", shape, nextSite()),
    uniform: (shape) => drawUniform("uniform", shape, nextSite()),
  };
}

/** Checks the result of a body: an object, maybe empty, and no value or promise, which have no outputs of their own. */
function checkOutputs<O extends Outputs>(outputs: O): O {
  const isObject = typeof outputs === "object" && outputs !== null && !Array.isArray(outputs);
  if (isObject && !(outputs instanceof Value || "then" in outputs)) return outputs;
  return fail("ERR_OPTION", "program.body", "an object of values by name ({} for none)", outputs);
}

/** @internal */
export class TracedProgram<I extends Inputs = Inputs, O extends Outputs = Outputs> implements Program<I, O> {
  /** Of everything that draws. */
  readonly seed: number;
  // Own functions: a program has no copy, and structuredClone throws at them instead of leaving everything else out.
  readonly run = (inputs: Arguments<I>): Promise<Tensors<O>> => this.#run(inputs);
  readonly runSync = (inputs: Arguments<I>): Tensors<O> => this.#runSync(inputs);
  readonly #compiled: CompiledProgram;
  readonly #inputs: readonly Port[];
  readonly #outputs: readonly Port[];
  readonly #maxRows: number;
  readonly #effort: Effort;
  readonly #totalSteps: number | undefined;
  readonly #calls: Calls;
  readonly #first: ReadonlySet<() => void>;
  #step = 0;

  constructor(options: ProgramOptions<I, O>, maxRows: number) {
    const { seed = 0, training = false, inputs, body, threads, priority, steps } = options;
    this.seed = seed;
    this.#maxRows = maxRows;
    this.#effort = { threads, priority };
    this.#totalSteps = steps;
    const trace = new Trace(seed, training);
    const port = (name: string, { shape, dtype }: Pick<Spec, "shape"> & { readonly dtype: Dtype }): Port => {
      return { name, shape, dtype, slab: native.slabCreate(sizeOf(shape, maxRows), dtype) };
    };
    this.#inputs = Object.entries(inputs).map(([name, given]) => port(name, given));
    const values = this.#inputs.map(({ name, shape, dtype }): [string, Value] => {
      return [name, new Value(shape, dtype, { kind: "input", name })];
    });
    this.#outputs = tracing(trace, () => {
      const results = body(Object.fromEntries(values) as { readonly [K in keyof I]: Value }, contextOf(trace));
      const ports = Object.entries(checkOutputs(results)).map(([name, value]) => {
        if (!(value instanceof Value)) fail("ERR_OPTION", `program.body.${name}`, "a value", value);
        if (value.dtype === "u8") {
          const where = `program.body.${name}`;
          throw new CarillonError("ERR_DTYPE", where, `expected dtype f32 or i32 for '${where}' but received u8`);
        }
        const output = port(name, value);
        trace.add(giveOut(value, output.slab));
        return output;
      });
      trace.end();
      return ports;
    });
    const bindings = this.#inputs.map(({ name, slab }): [string, Binding] => [name, { kind: "direct", slab }]);
    const severalIntegers = this.#inputs.filter(({ dtype }) => dtype === "i32").length > 1;
    const isNamed = (): boolean => severalIntegers;
    this.#compiled = new CompiledProgram(trace, { maxRows, bindings: new Map(bindings), isNamed });
    this.#calls = this.#compiled.calls();
    this.#first = trace.first;
  }

  get step(): number {
    return this.#step;
  }

  /** Whether no call is under way. */
  get idle(): boolean {
    return this.#calls.idle;
  }

  /** Goes on behind `step`. */
  restore(step: number): void {
    this.#step = step;
  }

  async #run(inputs: Arguments<I>): Promise<Tensors<O>> {
    const given = this.#check(inputs);
    const call = this.#calls.enter("program.run");
    try {
      // Now, or as soon as the memory of the inputs is free.
      if (call.ready === undefined) this.#write(given);
      else {
        const held = { ...given, data: given.data.map(copied) };
        await call.ready;
        this.#write(held);
      }
      const { beside, range } = this.#begin(call, given.rows);
      await (beside ? this.#compiled.runBeside(range) : this.#compiled.run(range));
      return this.#unload(given.rows);
    } finally {
      call.end();
    }
  }

  #runSync(inputs: Arguments<I>): Tensors<O> {
    const given = this.#check(inputs);
    const call = this.#calls.enterNow("runSync");
    try {
      this.#write(given);
      const { beside, range } = this.#begin(call, given.rows);
      const alone = { ...range, threads: 1 };
      if (beside) this.#compiled.runSyncBeside(alone);
      else this.#compiled.runSync(alone);
      return this.#unload(given.rows);
    } finally {
      call.end();
    }
  }

  /** @internal */
  [INSPECT](depth: number | null, options: InspectOptions, inspect: Inspect): string {
    const ports = (list: readonly Port[]): object =>
      Object.fromEntries(list.map(({ name, shape, dtype }) => [name, `${dtype} ${formatShape(shape)}`]));
    const fields = { step: this.#step, inputs: ports(this.#inputs), outputs: ports(this.#outputs) };
    return inspectDescription({ title: "Program", fields }, depth, options, inspect);
  }

  /** The elements of the inputs in their order, as they were given, and their rows. */
  #check(inputs: Arguments<I>): Given {
    checkKeys(
      "program.inputs",
      inputs,
      this.#inputs.map(({ name }) => name),
    );
    let rows: number | undefined;
    const data = this.#inputs.map(({ name, shape, dtype }) => {
      const value = givenTensor(`program.inputs.${name}`, Reflect.get(inputs, name), { shape, dtype });
      const [first] = value.shape;
      if (isBatched(shape)) rows ??= first;
      const fits = sameShape(concrete(shape, rows ?? 1), value.shape) && value.dtype === dtype;
      if (!fits || (rows ?? 1) > this.#maxRows) {
        throw new CarillonError(
          "ERR_SHAPE",
          `program.inputs.${name}`,
          `expected ${dtype} ${formatShape(shape)} with at most ${this.#maxRows} rows for 'program.inputs.${name}' ` +
            `but received ${value.dtype} ${formatShape(value.shape)}`,
        );
      }
      return value.attached;
    });
    return { rows: rows ?? 1, data };
  }

  #write({ data }: Given): void {
    for (const [index, { slab }] of this.#inputs.entries()) {
      const elements = data[index];
      if (elements !== undefined) native.slabWrite(slab, 0, elements);
    }
  }

  /** Whether the step of a call whose turn has come works beside a run, and what it is. */
  #begin(call: Call, rows: number): { readonly beside: boolean; readonly range: StepRange } {
    for (const prepare of this.#first) prepare();
    const step = { firstStep: this.#step + 1, steps: 1, rows, totalSteps: this.#totalSteps };
    return { beside: call.begin(), range: { ...step, ...this.#effort } };
  }

  #unload(rows: number): Tensors<O> {
    this.#step += 1;
    const outputs = this.#outputs.map(({ name, shape, dtype, slab }): [string, Tensor] => {
      const data = allocate(dtype, sizeOf(shape, rows));
      native.slabRead(slab, 0, data);
      return [name, new Tensor(data, concrete(shape, rows), dtype)];
    });
    return Object.fromEntries(outputs) as Tensors<O>;
  }
}
introduce(TracedProgram.prototype, "a program");

/**
 * A step written by hand: `body` is traced once, verified, and run natively as often as it is called.
 *
 * @example
 * const trainer = minimizer(model, adam());
 * const step = program({
 *   training: true, maxBatch: 64, inputs: { x: spec(['batch', 784]), y: spec(['batch'], 'i32') },
 *   body({ x, y }) {
 *     const loss = ops.mean(crossEntropy()(model.forward(x), y));
 *     trainer.minimize(loss);
 *     return { loss };
 *   },
 * });
 * const { loss } = await step.run({ x, y });
 */
export function program<const I extends Inputs, O extends Outputs>(options: ProgramOptions<I, O>): Program<I, O> {
  checkKeys("program", options, ["seed", "training", "inputs", "maxBatch", "threads", "priority", "steps", "body"]);
  checkFunction("program.body", options.body);
  if (options.seed !== undefined) checkNumber("program.seed", options.seed, { min: 0, integer: true });
  if (options.training !== undefined) checkBoolean("program.training", options.training);
  if (options.threads !== undefined) checkNumber("program.threads", options.threads, THREADS);
  checkPriority("program.priority", options.priority);
  if (options.steps !== undefined) checkNumber("program.steps", options.steps, { min: 1, integer: true });
  const inputs = checkInputs(options.inputs);
  const batched = Object.values(inputs).some(({ shape }) => isBatched(shape));
  if (batched && options.maxBatch === undefined) {
    fail("ERR_OPTION", "program.maxBatch", "the most rows of a batch, as an input has 'batch',", undefined);
  }
  const maxRows = checkNumber("program.maxBatch", options.maxBatch ?? 1, { min: 1, integer: true });
  return new TracedProgram({ ...options, inputs }, maxRows);
}
