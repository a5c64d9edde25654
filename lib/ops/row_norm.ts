import { CarillonError } from "../errors.js";
import { checkKeys, checkNumber } from "../options.js";
import type { OperationAttributes } from "../tensor/attributes.js";
import { asMatrix, type Dim, elements, formatShape, type Shape } from "../tensor/shape.js";
import type { Rule, Value } from "../tensor/value.js";
import { apply, applyAll, at, checkValue, expectDtype, type Of } from "./apply.js";
import { transpose } from "./arrange.js";
import { broadcast, reduceTo, reshape, sumOver } from "./broadcast.js";
import { add, divide, multiply, negate, square, subtract } from "./elementwise.js";
import { instruction } from "./encode.js";

/** ε of the normalizations where nobody says; as in PyTorch. */
export const NORM_EPSILON = 1e-5;

/** 2⁻¹²⁶: a smaller ε is no normal float32, and elements that are all equal would give 0/0. */
const SMALLEST_EPSILON = 1.1754943508222875e-38;

/** ε > 0 of a normalization, else `ERR_OPTION`. */
export function checkNormEpsilon(where: string, epsilon: number | undefined): number {
  return checkNumber(where, epsilon ?? NORM_EPSILON, { min: SMALLEST_EPSILON });
}

/** Columns of [batch, …, columns], f32; otherwise `ERR_SHAPE` or `ERR_DTYPE`. */
export function columnsOf(where: string, x: Value, axes: number): number {
  expectDtype(where, x, "f32");
  const last = x.shape.at(-1);
  if (last !== undefined && last !== "batch" && x.shape.length >= axes) return last;
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected [batch, features], or with axes between them, for '${where}' but received ${formatShape(x.shape)}`,
  );
}

/** `ERR_SHAPE` unless `value` is [columns], f32. */
export function expectColumns(where: string, value: Value, columns: number): void {
  expectDtype(where, value, "f32");
  if (value.shape.length === 1 && value.shape[0] === columns) return;
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected [${columns}] for '${where}' but received ${formatShape(value.shape)}`,
  );
}

function expectGroups(where: string, shape: Shape, columns: number, groups: number): void {
  if (columns % groups === 0) return;
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected a multiple of ${groups} features for '${where}' but received ${formatShape(shape)}`,
  );
}

/** The shape of one number a row, or a group of a row. */
const perRow = (shape: Shape, groups: number): Shape => [...shape.slice(0, -1), ...(groups === 1 ? [] : [groups])];

/** Σ/n over the last axis, which becomes 1. */
function meanOfRows(x: Value): Value {
  const kept: readonly Dim[] = [...x.shape.slice(0, -1), 1];
  const total = reshape(sumOver(x, x.shape.length === 1 ? "all" : "last"), kept);
  return divide(total, elements(x.shape.slice(-1)));
}

/** Values of a row normalization with an axis of groups of their own, where there are several. */
class Grouped {
  readonly #leading: Shape;
  readonly #groups: readonly number[];
  readonly #columns: number;

  constructor(shape: Shape, groups: number) {
    this.#leading = shape.slice(0, -1);
    this.#groups = groups === 1 ? [] : [groups];
    this.#columns = elements(shape.slice(-1)) / groups;
  }

  get columns(): number {
    return this.#columns;
  }

  rows(x: Value): Value {
    return reshape(x, [...this.#leading, ...this.#groups, this.#columns]);
  }

  /** Of one number a group, to be spread over its columns. */
  numbers(x: Value): Value {
    return reshape(x, [...this.#leading, ...this.#groups, 1]);
  }

  /** Of scale or shift. */
  weights(x: Value): Value {
    return reshape(x, [...this.#groups, this.#columns]);
  }
}

/**
 * Inputs x, then scale, then shift; outputs y, 1/√(variance + ε) and, where centred, the mean. x: […, n], scale and shift: [n]
 * (optional); each row, or each of `groups` equal parts of it, is normalized by itself.
 */
const rowNormRule: Rule<"rowNorm"> = {
  name: "rowNorm",
  infer(inputs, { groups, centered, where }) {
    const x = at(inputs, 0);
    const columns = columnsOf(where, x, 1);
    expectGroups(where, x.shape, columns, groups);
    if (inputs[1] !== undefined) expectColumns(`${where}.scale`, inputs[1], columns);
    if (inputs[2] !== undefined) expectColumns(`${where}.shift`, inputs[2], columns);
    const number = { shape: perRow(x.shape, groups), dtype: "f32" } as const;
    return [{ shape: x.shape, dtype: "f32" }, number, ...(centered ? [number] : [])];
  },
  lower(inputs, outputs, { epsilon, groups }) {
    const [x, scale, shift] = [at(inputs, 0), inputs[1], inputs[2]];
    const [y, inverse, mean] = [at(outputs, 0), at(outputs, 1), outputs[2]];
    return instruction("row_norm", { x, scale, shift, y, inverse, mean }, { ...asMatrix(x.shape), groups, epsilon });
  },
  gradient(inputs, outputs, flows, { groups, where }) {
    const [x, scale] = [at(inputs, 0), inputs[1]];
    const [inverse, mean] = [at(outputs, 1), outputs[2]];
    const [flowing, toInverse, toMean] = flows;
    const own = {
      groups,
      centered: mean !== undefined,
      scaled: scale !== undefined,
      shifted: inputs.length > 2,
      where,
    };
    const operands = [mean, scale].filter((value) => value !== undefined);
    const parts = flowing === undefined ? [] : applyAll(rowNormGradientRule, [x, flowing, inverse, ...operands], own);
    const grouped = new Grouped(x.shape, groups);
    const flow = parts.slice(0, 1);
    if (toInverse !== undefined) {
      // d(v + ε)^−½ = −½(v + ε)^−3/2·2(x − mean)/n; the sum of deviations is 0.
      const root = grouped.numbers(inverse);
      const slope = divide(multiply(grouped.numbers(toInverse), multiply(root, square(root))), -grouped.columns);
      flow.push(reshape(multiply(slope, deviations(grouped, x, mean)), x.shape));
    }
    if (toMean !== undefined) {
      const each = divide(grouped.numbers(toMean), grouped.columns);
      flow.push(reshape(broadcast(each, grouped.rows(x).shape), x.shape));
    }
    return [total(flow), ...parts.slice(1)];
  },
  inPlace: 0,
};

function deviations(grouped: Grouped, x: Value, mean: Value | undefined): Value {
  return mean === undefined ? grouped.rows(x) : subtract(grouped.rows(x), grouped.numbers(mean));
}

/**
 * Inputs x, g, 1/√(variance + ε), then the mean where centred, then the scale where scaled; outputs dx, and where scaled dscale,
 * where shifted dshift. dx = ((p − a) − n·b)/√(variance + ε) with n = (x − mean)/√(variance + ε), p = g·scale, and over each row
 * a = Σp/columns (0 where not centred), b = Σ(p·n)/columns; dscale = Σ g·n and dshift = Σ g over rows.
 */
const rowNormGradientRule: Rule<"rowNormGradient"> = {
  name: "rowNormGradient",
  infer(inputs, { scaled, shifted, where }) {
    const x = at(inputs, 0);
    const columns = columnsOf(where, x, 1);
    for (const value of inputs) expectDtype(where, value, "f32");
    const weight = { shape: [columns], dtype: "f32" } as const;
    return [{ shape: x.shape, dtype: "f32" }, ...(scaled ? [weight] : []), ...(shifted ? [weight] : [])];
  },
  lower(inputs, outputs, { groups, centered, scaled }) {
    const [x, g, inverse] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
    const mean = centered ? at(inputs, 3) : null;
    const scale = scaled ? at(inputs, centered ? 4 : 3) : null;
    const views = { x, g, scale, inverse, mean, dx: at(outputs, 0), dscale: outputs[1], dshift: outputs[2] };
    return instruction("row_norm_gradient", views, { ...asMatrix(x.shape), groups });
  },
  // With q = u/√(variance + ε) of the flow u to dx: to p flows q − Σq/columns − n·c with c = Σ(q·n)/columns, and to n
  // −(q·b + p·c); dscale and dshift are products and sums. Mean and root are inputs here, whose own flows reach x through
  // rowNorm.
  gradient(inputs, _outputs, flows, { groups, centered, scaled }) {
    const [x, inverse] = [at(inputs, 0), at(inputs, 2)];
    const mean = centered ? at(inputs, 3) : undefined;
    const grouped = new Grouped(x.shape, groups);
    const [g, root] = [grouped.rows(at(inputs, 1)), grouped.numbers(inverse)];
    const scale = scaled ? grouped.weights(at(inputs, centered ? 4 : 3)) : undefined;
    const deviation = deviations(grouped, x, mean);
    const n = multiply(deviation, root);
    const [toDx, toDscale, toDshift] = flows;
    const toG: Value[] = [];
    const toN: Value[] = [];
    const toRoot: Value[] = [];
    let toScale: Value | undefined;
    if (toDx !== undefined) {
      const u = grouped.rows(toDx);
      const p = scale === undefined ? g : multiply(g, scale);
      const q = multiply(u, root);
      const [b, c] = [meanOfRows(multiply(p, n)), meanOfRows(multiply(q, n))];
      const centred = (value: Value): Value => (centered ? subtract(value, meanOfRows(value)) : value);
      const toP = subtract(centred(q), multiply(n, c));
      toN.push(negate(add(multiply(q, b), multiply(p, c))));
      toRoot.push(multiply(u, subtract(centred(p), multiply(n, b))));
      toG.push(scale === undefined ? toP : multiply(toP, scale));
      if (scale !== undefined) toScale = reduceTo(multiply(toP, g), scale.shape);
    }
    if (toDscale !== undefined) {
      const v = grouped.weights(toDscale);
      toG.push(multiply(v, n));
      toN.push(multiply(v, g));
    }
    if (toDshift !== undefined) toG.push(broadcast(grouped.weights(toDshift), g.shape));
    const ofN = total(toN);
    if (ofN !== undefined) toRoot.push(multiply(ofN, deviation));
    const flowX = ofN === undefined ? undefined : multiply(ofN, root);
    const shaped = (value: Value | undefined, shape: Shape): Value | undefined =>
      value === undefined ? undefined : reshape(value, shape);
    const ofRoot = total(toRoot);
    return [
      shaped(flowX, x.shape),
      shaped(total(toG), x.shape),
      ofRoot === undefined ? undefined : reshape(reduceTo(ofRoot, root.shape), inverse.shape),
      ...(centered
        ? [flowX === undefined ? undefined : negate(reshape(reduceTo(flowX, root.shape), inverse.shape))]
        : []),
      ...(scaled ? [shaped(toScale, at(inputs, centered ? 4 : 3).shape)] : []),
    ];
  },
  inPlace: 1,
};

/** The sum of flows, in order. */
export function total(flows: readonly Value[]): Value | undefined {
  const [first, ...rest] = flows;
  return first === undefined ? undefined : rest.reduce((sum, flow) => add(sum, flow), first);
}

/** Options of {@link layerNorm}, {@link rmsNorm} and {@link groupNorm}. */
export interface NormOptions {
  /** ε > 0, added to the variance inside the root; 1e-5 by default. */
  readonly epsilon?: number | undefined;
}

function normalized(
  where: string,
  x: Value,
  weights: readonly (Value | undefined)[],
  { groups, centered }: { readonly groups: number; readonly centered: boolean },
  options: NormOptions,
): Value {
  checkKeys(where, options, ["epsilon"]);
  const epsilon = checkNormEpsilon(`${where}.epsilon`, options.epsilon);
  checkValue(where, x);
  const [scale, shift] = weights;
  if (scale === undefined && shift !== undefined) {
    throw new CarillonError(
      "ERR_OPTION",
      `${where}.shift`,
      `expected a scale beside '${where}.shift' but received none`,
    );
  }
  const inputs = [x, ...weights.filter((weight) => weight !== undefined)];
  return apply(rowNormRule, inputs, { epsilon, centered, groups, where });
}

/**
 * y = (x − mean)/√(variance + ε)·scale + shift over the last axis: mean = x₀ + Σ(x − x₀)/n with the first element x₀ of a row,
 * variance = Σ(x − mean)²/n, each sum in the order of {@link sum}; the last product and sum are one rounding. Equal elements give
 * the shift exactly. x: […, n], scale and shift: [n]. Ba, Kiros, Hinton 2016.
 */
export function layerNorm<X extends Value, S extends Value = X, B extends Value = X>(
  x: X,
  scale?: S,
  shift?: B,
  options: NormOptions = {},
): Of<X | S | B> {
  return normalized("layerNorm", x, [scale, shift], { groups: 1, centered: true }, options) as Of<X | S | B>;
}

/** y = x/√(Σx²/n + ε)·scale over the last axis. x: […, n], scale: [n]. Zhang, Sennrich 2019. */
export function rmsNorm<X extends Value, S extends Value = X>(x: X, scale?: S, options: NormOptions = {}): Of<X | S> {
  return normalized("rmsNorm", x, [scale], { groups: 1, centered: false }, options) as Of<X | S>;
}

/**
 * {@link layerNorm} over groups of neighbouring features: the last axis, n = groups·k, is cut into `groups` parts, and of each example
 * a part is normalized over its k features and all axes between the first and the last. x: [batch, …, n], scale and shift: [n]. Wu,
 * He 2018.
 */
export function groupNorm<X extends Value, S extends Value = X, B extends Value = X>(
  x: X,
  groups: number,
  scale?: S,
  shift?: B,
  options: NormOptions = {},
): Of<X | S | B> {
  checkNumber("groupNorm.groups", groups, { min: 1, integer: true });
  checkValue("groupNorm", x);
  const [first, ...rest] = x.shape;
  if (rest.length < 2 || first === undefined) {
    return normalized("groupNorm", x, [scale, shift], { groups, centered: true }, options) as Of<X | S | B>;
  }
  // Places and features of a group become neighbours, and go back.
  const columns = columnsOf("groupNorm", x, 1);
  const places = elements(rest.slice(0, -1));
  expectGroups("groupNorm", x.shape, columns, groups);
  const parts = transpose(reshape(x, [first, places, groups, columns / groups]), [0, 2, 1, 3]);
  const flat = reshape(parts, [first, places * columns]);
  const plain = normalized("groupNorm", flat, [], { groups, centered: true }, options);
  const back = transpose(reshape(plain, [first, groups, places, columns / groups]), [0, 2, 1, 3]);
  const n = reshape(back, x.shape);
  if (scale !== undefined) expectColumns("groupNorm.scale", scale, columns);
  if (shift !== undefined) expectColumns("groupNorm.shift", shift, columns);
  const scaled = scale === undefined ? n : multiply(n, scale);
  return (shift === undefined ? scaled : add(scaled, shift)) as Of<X | S | B>;
}

/** The gradients of a normalization of rows from x, g, root, mean where centred, scale where scaled: see its rule. */
export const rowNormGradient = (
  inputs: readonly Value[],
  attributes: OperationAttributes["rowNormGradient"],
): readonly Value[] => applyAll(rowNormGradientRule, inputs, attributes);

/** Rules of this file, for the tests that walk all operations. */
export const rowNormRules = { rowNorm: rowNormRule, rowNormGradient: rowNormGradientRule } as const;
