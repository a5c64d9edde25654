// A network of dense layers as the bytes of an ONNX model: Gemm, Relu, …, Gemm. https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3

/** One dense layer: W [outputs, inputs], row-major. */
export interface Dense {
  readonly inputs: number;
  readonly outputs: number;
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** Wire types of a field. */
const VARINT = 0;
const BYTES = 2;

/** ONNX: element type float, operator set 13, file version 8. */
const FLOAT = 1;
const OPERATOR_SET = 13;
const FILE_VERSION = 8;

const CONTINUED = 0x80;
const LOW = 0x7f;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= CONTINUED; rest = Math.floor(rest / CONTINUED)) bytes.push((rest & LOW) | CONTINUED);
  return [...bytes, rest];
}

const number = (field: number, value: number): Uint8Array =>
  Uint8Array.from([...varint(field * 8 + VARINT), ...varint(value)]);

function bytes(field: number, content: Uint8Array | string): Uint8Array {
  const data = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return joined([Uint8Array.from([...varint(field * 8 + BYTES), ...varint(data.length)]), data]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function tensor(name: string, shape: readonly number[], data: Float32Array): Uint8Array {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return joined([...shape.map((size) => number(1, size)), number(2, FLOAT), bytes(8, name), bytes(9, raw)]);
}

function node(operator: string, inputs: readonly string[], output: string): Uint8Array {
  return joined([...inputs.map((name) => bytes(1, name)), bytes(2, output), bytes(4, operator)]);
}

/** A port of [batch, columns]. */
function port(name: string, columns: number): Uint8Array {
  const shape = joined([bytes(1, bytes(2, "batch")), bytes(1, number(1, columns))]);
  return joined([bytes(1, name), bytes(2, bytes(1, joined([number(1, FLOAT), bytes(2, shape)])))]);
}

/** The attribute of a Gemm that takes W as it lies. */
const TRANSPOSED = joined([bytes(1, "transB"), number(3, 1), number(20, 2)]);

/** The model: y [batch, outputs] from x [batch, inputs]. */
export function onnxModel(layers: readonly Dense[]): Uint8Array {
  const nodes: Uint8Array[] = [];
  const initializers: Uint8Array[] = [];
  let from = "x";
  for (const [index, { inputs, outputs, weight, bias }] of layers.entries()) {
    const isLast = index === layers.length - 1;
    const product = isLast ? "y" : `product${index}`;
    initializers.push(tensor(`w${index}`, [outputs, inputs], weight), tensor(`b${index}`, [outputs], bias));
    nodes.push(joined([node("Gemm", [from, `w${index}`, `b${index}`], product), bytes(5, TRANSPOSED)]));
    if (!isLast) nodes.push(node("Relu", [product], `hidden${index}`));
    from = `hidden${index}`;
  }
  const graph = joined([
    ...nodes.map((each) => bytes(1, each)),
    bytes(2, "network"),
    ...initializers.map((each) => bytes(5, each)),
    bytes(11, port("x", layers[0]?.inputs ?? 0)),
    bytes(12, port("y", layers.at(-1)?.outputs ?? 0)),
  ]);
  return joined([number(1, FILE_VERSION), bytes(7, graph), bytes(8, number(2, OPERATOR_SET))]);
}
