// Raw rows through fitted columns, into the memory that a network reads.
import type { Lists } from "../../data/dataset.js";
import { CarillonError, describe, fail } from "../../errors.js";
import { nearest } from "../../words.js";
import { cellOf, type TextColumn } from "../column.js";
import type { Table } from "../table.js";
import { failColumn } from "../table.js";
import type { Feature, PreparedInputs, RawRow } from "./features.js";
import type { Where } from "./transform.js";

/** An input of rows, as `fit` and `predict` take it. */
export interface EncodedInput {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** Rows as inputs. */
export interface Encoded {
  readonly x: Readonly<Record<string, EncodedInput>>;
  /** Rows with a category that no training row had, by column. */
  readonly unseen: Readonly<Record<string, number>>;
}

/** Rows as inputs, texts as lists of any length: what `ragged("i32")` takes. */
export interface EncodedLists {
  readonly x: Readonly<Record<string, EncodedInput | Lists>>;
  /** As of {@link Encoded}. */
  readonly unseen: Readonly<Record<string, number>>;
}

/** What stands behind the ids of a bag. */
const NO_ID = -1;

/** Ids of texts, one row behind the other. */
class IdLists {
  readonly #offsets: Int32Array;
  #ids = new Int32Array(1024);

  constructor(rows: number) {
    this.#offsets = new Int32Array(rows + 1);
  }

  /** Ids of the row that follows the last. */
  set(row: number, ids: Int32Array): void {
    const begin = this.#offsets[row] ?? 0;
    const end = begin + ids.length;
    if (end > this.#ids.length) {
      const wider = new Int32Array(Math.max(end, 2 * this.#ids.length));
      wider.set(this.#ids);
      this.#ids = wider;
    }
    this.#ids.set(ids, begin);
    this.#offsets[row + 1] = end;
  }

  made(): Lists {
    return { offsets: this.#offsets, ids: this.#ids.slice(0, this.#offsets.at(-1) ?? 0) };
  }
}

/** How the ids of texts are given: in rows of the most ids, −1 behind them, or as lists. */
export type TextForm = "padded" | "lists";

/** Memory of all inputs. */
export class Outputs {
  readonly numbers: Float32Array;
  readonly flags: Float32Array;
  readonly codes: Int32Array;
  /** Texts by rows of one length, or as lists. */
  readonly #bags: readonly Int32Array[];
  readonly #lists: readonly IdLists[];
  readonly unseen = new Map<string, number>();
  readonly rows: number;
  readonly #inputs: PreparedInputs;

  constructor(inputs: PreparedInputs, rows: number, texts: TextForm) {
    this.#inputs = inputs;
    this.rows = rows;
    this.numbers = new Float32Array(rows * inputs.numbers.length);
    this.flags = new Float32Array(rows * inputs.flags.length);
    this.codes = new Int32Array(rows * inputs.categories.length);
    const [padded, listed] = texts === "padded" ? [inputs.texts, []] : [[], inputs.texts];
    this.#bags = padded.map(({ most }) => new Int32Array(rows * most).fill(NO_ID));
    this.#lists = listed.map(() => new IdLists(rows));
  }

  note(column: string): void {
    this.unseen.set(column, this.unseenIn(column) + 1);
  }

  unseenIn(column: string): number {
    return this.unseen.get(column) ?? 0;
  }

  setIds(bag: number, row: number, ids: Int32Array, most: number): void {
    this.#bags[bag]?.set(ids, row * most);
    this.#lists[bag]?.set(row, ids);
  }

  encodedLists(): EncodedLists {
    const { x, unseen } = this.encoded();
    const lists = this.#inputs.texts.flatMap(({ input }, at) => {
      const made = this.#lists[at]?.made();
      return made === undefined ? [] : [[input, made] as const];
    });
    return { x: { ...x, ...Object.fromEntries(lists) }, unseen };
  }

  encoded(): Encoded {
    const { numbers, flags, categories, texts } = this.#inputs;
    const x: Record<string, EncodedInput> = {};
    if (numbers.length > 0) x.numbers = { shape: [this.rows, numbers.length], data: this.numbers };
    if (flags.length > 0) x.flags = { shape: [this.rows, flags.length], data: this.flags };
    if (categories.length > 0) x.categories = { shape: [this.rows, categories.length], data: this.codes };
    texts.forEach(({ input, most }, at) => {
      const data = this.#bags[at];
      if (data !== undefined) x[input] = { shape: [this.rows, most], data };
    });
    return { x, unseen: Object.fromEntries(this.unseen) };
  }
}

/** The place of a value: only an error asks for its words. */
class Place implements Where {
  row = 0;
  column = "";
  readonly #placeOf: (row: number) => string;

  constructor(placeOf: (row: number) => string) {
    this.#placeOf = placeOf;
  }

  toString(): string {
    return `${this.#placeOf(this.row)}, column '${this.column}'`;
  }
}

/** One value through its column. */
function encodeValue(
  { column, encoder }: Feature,
  value: unknown,
  row: number,
  at: number,
  outputs: Outputs,
  inputs: PreparedInputs,
  place: Place,
): void {
  switch (encoder.gives) {
    case "numbers":
      if (encoder.write(place, value, outputs.numbers, row * inputs.numbers.length + at)) outputs.note(column);
      return;
    case "flags":
      if (encoder.write(place, value, outputs.flags, row * inputs.flags.length + at)) outputs.note(column);
      return;
    case "code": {
      const code = encoder.code(place, value);
      outputs.codes[row * inputs.categories.length + at] = code;
      if (code === 0 && encoder.isUnseen(value)) outputs.note(column);
      return;
    }
    case "bag":
      outputs.setIds(at, row, encoder.ids(place, value), encoder.most);
  }
}

/** The first place of each feature among the inputs of its kind. */
function placesOf(features: readonly Feature[]): readonly number[] {
  const next = { numbers: 0, flags: 0, code: 0, bag: 0 };
  return features.map(({ encoder }) => {
    const at = next[encoder.gives];
    next[encoder.gives] += "names" in encoder ? encoder.names.length : 1;
    return at;
  });
}

/** Rows that are objects, from `begin` to `end`. A key that is not there is refused; `null` and `undefined` are missing. */
export function encodeRows(
  features: readonly Feature[],
  inputs: PreparedInputs,
  rows: readonly RawRow[],
  texts: TextForm,
  begin: number,
  end: number,
): Outputs {
  const outputs = new Outputs(inputs, end - begin, texts);
  const place = new Place((row) => `row ${row}`);
  const places = placesOf(features);
  for (let row = begin; row < end; row++) {
    const given = rows[row];
    if (typeof given !== "object" || given === null) fail("ERR_DATA", `row ${row}`, "an object", given);
    place.row = row;
    for (let at = 0; at < features.length; at++) {
      const feature = features[at];
      if (feature === undefined) continue;
      const value = given[feature.column];
      place.column = feature.column;
      if (value === undefined && !Object.hasOwn(given, feature.column)) failKey(row, feature.column, given);
      encodeValue(feature, value, row - begin, places[at] ?? 0, outputs, inputs, place);
    }
  }
  return outputs;
}

function failKey(row: number, column: string, given: RawRow): never {
  const where = `row ${row}`;
  const near = nearest(column, Object.keys(given));
  const received = near === undefined ? describe(given) : `'${near}'`;
  throw new CarillonError(
    "ERR_DATA",
    where,
    `expected '${column}' in '${where}', null where it is missing, but received ${received}`,
  );
}

/** Bytes of inputs that are written column by column before the next rows are: they stay in the processor's memory. */
const TILE = 262_144;

/** Rows that are written column by column. */
function tileRows({ numbers, flags, categories }: PreparedInputs): number {
  return Math.max(64, Math.floor(TILE / (4 * Math.max(1, numbers.length + flags.length + categories.length))));
}

/** Writes the rows [begin, end) of a column. */
type Writer = (begin: number, end: number) => void;

/** A table: each text is encoded once. */
export function encodeTable(
  features: readonly Feature[],
  inputs: PreparedInputs,
  table: Table,
  texts: TextForm = "padded",
): Outputs {
  const outputs = new Outputs(inputs, table.rows, texts);
  const places = placesOf(features);
  const writers = features.map((feature, index) => {
    if (!table.has(feature.column)) failColumn("rows", feature.column, table.names, table.places.sources);
    return writerOf(feature, table, places[index] ?? 0, outputs, inputs);
  });
  const tile = tileRows(inputs);
  for (let begin = 0; begin < table.rows; begin += tile)
    for (const write of writers) write(begin, Math.min(begin + tile, table.rows));
  return outputs;
}

function writerOf(feature: Feature, table: Table, at: number, outputs: Outputs, inputs: PreparedInputs): Writer {
  const { encoder } = feature;
  const column = table.column(feature.column);
  const place = new Place((row) => table.place(row));
  place.column = feature.column;
  if (column.kind === "text" && encoder.gives !== "bag")
    return levelWriter(feature, column, at, outputs, inputs, place);
  // A moment needs no Date to be made of it.
  const moments = column.kind === "date" && feature.schema.kind === "date" ? column.values : undefined;
  const numbers = column.kind === "number" && encoder.gives === "numbers" ? encoder.writeNumbers : undefined;
  const width = inputs.numbers.length;
  return (begin, end) => {
    const written =
      numbers !== undefined && column.kind === "number"
        ? numbers(column.values.subarray(begin, end), outputs.numbers, begin * width + at, width)
        : 0;
    for (let row = begin + written; row < end; row++) {
      place.row = row;
      const value = moments === undefined ? cellOf(column, row) : moments[row];
      encodeValue(feature, value, row, at, outputs, inputs, place);
    }
  };
}

/** The rows of a column of texts: those of a text that stood before are as that one. */
function levelWriter(
  feature: Feature,
  column: TextColumn,
  at: number,
  outputs: Outputs,
  inputs: PreparedInputs,
  place: Place,
): Writer {
  const { encoder } = feature;
  const { codes } = column;
  const width = "names" in encoder ? encoder.names.length : 1;
  const [target, stride] =
    encoder.gives === "numbers"
      ? [outputs.numbers, inputs.numbers.length]
      : encoder.gives === "flags"
        ? [outputs.flags, inputs.flags.length]
        : [outputs.codes, inputs.categories.length];
  // By text, and then what is missing: the row that it stood in first, and whether it is one that nobody has seen.
  const firsts = new Int32Array(column.levels.length + 1).fill(-1);
  const isUnseen = new Uint8Array(firsts.length);
  return (begin, end) => {
    for (let row = begin; row < end; row++) {
      const code = codes[row] ?? -1;
      const level = code < 0 ? column.levels.length : code;
      const first = firsts[level] ?? -1;
      if (first < 0) {
        firsts[level] = row;
        place.row = row;
        const before = outputs.unseenIn(feature.column);
        encodeValue(feature, code < 0 ? null : column.levels[code], row, at, outputs, inputs, place);
        if (outputs.unseenIn(feature.column) > before) isUnseen[level] = 1;
        continue;
      }
      const [from, to] = [first * stride + at, row * stride + at];
      for (let part = 0; part < width; part++) target[to + part] = target[from + part] ?? 0;
      if (isUnseen[level] === 1) outputs.note(feature.column);
    }
  };
}
