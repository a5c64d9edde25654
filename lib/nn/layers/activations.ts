import { madeBy } from "../../described.js";
import { CarillonError } from "../../errors.js";
import { ELU_ALPHA, LEAKY_SLOPE } from "../../ops/activations.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNothing, checkNumber, checkOneOf } from "../../options.js";
import type { Value } from "../../tensor/value.js";
import { defineLayer, type Layer, type LayerConfig } from "../structure/layer.js";

/** An activation: a layer without parameters, for any number of features. */
type Activation = Layer<number, "same", "f32">;

function layer(kind: string, config: LayerConfig, forward: (x: Value) => Value): Activation {
  return madeBy(kind, config, defineLayer({ kind, outputs: "same", config, forward: (x) => forward(x) }));
}

function plain(kind: string, forward: (x: Value) => Value): () => Activation {
  let one: Activation | undefined;
  const make = (...given: readonly unknown[]): Activation => {
    checkNothing(kind, given);
    one ??= layer(kind, {}, forward);
    return one;
  };
  // Named, for errors where it was not called.
  return Object.defineProperty(make, "name", { value: kind });
}

/** Of a single feature both softmaxes are constant, and nothing before them would learn: `ERR_SHAPE`. */
function overSeveral(kind: string, forward: (x: Value) => Value): (x: Value) => Value {
  return (x) => {
    if (x.shape.at(-1) !== 1) return forward(x);
    const problem = `expected at least two features for '${kind}' but received one: sigmoid() makes it a probability`;
    throw new CarillonError("ERR_SHAPE", kind, problem);
  };
}

/** y = x < 0 ? 0 : x. Fukushima 1969; Nair, Hinton 2010. */
export const relu = plain("relu", ops.relu);

/** y = min(max(x, 0), 6). Krizhevsky 2010. */
export const relu6 = plain("relu6", ops.relu6);

/** y = tanh x. */
export const tanh = plain("tanh", ops.tanh);

/** y = 1/(1 + e⁻ˣ). */
export const sigmoid = plain("sigmoid", ops.sigmoid);

/** y = ln(1 + eˣ). Dugas et al. 2001. */
export const softplus = plain("softplus", ops.softplus);

/** y = x·σ(x), also called swish. Elfwing, Uchibe, Doya 2017; Ramachandran, Zoph, Le 2017. */
export const silu = plain("silu", ops.silu);

/** y = x·tanh(ln(1 + eˣ)). Misra 2019. */
export const mish = plain("mish", ops.mish);

/**
 * y = λ·(x < 0 ? α·(eˣ − 1) : x), λ = 1.0507…, α = 1.6732…: with `lecunNormal` weights, mean 0 and variance 1 are a fixed
 * point. Klambauer, Unterthiner, Mayr, Hochreiter 2017.
 */
export const selu = plain("selu", ops.selu);

/** y = min(max(x, −1), 1). Collobert 2004. */
export const hardTanh = plain("hardTanh", ops.hardTanh);

/** y = min(max(x + 3, 0), 6)/6. Howard et al. 2019. */
export const hardSigmoid = plain("hardSigmoid", ops.hardSigmoid);

/** y = x·min(max(x + 3, 0), 6)/6, also called hard swish. Howard et al. 2019. */
export const hardSilu = plain("hardSilu", ops.hardSilu);

/**
 * y = e^(x − max)/Σ e^(x − max) over the features, at least two (`ERR_SHAPE`). Not before {@link crossEntropy}, which applies
 * its own.
 */
export const softmax = plain("softmax", overSeveral("softmax", ops.softmax));

/**
 * y = (x − max) − ln Σ e^(x − max) over the features, at least two (`ERR_SHAPE`). Not before {@link crossEntropy}, which
 * applies its own.
 */
export const logSoftmax = plain("logSoftmax", overSeveral("logSoftmax", ops.logSoftmax));

/** Options of {@link leakyRelu}. */
export interface LeakyReluOptions {
  /** Slope below 0, finite; 0.01 by default. */
  readonly slope?: number | undefined;
}

/** y = x < 0 ? slope·x : x. Maas, Hannun, Ng 2013. */
export function leakyRelu(options: LeakyReluOptions = {}): Activation {
  checkKeys("leakyRelu", options, ["slope"]);
  const slope = checkNumber("leakyRelu.slope", options.slope ?? LEAKY_SLOPE);
  return layer("leakyRelu", { slope }, (x) => ops.leakyRelu(x, slope));
}

/** Options of {@link elu}. */
export interface EluOptions {
  /** α > 0: the function goes to −α; 1 by default. */
  readonly alpha?: number | undefined;
}

/** y = x < 0 ? α·(eˣ − 1) : x. Clevert, Unterthiner, Hochreiter 2016. */
export function elu(options: EluOptions = {}): Activation {
  checkKeys("elu", options, ["alpha"]);
  const alpha = checkNumber("elu.alpha", options.alpha ?? ELU_ALPHA, { above: 0 });
  return layer("elu", { alpha }, (x) => ops.elu(x, alpha));
}

/** Options of {@link gelu}. */
export interface GeluLayerOptions {
  /** `'none'` (the default): Φ from erf; `'tanh'`: the form with tanh. */
  readonly approximate?: "none" | "tanh" | undefined;
}

/** y = x·Φ(x), or ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))). Hendrycks, Gimpel 2016. */
export function gelu(options: GeluLayerOptions = {}): Activation {
  checkKeys("gelu", options, ["approximate"]);
  const approximate = checkOneOf("gelu.approximate", options.approximate ?? "none", ["none", "tanh"]);
  return layer("gelu", { approximate }, (x) => ops.gelu(x, { approximate }));
}
