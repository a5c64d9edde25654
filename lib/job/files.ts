// Files of the commands. They need no native code, so that a command needs none before there is something to train.
import { replaceFile } from "../io/replaced_file.js";

/** What a file waits for, on Windows alone, is another program that has the one before it open. */
const pause = async (milliseconds: number): Promise<void> => (await import("../binding/clock.js")).wait(milliseconds);

/**
 * Writes a file that has its name when all of it is on the disk: after a failure there is the file of before, or none. Links, permissions, devices and what
 * killed processes have left are as with `writeFileAtomic` of lib/io. `ERR_FILE`; a failure of `pieces` is passed on.
 */
export async function writeWhole(path: string, pieces: string | AsyncIterable<string>): Promise<void> {
  const failures: unknown[] = [];
  async function* bytes(): AsyncGenerator<Uint8Array> {
    const encoder = new TextEncoder();
    try {
      for await (const piece of typeof pieces === "string" ? [pieces] : pieces) yield encoder.encode(piece);
    } catch (reason) {
      failures.push(reason);
      throw reason;
    }
  }
  try {
    await replaceFile(path, bytes(), pause);
  } catch (error) {
    throw failures.length > 0 ? failures[0] : error;
  }
}
