// Elementwise operators, and what is done row by row.
import {
  dropout,
  elu,
  gelu,
  hardSigmoid,
  hardSilu,
  hardTanh,
  type Layer,
  leakyRelu,
  logSoftmax,
  mish,
  ops,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  type Tensor,
  tanh,
  tensor,
  type Value,
} from "../../../index.js";
import { SELU } from "../../../ops/selu.js";
import type { OnnxNode } from "../format.js";
import type { Importing, Operator } from "../importing.js";
import {
  binary,
  type Computed,
  type Constant,
  type Dims,
  elementsOf,
  layerStep,
  oneByOne,
  operationStep,
  type Step,
  sizesOf,
  unary,
} from "../steps.js";

/** A layer of each element, whatever the order of the axes. */
const activation =
  (make: (of: Importing, node: OnnxNode) => Layer): Operator =>
  (of, node) => {
    const { step, groups } = of.floating(node);
    of.set(node.outputs[0], { kind: "computed", step: layerStep(step, make(of, node), step.dims), groups });
  };

/** An operation of each element. */
const each =
  (apply: (x: Value) => Value): Operator =>
  (of, node) => {
    const { step, groups } = of.floating(node);
    of.set(node.outputs[0], { kind: "computed", step: operationStep([step], step.dims, unary(apply)), groups });
  };

/** The same value under another name. */
export const same: Operator = (of, node) => of.set(node.outputs[0], of.input(node, 0));

/** Nearly the same number: attributes are float32. */
const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(b));

function clip(of: Importing, node: OnnxNode): void {
  const bound = (at: number, name: string, none: number): number =>
    of.numbers(node, at)?.[0] ?? node.attributes.get(name)?.float ?? none;
  const [low, high] = [bound(1, "min", Number.NEGATIVE_INFINITY), bound(2, "max", Number.POSITIVE_INFINITY)];
  const layer = low === 0 && high === 6 ? relu6() : low === -1 && high === 1 ? hardTanh() : undefined;
  const own = low === 0 && high === Number.POSITIVE_INFINITY ? relu() : layer;
  if (own !== undefined) activation(() => own)(of, node);
  else each((x) => ops.clip(x, low, high))(of, node);
}

/** Of the last axis; another one is turned to the end before it. */
const rowwise =
  (make: () => Layer): Operator =>
  (of, node) => {
    const value = of.floating(node);
    const rank = value.groups.length;
    const axis = of.axis(node, of.integer(node, "axis", of.opset < 13 ? 1 : -1), rank);
    if (of.opset < 13 && axis !== rank - 1) of.refuse(node, `a softmax over the axes from ${axis} on together`);
    const order = [
      ...oneByOne(rank)
        .flat()
        .filter((each) => each !== axis),
      axis,
    ];
    const from = of.arranged(node, value, order);
    const groups = oneByOne(rank).map(([place = 0]) => [order.indexOf(place)]);
    of.set(node.outputs[0], { kind: "computed", step: layerStep(from, make(), from.dims), groups });
  };

/** A constant as an operand of a value: its numbers where the value has its axes. */
export function operandOf(
  of: Importing,
  node: OnnxNode,
  value: Computed,
  constant: Constant,
): Tensor<"f32"> | undefined {
  const data = of.floatsOf(node, constant);
  const dims = of.dimsOf(node, constant);
  const [only] = data;
  if (data.length === 1 && only !== undefined) return tensor(Float32Array.of(only), []);
  const { groups, step } = value;
  if (dims.length > groups.length) return undefined;
  const padded = [...new Array<number>(groups.length - dims.length).fill(1), ...dims];
  const own = step.dims.map((_, axis) => {
    const at = groups.findIndex((axes) => axes.includes(axis));
    return { at, isAlone: at < 0 || groups[at]?.length === 1 };
  });
  // An axis of the file that is several of the step's would have to be cut.
  if (own.some(({ at, isAlone }) => !isAlone && (padded[at] ?? 1) !== 1)) return undefined;
  if (padded.some((size, at) => size !== 1 && groups[at]?.length === 0)) return undefined;
  const sizes = own.map(({ at }) => (at < 0 ? 1 : (padded[at] ?? 1)));
  if (sizes[0] !== 1) return undefined;
  const strides = padded.map((_, at) => padded.slice(at + 1).reduce((product, size) => product * size, 1));
  const moved = new Float32Array(data.length);
  const place = sizes.map(() => 0);
  for (let at = 0; at < moved.length; at++) {
    const from = own.reduce(
      (sum, { at: axis }, index) => sum + (axis < 0 ? 0 : (strides[axis] ?? 0) * (place[index] ?? 0)),
      0,
    );
    moved[at] = data[from] ?? 0;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      place[axis] = (place[axis] ?? 0) + 1;
      if ((place[axis] ?? 0) < (sizes[axis] ?? 1)) break;
      place[axis] = 0;
    }
  }
  // Without the batch, along which it is repeated.
  return tensor(moved, sizes.slice(1));
}

/** Sizes of a result of two, whose axes behind the batch, aligned at the last, differ by 1s. */
function spread(of: Importing, node: OnnxNode, a: readonly number[], b: readonly number[]): Dims {
  const rank = Math.max(a.length, b.length);
  const dims = Array.from({ length: rank }, (_, at) => {
    const [left = 1, right = 1] = [a, b].map((each) => each[each.length - rank + at]);
    if (left === right || right === 1) return left;
    return left === 1 ? right : of.refuse(node, `sizes ${a.join(", ")} and ${b.join(", ")}, which do not fit`);
  });
  return ["batch", ...dims];
}

/** Sizes behind the batch. */
function rowOf({ dims: [, ...row] }: Step): readonly number[] {
  return row;
}

type Pair = (a: Value, b: Value) => Value;

/** Whether two values have their axes alike, so that they meet without being turned. */
const areAlike = (a: Computed, b: Computed): boolean =>
  a.step.dims.length === b.step.dims.length &&
  a.step.dims.every((size, axis) => size === b.step.dims[axis]) &&
  a.groups.length === b.groups.length &&
  a.groups.every((axes, at) => axes.join() === b.groups[at]?.join());

/** The step and axes of an operator of two values that are computed. */
export function together(of: Importing, node: OnnxNode, a: Computed, b: Computed, apply: Pair): Computed {
  if (areAlike(a, b)) {
    return { kind: "computed", step: operationStep([a.step, b.step], a.step.dims, binary(apply)), groups: a.groups };
  }
  const [left, right] = [of.inOrder(node, a), of.inOrder(node, b)];
  if (left.dims.length !== right.dims.length) of.refuse(node, "values of different numbers of axes");
  const dims = spread(of, node, rowOf(left), rowOf(right));
  return { kind: "computed", step: operationStep([left, right], dims, binary(apply)), groups: oneByOne(dims.length) };
}

/** A bias of the product before, where it may come, and nothing else has its result. */
function asBias(of: Importing, node: OnnxNode, value: Computed, constant: Constant, name: string): boolean {
  const { step, groups } = value;
  const width = Number(step.dims.at(-1));
  const isLast = groups.at(-1)?.length === 1 && groups.at(-1)?.[0] === step.dims.length - 1;
  const dims = of.dimsOf(node, constant);
  if (step.openBias === undefined || of.uses(name) !== 1 || !isLast || dims.at(-1) !== width) return false;
  if (elementsOf(dims) !== width) return false;
  step.work = step.openBias(of.floatsOf(node, constant));
  step.openBias = undefined;
  of.set(node.outputs[0], value);
  return true;
}

/** An operator of two, of which one may be known. */
function pair(apply: Pair, isAddition = false): Operator {
  return (of, node) => {
    const [a, b] = [of.input(node, 0), of.input(node, 1)];
    if (a.kind === "computed" && b.kind === "computed") {
      for (const { step } of [a, b]) if (step.dtype !== "f32") of.refuse(node, "integers, where floats are wanted");
      of.set(node.outputs[0], together(of, node, a, b, apply));
      return;
    }
    const isFirst = a.kind === "computed";
    const [value, constant] = isFirst
      ? [of.floating(node, 0), of.constant(node, 1)]
      : [of.floating(node, 1), of.constant(node, 0)];
    if (constant === undefined) return of.refuse(node, "an operand that is not there");
    if (isAddition && asBias(of, node, value, constant, node.inputs[isFirst ? 0 : 1] ?? "")) return;
    const made = withConstant(of, node, value, constant, (x, other) => (isFirst ? apply(x, other) : apply(other, x)));
    of.set(node.outputs[0], made);
  };
}

/** An operator of a value and numbers of the file, which stay what they are. */
export function withConstant(
  of: Importing,
  node: OnnxNode,
  value: Computed,
  constant: Constant,
  apply: Pair,
): Computed {
  const direct = operandOf(of, node, value, constant);
  const own =
    direct === undefined ? { ...value, step: of.inOrder(node, value), groups: oneByOne(value.groups.length) } : value;
  const operand = direct ?? operandOf(of, node, own, constant);
  if (operand === undefined)
    return of.refuse(node, `numbers of [${constant.dims.join(", ")}] beside [${sizesOf(value).join(", ")}]`);
  const dims = spread(of, node, rowOf(own.step), operand.shape);
  return {
    kind: "computed",
    step: operationStep(
      [own.step],
      dims,
      unary((x) => apply(x, operand)),
    ),
    groups: own.groups,
  };
}

/** x·σ(x) is silu. */
const multiply: Operator = (of, node) => {
  const [a, b] = [of.input(node, 0), of.input(node, 1)];
  const isGate = (gate: Step, x: Step): boolean =>
    gate.work.kind === "layer" && gate.work.layer.kind === "sigmoid" && gate.from[0] === x;
  if (a.kind === "computed" && b.kind === "computed" && areAlike(a, b)) {
    const x = isGate(b.step, a.step) ? a : isGate(a.step, b.step) ? b : undefined;
    if (x !== undefined) {
      of.set(node.outputs[0], { ...x, step: layerStep(x.step, silu(), x.step.dims) });
      return;
    }
  }
  pair(ops.multiply)(of, node);
};

function power(of: Importing, node: OnnxNode): void {
  const [exponent] = of.numbers(node, 1) ?? [];
  if (exponent === 2) each(ops.square)(of, node);
  else if (exponent === 0.5) each(ops.sqrt)(of, node);
  else if (exponent === -1) each(ops.reciprocal)(of, node);
  else if (exponent === 3) each((x) => ops.multiply(ops.square(x), x))(of, node);
  else of.refuse(node, `an exponent of ${exponent}`);
}

const dropped: Operator = (of, node) => {
  const rate = of.numbers(node, 1)?.[0] ?? of.float(node, "ratio", 0.5);
  if (!(rate > 0)) return same(of, node);
  if (!(rate < 1)) of.refuse(node, `a ratio of ${rate}`);
  // Whether a file was written in training or not, a model draws in training alone.
  return activation(() => dropout(rate))(of, node);
};

const hardSigmoidOf: Operator = (of, node) => {
  const [alpha, beta] = [of.float(node, "alpha", 0.2), of.float(node, "beta", 0.5)];
  if (near(alpha, 1 / 6) && near(beta, 0.5)) return activation(() => hardSigmoid())(of, node);
  return each((x) => ops.clip(ops.add(ops.multiply(x, alpha), beta), 0, 1))(of, node);
};

const parametric: Operator = (of, node) => {
  const constant = of.constant(node, 1);
  if (constant === undefined) return of.refuse(node, "no slope");
  return of.set(node.outputs[0], withConstant(of, node, of.floating(node), constant, ops.leakyRelu));
};

const swish: Operator = (of, node) => {
  of.expect(node, "alpha", of.float(node, "alpha", 1), [1]);
  activation(() => silu())(of, node);
};

const seluOf: Operator = (of, node) => {
  const isOurs =
    near(of.float(node, "alpha", SELU.alpha), SELU.alpha) && near(of.float(node, "gamma", SELU.scale), SELU.scale);
  if (!isOurs) of.refuse(node, "other numbers than those of SELU");
  activation(() => selu())(of, node);
};

/** Operators by name. */
export const pointwiseOperators: Readonly<Record<string, Operator>> = {
  Relu: activation(() => relu()),
  Sigmoid: activation(() => sigmoid()),
  Tanh: activation(() => tanh()),
  Softplus: activation(() => softplus()),
  Mish: activation(() => mish()),
  HardSwish: activation(() => hardSilu()),
  HardSigmoid: hardSigmoidOf,
  Selu: seluOf,
  Swish: swish,
  Elu: activation((of, node) => elu({ alpha: of.float(node, "alpha", 1) })),
  LeakyRelu: activation((of, node) => leakyRelu({ slope: of.float(node, "alpha", 0.01) })),
  PRelu: parametric,
  Gelu: activation((of, node) =>
    gelu({ approximate: of.text(node, "approximate", "none") === "tanh" ? "tanh" : "none" }),
  ),
  Clip: clip,
  Softmax: rowwise(() => softmax()),
  LogSoftmax: rowwise(() => logSoftmax()),
  Dropout: dropped,
  Identity: same,
  Neg: each(ops.negate),
  Abs: each(ops.absolute),
  Exp: each(ops.exp),
  Log: each(ops.log),
  Sqrt: each(ops.sqrt),
  Reciprocal: each(ops.reciprocal),
  Erf: each(ops.erf),
  Sin: each(ops.sin),
  Cos: each(ops.cos),
  Sign: each(ops.sign),
  Pow: power,
  Add: pair(ops.add, true),
  Sub: pair(ops.subtract),
  Mul: multiply,
  Div: pair(ops.divide),
  Min: pair(ops.minimum),
  Max: pair(ops.maximum),
};
