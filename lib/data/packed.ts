// Examples that lie in native memory once, for all runs that read some of their rows.
import { type NativeSlab, native } from "../binding/native.js";
import { CarillonError, fail } from "../errors.js";
import type { Binding } from "../graph/binding.js";
import { listNames } from "../tensor/ragged_value.js";
import { pathsOf } from "../tensor/row_spec.js";
import { extent } from "../tensor/shape.js";
import type { BoundExamples } from "./bind.js";
import { type BoundLists, roomOf } from "./bind_lists.js";
import type { ExampleShape } from "./block.js";
import { targetColumns } from "./block.js";
import type { Lists } from "./dataset.js";
import { makeRoom } from "./room.js";

/** An input, or the target, of packed rows. */
export interface PackedForm {
  readonly name: string;
  /** Of a row. */
  readonly shape: readonly number[];
  readonly dtype: "f32" | "i32";
  /** Rows are written as lists of integers; `shape` is that of rows that are as long as the longest, −1 behind the others. */
  readonly lists?: boolean | undefined;
}

/** Values of rows by the names of inputs. */
export type PackedInputs = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: Float32Array | Int32Array }>
>;

/** The same, where rows may be lists. */
export type WrittenInputs = Readonly<Record<string, PackedInputs[string] | Lists>>;

interface Part extends PackedForm {
  readonly columns: number;
  readonly slab: NativeSlab;
}

/** The share of all rows from which on all of them are read for some, and how wide rows are read one by one. */
const MANY = 8;
const WIDE = 64;

/** Most integers of all lists: they are counted in 32-bit words. */
const MOST = 2_147_483_647;

/** Rows that are lists, one behind the other: in pieces until the last row is written. */
class PackedLists {
  readonly name: string;
  readonly columns: number;
  readonly #offsets: Int32Array;
  #pieces: Int32Array[] = [];
  #ids: NativeSlab | undefined;
  #bounds: NativeSlab | undefined;

  constructor(name: string, columns: number, rows: number) {
    this.name = name;
    this.columns = columns;
    this.#offsets = new Int32Array(rows + 1);
  }

  get rows(): number {
    return this.#offsets.length - 1;
  }

  /** Integers of all lists. */
  get entries(): number {
    return this.#offsets.at(-1) ?? 0;
  }

  write(begin: number, { offsets, ids }: Lists): void {
    const [before, rows] = [this.#offsets[begin] ?? 0, offsets.length - 1];
    if (before + ids.length > MOST) fail("ERR_DATA", this.name, `at most ${MOST} ids in all`, before + ids.length);
    for (let row = 1; row <= rows; row++) this.#offsets[begin + row] = before + (offsets[row] ?? 0);
    if (ids.length > 0) this.#pieces.push(ids);
    if (begin + rows < this.rows) return;
    this.#bounds = native.slabCreate(this.#offsets.length, "i32");
    native.slabWrite(this.#bounds, 0, this.#offsets);
    this.#ids = native.slabCreate(Math.max(1, this.entries), "i32");
    let at = 0;
    for (const piece of this.#pieces) {
      native.slabWrite(this.#ids, at, piece);
      at += piece.length;
    }
    this.#pieces = [];
  }

  /** Rows of one length, −1 behind a list. */
  pick(rows: Uint32Array): PackedInputs[string] {
    const { columns } = this;
    const data = new Int32Array(rows.length * columns).fill(-1);
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at] ?? 0;
      const [begin = 0, end = 0] = [this.#offsets[row], this.#offsets[row + 1]];
      if (this.#ids !== undefined && end > begin)
        native.slabRead(this.#ids, begin, data.subarray(at * columns, at * columns + end - begin));
    }
    return { shape: [rows.length, columns], data };
  }

  bind(path: string, fed: number, bindings: Map<string, Binding>): void {
    const [bounds, slab] = [this.#bounds, this.#ids];
    if (bounds === undefined || slab === undefined)
      throw new CarillonError("ERR_STATE", path, `expected lists of all rows for '${path}'`);
    const common = { kind: "lists", bounds, width: 0, samples: this.rows, fed, entries: this.entries } as const;
    const names = listNames(path);
    bindings.set(names.ends, { ...common, slab: undefined, dtype: "i32" });
    bindings.set(names.ids, { ...common, slab, dtype: "i32" });
  }

  /** As programs make room for some of the rows. */
  boundOf(rows: Uint32Array): BoundLists {
    const counts = new Map<number, number>();
    for (const row of rows) {
      const length = (this.#offsets[row + 1] ?? 0) - (this.#offsets[row] ?? 0);
      counts.set(length, (counts.get(length) ?? 0) + 1);
    }
    return { weighted: false, room: (some) => roomOf(counts, some) };
  }
}

/** Rows of inputs and of one target, each in its own native memory: 4 bytes a number. */
export class Packed {
  readonly rows: number;
  readonly takesLists = true;
  readonly #inputs: readonly Part[];
  readonly #lists: readonly PackedLists[];
  readonly #target: Part;

  private constructor(rows: number, inputs: readonly Part[], lists: readonly PackedLists[], target: Part) {
    this.rows = rows;
    this.#inputs = inputs;
    this.#lists = lists;
    this.#target = target;
  }

  /** Memory for so many rows, all 0. */
  static async make(
    rows: number,
    inputs: readonly PackedForm[],
    target: PackedForm,
    signal?: AbortSignal | undefined,
  ): Promise<Packed> {
    const room = async (form: PackedForm): Promise<Part> => {
      const columns = extent(form.shape);
      return { ...form, columns, slab: await makeRoom(rows * columns, form.dtype, signal) };
    };
    const parts: Part[] = [];
    for (const form of inputs) if (form.lists !== true) parts.push(await room(form));
    const listed = inputs.filter(({ lists }) => lists === true);
    const lists = listed.map(({ name, shape }) => new PackedLists(name, extent(shape), rows));
    return new Packed(rows, parts, lists, await room(target));
  }

  /** Bytes of all parts. */
  get bytes(): number {
    const ids = this.#lists.reduce((sum, { entries }) => sum + 4 * entries, 0);
    return [...this.#inputs, this.#target].reduce((sum, { columns }) => sum + 4 * columns * this.rows, ids);
  }

  /** Writes inputs of the rows from `begin` on; lists of all rows, in their order. */
  write(begin: number, x: WrittenInputs): void {
    for (const lists of this.#lists) {
      const given = x[lists.name];
      if (given !== undefined && "offsets" in given) lists.write(begin, given);
    }
    for (const { name, columns, slab } of this.#inputs) {
      const given = x[name];
      if (given !== undefined && "data" in given && given.data.length > 0)
        native.slabWrite(slab, begin * columns, given.data);
    }
  }

  /** Writes targets of the rows from `begin` on. */
  writeTargets(begin: number, y: Float32Array | Int32Array): void {
    const { columns, slab } = this.#target;
    if (y.length > 0) native.slabWrite(slab, begin * columns, y);
  }

  /** These inputs of some rows, in their order. */
  pick(rows: Uint32Array, names: readonly string[]): PackedInputs {
    const chosen = this.#inputs.filter(({ name }) => names.includes(name));
    const lists = this.#lists.filter(({ name }) => names.includes(name));
    return Object.fromEntries([
      ...chosen.map((part) => [part.name, this.#pick(part, rows)] as const),
      ...lists.map((one) => [one.name, one.pick(rows)] as const),
    ]);
  }

  #pick({ shape, columns, dtype, slab }: Part, rows: Uint32Array): PackedInputs[string] {
    const memory = (count: number): Float32Array | Int32Array =>
      dtype === "f32" ? new Float32Array(count) : new Int32Array(count);
    const data = memory(rows.length * columns);
    const picked = { shape: [rows.length, ...shape], data };
    if (rows.length * MANY < this.rows || columns >= WIDE) {
      for (let at = 0; at < rows.length; at++)
        native.slabRead(slab, (rows[at] ?? 0) * columns, data.subarray(at * columns, (at + 1) * columns));
      return picked;
    }
    const all = memory(this.rows * columns);
    if (all.length > 0) native.slabRead(slab, 0, all);
    for (let at = 0; at < rows.length; at++) {
      const from = (rows[at] ?? 0) * columns;
      for (let place = 0; place < columns; place++) data[at * columns + place] = all[from + place] ?? 0;
    }
    return picked;
  }

  /** These rows as examples of `fit`, in their order; they may not change then. */
  take(rows: Uint32Array): PackedRows {
    return new PackedRows(this, rows);
  }

  /** Nothing is to be taken away: the memory goes with whoever has it. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Of an input whose rows are lists. @internal */
  listsOf(name: string, rows: Uint32Array): BoundLists | undefined {
    return this.#lists.find((one) => one.name === name)?.boundOf(rows);
  }

  /** The memory as programs read it, where it is that of `shape`. @internal */
  bindings(where: string, shape: ExampleShape, fed: number): ReadonlyMap<string, Binding> {
    const bindings = new Map<string, Binding>();
    const bind = (path: string, part: Part | undefined, columns: number): void => {
      if (part?.columns !== columns) fail("ERR_SHAPE", `${where}.${path}`, `rows of ${columns} numbers`, part?.columns);
      const { slab, dtype } = part;
      bindings.set(path, { kind: "feed", slab, dtype, samples: this.rows, fed, scale: 1 });
    };
    for (const [at, path] of pathsOf("x", shape.inputs).entries()) {
      const form = shape.inputs[at];
      if (form?.ragged !== undefined) {
        const own = this.#lists.find(({ name }) => name === form.name);
        (own ?? fail("ERR_SHAPE", `${where}.${path}`, "lists", undefined)).bind(path, fed, bindings);
        continue;
      }
      const part = this.#inputs.find(({ name }) => name === form?.name) ?? this.#inputs[at];
      bind(path, part, extent(form?.shape ?? []));
    }
    for (const [at, path] of pathsOf("y", shape.targets).entries()) {
      const form = shape.targets[at];
      if (form !== undefined) bind(path, this.#target, targetColumns(form));
    }
    return bindings;
  }
}

/** Some rows of {@link Packed}, as examples of a run. */
export class PackedRows {
  readonly packed: Packed;
  readonly rows: Uint32Array;

  /** @internal */
  constructor(packed: Packed, rows: Uint32Array) {
    this.packed = packed;
    this.rows = rows;
  }

  /** As programs read them: nothing is copied but the numbers of the rows. */
  bind(where: string, shape: ExampleShape): BoundExamples {
    const { packed, rows } = this;
    if (rows.length === 0) throw new CarillonError("ERR_DATA", where, `expected a row or more for '${where}'`);
    const slab = native.slabCreate(rows.length, "i32");
    native.slabWrite(slab, 0, new Int32Array(rows.buffer, rows.byteOffset, rows.length));
    return {
      samples: rows.length,
      set: { whole: `'${where}'` },
      rows: slab,
      bindings: packed.bindings(where, shape, rows.length),
      inputs: shape.inputs.map(() => undefined),
      lists: shape.inputs.map(({ name, ragged }) => (ragged === undefined ? undefined : packed.listsOf(name, rows))),
      outputs: shape.targets.map(() => ({ weight: undefined, zeros: false, units: undefined })),
    };
  }
}
