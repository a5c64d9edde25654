// Weights that are put together beside a model, which takes them over when all of them are there.
import { CarillonError } from "../errors.js";
import type { AnyModel } from "../index.js";
import { extent, sameShape } from "../tensor/shape.js";
import type { Crossing, Weights } from "./crossing.js";

/** New weights of a model. */
export class StagedWeights {
  readonly #model: AnyModel;
  readonly #values = new Map<string, Float32Array>();
  /** Elements of each. */
  readonly #counts: ReadonlyMap<string, number>;

  constructor(model: AnyModel) {
    this.#model = model;
    this.#counts = new Map([...model.parameters, ...model.state].map(({ name, shape }) => [name, extent(shape)]));
  }

  readonly #room: Weights = (name) => {
    const count = this.#counts.get(name);
    if (count === undefined)
      throw new CarillonError("ERR_STATE", name, `expected a weight of the model but received '${name}'`);
    const found = this.#values.get(name) ?? new Float32Array(count);
    this.#values.set(name, found);
    return found;
  };

  /** Takes what a tensor of the other side holds; the array itself where it is a weight of ours as it is. */
  take({ ours, isSame, write }: Crossing, theirs: Float32Array): void {
    const [name = ""] = ours;
    if (isSame && theirs.length === this.#counts.get(name)) this.#values.set(name, theirs);
    else write(theirs, this.#room);
  }

  /** Names that nothing was written to. */
  get missing(): readonly string[] {
    return [...this.#counts.keys()].filter((name) => !this.#values.has(name));
  }

  /** Gives the model its new weights; those of which there are none stay. */
  commit(): void {
    const missing = this.missing;
    const before = missing.length === 0 ? undefined : this.#model.weights();
    for (const name of missing) this.#values.set(name, before?.get(name)?.data ?? new Float32Array());
    this.#model.setWeights(this.#values);
  }
}

/** Reads our weights. */
export function weightsOf(model: AnyModel): Weights {
  const weights = model.weights();
  return (name) => {
    const found = weights.get(name);
    if (found !== undefined) return found.data;
    throw new CarillonError("ERR_STATE", name, `expected a weight of the model but received '${name}'`);
  };
}

/** Whether a tensor has the shape of a crossing. */
export const fits = ({ shape }: Crossing, found: { readonly shape: readonly number[] }): boolean =>
  sameShape(shape, found.shape);
