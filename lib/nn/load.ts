import { CarillonError } from "../errors.js";
import type { DropoutScaling } from "../ops/index.js";
import type { Layer, LayerConfig } from "./layer.js";
import { activationLayers } from "./layers/activations.js";
import { alphaDropout, dropout, gaussianDropout, spatialDropout } from "./layers/dropout.js";
import { linear } from "./layers/linear.js";
import { type Model, sequential } from "./model.js";
import { type LoadOptions, openModel, readSource, type SavedLayer, savedLayers } from "./saved.js";

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

function makeLayer({ kind, name, config }: SavedLayer, where: string): Layer {
  const make = Object.hasOwn(LAYERS, kind) ? LAYERS[kind] : undefined;
  if (make !== undefined && config !== null) return make(config, name ?? undefined);
  throw new CarillonError(
    "ERR_FILE",
    where,
    `expected built-in layers in '${where}' but received '${kind}': build the model and use its load()`,
  );
}

/**
 * A model of built-in layers with its weights and units, from what `save`, `bytes` or `fit` has made: a model's file, or a
 * checkpoint, by its path or its bytes. `ERR_FILE` says what is wrong with it.
 *
 * @example const model = await loadModel('runs/a/step-000000078.safetensors', { weights: 'last' });
 */
export async function loadModel(source: string | Uint8Array, options: LoadOptions = {}): Promise<Model> {
  const { bytes, where } = await readSource("loadModel", source, options);
  try {
    const saved = openModel(bytes, where, options);
    const layers: Layer[] = [];
    for (const layer of savedLayers(saved, where)) {
      const shared = layer.same === undefined ? undefined : layers[layer.same];
      layers.push(shared ?? makeLayer(layer, where));
    }
    const model: Model = sequential(...layers);
    model.takeSaved(saved, where);
    return model;
  } catch (cause) {
    if (!(cause instanceof CarillonError) || cause.code === "ERR_FILE") throw cause;
    throw new CarillonError("ERR_FILE", where, `expected a saved model in '${where}': ${cause.message}`, { cause });
  }
}
