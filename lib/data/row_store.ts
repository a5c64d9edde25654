import { type NativeSlab, native } from "../binding/native.js";
import type { Binding } from "../graph/binding.js";

/** A part of all examples that lies together: an input, the targets of an output, its weights. */
export interface RowPart {
  /** Of the program's input. */
  readonly name: string;
  readonly columns: number;
  readonly dtype: "f32" | "i32" | "u8";
}

/** An input of lists: its ids have as many places a row as the longest list may need. */
export interface ListParts {
  /** Place of the lengths of its lists among the parts. */
  readonly lengths: number;
  /** Of the weights of their ids. */
  readonly weights: number | undefined;
}

/**
 * How examples lie in memory: the inputs, then the targets, then the weights of those outputs that have some, and what inputs of lists have
 * besides ids.
 */
export interface RowLayout {
  readonly parts: readonly RowPart[];
  /** Place of the weights of each output among the parts. */
  readonly weights: readonly (number | undefined)[];
  /** Of each input of lists. */
  readonly lists: readonly (ListParts | undefined)[];
}

/** Place of the lengths of the lists that the part at `place` holds elements of; `undefined` for any other. */
function lengthsOf({ lists }: RowLayout, place: number): number | undefined {
  for (let input = 0; input < lists.length; input++) {
    const own = lists[input];
    if (own !== undefined && (place === input || place === own.weights)) return own.lengths;
  }
  return undefined;
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

/** Copies the first `count` columns of a row. */
function copyRow(from: Flat, fromRow: number, to: Flat, toRow: number, columns: number, count: number): void {
  const source = fromRow * columns;
  const target = toRow * columns;
  if (count > LOOPED) {
    to.set(from.subarray(source, source + count), target);
    return;
  }
  for (let column = 0; column < count; column++) to[target + column] = from[source + column] ?? 0;
}

/** Memory for some examples. */
export class RowStore {
  readonly layout: RowLayout;
  /** In the order of the layout. */
  readonly parts: readonly PartMemory[];
  /** Number of the example of each row in its pass, from 0. */
  readonly examples: Float64Array;
  /** Of each part, as {@link lengthsOf} tells. */
  readonly #lengths: readonly (number | undefined)[];

  constructor(rows: number, layout: RowLayout) {
    this.layout = layout;
    this.#lengths = layout.parts.map((_, place) => lengthsOf(layout, place));
    this.parts = layout.parts.map(({ dtype, columns }) => memoryFor(dtype, rows * columns));
    this.examples = new Float64Array(rows);
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
      if (source === undefined || target === undefined) continue;
      const columns = parts[at]?.columns ?? 0;
      const lengths = this.#lengths[at];
      const count = lengths === undefined ? columns : (from.parts[lengths]?.data[fromRow] ?? 0);
      copyRow(source.data, fromRow, target.data, toRow, columns, count);
    }
    this.examples[toRow] = from.examples[fromRow] ?? 0;
  }
}

/** Examples in native memory, as programs read them. */
export class NativeRows {
  readonly bindings: ReadonlyMap<string, Binding>;
  readonly #slabs: readonly { readonly slab: NativeSlab; readonly columns: number }[];
  readonly #examples: Float64Array;

  /** @param scales What bytes of a part are multiplied by. */
  constructor(rows: number, layout: RowLayout, scales: readonly number[]) {
    const { parts, lists } = layout;
    const made = parts.map((part) => ({ ...part, slab: native.slabCreate(rows * part.columns, part.dtype) }));
    this.#slabs = made;
    this.#examples = new Float64Array(rows);
    const bindingOf = (place: number): Binding | undefined => {
      const part = made[place];
      if (part === undefined) return undefined;
      const { slab, dtype } = part;
      const input = lists.findIndex((own) => own?.lengths === place);
      const bounds = made[input < 0 ? (lengthsOf(layout, place) ?? -1) : place];
      if (bounds === undefined) return { kind: "feed", slab, dtype, samples: rows, scale: scales[place] ?? 1 };
      const { columns: width } = input < 0 ? part : (made[input] ?? part);
      const common = {
        kind: "lists",
        dtype,
        bounds: bounds.slab,
        width,
        samples: rows,
        entries: rows * width,
      } as const;
      return { ...common, slab: input < 0 ? slab : undefined };
    };
    this.bindings = new Map(
      made.flatMap(({ name }, place): [string, Binding][] => {
        const binding = bindingOf(place);
        return binding === undefined ? [] : [[name, binding]];
      }),
    );
  }

  /** Copies `count` rows of `store` from row `from` to row `to`. `ERR_BUSY` while a program reads this memory. */
  write(store: RowStore, from: number, to: number, count: number): void {
    if (count === 0) return;
    this.#examples.set(store.examples.subarray(from, from + count), to);
    for (const [at, { slab, columns }] of this.#slabs.entries()) {
      const data = store.parts[at]?.data;
      if (data !== undefined)
        native.slabWrite(slab, to * columns, data.subarray(from * columns, (from + count) * columns));
    }
  }

  /** Numbers of the examples of rows in their pass. */
  examplesOf(row: number, count: number): Float64Array {
    return this.#examples.slice(row, row + count);
  }
}
