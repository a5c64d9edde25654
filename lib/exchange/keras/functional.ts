// Functional models of Keras: layers by the tensors that they are called with.
import { describe, shortened } from "../../errors.js";
import {
  type AnyModel,
  type Description,
  fromDescription,
  type Layer,
  network,
  ops,
  spec,
  type Value,
} from "../../index.js";
import { isObject } from "../../io/header.js";
import { broken } from "../../io/refusal.js";
import type { ValueSpec } from "../../tensor/value.js";
import {
  Builder,
  type BuildOptions,
  type BuiltModel,
  layersIn,
  nameHere,
  placed,
  rowsOf,
  type Serialized,
} from "./builder.js";
import { Config } from "./config.js";

/** What a layer of several values makes of them. */
const MERGES: Readonly<Record<string, (values: readonly Value[]) => Value>> = {
  Add: (values) => values.reduce((sum, value) => ops.add(sum, value)),
  Subtract: ([first, ...others]) =>
    others.reduce((difference, value) => ops.subtract(difference, value), first ?? none()),
  Multiply: (values) => values.reduce((product, value) => ops.multiply(product, value)),
  Average: (values) =>
    ops.divide(
      values.reduce((sum, value) => ops.add(sum, value)),
      values.length,
    ),
  Maximum: (values) => values.reduce((most, value) => ops.maximum(most, value)),
  Minimum: (values) => values.reduce((least, value) => ops.minimum(least, value)),
  Concatenate: (values) => ops.concat(values),
};

function none(): never {
  throw new Error("no value"); // a node has two or more
}

/** Zeros in front of and behind each axis of a row but the last; `undefined` of another layer. */
function paddingOf({ className, config, where }: Serialized): readonly (readonly [number, number])[] | undefined {
  if (className !== "ZeroPadding1D" && className !== "ZeroPadding2D") return undefined;
  const own = new Config(where, config);
  own.only(
    "data_format",
    className === "ZeroPadding2D" ? "channels_last" : null,
    className === "ZeroPadding2D" ? "channels_last" : null,
  );
  const given = own.raw("padding") ?? 1;
  const isSize = (size: unknown): size is number => typeof size === "number" && Number.isSafeInteger(size) && size >= 0;
  const pair = (one: unknown): readonly [number, number] => {
    const [before, behind]: readonly unknown[] = Array.isArray(one) ? one : [one, one];
    return isSize(before) && isSize(behind) ? [before, behind] : own.refuse("padding", "numbers of zeros");
  };
  if (className === "ZeroPadding1D") return [pair(given)];
  const [rows, columns]: readonly unknown[] = Array.isArray(given) ? given : [given, given];
  return [pair(rows), pair(columns)];
}

/** Zeros around a value of [batch, …, channels]. */
function padded(x: Value, sizes: readonly (readonly [number, number])[]): Value {
  return sizes.reduce(
    (value, [before, behind], at) => (before + behind === 0 ? value : ops.pad(value, before, behind, { axis: at + 1 })),
    x,
  );
}

/** One call of a layer: whose outputs it takes, and the layers of ours that it is. */
interface Node {
  readonly name: string;
  readonly from: readonly string[];
  readonly layers: readonly string[];
  readonly merge: ((values: readonly Value[]) => Value) | undefined;
}

/** What a call of Keras 2 is made with beside its tensor: nothing that changes answers. */
function checkOptions(where: string, options: object): void {
  for (const [name, one] of Object.entries(options))
    if (one !== null && one !== false) throw broken(where, "a call without options", describe(name));
}

/** Names of the layers whose outputs a call takes: of Keras 3 (`args` with `keras_history`), or of 2 (lists of [name, 0, 0, {}]). */
function sourcesOf(where: string, inbound: unknown): readonly string[] {
  if (!Array.isArray(inbound) || inbound.length === 0) return [];
  if (inbound.length > 1)
    throw broken(
      where,
      "a layer that is called once",
      `${inbound.length} calls: a layer that is shared does not cross`,
    );
  const found: string[] = [];
  const visit = (value: unknown, depth: number): void => {
    if (depth > 8 || found.length > 1000) throw broken(where, "a call of tensors", "lists in one another");
    if (Array.isArray(value)) {
      const [name, node, tensor, options] = value;
      const isHistory = typeof name === "string" && typeof node === "number" && typeof tensor === "number";
      if (!isHistory) for (const one of value) visit(one, depth + 1);
      else if (node === 0 && tensor === 0) {
        found.push(name);
        if (isObject(options)) checkOptions(where, options);
      } else
        throw broken(
          where,
          "the one output of a layer that is called once",
          `output ${tensor} of call ${node} of ${name}`,
        );
    } else if (isObject(value)) {
      const { class_name: kind, config, args, kwargs }: Record<string, unknown> = { ...value };
      if (kind === "__keras_tensor__" && isObject(config)) visit(Reflect.get(config, "keras_history"), depth + 1);
      else if (args !== undefined) {
        visit(args, depth + 1);
        const others = isObject(kwargs)
          ? Object.entries(kwargs).filter(([, one]) => !(one === null || one === false))
          : [];
        for (const [name, one] of others) {
          if (!isObject(one) && !Array.isArray(one)) throw broken(where, "a call without options", describe(name));
          visit(one, depth + 1); // `value` of an attention
        }
      }
    }
  };
  visit(inbound[0], 0);
  return found;
}

/** The names of a model's inputs or outputs: [[name, 0, 0], …], or [name, 0, 0] of one. */
function endsOf(where: string, given: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(given) ? given : isObject(given) ? Object.values(given) : [];
  const ends: readonly unknown[] = typeof list[0] === "string" ? [list] : list;
  const names = ends
    .map((end) => (Array.isArray(end) ? end[0] : undefined))
    .filter((name): name is string => typeof name === "string");
  return names.length > 0 && names.length === ends.length ? names : refuseEnds(where, given);
}

function refuseEnds(where: string, given: unknown): never {
  throw broken(where, "its inputs and outputs by the names of layers", shortened(JSON.stringify(given) ?? "none", 100));
}

class Graph {
  readonly builder = new Builder();
  readonly nodes: Node[] = [];
  readonly inputs = new Map<string, ValueSpec>();
  readonly layers = new Map<string, Description>();
  readonly #specs = new Map<string, ValueSpec>();
  readonly #options: BuildOptions;
  readonly #tables: ReadonlySet<string>;
  /** What layers of the file are called here, which no other layer may be. */
  readonly #called: ReadonlySet<string>;

  constructor(layers: readonly Serialized[], options: BuildOptions) {
    this.#options = options;
    this.#called = new Set(layers.map(({ name }) => nameHere(name)));
    // Numbers that are looked up are integers, whatever the input layer says.
    this.#tables = new Set(
      layers
        .filter(({ className }) => className === "Embedding")
        .flatMap(({ where, inbound }) => sourcesOf(where, inbound)),
    );
  }

  add(layer: Serialized): void {
    const { name, className, where, config } = layer;
    if (this.#specs.has(name)) throw broken(where, "a name of its own", "one that stands twice");
    if (className === "InputLayer") {
      const stated: unknown = Reflect.get(config, "batch_shape") ?? Reflect.get(config, "batch_input_shape");
      const dtype = this.#tables.has(name) ? "int32" : "float32";
      const rows = rowsOf(where, stated, dtype, this.inputs.size === 0 ? this.#options.input : undefined);
      this.builder.build(layer, rows); // its group is counted
      this.inputs.set(name, rows);
      this.#specs.set(name, rows);
      return;
    }
    const from = sourcesOf(where, layer.inbound);
    const specs = from.map((source) => this.#specs.get(source) ?? refuseSource(where, source));
    const zeros = paddingOf(layer);
    const merge = Object.hasOwn(MERGES, className) ? MERGES[className] : undefined;
    if (zeros !== undefined) this.#addPadding(layer, from, specs, zeros);
    else if (merge === undefined) this.#addLayers(layer, [...new Set(from)], specs);
    else this.#addMerge(layer, from, specs, merge);
  }

  #addLayers(layer: Serialized, from: readonly string[], [given]: readonly ValueSpec[]): void {
    if (given === undefined || from.length !== 1) throw broken(layer.where, "a layer of one tensor", `${from.length}`);
    const { layers, spec: next } = this.builder.build(layer, given);
    const names = layers.map((one, at) => {
      const called = one.options.name;
      const key = typeof called === "string" ? called : this.#free(`${nameHere(layer.name)}__${at}`);
      if (this.layers.has(key)) throw broken(layer.where, "layers with names of their own", `'${key}' a second time`);
      this.layers.set(key, one);
      return key;
    });
    this.nodes.push({ name: layer.name, from, layers: names, merge: undefined });
    this.#specs.set(layer.name, next);
  }

  /** The activation of `dense` is not `dense_1`, where that is a layer. */
  #free(wanted: string): string {
    const isTaken = this.#called.has(wanted) || this.layers.has(wanted);
    return isTaken ? this.#free(`${wanted}_`) : wanted;
  }

  #addPadding(
    layer: Serialized,
    from: readonly string[],
    [given]: readonly ValueSpec[],
    zeros: readonly (readonly [number, number])[],
  ): void {
    if (given === undefined || from.length !== 1 || given.shape.length !== zeros.length + 2)
      throw broken(layer.where, `one tensor of ${zeros.length + 1} axes`, `${from.length}`);
    const shape = given.shape.map((size, axis) => {
      const [before, behind] = zeros[axis - 1] ?? [0, 0];
      return before + behind === 0 ? size : Number(size) + before + behind;
    });
    this.nodes.push({ name: layer.name, from, layers: [], merge: ([x = none()]) => padded(x, zeros) });
    this.#specs.set(layer.name, { shape, dtype: "f32" });
  }

  #addMerge(layer: Serialized, from: readonly string[], specs: readonly ValueSpec[], merge: Node["merge"]): void {
    const [first, ...others] = specs;
    if (first === undefined || others.length === 0) throw broken(layer.where, "two tensors or more", `${from.length}`);
    const axis: unknown = Reflect.get(layer.config, "axis") ?? -1;
    const isLast = axis === -1 || axis === first.shape.length - 1;
    if (layer.className === "Concatenate" && !isLast)
      throw broken(`${layer.where}.axis`, "the last axis", describe(axis));
    const sizes = specs.map(({ shape }) => Number(shape.at(-1)));
    const isSum = layer.className === "Concatenate";
    const size = isSum ? sizes.reduce((sum, one) => sum + one, 0) : Math.max(...sizes);
    this.builder.build({ ...layer, className: "Identity", config: {} }, first);
    this.nodes.push({ name: layer.name, from, layers: [], merge });
    // An axis of 1 is repeated: a gate [1, 1, channels] times an image is an image.
    const shape = first.shape
      .slice(0, -1)
      .map((one, at) =>
        typeof one === "number" ? Math.max(...specs.map((each) => Number(each.shape[at] ?? 1))) : one,
      );
    this.#specs.set(layer.name, { shape: [...shape, size], dtype: "f32" });
  }
}

function refuseSource(where: string, name: string): never {
  throw broken(where, "outputs of layers before it", describe(name));
}

/** A functional model: where it is a chain the same as a Sequential, otherwise a `network`. */
export function functional(where: string, config: object, options: BuildOptions): BuiltModel {
  const layers = layersIn(where, config);
  const inputs = endsOf(`${where}.input_layers`, Reflect.get(config, "input_layers"));
  const outputs = endsOf(`${where}.output_layers`, Reflect.get(config, "output_layers"));
  return graphOf(where, { layers, inputs, outputs }, options);
}

/** Layers one after another, of which one is no layer here: as the functional model that they are. */
export function chainOfOperations(
  where: string,
  given: readonly Serialized[],
  shape: unknown,
  options: BuildOptions,
): BuiltModel {
  const first = { where, className: "InputLayer", name: "input", config: { batch_shape: shape }, inbound: [] };
  const chain = given.filter(({ className }) => className !== "InputLayer");
  const layers = chain.map((layer, at) => ({ ...layer, inbound: [[[chain[at - 1]?.name ?? first.name, 0, 0]]] }));
  return graphOf(
    where,
    { layers: [first, ...layers], inputs: [first.name], outputs: [chain.at(-1)?.name ?? first.name] },
    options,
  );
}

/** Whether a layer is an operation here, which only a network has. */
export const isOperation = ({ className }: Serialized): boolean => className.startsWith("ZeroPadding");

interface Ends {
  readonly layers: readonly Serialized[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

function graphOf(where: string, { layers, inputs, outputs }: Ends, options: BuildOptions): BuiltModel {
  const graph = new Graph(layers, options);
  for (const layer of layers) graph.add(layer);
  for (const name of inputs) if (!graph.inputs.has(name)) refuseSource(`${where}.input_layers`, name);
  const told = { layers: graph.builder.layers, notes: graph.builder.notes };
  const [first] = graph.inputs.values();
  const isChain =
    inputs.length === 1 &&
    outputs.length === 1 &&
    graph.inputs.size === 1 &&
    first !== undefined &&
    outputs[0] === graph.nodes.at(-1)?.name &&
    graph.nodes.every(
      ({ from, merge }, at) => merge === undefined && from[0] === (at === 0 ? inputs[0] : graph.nodes[at - 1]?.name),
    );
  if (isChain) {
    const inOrder = [...graph.layers.values()];
    const input = { shape: first.shape, dtype: first.dtype };
    return {
      ...told,
      model: placed(where, () => fromDescription("model", { kind: "sequential", options: { layers: inOrder, input } })),
    };
  }
  return { ...told, model: placed(where, () => networkOf(where, graph, outputs)) };
}

function networkOf(where: string, { nodes, inputs, layers }: Graph, outputs: readonly string[]): AnyModel {
  const made: Record<string, Layer> = {};
  for (const [name, one] of layers) made[name] = fromDescription("layer", one);
  const specs = Object.fromEntries(
    [...inputs].map(([name, { shape, dtype }]) => [
      nameHere(name),
      spec(["batch", ...shape.slice(1).map(Number)], dtype === "i32" ? "i32" : "f32"),
    ]),
  );
  const forward = (
    given: Readonly<Record<string, Value>>,
    functions: Readonly<Record<string, (x: Value) => Value>>,
  ): Value | Record<string, Value> => {
    const values = new Map<string, Value>();
    for (const name of inputs.keys()) {
      const value = given[nameHere(name)];
      if (value !== undefined) values.set(name, value);
    }
    for (const { name, from, layers: own, merge } of nodes) {
      const taken = from.map((source) => values.get(source) ?? refuseSource(where, source));
      const [x = none()] = merge === undefined ? taken : [merge(taken)];
      values.set(
        name,
        own.reduce((value, key) => functions[key]?.(value) ?? value, x),
      );
    }
    const results = outputs.map((name) => [nameHere(name), values.get(name) ?? refuseSource(where, name)] as const);
    const [only, ...more] = results;
    return only !== undefined && more.length === 0 ? only[1] : Object.fromEntries(results);
  };
  return network({ inputs: specs, layers: made, forward });
}
