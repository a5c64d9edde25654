import { CarillonError, fail } from "../errors.js";
import { checkBoolean, checkKeys, checkNumber } from "../options.js";
import type { AttentionAttributes } from "../tensor/attributes.js";
import { type Dim, extent, formatShape, isBatched, type Shape, sameShape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import type { NumbersOf, Rule, Value, ValueSpec } from "../tensor/value.js";
import { applyAll, at, checkValue, expectDtype, type Of } from "./apply.js";
import { type AttentionInputs, probabilitiesOf, type Split, splitOf } from "./attention_parts.js";
import { broadcast } from "./broadcast.js";
import { add, multiply, subtract } from "./elementwise.js";
import { instruction } from "./encode.js";
import { matmul } from "./products.js";
import { type DropoutOptions, dropoutAt, keepOf, siteOf } from "./random.js";
import { sum } from "./sums.js";
import { rotationOf } from "./turn.js";

/** Options of {@link attention}. */
export interface AttentionOptions {
  /** Heads of the queries. */
  readonly heads: number;
  /** Heads of keys and values, a divisor of `heads`, by which as many heads of queries share one; `heads` by default. */
  readonly keyValueHeads?: number | undefined;
  /** Whether a query looks at the keys up to its own place only; false by default. */
  readonly causal?: boolean | undefined;
  /** [batch] i32: keys of each example, from 0 to all, which is the default. */
  readonly lengths?: Value | undefined;
  /** Turns queries and keys by their places (Su et al. 2021), pairs half a head apart; a number is the base of the wavelengths, 10,000 by default. */
  readonly rotary?: boolean | number | undefined;
  /** Drops probabilities. */
  readonly dropout?: Omit<DropoutOptions, "scaling"> | undefined;
}

const ZERO = new Tensor(Float32Array.of(0), [], "f32");

/** Inputs of the rules by name. */
function named(inputs: readonly Value[], { packed, measured, turned }: AttentionAttributes): AttentionInputs {
  const behind = packed ? 1 : 3;
  const lengths = measured ? at(inputs, behind) : undefined;
  const rotation = turned ? at(inputs, behind + (measured ? 1 : 0)) : undefined;
  const whole = packed ? at(inputs, 0) : undefined;
  const [query, key, value] = packed ? [] : [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
  return { packed: whole, query, key, value, lengths, rotation };
}

/** How many of the inputs gradients flow to. */
const reachedBy = ({ packed }: AttentionAttributes): number => (packed ? 1 : 3);

function failShape(where: string, expected: string, shape: Shape): never {
  throw new CarillonError("ERR_SHAPE", where, `expected ${expected} for '${where}' but received ${formatShape(shape)}`);
}

/** [batch, time, features]; `ERR_SHAPE`. */
function sizesOf(where: string, value: Value): readonly [batch: Dim, time: number, features: number] {
  const [batch, time, features] = value.shape;
  expectDtype(where, value, "f32");
  if (value.shape.length === 3 && batch !== undefined && typeof time === "number" && typeof features === "number")
    return [batch, time, features];
  return failShape(where, "[batch, time, features]", value.shape);
}

/** Sizes of an attention; whatever does not fit is `ERR_SHAPE`. */
function measured(inputs: readonly Value[], own: AttentionAttributes) {
  const { where, heads, keyHeads } = own;
  const { packed, query, key, value, lengths, rotation } = named(inputs, own);
  const first = packed ?? query ?? at(inputs, 0);
  const [batch, queries, features] = sizesOf(packed === undefined ? `${where}.query` : where, first);
  const parts = packed === undefined ? heads : heads + 2 * keyHeads;
  const size = features / parts;
  if (!Number.isInteger(size)) failShape(where, `features that ${parts} heads divide`, first.shape);
  const [, keys] = key === undefined ? [batch, queries] : sizesOf(`${where}.key`, key);
  for (const [name, each] of Object.entries({ key, value })) {
    const wanted: Shape = [batch, keys, keyHeads * size];
    if (each === undefined) continue;
    expectDtype(`${where}.${name}`, each, "f32");
    if (!sameShape(each.shape, wanted)) failShape(`${where}.${name}`, formatShape(wanted), each.shape);
  }
  if (lengths !== undefined) {
    expectDtype(`${where}.lengths`, lengths, "i32");
    if (!sameShape(lengths.shape, [batch])) failShape(`${where}.lengths`, formatShape([batch]), lengths.shape);
  }
  if (rotation !== undefined && size % 2 !== 0) failShape(where, "heads of an even size", first.shape);
  return { batch, queries, keys, size };
}

function numbersOf(inputs: readonly Value[], own: AttentionAttributes): NumbersOf<"attention"> {
  const { batch, queries, keys, size } = measured(inputs, own);
  const { heads, keyHeads, causal, own: ends, site, scale, keep } = own;
  const dropping = site < 0 ? {} : { keep, keepScale: 1 / keep };
  return {
    ...{ rows: extent([batch]), queries, keys, heads, keyHeads, size, causal, own: ends, site, scale, ...dropping },
    batched: isBatched([batch]),
  };
}

/** Views that both rules read. */
function viewsOf(inputs: readonly Value[], own: AttentionAttributes) {
  const { packed, query, key, value, lengths, rotation } = named(inputs, own);
  return { query: packed ?? query ?? at(inputs, 0), key, value, lengths, rotation };
}

/** Outputs y, and the maximum and the sum of each row of scores, [batch, time, heads]. */
const attentionRule: Rule<"attention"> = {
  name: "attention",
  infer(inputs, own): readonly ValueSpec[] {
    const { batch, queries, size } = measured(inputs, own);
    const kept = { shape: [batch, queries, own.heads], dtype: "f32" } as const;
    return [{ shape: [batch, queries, own.heads * size], dtype: "f32" }, kept, kept];
  },
  lower(inputs, outputs, own) {
    const written = { y: at(outputs, 0), maxima: at(outputs, 1), sums: at(outputs, 2) };
    return instruction("attention", { ...viewsOf(inputs, own), ...written }, numbersOf(inputs, own));
  },
  gradient(inputs, outputs, [flow], own) {
    if (flow === undefined) return [];
    const given = [...inputs, at(outputs, 1), at(outputs, 2), flow];
    return applyAll(attentionGradientRule, given, own, own.draw);
  },
};

/** The inputs of an attention, the maxima and sums that it kept, and the flow to y. Outputs: the flows to queries, keys and values. */
const attentionGradientRule: Rule<"attentionGradient"> = {
  name: "attentionGradient",
  infer: (inputs, own) => inputs.slice(0, reachedBy(own)).map(({ shape }) => ({ shape, dtype: "f32" })),
  lower(inputs, outputs, own) {
    const [maxima, sums, dy] = [
      at(inputs, inputs.length - 3),
      at(inputs, inputs.length - 2),
      at(inputs, inputs.length - 1),
    ];
    const views = { maxima, sums, dy, dquery: at(outputs, 0) };
    const behind = own.packed ? {} : { dkey: at(outputs, 1), dvalue: at(outputs, 2) };
    return instruction("attention_gradient", { ...viewsOf(inputs, own), ...views, ...behind }, numbersOf(inputs, own));
  },
  // With P = softmax(q·kᵀ), D the dropout, A = D(g·vᵀ), E = P(A − Σ(P·A)): dq = E·k, dk = Eᵀ·q, dv = D(P)ᵀ·g. Flows x, y, z to these
  // three; q, k, v, x, y, z by heads, turned and scaled. To E flows e = x·kᵀ + q·yᵀ, to A and P what the product rule says.
  gradient(inputs, _outputs, flows, own) {
    const parts = splitOf(named(inputs, own), own);
    const { query: q, key: k, value: v } = parts;
    const given = inputs.slice(0, reachedBy(own)).map((input, index) => flows[index] ?? broadcast(ZERO, input.shape));
    const { query: x, key: y, value: z } = splitOf(named([...given, ...inputs.slice(given.length)], own), own);
    const g = parts.split(at(inputs, inputs.length - 1));
    const dropped = (value: Value): Value => dropoutAt(value, own);
    const transposed = { transposeB: true } as const;
    const across = (value: Value): Value => sum(value, { axis: 3, keepDims: true });
    const p = probabilitiesOf(parts);
    const a = dropped(matmul(g, v, transposed));
    const r = across(multiply(p, a));
    const e = multiply(p, subtract(a, r));
    const toE = add(matmul(x, k, transposed), matmul(q, y, transposed));
    const u = across(multiply(p, toE));
    const toA = dropped(multiply(p, subtract(toE, u)));
    const ofV = dropped(matmul(g, z, transposed));
    const toP = add(subtract(multiply(toE, subtract(a, r)), multiply(a, u)), ofV);
    const toS = multiply(p, subtract(toP, across(multiply(p, toP))));
    const turned = { transposeA: true } as const;
    const toQ = add(matmul(e, y), matmul(toS, k));
    const toK = add(matmul(e, x, turned), matmul(toS, q, turned));
    const toV = matmul(toA, g, turned);
    const toG = add(matmul(dropped(p), z), matmul(toA, v));
    const behind = inputs.slice(given.length, -1).map(() => undefined);
    return [...parts.joined(toQ, toK, toV), ...behind, parts.merge(toG)];
  },
};

/** How an attention is applied, beside what its inputs say. */
export interface AttentionForm {
  readonly heads: number;
  readonly keyHeads: number;
  readonly causal: boolean;
  /** Whether lengths end the queries, too. */
  readonly own: boolean;
  /** Base of the wavelengths of rotary positions; `undefined`: none. */
  readonly base: number | undefined;
  /** Drops probabilities. */
  readonly dropout: Pick<AttentionAttributes, "site" | "keep" | "draw"> | undefined;
  /** The function that a caller knows, for messages. */
  readonly where: string;
}

const NOTHING_DROPPED = { site: -1, keep: 1, draw: undefined } as const;

/** Inputs and attributes of the rule, of queries, keys and values apart or, alone, side by side. */
export function attentionOf(
  given: readonly Value[],
  lengths: Value | undefined,
  { base, dropout, ...form }: AttentionForm,
): { readonly inputs: readonly Value[]; readonly own: AttentionAttributes } {
  const [first] = given;
  const packed = given.length === 1;
  const features = Number(first?.shape.at(-1));
  const size = features / (packed ? form.heads + 2 * form.keyHeads : form.heads);
  const time = Math.max(...given.map(({ shape }) => Number(shape[1])));
  const whole = size % 2 === 0 && time >= 1;
  const rotation = base === undefined || !whole ? undefined : rotationOf(time, size, base);
  if (base !== undefined && rotation === undefined && first !== undefined)
    failShape(form.where, "[batch, time, features] with heads of an even size", first.shape);
  const own = {
    ...form,
    ...{ packed, measured: lengths !== undefined, turned: rotation !== undefined, scale: 1 / Math.sqrt(size) },
    ...(dropout ?? NOTHING_DROPPED),
  };
  return { inputs: [...given, lengths, rotation].filter((input) => input !== undefined), own };
}

/** y of {@link attentionOf}. */
export function attended(given: readonly Value[], lengths: Value | undefined, form: AttentionForm): Value {
  const { inputs, own } = attentionOf(given, lengths, form);
  return at(applyAll(attentionRule, inputs, own, own.draw), 0);
}

/** The flows to `given` from that to y: the outputs of the gradient's rule. */
export function attentionGradientOf(
  given: readonly Value[],
  lengths: Value | undefined,
  form: AttentionForm,
  flow: Value | undefined,
): readonly Value[] {
  const { inputs, own } = attentionOf(given, lengths, form);
  const outputs = applyAll(attentionRule, inputs, own, own.draw);
  return applyAll(attentionGradientRule, [...inputs, at(outputs, 1), at(outputs, 2), at([flow], 0)], own, own.draw);
}

/** The same by operations of their own: what the bits of {@link attended} are those of. */
export function attendedApart(given: readonly Value[], lengths: Value | undefined, form: AttentionForm): Value {
  const { inputs, own } = attentionOf(given, lengths, form);
  const parts: Split = splitOf(named(inputs, own), own);
  return parts.merge(matmul(dropoutAt(probabilitiesOf(parts), own), parts.value));
}

/** Base of the wavelengths of rotary positions. */
const BASE = 10_000;

/** The base that `rotary` asks for, `undefined` for none. */
export function baseOf(where: string, rotary: AttentionOptions["rotary"]): number | undefined {
  if (rotary === undefined || rotary === false) return undefined;
  return rotary === true ? BASE : checkNumber(where, rotary, { above: 1 });
}

/** Heads of keys and values: a divisor of those of the queries. */
export function checkKeyHeads(where: string, heads: number, given: number | undefined): number {
  const keyHeads = checkNumber(where, given ?? heads, { min: 1, integer: true });
  return heads % keyHeads === 0 ? keyHeads : fail("ERR_OPTION", where, `a divisor of ${heads} heads`, keyHeads);
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017), head by head: y = softmax(q·kᵀ/√size)·v over the keys that a query looks at, query: [batch, time,
 * heads·size], key and value: [batch, keys, keyValueHeads·size], y as the query. What a query does not look at is never multiplied; one that looks at nothing
 * gives 0. Every element has the bits of the product, the softmax and the product by themselves, and nothing of the size time·keys is kept.
 */
export function attention<Q extends Value, K extends Value, V extends Value>(
  query: Q,
  key: K,
  value: V,
  options: AttentionOptions,
): Of<Q | K | V> {
  checkKeys("attention", options, ["heads", "keyValueHeads", "causal", "lengths", "rotary", "dropout"]);
  for (const [name, given] of Object.entries({ query, key, value })) checkValue(`attention.${name}`, given);
  const heads = checkNumber("attention.heads", options.heads, { min: 1, integer: true });
  if (options.lengths !== undefined) checkValue("attention.lengths", options.lengths);
  const { dropout } = options;
  const form: AttentionForm = {
    heads,
    keyHeads: checkKeyHeads("attention.keyValueHeads", heads, options.keyValueHeads),
    causal: checkBoolean("attention.causal", options.causal ?? false),
    own: false,
    base: baseOf("attention.rotary", options.rotary),
    dropout: dropout && {
      ...siteOf("attention.dropout", query, dropout, 1),
      keep: keepOf("attention.dropout", dropout.rate, dropout.keep),
    },
    where: "attention",
  };
  return attended([query, key, value], options.lengths, form) as Of<Q | K | V>;
}

/** Rules of this file, for the tests that walk all operations. */
export const attentionRules = { attention: attentionRule, attentionGradient: attentionGradientRule } as const;
