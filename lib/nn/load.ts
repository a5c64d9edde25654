import { commonTurns } from "../data/turns.js";
import { reading } from "../described.js";
import { CarillonError, describe, shortened } from "../errors.js";
import { type Part, refusePart } from "../io/part.js";
import { expectWeights } from "./given_weights.js";
import { layers as kinds } from "./kinds/layers.js";
import type { Layer, LayerConfig } from "./layer.js";
import { relu } from "./layers/activations.js";
import { residualOf } from "./layers/residual.js";
import { Model } from "./model.js";
import { nameLayers } from "./naming.js";
import {
  describedLayers,
  type LoadOptions,
  type SavedLayer,
  type SavedModel,
  savedInput,
  savedLayers,
  takeSaved,
  withModel,
} from "./saved.js";
import { byName, type Definition, sequence } from "./sequence.js";
import { checkInput } from "./sequential_options.js";
import { Structure } from "./structure.js";

/** Characters of a kind that a message shows. */
const SHOWN = 100;

/** How each block is made of its layers. */
const BLOCKS: Readonly<
  Record<string, (layers: readonly Layer[], config: LayerConfig, name: string | undefined) => Layer>
> = {
  sequential: (layers, { input, dtype }, name) => {
    const given = Array.isArray(input) ? { shape: ["batch", ...input], dtype } : undefined;
    return sequence(layers, { input: given && checkInput("sequential.input", given), name }).block;
  },
  residual: (layers, { project }, name) => residualOf(layers, { project: project === true, name }),
};

type Shapes = ReadonlyMap<string, readonly number[]>;

/** What layers declare. */
export interface DescribedShapes {
  readonly parameters: Shapes;
  readonly states: Shapes;
}

/** Makes layers as a file describes them. */
class LayerMaker {
  readonly #where: string;
  /** In the order in which the file has them. */
  readonly #made: Layer[] = [];

  constructor(where: string) {
    this.#where = where;
  }

  makeAll(described: readonly SavedLayer[]): readonly Layer[] {
    return described.map((layer) => {
      const place = this.#made.length;
      const known = layer.same === undefined ? undefined : this.#made[layer.same];
      this.#made.push(known ?? relu()); // its place; those inside come next
      const made = known ?? this.#make(layer, place);
      this.#made[place] = made;
      return made;
    });
  }

  #make({ kind, name, config, layers }: SavedLayer, place: number): Layer {
    const block = Object.hasOwn(BLOCKS, kind) ? BLOCKS[kind] : undefined;
    if (block !== undefined && config !== null) return block(this.makeAll(layers ?? []), config, name ?? undefined);
    if (isBuiltIn(kind) && config !== null) return this.#makePlain(kind, name, config, place);
    throw new CarillonError(
      "ERR_FILE",
      this.#where,
      `expected built-in layers in '${this.#where}' but received '${shortened(kind, SHOWN)}': build the model and use its load()`,
    );
  }

  /** Initial values and penalties are not part of a saved model. What is absent is the default. */
  #makePlain(kind: string, name: string | null, config: LayerConfig, index: number): Layer {
    const place = `layers[${index}]`;
    const layer = kinds.make(place, { kind, options: { ...config, name: name ?? undefined } }, reading(true));
    if (layer.name === (name ?? undefined)) return layer;
    return refusePart(this.#where, `${place}.name`, "no name", describe(name));
  }
}

const isBuiltIn = (kind: string): boolean => kinds.names.includes(kind);

/** The parameters and states that a file's layers have, by name; `undefined` if a user defined one of them. `ERR_FILE`. */
export function describedShapes(layers: Part): DescribedShapes | undefined {
  const isKnown = ({ kind, layers: inside = [] }: SavedLayer): boolean =>
    (isBuiltIn(kind) || Object.hasOwn(BLOCKS, kind)) && inside.every(isKnown);
  const described = describedLayers(layers);
  if (!described.every(isKnown)) return undefined;
  return asFileError(layers.file, () => {
    const made = new LayerMaker(layers.file).makeAll(described);
    const names = nameLayers(made);
    const { parameters, states } = new Structure(byName(made, names));
    const shapesOf = (all: ReadonlyMap<string, { readonly shape: readonly number[] }>): Shapes =>
      new Map([...all].map(([name, { shape }]) => [name, shape]));
    return { parameters: shapesOf(parameters), states: shapesOf(states) };
  });
}

function asFileError<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof CarillonError) || cause.code === "ERR_FILE") throw cause;
    throw new CarillonError("ERR_FILE", where, `expected a saved model in '${where}': ${cause.message}`, { cause });
  }
}

/**
 * A model of built-in layers with its weights and units, from what `save`, `bytes` or `fit` has made: a model's file, or a
 * checkpoint, by its path or its bytes (more than 4 MB of them are read in turns of the event loop, and must stay as they are until
 * then). `ERR_FILE` says what is wrong with it.
 *
 * @example const model = await loadModel('runs/a/step-000000078.safetensors', { weights: 'last' });
 */
export async function loadModel(source: string | Uint8Array, options: LoadOptions = {}): Promise<Model> {
  return await withModel("loadModel", source, options, async (saved) => {
    const definition = asFileError(saved.where, () => definitionOf(saved));
    if (commonTurns.over) await commonTurns.next();
    const model = asFileError(saved.where, () => new Model(definition));
    await takeSaved(model, saved);
    return model;
  });
}

/** The layers of a file that has the weights for them: so what they ask for is no more than the file has. */
function definitionOf(saved: SavedModel): Definition {
  const { where } = saved;
  const layers = new LayerMaker(where).makeAll(savedLayers(saved, where));
  const definition = sequence(layers, { input: savedInput(saved, where) });
  const { parameters, states } = definition.structure;
  const expected = [...parameters, ...states].map(([name, { shape }]) => ({ name, shape }));
  expectWeights(where, saved.weights, expected);
  return definition;
}
