import { basename } from "node:path";
import { report, type TableSource, type TabularModel, table } from "../index.js";
import { type Job, withoutSecrets } from "../job/job.js";
import type { Ran, RunFolder } from "../job/run_folder.js";

/** Writes why a model may be trusted into the folder of its run: report.html, report.md and report.json. */
export async function writeReport(
  folder: RunFolder,
  job: Job,
  { seconds, again }: Ran,
  model: TabularModel,
  source: TableSource,
  isHeld: boolean,
): Promise<void> {
  const known = Object.entries(model.kinds).filter(([, kind]) => kind === "number" || kind === "text");
  const isWritten = typeof source === "string" || Array.isArray(source);
  const read = { ...job.read, ...(isWritten ? { kinds: Object.fromEntries(known) } : {}) };
  const rows = isHeld ? await table(source, read) : source;
  const { schema: _, ...asked } = withoutSecrets(job);
  const made = await report(model, rows, {
    name: basename(folder.path),
    job: asked,
    ...(isHeld ? {} : { read: { ...job.read }, memory: job.memory }),
    ...(typeof again === "string" ? { command: again } : {}),
    ...(typeof seconds === "number" ? { seconds } : {}),
  });
  await made.save(folder.path);
}
