import { type NativeDtype, type NativeProgramSpec, type NativeSlab, native, nativeInfo } from "../binding/native.js";
import { Value } from "../tensor/value.js";
import type { Replacement } from "./binding.js";
import { Instructions } from "./instructions.js";
import { freezeProducts, type Matrix, type PackedMatrix, type WeightForm } from "./passes/frozen_products.js";
import type { Pass } from "./passes/pass.js";
import { type Place, Views } from "./views.js";

/** Memory of a frozen program's own: a slab of one dtype, whose first elements are all of it. */
export interface FrozenSlab {
  readonly slab: NativeSlab;
  readonly count: number;
  readonly dtype: NativeDtype;
}

function bytesOf({ columns, depth }: Matrix, form: WeightForm): number {
  const { packedColumns, weightForms } = nativeInfo;
  const room = Math.ceil(columns / packedColumns) * packedColumns;
  const { weightBytes = 0, scaleBytes = 0 } = weightForms.find(({ name }) => name === form) ?? {};
  return room * (scaleBytes + depth * weightBytes);
}

/**
 * Puts a copy in the place of all memory that a trace reads: weights of products packed, everything else as it is. What is
 * copied, and how, is a program of its own, {@link packing}.
 */
export class Freezer implements Replacement {
  readonly pass: Pass = freezeProducts((matrix) => this.#pack(matrix));
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

  #pack(matrix: Matrix): PackedMatrix {
    const form = this.#formOf(matrix.slab, matrix.offset);
    const { slab, offset, columns, depth, alongDepth } = matrix;
    const key = `${this.#numberOf(slab)} ${offset} ${columns} ${depth} ${alongDepth} ${form}`;
    const known = this.#packed.get(key);
    if (known !== undefined) return { packed: known, form };
    const bytes = bytesOf(matrix, form);
    const packed = this.#make(bytes, "u8");
    this.#weightBytes += bytes;
    const places = { weights: this.#source(slab, offset, columns * depth), packed: this.#target(packed) };
    this.#instructions.emitPlaced("frozen_pack", places, { n: columns, k: depth, alongDepth, form });
    const value = new Value([bytes], "u8", { kind: "slab", slab: packed, offset: 0 });
    this.#packed.set(key, value);
    return { packed: value, form };
  }
}
