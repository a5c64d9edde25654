import { type Affine, parseAffine, type Transforms } from "../data/transform.js";
import { CarillonError } from "../errors.js";
import type { StoredTensor } from "../io/element_types.js";
import { decodeSafetensors, encodeSafetensors, type StoredTensors } from "../io/safetensors.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Layer, LayerConfig } from "./layer.js";
import type { ParameterInfo } from "./slab.js";

const FORMAT = "carillon.model";

/** A layer as a file describes it; `config` is `null` for one that a user defined. */
export interface SavedLayer {
  readonly kind: string;
  readonly name: string | null;
  readonly config: LayerConfig | null;
  /** Place, from 0, of the layer before it that it is: its parameters are shared. */
  readonly same?: number | undefined;
}

/** Weights by name as f32 tensors; format and layers as metadata. */
export function encodeModel(model: {
  readonly layers: readonly Layer[];
  readonly transforms: Transforms;
  weights(): ReadonlyMap<string, Tensor<"f32">>;
}): Uint8Array {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { shape, data }] of model.weights()) tensors.set(name, { dtype: "f32", shape, data });
  return encodeSafetensors(tensors, {
    format: FORMAT,
    layers: JSON.stringify(describeLayers(model.layers)),
    ...transformsText(model.transforms),
  });
}

/** Layers as a file describes them. */
export function describeLayers(layers: readonly Layer[]): readonly SavedLayer[] {
  return layers.map((layer, index): SavedLayer => {
    const { kind, name = null, config = null, parameters } = layer;
    const first = layers.indexOf(layer);
    const shares = first < index && Object.keys(parameters).length > 0;
    return { kind, name, config, ...(shares ? { same: first } : {}) };
  });
}

function refuse(where: string, expected: string, received: string): never {
  throw new CarillonError("ERR_FILE", where, `expected ${expected} for '${where}' but received ${received}`);
}

function decodeModel(bytes: Uint8Array, where: string): StoredTensors {
  const stored = decodeSafetensors(bytes, where);
  const { format = "none" } = stored.metadata;
  if (format !== FORMAT) refuse(where, `the format ${FORMAT}`, format);
  return stored;
}

/** The weights of a saved model, if they are exactly those of `parameters`; otherwise `ERR_FILE`. */
export function decodeWeights(
  bytes: Uint8Array,
  where: string,
  parameters: readonly ParameterInfo[],
): ReadonlyMap<string, Float32Array> {
  const { tensors } = decodeModel(bytes, where);
  if (tensors.size !== parameters.length) refuse(where, `${parameters.length} parameters`, `${tensors.size}`);
  return new Map(
    parameters.map(({ name, shape }) => {
      const stored = tensors.get(name);
      if (stored?.dtype !== "f32" || JSON.stringify(stored.shape) !== JSON.stringify(shape)) {
        const received = stored === undefined ? "nothing" : `${stored.dtype} [${stored.shape.join(", ")}]`;
        refuse(where, `${name} as f32 [${shape.join(", ")}]`, received);
      }
      return [name, stored.data];
    }),
  );
}

/** As metadata; a model without transforms has none. */
function transformsText({ inputs, targets }: Transforms): Record<string, string> {
  return {
    ...(inputs === undefined ? {} : { inputs: JSON.stringify(inputs) }),
    ...(targets === undefined ? {} : { targets: JSON.stringify(targets) }),
  };
}

/** The transforms of a saved model; `ERR_FILE` if they are not for these sizes. */
export function decodeTransforms(bytes: Uint8Array, where: string, inputs: number, outputs: number): Transforms {
  const { metadata } = decodeModel(bytes, where);
  const parse = (text: string | undefined, columns: number): Affine | undefined => {
    if (text === undefined) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = undefined;
    }
    return parseAffine(where, value, columns);
  };
  return { inputs: parse(metadata.inputs, inputs), targets: parse(metadata.targets, outputs) };
}

function isSavedLayer(value: unknown): value is SavedLayer {
  if (typeof value !== "object" || value === null) return false;
  if (!("kind" in value && "name" in value && "config" in value)) return false;
  const { kind, name, config } = value;
  const fits = !("same" in value) || typeof value.same === "number";
  return fits && typeof kind === "string" && (name === null || typeof name === "string") && typeof config === "object";
}

/** The layers that a file describes; `ERR_FILE` if it is no model. */
export function decodeLayers(bytes: Uint8Array, where: string): readonly SavedLayer[] {
  const { metadata } = decodeModel(bytes, where);
  let layers: unknown;
  try {
    layers = JSON.parse(metadata.layers ?? "");
  } catch {
    layers = undefined;
  }
  if (Array.isArray(layers) && layers.every(isSavedLayer)) return layers;
  return refuse(where, "a list of layers", "something else");
}
