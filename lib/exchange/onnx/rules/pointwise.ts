// Elementwise functions.
import { SELU } from "../../../ops/selu.js";
import type { Applied, Value } from "../../../tensor/value.js";
import { type Attribute, float, text } from "../encode.js";
import { floatsOf, type GraphWriter } from "../graph.js";
import { writeMean } from "./arrange.js";
import { inputAt, OF_GRADIENTS, type Rules, type WrittenAny } from "./rule.js";

/** The result of a function of one name. */
type Body = (graph: GraphWriter, x: string) => string;

/** Applies a function to each element, in whichever order they stand. */
function each(body: Body): WrittenAny {
  return (graph, { inputs, outputs }) => {
    const [x, y] = [inputAt(inputs, 0), inputAt(outputs, 0)];
    if (graph.isChannelsFirst(x)) graph.setChannelsFirst(y, body(graph, graph.channelsFirst(x)));
    else graph.set(y, body(graph, graph.name(x)));
  };
}

/** One node. */
const node =
  (operator: string, attributes: Readonly<Record<string, Attribute>> = {}): Body =>
  (graph, x) =>
    graph.node(operator, [x], attributes);

const clip =
  (low: number, high: number): Body =>
  (graph, x) =>
    graph.node("Clip", [x, graph.scalar(low), graph.scalar(high)]);

/** u = 1 + x, ln u·x/(u − 1), x itself where u is 1: what u has lost is in the quotient (Kahan). */
const log1p: Body = (graph, x) => {
  const one = graph.scalar(1);
  const u = graph.node("Add", [x, one]);
  const rest = graph.node("Sub", [u, one]);
  const quotient = graph.node("Mul", [graph.node("Log", [u]), graph.node("Div", [x, rest])]);
  return graph.node("Where", [graph.node("Equal", [rest, graph.scalar(0)]), x, quotient]);
};

/** u = eˣ, (u − 1)·x/ln u where |x| < ½, x itself where u is 1, u − 1 elsewhere (Kahan). */
export const expm1: Body = (graph, x) => {
  const u = graph.node("Exp", [x]);
  const less = graph.node("Sub", [u, graph.scalar(1)]);
  const quotient = graph.node("Mul", [less, graph.node("Div", [x, graph.node("Log", [u])])]);
  const near = graph.node("Where", [graph.node("Equal", [less, graph.scalar(0)]), x, quotient]);
  const isNear = graph.node("Less", [graph.node("Abs", [x]), graph.scalar(0.5)]);
  return graph.node("Where", [isNear, near, less]);
};

/** A comparison as 1 or 0. */
const asFloat = (graph: GraphWriter, condition: string): string =>
  graph.node("Cast", [condition], { to: { integer: 1 } });

/** The names of two operands, both in the order of ONNX where one is in that alone and the other spreads over it there. */
function operands(graph: GraphWriter, a: Value, b: Value, y: Value): readonly [string, string, boolean] {
  const suits = (value: Value): boolean => graph.isChannelsFirst(value) || value.shape.every((size) => size === 1);
  const isFirst =
    y.shape.length === 4 && (graph.isChannelsFirst(a) || graph.isChannelsFirst(b)) && suits(a) && suits(b);
  const named = (value: Value): string =>
    isFirst && graph.isChannelsFirst(value) ? graph.channelsFirst(value) : graph.name(value);
  return [named(a), named(b), isFirst];
}

/** Applies a function to pairs of elements. */
function pairs(body: (graph: GraphWriter, a: string, b: string) => string): WrittenAny {
  return (graph, { inputs, outputs }) => {
    const y = inputAt(outputs, 0);
    const [a, b, isFirst] = operands(graph, inputAt(inputs, 0), inputAt(inputs, 1), y);
    const name = body(graph, a, b);
    if (isFirst) graph.setChannelsFirst(y, name);
    else graph.set(y, name);
  };
}

const pair = (operator: string): WrittenAny => pairs((graph, a, b) => graph.node(operator, [a, b]));

const comparison = (operator: string): WrittenAny =>
  pairs((graph, a, b) => asFloat(graph, graph.node(operator, [a, b])));

/** A function with a number: as an attribute, where that is known and one for all, otherwise by `body`. */
function withNumber(operator: string, body: (graph: GraphWriter, x: string, number: string) => string): WrittenAny {
  return (graph, applied: Applied) => {
    const [x, number] = [inputAt(applied.inputs, 0), inputAt(applied.inputs, 1)];
    const known = floatsOf(number);
    const [alpha] = known ?? [];
    if (known?.length === 1 && alpha !== undefined) each(node(operator, { alpha: float(alpha) }))(graph, applied);
    else graph.set(inputAt(applied.outputs, 0), body(graph, graph.name(x), graph.name(number)));
  };
}

/** `yes` where x < 0, else `no`. */
const whereNegative = (graph: GraphWriter, x: string, yes: string, no: string): string =>
  graph.node("Where", [graph.node("Less", [x, graph.scalar(0)]), yes, no]);

type UnaryName = keyof typeof unaryRules;
type BinaryName = keyof typeof binaryRules;

const unaryRules = {
  negate: each(node("Neg")),
  absolute: each(node("Abs")),
  sign: each(node("Sign")),
  exp: each(node("Exp")),
  log: each(node("Log")),
  sqrt: each(node("Sqrt")),
  square: each((graph, x) => graph.node("Mul", [x, x])),
  reciprocal: each(node("Reciprocal")),
  relu: each(node("Relu")),
  tanh: each(node("Tanh")),
  sigmoid: each(node("Sigmoid")),
  // Numbers below 2⁻¹²⁶ are within every bound of 0.
  flush: (graph: GraphWriter, { inputs, outputs }: Applied) => graph.alias(inputAt(outputs, 0), inputAt(inputs, 0)),
  log1p: each(log1p),
  expm1: each(expm1),
  erf: each(node("Erf")),
  sin: each(node("Sin")),
  cos: each(node("Cos")),
  softplus: each(node("Softplus")),
  gelu: each(node("Gelu", { approximate: text("none") })),
  geluTanh: each(node("Gelu", { approximate: text("tanh") })),
  silu: each((graph, x) => graph.node("Mul", [x, graph.node("Sigmoid", [x])])),
  mish: each(node("Mish")),
  selu: each(node("Selu", { alpha: float(SELU.alpha), gamma: float(SELU.scale) })),
  relu6: each(clip(0, 6)),
  hardTanh: each(clip(-1, 1)),
  hardSigmoid: each(node("HardSigmoid", { alpha: float(1 / 6), beta: float(0.5) })),
  hardSilu: each(node("HardSwish")),
  ...{ geluSlope: OF_GRADIENTS, geluTanhSlope: OF_GRADIENTS, siluSlope: OF_GRADIENTS, mishSlope: OF_GRADIENTS },
  ...{ seluSlope: OF_GRADIENTS, relu6Slope: OF_GRADIENTS, hardTanhSlope: OF_GRADIENTS },
  ...{ hardSigmoidSlope: OF_GRADIENTS, hardSiluSlope: OF_GRADIENTS },
} as const;

const binaryRules = {
  add: pair("Add"),
  subtract: pair("Sub"),
  multiply: pair("Mul"),
  divide: (graph: GraphWriter, applied: Applied) => {
    const [a, b, y] = [inputAt(applied.inputs, 0), inputAt(applied.inputs, 1), inputAt(applied.outputs, 0)];
    if (!writeMean(graph, a, b, y)) pair("Div")(graph, applied);
  },
  minimum: pair("Min"),
  maximum: pair("Max"),
  greater: comparison("Greater"),
  greaterEqual: comparison("GreaterOrEqual"),
  less: comparison("Less"),
  lessEqual: comparison("LessOrEqual"),
  equal: comparison("Equal"),
  notEqual: pairs((graph, a, b) => asFloat(graph, graph.node("Not", [graph.node("Equal", [a, b])]))),
  // output > 0 ? gradient : 0, by which rows and steps are chosen, too.
  reluGradient: pairs((graph, gradient, output) => {
    const zero = graph.scalar(0);
    return graph.node("Where", [graph.node("Greater", [output, zero]), gradient, zero]);
  }),
  tanhGradient: OF_GRADIENTS,
  leakyRelu: withNumber("LeakyRelu", (graph, x, slope) => whereNegative(graph, x, graph.node("Mul", [slope, x]), x)),
  leakyReluSlope: OF_GRADIENTS,
  elu: withNumber("Elu", (graph, x, alpha) =>
    whereNegative(graph, x, graph.node("Mul", [alpha, expm1(graph, graph.node("Min", [x, graph.scalar(0)]))]), x),
  ),
  eluSlope: OF_GRADIENTS,
} as const;

export const pointwiseRules: Rules<UnaryName | BinaryName> = { ...unaryRules, ...binaryRules };
