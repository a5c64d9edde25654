import { CarillonError, runtime, type TabularModel, table, tabular } from "../index.js";
import { fileSystem } from "../io/file_system.js";
import { writeWhole } from "../job/files.js";
import type { Job } from "../job/job.js";
import { readSchemaFile } from "../job/job_file.js";
import { checkSameData, FILES, hashOf, isReadOnce, type Ran, RunFolder, stemOf } from "../job/run_folder.js";
import { RunLog } from "../job/run_log.js";
import { durationText, figureText } from "../train/progress/line.js";
import { type Interruption, interruptible } from "./interruption.js";
import { packageVersion } from "./package.js";
import { type Status, schemaFile } from "./terms.js";
import { writeReport } from "./train_report.js";
import { type Told, toldBy } from "./train_told.js";
import { Watcher } from "./watch/watcher.js";

/** How `carillon train` is asked, besides the job. */
export interface TrainOptions {
  readonly log: "text" | "json";
  /** The folder of a run that is to go on. */
  readonly resume: string | undefined;
  /** The port of a live page, 0 for any that is free; `undefined` for none. */
  readonly watch: number | undefined;
  /** Whether report.html and its like are written. */
  readonly report: boolean;
}

/** What a run is made of. */
interface Begun {
  readonly folder: RunFolder;
  readonly job: Job;
  readonly ran: Ran;
  readonly resumed: boolean;
}

/** Trains what a job says, in a folder of its own, or goes on with a run that was broken off. */
export async function train(given: Job | undefined, options: TrainOptions): Promise<Status> {
  const told = toldBy(options.log);
  const watcher = options.watch === undefined ? undefined : new Watcher();
  let begun: Begun | undefined;
  const work = async (interruption: Interruption): Promise<Status> => {
    if (watcher !== undefined) told.say(`live page: ${await watcher.listen(options.watch ?? 0)}`);
    begun = await begin(given, options.resume, interruption.signal);
    return await runJob(begun, told, interruption, { watcher, report: options.report });
  };
  const left = async (stopped: boolean): Promise<string | undefined> => {
    told.end();
    return await leftOf(begun, stopped);
  };
  try {
    return await interruptible(work, left, (text) => told.say(text));
  } finally {
    told.end();
    await watcher?.close();
  }
}

/** Clears up behind a run that has ended early, and says what there is of it. */
async function leftOf(begun: Begun | undefined, stopped: boolean): Promise<string | undefined> {
  const nothing = stopped ? "stopped before anything was trained: nothing is kept" : undefined;
  if (begun === undefined) return nothing;
  const { folder, resumed } = begun;
  const hasModel = await isFile(folder.file("model"));
  const isKept = resumed || hasModel || (await hasCheckpoint(folder));
  if (!isKept) await folder.discard();
  if (!isKept) return nothing;
  if (stopped) return goesOn(folder);
  const kept = `is kept; it goes on with: npx carillon train --resume ${folder.path}`;
  return `${folder.path} ${hasModel ? "has the model" : kept}`;
}

function goesOn({ path }: RunFolder): string {
  return `stopped; it goes on with: npx carillon train --resume ${path}`;
}

async function begin(given: Job | undefined, resume: string | undefined, signal: AbortSignal): Promise<Begun> {
  if (resume !== undefined) {
    const { folder, job, ran } = await RunFolder.open(resume);
    if (ran.reason === "finished")
      throw new CarillonError(
        "ERR_STATE",
        resume,
        `expected a run that was broken off for '--resume' but '${resume}' is finished`,
      );
    await checkSameData(resume, job, ran, signal);
    return { folder, job, ran, resumed: true };
  }
  if (given === undefined) throw new CarillonError("ERR_OPTION", "job", "expected a job");
  const schema = typeof given.schema === "string" ? await readSchemaFile(given.schema) : given.schema;
  const { $schema: _, ...known }: Readonly<Record<string, unknown>> = { ...schema };
  const job = schema === undefined ? given : { ...given, schema: known };
  const sha256 = await hashOf(job.data, signal);
  const folder = await RunFolder.make(job.runs ?? "runs", job.name, stemOf(job.data));
  const ran: Ran = {
    reason: "broken off",
    carillon: packageVersion(),
    numericsVersion: runtime.numericsVersion,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    threads: job.threads ?? runtime.threads,
    started: new Date().toISOString(),
    sha256,
    again: `npx carillon train --job ${folder.file("job")}`,
  };
  await folder.orNone(folder.keep(job, ran));
  return { folder, job, ran, resumed: false };
}

async function isFile(path: string): Promise<boolean> {
  const found = await fileSystem()
    .stat(path)
    .catch(() => undefined);
  return found?.isFile() === true;
}

/** Whether there is something to go on from. */
async function hasCheckpoint(folder: RunFolder): Promise<boolean> {
  const entries = await fileSystem()
    .readdir(folder.file("checkpoints"), { recursive: true, withFileTypes: true })
    .catch(() => []);
  return entries.some((entry) => entry.isFile() && !entry.name.startsWith("."));
}

async function runJob(
  { folder, job, ran, resumed }: Begun,
  told: Told,
  interruption: Interruption,
  { watcher, report: wantsReport }: { readonly watcher: Watcher | undefined; readonly report: boolean },
): Promise<Status> {
  const { data, target, schema, read, transforms, memory, name: _name, runs: _runs, ...options } = job;
  const checkpoint = { dir: folder.file("checkpoints"), resume: resumed };
  const known = typeof schema === "string" ? undefined : schema;
  // What can be read but once is kept: the report needs its rows, too.
  const source = (await isReadOnce(data)) ? await table(data, { ...read, signal: interruption.signal }) : data;
  const log = new RunLog(folder.file("metrics"), folder.file("events"), resumed);
  const run = tabular(options).fit(source, {
    target,
    schema: known,
    transforms,
    memory,
    read,
    checkpoint,
    signal: interruption.signal,
    onEvent: (event) => {
      if (event.kind === "epoch") log.write(event);
    },
  });
  watcher?.follow(run);
  let facts: Ran = {};
  let isHeld = true;
  for await (const event of run) {
    told.take(event);
    watcher?.take(event);
    if (event.kind === "epoch") await log.show(event);
    if (event.kind === "start") {
      interruption.follow(run);
      isHeld = event.held;
      const { rows, columns, members, epochs, parameters } = event;
      facts = { ...facts, rows, columns, members, epochs, parameters };
    }
    if (event.kind === "end") facts = { ...facts, reason: event.reason, seconds: event.seconds, score: event.score };
  }
  const model = await run;
  await keep(folder, job, { ...ran, ...facts }, model);
  const isReported = wantsReport && facts.reason === "finished";
  if (isReported) {
    told.say("writing the report");
    await writeReport(folder, job, { ...ran, ...facts }, model, source, isHeld);
  }
  told.end();
  return tell(folder, { ...ran, ...facts, report: isReported }, model, told, interruption);
}

async function keep(folder: RunFolder, job: Job, ran: Ran, model: TabularModel): Promise<void> {
  await model.save(folder.file("model"));
  const { size } = await fileSystem().stat(folder.file("model"));
  await writeWhole(folder.file("schema"), schemaFile(model.schema));
  await folder.keep({ ...job, target: oneOf(model.target), schema: model.schema }, { ...ran, bytes: size });
  if (ran.reason === "finished") await fileSystem().rm(folder.file("checkpoints"), { recursive: true, force: true });
}

function oneOf(names: readonly string[]): string | readonly string[] {
  const [first = ""] = names;
  return names.length === 1 ? first : names;
}

function tell(folder: RunFolder, ran: Ran, model: TabularModel, told: Told, { interrupted }: Interruption): Status {
  const figures = Object.entries(model.score).map(([name, value]) => `${name} ${figureText(value)}`);
  const seconds = typeof ran.seconds === "number" ? `, ${durationText(ran.seconds)}` : "";
  told.say(`${figures.join("  ")}  (rows that were held out${seconds})`);
  const stopped = ran.reason !== "finished";
  if (stopped) told.say(goesOn(folder));
  const page = ran.report === true ? ["report.html"] : [];
  told.say(
    `${folder.path} has ${[...page, FILES.model, FILES.job, FILES.schema, FILES.metrics, FILES.events].join(", ")}`,
  );
  if (!stopped) told.say(`answers to rows: npx carillon predict ${folder.path} FILE`);
  told.result(folder.path, model.score);
  return stopped && interrupted ? 130 : 0;
}
