import { CarillonError, describe } from "../errors.js";
import type { Trace } from "../graph/trace.js";
import { formatShape, type Shape, sameShape } from "../tensor/shape.js";
import { Value } from "../tensor/value.js";
import { ANY_SIZE, checkChain } from "./chain.js";
import { checkLayer, type Layer } from "./layer.js";
import type { ParameterSpec } from "./parameter.js";

/** Layers one after another, with names: what they declare and what they compute. */
export class LayerSequence {
  readonly layers: readonly Layer[];
  /** Of the layers, in their order; the same layer twice has one name. */
  readonly names: readonly string[];

  constructor(layers: readonly Layer[]) {
    this.layers = layers;
    this.names = nameLayers(layers);
  }

  /** What the layers declare, by name and role. */
  get parameters(): ReadonlyMap<string, ParameterSpec> {
    const specs = new Map<string, ParameterSpec>();
    for (const [index, layer] of this.layers.entries()) {
      for (const [role, spec] of Object.entries(layer.parameters)) specs.set(`${this.names[index]}.${role}`, spec);
    }
    return specs;
  }

  /**
   * Records y: [batch, outputs] from x: [batch, inputs] in `trace`; a layer that gives another shape than it says is `ERR_SHAPE`.
   *
   * @param values Parameters by name.
   * @param tell Told what every layer gives.
   */
  forward(
    x: Value,
    values: ReadonlyMap<string, Value>,
    trace: Trace,
    tell?: ((name: string, output: Value) => void) | undefined,
  ): Value {
    const context = { training: trace.training, nextSite: () => trace.nextSite() };
    return this.layers.reduce((input, layer, index) => {
      const own = Object.keys(layer.parameters).map((role): [string, Value | undefined] => {
        return [role, values.get(`${this.names[index]}.${role}`)];
      });
      const present = own.filter((entry): entry is [string, Value] => entry[1] !== undefined);
      const output: unknown = layer.forward(input, Object.fromEntries(present), context);
      const name = this.names[index] ?? layer.kind;
      const checked = checkOutput(name, output, layer.outputs, input.shape);
      tell?.(name, checked);
      return checked;
    }, x);
  }
}

/** What a layer gives has its outputs as last axis, the others are those that it was given; else `ERR_SHAPE`. */
function checkOutput(name: string, output: unknown, outputs: number | "same", given: Shape): Value {
  const shape = outputs === "same" ? given : [...given.slice(0, -1), outputs];
  if (output instanceof Value && sameShape(output.shape, shape)) return output;
  const received = output instanceof Value ? formatShape(output.shape) : describe(output);
  throw new CarillonError(
    "ERR_SHAPE",
    name,
    `expected ${formatShape(shape)} from the layer '${name}' but received ${received}`,
  );
}

/** Kind and ordinal of that kind (`linear2`), or the layer's own name; the same layer twice shares its parameters. */
function nameLayers(layers: readonly Layer[]): readonly string[] {
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

/** The layers of a model and its sizes. What is no layer, or does not fit the one before it, is `ERR_OPTION` or `ERR_SHAPE`. */
export function checkLayers(layers: readonly unknown[]): {
  readonly checked: readonly Layer[];
  readonly inputs: number;
  readonly outputs: number;
} {
  const checked = layers.map((layer, index) => checkLayer(`sequential: layer ${index + 1}`, layer));
  const { inputs, outputs } = checkChain(checked);
  if (outputs === "same" || inputs === ANY_SIZE) {
    throw new CarillonError(
      "ERR_SHAPE",
      "sequential",
      "expected a layer with sizes in 'sequential', such as linear(4, 2)",
    );
  }
  return { checked, inputs, outputs };
}
