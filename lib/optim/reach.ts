import type { NativeLists } from "../binding/operations.js";
import { CarillonError } from "../errors.js";
import type { AverageWeights } from "./minimizer_options.js";
import type { Optimizer } from "./optimizer.js";
import { type Trained, takesRows } from "./trained.js";

/** 2⁻¹²⁶: smaller states become 0 in every update. */
const SMALLEST_STATE = 1.1754943508222875e-38;

/** Whether a gradient of 0 leaves a parameter and its states as they are, to the bit. */
function staysStill({ rule, states }: Optimizer): boolean {
  if (rule === "adagrad") return states.every(({ initial }) => initial === 0 || initial >= SMALLEST_STATE); // ε > 0
  return rule === "sgd";
}

/** Rows that an update of a table with a gradient in rows works on. */
export function reachOf({ segment, optimizer, penalties }: Trained, averaged: boolean): NativeLists["reaches"] {
  if (segment.spec.rows === "touched") return "touched";
  const { l2, l1, decay, scheduledDecay, shrink, maxNorm } = penalties;
  const alone = !averaged && [l2, l1, decay, scheduledDecay, shrink, maxNorm].every((factor) => factor === 0);
  return alone && staysStill(optimizer) ? "moving" : "all";
}

/** `ERR_OPTION` for a table of `rows: 'touched'` beside what asks for all of its rows. */
export function checkTouched(trained: Trained, average: AverageWeights | null): void {
  const { segment, optimizer } = trained;
  if (segment.spec.rows !== "touched") return;
  const refuse = (received: string): never => {
    throw new CarillonError(
      "ERR_OPTION",
      segment.name,
      `expected rows: 'exact' of '${segment.name}' beside ${received}, but received 'touched'`,
    );
  };
  if (optimizer.rule === null) refuse(`'${optimizer.kind}', an optimizer of operations`);
  if (!takesRows(trained)) refuse("a penalty whose gradient is clipped");
  if (average?.biasCorrection === true) refuse("averageWeights with biasCorrection");
}
