import { type NativeDtype, type NativeProgramSpec, type NativeSlab, native, nativeInfo } from "../binding/native.js";
import type { NativeLists } from "../binding/operations.js";
import { at } from "../ops/apply.js";
import { instruction } from "../ops/encode.js";
import { type InstructionOf, type NumbersOf, Value } from "../tensor/value.js";
import type { Replacement } from "./binding.js";
import { Instructions } from "./instructions.js";
import type { Pass } from "./passes/pass.js";
import type { Step } from "./step.js";
import { type Place, Views } from "./views.js";

/** How packed weights are kept: as they are, as the upper halves of their floats, as integers with a scale an output. */
export type WeightForm = NativeLists["forms"];

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

function bytesOf({ columns, depth }: Matrix, form: WeightForm): number {
  const { packedColumns, weightForms } = nativeInfo;
  const room = Math.ceil(columns / packedColumns) * packedColumns;
  const { weightBytes = 0, scaleBytes = 0 } = weightForms.find(({ name }) => name === form) ?? {};
  return room * (scaleBytes + depth * weightBytes);
}

/** The weights of a product as an operand: memory of somebody's, as it is. */
function matrixOf({ views, numbers }: InstructionOf<"gemm", Value>): Matrix | undefined {
  const weight = views.b;
  if (weight.source.kind !== "slab" || weight.dtype !== "f32") return undefined;
  if (numbers.transposeA === true || numbers.accumulate === true) return undefined;
  const { n: columns, k: depth } = numbers;
  const { slab, offset } = weight.source;
  const alongDepth = numbers.layoutB === "transposed";
  // Of weights that are the batch itself nothing can be packed before.
  return columns > 0 && depth > 0 ? { slab, offset, columns, depth, alongDepth } : undefined;
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
    this.#instructions.emitPlaced("copy", { x: this.#source(slab, offset, count), y: this.#target(copy) }, { count });
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

  /** The product of `step` over packed weights, if it is one of weights that are memory. */
  #product(value: Value, step: Step): Step | undefined {
    const { lower, inputs } = step;
    if (lower === null || step.outputs.length > 1) return undefined;
    const product = lower(inputs, [value]);
    if (product.operation !== "gemm") return undefined;
    const matrix = matrixOf(product);
    if (matrix === undefined) return undefined;
    const form = this.#formOf(matrix.slab, matrix.offset);
    const { m, n, k, activation = "identity" } = product.numbers;
    const { a: x, bias } = product.views;
    const operands = [x, this.#pack(matrix, form), ...(bias === undefined || bias === null ? [] : [bias])];
    const f = activation === "identity" ? undefined : activation;
    return frozenProduct(value, operands, { m, n, k, form, function: f });
  }

  #pack(matrix: Matrix, form: WeightForm): Value {
    const { slab, offset, columns, depth, alongDepth } = matrix;
    const key = `${this.#numberOf(slab)} ${offset} ${columns} ${depth} ${alongDepth} ${form}`;
    const known = this.#packed.get(key);
    if (known !== undefined) return known;
    const bytes = bytesOf(matrix, form);
    const packed = this.#make(bytes, "u8");
    this.#weightBytes += bytes;
    const places = { weights: this.#source(slab, offset, columns * depth), packed: this.#target(packed) };
    this.#instructions.emitPlaced("frozen_pack", places, { n: columns, k: depth, alongDepth, form });
    const value = new Value([bytes], "u8", { kind: "slab", slab: packed, offset: 0 });
    this.#packed.set(key, value);
    return value;
  }
}

function frozenProduct(value: Value, operands: readonly Value[], numbers: NumbersOf<"frozen_product">): Step {
  return {
    inputs: operands,
    outputs: [value],
    lower(inputs, outputs) {
      const views = { x: at(inputs, 0), packed: at(inputs, 1), bias: inputs[2], c: at(outputs, 0) };
      return instruction("frozen_product", views, numbers);
    },
    inPlace: null,
    applied: null,
  };
}

/** A function of a product that nobody else uses, as part of it: the roundings are those of the function alone. */
function mergedUnary(value: Value, step: Step, product: Step | undefined): Step | undefined {
  if (step.lower === null || product === undefined || product.lower === null) return undefined;
  const last = step.lower(step.inputs, step.outputs);
  const own = product.lower(product.inputs, product.outputs);
  if (last.operation !== "unary" || own.operation !== "frozen_product") return undefined;
  if (own.numbers.function !== undefined) return undefined;
  return frozenProduct(value, product.inputs, { ...own.numbers, function: last.numbers.function });
}
