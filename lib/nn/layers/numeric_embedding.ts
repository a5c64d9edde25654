import { madeBy } from "../../described.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber, checkOneOf } from "../../options.js";
import { checked, type Regularizers } from "../../regularizers/index.js";
import { extent } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";
import { normal, uniform } from "../parameters/initializers.js";
import { parameter } from "../parameters/parameter.js";
import { defineLayer, type Layer } from "../structure/layer.js";
import type { Product } from "../structure/size_product.js";

/** What {@link numericEmbedding} makes of a number. */
export type NumericForm = "pbld" | "plr";

/** Options of {@link numericEmbedding}. */
export interface NumericEmbeddingOptions {
  /** `'pbld'` by default. */
  readonly form?: NumericForm | undefined;
  /** Frequencies k of each column; 16 by default, of `'plr'` 48. */
  readonly frequencies?: number | undefined;
  /** Numbers that a column becomes; 4 by default, the last of which is x itself, of `'plr'` 24. */
  readonly size?: number | undefined;
  /** Standard deviation of the first frequencies, > 0; 0.1 by default, of `'plr'` 0.01. */
  readonly deviation?: number | undefined;
  /** Of frequencies and weights; `null`: none, `undefined`: the model-wide one. */
  readonly regularizer?: Regularizers | undefined;
  /** Of all four parameters, as of {@link parameter}; 1 by default. */
  readonly rateFactor?: number | undefined;
  /** Of all four parameters, as of {@link parameter}; by default 1 of frequencies and weights, 0 of phases and biases. */
  readonly decayFactor?: number | undefined;
  readonly name?: string | undefined;
}

const DEFAULTS = {
  pbld: { frequencies: 16, size: 4, deviation: 0.1 },
  plr: { frequencies: 48, size: 24, deviation: 0.01 },
} as const;

const KEYS = ["form", "frequencies", "size", "deviation", "regularizer", "rateFactor", "decayFactor", "name"];

/** [batch, n, k] from x: [batch, n] and [n, k]: 2π·x·w. */
function turned(x: Value, frequency: Value): Value {
  return ops.multiply(ops.multiply(ops.reshape(x, [...x.shape, 1]), 2 * Math.PI), frequency);
}

/** [batch, n, m] of u: [batch, n, k], W: [n, m, k], b: [n, m]: a linear layer of each column's own. */
function mixed(u: Value, weight: Value, bias: Value): Value {
  const [batch = 1, n = 1, k = 1] = u.shape;
  const products = ops.multiply(ops.reshape(u, [batch, n, 1, k]), weight);
  return ops.add(ops.sum(products, { axis: "last" }), bias);
}

/** All columns of a row side by side. */
function side(x: Value): Value {
  return ops.reshape(x, [...x.shape.slice(0, 1), extent(x.shape.slice(1))]);
}

/**
 * Numbers as several, so that a network can bend each column by itself: y: [batch, inputs·size] from x: [batch, inputs], with weights
 * of each column's own.
 *
 * `'pbld'`: cos(2π·x·w + p)·Wᵀ + b, k frequencies w and phases p, size − 1 numbers a column, all columns after one another, then x. At first w ~
 * N(0, deviation²), p ~ U(−π, π), W and b ~ U(±1/√k). Holzmüller, Grinsztajn, Steinwart 2024 (with `rateFactor: 0.1`).
 *
 * `'plr'`: relu([cos(2π·x·w), sin(2π·x·w)]·Wᵀ + b), `size` numbers a column, all columns after one another. At first W and b ~ U(±1/√(2k)).
 * Gorishniy, Rubachev, Babenko 2022. Turns beyond |2π·x·w| = 2²⁰ are NaN.
 */
export function numericEmbedding<const In extends number, const Size extends number = 4>(
  inputs: In,
  options: NumericEmbeddingOptions & { readonly size?: Size | undefined } = {},
): Layer<In, Product<[In, Size]>, "f32"> {
  checkKeys("numericEmbedding", options, KEYS);
  checkNumber("numericEmbedding.inputs", inputs, { min: 1, integer: true });
  const { rateFactor, decayFactor, name } = options;
  const form = checkOneOf("numericEmbedding.form", options.form ?? "pbld", ["pbld", "plr"]);
  const standard = DEFAULTS[form];
  const least = { min: form === "pbld" ? 2 : 1, integer: true };
  const size = checkNumber("numericEmbedding.size", options.size ?? standard.size, least);
  const given = options.frequencies ?? standard.frequencies;
  const frequencies = checkNumber("numericEmbedding.frequencies", given, { min: 1, integer: true });
  const deviation = checkNumber("numericEmbedding.deviation", options.deviation ?? standard.deviation, { above: 0 });
  const regularizer = checked("numericEmbedding.regularizer", options.regularizer);
  const [waves, mixes] = form === "pbld" ? [frequencies, size - 1] : [2 * frequencies, size];
  const start = uniform({ high: 1 / Math.sqrt(waves) });
  const factors = { rateFactor, decayFactor };
  const parameters = {
    frequency: parameter([inputs, frequencies], { init: normal({ deviation }), regularizer, ...factors }),
    weight: parameter([inputs, mixes, waves], { init: start, regularizer, ...factors }),
    bias: parameter([inputs, mixes], { role: "bias", init: start, ...factors }),
  };
  const base = {
    kind: "numericEmbedding",
    inputs,
    outputs: (inputs * size) as Product<[In, Size]>,
    name,
    config: { inputs, form, frequencies, size, deviation },
  } as const;
  const made = { ...base.config, regularizer, rateFactor: parameters.frequency.rateFactor, decayFactor, name };
  if (form === "plr") {
    const layer = defineLayer({
      ...base,
      parameters,
      forward: (x, { frequency, weight, bias }) => {
        const u = turned(x, frequency);
        return side(ops.relu(mixed(ops.concat([ops.cos(u), ops.sin(u)]), weight, bias)));
      },
    });
    return madeBy("numericEmbedding", made, layer);
  }
  const phase = parameter([inputs, frequencies], { role: "bias", init: uniform({ high: Math.PI }), ...factors });
  const layer = defineLayer({
    ...base,
    parameters: { ...parameters, phase },
    forward: (x, { frequency, phase: p, weight, bias }) => {
      const u = ops.cos(ops.add(turned(x, frequency), p));
      return ops.concat([side(mixed(u, weight, bias)), x]);
    },
  });
  return madeBy("numericEmbedding", made, layer);
}
