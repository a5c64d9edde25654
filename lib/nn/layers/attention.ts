import { madeBy } from "../../described.js";
import { CarillonError, fail } from "../../errors.js";
import { attended, baseOf, checkKeyHeads } from "../../ops/attention.js";
import * as ops from "../../ops/index.js";
import { lengthsOf, memoryOf } from "../../ops/sequence.js";
import { checkBoolean, checkKeys, checkNumber, checkOneOf } from "../../options.js";
import { checkBiasRegularizers, checked, type Regularizers } from "../../regularizers/index.js";
import { formatShape } from "../../tensor/shape.js";
import type { Value, ValueSpec } from "../../tensor/value.js";
import { type Initializer, toInitializer, uniform, xavierUniform, zeros } from "../parameters/initializers.js";
import { type ParameterSpec, parameter } from "../parameters/parameter.js";
import { attendOn, stepsOfTrace } from "../structure/generation.js";
import { defineLayer, type Layer, type LayerContext } from "../structure/layer.js";
import type { Divides } from "../structure/size_divisor.js";

const PRESETS = ["pytorch", "keras"] as const;

/** Options of {@link attention}. */
export interface AttentionLayerOptions {
  /** Whether a step looks at itself and the steps before it only; false by default. */
  readonly causal?: boolean | undefined;
  /** Probability of dropping a probability in training, [0, 1), 0 by default. */
  readonly dropout?: number | undefined;
  /** Heads of keys and values, a divisor of `heads`, by which as many heads of queries share one (Ainslie et al. 2023); `heads` by default. */
  readonly keyValueHeads?: number | undefined;
  /** Turns queries and keys by their places (Su et al. 2021); a number is the base of the wavelengths, 10,000 by default; false by default. */
  readonly rotary?: boolean | number | undefined;
  /** Adds biases, true by default. */
  readonly bias?: boolean | undefined;
  /** Of the weight of queries, keys and values; Xavier uniform of each of the three by default. A number is a constant. */
  readonly init?: Initializer | number | undefined;
  /** Of the weight of the output; Xavier uniform by default. A number is a constant. */
  readonly outputInit?: Initializer | number | undefined;
  /** Of both weights; `null`: none, `undefined`: the model-wide one. */
  readonly regularizer?: Regularizers | undefined;
  /** Penalties on the biases; `null`: none, `undefined`: the model-wide ones of biases. */
  readonly biasRegularizer?: Regularizers | undefined;
  /** First values as `'pytorch'` (`nn.MultiheadAttention`) or `'keras'` (`MultiHeadAttention`) draws them. */
  readonly preset?: (typeof PRESETS)[number] | undefined;
  readonly name?: string | undefined;
}

const OPTIONS = [
  ...["causal", "dropout", "keyValueHeads", "rotary", "bias", "init", "outputInit", "regularizer", "biasRegularizer"],
  ...["preset", "name"],
];

/** Sizes of a layer, checked. */
interface Checked {
  readonly size: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly causal: boolean;
  readonly dropout: number;
  readonly base: number | undefined;
  readonly bias: boolean;
}

/** A number of heads, or a sentence in its place where it does not divide a size. */
export type SuitedHeads<Size extends number, Heads extends number> =
  Divides<Size, Heads> extends true ? Heads : `the size ${Size} is no multiple of ${Heads} heads`;

/** A number of heads that divides a size; else `ERR_OPTION` that tells both. */
export function checkHeads(kind: string, size: number, given: unknown): number {
  checkNumber(`${kind}.size`, size, { min: 1, integer: true });
  const heads = checkNumber(`${kind}.heads`, given, { min: 1, integer: true });
  return size % heads === 0 ? heads : fail("ERR_OPTION", `${kind}.heads`, `a divisor of the size ${size}`, heads);
}

function checkSizes(size: number, given: unknown, options: AttentionLayerOptions): Checked {
  const heads = checkHeads("attention", size, given);
  const base = baseOf("attention.rotary", options.rotary);
  if (base !== undefined && (size / heads) % 2 !== 0)
    fail(
      "ERR_OPTION",
      "attention.rotary",
      `heads of an even size, not of ${size / heads} (${size} by ${heads}),`,
      true,
    );
  return {
    ...{ size, heads, base },
    keyValueHeads: checkKeyHeads("attention.keyValueHeads", heads, options.keyValueHeads),
    causal: checkBoolean("attention.causal", options.causal ?? false),
    dropout: checkNumber("attention.dropout", options.dropout ?? 0, { min: 0, below: 1 }),
    bias: checkBoolean("attention.bias", options.bias ?? true),
  };
}

/** First values of both weights by preset. */
function standards(
  { size, heads }: Checked,
  preset: AttentionLayerOptions["preset"],
): { readonly init: Initializer; readonly outputInit: Initializer } {
  const within = (sum: number): Initializer => uniform({ high: Math.sqrt(6 / sum) });
  const own = size / heads;
  if (preset === "pytorch") return { init: xavierUniform(), outputInit: uniform({ high: 1 / Math.sqrt(size) }) };
  // Keras counts [size, heads, own] as size places of heads → own.
  if (preset === "keras") return { init: within(size * (heads + own)), outputInit: within(heads * (own + size)) };
  return { init: within(2 * size), outputInit: xavierUniform() };
}

/** What layers of attention take; `ERR_SHAPE` of what is no sequence. */
export function expectSteps(kind: string, { shape }: ValueSpec, size: number): void {
  if (shape.length === 3) return;
  throw new CarillonError(
    "ERR_SHAPE",
    kind,
    `expected [batch, time, ${size}] for '${kind}' but received ${formatShape(shape)}; ` +
      `a model says it: sequential({ input: [time, ${size}] }, ${kind}(…))`,
  );
}

/**
 * Multi-head attention (Vaswani et al. 2017) of a sequence to itself, or of queries to the memory that `ops.attendTo` gives them. x and y: [batch, time, size]; weight:
 * [size + 2·keyValueHeads·size/heads, size] of queries, keys and values, bias likewise, outputWeight: [size, size], outputBias: [size]:
 *
 *     q, k, v = x·Wᵀ + b, by heads of size/heads; y = concat(softmax(q·kᵀ/√(size/heads))·v)·Oᵀ + o
 *
 * What a step does not look at (behind it with `causal`, behind the end of an example with lengths, see `ops.sequence`) is never multiplied; behind the end
 * of an example what goes into O is 0. A number of heads that does not divide the size is `ERR_OPTION`.
 */
export function attention<const Size extends number, const Heads extends number>(
  size: Size,
  heads: SuitedHeads<Size, Heads>,
  options: AttentionLayerOptions = {},
): Layer<Size, "same", "f32"> {
  checkKeys("attention", options, OPTIONS);
  const own = checkSizes(size, heads, options);
  const { preset, name } = options;
  if (preset !== undefined) checkOneOf("attention.preset", preset, PRESETS);
  const standard = standards(own, preset);
  const init = toInitializer("attention.init", options.init, standard.init);
  const outputInit = toInitializer("attention.outputInit", options.outputInit, standard.outputInit);
  const regularizer = checked("attention.regularizer", options.regularizer);
  checkBiasRegularizers("attention.biasRegularizer", options.biasRegularizer);
  if (!own.bias && options.biasRegularizer !== undefined && options.biasRegularizer !== null)
    fail("ERR_OPTION", "attention.biasRegularizer", "none, as there is no bias,", options.biasRegularizer);
  const features = size + (2 * own.keyValueHeads * size) / own.heads;
  const bias = (shape: readonly number[]): ParameterSpec =>
    parameter(shape, { init: zeros(), regularizer: options.biasRegularizer });
  const parameters: Record<string, ParameterSpec> = {
    weight: parameter([features, size], { init, regularizer }),
    ...(own.bias ? { bias: bias([features]) } : {}),
    outputWeight: parameter([size, size], { init: outputInit, regularizer }),
    ...(own.bias ? { outputBias: bias([size]) } : {}),
  };
  const { base, ...sizes } = own;
  const config = {
    ...sizes,
    ...(base === undefined ? {} : { rotary: base }),
    ...(preset === undefined ? {} : { preset }),
  };
  const layer = defineLayer({
    ...{ kind: "attention", inputs: size, outputs: "same" as const, steps: true as const, name, config, parameters },
    infer: (given) => {
      expectSteps("attention", given, size);
      return { shape: given.shape, dtype: "f32" };
    },
    forward: (x, found, context) => forward(own, x, found, context),
  });
  const told = { init, outputInit, regularizer: options.regularizer, biasRegularizer: options.biasRegularizer, name };
  return madeBy("attention", { ...config, ...told }, layer);
}

/** The parameters by name. */
type Found = Readonly<Record<string, Value>>;

function forward(own: Checked, x: Value, found: Found, context: LayerContext): Value {
  const { weight, bias, outputWeight, outputBias } = found;
  if (weight === undefined || outputWeight === undefined) return fail("ERR_TRACE", "attention", "its weights", found);
  const { heads, keyValueHeads, causal, base, dropout } = own;
  const memory = memoryOf(x);
  if (memory !== undefined && causal)
    throw new CarillonError("ERR_OPTION", "attention.causal", "expected no memory for 'attention', as it is causal");
  const steps = stepsOfTrace();
  if (steps !== undefined) {
    const on = attendOn(ops.linear(x, weight, bias), { heads, keyHeads: keyValueHeads, base }, steps);
    return ops.linear(on, outputWeight, outputBias);
  }
  const isDropped = context.training && dropout > 0;
  const form = {
    ...{ heads, keyHeads: keyValueHeads, causal, own: memory === undefined, base, where: "attention" },
    dropout: isDropped ? { site: context.nextSite(), keep: 1 - dropout, draw: undefined } : undefined,
  };
  const y =
    memory === undefined
      ? attended([ops.linear(x, weight, bias)], lengthsOf(x), form)
      : attended(apart(x, memory, own, weight, bias), lengthsOf(memory), form);
  return ops.linear(y, outputWeight, outputBias);
}

/** Queries of x, keys and values of a memory. */
function apart(
  x: Value,
  memory: Value,
  { size, heads, keyValueHeads }: Checked,
  weight: Value,
  bias: Value | undefined,
): readonly Value[] {
  const shared = (keyValueHeads * size) / heads;
  const of = (given: Value, begin: number, count: number): Value => {
    const cut = (value: Value): Value => ops.slice(value, begin, begin + count, { axis: 0 });
    return ops.linear(given, cut(weight), bias && cut(bias));
  };
  return [of(x, 0, size), of(memory, size, shared), of(memory, size + shared, shared)];
}
