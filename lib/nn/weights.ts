import { type NativeSlab, native } from "../binding/native.js";
import { Turns } from "../data/turns.js";
import { draw, drawInTurns } from "./draw.js";
import { ParameterSlab, type Segment } from "./slab.js";
import { makeRoom } from "./staging.js";

/** Floats of a model that are copied, or drawn, at once: in a millisecond. */
const FEW = 65_536;

/** Weights of a model, and how they come to have values: those that nobody has given any are drawn when they are first needed. */
export class ModelWeights extends ParameterSlab {
  /** Whether they have values. */
  initialized = false;
  /** What weights that nobody has asked for yet are drawn with: 0, or the seed of the run that has the model. */
  #seed = 0;
  readonly #parameters: readonly Segment[];

  constructor(segments: readonly Segment[], total: number) {
    super(segments, total);
    this.#parameters = segments;
  }

  /** For a run with this seed; `ERR_BUSY` if one has them, or a program is changing them. */
  take(where: string, seed: number): void {
    this.shared.take(where);
    this.#seed = seed;
  }

  leave(): void {
    this.shared.leave();
    this.#seed = 0;
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
    const { shared } = this;
    while (!this.initialized && shared.count > FEW && !shared.taken) {
      const { version } = shared;
      const initialize = await this.drawInTurns(this.#seed);
      if (shared.version === version && !shared.taken) initialize();
    }
    this.ensure();
  }

  /** Draws all of them from (seed, parameter name). */
  draw(seed: number): void {
    this.rewrite((slab) => {
      for (const drawing of this.#drawings(slab, seed)) draw(...drawing);
    });
    this.initialized = true;
  }

  /**
   * Does what {@link draw} does with turns of the event loop in between, but for the last word: they have their values when the
   * function that this gives is called.
   */
  async drawInTurns(seed: number, signal?: AbortSignal | undefined): Promise<() => void> {
    const fresh = await makeRoom(this.shared.count);
    const turns = new Turns(signal);
    for (const drawing of this.#drawings(fresh, seed)) await drawInTurns(turns, ...drawing);
    return () => {
      this.shared.replace(fresh);
      this.initialized = true;
    };
  }

  /** Draws each parameter into its place in a slab. */
  #drawings(slab: NativeSlab, seed: number): readonly Parameters<typeof draw>[] {
    return this.#parameters.map(({ name, shape, offset, spec }) => {
      const write = (first: number, part: Float32Array): void => native.slabWrite(slab, offset + first, part);
      return [name, shape, spec.init.resolve(shape), seed, write];
    });
  }

  /** Copies the weights; many, and those that a run has, on a native thread. There is nothing to wait for where it is done. */
  copyBeside(to: NativeSlab): Promise<void> | undefined {
    if (this.shared.count > FEW || this.shared.taken) return this.#copyLater(to);
    this.ensure();
    native.slabCopy(this.slab, to);
    return undefined;
  }

  async #copyLater(to: NativeSlab): Promise<void> {
    const preparing = this.prepare();
    if (preparing !== undefined) await preparing;
    await native.slabCopyLater(this.slab, to);
  }
}
