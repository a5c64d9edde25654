import { commonTurns } from "../../data/turns.js";
import { reading } from "../../described.js";
import { CarillonError, describe, shortened } from "../../errors.js";
import { type Part, refusePart } from "../../io/part.js";
import { refuseFile } from "../../io/refusal.js";
import {
  describedLayers,
  type LoadOptions,
  layersInside,
  type SavedLayer,
  type SavedModel,
  savedInput,
  savedLayers,
  takeSaved,
  withModel,
} from "../files/saved.js";
import { layers as kinds, makeOne } from "../kinds/layers.js";
import { expectWeights } from "../memory/given_weights.js";
import { infoOf } from "../memory/slab.js";
import type { Layer } from "../structure/layer.js";
import { namedLayers, nameLayers } from "../structure/naming.js";
import { type Definition, sequence } from "../structure/sequence.js";
import { Structure } from "../structure/structure.js";
import { JOINT, jointDefinition } from "./joint.js";
import { jointForm } from "./joint_form.js";
import { Model } from "./model.js";

/** Characters of a kind that a message shows. */
const SHOWN = 100;

/** Settings that are not in files from before they were there: the default. */
const LATER = ["dropConnect"];

/** Layers as a file has them; initial values and penalties are not part of it. */
function makeLayers(saved: readonly SavedLayer[], where: string): readonly Layer[] {
  const described = saved.map((layer, index) => descriptionOf(layer, `layers[${index}]`, where));
  const how = reading(true);
  const made = asFileError(where, () => described.map((layer, index) => makeOne(`layers[${index}]`, layer, how)));
  expectWhole(saved, made, "layers", where);
  return made;
}

/** A file says all that decides what its layers compute; else `ERR_FILE`. */
function expectWhole(saved: readonly SavedLayer[], made: readonly Layer[], path: string, where: string): void {
  for (const [index, layer] of made.entries()) {
    const { kind, config, same, layers: inside = [] } = saved[index] ?? {};
    if (same !== undefined) continue;
    const place = `${path}[${index}]`;
    for (const key of Object.keys(layer.config ?? {})) {
      const isThere = Object.hasOwn(config ?? {}, key) || LATER.includes(key);
      if (!isThere) refusePart(where, `${place}: ${kind}.${key}`, "a value", "none");
    }
    expectWhole(inside, layersInside(layer), `${place}.layers`, where);
  }
}

/** The description of a layer, whose options a file has beside its name and the layers inside of it. */
function descriptionOf({ kind, name, config, same, layers = [] }: SavedLayer, place: string, where: string): unknown {
  if (same !== undefined) return { same };
  if (!isBuiltIn(kind) || config === null) {
    const known = shortened(kind, SHOWN);
    const instead = "build the model and use its load()";
    return refuseFile(where, "built-in layers", `'${known}': ${instead}`);
  }
  const { input, dtype, ragged, longest } = config;
  const options = kinds.optionsOf(kind);
  if (name !== null && !options.includes("name")) refusePart(where, `${place}.name`, "no name", describe(name));
  return {
    kind,
    options: {
      ...config,
      ...(name === null ? {} : { name }),
      ...(Array.isArray(input) ? { input: { shape: ["batch", ...input], dtype } } : {}),
      ...(ragged === undefined ? {} : { input: longest === undefined ? { ragged } : { ragged, longest } }),
      // Of a recurrent layer they are a number.
      ...(options.includes("layers") && !Object.hasOwn(config, "layers")
        ? { layers: layers.map((layer, index) => descriptionOf(layer, `${place}.layers[${index}]`, where)) }
        : {}),
    },
  };
}

const isBuiltIn = (kind: string): boolean => kinds.names.includes(kind);

/** The layers that a file describes; `undefined` if a user defined one of them. `ERR_FILE`. */
export function describedStructure(layers: Part): Structure | undefined {
  const isKnown = ({ kind, layers: inside = [] }: SavedLayer): boolean => isBuiltIn(kind) && inside.every(isKnown);
  const described = describedLayers(layers);
  if (!described.every(isKnown)) return undefined;
  return asFileError(layers.file, () => {
    const made = makeLayers(described, layers.file);
    return new Structure(namedLayers(made, nameLayers(made)));
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
 * then). `ERR_FILE` says what is wrong with it. One of several inputs or outputs is an {@link AnyModel}.
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
  const described = savedLayers(saved, where);
  const [joint] = described;
  const definition =
    joint?.kind === JOINT && described.length === 1
      ? jointOf(joint, where)
      : sequence(makeLayers(described, where), { input: savedInput(saved, where) });
  const { parameters, states } = definition.structure;
  expectWeights(where, saved.weights, infoOf([...parameters, ...states]));
  return definition;
}

/** A model of several inputs, or members, whose layers stand in the file by their names. */
function jointOf({ config, layers = [] }: SavedLayer, where: string): Definition {
  const made = makeLayers(layers, where);
  return jointDefinition(jointForm(config, where), namedLayers(made, nameLayers(made)));
}
