import { CarillonError, describe, fail } from "../errors.js";
import { copyOf } from "../tensor/copied.js";
import { type ClassNames, classOf, HOT, hotClass, labelText, placesOf } from "./labels.js";
import type { RowLayout, RowStore } from "./row_store.js";
import type { Numbers } from "./stream.js";
import { type ColumnStatistics, type Transforms, transformed } from "./transform.js";

/** What the examples of a stream must fit. */
export interface ReaderOptions {
  /** Option that the stream is the value of, for errors. */
  readonly where: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly target: "classes" | "probabilities" | "values";
  /** Labels may be these. */
  readonly names?: ClassNames | undefined;
}

/** One row of a checked item. */
interface Item {
  readonly x: Numbers;
  readonly y: ArrayLike<unknown>;
  /** Values of y a row. */
  readonly columns: number;
  readonly weight: Numbers | undefined;
  readonly rows: number;
}

function isNumbers(value: unknown): value is Numbers {
  return (
    Array.isArray(value) ||
    value instanceof Float32Array ||
    value instanceof Float64Array ||
    value instanceof Int32Array ||
    value instanceof Uint8Array
  );
}

function isBigInts(value: unknown): value is ArrayLike<unknown> {
  return value instanceof BigInt64Array || value instanceof BigUint64Array;
}

function copyOfItem(item: Item): Item {
  const { x, y, weight } = item;
  return { ...item, x: copyOf(x), y: copyOf(y), weight: copyOf(weight) };
}

/**
 * Reads the items of a stream row by row. Errors (`ERR_DATA`, `ERR_DTYPE`, `ERR_LABEL`) say which example of the pass, from
 * 0, does not fit.
 */
export class ExampleReader {
  readonly #options: ReaderOptions;
  readonly #places: ReadonlyMap<string, number>;
  #item: Item = { x: [], y: [], columns: 1, weight: undefined, rows: 0 };
  #row = 0;
  /** Examples before the item. */
  #before = 0;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#places = placesOf(options.names);
  }

  /** Examples of the item that are still to be read. */
  get left(): number {
    return this.#item.rows - this.#row;
  }

  /**
   * Takes the next item, when the one before is read. The memory of an item is its source's again afterwards, but for a single
   * example that is not the first, which has to be read before anybody else has a turn.
   */
  begin(value: unknown): void {
    const first = this.#before + this.#item.rows === 0;
    this.#before += this.#item.rows;
    this.#row = 0;
    const item = this.#check(value);
    this.#item = first || item.rows > 1 ? copyOfItem(item) : item;
  }

  #check(value: unknown): Item {
    const { where, inputs, outputs, target } = this.#options;
    if (typeof value !== "object" || value === null || !("x" in value && "y" in value)) {
      return this.#fail("ERR_DATA", where, "{ x, y }", value);
    }
    const { x, y } = value;
    const given = "weight" in value ? value.weight : undefined;
    if (!isNumbers(x)) return this.#fail("ERR_DTYPE", `${where}.x`, "an array of numbers or a typed array", x);
    const rows = x.length / inputs;
    if (!Number.isInteger(rows) || rows === 0) this.#fail("ERR_DATA", `${where}.x`, `${inputs} values`, x);
    const labels = target === "classes" || (target === "probabilities" && outputs === 1);
    const single = typeof y === "number" || (labels && (typeof y === "string" || typeof y === "bigint"));
    const targets = single ? [y] : y;
    if (!(isNumbers(targets) || (labels && isBigInts(targets)))) {
      return this.#fail("ERR_DTYPE", `${where}.y`, "a number or an array of them", y);
    }
    // A row with a single 1 is a label too.
    const columns = target === "classes" && targets.length !== rows * outputs ? 1 : outputs;
    if (targets.length !== rows * columns) {
      this.#fail("ERR_DATA", `${where}.y`, `${target === "classes" ? rows : rows * columns} values`, y);
    }
    const weight = typeof given === "number" ? [given] : given;
    if (weight !== undefined && !(isNumbers(weight) && weight.length === rows)) {
      return this.#fail("ERR_DATA", `${where}.weight`, `${rows} numbers`, given);
    }
    return { x, y: targets, columns, weight, rows };
  }

  /** The layout of examples like the item's. */
  layout(classWeights: boolean): RowLayout {
    const { inputs, outputs, target } = this.#options;
    const classes = target === "classes";
    return {
      inputs,
      columns: classes ? 1 : outputs,
      dtype: this.#item.x instanceof Uint8Array ? "u8" : "f32",
      classes,
      weighted: classWeights || this.#item.weight !== undefined,
    };
  }

  /** Reads the next example into row `to` of `store`; bytes stay in their units. */
  read(store: RowStore, to: number, transforms: Transforms, factors: readonly number[] | undefined): void {
    const { where, inputs } = this.#options;
    const { x, weight } = this.#item;
    const { dtype, columns, classes } = store.layout;
    if (dtype === "u8" && !(x instanceof Uint8Array)) {
      this.#fail("ERR_DTYPE", `${where}.x`, "a Uint8Array, as at first,", x);
    }
    const from = this.#row * inputs;
    if (dtype === "u8") {
      for (let column = 0; column < inputs; column++) store.x[to * inputs + column] = x[from + column] ?? 0;
    } else this.#floats(`${where}.x`, x, from, store.x, to * inputs, inputs, transforms);
    let factor = 1;
    if (classes) {
      const label = this.#label();
      store.y[to] = label;
      factor = factors?.[label] ?? 1;
    } else {
      this.#targets(store.y, to, columns, transforms);
      if (factors !== undefined) factor = factors[this.#label()] ?? 1;
    }
    if (store.weight !== undefined) store.weight[to] = factor * this.#weight(weight, factors !== undefined);
    this.#row += 1;
  }

  /** Takes the next example into statistics instead, in its own units. */
  measure(
    inputs: ColumnStatistics | undefined,
    targets: ColumnStatistics | undefined,
    counts: number[] | undefined,
  ): void {
    const { where, outputs } = this.#options;
    const { x, y } = this.#item;
    const measureInto = (name: string, statistics: ColumnStatistics, values: ArrayLike<unknown>): void => {
      const from = this.#row * statistics.columns;
      for (let column = 0; column < statistics.columns; column++) this.#finite(name, values[from + column], column);
      statistics.add(values as ArrayLike<number>, from);
    };
    if (inputs !== undefined) measureInto(`${where}.x`, inputs, x);
    if (targets !== undefined) measureInto(`${where}.y`, targets, y);
    if (counts !== undefined && outputs > 0) {
      const label = this.#label();
      counts[label] = (counts[label] ?? 0) + 1;
    }
    this.#row += 1;
  }

  #floats(
    name: string,
    values: Numbers,
    from: number,
    store: Float32Array | Uint8Array,
    to: number,
    count: number,
    { inputs }: Transforms,
  ): void {
    for (let column = 0; column < count; column++) {
      const value = transformed(inputs, column, this.#finite(name, values[from + column], column));
      store[to + column] = value;
      const stored = store[to + column] ?? 0;
      if (stored - stored !== 0) this.#failValue(name, column, value);
    }
  }

  #targets(store: Float32Array | Int32Array, row: number, columns: number, { targets }: Transforms): void {
    const { where, target } = this.#options;
    const values = this.#item.y;
    for (let column = 0; column < columns; column++) {
      const given = values[this.#row * columns + column];
      const isLabel = target === "probabilities" && columns === 1 && typeof given !== "number";
      const raw = isLabel ? this.#label() : this.#finite(`${where}.y`, given, column);
      const value = transformed(targets, column, raw);
      if (target === "probabilities" && !(value >= 0 && value <= 1)) {
        this.#fail("ERR_LABEL", `${where}.y`, "a number in [0, 1]", value);
      }
      store[row * columns + column] = value;
      const stored = store[row * columns + column] ?? 0;
      if (stored - stored !== 0) this.#failValue(`${where}.y`, column, value);
    }
  }

  /** Class of the next example. */
  #label(): number {
    const { where, names } = this.#options;
    const { y, columns } = this.#item;
    const classes = classesOf(this.#options);
    const value = y[this.#row * columns];
    const label = columns === 1 ? classOf(value, classes, this.#places) : hotClass(y, this.#row * columns, classes);
    if (label >= 0) return label;
    if (columns > 1) return this.#fail("ERR_LABEL", `${where}.y`, HOT, "other numbers");
    return this.#fail("ERR_LABEL", `${where}.y`, labelText(value, { classes, names }), value);
  }

  #weight(weights: Numbers | undefined, optional: boolean): number {
    const { where } = this.#options;
    if (weights === undefined && optional) return 1;
    const weight: unknown = weights?.[this.#row];
    if (typeof weight === "number" && weight >= 0 && Number.isFinite(weight)) return weight;
    return this.#fail("ERR_DATA", `${where}.weight`, "a weight >= 0", weight);
  }

  #finite(name: string, value: unknown, column: number): number {
    return typeof value === "number" && value - value === 0 ? value : this.#failValue(name, column, value);
  }

  #failValue(name: string, column: number, value: unknown): never {
    return this.#fail("ERR_DATA", name, `a finite float32 in column ${column}`, value);
  }

  #fail(code: "ERR_DATA" | "ERR_DTYPE" | "ERR_LABEL", where: string, expected: string, received: unknown): never {
    const example = this.#before + this.#row;
    throw new CarillonError(
      code,
      where,
      `expected ${expected} in example ${example} of the stream '${where}' but received ${describe(received)}`,
    );
  }
}

/** Classes that weights can tell apart: those of labels, or 0 and 1 of a single column. */
export function classesOf({ target, outputs }: ReaderOptions): number {
  return target === "classes" ? outputs : 2;
}

/** The stream has no examples: `ERR_DATA`. */
export function failNoExamples(where: string, epoch: number): never {
  return fail("ERR_DATA", where, `at least one example in epoch ${epoch}`, "an empty stream");
}
