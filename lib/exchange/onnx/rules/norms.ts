// Normalizations, and what goes row by row.
import type { Dim } from "../../../tensor/shape.js";
import type { Applied } from "../../../tensor/value.js";
import { float, integer } from "../encode.js";
import type { GraphWriter } from "../graph.js";
import { inputAt, OF_TRAINING, type Rules, type WrittenAny } from "./rule.js";

const LAST = { axis: integer(-1) } as const;

/** y of each row: centred, by LayerNormalization; otherwise of steps, as operator sets below 23 have no name for it. */
function normalized(
  graph: GraphWriter,
  x: string,
  columns: number,
  epsilon: number,
  centered: boolean,
  scale?: string,
  shift?: string,
): string {
  if (centered) {
    const factors = scale ?? graph.constant(new Float32Array(columns).fill(1), [columns]);
    const operands = [x, factors, ...(shift === undefined ? [] : [shift])];
    return graph.node("LayerNormalization", operands, { ...LAST, epsilon: float(epsilon) });
  }
  const squares = graph.node("ReduceMean", [graph.node("Mul", [x, x]), graph.places([-1])], { keepdims: integer(1) });
  const root = graph.node("Sqrt", [graph.node("Add", [squares, graph.scalar(epsilon)])]);
  const divided = graph.node("Div", [x, root]);
  return scale === undefined ? divided : graph.node("Mul", [divided, scale]);
}

const rowwise =
  (operator: string): WrittenAny =>
  (graph, { inputs, outputs }) =>
    graph.set(inputAt(outputs, 0), graph.node(operator, [graph.name(inputAt(inputs, 0))], LAST));

function rowNorm(graph: GraphWriter, { inputs, outputs, attributes }: Applied<"rowNorm">): void {
  const { epsilon, centered, groups } = attributes;
  const [x, y] = [inputAt(inputs, 0), inputAt(outputs, 0)];
  const [scale, shift] = [inputs[1], inputs[2]].map((value) => value && graph.name(value));
  const columns = Number(x.shape.at(-1)) / groups;
  if (groups === 1) {
    graph.set(y, normalized(graph, graph.name(x), columns, epsilon, centered, scale, shift));
    return;
  }
  const grouped: readonly Dim[] = [...x.shape.slice(0, -1), groups, columns];
  const parts = normalized(graph, graph.reshaped(graph.name(x), grouped), columns, epsilon, centered);
  const plain = graph.reshaped(parts, x.shape);
  const scaled = scale === undefined ? plain : graph.node("Mul", [plain, scale]);
  graph.set(y, shift === undefined ? scaled : graph.node("Add", [scaled, shift]));
}

export const normRules: Rules<"softmax" | "logSoftmax" | "rowNorm" | "columnNorm" | "scaleShift"> = {
  softmax: rowwise("Softmax"),
  logSoftmax: rowwise("LogSoftmax"),
  rowNorm,
  columnNorm: {
    without:
      "it looks at the other rows of a batch, which a server chooses: batchNorm as a layer answers by running figures",
  },
  scaleShift(graph, { inputs, outputs }) {
    const [x, scale, shift, y] = [inputAt(inputs, 0), inputAt(inputs, 1), inputAt(inputs, 2), inputAt(outputs, 0)];
    if (graph.isFolded(y)) return graph.alias(y, x);
    const isFirst = graph.isChannelsFirst(x);
    const along = (name: string): string =>
      isFirst ? graph.node("Reshape", [name, graph.places([Number(scale.shape[0]), 1, 1])]) : name;
    const factor = along(graph.name(scale));
    const product = graph.node("Mul", [isFirst ? graph.channelsFirst(x) : graph.name(x), factor]);
    const sum = graph.node("Add", [product, along(graph.name(shift))]);
    return isFirst ? graph.setChannelsFirst(y, sum) : graph.set(y, sum);
  },
};

/** Gradients of normalizations, and losses. */
export const trainingRules: Rules<
  | "softmaxCrossEntropy"
  | "rowNormGradient"
  | "columnNormGradient"
  | "recurrenceGradient"
  | "attentionGradient"
  | "inBatch"
  | "inBatchGradient"
  | "candidates"
  | "convWeight"
  | "maxPoolGradient"
  | "averagePoolGradient"
  | "dropout"
  | "noise"
  | "takeGradient"
  | "scheduleValue"
> = {
  ...{ softmaxCrossEntropy: OF_TRAINING, inBatch: OF_TRAINING, candidates: OF_TRAINING, scheduleValue: OF_TRAINING },
  ...{ rowNormGradient: OF_TRAINING, columnNormGradient: OF_TRAINING, recurrenceGradient: OF_TRAINING },
  ...{ attentionGradient: OF_TRAINING, inBatchGradient: OF_TRAINING, convWeight: OF_TRAINING },
  ...{ maxPoolGradient: OF_TRAINING, averagePoolGradient: OF_TRAINING, takeGradient: OF_TRAINING },
  ...{ dropout: OF_TRAINING, noise: OF_TRAINING },
};
