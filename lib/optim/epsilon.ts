import { checkKeys, checkNumber, checkOneOf } from "../options.js";
import { type Compat, contradicts } from "./compat.js";

/** Where ε stands: `inside` is √(x + ε), `outside` is √x + ε. */
export type EpsilonPlacement = "inside" | "outside";

/** ε > 0 alone (the place is the optimizer's default), or with its place. */
export type Epsilon = number | { readonly value: number; readonly placement?: EpsilonPlacement | undefined };

/** ε and its place, as the native rules take them: 1 inside, 0 outside. */
export type EpsilonConstants = readonly [value: number, inside: 0 | 1];

/** The option that these constants were made of. */
export function epsilonOption([value, inside]: EpsilonConstants): Epsilon {
  return { value, placement: inside === 1 ? "inside" : "outside" };
}

/** ε and its place where nothing is said, of an optimizer by itself or in a framework's form. */
export interface EpsilonDefault {
  readonly value: number;
  readonly placement: EpsilonPlacement;
}

/** 2⁻¹²⁶: a smaller ε is no normal float32, and a gradient of 0 would give 0/0. */
const SMALLEST_EPSILON = 1.1754943508222875e-38;

/** The option `epsilon` of `kind`; a place that it does not have, or that contradicts `compat`, is `ERR_OPTION`. */
export function checkEpsilon(
  kind: string,
  epsilon: Epsilon | undefined,
  fallback: EpsilonDefault,
  compat: Compat | undefined,
  placements: readonly EpsilonPlacement[] = ["inside", "outside"],
): EpsilonConstants {
  const { value = fallback.value, placement } = parts(`${kind}.epsilon`, epsilon, placements);
  if (compat !== undefined && placement !== undefined && placement !== fallback.placement) {
    contradicts(kind, "epsilon.placement", compat, `'${fallback.placement}'`, placement);
  }
  return [value, (placement ?? fallback.placement) === "inside" ? 1 : 0];
}

function parts(
  where: string,
  epsilon: Epsilon | undefined,
  placements: readonly EpsilonPlacement[],
): Partial<EpsilonDefault> {
  const range = { min: SMALLEST_EPSILON };
  if (epsilon === undefined) return {};
  if (typeof epsilon === "number") return { value: checkNumber(where, epsilon, range) };
  checkKeys(where, epsilon, ["value", "placement"]);
  const value = checkNumber(`${where}.value`, epsilon.value, range);
  if (epsilon.placement === undefined) return { value };
  return { value, placement: checkOneOf(`${where}.placement`, epsilon.placement, placements) };
}
