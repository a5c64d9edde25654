import { fail } from "../errors.js";
import { checkKeys, checkNumber, checkOneOf } from "../options.js";
import type { EagerDraw, Site } from "../tensor/attributes.js";
import { asMatrix, elements, isBatched } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import type { NumbersOf, Rule, Value, ValueSpec } from "../tensor/value.js";
import { apply, at, expectDtype, f32, type Of } from "./apply.js";
import { instruction } from "./encode.js";
import { SELU } from "./selu.js";

/** Whether what is kept is scaled in training (`'inverted'`) or everything at inference (`'classic'`). */
export type DropoutScaling = "inverted" | "classic";

/** What every operation that draws takes. */
export interface DrawOptions {
  /** Number of the place in the network that draws; a trace counts its own. */
  readonly site: number;
  /** For tensors: what is drawn from. A program has its own seed and step. */
  readonly seed?: number | undefined;
  readonly step?: number | undefined;
}

/** Options of the operation `ops.dropout`; either `rate` or `keep`. */
export interface DropoutOptions extends DrawOptions {
  /** Probability of dropping, [0, 1). */
  readonly rate?: number | undefined;
  /** Probability of keeping, (0, 1]. */
  readonly keep?: number | undefined;
  readonly scaling?: DropoutScaling | undefined;
}

/** The probability of keeping, (0, 1], from `rate` or `keep`, of which exactly one is wanted; else `ERR_OPTION`. */
export function keepOf(where: string, rate: number | undefined, keep: number | undefined): number {
  if ((rate === undefined) === (keep === undefined)) {
    fail("ERR_OPTION", where, "either rate or keep", rate === undefined ? "neither" : "both");
  }
  if (keep !== undefined) return checkNumber(`${where}.keep`, keep, { above: 0, max: 1 });
  return 1 - checkNumber(`${where}.rate`, rate, { min: 0, below: 1 });
}

/** Where the mask of `output` is drawn: indices count the rows of the whole batch. */
export function maskPlace(output: Value, { site, group }: Pick<Site, "site" | "group">): MaskPlace {
  const { rows, columns } = asMatrix(output.shape);
  return { rows, columns, site, group, exampleRows: isBatched(output.shape) ? Math.abs(rows) : 0 };
}

/** Sizes of a mask, its site, rows that share a mask, and rows an example, 0 of what is no batch. */
export type MaskPlace = Pick<NumbersOf<"dropout" | "noise">, "rows" | "columns" | "site" | "group" | "exampleRows">;

/** Checks the one input of an operation that draws; its output is like it. */
function like(name: string, inputs: readonly Value[]): readonly ValueSpec[] {
  expectDtype(name, at(inputs, 0), "f32");
  return f32(at(inputs, 0).shape);
}

/** Whether there is nobody to tell a gradient: tensors, which draw no more. */
const known = (inputs: readonly Value[]): boolean => inputs.every((input) => input instanceof Tensor);

const dropoutRule: Rule<"dropout"> = {
  name: "dropout",
  infer: (inputs) => like("dropout", inputs),
  lower(inputs, outputs, { site, group, lane, keep, scale, shift, dropped }) {
    const [x, y] = [at(inputs, 0), at(outputs, 0)];
    const place = { ...maskPlace(y, { site, group }), lane: lane === undefined ? 0 : lane + 1 };
    return instruction("dropout", { x, y }, { ...place, keep, scale, shift, dropped });
  },
  // The same mask, drawn again.
  gradient(inputs, _outputs, flows, attributes) {
    if (known(inputs)) return [undefined];
    return [apply(dropoutRule, [at(flows, 0)], { ...attributes, shift: 0, dropped: 0 }, attributes.draw)];
  },
  inPlace: 0,
};

const noiseRule: Rule<"noise"> = {
  name: "noise",
  infer: (inputs) => like("noise", inputs),
  lower(inputs, outputs, { site, group, deviation }) {
    const [x, y] = [at(inputs, 0), at(outputs, 0)];
    return instruction("noise", { x, y }, { ...maskPlace(y, { site, group }), deviation });
  },
  gradient(inputs, _outputs, flows, attributes) {
    if (known(inputs)) return [undefined];
    return [apply(noiseRule, [at(flows, 0)], attributes, attributes.draw)];
  },
  inPlace: 0,
};

/** Seed and step, which tensors need and symbols may have outside of a program. */
export function drawOf(where: string, x: Value, { seed, step }: DrawOptions): EagerDraw | undefined {
  if (!(x instanceof Tensor) && seed === undefined && step === undefined) return undefined;
  return {
    seed: checkNumber(`${where}.seed`, seed, { min: 0, integer: true }),
    step: checkNumber(`${where}.step`, step, { min: 1, integer: true }),
  };
}

/** The place that draws, which an option names. */
export function siteOf(where: string, x: Value, options: DrawOptions, group: number): Site {
  return { site: checkSite(where, options), group, draw: drawOf(where, x, options) };
}

const MOST_SITES = 2_147_483_647;

/** The number of the place that draws, checked. */
export function checkSite(where: string, { site }: DrawOptions): number {
  return checkNumber(`${where}.site`, site, { min: 0, max: MOST_SITES, integer: true });
}

/**
 * y = m ⊙ x, m ~ Bernoulli(keep), times 1/keep if `scaling` is `'inverted'` (the default). The mask is a function of
 * (seed, step, site, element index), exact to 2⁻³² in probability (Srivastava et al. 2014; Philox: Salmon et al. 2011).
 *
 * On tensors it needs `seed` and `step`; a program has its own. Options out of range are `ERR_OPTION`.
 */
export function dropout<A extends Value>(x: A, options: DropoutOptions): Of<A> {
  return masked("dropout", x, options, 1);
}

/**
 * Dropout of whole channels: x: [batch, …, channels]; one draw for all places of an example and channel (Tompson et al.
 * 2015). On [batch, channels] it is plain dropout.
 */
export function spatialDropout<A extends Value>(x: A, options: DropoutOptions): Of<A> {
  return masked("spatialDropout", x, options, elements(x.shape.slice(1, -1)));
}

function masked<A extends Value>(where: string, x: A, options: DropoutOptions, group: number): Of<A> {
  checkKeys(where, options, ["rate", "keep", "scaling", "site", "seed", "step"]);
  const keep = keepOf(where, options.rate, options.keep);
  const { scaling = "inverted" } = options;
  const scale = checkOneOf(`${where}.scaling`, scaling, ["inverted", "classic"]) === "inverted" ? 1 / keep : 1;
  const site = siteOf(where, x, options, group);
  return apply(dropoutRule, [x], { ...site, lane: undefined, keep, scale, shift: 0, dropped: 0 }, site.draw) as Of<A>;
}

/**
 * {@link dropout} whose probability of keeping and factor of what is kept are schedule values, that of `lane` and the one behind it; rows in
 * groups of `group` share a mask.
 */
export function scheduledDropout(x: Value, lane: number, site: number, group: number): Value {
  const attributes = { site, group, draw: undefined, lane, keep: 1, scale: 1, shift: 0, dropped: 0 };
  return apply(dropoutRule, [x], attributes);
}

/** Inverted {@link dropout} at a place that is known already, −1: none. */
export function dropoutAt(
  x: Value,
  { site, keep, draw }: { readonly site: number; readonly keep: number; readonly draw: EagerDraw | undefined },
): Value {
  if (site < 0) return x;
  const attributes = { site, group: 1, draw, lane: undefined, keep, scale: 1 / keep, shift: 0, dropped: 0 };
  return apply(dropoutRule, [x], attributes, draw);
}

/** −λα of SELU: what a dropped unit becomes before the affine map. */
const SELU_FLOOR = -SELU.scale * SELU.alpha;

/**
 * Dropout that keeps mean 0 and variance 1 of SELU units: y = a·(keep ? x : α′) + b, α′ = −λα = −1.7581,
 * a = (q + α′²·q·(1 − q))^(−½), b = −a·(1 − q)·α′ with q the probability of keeping (Klambauer et al. 2017).
 */
export function alphaDropout<A extends Value>(x: A, options: Omit<DropoutOptions, "scaling">): Of<A> {
  checkKeys("alphaDropout", options, ["rate", "keep", "site", "seed", "step"]);
  const keep = keepOf("alphaDropout", options.rate, options.keep);
  const scale = 1 / Math.sqrt(keep + SELU_FLOOR * SELU_FLOOR * keep * (1 - keep));
  const shift = -scale * (1 - keep) * SELU_FLOOR;
  const site = siteOf("alphaDropout", x, options, 1);
  return apply(
    dropoutRule,
    [x],
    { ...site, lane: undefined, keep, scale, shift, dropped: scale * SELU_FLOOR + shift },
    site.draw,
  ) as Of<A>;
}

/** Options of `ops.gaussianDropout`: `rate` in [0, 1), or `keep` in (0, 1]. */
export interface GaussianDropoutOptions extends DrawOptions {
  readonly rate?: number | undefined;
  readonly keep?: number | undefined;
}

/** y = x·n, n ~ N(1, rate/(1 − rate)): the mean and variance of inverted dropout, without zeros (Srivastava et al. 2014, §10). */
export function gaussianDropout<A extends Value>(x: A, options: GaussianDropoutOptions): Of<A> {
  checkKeys("gaussianDropout", options, ["rate", "keep", "site", "seed", "step"]);
  const keep = keepOf("gaussianDropout", options.rate, options.keep);
  const site = siteOf("gaussianDropout", x, options, 1);
  return apply(noiseRule, [x], { ...site, deviation: Math.sqrt((1 - keep) / keep) }, site.draw) as Of<A>;
}

/** Rules of this file, for the tests that walk all operations. */
export const randomRules = { dropout: dropoutRule, noise: noiseRule } as const;
