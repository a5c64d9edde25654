// Examples that lie in native memory once, for all runs that read some of their rows.
import { type NativeSlab, native } from "../binding/native.js";
import { CarillonError, fail } from "../errors.js";
import type { Binding } from "../graph/binding.js";
import { pathsOf } from "../tensor/row_spec.js";
import { extent } from "../tensor/shape.js";
import type { BoundExamples } from "./bind.js";
import type { ExampleShape } from "./block.js";
import { targetColumns } from "./block.js";
import { makeRoom } from "./room.js";

/** An input, or the target, of packed rows. */
export interface PackedForm {
  readonly name: string;
  /** Of a row. */
  readonly shape: readonly number[];
  readonly dtype: "f32" | "i32";
}

/** Values of rows by the names of inputs. */
export type PackedInputs = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: Float32Array | Int32Array }>
>;

interface Part extends PackedForm {
  readonly columns: number;
  readonly slab: NativeSlab;
}

/** The share of all rows from which on all of them are read for some. */
const MANY = 8;

/** Rows of inputs and of one target, each in its own native memory: 4 bytes a number. */
export class Packed {
  readonly rows: number;
  readonly #inputs: readonly Part[];
  readonly #target: Part;

  private constructor(rows: number, inputs: readonly Part[], target: Part) {
    this.rows = rows;
    this.#inputs = inputs;
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
    for (const form of inputs) parts.push(await room(form));
    return new Packed(rows, parts, await room(target));
  }

  /** Bytes of all parts. */
  get bytes(): number {
    return [...this.#inputs, this.#target].reduce((sum, { columns }) => sum + 4 * columns * this.rows, 0);
  }

  /** Writes inputs of the rows from `begin` on. */
  write(begin: number, x: PackedInputs): void {
    for (const { name, columns, slab } of this.#inputs) {
      const given = x[name];
      if (given !== undefined && given.data.length > 0) native.slabWrite(slab, begin * columns, given.data);
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
    return Object.fromEntries(chosen.map((part) => [part.name, this.#pick(part, rows)]));
  }

  #pick({ shape, columns, dtype, slab }: Part, rows: Uint32Array): PackedInputs[string] {
    const memory = (count: number): Float32Array | Int32Array =>
      dtype === "f32" ? new Float32Array(count) : new Int32Array(count);
    const data = memory(rows.length * columns);
    const picked = { shape: [rows.length, ...shape], data };
    if (rows.length * MANY < this.rows) {
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
      lists: shape.inputs.map(() => undefined),
      outputs: shape.targets.map(() => ({ weight: undefined, zeros: false, units: undefined })),
    };
  }
}
