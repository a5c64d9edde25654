// runs/NAME: what a run leaves behind.
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { CarillonError, codeOf } from "../errors.js";
import { fileError, fileSystem } from "../io/file_system.js";
import { filesOf } from "../table/glob.js";
import { writeWhole } from "./files.js";
import { type Job, type JobData, NAME, withoutSecrets } from "./job.js";
import { readJobFile, readRan } from "./job_file.js";

/** Names of the files of a run. */
export const FILES = {
  model: "model.safetensors",
  job: "job.json",
  schema: "schema.json",
  metrics: "metrics.jsonl",
  events: "events",
  checkpoints: "checkpoints",
  search: "search.json",
  trials: "trials.jsonl",
  best: "best.json",
} as const;

/** What is told of a run in its job file, under `ran`. */
export interface Ran {
  readonly [key: string]: unknown;
}

/** The folder of a run. */
export class RunFolder {
  readonly path: string;
  /** Folders that were made for it, the outermost first. */
  readonly #made: readonly string[];

  private constructor(path: string, made: readonly string[]) {
    this.path = path;
    this.#made = made;
  }

  /** A new folder: `name`, which must not be there, or the first free one of `stem-1`, `stem-2`, … `ERR_FILE`. */
  static async make(runs: string, name: string | undefined, stem: string): Promise<RunFolder> {
    const refuse = (path: string) => (cause: unknown) => {
      throw fileError(path, "a folder that can be made", cause);
    };
    const above = await fileSystem().mkdir(runs, { recursive: true }).catch(refuse(runs));
    const outside = above === undefined ? [] : [above];
    for (let number = 1; ; number++) {
      const path = join(runs, name ?? `${stem}-${number}`);
      try {
        await fileSystem().mkdir(path);
        return new RunFolder(path, [...outside, path]);
      } catch (cause) {
        if (codeOf(cause) !== "EEXIST") refuse(path)(cause);
        if (name !== undefined) {
          const problem = `expected the name of a new run but received '${name}': '${path}' is there. Go on with it by --resume ${path}, or take another name`;
          throw new CarillonError("ERR_FILE", path, problem);
        }
      }
    }
  }

  /** A folder that is there, whatever is in it. */
  static at(path: string): RunFolder {
    return new RunFolder(path, []);
  }

  /** The folder of a run that was begun before, with its job. */
  static async open(path: string): Promise<{ readonly folder: RunFolder; readonly job: Job; readonly ran: Ran }> {
    const file = join(path, FILES.job);
    const found = await fileSystem()
      .stat(path)
      .catch((cause: unknown) => {
        throw fileError(path, "the folder of a run", cause);
      });
    if (!found.isDirectory()) throw fileError(path, "the folder of a run", new Error("a file"));
    return { folder: new RunFolder(path, []), job: await readJobFile(file), ran: await readRan(file) };
  }

  file(name: keyof typeof FILES): string {
    return join(this.path, FILES[name]);
  }

  /** Writes the job, and what is told of its run. */
  async keep(job: Job, ran: Ran): Promise<void> {
    const $schema = "../../node_modules/carillon/docs/schemas/job.json";
    await writeWhole(this.file("job"), `${JSON.stringify({ $schema, ...withoutSecrets(job), ran }, null, 2)}\n`);
  }

  /** What `work` gives, which writes the first file; where it fails, what was made for the run is taken away. */
  async orNone<T>(work: Promise<T>): Promise<T> {
    return await work.catch(async (error: unknown) => {
      await this.discard();
      throw error;
    });
  }

  /** Takes away what was made for a run of which nothing is to be kept. */
  async discard(): Promise<void> {
    for (const [at, folder] of this.#made.toReversed().entries()) {
      if (at === 0) await fileSystem().rm(folder, { recursive: true, force: true });
      else
        await fileSystem()
          .rmdir(folder)
          .catch(() => undefined); // others may have put something there
    }
  }
}

/** The beginning of a run's name: that of its first file without what comes behind the first dot. */
export function stemOf(data: JobData): string {
  const first = typeof data === "string" ? data : "sql" in data ? "query" : (data[0] ?? "");
  const [stem = ""] = basename(first.replaceAll("\\", "/")).split(".");
  const plain = stem.replaceAll(/[^\p{L}\p{N}_-]+/gu, "");
  return NAME.test(plain) ? plain : "run";
}

/** Whether data can be read but once: standard input, and pipes that have a path, as `<(…)` gives them. */
export async function isReadOnce(data: JobData): Promise<boolean> {
  if (typeof data === "object" && "sql" in data) return false;
  const given = [data].flat();
  if (given.includes("-")) return true;
  for (const path of (await Promise.all(given.map(filesOf))).flat()) {
    const found = await fileSystem()
      .stat(path)
      .catch(() => undefined); // told of where it is read
    if (found !== undefined && !found.isFile() && !found.isDirectory()) return true;
  }
  return false;
}

/** Throws `ERR_STATE` where a run, or a search, cannot go on with the data that it has begun with. */
export async function checkSameData(path: string, { data }: Job, { sha256 }: Ran, signal?: AbortSignal): Promise<void> {
  const isOnce = await isReadOnce(data);
  if (!isOnce && (await hashOf(data, signal)) === sha256) return;
  const why = isOnce
    ? "standard input and pipes cannot be read again"
    : "its files have other bytes than at the beginning";
  throw new CarillonError("ERR_STATE", path, `expected the data of before for '--resume ${path}', but ${why}`);
}

/** SHA-256 of the bytes of all files one behind the other, in hexadecimal; `null` for queries and what can be read but once. */
export async function hashOf(data: JobData, signal?: AbortSignal): Promise<string | null> {
  if ((typeof data === "object" && "sql" in data) || (await isReadOnce(data))) return null;
  const hash = createHash("sha256");
  for (const path of (await Promise.all([data].flat().map(filesOf))).flat()) {
    const file = await fileSystem()
      .open(path)
      .catch((cause: unknown) => {
        throw fileError(path, "a file that can be read", cause);
      });
    try {
      const piece = new Uint8Array(1_048_576);
      for (;;) {
        signal?.throwIfAborted();
        const { bytesRead } = await file.read(piece, 0, piece.length);
        if (bytesRead === 0) break;
        hash.update(piece.subarray(0, bytesRead));
      }
    } catch (cause) {
      signal?.throwIfAborted();
      throw fileError(path, "a file that can be read", cause);
    } finally {
      await file.close();
    }
  }
  return hash.digest("hex");
}
