import { native } from "../binding/native.js";
import type { Binding } from "../graph/binding.js";

/** How examples lie in memory. */
export interface RowLayout {
  readonly inputs: number;
  /** Values of y a row: 1 for classes. */
  readonly columns: number;
  readonly dtype: "f32" | "u8";
  readonly classes: boolean;
  readonly weighted: boolean;
}

/** Columns up to which a loop copies faster than `set`. */
const LOOPED = 48;

type Flat = Float32Array | Int32Array | Uint8Array;

function copyRow(from: Flat, fromRow: number, to: Flat, toRow: number, columns: number): void {
  const source = fromRow * columns;
  const target = toRow * columns;
  if (columns > LOOPED) {
    to.set(from.subarray(source, source + columns), target);
    return;
  }
  for (let column = 0; column < columns; column++) to[target + column] = from[source + column] ?? 0;
}

/** Memory for some examples. */
export class RowStore {
  readonly layout: RowLayout;
  readonly x: Float32Array | Uint8Array;
  readonly y: Float32Array | Int32Array;
  readonly weight: Float32Array | undefined;

  constructor(rows: number, layout: RowLayout) {
    const { inputs, columns, dtype, classes, weighted } = layout;
    this.layout = layout;
    this.x = dtype === "u8" ? new Uint8Array(rows * inputs) : new Float32Array(rows * inputs);
    this.y = classes ? new Int32Array(rows) : new Float32Array(rows * columns);
    this.weight = weighted ? new Float32Array(rows) : undefined;
  }

  /** Bytes of one example. */
  static bytesOf({ inputs, columns, dtype, weighted }: RowLayout): number {
    const FLOAT = 4;
    return inputs * (dtype === "u8" ? 1 : FLOAT) + FLOAT * (columns + (weighted ? 1 : 0));
  }

  /** Overwrites row `toRow` by row `fromRow` of `from`. */
  copy(from: RowStore, fromRow: number, toRow: number): void {
    copyRow(from.x, fromRow, this.x, toRow, this.layout.inputs);
    copyRow(from.y, fromRow, this.y, toRow, this.layout.columns);
    if (this.weight !== undefined) this.weight[toRow] = from.weight?.[fromRow] ?? 1;
  }
}

/** Examples in native memory, as programs read them. */
export class NativeRows {
  readonly bindings: ReadonlyMap<string, Binding>;
  readonly #parts: readonly { readonly name: "x" | "y" | "weight"; readonly columns: number }[];

  constructor(rows: number, { inputs, columns, dtype, classes, weighted }: RowLayout, scale: number) {
    const parts = [
      { name: "x", columns: inputs, dtype, scale },
      { name: "y", columns, dtype: classes ? "i32" : "f32", scale: 1 },
      ...(weighted ? [{ name: "weight", columns: 1, dtype: "f32", scale: 1 } as const] : []),
    ] as const;
    this.#parts = parts;
    this.bindings = new Map(
      parts.map((part) => {
        const slab = native.slabCreate(rows * part.columns, part.dtype);
        return [part.name, { kind: "feed", slab, dtype: part.dtype, samples: rows, scale: part.scale }] as const;
      }),
    );
  }

  /** Copies `count` rows of `store` from row `from` to row `to`. `ERR_BUSY` while a program reads this memory. */
  write(store: RowStore, from: number, to: number, count: number): void {
    if (count === 0) return;
    for (const { name, columns } of this.#parts) {
      const slab = this.bindings.get(name)?.slab;
      const data = store[name];
      if (slab === undefined || data === undefined) continue;
      native.slabWrite(slab, to * columns, data.subarray(from * columns, (from + count) * columns));
    }
  }
}
