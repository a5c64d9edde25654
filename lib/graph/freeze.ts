import { type NativeDtype, type NativeProgramSpec, type NativeSlab, native, nativeInfo } from "../binding/native.js";
import { unaryId } from "../ops/encode.js";
import { type Instruction, Value } from "../tensor/value.js";
import type { Replacement } from "./binding.js";
import type { Pass } from "./draft.js";
import { Instructions } from "./instructions.js";
import type { Step } from "./step.js";
import { type Place, Views } from "./views.js";

/** How packed weights are kept: as they are, as the upper halves of their floats, as integers with a scale an output. */
export type WeightForm = "f32" | "bf16" | "int8";

/** Places of the integers of a native `gemm`. */
const GEMM = { rows: 0, columns: 1, depth: 2, transposeA: 3, transposeB: 4, activation: 5, accumulate: 6 } as const;

/** Of a `frozen_product`: what is done to its finished elements, and that nothing is. */
const UNARY = 4;
const NO_UNARY = -1;

/** Memory of a frozen program's own: a slab of one dtype, whose first elements are all of it. */
export interface FrozenSlab {
  readonly slab: NativeSlab;
  readonly count: number;
  readonly dtype: NativeDtype;
}

/** Weights that a product reads: a matrix in a slab, rows along k (a weight [n, k]) or not ([k, n]). */
interface Matrix {
  readonly slab: NativeSlab;
  readonly offset: number;
  readonly columns: number;
  readonly depth: number;
  readonly alongDepth: boolean;
}

function bytesOf({ columns, depth }: Matrix, form: number): number {
  const { packedColumns, weightForms } = nativeInfo;
  const room = Math.ceil(columns / packedColumns) * packedColumns;
  const { weightBytes = 0, scaleBytes = 0 } = weightForms[form] ?? {};
  return room * (scaleBytes + depth * weightBytes);
}

/** The weights of a product as an operand: memory of somebody's, as it is. */
function matrixOf(instruction: Instruction): Matrix | undefined {
  const { operation, views, ints } = instruction;
  const weight = views[1];
  if (operation !== "gemm" || weight?.source.kind !== "slab" || weight.dtype !== "f32") return undefined;
  if (ints[GEMM.transposeA] !== 0 || ints[GEMM.accumulate] !== 0) return undefined;
  const columns = ints[GEMM.columns] ?? 0;
  const depth = ints[GEMM.depth] ?? 0;
  const { slab, offset } = weight.source;
  const alongDepth = ints[GEMM.transposeB] === 1;
  // Of weights that are the batch itself nothing can be packed before.
  return columns > 0 && depth > 0 ? { slab, offset, columns, depth, alongDepth } : undefined;
}

/** The unary function of an activation of products. */
function unaryOf(activation: number | undefined): number {
  const name = nativeInfo.activations[activation ?? 0] ?? "identity";
  return name === "identity" ? NO_UNARY : unaryId(name);
}

/**
 * Puts a copy in the place of all memory that a trace reads: weights of products packed, everything else as it is. What is
 * copied, and how, is a program of its own, {@link packing}.
 */
export class Freezer implements Replacement {
  readonly #formOf: (slab: NativeSlab, offset: number) => WeightForm;
  readonly #views = new Views();
  readonly #instructions = new Instructions(this.#views);
  readonly #own = new Map<NativeSlab, FrozenSlab>();
  readonly #packed = new Map<string, Value>();
  readonly #copies = new Map<string, NativeSlab>();
  readonly #numbers = new Map<NativeSlab, number>();
  #weightBytes = 0;

  /** @param formOf The form of the weights that stand at an offset, in floats, of a slab. */
  constructor(formOf: (slab: NativeSlab, offset: number) => WeightForm) {
    this.#formOf = formOf;
  }

  /** Memory that packing writes. */
  get own(): readonly FrozenSlab[] {
    return [...this.#own.values()];
  }

  /** Bytes of packed weights. */
  get weightBytes(): number {
    return this.#weightBytes;
  }

  /** The program that fills {@link own} from the memory of the trace, as it is between two steps of whoever writes it. */
  packing(): NativeProgramSpec {
    const slabs = this.#views.slabs.map((each) => ({ ...each, gated: !each.writable }));
    const none = { arenaCount: 0, logColumns: 0, logRows: 0, lanes: 0, seed: 0, samples: 0, batch: 0, shuffle: false };
    const whole = { maxRows: 1, orderSlot: 0, microBegin: 0, microEnd: 0 };
    return { code: this.#instructions.words, views: this.#views.numbers, slabs, ...none, ...whole };
  }

  /** Has products read packed weights, and applies functions that follow them. */
  readonly pass: Pass = (draft) => {
    const products = new Set<Value>();
    const uses = new Map<Value, number>();
    for (const value of [...draft.roots, ...[...draft.steps.values()].flatMap(({ inputs }) => inputs)]) {
      uses.set(value, (uses.get(value) ?? 0) + 1);
    }
    for (const [value, step] of [...draft.steps]) {
      const product = this.#product(value, step);
      if (product !== undefined) {
        draft.replace(value, product);
        products.add(value);
        continue;
      }
      const [input] = step.inputs;
      if (input === undefined || !products.has(input) || uses.get(input) !== 1) continue;
      const merged = mergedUnary(value, step, draft.steps.get(input));
      if (merged === undefined) continue;
      draft.replace(value, merged);
      draft.remove(input);
    }
  };

  memory(slab: NativeSlab, offset: number, count: number): NativeSlab | undefined {
    if (this.#own.has(slab)) return undefined;
    const key = `${this.#numberOf(slab)} ${offset} ${count}`;
    const known = this.#copies.get(key);
    if (known !== undefined) return known;
    const copy = this.#make(count, "f32");
    this.#copies.set(key, copy);
    this.#emitPlaced("copy", [this.#source(slab, offset, count), this.#target(copy)], [count]);
    return copy;
  }

  #numberOf(slab: NativeSlab): number {
    const number = this.#numbers.get(slab) ?? this.#numbers.size;
    this.#numbers.set(slab, number);
    return number;
  }

  #make(count: number, dtype: NativeDtype): NativeSlab {
    const slab = native.slabCreate(count, dtype);
    this.#own.set(slab, { slab, count, dtype });
    return slab;
  }

  #source(slab: NativeSlab, offset: number, count: number): Place {
    return { slot: this.#views.slot(slab, false), offset, count, batched: false, dtype: "f32" };
  }

  #target(slab: NativeSlab): Place {
    const { count = 0, dtype = "f32" } = this.#own.get(slab) ?? {};
    return { slot: this.#views.slot(slab, true), offset: 0, count, batched: false, dtype };
  }

  #emitPlaced(operation: string, places: readonly Place[], ints: readonly number[]): void {
    this.#instructions.emitPlaced(operation, places, ints, []);
  }

  /** The product of `step` over packed weights, if it is one of weights that are memory. */
  #product(value: Value, step: Step): Step | undefined {
    const { lower, inputs } = step;
    if (lower === null || step.also !== undefined) return undefined;
    const instruction = lower(inputs, value);
    const matrix = matrixOf(instruction);
    const [x, , bias] = instruction.views;
    if (matrix === undefined || x === undefined || x === null) return undefined;
    const wanted = this.#formOf(matrix.slab, matrix.offset);
    const form = nativeInfo.weightForms.findIndex(({ name }) => name === wanted);
    const { ints } = instruction;
    const sizes = [ints[GEMM.rows] ?? 0, matrix.columns, matrix.depth];
    const operands = [x, this.#pack(matrix, form), ...(bias === undefined || bias === null ? [] : [bias])];
    const unary = unaryOf(ints[GEMM.activation]);
    return { ...step, inputs: operands, lower: productInstruction([...sizes, form, unary]), inPlace: null };
  }

  #pack(matrix: Matrix, form: number): Value {
    const { slab, offset, columns, depth, alongDepth } = matrix;
    const key = `${this.#numberOf(slab)} ${offset} ${columns} ${depth} ${alongDepth} ${form}`;
    const known = this.#packed.get(key);
    if (known !== undefined) return known;
    const bytes = bytesOf(matrix, form);
    const packed = this.#make(bytes, "u8");
    this.#weightBytes += bytes;
    const places = [this.#source(slab, offset, columns * depth), this.#target(packed)];
    this.#emitPlaced("frozen_pack", places, [columns, depth, alongDepth ? 1 : 0, form]);
    const value = new Value([bytes], "u8", { kind: "slab", slab: packed, offset: 0 });
    this.#packed.set(key, value);
    return value;
  }
}

function productInstruction(ints: readonly number[]): Step["lower"] {
  return ([x, packed, bias], output) => ({
    operation: "frozen_product",
    views: [x ?? null, packed ?? null, bias ?? null, output],
    ints,
    doubles: [],
  });
}

/** A function of a product that nobody else uses, as part of it: the roundings are those of the function alone. */
function mergedUnary(value: Value, step: Step, product: Step | undefined): Step | undefined {
  if (step.lower === null || product === undefined || product.lower === null) return undefined;
  const { operation, ints } = step.lower(step.inputs, value);
  const own = product.lower(product.inputs, value).ints;
  const [, unary] = ints;
  if (operation !== "unary" || unary === undefined || own[UNARY] !== NO_UNARY) return undefined;
  return { ...product, lower: productInstruction(own.with(UNARY, unary)) };
}
