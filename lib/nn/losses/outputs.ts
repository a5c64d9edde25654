// The losses of a model: one an output.
import type { ExampleShape, TargetShape } from "../../data/block.js";
import type { ClassNames } from "../../data/labels.js";
import { CarillonError, fail } from "../../errors.js";
import { checkNumber } from "../../options.js";
import { areNamed, type RowSpec, type RowSpecs } from "../../tensor/row_spec.js";
import { extent } from "../../tensor/shape.js";
import { byName } from "../structure/by_name.js";
import { checkLoss, type Loss, toldShape } from "./loss.js";

/** The loss of an output, and what its mean counts in the total. */
export interface OutputLoss {
  readonly loss: Loss;
  readonly weight: number;
}

/** The loss of a model with one output; one an output by name of a model with several. */
export type Losses = Loss | Readonly<Record<string, Loss>>;

/** Numbers by the names of outputs. */
export type LossWeights = Readonly<Record<string, number | undefined>>;

/** The losses of all outputs, before any data is looked at; errors as `checkLoss`. */
export function checkLosses(
  where: { readonly loss: string; readonly weights: string },
  given: Losses,
  weights: LossWeights | undefined,
  outputs: readonly RowSpec[],
): readonly OutputLoss[] {
  const losses = byName(where.loss, given, "y", outputs, "a loss");
  if (weights !== undefined && !areNamed("y", outputs)) {
    fail("ERR_OPTION", where.weights, "none, as the model has one output without a name,", weights);
  }
  const factors = weights === undefined ? [] : byName(where.weights, weights, "y", outputs, "a number");
  return outputs.map((output, at) => {
    const own = losses[at] ?? { where: where.loss, value: undefined };
    const loss = checkLoss(own.where, own.value as Loss, extent(output.shape));
    const told = toldShape(loss, output.shape); // where there is none, nothing else has to be looked at
    if (loss.target === "classes" && told.length === 0) {
      const expected = "an output with an axis of classes";
      throw new CarillonError("ERR_SHAPE", own.where, `expected ${expected} for '${own.where}' but received none`);
    }
    const factor = factors[at];
    const weight = factor?.value === undefined ? 1 : checkNumber(factor.where, factor.value, { min: 0 });
    return { loss, weight };
  });
}

/** Shape of a model's examples, with these losses and names of classes. */
export function exampleShape(
  { inputs, outputs }: RowSpecs,
  losses: readonly OutputLoss[],
  names: readonly (ClassNames | undefined)[],
): ExampleShape {
  const targets = outputs.map((output, at): TargetShape => {
    const loss = losses[at]?.loss;
    const target = loss?.target ?? "values";
    const shape = loss === undefined ? output.shape : toldShape(loss, output.shape);
    return { ...output, shape, target, names: names[at] };
  });
  return { inputs, targets };
}
