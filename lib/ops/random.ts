import { fail } from "../errors.js";
import { checkKeys, checkNumber, checkOneOf } from "../options.js";
import { asMatrix, elements, isBatched } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import type { EagerDraw, Value } from "../tensor/value.js";
import { apply, at, expectDtype, type Of, type Rule } from "./apply.js";

/** Whether what is kept is scaled in training (`'inverted'`) or everything at inference (`'classic'`). */
export type DropoutScaling = "inverted" | "classic";

/** Options of the operation `ops.dropout`; either `rate` or `keep`. */
export interface DropoutOptions {
  /** Probability of dropping, [0, 1). */
  readonly rate?: number | undefined;
  /** Probability of keeping, (0, 1]. */
  readonly keep?: number | undefined;
  readonly scaling?: DropoutScaling | undefined;
  /** Number of the place in the network that draws; a trace counts its own. */
  readonly site: number;
  /** For tensors: what the mask is drawn from. A program has its own seed and step. */
  readonly seed?: number | undefined;
  readonly step?: number | undefined;
}

/** The probability of keeping, (0, 1], from `rate` or `keep`, of which exactly one is wanted; else `ERR_OPTION`. */
export function keepOf(where: string, rate: number | undefined, keep: number | undefined): number {
  if ((rate === undefined) === (keep === undefined)) {
    fail("ERR_OPTION", where, "either rate or keep", rate === undefined ? "neither" : "both");
  }
  if (keep !== undefined) return checkNumber(`${where}.keep`, keep, { above: 0, max: 1 });
  return 1 - checkNumber(`${where}.rate`, rate, { min: 0, below: 1 });
}

/** What the rule of dropout needs. */
export interface DropoutAttributes {
  readonly keep: number;
  readonly scale: number;
  readonly site: number;
  readonly draw: EagerDraw | undefined;
}

const dropoutRule: Rule<DropoutAttributes> = {
  name: "dropout",
  infer(inputs) {
    expectDtype("dropout", at(inputs, 0), "f32");
    return { shape: at(inputs, 0).shape };
  },
  lower(inputs, output, { keep, scale, site }) {
    // Mask indices count elements of the whole batch: rows, then elements a row.
    const perRow = isBatched(output.shape) ? elements(output.shape) : asMatrix(output.shape).columns;
    const rows = isBatched(output.shape) ? -1 : asMatrix(output.shape).rows;
    return { operation: "dropout", views: [at(inputs, 0), output], ints: [rows, perRow, site], doubles: [keep, scale] };
  },
  // The same mask: the same site, seed and step.
  gradient(inputs, _output, gradient, attributes) {
    if (inputs.every((input) => input instanceof Tensor)) return [undefined];
    return [apply(dropoutRule, [gradient], attributes, attributes.draw)];
  },
  inPlace: 0,
};

/**
 * y = m ⊙ x, m ~ Bernoulli(keep), times 1/keep if `scaling` is `'inverted'` (the default). The mask is a function of
 * (seed, step, site, element index), exact to 2⁻³² in probability (Srivastava et al. 2014; Philox: Salmon et al. 2011).
 *
 * On tensors it needs `seed` and `step`; a program has its own. Options out of range are `ERR_OPTION`.
 */
export function dropout<A extends Value>(x: A, options: DropoutOptions): Of<A> {
  checkKeys("dropout", options, ["rate", "keep", "scaling", "site", "seed", "step"]);
  const keep = keepOf("dropout", options.rate, options.keep);
  const scaling = checkOneOf("dropout.scaling", options.scaling ?? "inverted", ["inverted", "classic"]);
  const site = checkNumber("dropout.site", options.site, { min: 0, max: 2_147_483_647, integer: true });
  const scale = scaling === "inverted" ? 1 / keep : 1;
  const given = x instanceof Tensor || options.seed !== undefined || options.step !== undefined;
  const draw = given
    ? {
        seed: checkNumber("dropout.seed", options.seed, { min: 0, integer: true }),
        step: checkNumber("dropout.step", options.step, { min: 1, integer: true }),
      }
    : undefined;
  return apply(dropoutRule, [x], { keep, scale, site, draw }, draw) as Of<A>;
}

/** Rules of this file, for the tests that walk all operations. */
export const randomRules = { dropout: dropoutRule } as const;
