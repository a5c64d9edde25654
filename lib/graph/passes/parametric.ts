import { at } from "../../ops/apply.js";
import { instruction } from "../../ops/encode.js";
import { maskPlace } from "../../ops/random.js";
import type { DropoutAttributes } from "../../tensor/attributes.js";
import { asMatrix, elements, isBatched } from "../../tensor/shape.js";
import { Tensor } from "../../tensor/tensor.js";
import { type NumbersOf, Value } from "../../tensor/value.js";
import { applied, type Draft, type Pass } from "./pass.js";

/** Activations that the kernels know, and their slopes. */
const BENT = [
  { name: "selu", slope: "seluSlope" },
  { name: "mish", slope: "mishSlope" },
] as const;
type Bent = (typeof BENT)[number];

/** A dropout to 0 and a factor behind an activation. */
interface Behind {
  readonly mask: DropoutAttributes | undefined;
  readonly factor: number;
}

/** y = x + (f(x) − x)·share, then what stands behind it. */
interface Parametric extends Behind {
  readonly f: Bent;
  readonly x: Value;
  readonly share: Value;
  /** f(x) − x. */
  readonly bend: Value;
  readonly last: Value;
}

/** The factor of `value` = inner·factor, a number. */
function scaled(value: Value | undefined): { readonly inner: Value; readonly factor: number } | undefined {
  const [inner, factor] = applied(value, "multiply")?.inputs ?? [];
  const known = inner !== undefined && factor instanceof Tensor && factor.shape.length === 0;
  return known ? { inner, factor: Number(factor.data[0]) } : undefined;
}

/** The dropout behind `value`, where it is one of elements, to 0, drawn by the program itself. */
function maskOf(value: Value | undefined): DropoutAttributes | undefined {
  const dropout = applied(value, "dropout");
  if (dropout === undefined || dropout.draw !== undefined) return undefined;
  const { group, shift, dropped } = dropout.attributes;
  return group === 1 && shift === 0 && dropped === 0 ? dropout.attributes : undefined;
}

const sameMask = (a: DropoutAttributes, b: DropoutAttributes): boolean =>
  a.site === b.site && a.lane === b.lane && a.keep === b.keep && a.scale === b.scale;

/** The one use of a value, where that may be computed with it. */
function onlyUser(value: Value, draft: Draft): Value | undefined {
  const [user] = draft.users(value);
  return draft.uses(value) === 1 && user !== undefined && draft.together(value, user) ? user : undefined;
}

function parametricOf(value: Value, draft: Draft): Parametric | undefined {
  const [x, part] = applied(value, "add")?.inputs ?? [];
  const [bend, share] = applied(part, "multiply")?.inputs ?? [];
  const [bent, straight] = applied(bend, "subtract")?.inputs ?? [];
  if (x === undefined || bend === undefined || share === undefined || straight !== x) return undefined;
  const f = BENT.find(({ name }) => applied(bent, name)?.inputs[0] === x);
  const { columns } = asMatrix(x.shape);
  if (f === undefined || !isBatched(x.shape) || x.shape.length < 2 || columns < 1) return undefined;
  if (share.shape.length !== 1 || share.shape[0] !== columns) return undefined;
  const dropped = onlyUser(value, draft);
  const mask = maskOf(dropped);
  const masked = mask === undefined || dropped === undefined ? value : dropped;
  const next = onlyUser(masked, draft);
  const behind = scaled(next);
  const whole = behind?.inner === masked && next !== undefined;
  return { f, x, share, bend, mask, factor: whole ? behind.factor : 1, last: whole ? next : masked };
}

/** Numbers of an instruction. */
function numbersOf({ f, x }: Parametric, { mask, factor }: Behind): NumbersOf<"parametric"> {
  const sizes = { ...asMatrix(x.shape), function: f.name, factor };
  if (mask === undefined) return sizes;
  const { site, exampleRows } = maskPlace(x, mask);
  const { lane, keep, scale } = mask;
  return { ...sizes, site, exampleRows, lane: lane === undefined ? 0 : lane + 1, keep, keepScale: scale };
}

/** What flows back to an activation: where its gradients end, and where that begins. */
interface ParametricGradient extends Behind {
  readonly flow: Value;
  readonly dx: Value;
  readonly dshare: Value;
}

/** The gradients with respect to x and share, from the flow to what the activation itself gives. */
function gradientOf({ f, x, share, bend, ...behind }: Parametric, draft: Draft): ParametricGradient | undefined {
  const toShare = draft.users(bend).find((user) => applied(user, "multiply")?.inputs[1] === bend);
  const [flow] = applied(toShare, "multiply")?.inputs ?? [];
  if (toShare === undefined || flow === undefined || draft.uses(toShare) !== 1) return undefined;
  const dshare = draft.users(toShare).find((user) => applied(user, "sum")?.attributes.axis === "first");
  const part = draft.users(flow).find((user) => applied(user, "multiply")?.inputs[1] === share);
  if (dshare === undefined || part === undefined || draft.uses(part) !== 2) return undefined;
  const back = draft.users(part).find((user) => applied(user, "negate") !== undefined);
  const straight = draft.users(flow).find((user) => {
    const [left, right] = applied(user, "add")?.inputs ?? [];
    return left === flow && right === back;
  });
  const bent = draft.users(part).find((user) => {
    const [left, slope] = applied(user, "multiply")?.inputs ?? [];
    return left === part && applied(slope, f.slope)?.inputs[0] === x;
  });
  if (straight === undefined || bent === undefined || draft.uses(straight) !== 1) return undefined;
  const [dx] = draft.users(straight);
  const [left, right] = applied(dx, "add")?.inputs ?? [];
  if (dx === undefined || left !== straight || right !== bent) return undefined;
  return { ...before(flow, behind, draft), dx, dshare };
}

/** The flow in front of the dropout and the factor of an activation, as far as nothing else uses what is behind them. */
function before(flow: Value, { mask, factor }: Behind, draft: Draft): Behind & { readonly flow: Value } {
  const own = maskOf(flow);
  const [inner] = applied(flow, "dropout")?.inputs ?? [];
  if (mask !== undefined && (own === undefined || !sameMask(own, mask) || draft.uses(flow) !== 3))
    return { flow, mask: undefined, factor: 1 };
  const masked = mask === undefined || inner === undefined ? flow : inner;
  const more = scaled(masked);
  const whole = more?.factor === factor && draft.uses(masked) === (masked === flow ? 3 : 1);
  return whole ? { flow: more.inner, mask, factor } : { flow: masked, mask, factor: 1 };
}

/** Bits of a word of a mask. */
const WORD = 32;

/** Which elements are kept, a bit each, where a row has whole words; other masks are drawn again on the way back. */
function bitsOf({ x }: Parametric, { mask }: Behind): Value | undefined {
  const { columns } = asMatrix(x.shape);
  if (mask === undefined || columns % WORD !== 0) return undefined;
  const words = elements(x.shape.slice(1)) / WORD;
  return new Value(["batch", words], "i32", { kind: "input", name: `what dropout ${mask.site} keeps` });
}

/** Fuses the gradients; the bits of the mask that they want of the activation, if there are any. */
function fuseGradient(activation: Parametric, draft: Draft): Value | undefined {
  const found = gradientOf(activation, draft);
  if (found === undefined) return undefined;
  const { flow, dx, dshare } = found;
  if (dshare.id > dx.id || flow.id > dshare.id || !draft.together(flow, dx)) return undefined;
  const { x, share, bend } = activation;
  const kept = bitsOf(activation, found);
  draft.remove(dx);
  draft.replace(dshare, {
    inputs: [flow, x, share, bend, ...(kept === undefined ? [] : [kept])],
    outputs: [dshare, dx],
    lower(inputs, outputs) {
      const read = { g: at(inputs, 0), x: at(inputs, 1), share: at(inputs, 2), bend: at(inputs, 3) };
      const views = { ...read, mask: inputs[4], dx: at(outputs, 1), dshare: at(outputs, 0) };
      return instruction("parametric_gradient", views, numbersOf(activation, found));
    },
    inPlace: { input: 0, output: 1 },
    applied: null,
  });
  return kept;
}

/**
 * Fuses activations with a share a unit, and a dropout and a factor behind them, into one pass forward and one back, by the very
 * roundings of the operations alone.
 */
export const fuseParametric: Pass = (draft) => {
  for (const value of [...draft.steps.keys()]) {
    const activation = parametricOf(value, draft);
    if (activation === undefined) continue;
    const { x, share, bend, last } = activation;
    const bits = fuseGradient(activation, draft);
    // Who wants f(x) − x behind the whole has it from the same pass; where nobody does it is nowhere in memory.
    const others = draft.users(bend).filter((user) => user.id > last.id);
    const kept = others.length > 0 && draft.uses(bend) === others.length + 1 && draft.together(bend, last);
    if (kept) draft.remove(bend);
    draft.replace(last, {
      inputs: [x, share],
      outputs: [last, ...(kept ? [bend] : []), ...(bits === undefined ? [] : [bits])],
      lower(inputs, outputs) {
        const written = { y: at(outputs, 0), bend: kept ? outputs[1] : undefined };
        const views = { x: at(inputs, 0), share: at(inputs, 1), ...written, mask: bits && outputs.at(-1) };
        return instruction("parametric", views, numbersOf(activation, activation));
      },
      inPlace: null,
      applied: null,
    });
  }
};
