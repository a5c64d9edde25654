// What Arrow's messages begin with, flatbuffers, looked at before others read them: lists in them may claim any length.

/** Kinds of messages. */
const SCHEMA = 1;
const DICTIONARY_BATCH = 2;
export const RECORD_BATCH = 3;

/** Places among the fields of Arrow's tables: Schema.fbs, Message.fbs, File.fbs. */
const MESSAGE = { headerType: 1, header: 2, bodyLength: 3, metadata: 4 };
const SCHEMA_TABLE = { fields: 1, metadata: 2 };
const FIELD = { children: 5, metadata: 6 };
const DICTIONARY = { data: 1 };
const BATCH = { nodes: 1, buffers: 2, variadic: 4 };
const FOOTER = { schema: 1, dictionaries: 2, batches: 3 };

/** Bytes of a message's place in a file: its own, of its beginning, of its body. */
const BLOCK = 24;

/** Where a message stands in a file. */
export interface Block {
  readonly offset: number;
  readonly header: number;
  readonly body: number;
}

/** A flatbuffer; whatever leads out of it throws a RangeError. */
class Flatbuffer {
  readonly #view: DataView;
  /** Elements of lists that there may still be: no more than bytes, however often one is referred to. */
  #left: number;

  constructor(view: DataView) {
    this.#view = view;
    this.#left = view.byteLength;
  }

  get root(): number {
    return this.#view.getUint32(0, true);
  }

  /** Where a field of a table lies; 0 for none. */
  field(table: number, field: number): number {
    const fields = table - this.#view.getInt32(table, true);
    const offset =
      4 + 2 * field < this.#view.getUint16(fields, true) ? this.#view.getUint16(fields + 4 + 2 * field, true) : 0;
    return offset === 0 ? 0 : table + offset;
  }

  /** What a field refers to; 0 for nothing. */
  referred(table: number, field: number): number {
    const at = this.field(table, field);
    return at === 0 ? 0 : at + this.#view.getUint32(at, true);
  }

  /** How many elements a list has, and where they begin. */
  list(table: number, field: number): { readonly count: number; readonly begin: number } {
    const at = this.referred(table, field);
    const count = at === 0 ? 0 : this.#view.getUint32(at, true);
    this.#left -= count;
    if (this.#left < 0) throw new RangeError("a list that is longer than what it stands in");
    return { count, begin: at + 4 };
  }

  /** The tables that a list refers to. */
  tables(table: number, field: number): readonly number[] {
    const { count, begin } = this.list(table, field);
    return Array.from({ length: count }, (_, index) => {
      const at = begin + 4 * index;
      return at + this.#view.getUint32(at, true);
    });
  }
}

function checkField(buffer: Flatbuffer, field: number): void {
  buffer.list(field, FIELD.metadata);
  for (const child of buffer.tables(field, FIELD.children)) checkField(buffer, child);
}

function checkSchema(buffer: Flatbuffer, schema: number): void {
  if (schema === 0) throw new RangeError("no schema");
  buffer.list(schema, SCHEMA_TABLE.metadata);
  for (const field of buffer.tables(schema, SCHEMA_TABLE.fields)) checkField(buffer, field);
}

function checkBatch(buffer: Flatbuffer, batch: number): void {
  for (const list of [BATCH.nodes, BATCH.buffers, BATCH.variadic]) buffer.list(batch, list);
}

/** Kind of a message, whose lists are as long as they can be; a RangeError for what is damaged. */
export function checkHeader(view: DataView): number {
  const buffer = new Flatbuffer(view);
  const { root } = buffer;
  const place = buffer.field(root, MESSAGE.headerType);
  const kind = place === 0 ? 0 : view.getUint8(place);
  const header = buffer.referred(root, MESSAGE.header);
  if (header === 0) throw new RangeError("a message of nothing");
  buffer.list(root, MESSAGE.metadata);
  switch (kind) {
    case SCHEMA:
      checkSchema(buffer, header);
      break;
    case DICTIONARY_BATCH:
      checkBatch(buffer, buffer.referred(header, DICTIONARY.data));
      break;
    case RECORD_BATCH:
      checkBatch(buffer, header);
      break;
    default:
      throw new RangeError(`a message of kind ${kind}`);
  }
  return kind;
}

/** Bytes that follow a message. */
export function bodyOf(view: DataView): number {
  const buffer = new Flatbuffer(view);
  const place = buffer.field(buffer.root, MESSAGE.bodyLength);
  return place === 0 ? 0 : Number(view.getBigInt64(place, true));
}

/** The messages that the end of a file lists; a RangeError for what is damaged. */
export function blocksOf(view: DataView): readonly Block[] {
  const buffer = new Flatbuffer(view);
  const { root } = buffer;
  checkSchema(buffer, buffer.referred(root, FOOTER.schema));
  return [FOOTER.dictionaries, FOOTER.batches].flatMap((field) => {
    const { count, begin } = buffer.list(root, field);
    return Array.from({ length: count }, (_, index) => {
      const at = begin + BLOCK * index;
      const [offset, body] = [view.getBigInt64(at, true), view.getBigInt64(at + 16, true)].map(Number);
      return { offset: offset ?? 0, header: view.getInt32(at + 8, true), body: body ?? 0 };
    });
  });
}
