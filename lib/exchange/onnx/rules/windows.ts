// Convolutions and pools, which ONNX knows with the channels in front of rows and columns.
import type { WindowAxis } from "../../../tensor/attributes.js";
import type { Value } from "../../../tensor/value.js";
import { integer, integers } from "../encode.js";
import { floatsOf, type GraphWriter, refuseOperation } from "../graph.js";
import { turnedEach } from "../moves.js";
import { biasOf } from "./products.js";
import { inputAt, type Rules } from "./rule.js";

/** Places of padding behind: as many as before, where as many windows fit then; otherwise what the last window wants. */
function behind({ large, small, kernel, stride, dilation, before }: WindowAxis): number {
  const reach = (kernel - 1) * dilation + 1;
  if (Math.floor((large + 2 * before - reach) / stride) + 1 === small) return before;
  return Math.max(0, (small - 1) * stride + reach - large - before);
}

const pads = (axes: readonly WindowAxis[]): readonly number[] => [
  ...axes.map(({ before }) => before),
  ...axes.map(behind),
];

/** The name of a weight of a convolution in the order of ONNX. */
function kernelOf(graph: GraphWriter, weight: Value, folded: Float32Array | undefined): string {
  const data = folded ?? floatsOf(weight);
  if (data === undefined) return graph.node("Transpose", [graph.name(weight)], { perm: integers([0, 3, 1, 2]) });
  const [outputs = 1, rows = 1, columns = 1, inputs = 1] = weight.shape.map(Number);
  const wanted = graph.nameOfWeight(weight, "weight");
  return graph.derived(weight, wanted, [outputs, inputs, rows, columns], () =>
    turnedEach(data, outputs, rows * columns, inputs),
  );
}

export const windowRules: Rules<"augment" | "conv" | "convTransposed" | "maxPool" | "averagePool"> = {
  // The middle of images; what is drawn of them stands in training alone.
  augment(graph, { inputs, outputs, attributes: { first, small, large, places, flips, back } }) {
    const isDrawn = places.some((count) => count !== 1) || flips.columns || flips.rows || back;
    const isWithin = first.every((begin, axis) => begin >= 0 && begin + (small[axis] ?? 0) <= (large[axis] ?? 0));
    if (isDrawn || !isWithin) refuseOperation(graph, "augment", "that is drawn", "a part of images at a fixed place");
    const bounds = [first, first.map((begin, axis) => begin + (small[axis] ?? 0)), [1, 2]].map((each) =>
      graph.places(each),
    );
    graph.set(inputAt(outputs, 0), graph.node("Slice", [graph.name(inputAt(inputs, 0)), ...bounds]));
  },
  conv(graph, applied) {
    const { inputs, outputs, attributes } = applied;
    const [x, weight, bias] = [inputAt(inputs, 0), inputAt(inputs, 1), inputs[2]];
    const { rows, columns, groups } = attributes;
    const axes = [rows, columns];
    const folded = graph.foldedInto(applied);
    const addend = biasOf(graph, bias, folded?.bias);
    const operands = [graph.channelsFirst(x), kernelOf(graph, weight, folded?.weight)];
    const y = graph.node("Conv", addend === undefined ? operands : [...operands, addend], {
      kernel_shape: integers(axes.map(({ kernel }) => kernel)),
      strides: integers(axes.map(({ stride }) => stride)),
      dilations: integers(axes.map(({ dilation }) => dilation)),
      pads: integers(pads(axes)),
      group: integer(groups),
    });
    graph.setChannelsFirst(inputAt(outputs, 0), y);
  },
  convTransposed(graph, { inputs, outputs, attributes: { rows, columns, groups } }) {
    const [x, weight, bias] = [inputAt(inputs, 0), inputAt(inputs, 1), inputs[2]];
    const axes = [rows, columns];
    // What windows reach beyond what is wanted is padding; what they do not reach is added at the end.
    const over = axes.map(
      ({ large, small, kernel, stride, dilation, before }) =>
        (small - 1) * stride + (kernel - 1) * dilation + 1 - before - large,
    );
    const operands = [graph.channelsFirst(x), kernelOf(graph, weight, undefined)];
    const y = graph.node("ConvTranspose", bias === undefined ? operands : [...operands, graph.name(bias)], {
      kernel_shape: integers(axes.map(({ kernel }) => kernel)),
      strides: integers(axes.map(({ stride }) => stride)),
      dilations: integers(axes.map(({ dilation }) => dilation)),
      pads: integers([...axes.map(({ before }) => before), ...over.map((each) => Math.max(each, 0))]),
      output_padding: integers(over.map((each) => Math.max(-each, 0))),
      group: integer(groups),
    });
    graph.setChannelsFirst(inputAt(outputs, 0), y);
  },
  maxPool(graph, { inputs, outputs, attributes: { rows, columns } }) {
    if (inputs.length > 1) refuseOperation(graph, "maxPool", "that picks of another value", "a pool");
    graph.setChannelsFirst(inputAt(outputs, 0), pool(graph, "MaxPool", inputAt(inputs, 0), [rows, columns]));
  },
  averagePool(graph, { inputs, outputs, attributes: { rows, columns, countPadding } }) {
    const counted = { count_include_pad: integer(countPadding ? 1 : 0) };
    graph.setChannelsFirst(
      inputAt(outputs, 0),
      pool(graph, "AveragePool", inputAt(inputs, 0), [rows, columns], counted),
    );
  },
};

function pool(graph: GraphWriter, operator: string, x: Value, axes: readonly WindowAxis[], more = {}): string {
  return graph.node(operator, [graph.channelsFirst(x)], {
    kernel_shape: integers(axes.map(({ kernel }) => kernel)),
    strides: integers(axes.map(({ stride }) => stride)),
    pads: integers(pads(axes)),
    ...more,
  });
}
