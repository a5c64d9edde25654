// Files of ONNX made by hand, node by node.
import {
  bytesOf,
  type ModelDraft,
  modelMessage,
  type NodeDraft,
  type TensorDraft,
  type ValueDraft,
} from "../../../lib/exchange/onnx/encode.js";
import type { ElementName } from "../../../lib/exchange/onnx/format.js";
import { loadWire } from "../../../lib/exchange/onnx/wire.js";

/** A tensor of floats, or of other numbers. */
export function weight(
  name: string,
  dims: readonly number[],
  data: ArrayBufferView = numbered(dims),
  elements: ElementName = "float",
): TensorDraft {
  const { buffer, byteOffset, byteLength } = data;
  return {
    name,
    dims,
    elements,
    data: { bytes: byteLength, make: () => new Uint8Array(buffer, byteOffset, byteLength) },
  };
}

/** Numbers that differ and are small: of place k (7k mod 13 − 6)/8. */
export function numbered(dims: readonly number[]): Float32Array {
  const count = dims.reduce((product, size) => product * size, 1);
  return Float32Array.from({ length: count }, (_, at) => (((at * 7) % 13) - 6) / 8);
}

export const sizes = (name: string, values: readonly number[]): TensorDraft =>
  weight(name, [values.length], BigInt64Array.from(values, BigInt), "int64");

/** A node whose outputs are called as it is. */
export function node(
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: NodeDraft["attributes"] = {},
): NodeDraft {
  return { name: `${operator}_0`, operator, inputs, outputs, attributes };
}

export const floats = (name: string, dims: ValueDraft["sizes"]): ValueDraft => ({
  name,
  elements: "float",
  sizes: dims,
});

/** The bytes of a model of these parts. */
export async function fileOf(
  parts: Partial<ModelDraft> & Pick<ModelDraft, "nodes" | "inputs" | "outputs">,
): Promise<Uint8Array> {
  const wire = await loadWire();
  const draft: ModelDraft = { irVersion: 9, opset: 20, name: "made", tensors: [], metadata: new Map(), ...parts };
  return Buffer.concat([...bytesOf(modelMessage(wire, draft, new Map()))]);
}
