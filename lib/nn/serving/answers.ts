// What is made of outputs: tensors of the caller's own, in the units of the data, and labels.
import type { InputMember } from "../../data/block.js";
import { areLists } from "../../data/lists.js";
import { type Affine, restoreRows } from "../../data/transform.js";
import { areNamed, type RowSpecs } from "../../tensor/row_spec.js";
import { extent } from "../../tensor/shape.js";
import { Tensor } from "../../tensor/tensor.js";
import {
  type Described,
  type DescribedOutput,
  decidedOnce,
  labelledOf,
  labelsOfRows,
  type PredictedLabels,
} from "../meaning/meaning.js";
import type { Take } from "./call.js";
import { type FrozenProgram, type GivenRows, givenRows } from "./frozen.js";
import type { FlatRows, InputRows } from "./frozen_input.js";
import { takenLists } from "./lists.js";
import { changedRows, lyingRows, scratchFor } from "./rows.js";

/** A value an output by name; of a single one without a name the value itself. */
export type ByOutput<T> = T | Readonly<Record<string, T>>;

/** Where an output stands among the columns of a row. */
interface Slice {
  readonly name: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly columns: number;
}

/** Outputs of many rows, those of a row one after another, and how to take them apart. */
export class RowOutputs {
  /** Of a row. */
  readonly columns: number;
  /** Axes of a row of a single output without a name. */
  readonly only: readonly number[] | undefined;
  readonly #slices: readonly Slice[];
  readonly #named: boolean;

  constructor({ outputs }: Pick<RowSpecs, "outputs">) {
    let columns = 0;
    this.#slices = outputs.map(({ name, shape }): Slice => {
      const slice = { name, shape, begin: columns, columns: extent(shape) };
      columns += slice.columns;
      return slice;
    });
    this.columns = columns;
    this.#named = areNamed("y", outputs);
    this.only = this.#named ? undefined : outputs[0]?.shape;
  }

  /** Calls `make` for the values of each output, [rows, …shape], which are its own; an output for which it gives nothing is left out. */
  take<T extends object>(
    all: Float32Array,
    begin: number,
    rows: number,
    { outputs }: Described,
    make: (data: Float32Array, shape: readonly number[], output: DescribedOutput, at: number) => T | undefined,
  ): ByOutput<T> {
    const record: Record<string, T> | undefined = this.#named ? {} : undefined;
    for (let at = 0; at < this.#slices.length; at++) {
      const [slice, output] = [this.#slices[at], outputs[at]];
      if (slice === undefined || output === undefined) continue;
      const data =
        this.#slices.length === 1 ? all.slice(begin, begin + rows * slice.columns) : this.#cut(slice, all, begin, rows);
      const made = make(data, [rows, ...slice.shape], output, at);
      if (made === undefined) continue;
      if (record === undefined) return made;
      record[slice.name] = made;
    }
    return record ?? {};
  }

  #cut({ begin: from, columns }: Slice, all: Float32Array, begin: number, rows: number): Float32Array {
    const data = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      const first = begin + row * this.columns + from;
      data.set(all.subarray(first, first + columns), row * columns);
    }
    return data;
  }

  /** Takes the rows of `all` back to the units of the data, in place. */
  restore(all: Float32Array, { outputs }: Described): void {
    for (let at = 0; at < this.#slices.length; at++) {
      const [slice, units] = [this.#slices[at], outputs[at]?.units];
      if (slice === undefined || units === undefined) continue;
      if (this.#slices.length === 1) {
        restoreRows(units, all);
        continue;
      }
      for (let first = slice.begin; first < all.length; first += this.columns) {
        restoreRows(units, all.subarray(first, first + slice.columns));
      }
    }
  }
}

/** Takes [rows, …shape] of its own memory, in the units of the data; of several outputs those that are `wanted`. */
export function tensorTaker(
  outputs: RowOutputs,
  wanted: (outputs: readonly DescribedOutput[]) => readonly unknown[],
): Take<ByOutput<Tensor<"f32">>> {
  const { only, columns } = outputs;
  const decided = decidedOnce(wanted);
  return (all, begin, rows, described, given = false) => {
    if (only !== undefined) {
      const data = given ? all : all.slice(begin, begin + rows * columns);
      const units = described.outputs[0]?.units;
      if (units !== undefined) restoreRows(units, data);
      return new Tensor(data, [rows, ...only], "f32");
    }
    const which = decided(described);
    return outputs.take(all, begin, rows, described, (data, shape, output, at) => {
      if (which[at] === undefined) return undefined;
      if (output.units !== undefined) restoreRows(output.units, data);
      return new Tensor(data, shape, "f32");
    });
  };
}

/** Takes the labels of outputs, as {@link labelsOfRows} tells them; of several outputs those that have some. */
export function labelTaker(where: string, outputs: RowOutputs): Take<ByOutput<PredictedLabels>> {
  const labelled = decidedOnce((all) => labelledOf(where, all));
  return (all, begin, rows, described) => {
    const which = labelled(described);
    return outputs.take(all, begin, rows, described, (data, _, output, at) =>
      which[at] === true ? labelsOfRows(where, output, data) : undefined,
    );
  };
}

/** Any number of rows, taken batch by batch, and memory for their outputs. */
export class Parts {
  /** [rows, outputs] */
  readonly all: Float32Array;
  /** The batch in hand: its first row, and how many. */
  begin = 0;
  rows = 0;
  /** Memory for its outputs. */
  readonly y: Float32Array;
  readonly #program: Pick<FrozenProgram, "maxBatch" | "outputs">;
  readonly #total: number;
  readonly #members: readonly InputMember[];
  readonly #units: readonly (Affine | undefined)[];
  /** Memory of each input for rows that are not as the network takes them. */
  readonly #scratch: FlatRows[] = [];

  /** @param units Of each input. */
  constructor(
    program: Pick<FrozenProgram, "maxBatch" | "outputs">,
    members: readonly InputMember[],
    units: readonly (Affine | undefined)[],
  ) {
    const { maxBatch, outputs } = program;
    this.#program = program;
    this.#total = members[0]?.rows ?? 0;
    this.#members = members;
    this.#units = units;
    this.all = new Float32Array(this.#total * outputs);
    this.y = this.#total <= maxBatch ? this.all : new Float32Array(maxBatch * outputs);
  }

  /** Rows of the next batch as the network takes them, or `undefined` behind the last; `y` has the outputs of the one before. */
  next(): GivenRows | undefined {
    const { maxBatch, outputs } = this.#program;
    if (this.y !== this.all) this.all.set(this.y.subarray(0, this.rows * outputs), this.begin * outputs);
    this.begin += this.rows;
    this.rows = Math.min(maxBatch, this.#total - this.begin);
    if (this.rows === 0) return undefined;
    return givenRows(this.#members, (member, at) => this.#rowsOf(member, at));
  }

  #rowsOf(member: InputMember, at: number): InputRows {
    const [affine, begin, end] = [this.#units[at], this.begin, this.begin + this.rows];
    if (areLists(member)) return takenLists(member, begin, end);
    const lying = lyingRows(member, affine, begin, end);
    if (lying !== undefined) return lying;
    this.#scratch[at] ??= scratchFor(member, Math.min(this.#total, this.#program.maxBatch));
    return changedRows(member, affine, begin, end, this.#scratch[at]);
  }
}

/** Outputs of any number of rows, in the units of the network, on the calling thread. */
export function runRows(program: FrozenProgram, members: readonly InputMember[], { inputs }: Described): Float32Array {
  const parts = new Parts(program, members, inputs);
  for (let x = parts.next(); x !== undefined; x = parts.next()) {
    program.runInto(x, parts.rows, parts.y, 1, parts.begin);
  }
  return parts.all;
}
