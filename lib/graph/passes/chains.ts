import type { NativeLists } from "../../binding/operations.js";
import { maskPlace } from "../../ops/random.js";
import { extent } from "../../tensor/shape.js";
import type { Applied, Value } from "../../tensor/value.js";
import { applied, type Draft } from "./pass.js";

/** A mask that is applied to a result: that of the operation `dropout`, whose dropped elements become 0. */
export interface Mask {
  readonly site: number;
  readonly exampleRows: number;
  readonly keep: number;
  readonly scale: number;
}

/** The mask behind `value` = dropout(x), where it is one of elements, without a shift or a schedule, drawn by the program itself. */
function maskOf(value: Value): Mask | undefined {
  const dropout = applied(value, "dropout");
  if (dropout === undefined || dropout.draw !== undefined) return undefined;
  const { site, group, lane, keep, scale, shift, dropped } = dropout.attributes;
  const { exampleRows } = maskPlace(value, { site, group });
  if (group !== 1 || lane !== undefined || shift !== 0 || dropped !== 0) return undefined;
  return { site, exampleRows, keep, scale };
}

const sameMask = (a: Mask, b: Mask): boolean =>
  a.site === b.site && a.exampleRows === b.exampleRows && a.keep === b.keep && a.scale === b.scale;

/** How a gradient passes a gate: by the sign of an output of relu, by the slope of tanh from its output, by that of others from what they were given. */
export interface Gate {
  readonly backward: NativeLists["gates"];
  readonly values: Value;
  readonly scale: number;
  /** The gradient before the gate. */
  readonly inner: Value;
}

/** Whether an operation on a and b has an element for every element of both: nothing is broadcast. */
const alike = (a: Value, b: Value, value: Value): boolean =>
  extent(a.shape) === extent(value.shape) && extent(b.shape) === extent(value.shape);

/**
 * The gate behind `value`. relu′ after the mask of a dropout behind that relu is one gate: the dropped-out output is
 * positive exactly where relu's was and the element was kept (scale ≥ 1, so that nothing positive becomes 0).
 */
function gateOf(value: Value, draft: Draft): Gate | undefined {
  const [flowing, output] = applied(value, "reluGradient")?.inputs ?? [];
  if (flowing !== undefined && output !== undefined && alike(flowing, output, value)) {
    const mask = maskOf(flowing);
    const [inner] = applied(flowing, "dropout")?.inputs ?? [];
    if (mask !== undefined && inner !== undefined && mask.scale >= 1 && draft.uses(flowing) === 1) {
      const dropped = draft.users(output).find((user) => {
        const own = maskOf(user);
        return own !== undefined && user.id < value.id && sameMask(own, mask);
      });
      if (dropped !== undefined) return { backward: "positive", values: dropped, scale: mask.scale, inner };
    }
    return { backward: "positive", values: output, scale: 1, inner: flowing };
  }
  const [gradient, bent] = applied(value, "tanhGradient")?.inputs ?? [];
  if (gradient === undefined || bent === undefined) return slopeGateOf(value, draft);
  return alike(gradient, bent, value) ? { backward: "tanh", values: bent, scale: 1, inner: gradient } : undefined;
}

const SLOPES = [
  { slope: "geluSlope", backward: "gelu" },
  { slope: "siluSlope", backward: "silu" },
] as const;

/** A gradient times a slope that nothing else wants. */
function slopeGateOf(value: Value, draft: Draft): Gate | undefined {
  const [inner, steepness] = applied(value, "multiply")?.inputs ?? [];
  if (inner === undefined || steepness === undefined || !alike(inner, steepness, value)) return undefined;
  if (draft.uses(steepness) !== 1 || !draft.together(steepness, value)) return undefined;
  for (const { slope, backward } of SLOPES) {
    const [x] = applied(steepness, slope)?.inputs ?? [];
    if (x !== undefined) return { backward, values: x, scale: 1, inner };
  }
  return undefined;
}

/** An operation and what follows it. */
export interface Chain {
  readonly source: Applied;
  /** A function of one argument behind it. */
  readonly bent: Applied | undefined;
  readonly mask: Mask | undefined;
  readonly gate: Gate | undefined;
}

/** Whether `value` serves its one user alone and may be computed where `last` stands. */
type Inside = (value: Value) => boolean;

/** Finds the end of a chain, from the last operation back: the source of `value`, past a function of one argument. */
export type SourceOf = (value: Value, inside: Inside) => Pick<Chain, "source" | "bent"> | undefined;

const EPILOGUES = ["relu", "tanh"] as const;

/** The product in front of `value`, past an activation. */
export const productOf: SourceOf = (value, inside) => {
  const bent = EPILOGUES.map((name) => applied(value, name)).find((each) => each !== undefined);
  const [before = value] = bent === undefined ? [value] : bent.inputs;
  if (bent !== undefined && !inside(before)) return undefined;
  if (before.source.kind !== "operation" || before.source.applied.rule.takesEpilogue !== true) return undefined;
  return { source: before.source.applied, bent };
};

/** source → function → dropout → gate, each only where it stands there. */
export function chainOf(value: Value, draft: Draft, sourceOf: SourceOf): Chain | undefined {
  const alone: Inside = (each) => draft.uses(each) === 1 && draft.together(each, value);
  // A relu is also used by its gradient, which takes the dropped-out output instead where that is fused.
  const rectified: Inside = (each) => draft.together(each, value) && draft.uses(each) - redirected(each, draft) === 1;
  const gate = gateOf(value, draft);
  const inner = gate === undefined ? value : gate.inner;
  if (gate !== undefined && !(alone(inner) && draft.together(gate.values, value))) return undefined;
  const mask = maskOf(inner);
  const [masked] = mask === undefined ? [inner] : (applied(inner, "dropout")?.inputs ?? []);
  if (masked === undefined) return undefined;
  if (mask !== undefined && !(alone(masked) || (gate === undefined && rectified(masked)))) return undefined;
  const found = sourceOf(masked, alone);
  return found === undefined ? undefined : { ...found, mask, gate };
}

/** How many users of `output`, a relu's, will look at its dropped-out form instead. */
function redirected(output: Value, draft: Draft): number {
  if (applied(output, "relu") === undefined) return 0;
  return draft.users(output).filter((user) => {
    if (applied(user, "reluGradient")?.inputs[1] !== output) return false;
    const gate = gateOf(user, draft);
    return gate !== undefined && gate.values !== output && chainOf(user, draft, productOf) !== undefined;
  }).length;
}
