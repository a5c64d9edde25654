import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { bagPadded, NO_PADDING, takePadded } from "../../ops/take.js";
import { checkKeys, checkNumber, checkOneOf } from "../../options.js";
import { checkRegularizers, maxNorm, type Regularizers } from "../../regularizers/index.js";
import { BAG_MODES, type BagMode } from "../../tensor/attributes.js";
import { Value } from "../../tensor/value.js";
import type { Initializer } from "../parameters/initializers.js";
import { type ParameterSpec, parameter, type RowUpdates } from "../parameters/parameter.js";
import { defineLayer, type Layer } from "../structure/layer.js";

/** Options of {@link embedding}. */
export interface EmbeddingOptions {
  /** Of the table; N(0, 1/size) by default, so that rows have a norm of about 1. A number is a constant. */
  readonly init?: Initializer | number | undefined;
  /** A row that is 0, and stays so: it has no gradient. */
  readonly padding?: number | undefined;
  /** Bound of the rows' norms after a step, as of `maxNorm`; none by default. */
  readonly maxNorm?: number | undefined;
  /**
   * `'pytorch'`: `maxNorm` acts before the lookup, as there: longer rows are looked up times maxNorm/(norm + 1e-7), at inference too, and those of a
   * training batch stand so in the table before its update, which may leave them longer. `ERR_OPTION` without `maxNorm`, and beside
   * optimizers that take no gradients in rows.
   */
  readonly preset?: "pytorch" | undefined;
  /** Which rows an update reaches, as of {@link parameter}; `exact` by default. */
  readonly rows?: RowUpdates | undefined;
  /** Of the table, which model-wide ones do not reach. */
  readonly regularizer?: Regularizers | undefined;
  readonly name?: string | undefined;
}

/** Options of {@link embeddingBag}. */
export interface EmbeddingBagOptions extends Omit<EmbeddingOptions, "preset"> {
  /** `sum` (the default), or that by the number of ids, or by the root of their number (TensorFlow's `sqrtn`). */
  readonly mode?: BagMode | undefined;
}

const OPTIONS = ["init", "padding", "maxNorm", "rows", "regularizer", "name"];

/** The table of a layer of `kind`, and what its description has of it. */
function tableOf(
  kind: string,
  count: number,
  size: number,
  options: EmbeddingOptions,
): { readonly table: ParameterSpec; readonly padding: number; readonly made: EmbeddingOptions } {
  checkNumber(`${kind}.count`, count, { min: 1, integer: true });
  checkNumber(`${kind}.size`, size, { min: 1, integer: true });
  const { init, padding, rows, regularizer, name, preset } = options;
  if (preset !== undefined) checkOneOf(`${kind}.preset`, preset, ["pytorch"]);
  if (padding !== undefined) {
    checkNumber(`${kind}.padding`, padding, { min: 0, integer: true });
    if (padding >= count) fail("ERR_OPTION", `${kind}.padding`, `a row of the table, below ${count}`, padding);
  }
  const most =
    options.maxNorm === undefined ? undefined : checkNumber(`${kind}.maxNorm`, options.maxNorm, { above: 0 });
  const own = [...checkRegularizers(`${kind}.regularizer`, regularizer)];
  const lookupNorm =
    preset === undefined
      ? undefined
      : (most ?? fail("ERR_OPTION", `${kind}.maxNorm`, "a bound, as preset 'pytorch' is of that,", most));
  if (lookupNorm !== undefined && own.some(({ kind: each }) => each === "maxNorm"))
    fail("ERR_OPTION", `${kind}.regularizer`, "no maxNorm beside the preset 'pytorch'", "maxNorm");
  if (most !== undefined && lookupNorm === undefined) own.push(maxNorm(most));
  if (rows !== undefined) checkOneOf(`${kind}.rows`, rows, ["exact", "touched"]);
  const declared = parameter([count, size], { role: "table", init, rows, padding, regularizer: own });
  const table = lookupNorm === undefined ? declared : { ...declared, lookupNorm };
  const made = {
    ...{ init: table.init, padding, maxNorm: options.maxNorm, rows: table.rows, regularizer, name },
    ...(preset === undefined ? {} : { preset }),
  };
  return { table, padding: padding ?? NO_PADDING, made };
}

/** Rows that are longer than `most`, times most/(norm + 1e-7). */
function bounded(rows: Value, most: number): Value {
  const norms = ops.sqrt(ops.sum(ops.square(rows), { axis: "last", keepDims: true }));
  return ops.multiply(rows, ops.where(ops.greater(norms, most), ops.divide(most, ops.add(norms, 1e-7)), 1));
}

/** Bounded rows of a table, to which the gradient of what is looked up flows as it is: that of rows which stand so in the table. */
function takeBounded(table: Value, ids: Value, padding: number, most: number, training: boolean): Value {
  const rows = takePadded(table, ids, padding);
  if (!training) return bounded(rows, most);
  const still = new Value(table.shape, "f32", table.source); // no parameter: no gradient flows to it
  const same = takePadded(still, ids, padding);
  return ops.add(bounded(same, most), ops.subtract(rows, same));
}

/** The padding as files have it: not at all where there is none. */
function paddingOf({ padding }: EmbeddingOptions): { readonly padding?: number } {
  return padding === undefined ? {} : { padding };
}

/** A bound that acts at inference too, as files have it. */
function presetOf({ preset, maxNorm: most }: EmbeddingOptions): {
  readonly preset?: string;
  readonly maxNorm?: number;
} {
  return preset === undefined || most === undefined ? {} : { preset, maxNorm: most };
}

/**
 * Rows of a table by number: y = table[x] with x: [batch, …] i32, table: [count, size], y: [batch, …, size]. A number outside [0, count)
 * is `ERR_DATA`, with its row and column, before anything is read.
 *
 * The gradient is in rows: those that the batch names, each the sum over its places in their order, one chain from +0. The table has
 * the role `table`: penalties and decay of the model leave it alone.
 */
export function embedding<const Size extends number>(
  count: number,
  size: Size,
  options: EmbeddingOptions = {},
): Layer<number, { readonly append: Size }, "i32"> {
  checkKeys("embedding", options, [...OPTIONS, "preset"]);
  const { table, padding, made } = tableOf("embedding", count, size, options);
  const layer = defineLayer({
    kind: "embedding",
    outputs: { append: size },
    takes: "i32",
    name: options.name,
    config: { count, size, rows: table.rows, ...paddingOf(options), ...presetOf(options) },
    parameters: { table },
    forward: (ids, parameters, { training }) =>
      table.lookupNorm === undefined
        ? takePadded(parameters.table, ids, padding)
        : takeBounded(parameters.table, ids, padding, table.lookupNorm, training),
  });
  return madeBy("embedding", { count, size, ...made }, layer);
}

/**
 * The sum, or the mean, of rows of a table by number (or the sum by the root of how many they are, which has the same variance whatever their number): hashed words, several categories at once, histories. x: lists of ids, an input that
 * {@link ragged} says, or [batch, …, n] i32 of at most n ids, −1 for none; table: [count, size]; y: [batch, …, size], 0 where a bag is
 * empty. Formula and errors as of `ops.bag`, gradient and role as of {@link embedding}.
 */
export function embeddingBag<const Size extends number>(
  count: number,
  size: Size,
  options: EmbeddingBagOptions = {},
): Layer<number, Size, "ragged"> {
  checkKeys("embeddingBag", options, [...OPTIONS, "mode"]);
  const { table, padding, made } = tableOf("embeddingBag", count, size, options);
  const mode = checkOneOf("embeddingBag.mode", options.mode ?? "sum", BAG_MODES);
  const layer = defineLayer({
    kind: "embeddingBag",
    outputs: size,
    takes: "ragged",
    name: options.name,
    config: { count, size, mode, rows: table.rows, ...paddingOf(options) },
    parameters: { table },
    forward: (ids, parameters) => bagPadded(parameters.table, ids, { mode, padding }),
  });
  return madeBy("embeddingBag", { count, size, mode, ...made }, layer);
}
