import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber } from "../../options.js";
import { checkRegularizers, type Regularizers } from "../../regularizers/index.js";
import type { Initializer } from "../parameters/initializers.js";
import { parameter } from "../parameters/parameter.js";
import { defineLayer, type Layer } from "../structure/layer.js";

/** Options of {@link categoryEmbedding}. */
export interface CategoryEmbeddingOptions {
  /** Of the tables; N(0, 1/size) by default, so that rows have a norm of about 1. A number is a constant. */
  readonly init?: Initializer | number | undefined;
  /** Of the tables, which model-wide ones do not reach. */
  readonly regularizer?: Regularizers | undefined;
  /** Of the tables, as of {@link parameter}; 1 by default. */
  readonly rateFactor?: number | undefined;
  readonly decayFactor?: number | undefined;
  readonly name?: string | undefined;
}

/**
 * Several columns of codes, each through a table of its own, side by side: y: [batch, columns·size] from x: [batch, columns] i32, tables of
 * [count, size]. A code outside [0, count) of its column is `ERR_DATA`. What {@link embedding} says of tables is true of these.
 */
export function categoryEmbedding(
  counts: readonly number[],
  size: number,
  options: CategoryEmbeddingOptions = {},
): Layer<number, { readonly last: number }, "i32"> {
  checkKeys("categoryEmbedding", options, ["init", "regularizer", "rateFactor", "decayFactor", "name"]);
  if (!Array.isArray(counts) || counts.length === 0)
    fail("ERR_OPTION", "categoryEmbedding.counts", "a number for each column", counts);
  for (const [at, count] of counts.entries())
    checkNumber(`categoryEmbedding.counts[${at}]`, count, { min: 1, integer: true });
  checkNumber("categoryEmbedding.size", size, { min: 1, integer: true });
  const { init, rateFactor, decayFactor, name } = options;
  const regularizer = [...checkRegularizers("categoryEmbedding.regularizer", options.regularizer)];
  const tables = Object.fromEntries(
    counts.map((count, at) => [
      `table${at + 1}`,
      parameter([count, size], { role: "table", init, regularizer, rateFactor, decayFactor }),
    ]),
  );
  const layer = defineLayer({
    kind: "categoryEmbedding",
    inputs: counts.length,
    outputs: { last: counts.length * size },
    takes: "i32",
    name,
    config: { counts: [...counts], size },
    parameters: tables,
    infer: ({ shape }) => ({ shape: [...shape.slice(0, -1), counts.length * size], dtype: "f32" }),
    forward: (codes, parameters) => {
      const columns = counts.map((_, at) => {
        const [batch = "batch"] = codes.shape;
        const own = ops.reshape(ops.slice(codes, at, at + 1), [batch]);
        const table = parameters[`table${at + 1}`] ?? fail("ERR_STATE", "categoryEmbedding", "a table", undefined);
        return ops.take(table, own);
      });
      return ops.concat(columns);
    },
  });
  const made = { counts: [...counts], size, init, regularizer: options.regularizer, rateFactor, decayFactor, name };
  return madeBy("categoryEmbedding", made, layer);
}
