// From rows as they are to what a network takes: fitted once, kept as JSON, the same in every process.
import { turn } from "../../binding/clock.js";
import type { Description, Json } from "../../described.js";
import { fail, introduce } from "../../errors.js";
import { Part } from "../../io/part.js";
import { checkKeys, checkOneOf } from "../../options.js";
import { INSPECT, type Inspect, type InspectOptions, inspectDescription } from "../../tensor/inspect.js";
import { type FoldOptions, foldTaker } from "../fold.js";
import type { TableOptions } from "../options.js";
import { readBlocks } from "../read.js";
import { checkSchema, type Schema } from "../schema/schema.js";
import type { ByteStream } from "../source.js";
import type { SqlSource } from "../sql/source.js";
import { failColumn, Table } from "../table.js";
import { type GivenColumns, type GivenRows, tableOfValues } from "../values.js";
import { type Encoded, type EncodedLists, encodeRows, encodeTable, type Outputs, type TextForm } from "./encode.js";
import type { Feature, PreparedInputs, RawRow } from "./features.js";
import { JoinedInputs, TURN_ROWS } from "./joined.js";
import { columnTransforms } from "./kinds.js";
import { type Target, type Targets, targetJson, targetOf, targetsIn } from "./target.js";

/** Of the layout of the JSON. */
const VERSION = 1;

/** Rows as they are: one, several, columns by name, a table. */
export type RawRows = RawRow | GivenRows | GivenColumns | Table;

/** What {@link Preparation.blocks} reads. */
export type BlocksSource = string | URL | readonly string[] | Uint8Array | ByteStream | SqlSource | Table;

/** Options of {@link Preparation.blocks}. */
export interface BlocksOptions extends TableOptions {
  readonly fold?: FoldOptions | undefined;
}

/** Rows as examples of a data set. */
export interface PreparedExamples extends Encoded {
  readonly y: Targets;
}

/** Options of `encode` and `examples`. */
interface EncodeOptions {
  readonly texts?: TextForm | undefined;
}

function textForm(where: string, options: EncodeOptions): TextForm {
  checkKeys(where, options, ["texts"]);
  return checkOneOf(`${where}.texts`, options.texts ?? "padded", ["padded", "lists"]);
}

/** Made by {@link prepare}, and of its JSON by {@link preparationOf}. */
export class Preparation {
  readonly schema: Schema;
  /** Rows that it was fitted on. */
  readonly rows: number;
  readonly inputs: PreparedInputs;
  /** The same columns in another form, for networks that are given it: inputs `numbers2`, `flags2` and `categories2`. */
  readonly second: PreparedInputs | undefined;
  /** What it is trained to say; `undefined` where the schema has no target. */
  readonly target: Target | undefined;
  readonly #features: readonly Feature[];
  readonly #second: readonly Feature[];
  /** Names of the inputs that it gives; `undefined`: all of them. */
  readonly #given: readonly string[] | undefined;

  /** @internal */
  constructor(
    schema: Schema,
    rows: number,
    features: readonly Feature[],
    target: Target | undefined,
    second: readonly Feature[] = [],
    given?: readonly string[] | undefined,
  ) {
    this.schema = schema;
    this.rows = rows;
    this.#features = features;
    this.#second = second;
    this.#given = given;
    this.target = target;
    this.inputs = inputsOf(features);
    this.second = second.length === 0 ? undefined : inputsOf(second);
  }

  /** The same that gives inputs of these names alone. @internal */
  giving(names: readonly string[]): Preparation {
    return new Preparation(this.schema, this.rows, this.#features, this.target, this.#second, names);
  }

  /** Columns that a row must have. */
  get columns(): readonly string[] {
    return this.#features.map(({ column }) => column);
  }

  /** How many of the flags each column has, in their order. @internal */
  get flagWidths(): readonly number[] {
    return widthsOf(this.#features);
  }

  /** The same of the second form. @internal */
  get secondWidths(): readonly number[] {
    return widthsOf(this.#second);
  }

  /** Names of the classes, in the order of their integers; `undefined` of a target that has none. */
  get classes(): readonly string[] | undefined {
    const task = this.target?.task;
    return task === "binary" || task === "classes" ? this.target?.classes[0] : undefined;
  }

  /**
   * Inputs of rows, in the order of the rows: `x` by the names of inputs, `unseen` how many rows have a category that no training row had, by column. `ERR_DATA` names row and column of what is no
   * value, and a column that is not there.
   */
  encode(rows: RawRows, options?: { readonly texts?: "padded" | undefined }): Encoded;
  /** The same with the ids of texts as lists of any length, which `ragged("i32")` takes: a text has as many ids as pieces. */
  encode(rows: RawRows, options: { readonly texts: "lists" }): EncodedLists;
  encode(rows: RawRows, options: EncodeOptions = {}): Encoded | EncodedLists {
    const form = textForm("encode", options);
    return this.#encoded(this.#read(rows), form, 0, Number.POSITIVE_INFINITY);
  }

  /** The same with turns of the event loop in between: rows are read as they are then. @internal */
  async encodeInTurns(rows: RawRows): Promise<Encoded> {
    const given = this.#read(rows);
    const read = given instanceof Table ? given : given.slice();
    const count = read instanceof Table ? read.rows : read.length;
    const first = this.#encoded(read, "padded", 0, TURN_ROWS);
    if (count <= TURN_ROWS) return first;
    const joined = new JoinedInputs(count);
    joined.put(0, first);
    for (let begin = TURN_ROWS; begin < count; begin += TURN_ROWS) {
      await turn();
      joined.put(begin, this.#encoded(read, "padded", begin, begin + TURN_ROWS));
    }
    return joined;
  }

  /** Of the rows from `begin` on, up to `end` or the last, in both forms. */
  #encoded(read: Table | readonly RawRow[], texts: "padded", begin: number, end: number): Encoded;
  #encoded(read: Table | readonly RawRow[], texts: TextForm, begin: number, end: number): Encoded | EncodedLists;
  #encoded(read: Table | readonly RawRow[], texts: TextForm, begin: number, end: number): Encoded | EncodedLists {
    const outputs = (features: readonly Feature[], inputs: PreparedInputs): Outputs => {
      if (!(read instanceof Table)) return encodeRows(features, inputs, read, texts, begin, Math.min(end, read.length));
      const table = begin === 0 && end >= read.rows ? read : read.slice(begin, end);
      return encodeTable(features, inputs, table, texts);
    };
    const first = outputs(this.#features, this.inputs);
    const encoded = texts === "padded" ? first.encoded() : first.encodedLists();
    if (this.second === undefined) return encoded;
    const second = outputs(this.#second, this.second).encoded().x;
    const all = [
      ...Object.entries(encoded.x),
      ...Object.entries(second).map(([name, one]) => [`${name}2`, one] as const),
    ];
    const given = this.#given;
    return { ...encoded, x: Object.fromEntries(all.filter(([name]) => given?.includes(name) ?? true)) };
  }

  #read(rows: RawRows): Table | readonly RawRow[] {
    if (rows instanceof Table) return rows;
    if (typeof rows !== "object" || rows === null) return fail("ERR_DATA", "rows", "rows, columns or a table", rows);
    if (Array.isArray(rows)) {
      const first: unknown = rows.at(0);
      if (!Array.isArray(first)) return rows;
    } else {
      const [first]: readonly unknown[] = Object.values(rows);
      const isColumn = typeof first === "object" && first !== null && "length" in first;
      if (!isColumn) return [{ ...rows }];
    }
    const columns = Array.isArray(rows) ? this.#features.map(({ column }) => column) : undefined;
    return tableOfValues("rows", rows, { columns }) ?? fail("ERR_DATA", "rows", "rows, columns or a table", rows);
  }

  /** Inputs and targets of a table's rows; `ERR_DATA` names the row that has no target. */
  examples(table: Table, options?: { readonly texts?: "padded" | undefined }): PreparedExamples;
  /** The same with the ids of texts as lists of any length. */
  examples(table: Table, options: { readonly texts: "lists" }): EncodedLists & Pick<PreparedExamples, "y">;
  examples(table: Table, options: EncodeOptions = {}): PreparedExamples | (EncodedLists & Pick<PreparedExamples, "y">) {
    const { target } = this;
    if (target === undefined) return fail("ERR_DATA", "examples", "a schema with a target", undefined);
    for (const name of target.columns)
      if (!table.has(name)) failColumn("examples", name, table.names, table.places.sources);
    const form = textForm("examples", options);
    const encoded = this.#encoded(table, form, 0, Number.POSITIVE_INFINITY);
    return { ...encoded, y: targetsIn(table, this.schema, target) };
  }

  /**
   * Examples of a source of any length, block by block: what `dataset(() => preparation.blocks("large.csv"))` takes for `fit`. Columns are read as the schema says.
   * `fold` takes the rows of one side of a fold, the same ones at every reading.
   */
  blocks(source: BlocksSource, options: BlocksOptions = {}): AsyncGenerator<Pick<PreparedExamples, "x" | "y">> {
    const { fold, ...others } = options;
    const taken = foldTaker("blocks.fold", fold);
    return this.#examplesOf(readBlocks(source, { schema: this.schema, ...others }), taken);
  }

  async *#examplesOf(
    blocks: AsyncIterable<Table>,
    taken: (read: Table) => Table,
  ): AsyncGenerator<Pick<PreparedExamples, "x" | "y">> {
    for await (const read of blocks) {
      const table = taken(read);
      if (table.rows === 0) continue;
      const { x, y } = this.examples(table);
      yield { x, y };
    }
  }

  /** All of it as plain data, which JSON keeps. */
  toJSON(): Json {
    return {
      version: VERSION,
      rows: this.rows,
      schema: JSON.parse(JSON.stringify(this.schema)) as Json,
      columns: toldOf(this.#features),
      ...(this.second === undefined ? {} : { second: toldOf(this.#second) }),
      ...(this.#given === undefined ? {} : { given: [...this.#given] }),
      target: this.target === undefined ? null : targetJson(this.target),
    };
  }

  /** @internal */
  [INSPECT](depth: number | null, options: InspectOptions, inspect: Inspect): string {
    const { numbers, flags, categories, texts } = this.inputs;
    const fields = {
      rows: this.rows,
      numbers,
      ...(flags.length > 0 ? { flags } : {}),
      categories,
      texts,
      target: this.target,
    };
    return inspectDescription({ title: "Preparation", fields }, depth, options, inspect);
  }
}
introduce(Preparation.prototype, "a preparation");

/** A preparation of its JSON; `ERR_FILE` names what it cannot be. */
export function readPreparation(given: unknown, file = "preparation"): Preparation {
  const part = new Part(file, "preparation", given);
  part.at("version").equal(VERSION);
  const schema = part.at("schema").made(checkSchema);
  const features = featuresOf(part.at("columns"), schema, file);
  const again = part.at("second");
  const second = again.value === undefined ? [] : featuresOf(again, schema, file);
  const names = part.at("given");
  const target = part.at("target");
  return new Preparation(
    schema,
    part.at("rows").count(),
    features,
    target.value === null ? undefined : targetOf(target),
    second,
    names.value === undefined ? undefined : names.names(),
  );
}

/** Columns as a file has them. */
function featuresOf(part: Part, schema: Schema, file: string): readonly Feature[] {
  return part.list().map((one): Feature => {
    const column = one.at("column").text();
    const own = Object.hasOwn(schema.columns, column) ? schema.columns[column] : undefined;
    if (own === undefined) return one.at("column").refuse("a column of the schema");
    const described = { kind: one.at("kind").value, options: one.at("options").value };
    const transform = new Part(file, one.path, described).made((where, value) => columnTransforms.make(where, value));
    one.at("kind").expect(transform.takes.includes(own.kind), `a transform of a ${own.kind}`);
    const state = one.at("state");
    const encoder = transform.encoder(column, own, state);
    return { column, schema: own, transform, state: state.value as Json, encoder };
  });
}

function toldOf(features: readonly Feature[]): readonly Json[] {
  return features.map(({ column, transform, state }) => {
    const { kind, options }: Description = columnTransforms.describe(`columns.${column}`, transform);
    return { column, kind, options, state };
  });
}

function widthsOf(features: readonly Feature[]): readonly number[] {
  return features.flatMap(({ encoder }) => (encoder.gives === "flags" ? [encoder.names.length] : []));
}

/** What networks are given of columns, by the kinds of inputs. */
function inputsOf(features: readonly Feature[]): PreparedInputs {
  return {
    numbers: features.flatMap(({ encoder }) => (encoder.gives === "numbers" ? encoder.names : [])),
    flags: features.flatMap(({ encoder }) => (encoder.gives === "flags" ? encoder.names : [])),
    categories: features.flatMap(({ column, encoder }) =>
      encoder.gives === "code" ? [{ column, count: encoder.count }] : [],
    ),
    texts: features
      .flatMap(({ column, encoder }) => (encoder.gives === "bag" ? [{ column, encoder }] : []))
      .map(({ column, encoder: { buckets, most } }, at) => ({ input: `text${at + 1}`, column, buckets, most })),
  };
}
