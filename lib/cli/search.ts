import { countText } from "../counts.js";
import { CarillonError, codeOf } from "../errors.js";
import { type Measures, table, tabular } from "../index.js";
import { fileError, fileSystem } from "../io/file_system.js";
import { writeWhole } from "../job/files.js";
import { type Job, withoutSecrets } from "../job/job.js";
import { readJobFile, readRan, readSchemaFile } from "../job/job_file.js";
import { checkSameData, hashOf, RunFolder, stemOf } from "../job/run_folder.js";
import { type Changes, partsOf, type Round, roundsOf, trialsOf } from "../job/search.js";
import { figureText } from "../train/progress/line.js";
import { type Interruption, interruptible } from "./interruption.js";
import { complain, print, type Status, UsageError } from "./terms.js";

/** How `carillon search` is asked, besides the job. */
export interface SearchOptions {
  readonly resume: string | undefined;
  readonly trials: number | undefined;
  readonly jobs: number | undefined;
}

/** What came of a trial in a round. */
interface Result {
  readonly trial: number;
  readonly epochs: number;
  readonly changes: Changes;
  readonly score: Measures;
}

/** A search that has a folder. */
interface Begun {
  readonly folder: RunFolder;
  readonly job: Job;
  readonly trials: number;
  readonly jobs: number;
}

const EPOCHS = 256;

function checkCount(flag: string, value: number | undefined, standard: number): number {
  if (value === undefined) return standard;
  if (Number.isInteger(value) && value >= 1 && value <= 100_000) return value;
  throw new UsageError(`expected an integer in [1, 100000] for '${flag}' but received ${value}`);
}

async function begin(given: Job | undefined, options: SearchOptions): Promise<Begun> {
  const jobs = checkCount("--jobs", options.jobs, 2);
  if (options.resume !== undefined) {
    const folder = RunFolder.at(options.resume);
    const job = await readJobFile(folder.file("search"));
    const ran = await readRan(folder.file("search"));
    await checkSameData(folder.path, job, ran);
    return { folder, job, trials: Number(ran.trials), jobs };
  }
  if (given === undefined) throw new CarillonError("ERR_OPTION", "job", "expected a job");
  const trials = checkCount("--trials", options.trials, 27);
  const schema = typeof given.schema === "string" ? await readSchemaFile(given.schema) : given.schema;
  const job = schema === undefined ? given : { ...given, schema };
  const sha256 = await hashOf(job.data);
  const folder = await RunFolder.make(job.runs ?? "runs", job.name, `${stemOf(job.data)}-search`);
  const asked = JSON.stringify({ ...withoutSecrets(job), ran: { trials, sha256 } }, null, 2);
  await folder.orNone(writeWhole(folder.file("search"), `${asked}\n`));
  return { folder, job, trials, jobs };
}

/** Results of before, of a search that goes on. */
async function resultsOf(folder: RunFolder): Promise<readonly Result[]> {
  const text = await fileSystem()
    .readFile(folder.file("trials"), "utf8")
    .catch((cause: unknown) => {
      if (codeOf(cause) === "ENOENT") return "";
      throw fileError(folder.file("trials"), "a file that can be read", cause);
    });
  return text.split("\n").flatMap((line): Result[] => {
    try {
      return line === "" ? [] : [JSON.parse(line) as Result];
    } catch {
      return []; // cut off as it was written
    }
  });
}

/** The figure that trials are compared by: less is better. */
function worthOf({ logLoss, rmse }: Measures): number {
  const worth = logLoss ?? rmse ?? Number.NaN;
  return Number.isNaN(worth) ? Number.POSITIVE_INFINITY : worth;
}

function changesText(changes: Changes): string {
  const words = Object.entries(changes).map(
    ([key, value]) => `${key} ${Array.isArray(value) ? value.join("-") : value}`,
  );
  return words.length === 0 ? "the job as it is" : words.join(", ");
}

/** Trains jobs that are drawn, and says which is the best. */
export async function search(given: Job | undefined, options: SearchOptions): Promise<Status> {
  const begun = await begin(given, options);
  const { folder } = begun;
  const work = async ({ signal }: Interruption): Promise<Status> => {
    const best = await findBest(begun, signal);
    const { name: _name, ...job } = withoutSecrets(begun.job);
    await writeWhole(
      folder.file("best"),
      `${JSON.stringify({ ...job, ...best.changes, ran: { score: best.score } }, null, 2)}\n`,
    );
    complain(`best: ${changesText(best.changes)}`);
    complain(`train it with: npx carillon train --job ${folder.file("best")}`);
    print(folder.file("best"));
    return 0;
  };
  const left = async (stopped: boolean): Promise<string | undefined> => {
    const results = await resultsOf(folder);
    const told = `stopped after ${countText(results.length, "trial")}; it goes on with: npx carillon search --resume ${folder.path}`;
    if (stopped) return told;
    if (results.length === 0) await folder.discard();
    return undefined;
  };
  return await interruptible(work, left, complain);
}

async function findBest({ folder, job, trials, jobs }: Begun, signal: AbortSignal): Promise<Result> {
  const done = [...(await resultsOf(folder))];
  // A line that was cut off as it was written goes.
  if (done.length > 0) await writeWhole(folder.file("trials"), done.map((one) => `${JSON.stringify(one)}\n`).join(""));
  const drawn = trialsOf(trials, job.seed ?? 0);
  const rounds = roundsOf(trials, job.epochs ?? EPOCHS);
  const { data, read, target, schema, transforms, memory: _memory, name: _name, runs: _runs, ...settings } = job;
  const rows = await table(data, { ...read, signal });
  const parts = partsOf(rows.rows, job.seed ?? 0);
  const known = typeof schema === "string" ? undefined : schema;
  const train = async (trial: number, { epochs }: Round): Promise<Result> => {
    const before = done.find((one) => one.trial === trial && one.epochs === epochs);
    if (before !== undefined) return before;
    const changes = drawn[trial] ?? {};
    const estimator = tabular({ ...settings, ...changes, epochs, folds: 1 });
    const { score } = await estimator.fit(rows, { target, schema: known, transforms, rows: parts, signal });
    const result = { trial, epochs, changes, score };
    done.push(result);
    await fileSystem()
      .appendFile(folder.file("trials"), `${JSON.stringify(result)}\n`)
      .catch((cause: unknown) => {
        throw fileError(folder.file("trials"), "a file that can be written", cause);
      });
    const figures = Object.entries(score).map(([figure, value]) => `${figure} ${figureText(value)}`);
    complain(`trial ${trial}, ${countText(epochs, "epoch")}: ${figures.join("  ")}  (${changesText(changes)})`);
    return result;
  };
  let left = drawn.map((_, trial) => trial);
  let results: Result[] = [];
  for (const [at, round] of rounds.entries()) {
    complain(
      `round ${at + 1} of ${rounds.length}: ${countText(round.trials, "trial")} of ${countText(round.epochs, "epoch")}`,
    );
    left = left.slice(0, round.trials);
    results = await several(left, jobs, (trial) => train(trial, round));
    results.sort((a, b) => worthOf(a.score) - worthOf(b.score) || a.trial - b.trial);
    left = results.map(({ trial }) => trial);
  }
  const [best] = results;
  if (best === undefined) throw new CarillonError("ERR_STATE", "search", "expected a trial or more");
  return best;
}

/** The results of `work` for each of a list, some at once, in the order of the list. */
async function several<T, R>(list: readonly T[], atOnce: number, work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < list.length; at = next++) results[at] = await work(list[at] as T);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, list.length) }, worker));
  return results;
}
