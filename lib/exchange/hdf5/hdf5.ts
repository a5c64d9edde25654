// HDF5 by the package h5wasm, in a thread of its own: whatever a file makes the library do ends with it.
import { join } from "node:path";
import { CarillonError, describe, messageOf, shortened } from "../../errors.js";
import { broken } from "../../io/refusal.js";
import { extent } from "../../tensor/shape.js";
import { FOREIGN_BYTES, type ForeignDtype, type ReadTensor, tensorOf } from "../reading/elements.js";
import {
  type CheckedExchangeLimits,
  checkSizes,
  entryOf,
  expectWithin,
  type TensorEntry,
  type TensorFile,
} from "../reading/tensor_file.js";
import { writePieces } from "../writing.js";
import { type Answered, type Asked, type Described, serve, type Written } from "./worker.js";

const PACKAGE = "h5wasm";

/** Milliseconds that the library may take to begin, that a question may take, those of each megabyte, and in which an answer that has come is heard by a thread that was busy. */
const [BEGINNING, PATIENCE, PER_MEGABYTE, GRACE] = [20_000, 1000, 50, 100] as const;

/** Megabytes of JavaScript in the thread. */
const HEAP = 256;

/** The folder of the package, seen from here or from where the process works. */
function folderOf(): string | undefined {
  const { createRequire } = process.getBuiltinModule("node:module");
  const { existsSync } = process.getBuiltinModule("node:fs");
  const here: unknown = import.meta.url; // a bundle of CommonJS has none
  const from = [...(typeof here === "string" ? [here] : []), join(process.cwd(), "package.json")];
  const folders = from.flatMap((place) => createRequire(place).resolve.paths(PACKAGE) ?? []);
  return folders.map((folder) => join(folder, PACKAGE)).find((folder) => existsSync(join(folder, "package.json")));
}

/** The module of the package: one that keeps its files in memory. `ERR_STATE` with what installs it where it is not. */
function addressOf(): string {
  const { readFileSync } = process.getBuiltinModule("node:fs");
  const { pathToFileURL } = process.getBuiltinModule("node:url");
  const folder = folderOf();
  if (folder !== undefined) {
    const { exports = {} }: { exports?: Record<string, { import?: unknown }> } = JSON.parse(
      readFileSync(join(folder, "package.json"), "utf8"),
    );
    const entry = exports["."]?.import;
    if (typeof entry === "string") return pathToFileURL(join(folder, entry)).href;
  }
  const problem = `expected the package '${PACKAGE}', which HDF5 files of Keras are read and written with, but received none. Install it: npm install ${PACKAGE}`;
  throw new CarillonError("ERR_STATE", PACKAGE, problem);
}

/** A thread, and what it was asked. */
class Thread {
  readonly #worker: InstanceType<typeof import("node:worker_threads")["Worker"]>;
  #where: string;
  readonly #waiting = new Map<
    number,
    { readonly done: (value: unknown) => void; readonly failed: (cause: unknown) => void }
  >();
  #next = 1;
  #over: unknown;

  constructor(where: string) {
    const { Worker } = process.getBuiltinModule("node:worker_threads");
    this.#where = where;
    const program = `(${serve.toString()})(require("node:worker_threads").parentPort, () => import(${JSON.stringify(addressOf())}))`;
    this.#worker = new Worker(program, {
      eval: true,
      resourceLimits: { maxOldGenerationSizeMb: HEAP },
      stdout: true,
      stderr: true,
    });
    this.#worker.on("message", (answered: Answered) => {
      const waiting = this.#waiting.get(answered.id);
      this.#waiting.delete(answered.id);
      if ("refused" in answered) waiting?.failed(broken(this.#where, "an HDF5 file", shortened(answered.refused, 200)));
      else waiting?.done(answered.value);
    });
    this.#worker.on("error", (cause) =>
      this.#end(broken(this.#where, "an HDF5 file", shortened(messageOf(cause), 200))),
    );
    this.#worker.on("exit", () =>
      this.#end(broken(this.#where, "an HDF5 file that can be read", "one at which its library gave up")),
    );
  }

  #end(cause: unknown): void {
    this.#over ??= cause;
    for (const { failed } of this.#waiting.values()) failed(this.#over);
    this.#waiting.clear();
  }

  async ask(question: DistributedOmit<Asked, "id">, megabytes: number, patience: number = PATIENCE): Promise<unknown> {
    if (this.#over !== undefined) throw this.#over;
    const id = this.#next++;
    const late = AbortSignal.timeout(Math.ceil(patience + PER_MEGABYTE * megabytes));
    const stop = (): void => {
      this.#end(broken(this.#where, "an HDF5 file that is read in time", "one at which its library stays"));
      this.close().catch(() => undefined);
    };
    // The time may have passed while this thread did something else: what was answered meanwhile is heard first.
    const graced = (): void =>
      AbortSignal.timeout(GRACE).addEventListener("abort", () => this.#waiting.has(id) && stop());
    late.addEventListener("abort", graced);
    try {
      return await new Promise((done, failed) => {
        this.#waiting.set(id, { done, failed });
        this.#worker.postMessage({ ...question, id });
      });
    } finally {
      late.removeEventListener("abort", graced);
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  /** A thread for a file: one that nobody needs any more, or a new one, whose beginning takes a third of a second. */
  static async take(where: string): Promise<Thread> {
    const kept = Thread.#kept;
    Thread.#kept = undefined;
    if (kept === undefined || kept.#over !== undefined) {
      const thread = new Thread(where);
      await thread.ask({ kind: "begin" }, 0, BEGINNING);
      return thread;
    }
    kept.#where = where;
    kept.#worker.ref();
    return kept;
  }

  static #kept: Thread | undefined;

  /** Gives a thread back that has read or written so many bytes without a fault: of few bytes it is kept for the next file, and keeps no process alive. */
  async leave(bytes: number): Promise<void> {
    if (bytes > MOST_KEPT || this.#over !== undefined || Thread.#kept !== undefined) return await this.close();
    this.#worker.unref();
    Thread.#kept = this;
  }
}

/** Bytes behind which a thread is not kept: its memory does not shrink. */
const MOST_KEPT = 8_000_000;

type DistributedOmit<T, K extends keyof T> = T extends unknown ? Omit<T, K> : never;

/** Filters that are in the library; of others it gives whatever the chunks hold. */
const FILTERS: Readonly<Record<number, string>> = { 1: "deflate", 2: "shuffle", 3: "fletcher32" };

const INTEGERS: readonly (readonly [size: number, signed: ForeignDtype, unsigned: ForeignDtype])[] = [
  [1, "i8", "u8"],
  [2, "i16", "u16"],
  [4, "i32", "u32"],
  [8, "i64", "u64"],
];

/** A dataset that is read; `ERR_FILE` for a type, a filter or sizes that are not read. */
function entryIn(
  where: string,
  { path, type, size, signed, littleEndian, shape, chunks, filters }: Described,
): TensorEntry {
  const place = `${where}: ${shortened(path, 100)}`;
  const floats: Readonly<Record<number, ForeignDtype>> = { 2: "f16", 4: "f32", 8: "f64" };
  const integer = INTEGERS.find(([bytes]) => bytes === size);
  const dtype =
    type === 1 ? floats[size] : type === 0 ? integer?.[signed ? 1 : 2] : type === 8 && size === 1 ? "bool" : undefined;
  if (dtype === undefined)
    throw broken(place, "numbers or truth values", `elements of class ${type}, ${size} bytes each`);
  if (!littleEndian && FOREIGN_BYTES[dtype] > 1)
    throw broken(place, "elements in little-endian order", "big-endian ones");
  const filter = filters.find((id) => !Object.hasOwn(FILTERS, id));
  if (filter !== undefined)
    throw broken(
      place,
      `chunks that are compressed by ${Object.values(FILTERS).join(", ")} at most`,
      `the filter ${filter}`,
    );
  const sizes = checkSizes(place, shape ?? [0]);
  const chunk = checkSizes(place, chunks ?? []);
  if (extent(chunk) > 4 * extent(sizes) + 65_536)
    throw broken(place, `chunks of about its size, [${sizes.join(", ")}]`, `[${chunk.join(", ")}]`);
  return { dtype, shape: sizes };
}

/** The datasets of an HDF5 file by their paths, which begin with no slash. */
export async function openHdf5(where: string, bytes: Uint8Array, limits: CheckedExchangeLimits): Promise<TensorFile> {
  const isFile = bytes.length > 8 && bytes[0] === 0x89 && String.fromCharCode(...bytes.subarray(1, 4)) === "HDF";
  if (!isFile) throw broken(where, "an HDF5 file", "other bytes");
  const thread = await Thread.take(where);
  try {
    const found = await thread.ask({ kind: "open", bytes, most: limits.tensors }, bytes.length / 1e6);
    if (!Array.isArray(found)) throw broken(where, "an HDF5 file", describe(found));
    const entries = new Map((found as readonly Described[]).map((one) => [one.path, entryIn(where, one)]));
    expectWithin(where, entries.values(), limits);
    return {
      ...{ where, format: "HDF5", entries, facts: {} },
      read: async (name) => await readDataset(thread, where, name, entryOf(where, entries, name)),
      close: () => thread.leave(bytes.length),
    };
  } catch (cause) {
    await thread.close();
    throw cause;
  }
}

async function readDataset(
  thread: Thread,
  where: string,
  path: string,
  { dtype, shape }: TensorEntry,
): Promise<ReadTensor> {
  const place = `${where}: ${shortened(path, 100)}`;
  const bytes = extent(shape) * FOREIGN_BYTES[dtype];
  const found = bytes === 0 ? new Uint8Array() : await thread.ask({ kind: "read", path, bytes }, bytes / 1e6);
  const isWhole = ArrayBuffer.isView(found) && found.byteLength === bytes;
  if (!isWhole) throw broken(place, `${bytes} bytes`, describe(found));
  return tensorOf(
    place,
    dtype,
    shape,
    Uint8Array.from(new Uint8Array(found.buffer, found.byteOffset, found.byteLength)),
  );
}

/** Writes an HDF5 file of f32. */
export async function writeHdf5(
  where: string,
  path: string,
  tensors: readonly { readonly name: string; readonly shape: readonly number[]; readonly data: Float32Array }[],
): Promise<void> {
  const thread = await Thread.take(path);
  try {
    const datasets: readonly Written[] = tensors.map(({ name, shape, data }) => ({ path: name, shape, data }));
    const megabytes = datasets.reduce((sum, { data }) => sum + data.byteLength / 1e6, 0);
    const bytes = await thread.ask({ kind: "write", datasets }, megabytes);
    if (!ArrayBuffer.isView(bytes))
      throw new CarillonError("ERR_STATE", where, `expected the bytes of an HDF5 file but received ${describe(bytes)}`);
    await writePieces(where, path, [new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)]);
    await thread.leave(bytes.byteLength);
  } catch (cause) {
    await thread.close();
    throw cause;
  }
}
