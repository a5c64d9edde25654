import { CarillonError } from "../../errors.js";
import { exp } from "../../tensor/exact.js";
import type { MetricRows, MetricSet } from "./metric.js";

/** Place of the largest of `columns` values from `offset` on, the first among equals. */
export function largest(values: Float32Array | Int32Array, offset: number, columns: number): number {
  let best = 0;
  for (let column = 1; column < columns; column++) {
    if ((values[offset + column] ?? 0) > (values[offset + best] ?? 0)) best = column;
  }
  return best;
}

/** How outputs and targets of a classification say what class an example is. */
export interface Labels {
  /** `'classes'`: one of several; `'binary'`: one column says yes or no; `'multilabel'`: every column does. */
  readonly kind: "classes" | "binary" | "multilabel";
  /** Classes, or columns of a multilabel set. */
  readonly count: number;
  /** The class, 0 or 1 where it is binary; of a multilabel set: whether this column is set. */
  actual(rows: MetricRows, row: number, column: number): number;
  /** The same of the prediction. */
  predicted(rows: MetricRows, row: number, column: number): number;
}

/** A probability of ½ or more, and the sign of hinge's targets, say yes. */
function columnLabels(outputs: number, least: number): Labels {
  return {
    kind: outputs === 1 ? "binary" : "multilabel",
    count: outputs === 1 ? 2 : outputs,
    actual: ({ targets, columns }, row, column) => ((targets[row * columns + column] ?? 0) >= least ? 1 : 0),
    predicted: ({ outputs: logits, columns }, row, column) => ((logits[row * columns + column] ?? 0) > 0 ? 1 : 0),
  };
}

const HALF = 0.5;

/**
 * Labels whose prediction is class 1 where its probability, of the sigmoid or of softmax, is above `threshold`; `ERR_OPTION` where
 * no output is a probability or there are more than two classes.
 */
export function labelsAbove(where: string, labels: Labels, { loss }: MetricSet, threshold: number): Labels {
  const { kind, count } = labels;
  if (loss.kind === "hinge" || (kind === "classes" && count !== 2)) {
    const received = loss.kind === "hinge" ? "hinge" : `${count} classes`;
    throw new CarillonError(
      "ERR_OPTION",
      where,
      `expected the probability of class 1 for '${where}' but received ${received}`,
    );
  }
  const predicted: Labels["predicted"] = ({ outputs, columns }, row, column) => {
    const place = row * columns + column;
    const logit = kind === "classes" ? (outputs[place + 1] ?? 0) - (outputs[place] ?? 0) : (outputs[place] ?? 0);
    return 1 / (1 + exp(-logit)) > threshold ? 1 : 0;
  };
  return { ...labels, predicted };
}

/** Labels of a set; `ERR_OPTION` if its loss is none of classification. */
export function labelsOf(metric: string, { where, loss, outputs }: MetricSet): Labels {
  const predicted: Labels["predicted"] = ({ outputs: logits, columns }, row) => largest(logits, row * columns, columns);
  if (loss.target === "classes") {
    return { kind: "classes", count: outputs, actual: ({ targets }, row) => targets[row] ?? 0, predicted };
  }
  if (loss.kind === "hinge") return columnLabels(outputs, 0);
  if (loss.target === "probabilities") {
    if (outputs === 1 || loss.kind === "binaryCrossEntropy") return columnLabels(outputs, HALF);
    const actual: Labels["actual"] = ({ targets, columns }, row) => largest(targets, row * columns, columns);
    return { kind: "classes", count: outputs, actual, predicted };
  }
  const problem = `expected a classification loss for the metric '${metric}' of '${where}'`;
  throw new CarillonError("ERR_OPTION", where, problem);
}
