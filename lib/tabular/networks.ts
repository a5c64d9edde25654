// The networks of the presets, of ordinary layers.

import { spec } from "../graph/program.js";
import { mish, relu, selu } from "../nn/layers/activations.js";
import { batchEnsemble, meanOfMembers, memberLinear } from "../nn/layers/batch_ensemble.js";
import { categoryEmbedding } from "../nn/layers/category_embedding.js";
import { clampOutput } from "../nn/layers/clamp_output.js";
import { dropout } from "../nn/layers/dropout.js";
import { embeddingBag } from "../nn/layers/embedding.js";
import { linear } from "../nn/layers/linear.js";
import { ntkLinear } from "../nn/layers/ntk_linear.js";
import { numericEmbedding } from "../nn/layers/numeric_embedding.js";
import { parametricActivation } from "../nn/layers/parametric_activation.js";
import { residual } from "../nn/layers/residual.js";
import { scale } from "../nn/layers/scale.js";
import { smoothClip } from "../nn/layers/smooth_clip.js";
import { type Mixing, towers } from "../nn/model/joint.js";
import type { AnyModel } from "../nn/model/model.js";
import { sequential } from "../nn/model/sequential.js";
import { identity, normal, signs } from "../nn/parameters/initializers.js";
import type { Layer, LayerPart } from "../nn/structure/layer.js";
import type { PreparedInputs } from "../table/preparation/features.js";
import { ragged } from "../tensor/ragged.js";

/** Kinds of members: RealMLP-TD-S, RealMLP-TD and TabM. */
export type NetworkKind = "realMlpSmall" | "realMlp" | "tabM";

export const NETWORK_KINDS = ["realMlpSmall", "realMlp", "tabM"] as const satisfies readonly NetworkKind[];

/** What a network is made for. */
export interface NetworkPlan {
  readonly kind: NetworkKind;
  readonly inputs: PreparedInputs;
  /** Whether texts are lists of any length rather than rows of the longest: the parameters and the answers are the same. */
  readonly lists?: boolean | undefined;
  /** The second form of the columns, in which TabM takes numbers and flags as they are. */
  readonly second?: PreparedInputs | undefined;
  readonly secondWidths?: readonly number[] | undefined;
  /** How many of the flags each column has, in their order; 1 each by default. */
  readonly flagWidths?: readonly number[] | undefined;
  readonly outputs: number;
  /** Whether outputs are logits: SELU then, Mish for values. */
  readonly mixing: Mixing;
  readonly hidden: readonly number[];
  readonly dropout: number;
  /** Bounds of the targets of training, in the units of the network. */
  readonly bounds: { readonly low: readonly number[]; readonly high: readonly number[] } | undefined;
}

/** Numbers that a category of many values becomes. */
const EMBEDDED = 8;

/** Numbers that a text becomes. */
const TEXT = 16;

/** Factors of what is learned slowly. */
const SLOW = { rateFactor: 0.1, decayFactor: 0.1 } as const;

/** Numbers that PBLD makes of one, besides itself. */
const PERIODIC = 4;

/** Share of the steps before dropout begins to fade out. */
const FLAT = 0.5;

/** Whether a network is given one text and nothing else. */
export function isTextAlone({ numbers, flags, categories, texts }: PreparedInputs): boolean {
  return texts.length === 1 && numbers.length + flags.length + categories.length === 0;
}

/** Layers by the names of the inputs, how many numbers they give, and how many of these follow one another that one column has become. */
function branchesOf(plan: NetworkPlan): {
  readonly specs: Readonly<Record<string, unknown>>;
  readonly layers: Readonly<Record<string, LayerPart>>;
  readonly features: number;
  readonly blocks: readonly number[];
} {
  const { kind, inputs, second } = plan;
  const { categories, texts } = inputs;
  const specs: Record<string, unknown> = {};
  const layers: Record<string, LayerPart> = {};
  const blocks: number[] = [];
  const isSecond = kind === "tabM" && second !== undefined;
  const { numbers, flags } = isSecond ? { numbers: [], flags: [] } : inputs;
  if (isSecond && second.numbers.length > 0) {
    specs.numbers2 = spec(["batch", second.numbers.length]);
    blocks.push(...second.numbers.map(() => 1));
  }
  if (isSecond && second.flags.length > 0) {
    specs.flags2 = spec(["batch", second.flags.length]);
    blocks.push(...(plan.secondWidths ?? second.flags.map(() => 1)));
  }
  if (numbers.length > 0) {
    const embeds = kind === "realMlp";
    specs.numbers = spec(["batch", numbers.length]);
    layers.numbers = embeds
      ? sequential(smoothClip(), numericEmbedding(numbers.length, SLOW))
      : sequential({ input: [numbers.length] }, smoothClip());
    blocks.push(...numbers.map(() => (embeds ? PERIODIC : 1)));
  }
  if (flags.length > 0) {
    specs.flags = spec(["batch", flags.length]);
    layers.flags = sequential({ input: [flags.length] }, smoothClip());
    blocks.push(...(plan.flagWidths ?? flags.map(() => 1)));
  }
  if (categories.length > 0) {
    specs.categories = spec(["batch", categories.length], "i32");
    layers.categories = categoryEmbedding(
      categories.map(({ count }) => count),
      EMBEDDED,
      { init: normal(), decayFactor: 1 },
    );
    blocks.push(...categories.map(() => EMBEDDED));
  }
  const alone = isTextAlone(inputs);
  for (const { input, buckets, most } of texts) {
    specs[input] = plan.lists === true ? ragged("i32", { longest: most }) : spec(["batch", most], "i32");
    const size = alone ? plan.outputs : TEXT;
    layers[input] = embeddingBag(buckets, size, {
      rows: "touched",
      ...(alone ? { mode: "sqrtn", init: 0 } : { mode: "mean" }),
    });
    blocks.push(size);
  }
  return { specs, layers, features: blocks.reduce((sum, size) => sum + size, 0), blocks };
}

/**
 * RealMLP-TD-S and RealMLP-TD (Holzmüller, Grinsztajn, Steinwart 2024): clipped inputs and their embeddings through a front scale, hidden layers in the
 * parametrization of the neural tangent kernel, outputs that begin at 0 (TD-S) or by the data (TD).
 */
function realMlp(plan: NetworkPlan, features: number): readonly Layer[] {
  const { kind, outputs, mixing, hidden } = plan;
  const large = kind === "realMlp";
  const activation = mixing === "values" ? mish : selu;
  const bias = { biasRateFactor: 0.1 };
  const inside: Layer[] = [scale(features, large ? { rateFactor: 6, decayFactor: 6 } : { rateFactor: 6 })];
  let taken = features;
  for (const units of hidden) {
    inside.push(ntkLinear(taken, units, bias));
    inside.push(large ? parametricActivation(units, activation(), SLOW) : activation());
    if (plan.dropout > 0) inside.push(dropout({ rate: plan.dropout, fade: FLAT }));
    taken = units;
  }
  inside.push(ntkLinear(taken, outputs, large ? bias : { ...bias, init: 0, biasInit: 0 }));
  return inside;
}

/**
 * TabM (Gorishniy, Kotelnikov, Babenko 2024): 32 networks that share their weights but for factors of inputs and outputs, biases and heads. The first factors are
 * signs, one for all that a column has become.
 */
function tabM({ outputs, mixing, hidden, dropout: rate }: NetworkPlan, blocks: readonly number[]): readonly Layer[] {
  const inside: Layer[] = [];
  let taken = blocks.reduce((sum, size) => sum + size, 0);
  for (const units of hidden) {
    inside.push(batchEnsemble(taken, units, inside.length === 0 ? { inputInit: signs({ blocks }) } : {}));
    inside.push(relu());
    if (rate > 0) inside.push(dropout(rate));
    taken = units;
  }
  return [...inside, memberLinear(taken, outputs), meanOfMembers({ of: mixing })];
}

/**
 * What a text becomes goes to the answers on a straight way, too: a network of many layers learns its rare pieces by heart. Where nothing but texts is given, that is all;
 * of one text alone each piece has a number for each answer, which is a linear model of the pieces.
 */
function insideOf(plan: NetworkPlan, features: number, blocks: readonly number[]): readonly Layer[] {
  const { kind, outputs, inputs } = plan;
  if (kind === "tabM") return tabM(plan, blocks);
  const texts = inputs.texts.length;
  if (isTextAlone(inputs)) return [linear(features, outputs, { init: identity() })];
  if (texts > 0 && texts === blocks.length) return [linear(features, outputs, { init: 0 })];
  const layers = realMlp(plan, features);
  return texts > 0 && features !== outputs ? [residual({ project: true }, ...(layers as [Layer]))] : layers;
}

/** The network of a plan. */
export function networkOf(plan: NetworkPlan): AnyModel {
  const { specs, layers, features, blocks } = branchesOf(plan);
  const inside = [...insideOf(plan, features, blocks)];
  if (plan.bounds !== undefined) inside.push(clampOutput(plan.bounds));
  return towers({ inputs: specs, layers, head: sequential(...(inside as [Layer])) });
}
