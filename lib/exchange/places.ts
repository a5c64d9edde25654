// The layers of a model, in the order in which they stand, with all that is said of each.
import { type AnyModel, CarillonError, type Description, descriptionOf } from "../index.js";
import { givenBy } from "../nn/structure/chain.js";
import type { Layer } from "../nn/structure/layer.js";
import type { ValueSpec } from "../tensor/value.js";

/** A layer in its place. */
export interface Place {
  /** Its path in names of ours, such as `residual1.linear2`. */
  readonly path: string;
  /** The path of the place whose parameters it has: its own, or an earlier one of the same layer. */
  readonly owner: string;
  /** Which of the layers beside it it is, from 0. */
  readonly at: number;
  /** Its name, where it was given one; of a layer of `network` the name that it has there. */
  readonly name: string | undefined;
  readonly layer: Layer;
  readonly kind: string;
  /** Its options as its description has them; `undefined` of a layer of one's own. */
  readonly options: Description["options"] | undefined;
  /** What it takes, where the layers before it tell. */
  readonly given: ValueSpec | undefined;
  /** Layers in it. */
  readonly inside: readonly Place[];
  /** How what it takes goes through these: one after another, each by itself, or as `forward` alone knows. */
  readonly flow: "chain" | "branches" | "unknown";
}

/** The places of a model, and whether they are a chain. */
export function placesOf(model: AnyModel): { readonly places: readonly Place[]; readonly flow: Place["flow"] } {
  const { structure, given } = model.definition;
  const owners = new Map<Layer, string>();
  const isChain = model.kind === "sequential";
  const named = Object.entries(structure.layers);
  if (!isChain) return { places: visit(named, "", owners, () => undefined, true), flow: "unknown" };
  // The same layer twice has one name, and stands in two places.
  const { names, layers } = model.definition;
  const inOrder = layers.map((layer, at) => [names[at] ?? layer.kind, layer] as const);
  return { places: visit(inOrder, "", owners, (at) => given[at], false), flow: "chain" };
}

function visit(
  layers: readonly (readonly [name: string, layer: Layer])[],
  prefix: string,
  owners: Map<Layer, string>,
  givenAt: (at: number) => ValueSpec | undefined,
  areNamed: boolean,
): readonly Place[] {
  return layers.map(([key, layer], at) => {
    const path = `${prefix}${key}`;
    const owner = owners.get(layer) ?? path;
    owners.set(layer, owner);
    const given = givenAt(at);
    const options = describedOptions(layer);
    const flow = layer.flow ?? (layer.layers === undefined ? "chain" : "unknown");
    return {
      ...{ path, owner, at, layer, options, given, flow, kind: layer.kind },
      name: areNamed ? key : layer.name,
      inside: insideOf(layer, `${owner}.`, owners, given, flow),
    };
  });
}

function insideOf(
  layer: Layer,
  prefix: string,
  owners: Map<Layer, string>,
  given: ValueSpec | undefined,
  flow: Place["flow"],
): readonly Place[] {
  const all = Object.entries(layer.layers ?? {});
  if (all.length === 0) return [];
  const keys = layer.order ?? [];
  const inOrder = keys.flatMap((key) => (layer.layers?.[key] === undefined ? [] : [[key, layer.layers[key]] as const]));
  const specs = flow === "chain" ? specsOf(inOrder, given) : inOrder.map(() => given);
  const others = all.filter(([key]) => !keys.includes(key));
  return [
    ...visit(inOrder, prefix, owners, (at) => specs[at], false),
    ...visit(others, prefix, owners, () => given, true),
  ];
}

/** What each layer of a chain takes, as far as they tell. */
function specsOf(
  layers: readonly (readonly [string, Layer])[],
  given: ValueSpec | undefined,
): readonly (ValueSpec | undefined)[] {
  const specs: (ValueSpec | undefined)[] = [];
  let value = given;
  for (const [, layer] of layers) {
    specs.push(value);
    value = value === undefined ? undefined : givenBy(layer, value);
  }
  return specs;
}

function describedOptions(layer: Layer): Description["options"] | undefined {
  try {
    return descriptionOf(layer).options;
  } catch (cause) {
    // A part of it may be one's own, such as an initializer: what crosses is said by the rest.
    if (cause instanceof CarillonError && cause.code === "ERR_OPTION")
      return layer.config === undefined ? undefined : { ...layer.config };
    throw cause;
  }
}
