// Bytes of anybody's as a model of ONNX. Messages stand in one another to a depth that is fixed, each thing that is kept is counted before it is made, and the bytes of weights
// stay where they are.
import { CarillonError, messageOf } from "../../errors.js";
import { broken, refuseFile } from "../../io/refusal.js";
import { eachField, LONGEST_NAME, NUMBER, OBJECT, Reading, ROOM } from "./fields.js";
import {
  FIELDS,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
  type Size,
  type Stored,
} from "./format.js";
import type { Wire } from "./wire.js";

/** Axes of a tensor. */
const AXES = 32;

function entryOf(of: Reading, path: string, bytes: Uint8Array, most: number): readonly [key: string, value: string] {
  let [key, value] = ["", ""];
  eachField(of, path, bytes, (field) => {
    if (field.number === FIELDS.entry.key) key = field.text();
    else if (field.number === FIELDS.entry.value) value = field.text(most);
  });
  return [key, value];
}

/** A number of a text of an entry, from 0. */
function countOf(of: Reading, path: string, key: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(number) ? number : refuseFile(`${of.where}: ${path}`, `a number as '${key}'`, value);
}

function externalOf(of: Reading, path: string, entries: ReadonlyMap<string, string>): Stored {
  const offset = countOf(of, path, "offset", entries.get("offset")) ?? 0;
  const length = countOf(of, path, "length", entries.get("length"));
  const location = entries.get("location") ?? "";
  return { kind: "external", location, offset, ...(length === undefined ? {} : { length }) };
}

function tensorOf(of: Reading, path: string, bytes: Uint8Array): OnnxTensor {
  of.spend(OBJECT);
  const { tensor: at } = FIELDS;
  const dims: number[] = [];
  const numbers: number[] = [];
  const entries = new Map<string, string>();
  let [name, elements, isExternal] = ["", 0, false];
  let stored: Stored = { kind: "raw", bytes: NO_BYTES };
  eachField(of, path, bytes, (field) => {
    switch (field.number) {
      case at.name:
        name = field.text();
        break;
      case at.dims:
        field.integers(dims, AXES);
        break;
      case at.elements:
        elements = field.integer();
        break;
      case at.raw:
      case at.doubles:
        stored = { kind: "raw", bytes: field.bytes() };
        break;
      case at.floats:
        // Side by side they are what raw bytes are.
        if (field.isDelimited) stored = { kind: "raw", bytes: field.bytes() };
        else field.floats(numbers);
        break;
      case at.int32s:
      case at.int64s:
      case at.uint64s:
        if (field.isDelimited) stored = { kind: "packed", bytes: field.bytes() };
        else field.integers(numbers, ROOM);
        break;
      case at.external: {
        const [key, value] = entryOf(of, `${path}.external_data`, field.bytes(), LONGEST_NAME);
        entries.set(key, value);
        break;
      }
      case at.location:
        isExternal = field.integer() === 1;
        break;
      case at.texts:
        of.spend(OBJECT);
        break;
    }
  });
  const place = name === "" ? path : `tensor '${name}'`;
  if (dims.some((size) => size < 0)) refuseFile(`${of.where}: ${place}`, "sizes >= 0", `[${dims.join(", ")}]`);
  if (numbers.length > 0) stored = { kind: "numbers", numbers };
  if (isExternal) stored = externalOf(of, place, entries);
  return { name, dims, elements, stored };
}

const NO_BYTES = new Uint8Array();

function attributeOf(of: Reading, path: string, bytes: Uint8Array): OnnxAttribute {
  of.spend(OBJECT);
  const { attribute: at } = FIELDS;
  const [floats, integers, texts]: [number[], number[], string[]] = [[], [], []];
  const found: {
    name: string;
    float?: number;
    integer?: number;
    text?: string;
    tensor?: OnnxTensor;
    isGraph: boolean;
  } = {
    name: "",
    isGraph: false,
  };
  eachField(of, path, bytes, (field) => {
    switch (field.number) {
      case at.name:
        found.name = field.text();
        break;
      case at.float:
        found.float = field.float();
        break;
      case at.integer:
        found.integer = field.integer();
        break;
      case at.text:
        found.text = field.text(LONGEST_TEXT);
        break;
      case at.tensor:
        found.tensor = tensorOf(of, `${path}.value`, field.bytes());
        break;
      case at.floats:
        field.floats(floats);
        break;
      case at.integers:
        field.integers(integers, ROOM);
        break;
      case at.texts:
        texts.push(field.text(LONGEST_TEXT));
        break;
      case at.graph:
      case at.graphs:
      case at.tensors:
        found.isGraph = true;
        break;
    }
  });
  return { ...found, floats, integers, texts };
}

/** Bytes of a text that is no name. */
const LONGEST_TEXT = 1_048_576;

function nodeOf(of: Reading, path: string, bytes: Uint8Array): OnnxNode {
  of.spend(2 * OBJECT);
  const { node: at } = FIELDS;
  const [inputs, outputs]: [string[], string[]] = [[], []];
  const attributes = new Map<string, OnnxAttribute>();
  let [name, operator, domain] = ["", "", ""];
  eachField(of, path, bytes, (field) => {
    if (field.number === at.inputs) inputs.push(field.text());
    else if (field.number === at.outputs) outputs.push(field.text());
    else if (field.number === at.name) name = field.text();
    else if (field.number === at.operator) operator = field.text();
    else if (field.number === at.domain) domain = field.text();
    else if (field.number === at.attributes) {
      const attribute = attributeOf(of, `${path}.attribute`, field.bytes());
      attributes.set(attribute.name, attribute);
    }
  });
  return { name, operator, domain: domain === "ai.onnx" ? "" : domain, inputs, outputs, attributes };
}

function sizesOf(of: Reading, path: string, bytes: Uint8Array): readonly Size[] {
  const sizes: Size[] = [];
  eachField(of, path, bytes, (field) => {
    if (field.number !== FIELDS.shape.dims) return;
    of.spend(NUMBER);
    let size: Size;
    eachField(of, path, field.bytes(), (part) => {
      if (part.number === FIELDS.dim.value) size = part.integer();
      else if (part.number === FIELDS.dim.parameter) size = part.text();
    });
    sizes.push(size);
    if (sizes.length > AXES) refuseFile(`${of.where}: ${path}`, `at most ${AXES} axes`, "more");
  });
  return sizes;
}

function endOf(of: Reading, path: string, bytes: Uint8Array): OnnxValue {
  of.spend(OBJECT);
  let [name, elements] = ["", 0];
  let sizes: readonly Size[] | undefined;
  eachField(of, path, bytes, (field) => {
    if (field.number === FIELDS.value.name) name = field.text();
    if (field.number !== FIELDS.value.type) return;
    eachField(of, path, field.bytes(), (type) => {
      if (type.number !== FIELDS.type.tensor) return;
      eachField(of, path, type.bytes(), (tensor) => {
        if (tensor.number === FIELDS.tensorType.elements) elements = tensor.integer();
        if (tensor.number === FIELDS.tensorType.shape) sizes = sizesOf(of, `${path}.shape`, tensor.bytes());
      });
    });
  });
  return { name, elements, sizes };
}

function graphOf(of: Reading, bytes: Uint8Array): OnnxGraph {
  const { graph: at } = FIELDS;
  const nodes: OnnxNode[] = [];
  const initializers = new Map<string, OnnxTensor>();
  const [inputs, outputs]: [OnnxValue[], OnnxValue[]] = [[], []];
  let name = "";
  eachField(of, "graph", bytes, (field) => {
    switch (field.number) {
      case at.nodes:
        nodes.push(nodeOf(of, `graph.node[${nodes.length}]`, field.bytes()));
        break;
      case at.name:
        name = field.text();
        break;
      case at.initializers: {
        const tensor = tensorOf(of, `graph.initializer[${initializers.size}]`, field.bytes());
        initializers.set(tensor.name, tensor);
        break;
      }
      case at.inputs:
        inputs.push(endOf(of, `graph.input[${inputs.length}]`, field.bytes()));
        break;
      case at.outputs:
        outputs.push(endOf(of, `graph.output[${outputs.length}]`, field.bytes()));
        break;
      case at.sparse:
        return refuseFile(of.where, "tensors with all of their elements", "a sparse one");
    }
  });
  return { name, nodes, initializers, inputs, outputs };
}

/** The model that bytes are; `ERR_FILE` tells what they have in the place of one, and where. */
export function decodeModel(wire: Wire, bytes: Uint8Array, where: string): OnnxModel {
  try {
    return modelOf(new Reading(wire, where), bytes);
  } catch (cause) {
    if (cause instanceof CarillonError) throw cause;
    throw new CarillonError("ERR_FILE", where, broken(where, "a file of ONNX", messageOf(cause)).message, { cause });
  }
}

function modelOf(of: Reading, bytes: Uint8Array): OnnxModel {
  const { model: at } = FIELDS;
  const opsets = new Map<string, number>();
  const metadata = new Map<string, string>();
  const functions: Uint8Array[] = [];
  const found: { graph?: OnnxGraph } = {};
  let [irVersion, producer, producerVersion] = [0, "", ""];
  eachField(of, "model", bytes, (field) => {
    switch (field.number) {
      case at.irVersion:
        irVersion = field.integer();
        break;
      case at.producer:
        producer = field.text();
        break;
      case at.producerVersion:
        producerVersion = field.text();
        break;
      case at.graph:
        found.graph = graphOf(of, field.bytes());
        break;
      case at.opsets: {
        const [domain, version] = opsetOf(of, field.bytes());
        opsets.set(domain === "ai.onnx" ? "" : domain, version);
        break;
      }
      case at.metadata: {
        const [key, value] = entryOf(of, "model.metadata_props", field.bytes(), ROOM);
        metadata.set(key, value);
        break;
      }
      case at.functions:
        functions.push(field.bytes());
        of.spend(OBJECT);
        break;
    }
  });
  const { graph } = found;
  if (irVersion < 1 || graph === undefined) return refuseFile(of.where, "a model of ONNX", "none: it has no graph");
  return { irVersion, producer, producerVersion, opsets, graph, metadata };
}

function opsetOf(of: Reading, bytes: Uint8Array): readonly [domain: string, version: number] {
  let [domain, version] = ["", 0];
  eachField(of, "model.opset_import", bytes, (field) => {
    if (field.number === FIELDS.opset.domain) domain = field.text();
    if (field.number === FIELDS.opset.version) version = field.integer();
  });
  return [domain, version];
}
