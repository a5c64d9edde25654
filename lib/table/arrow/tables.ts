// Arrow's format for files and streams, which Feather 2 is, by apache-arrow: a table a batch.
import { countOf } from "../../counts.js";
import { CarillonError, messageOf } from "../../errors.js";
import { broken, refuseFile } from "../../io/refusal.js";
import { type Column, emptyColumn, lengthOf } from "../column.js";
import { peer } from "../peer.js";
import { Places } from "../places.js";
import { refuseData } from "../refusal.js";
import type { Slices } from "../slices.js";
import { failColumn, Table } from "../table.js";
import { zstdDecoder } from "../zstd.js";
import { type ArrowType, type ArrowVector, columnOfVector, kindOfType } from "./column.js";
import { unpackLz4 } from "./lz4.js";
import { type Counted, checkFile, MAGIC, streamMessages, textOf } from "./messages.js";

/** What is used of apache-arrow. */
interface Batch {
  readonly numRows: number;
  getChildAt(column: number): ArrowVector | null;
}
interface Reader {
  open(): Promise<Reader>;
  readonly schema: { readonly fields: readonly { readonly name: string | null; readonly type: ArrowType }[] };
  next(): Promise<{ readonly done?: boolean; readonly value?: Batch }>;
}
interface Arrow {
  readonly RecordBatchReader: { from(source: object): Promise<Reader> };
  readonly CompressionType: { readonly LZ4_FRAME: number; readonly ZSTD: number };
  readonly compressionRegistry: {
    get(type: number): unknown;
    set(type: number, codec: { decode(bytes: Uint8Array): Uint8Array }): void;
  };
}

/** Rows of a batch that has no column whose bytes tell how many there are. */
const MOST_EMPTY = 1_000_000;

/** apache-arrow, which knows the two ways to pack that others write in. */
async function registered(): Promise<Arrow> {
  const arrow = (await peer("apache-arrow", "Arrow and Feather")) as Arrow;
  const { compressionRegistry, CompressionType } = arrow;
  const { LZ4_FRAME, ZSTD } = CompressionType;
  if (compressionRegistry.get(LZ4_FRAME) === null) compressionRegistry.set(LZ4_FRAME, { decode: unpackLz4 });
  if (compressionRegistry.get(ZSTD) === null) compressionRegistry.set(ZSTD, { decode: await zstdDecoder() });
  return arrow;
}

/** Whether bytes begin a file, and not a stream; `ERR_FILE` for Feather's first version. */
export function isArrowFile(name: string, first: Uint8Array): boolean {
  const begin = textOf(first.subarray(0, MAGIC.length));
  if (begin.startsWith("FEA1"))
    refuseFile(name, "Feather of version 2, which is Arrow's format", "version 1: write it anew");
  return begin === MAGIC;
}

/** The tables of a stream, a batch each; errors as of {@link arrowFileTables}. */
export async function* arrowStreamTables(
  { name, pieces }: { readonly name: string; readonly pieces: AsyncGenerator<Uint8Array, void> },
  chosen: readonly string[] | undefined,
): AsyncGenerator<Table> {
  const arrow = await registered();
  const counted = { batches: 0 };
  const messages = streamMessages(name, pieces, counted);
  // What the messages are refused for is told as it is.
  let refusal: unknown;
  async function* passed(): AsyncGenerator<Uint8Array> {
    try {
      yield* messages;
    } catch (cause) {
      refusal = cause;
      throw cause;
    }
  }
  try {
    yield* tablesOf(name, await arrow.RecordBatchReader.from(passed()), counted, chosen);
  } catch (cause) {
    throw told(name, refusal ?? cause);
  } finally {
    await messages.return(undefined);
  }
}

/**
 * The tables of a file, a batch each, of all columns or some by name. `ERR_DATA` names a column that no table can hold; a damaged file is
 * `ERR_FILE`.
 */
export async function* arrowFileTables(
  name: string,
  slices: Slices,
  chosen: readonly string[] | undefined,
): AsyncGenerator<Table> {
  try {
    const arrow = await registered();
    const counted = await checkFile(name, slices);
    // As apache-arrow has handles of files.
    const handle = {
      fd: 0,
      stat: () => Promise.resolve({ size: slices.byteLength }),
      async read(buffer: Uint8Array, offset: number, length: number, position: number) {
        buffer.set(new Uint8Array(await slices.slice(position, position + length)), offset);
        return { bytesRead: length, buffer };
      },
      close: () => Promise.resolve(),
    };
    yield* tablesOf(name, await arrow.RecordBatchReader.from(handle), counted, chosen);
  } catch (cause) {
    throw told(name, cause);
  } finally {
    await slices.close();
  }
}

function told(name: string, cause: unknown): unknown {
  return cause instanceof CarillonError ? cause : broken(name, "a whole file of Arrow", messageOf(cause));
}

async function* tablesOf(
  file: string,
  unopened: Reader,
  counted: Counted,
  chosen: readonly string[] | undefined,
): AsyncGenerator<Table> {
  const reader = await unopened.open();
  if (reader.schema === undefined) throw broken(file, "a whole file of Arrow", "one without a schema");
  const { fields } = reader.schema;
  // A damaged schema has fields without a name.
  const known = fields.map(({ name }) =>
    typeof name === "string" ? name : refuseData(file, "a name of every column", "none"),
  );
  const twice = known.find((name, at) => known.indexOf(name) !== at);
  if (twice !== undefined) refuseData(file, "every column once", `'${twice}' twice`);
  for (const name of chosen ?? []) if (!known.includes(name)) failColumn(file, name, known, []);
  const names = chosen ?? known;
  const whereOf = (name: string): string => `${file}, column '${name}'`;
  const kinds = new Map(
    fields.flatMap(({ name, type }) =>
      name !== null && names.includes(name) ? [[name, kindOfType(whereOf(name), type)] as const] : [],
    ),
  );
  const hasNothing = [...kinds.values()].every((kind) => kind === undefined);
  let [first, batches] = [0, 0];
  for (;;) {
    const { done = false, value: batch } = await reader.next();
    if (done || batch === undefined) break;
    const rows = batch.numRows;
    batches += 1;
    if (hasNothing && rows > MOST_EMPTY) refuseData(file, `at most ${MOST_EMPTY} rows of nothing`, `${rows}`);
    const begin = first;
    const columns = names.map((name): [string, Column] => {
      const vector = batch.getChildAt(known.indexOf(name));
      const placeOf = (row: number): string => `${file}, row ${begin + row}, column '${name}'`;
      const column = vector === null ? emptyColumn("number", 0) : columnOfVector(whereOf(name), vector, placeOf);
      return [name, column];
    });
    const other = columns.find(([, column]) => lengthOf(column) !== rows);
    if (other !== undefined) refuseData(whereOf(other[0]), countOf(rows, "row"), `${lengthOf(other[1])}`);
    first += rows;
    yield new Table(new Map(columns), new Places([{ rows, source: file, unit: "row", first: begin }]));
  }
  if (batches !== counted.batches) throw broken(file, `${counted.batches} blocks of rows`, `${batches}`);
  if (first === 0) yield new Table(new Map(names.map((name) => [name, emptyColumn(kinds.get(name) ?? "number", 0)])));
}
