// What networks are given of a table where that is too large for memory: in a file, which every epoch reads again.

import type { PackedForm, PackedInputs, WrittenInputs } from "../data/packed.js";
import { permutation } from "../data/permutation.js";
import { type Dataset, dataset, type StreamExample } from "../data/stream.js";
import { fileError } from "../io/file.js";
import { TemporaryFile } from "../io/temporary_file.js";
import { isFloats } from "../tensor/arrays.js";
import { seedKey } from "../tensor/philox.js";
import { extent } from "../tensor/shape.js";
import type { EncodedRows } from "./encoded.js";

/** Rows that stand together in the file: within them the inputs stand one behind the other. */
const STRETCH = 1024;

/** Rows of the shuffle buffer, and bytes, at most. */
const BUFFER = 65_536;
const BUFFER_BYTES = 33_554_432;

/** Keeps the order of the stretches apart from other draws of a seed: ARCHITECTURE.md, Random streams. */
const PURPOSE = 18;

interface Part extends PackedForm {
  readonly columns: number;
}

/** The rows of a part that a stretch has. */
type Values = Float32Array | Int32Array;

function memoryFor({ dtype }: Part, count: number): Values {
  return dtype === "f32" ? new Float32Array(count) : new Int32Array(count);
}

/** Rows in a file of the system's temporary folder, written once in their order; targets stay in memory. */
export class SpooledRows implements EncodedRows {
  readonly rows: number;
  readonly takesLists = false;
  readonly #inputs: readonly Part[];
  readonly #width: number;
  readonly #seed: number;
  readonly #file: TemporaryFile;
  /** The stretch that is being filled, and how many rows of it are there. */
  readonly #filled: readonly Values[];
  #count = 0;
  #written = 0;
  readonly #y: Values;

  private constructor(
    rows: number,
    inputs: readonly PackedForm[],
    target: PackedForm,
    seed: number,
    file: TemporaryFile,
  ) {
    this.rows = rows;
    this.#inputs = inputs.map((form) => ({ ...form, columns: extent(form.shape) }));
    this.#width = this.#inputs.reduce((sum, { columns }) => sum + columns, 0);
    this.#seed = seed;
    this.#file = file;
    this.#filled = this.#inputs.map((part) => memoryFor(part, STRETCH * part.columns));
    this.#y = memoryFor({ ...target, columns: extent(target.shape) }, rows * extent(target.shape));
  }

  /** An empty file for so many rows. */
  static async make(
    rows: number,
    inputs: readonly PackedForm[],
    target: PackedForm,
    seed: number,
  ): Promise<SpooledRows> {
    return new SpooledRows(rows, inputs, target, seed, await TemporaryFile.make("rows", "encoded rows"));
  }

  async write(_begin: number, x: WrittenInputs): Promise<void> {
    const [first] = Object.values(x);
    const rows = first !== undefined && "shape" in first ? (first.shape[0] ?? 0) : 0;
    for (let done = 0; done < rows; ) {
      const taken = Math.min(rows - done, STRETCH - this.#count);
      for (const [at, { name, columns }] of this.#inputs.entries()) {
        const given = x[name];
        if (given === undefined || "offsets" in given) continue;
        this.#filled[at]?.set(given.data.subarray(done * columns, (done + taken) * columns), this.#count * columns);
      }
      this.#count += taken;
      done += taken;
      if (this.#count === STRETCH || this.#written + this.#count === this.rows) await this.#flush();
    }
  }

  async #flush(): Promise<void> {
    const parts = this.#filled.map((values, at) => {
      const { columns } = this.#inputs[at] ?? { columns: 0 };
      return new Uint8Array(values.buffer, values.byteOffset, 4 * this.#count * columns);
    });
    const position = 4 * this.#width * this.#written;
    const bytes = 4 * this.#width * this.#count;
    try {
      const { bytesWritten } = await this.#file.handle.writev(parts, position);
      if (bytesWritten !== bytes) throw new Error(`room for ${bytesWritten} of ${bytes} bytes`);
    } catch (cause) {
      throw fileError(this.#file.path, "room for encoded rows", cause);
    }
    this.#written += this.#count;
    this.#count = 0;
  }

  writeTargets(begin: number, y: Values): void {
    this.#y.set(y, (begin * this.#y.length) / this.rows);
  }

  /** Inputs of the rows of a stretch. */
  async #stretch(
    at: number,
  ): Promise<{ readonly begin: number; readonly count: number; readonly values: readonly Values[] }> {
    const begin = at * STRETCH;
    const count = Math.min(STRETCH, this.rows - begin);
    const bytes = new Uint8Array(4 * this.#width * count);
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesRead } = await this.#file.handle.read(
          bytes,
          done,
          bytes.length - done,
          4 * this.#width * begin + done,
        );
        if (bytesRead === 0) throw new Error("a file that is shorter");
        done += bytesRead;
      }
    } catch (cause) {
      throw fileError(this.#file.path, "the encoded rows that were written", cause);
    }
    let from = 0;
    const values = this.#inputs.map(({ columns, dtype }): Values => {
      const length = count * columns;
      const own =
        dtype === "f32" ? new Float32Array(bytes.buffer, from, length) : new Int32Array(bytes.buffer, from, length);
      from += 4 * length;
      return own;
    });
    return { begin, count, values };
  }

  /** Rows as a stream: stretches in an order of the seed, which a buffer of rows shuffles further, or in that of the table. */
  take(rows: Uint32Array, use: "training" | "validation", names: readonly string[]): Dataset {
    const stretches = Math.ceil(this.rows / STRETCH);
    const order =
      use === "training"
        ? permutation(stretches, PURPOSE, seedKey("fit.seed", this.#seed))
        : Uint32Array.from({ length: stretches }, (_, at) => at);
    const most = Math.min(BUFFER, Math.max(STRETCH, Math.floor(BUFFER_BYTES / (4 * this.#width))));
    return dataset(() => this.#items(rows, order, names), { shuffleBuffer: use === "training" ? most : 1 });
  }

  async *#items(rows: Uint32Array, order: Uint32Array, names: readonly string[]): AsyncGenerator<StreamExample> {
    for (const at of order) {
      const begin = at * STRETCH;
      const first = firstFrom(rows, begin);
      const last = firstFrom(rows, begin + STRETCH);
      if (first === last) continue;
      const { values } = await this.#stretch(at);
      const own = rows.subarray(first, last);
      const x = Object.fromEntries(
        this.#inputs.flatMap((part, index) => {
          if (!names.includes(part.name)) return [];
          const data = pickRows(values[index] ?? new Float32Array(), part.columns, own, begin);
          return [[part.name, { shape: [own.length, ...part.shape], data }] as const];
        }),
      );
      yield { x, y: this.#targets(own) };
    }
  }

  #targets(rows: Uint32Array): StreamExample["y"] {
    const columns = this.#y.length / this.rows;
    const data = pickRows(this.#y, columns, rows, 0);
    return columns === 1 ? data : { shape: [rows.length, columns], data };
  }

  async pick(rows: Uint32Array, names: readonly string[]): Promise<PackedInputs> {
    const chosen = this.#inputs.flatMap((part, index) => (names.includes(part.name) ? [{ part, index }] : []));
    const picked = chosen.map(({ part }) => memoryFor(part, rows.length * part.columns));
    for (let done = 0; done < rows.length; ) {
      const stretch = Math.floor((rows[done] ?? 0) / STRETCH);
      let end = done + 1;
      while (end < rows.length && Math.floor((rows[end] ?? 0) / STRETCH) === stretch) end += 1;
      const { begin, values } = await this.#stretch(stretch);
      for (const [at, { part, index }] of chosen.entries()) {
        const own = pickRows(values[index] ?? new Float32Array(), part.columns, rows.subarray(done, end), begin);
        picked[at]?.set(own, done * part.columns);
      }
      done = end;
    }
    return Object.fromEntries(
      chosen.map(({ part: { name, shape } }, at) => {
        return [name, { shape: [rows.length, ...shape], data: picked[at] ?? new Float32Array() }];
      }),
    );
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** The place of the first of ascending numbers that is not below another one. */
function firstFrom(rows: Uint32Array, least: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle] ?? 0) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Values of rows by their ascending numbers; those of the row `begin` stand first. */
function pickRows(values: Values, columns: number, rows: Uint32Array, begin: number): Values {
  const first = (rows[0] ?? 0) - begin;
  if ((rows.at(-1) ?? 0) - begin - first === rows.length - 1)
    return values.subarray(first * columns, (first + rows.length) * columns);
  const picked = isFloats(values) ? new Float32Array(rows.length * columns) : new Int32Array(rows.length * columns);
  for (let at = 0; at < rows.length; at++) {
    const from = ((rows[at] ?? 0) - begin) * columns;
    for (let place = 0; place < columns; place++) picked[at * columns + place] = values[from + place] ?? 0;
  }
  return picked;
}
