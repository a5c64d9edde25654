import type { NativeSlab } from "../binding/native.js";
import { CarillonError, fail } from "../errors.js";
import { currentTrace } from "../graph/trace.js";
import { assign } from "../nn/memory/assign.js";
import type { Segment } from "../nn/memory/slab.js";
import * as ops from "../ops/index.js";
import type { Penalties } from "../regularizers/index.js";
import { formatShape, sameShape } from "../tensor/shape.js";
import { Value } from "../tensor/value.js";
import type { DefinedOptimizer } from "./define_optimizer.js";
import { rowsOf } from "./trained.js";

/** One parameter that an optimizer made of operations updates. */
export interface DefinedUpdate {
  readonly segment: Segment;
  readonly parameter: Value;
  readonly gradient: Value;
  readonly gradientScale: Value | null;
  readonly clipValue: number | undefined;
  readonly penalties: Penalties;
  /** The penalties' gradients are in `gradient` already. */
  readonly summed: boolean;
  readonly rate: Value;
  /** λ of scheduled decays. */
  readonly decay: Value | null;
  readonly scalars: readonly Value[];
  readonly parameterSlab: NativeSlab;
  readonly stateSlabs: readonly NativeSlab[];
  /** θ̄ ← keep·θ̄ + take·θ. */
  readonly average: {
    readonly slab: NativeSlab;
    readonly keep: Value | number;
    readonly take: Value | number;
  } | null;
}

/** The gradient as a rule sees it, in the order of the native pass: scaled, clamped, with the penalties' gradients. */
function shapedGradient(update: DefinedUpdate): Value {
  const { gradientScale, clipValue, penalties, summed, parameter } = update;
  let gradient = gradientScale === null ? update.gradient : ops.multiply(update.gradient, gradientScale);
  if (clipValue !== undefined) gradient = ops.minimum(ops.maximum(gradient, -clipValue), clipValue);
  if (summed) return gradient;
  if (penalties.l2 !== 0) gradient = ops.add(gradient, ops.multiply(penalties.l2, parameter));
  if (penalties.l1 !== 0) gradient = ops.add(gradient, ops.multiply(penalties.l1, ops.sign(parameter)));
  return gradient;
}

/** Proximal step (Euclidean: a rule made of operations tells no denominator), then the bound on the rows' norms. */
function constrained(parameter: Value, { penalties, rate, segment }: DefinedUpdate): Value {
  let next = parameter;
  if (penalties.shrink !== 0) {
    const rest = ops.subtract(ops.absolute(next), ops.multiply(rate, penalties.shrink));
    next = ops.multiply(ops.sign(next), ops.maximum(rest, 0));
  }
  if (penalties.maxNorm !== 0) {
    const rows = rowsOf(segment.shape);
    const matrix = ops.reshape(next, [rows, segment.count / rows]);
    const norms = ops.reshape(ops.sqrt(ops.sum(ops.square(matrix), { axis: "last" })), [rows, 1]);
    const factor = ops.divide(penalties.maxNorm, ops.maximum(norms, penalties.maxNorm));
    next = ops.reshape(ops.multiply(matrix, factor), next.shape);
  }
  return next;
}

/** λ of decoupled decay in this step; 0: none. */
function lambdaOf({ penalties: { decay, scheduledDecay }, decay: scheduled }: DefinedUpdate): Value | number {
  if (scheduled === null || scheduledDecay === 0) return decay;
  return ops.add(decay, ops.multiply(scheduledDecay, scheduled));
}

function penaltyOf({ penalties, parameter }: DefinedUpdate): Value {
  const absolutes = penalties.l1 + penalties.shrink;
  const squares = ops.multiply(penalties.l2 / 2, ops.sumSquares(parameter));
  if (absolutes === 0) return squares;
  return ops.add(squares, ops.multiply(absolutes, ops.sum(ops.absolute(parameter))));
}

/** Whether `value` is the memory of a parameter or a state itself, under whatever shape. */
function isMemory({ source }: Value): boolean {
  if (source.kind !== "operation" || source.applied.rule.lower !== null) return source.kind === "slab";
  return source.applied.inputs.some(isMemory);
}

/** Records the update of one parameter; returns its penalty before the update. */
export function applyDefined(optimizer: DefinedOptimizer, update: DefinedUpdate): Value {
  const trace = currentTrace("minimize");
  const { segment, parameter, rate, scalars, stateSlabs, average } = update;
  const { name, shape, offset } = segment;
  const inSlab = (slab: NativeSlab): Value => new Value(shape, "f32", { kind: "slab", slab, offset });
  const slabs = optimizer.states.map((state, index): [string, NativeSlab | undefined] => [
    state.name,
    stateSlabs[index],
  ]);
  const states = slabs.flatMap(([state, slab]) => (slab === undefined ? [] : [[state, inSlab(slab)] as const]));
  const penalty = penaltyOf(update);
  const lambda = lambdaOf(update);
  const decayed = lambda === 0 ? parameter : ops.multiply(parameter, ops.subtract(1, ops.multiply(rate, lambda)));
  const gradient = shapedGradient(update);
  const made = optimizer.update({
    name,
    role: segment.spec.role,
    parameter: decayed,
    gradient,
    states: Object.fromEntries(states),
    rate,
    scalars,
  });
  if (typeof made === "object" && made !== null && "then" in made)
    fail("ERR_OPTION", `${optimizer.kind}.update`, "{ parameter, states }", made);
  const fits = (what: string, value: Value | undefined): Value => {
    // What is another's memory is copied before it is overwritten.
    if (value instanceof Value && sameShape(value.shape, shape))
      return isMemory(value) ? ops.multiply(1, value) : value;
    const received = value instanceof Value ? formatShape(value.shape) : String(value);
    throw new CarillonError(
      "ERR_SHAPE",
      `${optimizer.kind}.update`,
      `expected ${formatShape(shape)} as the new ${what} of '${name}' from '${optimizer.kind}.update' but received ${received}`,
    );
  };
  const next = constrained(fits("parameter", made?.parameter), update);
  const written = Object.entries(made.states ?? {}).map(([state, value]) => {
    const slab = slabs.find(([known]) => known === state)?.[1];
    if (slab === undefined) {
      throw new CarillonError(
        "ERR_OPTION",
        `${optimizer.kind}.update`,
        `expected a state of '${optimizer.kind}' but received '${state}'`,
      );
    }
    return { slab, value: fits(state, value) };
  });
  if (average !== null) {
    const kept = ops.multiply(average.keep, inSlab(average.slab));
    written.push({ slab: average.slab, value: ops.flush(ops.add(kept, ops.multiply(average.take, next))) });
  }
  // All values are computed before the first is written.
  for (const { slab, value } of [{ slab: update.parameterSlab, value: next }, ...written]) {
    trace.add(assign(value, slab, offset));
  }
  return penalty;
}
