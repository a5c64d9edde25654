import { CarillonError } from "../../errors.js";
import type { Layer } from "./layer.js";

/** Layers by names, each of its own. */
export type NamedLayers = Readonly<Record<string, Layer>>;

/** Kind and ordinal of that kind (`linear2`), or the layer's own name; the same layer twice shares its parameters. */
export function nameLayers(layers: readonly Layer[]): readonly string[] {
  const counts = new Map<string, number>();
  const names = new Map<Layer, string>();
  const taken = new Set<string>();
  return layers.map((layer) => {
    const known = names.get(layer);
    if (known !== undefined) return known;
    const ordinal = (counts.get(layer.kind) ?? 0) + 1;
    counts.set(layer.kind, ordinal);
    const name = layer.name ?? `${layer.kind}${ordinal}`;
    if (taken.has(name)) {
      throw new CarillonError(
        "ERR_OPTION",
        name,
        `expected a name of its own for each layer but '${name}' stands twice`,
      );
    }
    taken.add(name);
    names.set(layer, name);
    return name;
  });
}

/** Layers by the names that {@link nameLayers} gives them. */
export function namedLayers(layers: readonly Layer[], names: readonly string[]): NamedLayers {
  return Object.fromEntries(layers.map((layer, index) => [names[index] ?? layer.kind, layer]));
}
