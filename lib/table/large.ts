// Sources that are too large to be held as one table: those are read block by block, as often as they are needed.
import { basename } from "node:path";
import { CarillonError } from "../errors.js";
import { fileError, fileSystem } from "../io/file.js";
import { TemporaryFile } from "../io/temporary_file.js";
import { unlessAborted } from "../signals.js";
import { isUint8Array } from "../tensor/arrays.js";
import { checkTableOptions, type TableOptions } from "./options.js";
import { held, joinedBlocks, readBlocks, readTable } from "./read.js";
import { type ByteFile, byteFiles, KeptPieces } from "./source.js";
import { isSql } from "./sql/source.js";
import { Table } from "./table.js";
import { untilAborted } from "./waiting.js";

/** What bytes of a compressed file count for, as its columns take more. */
const COMPRESSED = 4;

/** Bytes of a number in memory. */
const NUMBER = 8;

/** What is known of a file that is not to change. */
interface SeenFile {
  readonly path: string;
  readonly size: number;
  /** Milliseconds. */
  readonly changed: number;
}

/** A source that can be read block by block, again and again. */
export class LargeSource {
  readonly source: unknown;
  readonly #files: readonly SeenFile[];
  readonly #kept: TemporaryFile | undefined;

  constructor(source: unknown, files: readonly SeenFile[] = [], kept?: TemporaryFile | undefined) {
    this.source = source;
    this.#files = files;
    this.#kept = kept;
  }

  /** `ERR_DATA` where a file is not the one that it was at first. */
  async checkUnchanged(): Promise<void> {
    for (const { path, size, changed } of this.#files) {
      const now = await seen(path);
      if (now?.size === size && now.changed === changed) continue;
      const expected = "a file that stays as it is from the first reading to the last";
      throw new CarillonError("ERR_DATA", path, `expected ${expected} but '${path}' was changed meanwhile`);
    }
  }

  /** Takes away what was written for it. */
  async close(): Promise<void> {
    await this.#kept?.close();
  }
}

/**
 * The table of a source, or the source, where it is more than so many bytes: of files as they lie (compressed ones and those of columns count four times), of queries 8 a
 * value. What can be read only once and is larger is written to a file of the system's folder for such, until it is closed.
 */
export async function tableUnlessLarge(
  given: unknown,
  asked: TableOptions,
  most: number,
): Promise<Table | LargeSource> {
  const found = sourceOf(given, asked, most);
  try {
    return await unlessAborted(asked.signal, found);
  } catch (error) {
    found.then((late) => (late instanceof LargeSource ? late.close() : undefined)).catch(() => undefined);
    throw error;
  }
}

async function sourceOf(given: unknown, asked: TableOptions, most: number): Promise<Table | LargeSource> {
  const options = checkTableOptions("table", asked);
  const source = held(given, options);
  if (source instanceof Table || asked.rows !== undefined) return await readTable(source, asked);
  if (isSql(source)) return await ofQuery(source, asked, most);
  if (isUint8Array(given)) return given.length > most ? new LargeSource(source) : await readTable(source, asked);
  const files = (await byteFiles("table.source", source)) ?? [];
  const [first, ...others] = files;
  if (first !== undefined && !first.again && others.length === 0) return await ofOnce(first, asked, most);
  if (!files.every(({ again }) => again)) return await readTable(source, asked);
  const found = await Promise.all(files.map(({ path }) => (path === undefined ? undefined : seen(path))));
  const known = found.filter((file) => file !== undefined);
  return known.reduce((sum, file) => sum + weightOf(file), 0) > most
    ? new LargeSource(source, known)
    : await readTable(source, asked);
}

/** `undefined` where there is no such file, which is told of where it is read. */
async function seen(path: string): Promise<SeenFile | undefined> {
  const found = await fileSystem()
    .stat(path)
    .catch(() => undefined);
  return found?.isFile() === true ? { path, size: found.size, changed: found.mtimeMs } : undefined;
}

/** The bytes that a file counts for. */
function weightOf({ path, size }: SeenFile): number {
  return /\.(?:gz|zst|zstd|parquet|pq|arrow|feather|ipc|npz)$/i.test(path) ? COMPRESSED * size : size;
}

async function ofQuery(source: unknown, asked: TableOptions, most: number): Promise<Table | LargeSource> {
  const blocks: Table[] = [];
  let bytes = 0;
  for await (const block of readBlocks(source, asked)) {
    blocks.push(block);
    bytes += NUMBER * block.rows * block.names.length;
    if (bytes > most) return new LargeSource(source);
  }
  return joinedBlocks(blocks);
}

/** What can be read once is kept in memory, and if it is large in a file of its own. */
async function ofOnce(file: ByteFile, asked: TableOptions, most: number): Promise<Table | LargeSource> {
  const kept: Uint8Array[] = [];
  let [bytes, spool]: [number, TemporaryFile | undefined] = [0, undefined];
  try {
    for await (const piece of untilAborted(file.open(), asked.signal)) {
      bytes += piece.length;
      kept.push(piece);
      if (bytes <= most) continue;
      spool ??= await TemporaryFile.make(basename(file.name).replaceAll(/[^\w.-]/g, "-") || "rows", KEPT);
      for (const one of kept.splice(0)) await write(spool, one);
    }
    if (spool === undefined) return await readTable(new KeptPieces(file.name, kept), asked);
    return new LargeSource(spool.path, [], spool);
  } catch (error) {
    await spool?.close();
    throw error;
  }
}

const KEPT = "what can be read only once";

async function write({ handle, path }: TemporaryFile, piece: Uint8Array): Promise<void> {
  await handle.writeFile(piece).catch((cause: unknown) => {
    throw fileError(path, `room for ${KEPT}`, cause);
  });
}
