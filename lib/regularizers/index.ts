import { fail } from "../errors.js";
import { checkBoolean, checkKeys, checkNumber, checkOneOf } from "../options.js";

/** In which metric the proximal step of L1 is taken: the optimizer rule's own, or the Euclidean one. */
export type ProximalMetric = "adaptive" | "euclidean";

/** Options of {@link l1} and {@link elasticNet} besides their factors. */
export interface ProximalOptions {
  /** Shrinks after the step instead of adding λ·sign(θ) to the gradient; false by default. */
  readonly proximal?: boolean | undefined;
  /** Metric of the proximal step; `'adaptive'` by default. */
  readonly metric?: ProximalMetric | undefined;
}

interface Lasso {
  readonly proximal: boolean;
  readonly metric: ProximalMetric;
}

/**
 * A penalty on, or a bound of, the size of weights. It belongs to a layer, or to the whole model where a layer names
 * none. `regularizer` reaches weights; biases are left alone unless `biasRegularizer` names penalties for them, scales and tables
 * unless they name their own. Several are given as an array.
 */
export type Regularizer =
  | { readonly kind: "l2"; readonly lambda: number }
  | ({ readonly kind: "l1"; readonly lambda: number } & Lasso)
  | ({ readonly kind: "elasticNet"; readonly l1: number; readonly l2: number } & Lasso)
  | { readonly kind: "weightDecay"; readonly lambda: number }
  | { readonly kind: "maxNorm"; readonly bound: number };

/** One regularizer, several, or none. */
export type Regularizers = Regularizer | readonly Regularizer[] | null;

function factor(where: string, lambda: number): number {
  return checkNumber(where, lambda, { min: 0 });
}

function lasso(where: string, options: ProximalOptions): Lasso {
  const proximal = checkBoolean(`${where}.proximal`, options.proximal ?? false);
  if (!proximal && options.metric !== undefined) {
    fail("ERR_OPTION", `${where}.metric`, "no metric without proximal: true,", options.metric);
  }
  return { proximal, metric: checkOneOf(`${where}.metric`, options.metric ?? "adaptive", ["adaptive", "euclidean"]) };
}

/**
 * L2 (squared Frobenius norm): adds `(λ/2)·Σ θ²` to the loss and `λ·θ` to the gradient of θ.
 *
 * The gradient is what is fixed: `θ ← θ − η(g + λθ)`, as in PyTorch's `weight_decay` under SGD. Keras' `l2(λ)`
 * has the penalty `λ·Σ θ²` and so the gradient `2λθ`: for the same effect pass twice its λ.
 * Under adaptive optimizers this is not decoupled weight decay; the gradient `λθ` passes through the rule.
 *
 * @param lambda Factor λ, a finite number ≥ 0; anything else is `ERR_OPTION`.
 */
export function l2(lambda: number): Regularizer {
  return Object.freeze({ kind: "l2", lambda: factor("l2.lambda", lambda) });
}

/**
 * L1: adds `λ·Σ |θ|` to the loss. It shrinks every weight by a constant, so that it selects features (Tibshirani 1996).
 *
 * Subgradient (the default): `λ·sign(θ)` is added to the gradient, sign(0) = 0; weights oscillate around 0.
 * `proximal: true`: after the step `θ ← sign(θ)·max(|θ| − ηλ/d, 0)`, which gives weights that are exactly 0; d is the
 * denominator of an adaptive rule (1 for the others, and with `metric: 'euclidean'`), the step in the rule's own metric
 * (Yun, Lozano, Yang 2021). A rule made of operations tells no denominator: there the step is always Euclidean.
 *
 * @param lambda Factor λ, a finite number ≥ 0; anything else is `ERR_OPTION`.
 */
export function l1(lambda: number, options: ProximalOptions = {}): Regularizer {
  checkKeys("l1", options, ["proximal", "metric"]);
  return Object.freeze({ kind: "l1", lambda: factor("l1.lambda", lambda), ...lasso("l1", options) });
}

/** Options of {@link elasticNet}. */
export interface ElasticNetOptions extends ProximalOptions {
  /** λ of L1, ≥ 0. */
  readonly l1: number;
  /** λ of L2, ≥ 0. */
  readonly l2: number;
}

/** L1 and L2 together: `λ₁·Σ |θ| + (λ₂/2)·Σ θ²`, each as it is alone (Zou, Hastie 2005). */
export function elasticNet(options: ElasticNetOptions): Regularizer {
  checkKeys("elasticNet", options, ["l1", "l2", "proximal", "metric"]);
  return Object.freeze({
    kind: "elasticNet",
    l1: factor("elasticNet.l1", options.l1),
    l2: factor("elasticNet.l2", options.l2),
    ...lasso("elasticNet", options),
  });
}

/**
 * Decoupled weight decay: `θ ← θ·(1 − ηλ)` beside the step of the rule; nothing is added to loss or gradient. What
 * {@link adamw} does (Loshchilov, Hutter 2019). Not L2: under an adaptive rule the two differ.
 *
 * @param lambda Factor λ, a finite number ≥ 0; anything else is `ERR_OPTION`.
 */
export function weightDecay(lambda: number): Regularizer {
  return Object.freeze({ kind: "weightDecay", lambda: factor("weightDecay.lambda", lambda) });
}

/**
 * After the step, rows of a weight matrix with ‖·‖₂ > c are scaled to c: a bound on the weights into each unit
 * (Srebro, Shraibman 2005; Srivastava et al. 2014). For a weight of higher rank the rows are those of its first axis.
 *
 * @param bound c, a finite number > 0; anything else is `ERR_OPTION`.
 */
export function maxNorm(bound: number): Regularizer {
  return Object.freeze({ kind: "maxNorm", bound: checkNumber("maxNorm.bound", bound, { above: 0 }) });
}

/** All regularizers of a parameter together. */
export interface Penalties {
  /** λ of `(λ/2)·Σ θ²`. */
  readonly l2: number;
  /** λ of `λ·Σ |θ|`, by subgradient. */
  readonly l1: number;
  /** λ of `λ·Σ |θ|`, by the proximal step, and its metric. */
  readonly shrink: number;
  readonly metric: boolean;
  readonly decay: number;
  /** What a schedule's λ of decoupled decay is multiplied by; 0: none. */
  readonly scheduledDecay: number;
  /** Bound of the rows' norms; 0: none. */
  readonly maxNorm: number;
}

const NONE: Penalties = { l2: 0, l1: 0, shrink: 0, metric: true, decay: 0, scheduledDecay: 0, maxNorm: 0 };

/** The factors and bounds of each kind. */
const FACTORS: Readonly<Record<Regularizer["kind"], readonly string[]>> = {
  l2: ["lambda"],
  l1: ["lambda"],
  elasticNet: ["l1", "l2"],
  weightDecay: ["lambda"],
  maxNorm: ["bound"],
};

function add(sum: Penalties, regularizer: Regularizer): Penalties {
  switch (regularizer.kind) {
    case "l2":
      return { ...sum, l2: sum.l2 + regularizer.lambda };
    case "weightDecay":
      return { ...sum, decay: sum.decay + regularizer.lambda };
    case "maxNorm":
      return { ...sum, maxNorm: sum.maxNorm === 0 ? regularizer.bound : Math.min(sum.maxNorm, regularizer.bound) };
    case "l1":
      return addLasso(sum, regularizer.lambda, regularizer);
    case "elasticNet":
      return { ...addLasso(sum, regularizer.l1, regularizer), l2: sum.l2 + regularizer.l2 };
  }
}

function addLasso(sum: Penalties, lambda: number, { proximal, metric }: Lasso): Penalties {
  if (!proximal) return { ...sum, l1: sum.l1 + lambda };
  return { ...sum, shrink: sum.shrink + lambda, metric: metric === "adaptive" };
}

function isOfKind(value: unknown): value is Regularizer {
  return typeof value === "object" && value !== null && "kind" in value && Object.hasOwn(FACTORS, `${value.kind}`);
}

/** Whether `value` is a regularizer, made or written down. */
export function isRegularizer(value: unknown): value is Regularizer {
  return isOfKind(value) && FACTORS[value.kind].every((name) => typeof Reflect.get(value, name) === "number");
}

/** The regularizers that an option stands for; a value that is none is `ERR_OPTION`. */
export function checkRegularizers(where: string, given: Regularizers | undefined): readonly Regularizer[] {
  if (given === undefined || given === null) return [];
  const list: readonly Regularizer[] = Array.isArray(given) ? given : [given];
  for (const each of list) {
    if (!isOfKind(each)) fail("ERR_OPTION", where, "a regularizer such as l2(1e-4)", each);
    for (const name of FACTORS[each.kind]) checkNumber(`${where}.${name}`, Reflect.get(each, name), { min: 0 });
  }
  const metrics = new Set(list.flatMap((each) => ("proximal" in each && each.proximal ? [each.metric] : [])));
  if (metrics.size > 1) fail("ERR_OPTION", where, "one metric of all proximal steps", given);
  return list;
}

/** As {@link checkRegularizers}, for biases and scales: a bound of rows is `ERR_OPTION`, as they have none. */
export function checkBiasRegularizers(where: string, given: Regularizers | undefined): readonly Regularizer[] {
  const list = checkRegularizers(where, given);
  if (list.some(({ kind }) => kind === "maxNorm")) {
    fail("ERR_OPTION", where, "penalties, as biases have no rows to bound,", given);
  }
  return list;
}

/** A copy of `given`, if it is what a `regularizer` option takes; else `ERR_OPTION`. */
export function checked(where: string, given: Regularizers | undefined): Regularizers | undefined {
  checkRegularizers(where, given);
  return Array.isArray(given) ? [...given] : given;
}

/** Several regularizers together: factors of one kind add up, the smallest bound holds. */
export function penaltiesOf(regularizers: readonly Regularizer[]): Penalties {
  return regularizers.reduce(add, NONE);
}
