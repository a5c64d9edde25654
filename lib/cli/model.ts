import { join } from "node:path";
import { CarillonError, codeOf, isError, messageOf } from "../errors.js";
import { loadTabular, type TableOptions, type TabularModel } from "../index.js";
import { fileError, fileSystem } from "../io/file_system.js";
import type { JobData } from "../job/job.js";
import { FILES } from "../job/run_folder.js";
import { type ReadingFlags, readingOf } from "./flags.js";

/** The file of a model: itself, or that of the folder of a run. */
export async function modelFile(path: string): Promise<string> {
  const found = await fileSystem()
    .stat(path)
    .catch((cause: unknown) => {
      throw fileError(path, "a model, or the folder of a run", cause);
    });
  if (!found.isDirectory()) return path;
  const file = join(path, FILES.model);
  const inside = await fileSystem()
    .stat(file)
    .catch((cause: unknown) => {
      if (codeOf(cause) !== "ENOENT") throw fileError(file, "a model", cause);
      const problem = `expected the folder of a run with a model, but '${path}' has no ${FILES.model}`;
      throw new CarillonError("ERR_FILE", path, problem);
    });
  if (!inside.isFile()) throw fileError(file, "a model", new Error("a folder"));
  return file;
}

/** The model of a file, or of the folder of a run. */
export async function openModel(path: string): Promise<TabularModel> {
  return await loadTabular(await modelFile(path));
}

/** How a table is read for a model: its columns are what they were in training. */
export function readingFor(model: TabularModel, flags: ReadingFlags, source: JobData): TableOptions {
  if (typeof source === "object" && "sql" in source) return readingOf(flags); // a database says what its columns are
  const known = Object.entries(model.kinds).filter(
    ([name, kind]) => model.columns.includes(name) && (kind === "number" || kind === "text"),
  );
  return { ...readingOf(flags), kinds: Object.fromEntries(known) };
}

/** The result of `work`, which reads a table for a model: a column that is not there is told as such, not as one whose kind is known. */
export async function withItsColumns<T>(model: TabularModel, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const where: unknown = isError(error) ? Reflect.get(error, "where") : undefined;
    if (codeOf(error) !== "ERR_DATA" || typeof where !== "string" || !where.endsWith(".kinds")) throw error;
    const file = where.slice(0, -".kinds".length);
    const lost = [...model.columns, ...model.target].find((name) => messageOf(error).endsWith(JSON.stringify(name)));
    const column = lost === undefined ? "every column" : `the column '${lost}'`;
    const problem = `expected ${column} of the model in '${file}' but it is not there`;
    throw new CarillonError("ERR_DATA", file, problem, { cause: error });
  }
}
