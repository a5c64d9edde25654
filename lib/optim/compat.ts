import { fail } from "../errors.js";
import { checkBoolean, checkNumber, checkOneOf } from "../options.js";
import type { DecoupledDecay } from "./optimizer.js";
import { checkRate, type Schedule } from "./schedule.js";

/**
 * A framework whose defaults and arithmetic an optimizer takes over: learning rate, ε and its place, initial states,
 * decoupled decay of biases too, and what clipping sees. Checked against trajectories of PyTorch 2.13 and Keras 3.15.
 */
export type Compat = "pytorch" | "keras";

/** `compat` if the framework has this optimizer, else `ERR_OPTION`. */
export function checkCompat<const C extends Compat>(
  kind: string,
  compat: Compat | undefined,
  known: readonly C[],
): C | undefined {
  return compat === undefined ? undefined : checkOneOf(`${kind}.compat`, compat, known);
}

/** `ERR_OPTION` that names the option and the framework that has it otherwise. */
export function contradicts(kind: string, option: string, compat: Compat, expected: string, received: unknown): never {
  return fail("ERR_OPTION", `${kind}.${option}`, `${expected}, which ${kind}.compat '${compat}' means,`, received);
}

/** `rateInside`, whether a velocity takes in η times what it averages: an option of a momentum > 0, and of a framework's form. */
export function checkRateInside(
  kind: string,
  given: boolean | undefined,
  preset: boolean,
  { compat, momentum }: { readonly compat: Compat | undefined; readonly momentum: number },
): boolean {
  const rateInside = checkBoolean(`${kind}.rateInside`, given ?? preset);
  if (compat !== undefined && rateInside !== preset) contradicts(kind, "rateInside", compat, `${preset}`, rateInside);
  if (given === true && momentum === 0) {
    fail("ERR_OPTION", `${kind}.momentum`, "a number > 0, which rateInside needs,", momentum);
  }
  return rateInside;
}

/**
 * `weightDecay` of an optimizer that couples nothing: λ ≥ 0 of Keras' `weight_decay` with `compat: 'keras'`. Otherwise
 * only 0 is allowed, because PyTorch's option of that name is L2, and AdamW is the name of Adam with decoupled decay.
 */
export function checkKerasDecay(
  kind: string,
  weightDecay: number | undefined,
  compat: Compat | undefined,
): DecoupledDecay | null {
  const lambda = checkNumber(`${kind}.weightDecay`, weightDecay ?? 0, { min: 0 });
  if (lambda === 0) return null;
  if (compat === "keras") return { lambda, everywhere: true };
  const instead = "for PyTorch's L2 use the regularizer l2(), for decoupled decay adamw() or lion()";
  if (compat !== undefined) return contradicts(kind, "weightDecay", compat, `0 (${instead})`, lambda);
  return fail("ERR_OPTION", `${kind}.weightDecay`, `0 without compat: 'keras' (${instead})`, lambda);
}

/** `weightDecay` of an optimizer that has decoupled decay of its own: λ ≥ 0, of biases too in a framework's form. */
export function checkDecay(
  kind: string,
  weightDecay: number | Schedule,
  compat: Compat | undefined,
): DecoupledDecay | null {
  const lambda = checkRate(`${kind}.weightDecay`, weightDecay);
  return lambda === 0 ? null : { lambda, everywhere: compat !== undefined };
}
