// A model as an ONNX graph: its network at inference, between the units of its data and those of its answers.
import type { Affine } from "../../data/transform.js";
import { CarillonError } from "../../errors.js";
import type { AnyModel } from "../../index.js";
import type { Described, DescribedOutput, Normalization } from "../../nn/meaning/meaning.js";
import type { OperationName } from "../../tensor/attributes.js";
import type { RaggedValue } from "../../tensor/ragged_value.js";
import { areNamed, type RowSpec } from "../../tensor/row_spec.js";
import { extent } from "../../tensor/shape.js";
import type { Applied, Value } from "../../tensor/value.js";
import { integer, type ModelDraft, type ValueDraft } from "./encode.js";
import { foldNorms } from "./fold.js";
import { appliedIn, GraphWriter } from "./graph.js";
import { onnxRules } from "./rules/index.js";
import type { Rules } from "./rules/rule.js";

/** Operators that files are written with, since May 2023: with ONNX Runtime 1.17 and later, and without `Swish`, which 24 alone has. */
export const OPSET = 20;
const IR_VERSION = 9;

/** What a file is made of. */
export interface DraftOptions {
  readonly name: string;
  readonly probabilities: boolean | undefined;
  readonly listWeights: boolean;
}

const DOUBLE = { to: integer(11) } as const;
const FLOAT = { to: integer(1) } as const;

/** Units changed in double, as a model changes them: `body` has the value, the shift and the scale by their names. */
function inUnits(
  graph: GraphWriter,
  name: string,
  shape: readonly number[],
  { shift, scale }: Affine,
  body: (value: string, shift: string, scale: string) => string,
): string {
  const width = shift.length;
  // Columns stand on the last axis, are all numbers of a row, or begin anew within it.
  const isLast = shape.at(-1) === width;
  const dims = isLast || extent(shape) !== width ? [width] : shape;
  const isApart = !isLast && extent(shape) !== width;
  const given = isApart ? graph.node("Reshape", [name, graph.places([-1, width])]) : name;
  const constant = (values: readonly number[]): string => graph.constant(Float64Array.from(values), dims);
  const changed = body(graph.node("Cast", [given], DOUBLE), constant(shift), constant(scale));
  const rounded = graph.node("Cast", [changed], FLOAT);
  return isApart ? graph.reshaped(rounded, ["batch", ...shape]) : rounded;
}

/** Inputs of the graph for one of the model, whose value is in the network's own units then. */
function openInput(
  graph: GraphWriter,
  row: RowSpec,
  value: Value,
  units: Affine | undefined,
  hasWeights: boolean,
): readonly ValueDraft[] {
  const { name, shape, dtype, bytes } = row;
  if (isLists(value)) return openLists(graph, name, value, hasWeights);
  const given = graph.fresh(name);
  const elements = bytes ? "uint8" : dtype === "f32" ? "float" : "int32";
  // The first name of a batch is where nodes ask for its rows.
  graph.set(value, given);
  if (bytes) graph.set(value, graph.node("Cast", [given], FLOAT));
  if (units !== undefined) {
    const own = inUnits(graph, graph.name(value), shape, units, (x, shift, scale) =>
      graph.node("Div", [graph.node("Sub", [x, shift]), scale]),
    );
    graph.set(value, own);
  }
  return [{ name: given, elements, sizes: ["batch", ...shape] }];
}

/** By what it has: this module may stand in another bundle than the class. */
function isLists(value: Value): value is RaggedValue {
  return "ids" in value && "ends" in value;
}

/** What programs call an input. */
const nameOf = ({ source }: Value): string => (source.kind === "input" ? source.name : "");

function openLists(graph: GraphWriter, name: string, value: RaggedValue, hasWeights: boolean): readonly ValueDraft[] {
  const [ids, ends] = [value.ids, value.ends].map((part) => graph.fresh(nameOf(part)));
  if (ids === undefined || ends === undefined) return [];
  const length = `${name}.count`;
  graph.set(value.ends, ends);
  graph.set(value.ids, ids);
  const drafts: ValueDraft[] = [
    { name: ids, elements: "int32", sizes: [length] },
    { name: ends, elements: "int32", sizes: ["batch"] },
  ];
  if (!hasWeights || value.weights === undefined || value.averaged) return drafts;
  const weights = graph.fresh(nameOf(value.weights));
  graph.set(value.weights, weights);
  return [...drafts, { name: weights, elements: "float", sizes: [length] }];
}

/** Whether an output has probabilities beside it: where it is said so, or where its training, or its last layer, says that it has. */
function hasProbabilities({ lossKind, ending }: DescribedOutput, wanted: boolean | undefined): boolean {
  return wanted ?? (lossKind !== undefined || ending !== undefined);
}

const NORMALIZED = { softmax: "Softmax", sigmoid: "Sigmoid", exp: "Exp", none: "Identity" } as const;

/** Gives a result its name. */
function called(graph: GraphWriter, name: string, wanted: string): string {
  const own = graph.fresh(wanted);
  if (!graph.rename(name, own)) graph.nodes.push(identity(name, own));
  return own;
}

const identity = (from: string, to: string) => ({
  ...{ name: `${to}/Identity`, operator: "Identity", inputs: [from], outputs: [to], attributes: {} },
});

/** Outputs of the graph for one of the model: its numbers in the units of the data, and probabilities. */
function closeOutput(
  graph: GraphWriter,
  { name, shape }: RowSpec,
  value: Value,
  output: DescribedOutput,
  normalization: Normalization | undefined,
): readonly ValueDraft[] {
  const sizes = ["batch", ...shape];
  const elements = value.dtype === "f32" ? "float" : "int32";
  const raw = graph.name(value);
  const made =
    normalization === undefined
      ? undefined
      : graph.node(NORMALIZED[normalization], [raw], normalization === "softmax" ? { axis: integer(-1) } : {});
  const { units } = output;
  const own =
    units === undefined
      ? raw
      : inUnits(graph, raw, shape, units, (y, shift, scale) =>
          graph.node("Add", [graph.node("Mul", [y, scale]), shift]),
        );
  const drafts: ValueDraft[] = [{ name: called(graph, own, name), elements, sizes }];
  if (made === undefined) return drafts;
  const wanted = name === "y" ? "probabilities" : `${name}_probabilities`;
  return [...drafts, { name: called(graph, made, wanted), elements: "float", sizes }];
}

/** Writes an operation; `ERR_OPTION` names the layer of one that ONNX has no form for. */
function write<K extends OperationName>(graph: GraphWriter, applied: Applied<K>, rules: Rules<OperationName>): void {
  const rule: Rules<K>[K] = rules[applied.operation];
  if (typeof rule === "function") {
    rule(graph, applied);
    return;
  }
  const of =
    graph.path === "" ? `the network's '${applied.operation}'` : `'${applied.operation}' of the layer '${graph.path}'`;
  const expected = `expected operations that ONNX has for 'exportOnnx' but received ${of}: ${rule.without}`;
  throw new CarillonError("ERR_OPTION", graph.path || applied.operation, expected);
}

/** Names of classes, and what raw rows go through before they are inputs, as a file keeps them beside its graph. */
function metadataOf(model: AnyModel, described: Described): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  const isNamed = areNamed("y", model.rows.outputs);
  for (const [at, { classNames }] of described.outputs.entries()) {
    const name = model.rows.outputs[at]?.name ?? "y";
    if (classNames !== undefined) entries.set(isNamed ? `classes.${name}` : "classes", JSON.stringify(classNames));
  }
  if (model.preparation !== undefined) entries.set("preparation", JSON.stringify(model.preparation));
  return entries;
}

/** A model as it is written. */
export function draftOf(model: AnyModel, { name, probabilities, listWeights }: DraftOptions): ModelDraft {
  const { inputs, outputs, weights, layers, described, normalizations } = model.recordedApart();
  const all = appliedIn(outputs);
  const { folded, gone } = foldNorms(all, outputs);
  const names = new Map<Value, string>([...weights].map(([weight, tensor]) => [tensor, weight]));
  const wanted = new Set([...all.flatMap((each) => each.inputs), ...outputs]);
  const layerOf = (value: Value): string | undefined => layers.find(({ last }) => last >= value.id)?.path;
  const graph = new GraphWriter({ folded, gone, listWeights, wanted, weights: names, layerOf });
  const { rows } = model;
  // Outputs keep their names, whatever nodes are called.
  const ends = inputs.flatMap((value, at) => {
    const row = rows.inputs[at];
    return row === undefined ? [] : openInput(graph, row, value, described.inputs[at], listWeights);
  });
  for (const applied of all) {
    const [first] = applied.outputs;
    if (first !== undefined) graph.enter(first);
    write(graph, applied, onnxRules);
  }
  graph.leave();
  const closed = outputs.flatMap((value, at) => {
    const [row, output] = [rows.outputs[at], described.outputs[at]];
    if (row === undefined || output === undefined) return [];
    const normalization = hasProbabilities(output, probabilities) ? normalizations[at] : undefined;
    return closeOutput(graph, row, value, output, normalization);
  });
  graph.prune(closed.map((end) => end.name));
  const { nodes, tensors } = graph;
  const metadata = metadataOf(model, described);
  return { irVersion: IR_VERSION, opset: OPSET, name, nodes, tensors, inputs: ends, outputs: closed, metadata };
}
