// Weights that are put together beside a model, which takes them over when all of them are there.
import { CarillonError } from "../errors.js";
import type { AnyModel } from "../index.js";
import { extent, sameShape } from "../tensor/shape.js";
import type { Crossing, Weights } from "./crossing.js";

/** New weights of a model. */
export class StagedWeights {
  readonly #model: AnyModel;
  readonly #values = new Map<string, Float32Array>();
  readonly #written = new Set<string>();

  constructor(model: AnyModel) {
    this.#model = model;
    for (const { name, shape } of [...model.parameters, ...model.state])
      this.#values.set(name, new Float32Array(extent(shape)));
  }

  readonly get: Weights = (name) => {
    const found = this.#values.get(name);
    if (found !== undefined) return found;
    throw new CarillonError("ERR_STATE", name, `expected a weight of the model but received '${name}'`);
  };

  /** Writes what a tensor of the other side holds. */
  take({ ours, write }: Crossing, theirs: Float32Array): void {
    write(theirs, this.get);
    for (const name of ours) this.#written.add(name);
  }

  /** Names that nothing was written to. */
  get missing(): readonly string[] {
    return [...this.#values.keys()].filter((name) => !this.#written.has(name));
  }

  /** Gives the model its new weights; those of which there are none stay. */
  commit(): void {
    const missing = this.missing;
    const before = missing.length === 0 ? undefined : this.#model.weights();
    for (const name of missing) this.#values.set(name, Float32Array.from(before?.get(name)?.data ?? []));
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
