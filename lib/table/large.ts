// Sources that are too large to be held as one table: those are read block by block, as often as they are needed.
import { basename, join } from "node:path";
import { fileError, fileSystem } from "../io/file.js";
import { isUint8Array } from "../tensor/arrays.js";
import { checkTableOptions, type TableOptions } from "./options.js";
import { held, joinedBlocks, readBlocks, readTable } from "./read.js";
import { type ByteFile, byteFiles, KeptPieces } from "./source.js";
import { isSql } from "./sql/source.js";
import { Table } from "./table.js";
import { untilAborted } from "./waiting.js";

type FileHandle = import("node:fs/promises").FileHandle;

/** What bytes of a compressed file count for, as its columns take more. */
const COMPRESSED = 4;

/** Bytes of a number in memory. */
const NUMBER = 8;

/** A source that can be read block by block, again and again. */
export class LargeSource {
  readonly source: unknown;
  readonly #folder: string | undefined;

  constructor(source: unknown, folder?: string | undefined) {
    this.source = source;
    this.#folder = folder;
  }

  /** Takes away what was written for it. */
  async close(): Promise<void> {
    if (this.#folder !== undefined) await fileSystem().rm(this.#folder, { recursive: true, force: true });
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
  const options = checkTableOptions("table", asked);
  const source = held(given, options);
  if (source instanceof Table || asked.rows !== undefined) return await readTable(source, asked);
  if (isSql(source)) return await ofQuery(source, asked, most);
  if (isUint8Array(given)) return given.length > most ? new LargeSource(source) : await readTable(source, asked);
  const files = (await byteFiles("table.source", source)) ?? [];
  const [first, ...others] = files;
  if (first !== undefined && !first.again && others.length === 0) return await ofOnce(first, asked, most);
  const sizes = await Promise.all(files.map(sizeOf));
  const isLarge = files.every(({ again }) => again) && sizes.reduce((sum, size) => sum + size, 0) > most;
  return isLarge ? new LargeSource(source) : await readTable(source, asked);
}

async function sizeOf({ path }: ByteFile): Promise<number> {
  if (path === undefined) return 0;
  const size = await fileSystem()
    .stat(path)
    .then(
      (found) => (found.isFile() ? found.size : 0),
      () => 0, // told of where it is read
    );
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
  let [bytes, spool]: [number, Spool | undefined] = [0, undefined];
  try {
    for await (const piece of untilAborted(file.open(), asked.signal)) {
      bytes += piece.length;
      if (spool !== undefined) {
        await spool.write(piece);
        continue;
      }
      kept.push(piece);
      if (bytes <= most) continue;
      spool = await Spool.make(file.name);
      for (const one of kept.splice(0)) await spool.write(one);
    }
    if (spool === undefined) return await readTable(new KeptPieces(file.name, kept), asked);
    await spool.end();
    return new LargeSource(spool.path, spool.folder);
  } catch (error) {
    await spool?.remove();
    throw error;
  }
}

/** A file of the system's folder for such, which is written from its beginning to its end. */
class Spool {
  readonly folder: string;
  readonly path: string;
  readonly #file: FileHandle;

  private constructor(folder: string, path: string, file: FileHandle) {
    this.folder = folder;
    this.path = path;
    this.#file = file;
  }

  static async make(name: string): Promise<Spool> {
    const { tmpdir } = process.getBuiltinModule("node:os");
    const base = tmpdir();
    try {
      const folder = await fileSystem().mkdtemp(join(base, "carillon-"));
      const path = join(folder, basename(name).replaceAll(/[^\w.-]/g, "-") || "rows");
      return new Spool(folder, path, await fileSystem().open(path, "wx"));
    } catch (cause) {
      throw fileError(base, "a folder that what can be read only once is kept in", cause);
    }
  }

  async write(piece: Uint8Array): Promise<void> {
    await this.#file.writeFile(piece).catch((cause: unknown) => {
      throw fileError(this.path, "room for what can be read only once", cause);
    });
  }

  async end(): Promise<void> {
    await this.#file.close();
  }

  async remove(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    await fileSystem().rm(this.folder, { recursive: true, force: true });
  }
}
