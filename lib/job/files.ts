// Files of the commands. They use no native code, so that a command needs none before there is something to train.
import { basename, dirname, join, resolve } from "node:path";
import { fileError, fileSystem } from "../io/file_system.js";

let written = 0;

/**
 * Writes a file under a temporary name beside it, which takes the file's name when all of it is on the disk: after a failure there is the file of before, or
 * none. `ERR_FILE`; a failure of `pieces` is passed on.
 */
export async function writeWhole(path: string, pieces: string | AsyncIterable<string>): Promise<void> {
  const target = resolve(path);
  written += 1;
  const temporary = join(dirname(target), `.${basename(target).slice(0, 100)}.${process.pid}.${written}.part`);
  const refuse = (cause: unknown): never => {
    throw fileError(path, "a file that can be written", cause);
  };
  await fileSystem().mkdir(dirname(target), { recursive: true }).catch(refuse);
  const found = await fileSystem()
    .stat(target)
    .catch(() => undefined);
  if (found?.isDirectory() === true) refuse(new Error("a folder"));
  const file = await fileSystem().open(temporary, "wx").catch(refuse);
  try {
    try {
      if (typeof pieces === "string") await file.writeFile(pieces).catch(refuse);
      else for await (const piece of pieces) await file.writeFile(piece).catch(refuse);
      await file.sync().catch(() => undefined); // some file systems know no such thing
    } finally {
      await file.close();
    }
    await fileSystem().rename(temporary, target).catch(refuse);
  } catch (error) {
    await fileSystem().rm(temporary, { force: true });
    throw error;
  }
}
