import { countOf } from "../../counts.js";
import { quantileOf, SampledRows } from "../../data/quantiles.js";
import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber, checkOneOf } from "../../options.js";
import { checked, type Regularizers } from "../../regularizers/index.js";
import { extent } from "../../tensor/shape.js";
import { Tensor, tensor } from "../../tensor/tensor.js";
import type { Value } from "../../tensor/value.js";
import { normal, uniform } from "../parameters/initializers.js";
import { parameter } from "../parameters/parameter.js";
import { defineLayer, type Layer } from "../structure/layer.js";
import type { Product } from "../structure/size_product.js";

/** What {@link numericEmbedding} makes of a number. */
export type NumericForm = "pbld" | "plr" | "ple";

/** Options of {@link numericEmbedding}. */
export interface NumericEmbeddingOptions {
  /** `'pbld'` by default. */
  readonly form?: NumericForm | undefined;
  /** Frequencies k of each column; 16 by default, of `'plr'` 48; `'ple'` has none. */
  readonly frequencies?: number | undefined;
  /** Of `'ple'`, required there: the edges of each column's bins, two or more that rise, such as {@link binEdges} finds. */
  readonly edges?: readonly (readonly number[])[] | undefined;
  /** Numbers that a column becomes; 4 by default, the last of which is x itself, of `'plr'` 24, of `'ple'` 16. */
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
  ple: { frequencies: 1, size: 16, deviation: 1 },
} as const;

const KEYS = ["form", "frequencies", "edges", "size", "deviation", "regularizer", "rateFactor", "decayFactor", "name"];

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

/** Edges of every column, checked. */
function checkEdges(inputs: number, given: unknown): readonly (readonly number[])[] {
  const where = "numericEmbedding.edges";
  if (!Array.isArray(given) || given.length !== inputs)
    return fail("ERR_OPTION", where, `a list of edges for each of ${countOf(inputs, "column")}`, given);
  return given.map((edges: unknown, column) => {
    const place = `${where}[${column}]`;
    if (!Array.isArray(edges) || edges.length < 2) return fail("ERR_OPTION", place, "two numbers or more", edges);
    return edges.map((edge: unknown, at) =>
      checkNumber(`${place}[${at}]`, edge, at === 0 ? {} : { above: Math.fround(Number(edges[at - 1])) }),
    );
  });
}

/** Places of bins, as constants of [columns, bins]: e(x) = min(max(x·slope + shift, low), high); 0 where a column has fewer bins. */
function binsOf(edges: readonly (readonly number[])[]) {
  const bins = Math.max(...edges.map(({ length }) => length - 1));
  const each = (of: (from: number, to: number, at: number, last: number) => number): Tensor<"f32"> =>
    tensor(
      Float32Array.from(
        edges.flatMap((list) =>
          Array.from({ length: bins }, (_, at) => {
            const [from, to] = [list[at], list[at + 1]];
            return from === undefined || to === undefined ? 0 : of(from, to, at, list.length - 2);
          }),
        ),
      ),
      [edges.length, bins],
    );
  return {
    bins,
    slope: each((from, to) => 1 / (to - from)),
    shift: each((from, to) => -from / (to - from)),
    low: each((_from, _to, at) => (at === 0 ? -FAR : 0)),
    high: each((_from, _to, at, last) => (at === last ? FAR : 1)),
  };
}

/** Beyond every number that a bin's share takes. */
const FAR = 3e38;

/** {@link numericEmbedding} of the form `ple`. */
function piecewise<const In extends number, const Size extends number>(
  inputs: In,
  options: NumericEmbeddingOptions & { readonly size?: Size | undefined },
): Layer<In, Product<[In, Size]>, "f32"> {
  const { rateFactor, decayFactor, name, frequencies, deviation } = options;
  for (const [key, value] of Object.entries({ frequencies, deviation }))
    if (value !== undefined) fail("ERR_OPTION", `numericEmbedding.${key}`, "none of 'ple'", value);
  const edges = checkEdges(inputs, options.edges);
  const least = { min: 1, integer: true };
  const size = checkNumber("numericEmbedding.size", options.size ?? DEFAULTS.ple.size, least);
  const regularizer = checked("numericEmbedding.regularizer", options.regularizer);
  const { bins, slope, shift, low, high } = binsOf(edges);
  const start = uniform({ high: 1 / Math.sqrt(size) });
  const factors = { rateFactor, decayFactor };
  const parameters = {
    slope: parameter([inputs, size], { init: start, regularizer, ...factors }),
    weight: parameter([inputs, size, bins], { init: 0, regularizer, ...factors }),
    bias: parameter([inputs, size], { role: "bias", init: start, ...factors }),
  };
  const layer = defineLayer({
    kind: "numericEmbedding",
    inputs,
    outputs: (inputs * size) as Product<[In, Size]>,
    name,
    config: { inputs, form: "ple", size, edges: edges.flat(), counts: edges.map(({ length }) => length) },
    parameters,
    forward: (x, own) => {
      const column = ops.reshape(x, [...x.shape, 1]);
      const shares = ops.clip(ops.add(ops.multiply(column, slope), shift), low, high);
      return side(ops.add(ops.multiply(column, own.slope), mixed(shares, own.weight, own.bias)));
    },
  });
  const made = { inputs, form: "ple", size, edges: edges.flat(), counts: edges.map(({ length }) => length) };
  const rate = parameters.slope.rateFactor;
  return madeBy("numericEmbedding", { ...made, regularizer, rateFactor: rate, decayFactor, name }, layer);
}

/** Options of {@link binEdges}. */
export interface BinEdgesOptions {
  /** Bins of a column at most; 48 by default. */
  readonly bins?: number | undefined;
}

/**
 * Edges for `numericEmbedding({ form: 'ple' })`: of each column the different ones among its quantiles at even shares, between two values on a line. Rows are those of
 * training, in the units of the network. A constant column has one bin, 1 wide.
 */
export function binEdges(rows: Tensor, options: BinEdgesOptions = {}): readonly (readonly number[])[] {
  checkKeys("binEdges", options, ["bins"]);
  const bins = checkNumber("binEdges.bins", options.bins ?? 48, { min: 1, integer: true });
  const [count = 0, columns = 0] = rows instanceof Tensor ? rows.shape : [];
  if (count === 0 || rows.shape.length !== 2)
    return fail("ERR_OPTION", "binEdges", "a tensor [rows, columns] with a row or more", rows);
  const values = new SampledRows(columns);
  for (let row = 0; row < count; row++) values.add(rows.data, row * columns);
  return Array.from({ length: columns }, (_, column) => {
    const sorted = values.sorted(column);
    const edges = Array.from({ length: bins + 1 }, (_one, at) => Math.fround(quantileOf(sorted, at / bins)));
    const different = edges.filter((edge, at) => at === 0 || edge > (edges[at - 1] ?? edge));
    return different.length > 1 ? different : [edges[0] ?? 0, (edges[0] ?? 0) + 1];
  });
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
 *
 * `'ple'`: x·v + b + e(x)·Wᵀ, `size` numbers a column, all columns after one another. e has a number for each bin of the column, 1 for those that x lies above, 0 for
 * those it lies below, (x − edge)/width in its own, and beyond the first and the last bin on the same line. At first v and b ~ U(±1/√size), W is 0. Gorishniy, Rubachev, Babenko 2022;
 * `PiecewiseLinearEmbeddings` of rtdl_num_embeddings, version B.
 */
export function numericEmbedding<const In extends number, const Size extends number = 4>(
  inputs: In,
  options: NumericEmbeddingOptions & { readonly size?: Size | undefined } = {},
): Layer<In, Product<[In, Size]>, "f32"> {
  checkKeys("numericEmbedding", options, KEYS);
  checkNumber("numericEmbedding.inputs", inputs, { min: 1, integer: true });
  const { rateFactor, decayFactor, name } = options;
  const form = checkOneOf("numericEmbedding.form", options.form ?? "pbld", ["pbld", "plr", "ple"]);
  if (form === "ple") return piecewise(inputs, options);
  if (options.edges !== undefined) fail("ERR_OPTION", "numericEmbedding.edges", "none but of 'ple'", options.edges);
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
