import { commonTurns } from "../data/turns.js";
import { CarillonError, describe, shortened } from "../errors.js";
import { type Part, refusePart } from "../io/part.js";
import type { DropoutScaling } from "../ops/index.js";
import { expectWeights } from "./given_weights.js";
import type { Layer, LayerConfig } from "./layer.js";
import { activationLayers } from "./layers/activations.js";
import { alphaDropout, dropout, gaussianDropout, spatialDropout } from "./layers/dropout.js";
import { linear } from "./layers/linear.js";
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

function number(config: LayerConfig, key: string): number {
  return Number(config[key]);
}

function scalingOf(config: LayerConfig): DropoutScaling {
  return config.scaling === "classic" ? "classic" : "inverted";
}

/** How each built-in layer is made from its description; initial values and penalties are not part of a saved model. */
const LAYERS: Readonly<Record<string, (config: LayerConfig, name: string | undefined) => Layer>> = {
  linear: (config, name) =>
    linear(number(config, "inputs"), number(config, "outputs"), {
      bias: config.bias === true,
      dropConnect: Number(config.dropConnect ?? 0), // absent in files from before it was there
      name,
    }),
  ...activationLayers,
  dropout: (config, name) => dropout({ keep: number(config, "keep"), scaling: scalingOf(config), name }),
  spatialDropout: (config, name) => spatialDropout({ keep: number(config, "keep"), scaling: scalingOf(config), name }),
  alphaDropout: (config, name) => alphaDropout({ keep: number(config, "keep"), name }),
  gaussianDropout: (config, name) => gaussianDropout({ keep: number(config, "keep"), name }),
};

/** Settings that are not in files from before they were there. */
const LATER: LayerConfig = { dropConnect: 0 };

/** Characters of a kind that a message shows. */
const SHOWN = 100;

/** The layer, if it is the one that the file describes: a number is no text, and what a reader does not know changes nothing. */
function expectConfig(layer: Layer, described: LayerConfig, where: string): Layer {
  for (const [key, made] of Object.entries(layer.config ?? {})) {
    const given = Object.hasOwn(described, key) ? described[key] : LATER[key];
    if (given !== made) refusePart(where, `${layer.kind}.${key}`, describe(made), describe(given));
  }
  return layer;
}

function makeLayer({ kind, name, config }: SavedLayer, where: string): Layer {
  const make = Object.hasOwn(LAYERS, kind) ? LAYERS[kind] : undefined;
  if (make !== undefined && config !== null) return expectConfig(make(config, name ?? undefined), config, where);
  throw new CarillonError(
    "ERR_FILE",
    where,
    `expected built-in layers in '${where}' but received '${shortened(kind, SHOWN)}': build the model and use its load()`,
  );
}

function makeLayers(described: readonly SavedLayer[], where: string): readonly Layer[] {
  const layers: Layer[] = [];
  for (const layer of described) {
    const { same } = layer;
    layers.push((same === undefined ? undefined : layers[same]) ?? makeLayer(layer, where));
  }
  return layers;
}

/** The shapes of the parameters that a file's layers have, by name; `undefined` if a user defined one of them. `ERR_FILE`. */
export function describedShapes(layers: Part): ReadonlyMap<string, readonly number[]> | undefined {
  const isBuiltIn = (layer: Part): boolean => Object.hasOwn(LAYERS, String(layer.at("kind").value));
  if (!layers.list().every(isBuiltIn)) return undefined;
  return asFileError(layers.file, () => {
    const { parameters } = new LayerSequence(makeLayers(describedLayers(layers), layers.file));
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
  const layers = checkLayers(makeLayers(savedLayers(saved, where), where));
  expectWeights(where, saved.weights, layOut(new LayerSequence(layers.checked).parameters).segments);
  return layers;
}
