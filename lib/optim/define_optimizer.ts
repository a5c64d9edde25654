import { nativeInfo } from "../binding/native.js";
import type { NativeLists } from "../binding/operations.js";
import { fail } from "../errors.js";
import type { ParameterRole } from "../nn/parameters/parameter.js";
import { checkFunction, checkKeys, checkNumber, checkString } from "../options.js";
import { describedBy } from "../tensor/inspect.js";
import type { Value } from "../tensor/value.js";
import { forPeople, type Optimizer, type OptimizerState } from "./optimizer.js";
import { checkRate, type Schedule } from "./schedule.js";

/** Operands of an update made of operations: one parameter in one step. */
export interface OptimizerStep {
  /** Name of the parameter. */
  readonly name: string;
  readonly role: ParameterRole;
  /** θ, after decoupled decay. */
  readonly parameter: Value;
  /** ∂ℓ/∂θ, clipped, with the penalties' gradients. */
  readonly gradient: Value;
  /** By name, of the parameter's shape. */
  readonly states: Readonly<Record<string, Value>>;
  /** η of this step, a scalar. */
  readonly rate: Value;
  /** The numbers that `scalars` gave for this step, as scalars. */
  readonly scalars: readonly Value[];
}

/** The new values. A state that is missing stays as it was. */
export interface OptimizerUpdate {
  readonly parameter: Value;
  readonly states?: Readonly<Record<string, Value>> | undefined;
}

/** Definition that {@link defineOptimizer} takes. */
export interface OptimizerDefinition {
  readonly kind: string;
  /** Learning rate η ≥ 0, or a schedule. */
  readonly lr: number | Schedule;
  /** Names of the states, other than `weights`, `average` and `layers`, and the value of their elements before step 1. */
  readonly states?: Readonly<Record<string, number>> | undefined;
  /** Finite numbers that the update needs in step t, from 1, always as many: a pure function. */
  readonly scalars?: ((step: number) => readonly number[]) | undefined;
  /** Decoupled decay of weights, ≥ 0, or its schedule. */
  readonly weightDecay?: number | Schedule | undefined;
  /** Recorded once a parameter; `step` is data of the program, never numbers. */
  update(step: OptimizerStep): OptimizerUpdate;
}

/** First parts of the names of other tensors in a checkpoint. */
const TAKEN = ["weights", "average", "layers"];

/** `scalars` with every answer checked: finite numbers, as many as at the first step. */
function checkedScalars(where: string, scalars: (step: number) => readonly number[]): typeof scalars {
  let count: number | undefined;
  return (step) => {
    const values = scalars(step);
    count ??= Array.isArray(values) ? values.length : 0;
    if (Array.isArray(values) && values.length === count && values.every(Number.isFinite)) return values;
    return fail("ERR_OPTION", where, `an array of ${count} finite numbers at step ${step}`, values);
  };
}

/** An optimizer made of operations. */
export interface DefinedOptimizer extends Optimizer {
  readonly rule: null;
  update(step: OptimizerStep): OptimizerUpdate;
}

/**
 * An optimizer of your own, made of operations: it becomes part of the program and runs natively, without a call into
 * JavaScript.
 *
 * @example
 * const signSgd = (lr: number) => defineOptimizer({
 *   kind: 'signSgd', lr,
 *   update: ({ parameter, gradient, rate }) => ({ parameter: ops.subtract(parameter, ops.multiply(rate, ops.sign(gradient))) }),
 * });
 */
export function defineOptimizer(definition: OptimizerDefinition): DefinedOptimizer {
  checkKeys("defineOptimizer", definition, ["kind", "lr", "states", "scalars", "weightDecay", "update"]);
  return definedOptimizer(definition, []);
}

/**
 * {@link defineOptimizer} with constants, by which a checkpoint tells one from another: what `update` has closed over it cannot
 * see.
 */
export function definedOptimizer(definition: OptimizerDefinition, constants: readonly number[]): DefinedOptimizer {
  const { kind, update, scalars = null, weightDecay = 0 } = definition;
  checkString("defineOptimizer.kind", kind);
  checkFunction(`${kind}.update`, update);
  if (scalars !== null) checkFunction(`${kind}.scalars`, scalars);
  const lambda = checkRate(`${kind}.weightDecay`, weightDecay);
  const states = Object.entries(definition.states ?? {}).map(([name, initial]): OptimizerState => {
    const where = `${kind}.states.${name}`;
    if (TAKEN.includes(name)) fail("ERR_OPTION", where, `another name than ${TAKEN.join(", ")}`, name);
    return { name, initial: checkNumber(where, initial) };
  });
  const optimizer: DefinedOptimizer = {
    kind,
    lr: checkRate(`${kind}.lr`, definition.lr),
    rule: null,
    states,
    constants: Object.freeze([...constants]),
    scalars: scalars === null ? null : checkedScalars(`${kind}.scalars`, scalars),
    decay: lambda === 0 ? null : { lambda, everywhere: false },
    clipsSum: false,
    update,
  };
  return Object.freeze(describedBy(optimizer, () => forPeople(optimizer)));
}

/** True for an optimizer made of operations. */
export function isDefined(optimizer: Optimizer): optimizer is DefinedOptimizer {
  return optimizer.rule === null && "update" in optimizer;
}

const isNative = (rule: string | null): rule is NativeLists["optimizers"] =>
  rule !== null && nativeInfo.optimizers.includes(rule);

/** The native rule of an optimizer that has one. */
export function nativeRule(optimizer: Optimizer): NativeLists["optimizers"] {
  const { rule, kind } = optimizer;
  return isNative(rule) ? rule : fail("ERR_OPTION", `${kind}.rule`, "the name of a native rule", rule);
}
