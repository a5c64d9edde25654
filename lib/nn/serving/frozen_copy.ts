import type { NativeSlab } from "../../binding/native.js";
import { commonTurns } from "../../data/turns.js";
import { CarillonError } from "../../errors.js";
import type { WeightForm } from "../../graph/passes/frozen_products.js";
import { concat, exp, reshape, sigmoid, softmax } from "../../ops/index.js";
import type { RowSpecs } from "../../tensor/row_spec.js";
import { elements, extent } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";
import { type Described, type Normalization, UNDESCRIBED } from "../meaning/meaning.js";
import type { Segment } from "../memory/slab.js";
import type { Lanes } from "../structure/structure.js";
import { type FrozenOptions, FrozenProgram } from "./frozen.js";

/** A model as predictions read it, at the moment when they do. */
export interface Network {
  readonly rows: RowSpecs;
  readonly segments: readonly Segment[];
  /** Memory of its weights. */
  readonly slab: NativeSlab;
  /** Units and meaning that belong to its weights; the same object until these change. */
  described(): Described;
  /** Records the network over its own weights: outputs from inputs, in their order. */
  record(inputs: readonly Value[], lanes?: Lanes): readonly Value[];
  /** Memory that the recorded network reads besides its inputs and weights, by the names of further inputs. */
  readonly kept?: ReadonlyMap<string, NativeSlab> | undefined;
  /** Gives the weights values where they have none. */
  ensure(): void;
  /** The same, in turns of the event loop where they are many; `undefined` where they have values already. */
  prepare(): Promise<void> | undefined;
  /** A number that changes with the weights; `undefined` while somebody writes them. */
  version(): number | undefined;
  /** The same with a copy of the weights, which nobody changes. */
  clone(): Promise<Network>;
}

/** Functions that make probabilities of outputs. */
const NORMALIZE: Readonly<Record<Normalization, (y: Value) => Value>> = { softmax, sigmoid, exp, none: (y) => y };

/** All outputs of a row one after another: [batch, n]; `ERR_DTYPE` for integers. */
function sideBySide(outputs: readonly Value[], normalizations: readonly Normalization[]): Value {
  const flat = outputs.map((output, at) => {
    if (output.dtype !== "f32") {
      const expected = `expected outputs of floats for 'predict' but the model gives ${output.dtype}`;
      throw new CarillonError("ERR_DTYPE", "predict", `${expected}: a program over its 'forward' gives them`);
    }
    const made = NORMALIZE[normalizations[at] ?? "none"](output);
    return made.shape.length === 2 ? made : reshape(made, ["batch", elements(made.shape)]);
  });
  const [first] = flat;
  return flat.length === 1 && first !== undefined ? first : concat(flat);
}

/** Numbers that a network gives for a row: those of all of its outputs, one after another. */
export function outputColumns({ outputs }: RowSpecs): number {
  return outputs.reduce((sum, { shape }) => sum + extent(shape), 0);
}

/** Bytes of weights that are packed at once, in some milliseconds; more are packed on a native thread. */
const AT_ONCE = 4_194_304;

/** Tries to pack weights that others change meanwhile. */
const TRIES = 3;

/** A network with weights of one moment, packed for speed, and what belongs to them. */
export class FrozenCopy {
  /** Units and meaning that belong to the weights that it has. */
  described = UNDESCRIBED;
  readonly #network: Network;
  readonly #options: FrozenOptions;
  #program: FrozenProgram | undefined;
  /** Of the weights, if nobody was writing them. */
  #version: number | undefined;

  /** @param normalizations Of each output. */
  constructor(
    network: Network,
    normalizations: readonly Normalization[],
    maxBatch: number,
    formOf: (name: string) => WeightForm = () => "f32",
  ) {
    this.#network = network;
    const { rows, segments, slab } = network;
    const names = new Map(segments.map(({ name, offset }) => [offset, name]));
    this.#options = {
      forward: (...inputs) => sideBySide(network.record(inputs), normalizations),
      inputs: rows.inputs,
      kept: network.kept,
      maxBatch,
      formOf: (memory, offset) => (memory === slab ? formOf(names.get(offset) ?? "") : "f32"),
    };
  }

  get program(): FrozenProgram {
    this.#program ??= new FrozenProgram(this.#options);
    return this.#program;
  }

  /** Whether it has the weights that the model has. */
  get current(): boolean {
    return this.#version !== undefined && this.#version === this.#network.version();
  }

  /** Takes the weights of the model, between two steps of a run, on the calling thread. */
  takeNow(): void {
    this.#network.ensure();
    this.program.packNow();
    this.described = this.#network.described();
    this.#version = this.#network.version();
  }

  /** The same; of many weights in turns of the event loop and on a native thread, while calls are answered from those before. */
  async take(): Promise<void> {
    if (bytesOf(this.#network) <= AT_ONCE) return this.takeNow();
    if (this.#program === undefined) {
      const made = await FrozenProgram.inTurns(this.#options);
      this.#program ??= made; // unless somebody needed it sooner
      if (commonTurns.over) await commonTurns.next();
    }
    await this.#network.prepare();
    for (let tries = 0; tries < TRIES; tries++) {
      const version = this.#network.version();
      const described = this.#network.described();
      await this.program.pack();
      // Somebody may have written weights, or begun to, one after another; a run changes what belongs to them with its first step.
      const still = version === this.#network.version() && described === this.#network.described();
      if (!still) continue;
      this.described = described;
      this.#version = version;
      return;
    }
    this.takeNow();
  }
}

/** Bytes of its weights. */
function bytesOf({ segments }: Network): number {
  return segments.reduce((sum, { count }) => sum + count * Float32Array.BYTES_PER_ELEMENT, 0);
}

/** Floating-point operations of a row, about. */
export function workOf({ segments }: Network): number {
  return segments.reduce((sum, { count }) => sum + 2 * count, 0);
}
