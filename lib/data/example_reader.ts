import { fail } from "../errors.js";
import { copyOf } from "../tensor/copied.js";
import { listNames } from "../tensor/ragged_value.js";
import { pathsOf } from "../tensor/row_spec.js";
import { extent } from "../tensor/shape.js";
import {
  Block,
  type BlockForm,
  blockForm,
  type ExampleShape,
  type InputMember,
  targetColumns,
  weightNames,
} from "./block.js";
import { areLists, type ListMember, writeIds, writeIdWeights } from "./lists.js";
import type { ClassFactors, Measurement } from "./measure.js";
import {
  failItem,
  failRow,
  hasBytes,
  type Member,
  type Place,
  writeBytes,
  writeFloats,
  writeIntegers,
} from "./member.js";
import type { ListParts, PartMemory, RowLayout, RowPart, RowStore } from "./row_store.js";
import type { Affine, UnitsOfRows } from "./transform.js";

/** Reads the items of a pass over a stream row by row, with the checks of data in memory; errors say which example it was. */
export class ExampleReader {
  readonly #form: BlockForm;
  #item: Block | undefined;
  #row = 0;
  /** Examples before the item. */
  #before = 0;
  /** Which outputs have weights in the first item: then they have some in all. */
  #weighted: readonly boolean[] | undefined;
  readonly #hasLists: boolean;
  /** Which inputs are lists with weights in the first item: then they are in all. */
  #listed: readonly boolean[] | undefined;
  /** Outputs of which an example has weighed more than nothing. */
  readonly #weighs: boolean[];

  /** `ERR_OPTION` for lists that nobody says the longest of. */
  constructor(where: string, shape: ExampleShape) {
    this.#form = blockForm(where, shape);
    for (const { where: path, ragged } of this.#form.inputs) {
      if (ragged === undefined || ragged.longest !== undefined) continue;
      fail(
        "ERR_OPTION",
        path,
        "an input that says how long lists are, ragged('i32', { longest }), for a stream,",
        ragged,
      );
    }
    this.#weighs = shape.targets.map(() => false);
    this.#hasLists = shape.inputs.some(({ ragged }) => ragged !== undefined);
  }

  /** Examples of the item that are still to be read. */
  get left(): number {
    return (this.#item?.rows ?? 0) - this.#row;
  }

  /** Name of the weights of an output of which no example that was read weighs more than nothing. */
  get weightless(): string | undefined {
    const at = this.#weighs.indexOf(false);
    return this.#form.targets[at]?.weight;
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
    const item = new Block(this.#form, value, place);
    this.#weighted ??= item.weighted;
    if (this.#hasLists) this.#expectWeights(item, place);
    const other = firstOther(item, this.#weighted);
    if (other >= 0) {
      const expected = item.weighted[other]
        ? "no weight, as the first example has none,"
        : "a weight, as the first example has one,";
      failItem("ERR_DATA", `${this.#form.where}.weight`, expected, place, Reflect.get(Object(value), "weight"));
    }
    this.#item = first || item.rows > 1 ? new Block(this.#form, copyOfExamples(value), place) : item;
  }

  /** `ERR_DATA` for an item whose ids have weights where those of the first have none, or none where they have. */
  #expectWeights({ inputs }: Block, place: Place): void {
    this.#listed ??= inputs.map(hasWeights);
    const odd = inputs.find((member, at) => hasWeights(member) !== this.#listed?.[at]);
    if (odd === undefined) return;
    const expected = hasWeights(odd)
      ? "no weights of ids, as the first example has none,"
      : "weights of ids, as the first example has them,";
    failItem("ERR_DATA", odd.where, expected, place, hasWeights(odd) ? "some" : "none");
  }

  get #block(): Block {
    return this.#item ?? failNoExamples(this.#form.where, 1);
  }

  /**
   * The layout of examples like the item's.
   *
   * @param factors Of the classes: an output that has some has weights.
   * @param keepsBytes Whether bytes of an input stay bytes.
   */
  layout(factors: ClassFactors, keepsBytes: (input: number) => boolean): RowLayout {
    const { inputs, targets } = this.#form.shape;
    const [x, y] = [pathsOf("x", inputs), pathsOf("y", targets)];
    const ofInputs = inputs.map(({ shape, dtype, bytes: images }, at): RowPart => {
      const member = this.#block.inputs[at];
      const lie = member !== undefined && !areLists(member) && hasBytes(member);
      const bytes = images ?? (lie && keepsBytes(at));
      return { name: x[at] ?? "", columns: extent(shape), dtype: bytes ? "u8" : dtype };
    });
    const ofTargets = targets.map((one, at): RowPart => {
      return { name: y[at] ?? "", columns: targetColumns(one), dtype: one.target === "classes" ? "i32" : "f32" };
    });
    const parts = [...ofInputs, ...ofTargets];
    const weights = weightNames(this.#block, this.#form.shape, factors).map((name) => {
      if (name === undefined) return undefined;
      const known = parts.findIndex((part) => part.name === name);
      return known >= 0 ? known : parts.push({ name, columns: 1, dtype: "f32" }) - 1;
    });
    const lists = ofInputs.map(({ name, columns }, at): ListParts | undefined => {
      const member = this.#block.inputs[at];
      if (member === undefined || !areLists(member)) return undefined;
      const names = listNames(name);
      const lengths = parts.push({ name: names.ends, columns: 1, dtype: "i32" }) - 1;
      const ofIds = hasWeights(member) ? parts.push({ name: names.weights, columns, dtype: "f32" }) - 1 : undefined;
      return { lengths, weights: ofIds };
    });
    return { parts, weights, lists };
  }

  /**
   * Reads the next example into row `to` of `store`; bytes stay in their units. Of an example that weighs nothing the inputs
   * are 0, so that the network computes nothing with them.
   */
  read(store: RowStore, to: number, { inputs, targets }: UnitsOfRows, factors: ClassFactors): void {
    const block = this.#block;
    const row = this.#row;
    const { layout, parts } = store;
    const count = block.inputs.length;
    store.examples[to] = this.#before + row;
    let weighs = block.targets.length === 0;
    for (let at = 0; at < block.targets.length; at++) {
      const weight = block.targets[at]?.weigh(row, factors[at]) ?? 0;
      const place = layout.weights[at];
      const memory = place === undefined ? undefined : parts[place];
      if (memory !== undefined) memory.data[to] = weight;
      if (weight === 0) continue;
      this.#weighs[at] = true;
      weighs = true;
    }
    for (let at = 0; at < count; at++) {
      const member = block.inputs[at];
      const memory = parts[at];
      if (member === undefined || memory === undefined) continue;
      if (areLists(member)) writeList(member, row, store, at, to, !weighs);
      else writeInput(member, row, inputs[at], memory, to, !weighs);
    }
    for (let at = 0; at < block.targets.length; at++) {
      const target = block.targets[at];
      const memory = parts[count + at];
      if (target === undefined || memory === undefined) continue;
      const place = layout.weights[at];
      const leftOut = place !== undefined && parts[place]?.data[to] === 0;
      const { columns = 1 } = layout.parts[count + at] ?? {};
      if (memory.dtype === "i32") target.writeLabels(row, memory.data, to * columns, leftOut);
      else if (memory.dtype === "f32") {
        target.write(row, targets[at], memory.data, to * columns, leftOut);
      }
    }
    this.#row += 1;
  }

  /** Takes the next example into figures instead, in its own units. */
  measure(measurement: Measurement): void {
    if (measurement.take(this.#block, this.#row)) this.#weighs.fill(true);
    this.#row += 1;
  }
}

/** Whether the ids of an input have weights. */
function hasWeights(member: InputMember): boolean {
  return areLists(member) && member.weights !== undefined;
}

/** Writes the list of a row to row `to` of the parts of an input: an empty one, where the row is left out. */
function writeList(
  member: ListMember,
  row: number,
  { layout, parts }: RowStore,
  input: number,
  to: number,
  leftOut: boolean,
): void {
  const { lengths, weights } = layout.lists[input] ?? {};
  const { columns = 0 } = layout.parts[input] ?? {};
  const [ids, lengthsMemory] = [parts[input], lengths === undefined ? undefined : parts[lengths]];
  if (ids?.dtype !== "i32" || lengthsMemory === undefined) return;
  const length = writeIds(member, row, ids.data, to * columns);
  lengthsMemory.data[to] = leftOut ? 0 : length;
  const ofIds = weights === undefined ? undefined : parts[weights];
  if (ofIds?.dtype === "f32") writeIdWeights(member, row, ofIds.data, to * columns);
}

/** Writes an input of a row to row `to` of its memory: zeros, where the row is left out. */
function writeInput(
  member: Member,
  row: number,
  affine: Affine | undefined,
  memory: PartMemory,
  to: number,
  leftOut: boolean,
): void {
  const { columns } = member;
  const first = to * columns;
  if (memory.dtype === "f32") writeFloats(member, row, affine, memory.data, first, leftOut);
  else if (memory.dtype === "i32") writeIntegers(member, row, memory.data, first, leftOut);
  else if (member.bytes) writeBytes(member, row, memory.data, first);
  else {
    const { values } = member;
    if (!hasBytes(member)) failRow(member, "ERR_DTYPE", row, "a Uint8Array, as at first,", values);
    for (let column = 0; column < columns; column++) {
      memory.data[first + column] = Number(values[row * columns + column]);
    }
  }
  if (leftOut) memory.data.fill(0, first, first + columns);
}

/** Place of the first output that has weights where `weighted` says that it has none, or none where it has; −1 if there is no such. */
function firstOther({ targets }: Block, weighted: readonly boolean[]): number {
  for (let at = 0; at < targets.length; at++) {
    if ((targets[at]?.weight !== undefined) !== weighted[at]) return at;
  }
  return -1;
}

function copyOfExamples(value: unknown): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(Object(value)).map(([name, member]) => [name, copyOf(member)]));
}

/** The stream has no examples: `ERR_DATA`. */
export function failNoExamples(where: string, epoch: number): never {
  return fail("ERR_DATA", where, `at least one example in epoch ${epoch}`, "an empty stream");
}
