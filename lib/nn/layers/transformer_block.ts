import { madeBy } from "../../described.js";
import * as ops from "../../ops/index.js";
import { NORM_EPSILON } from "../../ops/row_norm.js";
import { checkBoolean, checkKeys, checkNumber, checkOneOf } from "../../options.js";
import type { Regularizers } from "../../regularizers/index.js";
import type { Value } from "../../tensor/value.js";
import { type Layer, sealed } from "../structure/layer.js";
import { gelu, relu, silu } from "./activations.js";
import { type AttentionLayerOptions, attention, checkHeads, expectSteps, type SuitedHeads } from "./attention.js";
import { layerNorm } from "./layer_norm.js";
import { linear } from "./linear.js";

const NORMS = ["pre", "post"] as const;
const ACTIVATIONS = { gelu, relu, silu } as const;

/** Options of {@link transformerBlock}. */
export interface TransformerBlockOptions
  extends Pick<AttentionLayerOptions, "causal" | "keyValueHeads" | "rotary" | "bias" | "preset"> {
  /** Whether what is added to a sum is normalized before it is computed (`'pre'`, the default), or the sum itself (`'post'`). */
  readonly norm?: (typeof NORMS)[number] | undefined;
  /** Features between the two linear layers; 4·size by default. */
  readonly feedForward?: number | undefined;
  /** Between the two linear layers; `'gelu'` by default. */
  readonly activation?: keyof typeof ACTIVATIONS | undefined;
  /** Probability of dropping in training, [0, 1), 0 by default: probabilities of attention, what it gives, what is activated, and what is added last. */
  readonly dropout?: number | undefined;
  /** ε of both normalizations; 1e-5 by default. */
  readonly epsilon?: number | undefined;
  /** Of all weights; `null`: none, `undefined`: the model-wide one. */
  readonly regularizer?: Regularizers | undefined;
  readonly name?: string | undefined;
}

const OPTIONS = [
  ...["norm", "feedForward", "activation", "dropout", "causal", "keyValueHeads", "rotary", "bias", "epsilon"],
  ...["preset", "regularizer", "name"],
];

/**
 * A block of a transformer (Vaswani et al. 2017; with `'pre'` as in GPT-2, Radford et al. 2019), x and y: [batch, time, size]:
 *
 *     pre   h = x + D(A(N₁(x))), y = h + D(F(N₂(h)))
 *     post  h = N₁(x + D(A(x))), y = N₂(h + D(F(h)))
 *
 * with N layer norms, A `attention` of so many heads, F(z) = W₂·D(f(W₁·z + b₁)) + b₂ and D dropout. Its layers are `norm1`, `attention`, `norm2`, `linear1` and `linear2`. Lengths
 * of sequences are passed on. A number of heads that does not divide the size is `ERR_OPTION`.
 */
export function transformerBlock<const Size extends number, const Heads extends number>(
  size: Size,
  given: SuitedHeads<Size, Heads>,
  options: TransformerBlockOptions = {},
): Layer<Size, "same", "f32"> {
  checkKeys("transformerBlock", options, OPTIONS);
  const heads: number = checkHeads("transformerBlock", size, given);
  const where = (option: string): string => `transformerBlock.${option}`;
  const norm = checkOneOf(where("norm"), options.norm ?? "pre", NORMS);
  const feedForward = checkNumber(where("feedForward"), options.feedForward ?? 4 * size, { min: 1, integer: true });
  const activation = checkOneOf(where("activation"), options.activation ?? "gelu", ["gelu", "relu", "silu"]);
  const rate = checkNumber(where("dropout"), options.dropout ?? 0, { min: 0, below: 1 });
  const epsilon = checkNumber(where("epsilon"), options.epsilon ?? NORM_EPSILON, { above: 0 });
  const bias = checkBoolean(where("bias"), options.bias ?? true);
  const { causal = false, keyValueHeads, rotary, preset, regularizer, name } = options;
  const layers = {
    norm1: layerNorm(size, { epsilon }),
    attention: attention<number, number>(size, heads, {
      causal,
      keyValueHeads,
      rotary,
      bias,
      preset,
      regularizer,
      dropout: rate,
    }),
    norm2: layerNorm(size, { epsilon }),
    linear1: linear(size, feedForward, { bias, regularizer }),
    linear2: linear(feedForward, size, { bias, regularizer }),
  };
  const activated = ACTIVATIONS[activation]();
  const config = {
    ...{ size, heads, norm, feedForward, activation, dropout: rate, causal, bias, epsilon },
    ...(keyValueHeads === undefined ? {} : { keyValueHeads }),
    ...(rotary === undefined ? {} : { rotary }),
    ...(preset === undefined ? {} : { preset }),
  };
  const layer = sealed<Layer<Size, "same", "f32">>({
    ...{ kind: "transformerBlock", inputs: size, outputs: "same", takes: "f32", name, config, parameters: {} },
    steps: true,
    layers: { ...layers, activation: activated },
    order: [],
    infer: (given) => {
      expectSteps("transformerBlock", given, size);
      return { shape: given.shape, dtype: "f32" };
    },
    forward: (x, _parameters, { layers: inside, training, nextSite }) => {
      const drop = (value: Value): Value =>
        training && rate > 0 ? ops.dropout(value, { rate, site: nextSite() }) : value;
      const apply = (part: keyof typeof layers | "activation", value: Value): Value => inside[part]?.(value) ?? value;
      const feed = (value: Value): Value => drop(apply("linear2", drop(apply("activation", apply("linear1", value)))));
      const attend = (value: Value): Value => drop(apply("attention", value));
      if (norm === "pre") {
        const h = ops.add(x, attend(apply("norm1", x)));
        return ops.add(h, feed(apply("norm2", h)));
      }
      const h = apply("norm1", ops.add(x, attend(x)));
      return apply("norm2", ops.add(h, feed(h)));
    },
  });
  return madeBy("transformerBlock", { ...config, regularizer, name }, layer);
}
