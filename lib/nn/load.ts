import { commonTurns } from "../data/turns.js";
import { LENIENT } from "../described.js";
import { CarillonError, describe, shortened } from "../errors.js";
import { type Part, refusePart } from "../io/part.js";
import { expectWeights } from "./given_weights.js";
import { layers } from "./kinds/layers.js";
import type { Layer } from "./layer.js";
import { Model } from "./model.js";
import {
  describedLayers,
  type LoadOptions,
  type SavedLayer,
  type SavedModel,
  savedLayers,
  takeSaved,
  withModel,
} from "./saved.js";
import { checkLayers, LayerSequence } from "./sequence.js";
import { layOut } from "./slab.js";

/** Characters of a kind that a message shows. */
const SHOWN = 100;

/** A layer as a file has it; initial values and penalties are not part of a saved model. What is absent is the default. */
function makeLayer({ kind, name, config }: SavedLayer, index: number, where: string): Layer {
  if (isBuiltIn(kind) && config !== null) {
    const place = `layers[${index}]`;
    const layer = layers.make(place, { kind, options: { ...config, name: name ?? undefined } }, LENIENT);
    return layer.name === (name ?? undefined) ? layer : refusePart(where, `${place}.name`, "no name", describe(name));
  }
  throw new CarillonError(
    "ERR_FILE",
    where,
    `expected built-in layers in '${where}' but received '${shortened(kind, SHOWN)}': build the model and use its load()`,
  );
}

const isBuiltIn = (kind: unknown): boolean => typeof kind === "string" && layers.names.includes(kind);

function makeLayers(described: readonly SavedLayer[], where: string): readonly Layer[] {
  const made: Layer[] = [];
  for (const [index, layer] of described.entries()) {
    const { same } = layer;
    made.push((same === undefined ? undefined : made[same]) ?? makeLayer(layer, index, where));
  }
  return made;
}

/** The shapes of the parameters that a file's layers have, by name; `undefined` if a user defined one of them. `ERR_FILE`. */
export function describedShapes(described: Part): ReadonlyMap<string, readonly number[]> | undefined {
  if (!described.list().every((layer) => isBuiltIn(layer.at("kind").value))) return undefined;
  return asFileError(described.file, () => {
    const { parameters } = new LayerSequence(makeLayers(describedLayers(described), described.file));
    return new Map([...parameters].map(([name, { shape }]) => [name, shape]));
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
    const { checked, inputs, outputs } = asFileError(saved.where, () => layersOf(saved));
    if (commonTurns.over) await commonTurns.next();
    const model = asFileError(saved.where, () => new Model(checked, inputs, outputs));
    await takeSaved(model, saved);
    return model;
  });
}

/** The layers of a file that has the weights for them: so what they ask for is no more than the file has. */
function layersOf(saved: SavedModel): ReturnType<typeof checkLayers> {
  const { where } = saved;
  const checked = checkLayers(makeLayers(savedLayers(saved, where), where));
  expectWeights(where, saved.weights, layOut(new LayerSequence(checked.checked).parameters).segments);
  return checked;
}
