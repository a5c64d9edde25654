import { type NativeSlab, native } from "../binding/native.js";
import { type BoundMatrix, bindFeatures, type Features } from "../data/dataset.js";
import { isTensorLike } from "../data/member.js";
import { type Affine, restoreRows, type Transforms, transformRows } from "../data/transform.js";
import { CarillonError } from "../errors.js";
import { CompiledProgram, type StepRange } from "../graph/compiled.js";
import { Trace, tracing } from "../graph/trace.js";
import { isFloats } from "../tensor/arrays.js";
import { copied, isTypedArray } from "../tensor/copied.js";
import { formatShape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { Value } from "../tensor/value.js";

/** The output of a network at inference, recorded for symbolic inputs. */
export type Forward = (x: Value) => Value;

/** How a prediction is worked on. */
export interface Work {
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Whether the inputs are nobody else's; otherwise what is not read at once is copied at once. */
  readonly owned?: boolean | undefined;
}

/** Runs a network at inference on batches of at most `maxBatch` rows. One call at a time. */
export class ForwardProgram {
  readonly #program: CompiledProgram;
  readonly #input: NativeSlab;
  readonly #output: NativeSlab;
  readonly #inputs: number;
  readonly #outputs: number;
  readonly #maxBatch: number;

  constructor(forward: Forward, inputs: number, maxBatch: number) {
    const trace = new Trace(0, false);
    const x = new Value(["batch", inputs], "f32", { kind: "input", name: "x" });
    const { slab, columns } = tracing(trace, () => {
      const y = forward(x);
      const last = y.shape.at(-1);
      if (y.shape.length !== 2 || y.shape[0] !== "batch" || last === undefined || last === "batch") {
        throw new CarillonError(
          "ERR_SHAPE",
          "predict",
          `expected an output of [batch, n] for 'predict' but the model gives ${formatShape(y.shape)}`,
        );
      }
      const output = native.slabCreate(maxBatch * last, "f32");
      trace.add({ kind: "output", value: y, slab: output });
      return { slab: output, columns: last };
    });
    this.#inputs = inputs;
    this.#outputs = columns;
    this.#maxBatch = maxBatch;
    this.#input = native.slabCreate(maxBatch * inputs, "f32");
    this.#output = slab;
    const bindings = new Map([["x", { kind: "direct", slab: this.#input } as const]]);
    this.#program = new CompiledProgram(trace, { maxRows: maxBatch, bindings });
  }

  /**
   * [rows, outputs] of x: [rows, inputs], both in the units of the data, on native threads, batch by batch; an aborted signal
   * ends it between two.
   */
  async run(x: Features, { inputs, targets }: Transforms, work: Work = {}): Promise<Tensor<"f32">> {
    const { threads, signal, owned = false } = work;
    const whole = this.#bind("predict.x", x, inputs);
    const bound = owned || whole.rows <= this.#maxBatch ? whole : heldRows(whole, x);
    const result = new Float32Array(bound.rows * this.#outputs);
    for (let begin = 0; begin < bound.rows; begin += this.#maxBatch) {
      await this.#program.run({ ...this.#load(bound, begin), threads, prompt: true });
      signal?.throwIfAborted();
      this.#unload(bound, begin, result);
    }
    if (targets !== undefined) restoreRows(targets, result);
    return new Tensor(result, [bound.rows, this.#outputs], "f32");
  }

  /** The same on the calling thread. */
  runSync(x: Features, { inputs, targets }: Transforms = {}): Tensor<"f32"> {
    const bound = this.#bind("predictSync.x", x, inputs);
    const result = new Float32Array(bound.rows * this.#outputs);
    for (let begin = 0; begin < bound.rows; begin += this.#maxBatch) {
      this.#program.runSync({ ...this.#load(bound, begin), threads: 1 });
      this.#unload(bound, begin, result);
    }
    if (targets !== undefined) restoreRows(targets, result);
    return new Tensor(result, [bound.rows, this.#outputs], "f32");
  }

  /** Rows in the units that the network takes. */
  #bind(where: string, x: Features, affine: Affine | undefined): BoundMatrix {
    const bound = bindFeatures(where, x, this.#inputs, affine);
    if (affine === undefined || bound.dtype === "f32") return bound;
    return { ...bound, dtype: "f32", data: transformRows(affine, bound.data) };
  }

  #load({ data, rows }: BoundMatrix, begin: number): StepRange {
    const end = Math.min(begin + this.#maxBatch, rows);
    const part = data.subarray(begin * this.#inputs, end * this.#inputs);
    native.slabWrite(this.#input, 0, isFloats(part) ? part : Float32Array.from(part));
    return { firstStep: 1, steps: 1, rows: end - begin };
  }

  #unload({ rows }: BoundMatrix, begin: number, result: Float32Array): void {
    const end = Math.min(begin + this.#maxBatch, rows);
    native.slabRead(this.#output, 0, result.subarray(begin * this.#outputs, end * this.#outputs));
  }
}

/** Rows in memory that is not that of `x`. */
function heldRows(rows: BoundMatrix, x: Features): BoundMatrix {
  const given = isTensorLike(x) ? x.data : x;
  if (!isTypedArray(given) || given.buffer !== rows.data.buffer) return rows;
  return rows.dtype === "u8" ? { ...rows, data: copied(rows.data) } : { ...rows, data: copied(rows.data) };
}
