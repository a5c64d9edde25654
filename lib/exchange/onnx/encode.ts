// Messages of ONNX as bytes, piece by piece: weights stay where they are until they are written.
import { ATTRIBUTE_TYPES, ELEMENTS, type ElementName, FIELDS, type Size } from "./format.js";
import { WIRE, type Wire, type WireWriter } from "./wire.js";

/** Bytes that are made when they are written. */
export interface Later {
  readonly bytes: number;
  readonly make: () => Uint8Array;
}

type Piece = Uint8Array | Later;

const sizeOf = (piece: Piece): number => ("make" in piece ? piece.bytes : piece.length);

/** A message that fields are added to. */
export class Message {
  readonly #wire: Wire;
  readonly #pieces: Piece[] = [];
  #open: WireWriter | undefined;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Its pieces, whose bytes follow one another. */
  get pieces(): readonly Piece[] {
    this.#close();
    return this.#pieces;
  }

  /** What was written so far stands before what comes. */
  #close(): void {
    if (this.#open !== undefined) this.#pieces.push(this.#open.finish());
    this.#open = undefined;
  }

  get bytes(): number {
    return this.pieces.reduce((sum, piece) => sum + sizeOf(piece), 0);
  }

  get #writer(): WireWriter {
    this.#open ??= this.#wire.writer();
    return this.#open;
  }

  integer(field: number, value: number): this {
    this.#writer.tag(field, WIRE.varint).int64(value);
    return this;
  }

  float(field: number, value: number): this {
    this.#writer.tag(field, WIRE.bit32).float(value);
    return this;
  }

  text(field: number, value: string): this {
    this.#writer.tag(field, WIRE.delimited).string(value);
    return this;
  }

  texts(field: number, values: readonly string[]): this {
    for (const value of values) this.text(field, value);
    return this;
  }

  /** Side by side. */
  integers(field: number, values: readonly number[]): this {
    const packed = this.#wire.writer();
    for (const value of values) packed.int64(value);
    this.#writer.tag(field, WIRE.delimited).bytes(packed.finish());
    return this;
  }

  floats(field: number, values: readonly number[]): this {
    const packed = this.#wire.writer();
    for (const value of values) packed.float(value);
    this.#writer.tag(field, WIRE.delimited).bytes(packed.finish());
    return this;
  }

  message(field: number, inner: Message): this {
    const { pieces, bytes } = inner;
    this.#writer.tag(field, WIRE.delimited).uint32(bytes);
    this.#close();
    for (const piece of pieces) this.#pieces.push(piece);
    return this;
  }

  later(field: number, value: Later): this {
    this.#writer.tag(field, WIRE.delimited).uint32(value.bytes);
    this.#close();
    this.#pieces.push(value);
    return this;
  }
}

/** Bytes that small pieces are joined up to. */
const JOINED = 65_536;

/** The bytes of a message, those of small pieces together. */
export function* bytesOf(message: Message): Generator<Uint8Array> {
  let joined = new Uint8Array(JOINED);
  let end = 0;
  for (const piece of message.pieces) {
    const size = sizeOf(piece);
    if (end + size > JOINED && end > 0) {
      yield joined.subarray(0, end);
      joined = new Uint8Array(JOINED);
      end = 0;
    }
    const bytes = "make" in piece ? piece.make() : piece;
    if (size > JOINED) yield bytes;
    else {
      joined.set(bytes, end);
      end += size;
    }
  }
  if (end > 0) yield joined.subarray(0, end);
}

/** What an attribute of a node holds. */
export type Attribute =
  | { readonly integer: number }
  | { readonly float: number }
  | { readonly integers: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly text: string }
  | { readonly texts: readonly string[] };

export const integer = (value: number): Attribute => ({ integer: value });
export const float = (value: number): Attribute => ({ float: value });
export const integers = (values: readonly number[]): Attribute => ({ integers: values });
export const text = (value: string): Attribute => ({ text: value });
export const texts = (values: readonly string[]): Attribute => ({ texts: values });

/** A node that is to be written. */
export interface NodeDraft {
  readonly name: string;
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A tensor that is to be written. */
export interface TensorDraft {
  readonly name: string;
  readonly dims: readonly number[];
  readonly elements: ElementName;
  readonly data: Later;
}

/** An input or an output that is to be written. */
export interface ValueDraft {
  readonly name: string;
  readonly elements: ElementName;
  readonly sizes: readonly Size[];
}

/** Where a tensor lies in the file beside. */
export interface Beside {
  readonly location: string;
  readonly offset: number;
}

/** A model that is to be written. */
export interface ModelDraft {
  readonly irVersion: number;
  readonly opset: number;
  readonly name: string;
  readonly nodes: readonly NodeDraft[];
  readonly tensors: readonly TensorDraft[];
  readonly inputs: readonly ValueDraft[];
  readonly outputs: readonly ValueDraft[];
  readonly metadata: ReadonlyMap<string, string>;
}

const PRODUCER = "carillon";

function attributeMessage(wire: Wire, name: string, given: Attribute): Message {
  const { attribute: at } = FIELDS;
  const message = new Message(wire).text(at.name, name);
  const typed = (type: number): Message => message.integer(at.type, type);
  if ("integer" in given) return typed(ATTRIBUTE_TYPES.integer).integer(at.integer, given.integer);
  if ("float" in given) return typed(ATTRIBUTE_TYPES.float).float(at.float, given.float);
  if ("text" in given) return typed(ATTRIBUTE_TYPES.text).text(at.text, given.text);
  if ("texts" in given) return typed(TEXTS).texts(at.texts, given.texts);
  // Lists of attributes stand one by one in files of every other writer.
  if ("floats" in given) {
    for (const value of given.floats) message.float(at.floats, value);
    return typed(ATTRIBUTE_TYPES.floats);
  }
  for (const value of given.integers) message.integer(at.integers, value);
  return typed(ATTRIBUTE_TYPES.integers);
}

const TEXTS = 8;

function nodeMessage(wire: Wire, { name, operator, inputs, outputs, attributes }: NodeDraft): Message {
  const { node: at } = FIELDS;
  const message = new Message(wire).texts(at.inputs, inputs).texts(at.outputs, outputs);
  message.text(at.name, name).text(at.operator, operator);
  for (const [key, value] of Object.entries(attributes))
    message.message(at.attributes, attributeMessage(wire, key, value));
  return message;
}

function entryMessage(wire: Wire, key: string, value: string): Message {
  return new Message(wire).text(FIELDS.entry.key, key).text(FIELDS.entry.value, value);
}

function tensorMessage(wire: Wire, { name, dims, elements, data }: TensorDraft, beside: Beside | undefined): Message {
  const { tensor: at } = FIELDS;
  const message = new Message(wire)
    .integers(at.dims, dims)
    .integer(at.elements, ELEMENTS[elements])
    .text(at.name, name);
  if (beside === undefined) return message.later(at.raw, data);
  for (const [key, value] of [
    ["location", beside.location],
    ["offset", String(beside.offset)],
    ["length", String(data.bytes)],
  ] as const)
    message.message(at.external, entryMessage(wire, key, value));
  return message.integer(at.location, 1);
}

function valueMessage(wire: Wire, { name, elements, sizes }: ValueDraft): Message {
  const shape = new Message(wire);
  for (const size of sizes) {
    const dim = new Message(wire);
    if (typeof size === "number") dim.integer(FIELDS.dim.value, size);
    if (typeof size === "string") dim.text(FIELDS.dim.parameter, size);
    shape.message(FIELDS.shape.dims, dim);
  }
  const tensor = new Message(wire).integer(FIELDS.tensorType.elements, ELEMENTS[elements]);
  const type = new Message(wire).message(FIELDS.type.tensor, tensor.message(FIELDS.tensorType.shape, shape));
  return new Message(wire).text(FIELDS.value.name, name).message(FIELDS.value.type, type);
}

/** A model as a message; tensors that lie beside it are left out. */
export function modelMessage(wire: Wire, model: ModelDraft, beside: ReadonlyMap<string, Beside>): Message {
  const { graph: at, model: top } = FIELDS;
  const graph = new Message(wire);
  for (const node of model.nodes) graph.message(at.nodes, nodeMessage(wire, node));
  graph.text(at.name, model.name);
  for (const tensor of model.tensors)
    graph.message(at.initializers, tensorMessage(wire, tensor, beside.get(tensor.name)));
  for (const value of model.inputs) graph.message(at.inputs, valueMessage(wire, value));
  for (const value of model.outputs) graph.message(at.outputs, valueMessage(wire, value));
  const message = new Message(wire).integer(top.irVersion, model.irVersion).text(top.producer, PRODUCER);
  message.message(top.graph, graph);
  const opset = new Message(wire).text(FIELDS.opset.domain, "").integer(FIELDS.opset.version, model.opset);
  message.message(top.opsets, opset);
  for (const [key, value] of model.metadata) message.message(top.metadata, entryMessage(wire, key, value));
  return message;
}
