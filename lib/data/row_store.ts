import { type NativeSlab, native } from "../binding/native.js";
import type { Binding } from "../graph/binding.js";

/** What of every example lies together: an input, the targets of an output, its weights. */
export interface RowPart {
  /** Of the program's input. */
  readonly name: string;
  readonly columns: number;
  readonly dtype: "f32" | "i32" | "u8";
}

/** How examples lie in memory: the inputs, then the targets, then the weights of those outputs that have some. */
export interface RowLayout {
  readonly parts: readonly RowPart[];
  /** Place of the weights of each output among the parts. */
  readonly weights: readonly (number | undefined)[];
}

/** Columns up to which a loop copies faster than `set`. */
const LOOPED = 48;

/** Values of rows one after another. */
export type Flat = Float32Array | Int32Array | Uint8Array;

/** Memory of a part. */
export type PartMemory =
  | { readonly dtype: "f32"; readonly data: Float32Array }
  | { readonly dtype: "i32"; readonly data: Int32Array }
  | { readonly dtype: "u8"; readonly data: Uint8Array };

function memoryFor(dtype: RowPart["dtype"], count: number): PartMemory {
  if (dtype === "u8") return { dtype, data: new Uint8Array(count) };
  return dtype === "i32" ? { dtype, data: new Int32Array(count) } : { dtype, data: new Float32Array(count) };
}

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
  /** In the order of the layout. */
  readonly parts: readonly PartMemory[];

  constructor(rows: number, layout: RowLayout) {
    this.layout = layout;
    this.parts = layout.parts.map(({ dtype, columns }) => memoryFor(dtype, rows * columns));
  }

  /** Bytes of one example. */
  static bytesOf({ parts }: RowLayout): number {
    const WORD = 4;
    return parts.reduce((sum, { columns, dtype }) => sum + columns * (dtype === "u8" ? 1 : WORD), 0);
  }

  /** Overwrites row `toRow` by row `fromRow` of `from`. */
  copy(from: RowStore, fromRow: number, toRow: number): void {
    const { parts } = this.layout;
    for (let at = 0; at < parts.length; at++) {
      const source = from.parts[at];
      const target = this.parts[at];
      if (source !== undefined && target !== undefined)
        copyRow(source.data, fromRow, target.data, toRow, parts[at]?.columns ?? 0);
    }
  }
}

/** Examples in native memory, as programs read them. */
export class NativeRows {
  readonly bindings: ReadonlyMap<string, Binding>;
  readonly #slabs: readonly { readonly slab: NativeSlab; readonly columns: number }[];

  /** @param scales What bytes of a part are multiplied by. */
  constructor(rows: number, { parts }: RowLayout, scales: readonly number[]) {
    const made = parts.map((part, at) => {
      return { ...part, slab: native.slabCreate(rows * part.columns, part.dtype), scale: scales[at] ?? 1 };
    });
    this.#slabs = made;
    this.bindings = new Map(
      made.map(({ name, slab, dtype, scale }) => [name, { kind: "feed", slab, dtype, samples: rows, scale }] as const),
    );
  }

  /** Copies `count` rows of `store` from row `from` to row `to`. `ERR_BUSY` while a program reads this memory. */
  write(store: RowStore, from: number, to: number, count: number): void {
    if (count === 0) return;
    for (const [at, { slab, columns }] of this.#slabs.entries()) {
      const data = store.parts[at]?.data;
      if (data !== undefined)
        native.slabWrite(slab, to * columns, data.subarray(from * columns, (from + count) * columns));
    }
  }
}
