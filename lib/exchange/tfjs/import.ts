// Layers models of TensorFlow.js: their topology is a configuration of Keras, their weights lie in files beside it.
import { shortened } from "../../errors.js";
import type { AnyModel } from "../../index.js";
import { isObject } from "../../io/header.js";
import { broken } from "../../io/refusal.js";
import { checkKeys } from "../../options.js";
import { formatShape } from "../../tensor/shape.js";
import type { KerasLayer } from "../keras/builder.js";
import { type ImportedModel, type ImportKerasOptions, jsonOf } from "../keras/import.js";
import { buildModel } from "../keras/model.js";
import { placesOf } from "../places.js";
import { floatsOf } from "../reading/elements.js";
import { open } from "../reading/file.js";
import { checkExchangeLimits, type TensorFile } from "../reading/tensor_file.js";
import { KERAS_RULES } from "../rules/keras.js";
import { fits, StagedWeights } from "../staged_weights.js";
import { checkVerification, verifyModel } from "../verify.js";
import { openManifest } from "./manifest.js";

/** Bytes of a model.json. */
const LONGEST = 67_108_864;

/** The configuration of the model in a topology: as TensorFlow.js writes it, or as its converter does. */
function topologyIn(where: string, topology: unknown): unknown {
  if (!isObject(topology)) throw broken(where, "a model with modelTopology", "none");
  return Reflect.get(topology, "model_config") ?? topology;
}

/**
 * A layers model of TensorFlow.js by the path of its `model.json`, with its weights, those that are quantized too: to answer, and to be trained on. `ERR_FILE` names the first layer, or option of a
 * layer, that Carillon does not have, and graph models, which have no layers. Files of weights lie within the folder of the model, and are no links.
 *
 * @example
 * const { model } = await importTfjs("tfjs/model.json");
 */
export async function importTfjs(path: string, options: ImportKerasOptions = {}): Promise<ImportedModel> {
  const where = "importTfjs";
  checkKeys(where, options, ["input", "verify", "limits"]);
  checkVerification(`${where}.verify`, options.verify);
  const limits = checkExchangeLimits(`${where}.limits`, options.limits);
  const file = await open(where, path, where);
  let json: unknown;
  try {
    if (file.size > LONGEST) throw broken(file.where, `a model.json of at most ${LONGEST} bytes`, `${file.size}`);
    json = jsonOf(file.where, await file.bytes(0, file.size));
  } finally {
    await file.close();
  }
  const { format, modelTopology, weightsManifest }: Record<string, unknown> = isObject(json) ? { ...json } : {};
  if (format === "graph-model")
    throw broken(file.where, "a layers model", "a graph model, which has operations and no layers");
  const topology = topologyIn(file.where, modelTopology);
  const { model, layers, notes } = buildModel(`${file.where}: modelTopology`, topology, options);
  const weights = await openManifest(file.where, weightsManifest, limits);
  try {
    (await takeWeights(model, layers, weights)).commit();
  } finally {
    await weights.close();
  }
  if (options.verify !== undefined) await verifyModel(`${where}.verify`, model, options.verify);
  return { model, notes };
}

/** Names that a variable has, besides its own. */
const ALSO: Readonly<Record<string, readonly string[]>> = { kernel: ["depthwise_kernel"], scale: ["gamma"] };

/** Whether a weight is one of a layer: `dense/kernel`, `dense_Dense1/kernel`, `sequential/dense/kernel`. */
const isOf = (layer: string, name: string): boolean => name.split("/").slice(0, -1).includes(layer);

async function takeWeights(model: AnyModel, layers: readonly KerasLayer[], file: TensorFile): Promise<StagedWeights> {
  const { where, entries } = file;
  const staged = new StagedWeights(model);
  const places = new Map(placesOf(model).places.map((place) => [place.path, place]));
  const left = new Set(entries.keys());
  for (const { name: layer, owners } of layers) {
    for (const { name, made } of owners) {
      const place = places.get(name);
      const variables =
        place === undefined ? [] : (made.variables?.(place) ?? KERAS_RULES[place.kind]?.variables(place) ?? []);
      if ("refused" in variables) throw broken(`${where}: ${layer}`, "a layer whose weights cross", variables.refused);
      for (const one of variables) {
        const called = [one.name, ...(ALSO[one.name] ?? [])];
        const found = [...left].find(
          (weight) => isOf(layer, weight) && called.includes(weight.split("/").at(-1) ?? ""),
        );
        const crossing = one.as(found ?? `${layer}/${one.name}`);
        const entry = found === undefined ? undefined : entries.get(found);
        if (found === undefined || entry === undefined)
          throw broken(
            where,
            `${crossing.theirs} ${formatShape(crossing.shape)}`,
            `none of that name: there are ${[...left]
              .slice(0, 5)
              .map((weight) => shortened(weight, 60))
              .join(", ")}`,
          );
        if (!fits(crossing, entry))
          throw broken(`${where}: ${shortened(found, 100)}`, formatShape(crossing.shape), formatShape(entry.shape));
        staged.take(crossing, floatsOf(await file.read(found)));
        left.delete(found);
      }
    }
  }
  const [strange] = left;
  if (strange !== undefined) throw broken(where, "the weights of its layers alone", shortened(strange, 100));
  return staged;
}
