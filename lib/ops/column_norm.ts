import { CarillonError } from "../errors.js";
import { checkKeys } from "../options.js";
import type { ColumnNormAttributes } from "../tensor/attributes.js";
import { asMatrix, elements, isBatched } from "../tensor/shape.js";
import type { Rule, Value } from "../tensor/value.js";
import { apply, applyAll, at, checkValue, expectDtype, type Of, type Operand } from "./apply.js";
import { broadcast, reduceTo, sumOver } from "./broadcast.js";
import { add, divide, equal, multiply, negate, reciprocal, sqrt, square, subtract } from "./elementwise.js";
import { instruction } from "./encode.js";
import { checkNormEpsilon, columnsOf, expectColumns, total } from "./row_norm.js";
import { rowCount } from "./sums.js";
import { where } from "./where.js";

/** Rows of x, all axes but the last. */
function rowsOf(x: Value): Operand {
  const rows = elements(x.shape.slice(0, -1));
  if (!isBatched(x.shape)) return rows;
  return rows === 1 ? rowCount() : multiply(rowCount(), rows);
}

/** Means over the rows of x, [n]; with `running` 0 where there is but one row, on which nothing depends then. */
function meansOver(x: Value, running: boolean): (value: Value) => Value {
  const rows = rowsOf(x);
  return (value) => {
    const mean = divide(sumOver(value, "first"), rows);
    return running ? where(equal(rows, 1), 0, mean) : mean;
  };
}

const invertedRoot = (variance: Value, epsilon: number): Value => reciprocal(sqrt(add(variance, epsilon)));

/**
 * Inputs x, then scale and shift where affine, then running mean and variance where running; outputs y, mean and variance. x: […, n],
 * the others [n]. A lone row is normalized by the running values, which are its mean and variance then.
 */
const columnNormRule: Rule<"columnNorm"> = {
  name: "columnNorm",
  infer(inputs, { affine }) {
    const x = at(inputs, 0);
    const columns = columnsOf("batchNorm", x, 2);
    const names = [...(affine ? ["scale", "shift"] : []), "running.mean", "running.variance"];
    for (const [index, value] of inputs.slice(1).entries()) expectColumns(`batchNorm.${names[index]}`, value, columns);
    const column = { shape: [columns], dtype: "f32" } as const;
    return [{ shape: x.shape, dtype: "f32" }, column, column];
  },
  lower(inputs, outputs, { epsilon, affine, running }) {
    const x = at(inputs, 0);
    const [scale, shift] = affine ? inputs.slice(1) : [];
    const [runningMean, runningVariance] = running ? inputs.slice(-2) : [];
    const [y, mean, variance] = [at(outputs, 0), at(outputs, 1), at(outputs, 2)];
    const views = { x, scale, shift, runningMean, runningVariance, y, mean, variance };
    return instruction("column_norm", views, { ...asMatrix(x.shape), epsilon });
  },
  gradient(inputs, outputs, flows, { epsilon, affine, running }) {
    const x = at(inputs, 0);
    const [mean, variance] = [at(outputs, 1), at(outputs, 2)];
    const [flowing, toMean, toVariance] = flows;
    const operands = affine ? [mean, variance, at(inputs, 1)] : [mean, variance];
    const own = { epsilon, affine, running };
    const parts = flowing === undefined ? [] : applyAll(columnNormGradientRule, [x, flowing, ...operands], own);
    const flow = parts.slice(0, 1);
    const share = (value: Value): Value => {
      const each = divide(value, rowsOf(x));
      return running ? where(equal(rowsOf(x), 1), 0, each) : each;
    };
    if (toMean !== undefined) flow.push(broadcast(share(toMean), x.shape));
    // dv/dx = 2(x − mean)/rows; the sum of deviations is 0.
    if (toVariance !== undefined) flow.push(multiply(share(multiply(2, toVariance)), subtract(x, mean)));
    return [total(flow), ...parts.slice(1)];
  },
  inPlace: 0,
};

/**
 * Inputs x, g, mean, variance, then the scale where affine; outputs dx, and where affine dscale and dshift. With r = 1/√(variance + ε),
 * d = x − mean, a = Σg/rows and b = Σ(g·d)·r/rows: dx = ((g − a) − d·(b·r))·(r·scale), dscale = Σ(g·d)·r, dshift = Σg. With `running`
 * a and b of a lone row are 0.
 */
const columnNormGradientRule: Rule<"columnNormGradient"> = {
  name: "columnNormGradient",
  infer(inputs, { affine }) {
    const x = at(inputs, 0);
    const columns = columnsOf("batchNorm", x, 2);
    for (const value of inputs) expectDtype("batchNorm", value, "f32");
    const column = { shape: [columns], dtype: "f32" } as const;
    return [{ shape: x.shape, dtype: "f32" }, ...(affine ? [column, column] : [])];
  },
  lower(inputs, outputs, { epsilon, running }) {
    const [x, g, mean, variance] = [at(inputs, 0), at(inputs, 1), at(inputs, 2), at(inputs, 3)];
    const views = {
      x,
      g,
      scale: inputs[4],
      mean,
      variance,
      dx: at(outputs, 0),
      dscale: outputs[1],
      dshift: outputs[2],
    };
    return instruction("column_norm_gradient", views, { ...asMatrix(x.shape), running, epsilon });
  },
  // With q = u·r·scale of the flow u to dx and M the mean over rows: to g flows q − M(q) − n·M(q·n), and to n = d·r
  // −(q·M(g·n) + g·M(q·n)). Mean and variance are inputs here, whose own flows reach x through columnNorm.
  gradient(inputs, _outputs, flows, { epsilon, running }) {
    const [x, g, mean, variance] = [at(inputs, 0), at(inputs, 1), at(inputs, 2), at(inputs, 3)];
    const scale = inputs[4];
    const means = meansOver(x, running);
    const r = invertedRoot(variance, epsilon);
    const d = subtract(x, mean);
    const n = multiply(d, r);
    const [u, toDscale, toDshift] = flows;
    const toG: Value[] = [];
    const toN: Value[] = [];
    const toR: Value[] = [];
    let toScale: Value | undefined;
    if (u !== undefined) {
      const q = multiply(u, scale === undefined ? r : multiply(r, scale));
      const [b, c] = [means(multiply(g, n)), means(multiply(q, n))];
      toG.push(subtract(subtract(q, means(q)), multiply(n, c)));
      toN.push(negate(add(multiply(q, b), multiply(g, c))));
      const unscaled = sumOver(multiply(u, subtract(subtract(g, means(g)), multiply(n, b))), "first");
      toR.push(scale === undefined ? unscaled : multiply(unscaled, scale));
      if (scale !== undefined) toScale = multiply(unscaled, r);
    }
    if (toDscale !== undefined) {
      toG.push(multiply(toDscale, n));
      toN.push(multiply(toDscale, g));
    }
    if (toDshift !== undefined) toG.push(broadcast(toDshift, x.shape));
    const ofN = total(toN);
    if (ofN !== undefined) toR.push(sumOver(multiply(ofN, d), "first"));
    const toX = ofN === undefined ? undefined : multiply(ofN, r);
    const ofR = total(toR);
    return [
      toX,
      total(toG),
      toX === undefined ? undefined : negate(sumOver(toX, "first")),
      ofR === undefined ? undefined : multiply(multiply(-0.5, ofR), multiply(r, square(r))),
      toScale,
    ];
  },
  inPlace: 1,
};

const scaleShiftRule: Rule<"scaleShift"> = {
  name: "scaleShift",
  infer(inputs) {
    const x = at(inputs, 0);
    const columns = columnsOf("scaleShift", x, 1);
    expectColumns("scaleShift.scale", at(inputs, 1), columns);
    expectColumns("scaleShift.shift", at(inputs, 2), columns);
    return [{ shape: x.shape, dtype: "f32" }];
  },
  lower(inputs, outputs) {
    const [x, scale, shift] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
    return instruction("scale_shift", { x, scale, shift, y: at(outputs, 0) }, asMatrix(x.shape));
  },
  gradient(inputs, _outputs, flows) {
    const [x, scale, g] = [at(inputs, 0), at(inputs, 1), at(flows, 0)];
    return [multiply(g, scale), reduceTo(multiply(g, x), scale.shape), reduceTo(g, scale.shape)];
  },
  inPlace: 0,
};

/** y = x·scale + shift along the last axis, one rounding. x: […, n], scale and shift: [n]. */
export function scaleShift<X extends Value, S extends Value, B extends Value>(x: X, scale: S, shift: B): Of<X | S | B> {
  return apply(scaleShiftRule, [x, scale, shift], null) as Of<X | S | B>;
}

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** ε > 0, added to the variance inside the root; 1e-5 by default. */
  readonly epsilon?: number | undefined;
  /** [n] each: by these a lone row is normalized, which has no variance. Without them it gives the shift. */
  readonly running?: { readonly mean: Value; readonly variance: Value } | undefined;
}

/** What {@link batchNorm} gives. */
export interface BatchNormed<V extends Value> {
  /** […, n]. */
  readonly y: V;
  /** Of the rows, [n]; of a lone row with running values, these. */
  readonly mean: V;
  /** Biased: Σ(x − mean)²/rows, [n]. */
  readonly variance: V;
}

/**
 * y = (x − mean)/√(variance + ε)·scale + shift, mean and variance of each feature over all axes but the last: mean = x₀ + Σ(x − x₀)/rows
 * with x₀ of the first row, variance = Σ(x − mean)²/rows, each sum a chain a column, restarted every 128 rows. Equal elements give
 * the shift exactly. x: [batch, …, n], scale and shift, both or neither: [n]. Ioffe, Szegedy 2015.
 */
export function batchNorm<X extends Value, S extends Value = X, B extends Value = X>(
  x: X,
  scale?: S,
  shift?: B,
  options: BatchNormOptions = {},
): BatchNormed<Of<X | S | B>> {
  checkKeys("batchNorm", options, ["epsilon", "running"]);
  const epsilon = checkNormEpsilon("batchNorm.epsilon", options.epsilon);
  const { running } = options;
  if (running !== undefined) checkKeys("batchNorm.running", running, ["mean", "variance"]);
  checkValue("batchNorm", x);
  if ((scale === undefined) !== (shift === undefined)) {
    const missing = scale === undefined ? "scale" : "shift";
    throw new CarillonError(
      "ERR_OPTION",
      `batchNorm.${missing}`,
      "expected scale and shift for 'batchNorm', or neither, but received one",
    );
  }
  const affine = scale !== undefined && shift !== undefined;
  const inputs = [
    x,
    ...(affine ? [scale, shift] : []),
    ...(running === undefined ? [] : [running.mean, running.variance]),
  ];
  const outputs = applyAll(columnNormRule, inputs, { epsilon, affine, running: running !== undefined });
  const [y, mean, variance] = outputs as readonly [Of<X | S | B>, Of<X | S | B>, Of<X | S | B>];
  return { y, mean, variance };
}

/** The gradients of {@link batchNorm} from x, g, mean, variance, and scale where affine: see its rule. */
export const columnNormGradient = (inputs: readonly Value[], attributes: ColumnNormAttributes): readonly Value[] =>
  applyAll(columnNormGradientRule, inputs, attributes);

/** Rules of this file, for the tests that walk all operations. */
export const columnNormRules = {
  columnNorm: columnNormRule,
  columnNormGradient: columnNormGradientRule,
  scaleShift: scaleShiftRule,
} as const;
