import { CarillonError } from "../errors.js";
import { checkNumber } from "../options.js";
import { asMatrix, extent, formatShape, type Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Instruction, Rule, Value } from "../tensor/value.js";
import { apply, at, expectDtype, f32, type Of } from "./apply.js";
import { reshape, sumOver } from "./broadcast.js";
import { exp, flush, multiply, subtract } from "./elementwise.js";
import { instruction } from "./encode.js";

function sized(where: string, shape: Shape): { readonly leading: Shape; readonly classes: number } {
  const classes = shape.at(-1);
  if (classes === undefined || classes === "batch") {
    throw new CarillonError(
      "ERR_SHAPE",
      where,
      `expected [batch, classes] for '${where}' but received ${formatShape(shape)}`,
    );
  }
  return { leading: shape.slice(0, -1), classes };
}

/** y of x, row by row. */
function rowwise(operation: "softmax" | "log_softmax" | "argmax", x: Value, y: Value): Instruction {
  return instruction(operation, { x, y }, asMatrix(x.shape));
}

const softmaxRule: Rule<"softmax"> = {
  name: "softmax",
  infer(inputs) {
    const { shape } = at(inputs, 0);
    expectDtype("softmax", at(inputs, 0), "f32");
    sized("softmax", shape);
    return f32(shape);
  },
  lower: (inputs, outputs) => rowwise("softmax", at(inputs, 0), at(outputs, 0)),
  gradient(_inputs, outputs, flows) {
    const [y, flowing] = [at(outputs, 0), multiply(at(flows, 0), at(outputs, 0))];
    const { leading } = sized("softmax", y.shape);
    if (leading.length === 0) return [subtract(flowing, multiply(y, sumOver(flowing, "all")))];
    const along = reshape(sumOver(flowing, "last"), [...leading, 1]);
    return [subtract(flowing, multiply(y, along))];
  },
  inPlace: 0,
};

/** y = e^(x − max)/Σ e^(x − max) over the last axis. */
export function softmax<A extends Value>(x: A): Of<A> {
  return apply(softmaxRule, [x], null) as Of<A>;
}

const logSoftmaxRule: Rule<"logSoftmax"> = {
  name: "logSoftmax",
  infer(inputs) {
    const { shape } = at(inputs, 0);
    expectDtype("logSoftmax", at(inputs, 0), "f32");
    sized("logSoftmax", shape);
    return f32(shape);
  },
  lower: (inputs, outputs) => rowwise("log_softmax", at(inputs, 0), at(outputs, 0)),
  // g − softmax(x)·Σ g, softmax(x) as the exponential of what was computed already.
  gradient(_inputs, outputs, flows) {
    const [y, gradient] = [at(outputs, 0), at(flows, 0)];
    const { leading } = sized("logSoftmax", y.shape);
    const probabilities = exp(y);
    if (leading.length === 0) return [subtract(gradient, multiply(probabilities, sumOver(gradient, "all")))];
    const along = reshape(sumOver(gradient, "last"), [...leading, 1]);
    return [subtract(gradient, multiply(probabilities, along))];
  },
  inPlace: 0,
};

/** y = (x − max) − ln Σ e^(x − max) over the last axis: the logarithm of {@link softmax}, finite where that is 0. */
export function logSoftmax<A extends Value>(x: A): Of<A> {
  return apply(logSoftmaxRule, [x], null) as Of<A>;
}

function checkLabels(where: string, logits: Value, labels: Value): Shape {
  const { leading } = sized(where, logits.shape);
  expectDtype(where, logits, "f32");
  expectDtype(`${where}.labels`, labels, "i32");
  if (leading.length === 0 || extent(labels.shape) !== extent(leading)) {
    throw new CarillonError(
      "ERR_SHAPE",
      `${where}.labels`,
      `expected ${formatShape(leading)} for '${where}.labels' but received ${formatShape(labels.shape)}`,
    );
  }
  return leading;
}

const softmaxCrossEntropyRule: Rule<"softmaxCrossEntropy"> = {
  name: "softmaxCrossEntropy",
  infer: (inputs) => f32(checkLabels("softmaxCrossEntropy", at(inputs, 0), at(inputs, 1))),
  lower(inputs, outputs) {
    const [logits, labels] = [at(inputs, 0), at(inputs, 1)];
    return instruction("softmax_cross_entropy", { logits, labels, losses: at(outputs, 0) }, asMatrix(logits.shape));
  },
  // (softmax(x) − onehot(label))·g. A pass makes it one kernel with these very roundings.
  gradient(inputs, outputs, flows) {
    const [logits, labels] = [at(inputs, 0), at(inputs, 1)];
    const { classes } = sized("softmaxCrossEntropy", logits.shape);
    const off = subtract(softmax(logits), reshape(oneHot(labels, classes), logits.shape));
    return [flush(multiply(off, reshape(at(flows, 0), [...at(outputs, 0).shape, 1]))), undefined];
  },
};

/**
 * Cross-entropy of softmax(logits) with integer labels, one number a row: ln Σ e^(x − max) − (x[label] − max).
 *
 * logits: [batch, classes], labels: [batch] i32 in [0, classes); a label outside is `ERR_LABEL`.
 */
export function softmaxCrossEntropy<X extends Value, L extends Value>(logits: X, labels: L): Of<X | L> {
  return apply(softmaxCrossEntropyRule, [logits, labels], null) as Of<X | L>;
}

const oneHotRule: Rule<"oneHot"> = {
  name: "oneHot",
  infer(inputs, { classes }) {
    expectDtype("oneHot", at(inputs, 0), "i32");
    return f32([...at(inputs, 0).shape, classes]);
  },
  lower(inputs, outputs, { classes }) {
    const labels = at(inputs, 0);
    return instruction("one_hot", { labels, y: at(outputs, 0) }, { rows: extent(labels.shape), classes });
  },
  gradient: null,
};

/** [batch] integers to [batch, classes] zeros with a one at the integer; one outside [0, classes) is `ERR_LABEL`. */
export function oneHot<L extends Value>(labels: L, classes: number): Of<L> {
  checkNumber("oneHot.classes", classes, { min: 1, integer: true });
  return apply(oneHotRule, [labels], { classes }) as Of<L>;
}

const argmaxRule: Rule<"argmax"> = {
  name: "argmax",
  infer(inputs) {
    expectDtype("argmax", at(inputs, 0), "f32");
    return [{ shape: sized("argmax", at(inputs, 0).shape).leading, dtype: "i32" }];
  },
  lower: (inputs, outputs) => rowwise("argmax", at(inputs, 0), at(outputs, 0)),
  gradient: null,
};

/** Index of the first largest element along the last axis, i32. */
export function argmax(x: Tensor): Tensor<"i32">;
export function argmax(x: Value): Value;
export function argmax(x: Value): Value {
  return apply(argmaxRule, [x], null);
}

const countEqualRule: Rule<"countEqual"> = {
  name: "countEqual",
  infer(inputs) {
    expectDtype("countEqual", at(inputs, 0), "i32");
    expectDtype("countEqual", at(inputs, 1), "i32");
    if (extent(at(inputs, 0).shape) !== extent(at(inputs, 1).shape)) {
      throw new CarillonError("ERR_SHAPE", "countEqual", "expected two lists of one length for 'countEqual'");
    }
    return f32([]);
  },
  lower(inputs, outputs) {
    const [a, b] = [at(inputs, 0), at(inputs, 1)];
    return instruction("count_equal", { a, b, equal: at(outputs, 0) }, { count: extent(a.shape) });
  },
  gradient: null,
};

/** How many elements of two i32 lists are equal. */
export function countEqual<A extends Value, B extends Value>(a: A, b: B): Of<A | B> {
  return apply(countEqualRule, [a, b], null) as Of<A | B>;
}

/** Rules of this file, for the tests that walk all operations. */
export const classificationRules = {
  softmax: softmaxRule,
  logSoftmax: logSoftmaxRule,
  softmaxCrossEntropy: softmaxCrossEntropyRule,
  oneHot: oneHotRule,
  argmax: argmaxRule,
  countEqual: countEqualRule,
} as const;
