// A graph while its nodes become steps.
import { CarillonError, describe, shortened } from "../../errors.js";
import { broken } from "../../io/refusal.js";
import { elementName, type OnnxAttribute, type OnnxModel, type OnnxNode, type OnnxTensor } from "./format.js";
import {
  arranged,
  type Computed,
  type Constant,
  type Entry,
  elementsOf,
  inOrder,
  type Known,
  type Step,
} from "./steps.js";
import type { Tensors } from "./tensors.js";

/** Numbers of the graph's own arithmetic, at most of one value. */
const FEW = 65_536;

/** Of all values together. */
const MOST = 4_194_304;

/** Characters that a message shows of a name. */
const SHOWN = 80;

const shown = (name: string): string => `'${shortened(name, SHOWN)}'`;

/** Values by name, what is known of them, and who refuses what has no layer. */
export class Importing {
  readonly where: string;
  readonly tensors: Tensors;
  readonly opset: number;
  readonly #known = new Map<string, Known>();
  readonly #uses = new Map<string, number>();
  #left = MOST;

  constructor(model: OnnxModel, where: string, tensors: Tensors) {
    const { nodes, initializers, outputs } = model.graph;
    this.where = where;
    this.tensors = tensors;
    this.opset = model.opsets.get("") ?? 1;
    for (const name of [...nodes.flatMap(({ inputs }) => inputs), ...outputs.map((output) => output.name)])
      this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
    for (const [name, tensor] of initializers) this.#known.set(name, { kind: "constant", dims: tensor.dims, tensor });
  }

  /** Counts numbers of the graph's own arithmetic. */
  #spend(count: number): void {
    this.#left -= count;
    if (this.#left >= 0) return;
    throw broken(this.where, `a graph whose arithmetic has at most ${MOST} numbers`, "more");
  }

  /** How often nodes, and the graph's outputs, take a value. */
  uses(name: string): number {
    return name === "" ? 0 : (this.#uses.get(name) ?? 0);
  }

  /** Throws {@link refusal}. */
  refuse(node: OnnxNode, reason: string): never {
    throw this.refusal(node, reason);
  }

  /** `ERR_FILE` names a node, and why no layer is made of it. */
  refusal({ operator, domain, name, inputs }: OnnxNode, reason: string): CarillonError {
    const of = domain === "" ? operator : `${domain}.${operator}`;
    const from = inputs.length === 0 ? "" : ` of ${inputs.slice(0, 4).map(shown).join(", ")}`;
    const node = `${of}${name === "" ? "" : ` (node ${shown(name)})`}${from}`;
    return new CarillonError(
      "ERR_FILE",
      this.where,
      `expected operators that layers are made of for '${this.where}' but received ${node}: ${reason}`,
    );
  }

  set(name: string | undefined, value: Known): void {
    if (value.kind === "constant") this.#spend(value.entries?.length ?? 0);
    if (name !== undefined && name !== "") this.#known.set(name, value);
  }

  /** A value by name, where something before has given it. */
  find(name: string): Known | undefined {
    return this.#known.get(name);
  }

  /** Whether a node has an input at a place. */
  has({ inputs }: OnnxNode, at: number): boolean {
    return (inputs[at] ?? "") !== "";
  }

  /** An input of a node. */
  input(node: OnnxNode, at: number): Known {
    const name = node.inputs[at] ?? "";
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    return this.refuse(node, name === "" ? `it has no input ${at}` : `nothing before it gives ${shown(name)}`);
  }

  /** An input that is computed. */
  computed(node: OnnxNode, at = 0): Computed {
    const known = this.input(node, at);
    if (known.kind === "computed") return known;
    return this.refuse(node, `its input ${at} is a constant, where a value that is computed is wanted`);
  }

  /** The same, as floats. */
  floating(node: OnnxNode, at = 0): Computed {
    const value = this.computed(node, at);
    return value.step.dtype === "f32"
      ? value
      : this.refuse(node, `its input ${at} are integers, where floats are wanted`);
  }

  /** An input that is known; `undefined` where there is none. */
  constant(node: OnnxNode, at: number): Constant | undefined {
    if (!this.has(node, at)) return undefined;
    const known = this.input(node, at);
    if (known.kind === "constant") return known;
    return this.refuse(
      node,
      `its input ${shown(node.inputs[at] ?? "")} is computed, where weights, or numbers, of the file are wanted`,
    );
  }

  /** The floats of an input that is known. */
  weights(node: OnnxNode, at: number): { readonly dims: readonly number[]; readonly data: Float32Array } | undefined {
    const constant = this.constant(node, at);
    return constant && { dims: this.dimsOf(node, constant), data: this.floatsOf(node, constant) };
  }

  dimsOf(node: OnnxNode, { dims }: Constant): readonly number[] {
    const sizes = dims.filter((size) => typeof size === "number");
    return sizes.length === dims.length ? sizes : this.refuse(node, "a constant has the size of the batch");
  }

  floatsOf(node: OnnxNode, constant: Constant): Float32Array {
    const { tensor, floats, entries, fill } = constant;
    if (floats !== undefined) return floats;
    if (tensor !== undefined) return this.tensors.floats(tensor);
    if (fill !== undefined) {
      const count = elementsOf(this.dimsOf(node, constant));
      if (count > FEW) this.refuse(node, `a constant of ${count} equal numbers`);
      return new Float32Array(count).fill(fill);
    }
    return Float32Array.from(entries ?? [], (entry) =>
      typeof entry === "number" ? entry : this.refuse(node, "the size of the batch as a number"),
    );
  }

  /** The numbers of a constant that has few. */
  entriesOf(node: OnnxNode, { tensor, floats, entries, fill, dims }: Constant): readonly Entry[] {
    if (entries !== undefined) return entries;
    const count = elementsOf(dims);
    if (count > FEW) return this.refuse(node, `${count} numbers, where a few are wanted`);
    if (fill !== undefined) return new Array<Entry>(count).fill(fill);
    return Array.from(floats ?? (tensor === undefined ? [] : this.tensors.numbers(tensor)));
  }

  /** Numbers of an input, none of which is the batch's size; `undefined` where there is none. */
  numbers(node: OnnxNode, at: number): readonly number[] | undefined {
    const constant = this.constant(node, at);
    if (constant === undefined) return undefined;
    return this.entriesOf(node, constant).map((entry) =>
      typeof entry === "number" ? entry : this.refuse(node, "the size of the batch, where a number is wanted"),
    );
  }

  /** A tensor within a node. */
  async openTensors(tensors: Iterable<OnnxTensor>): Promise<void> {
    await this.tensors.open(tensors);
  }

  integer(node: OnnxNode, name: string, standard: number): number {
    return node.attributes.get(name)?.integer ?? standard;
  }

  float(node: OnnxNode, name: string, standard: number): number {
    return node.attributes.get(name)?.float ?? standard;
  }

  text(node: OnnxNode, name: string, standard: string): string {
    return node.attributes.get(name)?.text ?? standard;
  }

  integers(node: OnnxNode, name: string): readonly number[] | undefined {
    const found: OnnxAttribute | undefined = node.attributes.get(name);
    return found && found.integers.length > 0 ? found.integers : undefined;
  }

  /** Refuses an attribute that is not what layers have. */
  expect(
    node: OnnxNode,
    name: string,
    received: number | string | undefined,
    wanted: readonly (number | string)[],
  ): void {
    if (received === undefined || wanted.includes(received)) return;
    this.refuse(node, `${name} ${describe(received)}, where layers have ${wanted.map(describe).join(" or ")}`);
  }

  /** A step with the file's axes in an order, the batch first. */
  arranged(node: OnnxNode, value: Computed, order: readonly number[]): Step {
    return arranged(value, order) ?? this.refuse(node, "the batch is not an axis of its own in front of what it takes");
  }

  /** A step with the file's axes as they are. */
  inOrder(node: OnnxNode, value: Computed): Step {
    return inOrder(value) ?? this.refuse(node, "the batch is not the first axis, by itself, of what it takes");
  }

  /** An axis counted from the end where it is negative. */
  axis(node: OnnxNode, given: number, rank: number): number {
    const axis = given < 0 ? given + rank : given;
    return Number.isInteger(axis) && axis >= 0 && axis < rank ? axis : this.refuse(node, `axis ${given} of ${rank}`);
  }

  /** `float [3, 4]` */
  static inWords({ dims, elements }: OnnxTensor): string {
    return `${elementName(elements)} [${dims.join(", ")}]`;
  }
}

/** Makes what a node gives. */
export type Operator = (of: Importing, node: OnnxNode) => void;
