import { type NativeSlab, native } from "../../binding/native.js";
import { makeRoom } from "../../data/room.js";
import { Turns } from "../../data/turns.js";
import { CarillonError, describe } from "../../errors.js";
import { type CopyTogether, copyTogether } from "../../graph/copy.js";
import type { Held } from "../../graph/shared.js";
import { isWithin } from "../../options.js";
import { extent } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";
import { draw, drawInTurns } from "../parameters/draw.js";
import type { ParameterSpec } from "../parameters/parameter.js";
import type { StateSpec } from "../structure/layer.js";
import { layOut, type Placed, type Segment, SegmentSlab, type Stretch } from "./slab.js";

/** Floats of a model that are copied, or drawn, at once: in a millisecond. */
const FEW = 65_536;

/** A stretch of a model's memory, and the slab that it is in. */
interface Kept {
  readonly segment: Placed;
  readonly memory: SegmentSlab;
}

/** Memory that stays as it is until the release. */
export interface HeldMemory {
  /** Names in the order in which they lie, and elements of each. */
  readonly segments: readonly Pick<Placed, "name" | "count">[];
  /** Copies elements of a name, from the one at `first` on. */
  read(name: string, first: number, target: Float32Array): void;
  release(): void;
}

/** Makes the padding of a table 0 in `part`, its elements from `first` on. */
function clearRow({ shape, padding }: ParameterSpec, first: number, part: Float32Array): void {
  if (padding < 0) return;
  const columns = extent(shape.slice(1));
  const [begin, end] = [padding * columns - first, (padding + 1) * columns - first];
  if (begin < part.length && end > 0) part.fill(0, Math.max(begin, 0), end);
}

/** `ERR_STATE` names an element that a state cannot have. */
function expectLeast(where: string, values: Float32Array | undefined, { min }: StateSpec): void {
  const at = min === undefined ? undefined : values?.findIndex((value) => !isWithin(value, { min }));
  if (at === undefined || at < 0) return;
  const received = describe(values?.[at]);
  throw new CarillonError(
    "ERR_STATE",
    where,
    `expected numbers >= ${min} for '${where}' but received ${received} in element ${at}`,
  );
}

/**
 * All memory of a model: a slab of its weights, and one of what its layers keep besides. It knows how they come to have values: those
 * that nobody has given any are drawn when they are first needed.
 */
export class ModelMemory {
  /** Whether they have values. */
  initialized = false;
  /** Of the weights. */
  readonly segments: readonly Segment[];
  /** Floats of a slab of the weights' layout. */
  readonly total: number;
  /** Of the states. */
  readonly states: readonly (Placed & { readonly spec: StateSpec })[];
  readonly #weights: SegmentSlab;
  /** `undefined` where there are no states. */
  readonly #state: SegmentSlab | undefined;
  /** Both. */
  readonly #slabs: readonly SegmentSlab[];
  /** Seed of weights that nobody has asked for yet: 0, or that of the run that has the model. */
  #seed = 0;

  constructor(parameters: ReadonlyMap<string, ParameterSpec>, states: ReadonlyMap<string, StateSpec>) {
    const weights = layOut(parameters);
    const state = layOut(states);
    this.segments = weights.segments;
    this.total = weights.total;
    this.states = state.segments;
    this.#weights = new SegmentSlab(weights.segments, weights.total);
    this.#state = state.total === 0 ? undefined : new SegmentSlab(state.segments, state.total);
    this.#slabs = this.#state === undefined ? [this.#weights] : [this.#weights, this.#state];
  }

  /** Memory of the weights. */
  get slab(): NativeSlab {
    return this.#weights.slab;
  }

  /** Where everything lies, by name. */
  get stretches(): readonly Stretch[] {
    const leastOf = new Map(this.states.map(({ name, spec: { min } }) => [name, min]));
    return this.#kept.map(({ segment: { name, shape, offset }, memory: { slab } }) => {
      return { key: name, shape, slab, offset, least: leastOf.get(name) };
    });
  }

  /** The slabs of a call that reads or writes all of it. */
  uses(writable: boolean): readonly { readonly slab: NativeSlab; readonly writable: boolean }[] {
    return this.#slabs.map(({ slab }) => ({ slab, writable }));
  }

  /** The parameters as values of a program that uses this memory. */
  values(): ReadonlyMap<string, Value> {
    return this.#weights.values();
  }

  /** The states likewise. */
  stateValues(): ReadonlyMap<string, Value> {
    return this.#state?.values() ?? new Map();
  }

  /** For a run with this seed; `ERR_BUSY` if one has them, or a program is changing them. */
  take(where: string, seed: number): void {
    for (const { shared } of this.#slabs) shared.expectStill(where);
    for (const { shared } of this.#slabs) shared.take(where);
    this.#seed = seed;
  }

  leave(): void {
    for (const { shared } of this.#slabs) shared.leave();
    this.#seed = 0;
  }

  /** Whether a run has it. */
  get taken(): boolean {
    return this.#weights.shared.taken;
  }

  /** How often something was written. */
  get version(): number {
    return this.#weights.shared.version + (this.#state?.shared.version ?? 0);
  }

  /** {@link version} while nobody writes. */
  get settled(): number | undefined {
    if (this.#state === undefined) return this.#weights.shared.settled; // asked at every prediction
    return this.#slabs.some(({ shared }) => shared.settled === undefined) ? undefined : this.version;
  }

  /** When nobody reads any more what a run has taken; `undefined` if nobody does. */
  get unread(): Promise<unknown> | undefined {
    const reading = this.#slabs.flatMap(({ shared: { unread } }) => (unread === undefined ? [] : [unread]));
    return reading.length === 0 ? undefined : Promise.all(reading);
  }

  /** `ERR_BUSY` while somebody writes or reads it. */
  expectIdle(where: string): void {
    for (const { shared } of this.#slabs) shared.expectIdle(where);
  }

  /** `ERR_BUSY` while somebody writes it. */
  expectStill(where: string): void {
    for (const { shared } of this.#slabs) shared.expectStill(where);
  }

  /** Gives weights that nobody has asked for yet their values. */
  ensure(): void {
    if (!this.initialized) this.draw(this.#seed);
  }

  /** The same, those of a large model in turns of the event loop; at once while a run has it. `undefined` where they have values. */
  prepare(): Promise<void> | undefined {
    return this.initialized ? undefined : this.#prepared();
  }

  async #prepared(): Promise<void> {
    while (!this.initialized && this.#weights.shared.count > FEW && !this.taken) {
      const { version } = this;
      const initialize = await this.drawInTurns(this.#seed);
      if (this.version === version && !this.taken) initialize();
    }
    this.ensure();
  }

  /** Draws all weights from (seed, parameter name), and begins all states anew. */
  draw(seed: number): void {
    this.#weights.rewrite((slab) => {
      for (const drawing of this.#drawings(slab, seed)) draw(...drawing);
    });
    this.#state?.rewrite((slab) => this.#begin(slab));
    this.initialized = true;
  }

  /**
   * Does what {@link draw} does with turns of the event loop in between, but for the last word: they have their values when the
   * function that this gives is called.
   */
  async drawInTurns(seed: number, signal?: AbortSignal | undefined): Promise<() => void> {
    const fresh = await makeRoom(this.#weights.shared.count, "f32");
    const turns = new Turns(signal);
    for (const drawing of this.#drawings(fresh, seed)) await drawInTurns(turns, ...drawing);
    return () => {
      this.#weights.shared.replace(fresh);
      this.#state?.rewrite((slab) => this.#begin(slab));
      this.initialized = true;
    };
  }

  /** Draws each parameter into its place in a slab. */
  #drawings(slab: NativeSlab, seed: number): readonly Parameters<typeof draw>[] {
    return this.segments.map(({ name, shape, offset, spec }) => {
      const write = (first: number, part: Float32Array): void => {
        clearRow(spec, first, part);
        native.slabWrite(slab, offset + first, part);
      };
      return [name, shape, spec.init.resolve(shape), seed, write];
    });
  }

  #begin(slab: NativeSlab): void {
    for (const { offset, count, spec } of this.states)
      native.slabWrite(slab, offset, new Float32Array(count).fill(spec.init));
  }

  /** Copies of everything by name; during a run, as it was after a finished step. */
  read(): ReadonlyMap<string, Float32Array> {
    if (this.#state === undefined) return this.#weights.read();
    const copies = new Map<string, Float32Array>();
    this.readInto(({ name, count }) => {
      const copy = new Float32Array(count);
      copies.set(name, copy);
      return copy;
    });
    return copies;
  }

  /** Copies everything, as {@link read}, to where each is wanted. */
  readInto(place: (segment: Placed) => Float32Array): void {
    const slabs = this.#slabs.map((memory) => ({ memory, from: memory.slab }));
    if (this.settled === undefined) {
      for (const each of slabs) each.from = native.slabCreate(each.memory.shared.count, "f32"); // all of one step
      this.#copyNow(slabs.map(({ from }) => from));
    }
    for (const { memory, from } of slabs) {
      for (const segment of memory.segments) native.slabRead(from, segment.offset, place(segment));
    }
  }

  /** Overwrites everything, or nothing: `ERR_STATE` where something is missing, of another length, or below what a state may be. */
  write(values: ReadonlyMap<string, Float32Array>, where: string): void {
    for (const { name, spec } of this.states) expectLeast(`${where}.${name}`, values.get(name), spec);
    const checked = this.#slabs.map((memory) => ({ memory, written: memory.checked(values, where) }));
    for (const { memory, written } of checked) {
      memory.rewrite((slab) => {
        for (const { offset, data } of written) native.slabWrite(slab, offset, data);
      });
    }
  }

  /** Copies of the states by name. */
  readStates(): ReadonlyMap<string, Float32Array> {
    return this.#state?.read() ?? new Map();
  }

  /** Overwrites the states alone. */
  writeStates(values: ReadonlyMap<string, Float32Array>, where: string): void {
    this.#state?.write(values, where);
  }

  /** Copies everything to a model of the same layers, at once. */
  copyTo(other: ModelMemory): void {
    this.#copyNow(other.#slabs.map(({ slab }) => slab));
  }

  /** The same; much, and what a run has, on a native thread. There is nothing to wait for where it is done. */
  copyBeside(other: ModelMemory): Promise<void> | undefined {
    if (this.#weights.shared.count > FEW || this.taken) return this.#copyLater(other);
    this.ensure();
    this.copyTo(other);
    return undefined;
  }

  async #copyLater(other: ModelMemory): Promise<void> {
    const preparing = this.prepare();
    if (preparing !== undefined) await preparing;
    if (this.#state === undefined) await native.slabCopyLater(this.slab, other.slab);
    else await this.#copier(other.#slabs.map(({ slab }) => slab)).later();
  }

  /** Copies everything at once, of one step of a run. */
  #copyNow(to: readonly NativeSlab[]): void {
    if (this.#state === undefined) native.slabCopy(this.slab, to[0] ?? this.slab);
    else this.#copier(to).now();
  }

  #copier(to: readonly NativeSlab[]): Pick<CopyTogether, "now" | "later"> {
    return copyTogether(
      this.#slabs.map(({ slab, shared: { count } }, index) => ({ from: slab, to: to[index] ?? slab, count })),
    );
  }

  /** For who reads it in turns, until the release. */
  hold(): HeldMemory {
    const held = new Map<SegmentSlab, Held>(this.#slabs.map((memory) => [memory, memory.shared.hold()]));
    const places = new Map(
      this.#kept.map(({ segment, memory }) => [segment.name, { segment, held: held.get(memory) }]),
    );
    return {
      segments: this.#kept.map(({ segment }) => segment),
      read(name, first, target) {
        const place = places.get(name);
        if (place?.held !== undefined) native.slabRead(place.held.slab, place.segment.offset + first, target);
      },
      release() {
        for (const each of held.values()) each.release();
      },
    };
  }

  get #kept(): readonly Kept[] {
    return this.#slabs.flatMap((memory) => memory.segments.map((segment) => ({ segment, memory })));
  }
}
