// An ONNX graph while it is made of recorded operations.
import { CarillonError } from "../../errors.js";
import type { Dim } from "../../tensor/shape.js";
import type { Applied, Value } from "../../tensor/value.js";
import { type Attribute, integers, type Later, type NodeDraft, type TensorDraft } from "./encode.js";
import type { ElementName } from "./format.js";

/** Numbers that are known while the file is written. */
export type Known = Float32Array | Int32Array | Uint8Array;

/** Order of the axes of [batch, rows, columns, channels] behind each other in ONNX, and back. */
const CHANNELS_FIRST = [0, 3, 1, 2];
const CHANNELS_LAST = [0, 2, 3, 1];

const ELEMENT_OF = { f32: "float", i32: "int32", u8: "uint8" } as const;

/** The tensor of a value that is one. */
export function knownOf(value: Value | undefined): Known | undefined {
  if (value?.source.kind !== "tensor" || !("data" in value)) return undefined;
  const { data } = value;
  return isKnown(data) ? data : undefined;
}

const KINDS: readonly unknown[] = ["Float32Array", "Int32Array", "Uint8Array"];

function isKnown(data: unknown): data is Known {
  return ArrayBuffer.isView(data) && KINDS.includes(Reflect.get(data, Symbol.toStringTag));
}

/** The floats of a value that is known. */
export function floatsOf(value: Value | undefined): Float32Array | undefined {
  const known = knownOf(value);
  return known !== undefined && isFloat32(known) ? known : undefined;
}

function isFloat32(data: Known): data is Float32Array {
  return data[Symbol.toStringTag] === "Float32Array";
}

/** Bytes of numbers in the order of the file; it and every processor that this runs on are little-endian. */
export const bytesOfNumbers = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Names of the one value in two orders of its axes. */
interface Names {
  plain?: string;
  channelsFirst?: string;
}

/** What a product computes with in the place of its weight and bias, as it does what a norm behind it does. */
export interface Folded {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** What a graph is made for. */
export interface GraphOptions {
  readonly folded: ReadonlyMap<Applied, Folded>;
  /** What norms give that were folded into a product. */
  readonly gone: ReadonlySet<Value>;
  /** Whether lists have weights. */
  readonly listWeights: boolean;
  /** What anything reads. */
  readonly wanted: ReadonlySet<Value>;
  /** Names of weights. */
  readonly weights: ReadonlyMap<Value, string>;
  /** Path of the layer that has recorded a value. */
  readonly layerOf: (value: Value) => string | undefined;
}

/** Nodes and tensors of a graph, and what values are called in it. */
export class GraphWriter {
  nodes: NodeDraft[] = [];
  tensors: TensorDraft[] = [];
  readonly #names = new Map<Value, Names>();
  readonly #constants = new Map<string, string>();
  readonly #derived = new Map<Value, Map<string, string>>();
  readonly #taken = new Set<string>();
  /** Names of outputs. */
  readonly #ends = new Set<string>();
  readonly #options: GraphOptions;
  /** An input whose first axis is the batch. */
  #batch: string | undefined;
  #path = "";

  constructor(options: GraphOptions) {
    this.#options = options;
  }

  /** A name that nothing has yet. */
  fresh(wanted: string): string {
    let name = wanted;
    for (let number = 2; this.#taken.has(name); number++) name = `${wanted}_${number}`;
    this.#taken.add(name);
    return name;
  }

  /** Nodes that come are of the layer that has recorded `value`. */
  enter(value: Value): void {
    this.#path = this.#options.layerOf(value) ?? "";
  }

  /** Nodes that come are of no layer. */
  leave(): void {
    this.#path = "";
  }

  /** What stands in the place of the weights of a product, if anything does. */
  foldedInto(applied: Applied): Folded | undefined {
    return this.#options.folded.get(applied);
  }

  /** Whether something reads a value. */
  isWanted(value: Value): boolean {
    return this.#options.wanted.has(value);
  }

  /** Whether a norm was folded into the product before it. */
  isFolded(value: Value): boolean {
    return this.#options.gone.has(value);
  }

  /** Whether ids of lists have weights in the file. */
  isListWeights(weights: Value | undefined): boolean {
    return weights !== undefined && this.#options.listWeights;
  }

  /** The name of a weight, or that of the layer with `key`, for what is made of it. */
  nameOfWeight(weight: Value | undefined, key: string): string {
    const own = weight && this.#options.weights.get(weight);
    return own ?? (this.#path === "" ? key : `${this.#path}.${key}`);
  }

  /** The layer that nodes are of. */
  get path(): string {
    return this.#path;
  }

  /** Says what an input, or the result of a node, is called. */
  set(value: Value, name: string): void {
    this.#names.set(value, { plain: name });
    if (value.shape[0] === "batch") this.#batch ??= name;
  }

  /** The same of [batch, channels, rows, columns] for a value of [batch, rows, columns, channels]. */
  setChannelsFirst(value: Value, name: string): void {
    this.#names.set(value, { channelsFirst: name });
  }

  /** Another value of the same elements, shape and order. */
  alias(value: Value, of: Value): void {
    this.#names.set(value, this.#namesOf(of));
  }

  /** What a value is called. */
  name(value: Value): string {
    const names = this.#namesOf(value);
    if (names.plain !== undefined) return names.plain;
    const { channelsFirst = "" } = names;
    names.plain = this.node("Transpose", [channelsFirst], { perm: integers(CHANNELS_LAST) });
    return names.plain;
  }

  /** What a value of [batch, rows, columns, channels] is called in the order of ONNX. */
  channelsFirst(value: Value): string {
    const names = this.#namesOf(value);
    names.channelsFirst ??= this.node("Transpose", [names.plain ?? ""], { perm: integers(CHANNELS_FIRST) });
    return names.channelsFirst;
  }

  /** Whether a value stands in the order of ONNX alone, so far. */
  isChannelsFirst(value: Value): boolean {
    const names = this.#names.get(value);
    return names !== undefined && names.plain === undefined;
  }

  #namesOf(value: Value): Names {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const data = knownOf(value);
    if (data === undefined) throw new CarillonError("ERR_TRACE", "exportOnnx", "a value that nothing computes");
    const weight = this.#options.weights.get(value);
    const dims = value.shape.map(Number);
    const name =
      weight === undefined
        ? this.constant(data, dims)
        : this.tensor(weight, dims, ELEMENT_OF[value.dtype], {
            bytes: data.byteLength,
            make: () => bytesOfNumbers(data),
          });
    const names: Names = { plain: name };
    this.#names.set(value, names);
    return names;
  }

  /** The elements of a file for those of a value. */
  elementsOf(value: Value): ElementName {
    return ELEMENT_OF[value.dtype];
  }

  /** Adds a node with one output, and gives its name. */
  node(operator: string, inputs: readonly string[], attributes: NodeDraft["attributes"] = {}): string {
    return this.several(operator, inputs, 1, attributes)[0] ?? "";
  }

  /** Adds a node with several outputs, of which those whose number is not among `wanted` have no name. */
  several(
    operator: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Readonly<Record<string, Attribute>> = {},
    wanted: readonly number[] = Array.from({ length: outputs }, (_, at) => at),
  ): readonly string[] {
    const stem = this.#path === "" ? operator : `${this.#path}/${operator}`;
    const name = this.fresh(stem);
    const names = Array.from({ length: outputs }, (_, at) =>
      wanted.includes(at) ? this.fresh(outputs === 1 ? `${name}:y` : `${name}:${at}`) : "",
    );
    this.nodes.push({ name, operator, inputs, outputs: names, attributes });
    return names;
  }

  /** Adds a tensor. */
  tensor(wanted: string, dims: readonly number[], elements: ElementName, data: Later): string {
    const name = this.fresh(wanted);
    this.tensors.push({ name, dims, elements, data });
    return name;
  }

  /** A tensor that is made of a weight, once for all who want the same. */
  derived(weight: Value, wanted: string, dims: readonly number[], make: () => Float32Array): string {
    const made = this.#derived.get(weight) ?? new Map<string, string>();
    const known = made.get(wanted);
    if (known !== undefined) return known;
    const bytes = dims.reduce((product, size) => product * size, Float32Array.BYTES_PER_ELEMENT);
    const name = this.tensor(wanted, dims, "float", { bytes, make: () => bytesOfNumbers(make()) });
    this.#derived.set(weight, made.set(wanted, name));
    return name;
  }

  /** Numbers, the same name for the same ones where they are few. */
  constant(data: Known | Float64Array | BigInt64Array, dims: readonly number[]): string {
    const kind = NUMBERS[data[Symbol.toStringTag]];
    const key = data.length <= FEW ? `${kind} ${dims.join(",")} ${Array.from(data, keyOf).join(",")}` : undefined;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const wanted = this.#path === "" ? "constant" : `${this.#path}/constant`;
    const name = this.tensor(wanted, dims, kind, { bytes: data.byteLength, make: () => bytesOfNumbers(data) });
    if (key !== undefined) this.#constants.set(key, name);
    return name;
  }

  /** A number. */
  scalar(value: number): string {
    return this.constant(Float32Array.of(value), []);
  }

  /** Sizes, axes and places: int64 of one axis. */
  places(values: readonly number[]): string {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length]);
  }

  /** Another shape; the batch stays what it is. */
  reshaped(name: string, shape: readonly Dim[]): string {
    return this.node("Reshape", [name, this.places(shape.map((dim) => (dim === "batch" ? 0 : dim)))]);
  }

  /** int64 [1]: rows of the batch. */
  rows(): string {
    if (this.#batch === undefined) throw new CarillonError("ERR_TRACE", "exportOnnx", "a graph without a batch");
    return this.node("Shape", [this.#batch], { start: { integer: 0 }, end: { integer: 1 } });
  }

  /** `name` repeated over a shape. */
  expanded(name: string, shape: readonly Dim[], hasBatch: boolean): string {
    // An axis of 1 in the shape leaves the operand's own size, so the batch is asked for where the operand has none.
    if (shape[0] !== "batch" || hasBatch) return this.node("Expand", [name, this.places(shape.map(orOne))]);
    const rest = shape.slice(1).map(orOne);
    const sizes =
      rest.length === 0 ? this.rows() : this.node("Concat", [this.rows(), this.places(rest)], { axis: { integer: 0 } });
    return this.node("Expand", [name, sizes]);
  }

  /** Leaves out nodes and tensors that nothing of these outputs is made of. */
  prune(outputs: readonly string[]): void {
    const needed = new Set(outputs);
    for (const node of this.nodes.toReversed()) {
      if (node.outputs.some((name) => needed.has(name))) for (const name of node.inputs) needed.add(name);
    }
    const isNeeded = ({ outputs: made }: NodeDraft): boolean => made.some((name) => needed.has(name));
    this.nodes = this.nodes.filter(isNeeded);
    this.tensors = this.tensors.filter(({ name }) => needed.has(name));
  }

  /** Gives what a node makes another name, everywhere; not what has the name of an output. */
  rename(from: string, to: string): boolean {
    if (this.#ends.has(from)) return false;
    const at = this.nodes.findIndex(({ outputs }) => outputs.includes(from));
    if (at < 0) return false;
    const other = (name: string): string => (name === from ? to : name);
    for (const [place, node] of this.nodes.entries()) {
      if (place < at || !(node.inputs.includes(from) || node.outputs.includes(from))) continue;
      this.nodes[place] = { ...node, inputs: node.inputs.map(other), outputs: node.outputs.map(other) };
    }
    for (const names of this.#names.values()) {
      if (names.plain === from) names.plain = to;
      if (names.channelsFirst === from) names.channelsFirst = to;
    }
    this.#ends.add(to);
    return true;
  }
}

const orOne = (dim: Dim): number => (dim === "batch" ? 1 : dim);

/** A number as text by which it can be told from every other, −0 too. */
const keyOf = (value: number | bigint): string => (Object.is(value, -0) ? "-0" : String(value));

/** Numbers of a constant that are compared with those before. */
const FEW = 32;

const NUMBERS = {
  Float32Array: "float",
  Float64Array: "double",
  Int32Array: "int32",
  Uint8Array: "uint8",
  BigInt64Array: "int64",
} as const;

/** `ERR_OPTION`: a form of an operation that cannot be written, with its layer and what would. */
export function refuseOperation(graph: GraphWriter, operation: string, received: string, expected: string): never {
  const of = graph.path === "" ? `'${operation}'` : `'${operation}' of the layer '${graph.path}'`;
  throw new CarillonError(
    "ERR_OPTION",
    graph.path || operation,
    `expected ${expected} for ${of} but received one ${received}`,
  );
}

/** Operations that values are made of, operands first. */
export function appliedIn(roots: readonly Value[]): readonly Applied[] {
  const found = new Set<Applied>();
  const seen = new Set<Value>();
  const waiting = [...roots];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    if (value.source.kind !== "operation") continue;
    found.add(value.source.applied);
    waiting.push(...value.source.applied.inputs);
  }
  const first = ({ outputs }: Applied): number => outputs[0]?.id ?? 0;
  return [...found].sort((a, b) => first(a) - first(b));
}
