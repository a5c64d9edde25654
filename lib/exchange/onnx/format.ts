// What is used of the format of ONNX: the messages as plain data, and the numbers of their fields (onnx.ai, IR of version 9).

/** Elements of tensors by the names that are used here, and their numbers. */
export const ELEMENTS = {
  float: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  double: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
} as const;

export type ElementName = keyof typeof ELEMENTS;

/** `float` of 1; the number itself of elements that are not used here. */
export function elementName(number: number): string {
  return Object.entries(ELEMENTS).find(([, each]) => each === number)?.[0] ?? `type ${number}`;
}

/** Numbers of fields, message by message. */
export const FIELDS = {
  model: { irVersion: 1, producer: 2, producerVersion: 3, graph: 7, opsets: 8, metadata: 14, functions: 25 },
  opset: { domain: 1, version: 2 },
  entry: { key: 1, value: 2 },
  graph: { nodes: 1, name: 2, initializers: 5, inputs: 11, outputs: 12, values: 13, sparse: 15 },
  node: { inputs: 1, outputs: 2, name: 3, operator: 4, attributes: 5, domain: 7 },
  attribute: {
    ...{ name: 1, float: 2, integer: 3, text: 4, tensor: 5, graph: 6, floats: 7, integers: 8, texts: 9 },
    ...{ tensors: 10, graphs: 11, type: 20, reference: 21 },
  },
  tensor: {
    ...{ dims: 1, elements: 2, segment: 3, floats: 4, int32s: 5, texts: 6, int64s: 7, name: 8, raw: 9 },
    ...{ doubles: 10, uint64s: 11, external: 13, location: 14 },
  },
  value: { name: 1, type: 2 },
  type: { tensor: 1 },
  tensorType: { elements: 1, shape: 2 },
  shape: { dims: 1 },
  dim: { value: 1, parameter: 2 },
} as const;

/** Of attributes: what they hold. */
export const ATTRIBUTE_TYPES = { float: 1, integer: 2, text: 3, tensor: 4, graph: 5, floats: 6, integers: 7 } as const;

/** A size of a tensor: known, by a name, or nothing. */
export type Size = number | string | undefined;

/** Elements of a tensor as they stand in a file. */
export type Stored =
  | { readonly kind: "raw"; readonly bytes: Uint8Array }
  /** Integers of any lengths side by side. */
  | { readonly kind: "packed"; readonly bytes: Uint8Array }
  | { readonly kind: "numbers"; readonly numbers: readonly number[] }
  | { readonly kind: "external"; readonly location: string; readonly offset: number; readonly length?: number };

export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  /** {@link ELEMENTS} */
  readonly elements: number;
  readonly stored: Stored;
}

export interface OnnxAttribute {
  readonly name: string;
  readonly float?: number | undefined;
  readonly integer?: number | undefined;
  readonly text?: string | undefined;
  readonly tensor?: OnnxTensor | undefined;
  readonly floats: readonly number[];
  readonly integers: readonly number[];
  readonly texts: readonly string[];
  /** Whether it is a graph, or several, which are not read. */
  readonly isGraph: boolean;
}

export interface OnnxNode {
  readonly name: string;
  readonly operator: string;
  readonly domain: string;
  /** An empty name: none. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

/** An input, or an output, of a graph. */
export interface OnnxValue {
  readonly name: string;
  /** {@link ELEMENTS}; 0 of what is no tensor. */
  readonly elements: number;
  /** `undefined` where the file does not say how many there are. */
  readonly sizes: readonly Size[] | undefined;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

export interface OnnxModel {
  readonly irVersion: number;
  readonly producer: string;
  readonly producerVersion: string;
  /** Versions of the operators, by domain; that of ONNX is "". */
  readonly opsets: ReadonlyMap<string, number>;
  readonly graph: OnnxGraph;
  readonly metadata: ReadonlyMap<string, string>;
}
