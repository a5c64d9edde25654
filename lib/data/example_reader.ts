import { fail } from "../errors.js";
import { copyOf } from "../tensor/copied.js";
import { Block, type ExampleShape, type RowShape, rowShape } from "./block.js";
import type { Measurement } from "./measure.js";
import { failItem, failRow, hasBytes, writeFloats } from "./member.js";
import type { RowLayout, RowStore } from "./row_store.js";
import type { Transforms } from "./transform.js";

/** Reads the items of a pass over a stream row by row, with the checks of data in memory; errors say which example it was. */
export class ExampleReader {
  readonly #where: string;
  readonly #shape: RowShape;
  #item: Block | undefined;
  #row = 0;
  /** Examples before the item. */
  #before = 0;
  /** Whether the first item has weights: then all have. */
  #weighted: boolean | undefined;
  #weighs = false;

  constructor(where: string, shape: ExampleShape) {
    this.#where = where;
    this.#shape = rowShape(shape);
  }

  /** Examples of the item that are still to be read. */
  get left(): number {
    return (this.#item?.rows ?? 0) - this.#row;
  }

  /** Whether an example that was read weighs more than nothing. */
  get weighs(): boolean {
    return this.#weighs;
  }

  /**
   * Takes the next item, when the one before is read. The memory of an item is its source's again afterwards, but for a single
   * example that is not the first, which has to be read before anybody else has a turn.
   */
  begin(value: unknown): void {
    const first = this.#item === undefined;
    this.#before += this.#item?.rows ?? 0;
    this.#row = 0;
    const place = { noun: "example", first: this.#before } as const;
    const item = new Block(this.#where, value, this.#shape, place);
    const weighted = item.weight !== undefined;
    this.#weighted ??= weighted;
    if (weighted !== this.#weighted) {
      const expected = weighted
        ? "no weight, as the first example has none,"
        : "a weight, as the first example has one,";
      failItem("ERR_DATA", `${this.#where}.weight`, expected, place, Reflect.get(Object(value), "weight"));
    }
    this.#item = first || item.rows > 1 ? new Block(this.#where, copyOfExamples(value), this.#shape, place) : item;
  }

  get #block(): Block {
    return this.#item ?? failNoExamples(this.#where, 1);
  }

  /** The layout of examples like the item's; bytes stay bytes unless told otherwise. */
  layout(classWeights: boolean, keepBytes = true): RowLayout {
    const { inputs, outputs, target } = this.#shape;
    const classes = target === "classes";
    return {
      inputs,
      columns: classes ? 1 : outputs,
      dtype: keepBytes && hasBytes(this.#block.x) ? "u8" : "f32",
      classes,
      weighted: classWeights || this.#weighted === true,
    };
  }

  /**
   * Reads the next example into row `to` of `store`; bytes stay in their units. Of an example that weighs nothing the inputs
   * are 0, so that the network computes nothing with them.
   */
  read(store: RowStore, to: number, transforms: Transforms, factors: readonly number[] | undefined): void {
    const block = this.#block;
    const row = this.#row;
    const { dtype, columns, classes, inputs } = store.layout;
    const weight = block.weigh(row, factors);
    const first = to * inputs;
    if (dtype === "u8") {
      const { values } = block.x;
      if (!hasBytes(block.x)) failRow(block.x, "ERR_DTYPE", row, "a Uint8Array, as at first,", values);
      for (let column = 0; column < inputs; column++) store.x[first + column] = Number(values[row * inputs + column]);
    } else writeFloats(block.x, row, transforms.inputs, store.x as Float32Array, first, weight === 0);
    if (weight === 0) store.x.fill(0, first, first + inputs);
    else this.#weighs = true;
    if (classes) store.y[to] = block.label(row);
    else block.writeTargets(row, transforms.targets, store.y as Float32Array, to * columns, weight === 0);
    if (store.weight !== undefined) store.weight[to] = weight;
    this.#row += 1;
  }

  /** Takes the next example into figures instead, in its own units. */
  measure(measurement: Measurement): void {
    if (measurement.take(this.#block, this.#row)) this.#weighs = true;
    this.#row += 1;
  }
}

function copyOfExamples(value: unknown): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(Object(value)).map(([name, member]) => [name, copyOf(member)]));
}

/** The stream has no examples: `ERR_DATA`. */
export function failNoExamples(where: string, epoch: number): never {
  return fail("ERR_DATA", where, `at least one example in epoch ${epoch}`, "an empty stream");
}
