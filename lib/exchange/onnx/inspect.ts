// What a model of ONNX says of itself, without its weights.
import { type FileSource, readWhole } from "../reading/file.js";
import { decodeModel } from "./decode.js";
import { elementName, type OnnxModel, type OnnxValue } from "./format.js";
import { loadWire } from "./wire.js";

/** Of a file: its weights by name, and facts in words. */
export interface OnnxFacts {
  readonly tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
  readonly facts: Readonly<Record<string, unknown>>;
}

const valueText = ({ name, elements, sizes }: OnnxValue): string =>
  `${name}: ${elementName(elements)} [${(sizes ?? []).map((size) => size ?? "?").join(", ")}]`;

/** How often each operator stands in a graph, the commonest first. */
function operatorsText({ graph }: OnnxModel): string {
  const counts = new Map<string, number>();
  for (const { operator, domain } of graph.nodes) {
    const name = domain === "" ? operator : `${domain}.${operator}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const rows = [...counts].sort(([, a], [, b]) => b - a);
  return rows.map(([name, count]) => (count === 1 ? name : `${count} ${name}`)).join(", ");
}

/** Reads the graph of a model of `most` bytes at most; `ERR_FILE` names what is none, `ERR_STATE` the package that reads it. */
export async function onnxFacts(where: string, source: FileSource, most: number): Promise<OnnxFacts> {
  const [bytes, wire] = await Promise.all([readWhole(where, source, most), loadWire()]);
  const file = decodeModel(wire, bytes, where);
  const { graph, metadata, opsets, irVersion, producer, producerVersion } = file;
  const tensors = [...graph.initializers.values()].map(({ name, elements, dims }) => {
    return { name, dtype: elementName(elements), shape: dims };
  });
  const facts = {
    producer: `${producer} ${producerVersion}`.trim() || undefined,
    ir: irVersion,
    opset: [...opsets].map(([domain, version]) => `${domain}${domain === "" ? "" : " "}${version}`).join(", "),
    inputs: graph.inputs
      .filter(({ name }) => !graph.initializers.has(name))
      .map(valueText)
      .join("; "),
    outputs: graph.outputs.map(valueText).join("; "),
    operators: operatorsText(file),
    ...Object.fromEntries(metadata),
  };
  return { tensors, facts };
}
