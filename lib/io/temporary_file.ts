// Files of the system's temporary folder.
import { join } from "node:path";
import { removeAbandoned } from "./abandoned.js";
import { fileError, fileSystem } from "./file_system.js";
import { ownMark } from "./owner.js";
import type { FileHandle } from "./replaced_file.js";

/** How the names of its folders begin. */
const BEGINNING = "carillon-";

/** An open file in a folder of its own, which goes with it; that of a process that was killed goes when the next one makes its first. */
export class TemporaryFile {
  readonly path: string;
  readonly handle: FileHandle;
  readonly #folder: string;

  private constructor(folder: string, path: string, handle: FileHandle) {
    [this.#folder, this.path, this.handle] = [folder, path, handle];
  }

  /** An empty file, to be written and read; `ERR_FILE` says that `kept` are. */
  static async make(name: string, kept: string): Promise<TemporaryFile> {
    const base = process.getBuiltinModule("node:os").tmpdir();
    try {
      const folder = await fileSystem().mkdtemp(join(base, `${BEGINNING}${ownMark()}-`));
      await removeAbandoned(base, BEGINNING, folder);
      const path = join(folder, name);
      try {
        return new TemporaryFile(folder, path, await fileSystem().open(path, "wx+"));
      } catch (cause) {
        await fileSystem().rm(folder, { recursive: true, force: true });
        throw cause;
      }
    } catch (cause) {
      throw fileError(base, `a folder that ${kept} can be kept in`, cause);
    }
  }

  async close(): Promise<void> {
    await this.handle.close().catch(() => undefined);
    await fileSystem().rm(this.#folder, { recursive: true, force: true });
  }
}
