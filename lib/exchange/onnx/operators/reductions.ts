// Sums, means and greatest values over axes.
import { globalAveragePool, globalMaxPool, type Layer, ops, type Value } from "../../../index.js";
import type { OnnxNode } from "../format.js";
import type { Importing, Operator } from "../importing.js";
import { type Dims, layerStep, operationStep, unary } from "../steps.js";
import { axesOf } from "./shapes.js";

const meanOf: Operator = (of, node) => {
  reduced(
    of,
    node,
    (x, axis) => ops.mean(x, { axis }),
    () => globalAveragePool(),
  );
};
const sumOf: Operator = (of, node) => {
  reduced(of, node, (x, axis) => ops.sum(x, { axis }));
};
const maxOf: Operator = (of, node) => {
  reduced(
    of,
    node,
    (x, axis) => ops.max(x, { axis }),
    () => globalMaxPool(),
  );
};

function reduced(
  of: Importing,
  node: OnnxNode,
  apply: (x: Value, axes: readonly number[]) => Value,
  layer?: () => Layer,
): void {
  const value = of.floating(node);
  const rank = value.groups.length;
  const axes = axesOf(of, node, 1, rank);
  if (axes === undefined || axes.length === 0) {
    throw of.refusal(node, "a sum of everything, the batch too");
  }
  const own = axes.flatMap((axis) => value.groups[axis] ?? []);
  if (own.includes(0)) of.refuse(node, "a sum over the batch");
  const isKept = of.integer(node, "keepdims", 1) !== 0;
  const { step } = value;
  const left = step.dims.flatMap((_, axis) => (own.includes(axis) ? [] : [axis]));
  const groups = value.groups.flatMap((group, axis): readonly (readonly number[])[] => {
    if (axes.includes(axis)) return isKept ? [[]] : [];
    return [group.map((each) => left.indexOf(each))];
  });
  const [, ...row] = left.map((axis) => step.dims[axis] ?? 1);
  const dims: Dims = ["batch", ...row.map(Number)];
  // Of all places of each channel they are layers.
  const isGlobal = layer !== undefined && left.length === 2 && left[1] === step.dims.length - 1 && step.dims.length > 2;
  const made = isGlobal
    ? layerStep(step, layer(), dims)
    : operationStep(
        [step],
        dims,
        unary((x) => apply(x, own)),
      );
  of.set(node.outputs[0], { kind: "computed", step: own.length === 0 ? step : made, groups });
}

export const reductionOperators: Readonly<Record<string, Operator>> = {
  ...{ ReduceMean: meanOf, ReduceSum: sumOf, ReduceMax: maxOf },
};
