// What killed processes have left behind.
import { join } from "node:path";
import { fileSystem } from "./file_system.js";
import { lifeByMark } from "./owner.js";

/** Folders that were looked through for what is abandoned, with how names of it begin. */
const swept = new Set<string>();
const MOST_SWEPT = 1000;

const DAY = 24 * 60 * 60 * 1000;

/**
 * Removes what killed processes have left in a folder under names that begin so and end in their marks, once in the life of this process. What nobody here can ask about (of
 * before a restart of the host, or of another container) goes a day after it was written by the clock of `own`, which is new there; what is of another host never.
 */
export async function removeAbandoned(folder: string, beginning: string, own: string): Promise<void> {
  const looked = join(folder, beginning);
  if (swept.has(looked)) return;
  if (swept.size >= MOST_SWEPT) swept.clear();
  swept.add(looked);
  const age = async (name: string): Promise<number> => {
    const [now, then] = await Promise.all([own, join(folder, name)].map((path) => fileSystem().stat(path)));
    return (now?.mtimeMs ?? 0) - (then?.mtimeMs ?? 0); // by the clock of the file system
  };
  try {
    for (const name of await fileSystem().readdir(folder)) {
      const life = name.startsWith(beginning) ? lifeByMark(name) : undefined;
      if (life !== "dead" && !(life === "unknown" && (await age(name)) > DAY)) continue;
      await fileSystem().rm(join(folder, name), { recursive: true, force: true });
    }
  } catch {
    // It costs nothing but its place.
  }
}
