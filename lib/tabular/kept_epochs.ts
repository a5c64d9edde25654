// How many epochs a run was found to have the time for, kept beside its checkpoints: one that goes on has as many.
import { join } from "node:path";
import { codeOf } from "../errors.js";
import { fileError, fileSystem, writeFileAtomic } from "../io/file.js";
import { Part } from "../io/part.js";
import type { TabularFitOptions } from "./options.js";

/** Of what is kept, in the folder of checkpoints. */
const NAME = "epochs.json";

/** The epochs that the run of these checkpoints had, where it is resumed, else those that are `found`; `undefined` where nothing was found, `ERR_FILE` for a file that has none. */
export async function keptEpochs(
  checkpoint: TabularFitOptions["checkpoint"],
  found: () => Promise<number | undefined>,
): Promise<number | undefined> {
  if (checkpoint === undefined) return await found();
  const path = join(checkpoint.dir, NAME);
  const known = checkpoint.resume === true ? await epochsIn(path) : undefined;
  if (known !== undefined) return known;
  const epochs = await found();
  if (epochs === undefined) return undefined;
  // The first member refuses the checkpoints of another run: that one can still go on.
  if (!(await isTaken(join(checkpoint.dir, "member-1"))))
    await writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify({ epochs })}\n`));
  return epochs;
}

async function epochsIn(path: string): Promise<number | undefined> {
  let text: string;
  try {
    text = await fileSystem().readFile(path, "utf8");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw fileError(path, "a file that can be read", cause);
  }
  return new Part(path, "epochs", parsed(path, text)).at("epochs").count(1);
}

function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw fileError(path, "JSON", cause);
  }
}

async function isTaken(folder: string): Promise<boolean> {
  try {
    return (await fileSystem().readdir(folder)).length > 0;
  } catch {
    return false;
  }
}
