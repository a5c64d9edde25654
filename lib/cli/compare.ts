import { join } from "node:path";
import { fileError, fileSystem } from "../io/file_system.js";
import { dataText } from "../job/job.js";
import { FILES, RunFolder } from "../job/run_folder.js";
import { durationText, figureText } from "../train/progress/line.js";
import { columnsText, complain, print, type Status } from "./terms.js";

/** A run as its job file tells of it: nothing else is read. */
interface Compared {
  readonly path: string;
  readonly target: string;
  readonly data: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly score: Readonly<Record<string, number>>;
}

/** Figures of which more is better. */
const HIGHER = ["accuracy", "auc", "r2"];

async function foldersIn(path: string): Promise<readonly string[]> {
  const entries = await fileSystem()
    .readdir(path, { withFileTypes: true })
    .catch((cause: unknown) => {
      throw fileError(path, "the folder of a run, or of several", cause);
    });
  if (entries.some(({ name }) => name === FILES.job)) return [path];
  const inside = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
  const found = await Promise.all(inside.map(async (one) => [one, await hasJob(one)] as const));
  return found.filter(([, has]) => has).map(([one]) => one);
}

function hasJob(path: string): Promise<boolean> {
  return fileSystem()
    .access(join(path, FILES.job))
    .then(
      () => true,
      () => false,
    );
}

async function comparedOf(path: string): Promise<Compared> {
  const { job, ran } = await RunFolder.open(path);
  const { target = "", data, preset = "auto", seed = 0 } = job;
  const score = Object.entries({ ...Object(ran.score) }).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number",
  );
  return {
    path,
    target: [target].flat().join(", "),
    data: `${dataText(data)} ${String(ran.sha256 ?? "").slice(0, 12)}`.trim(),
    facts: { preset, seed, ...ran },
    score: Object.fromEntries(score),
  };
}

/** Runs of one target and the same data, the best first by the first figure that they have. */
function groupsOf(runs: readonly Compared[]): ReadonlyMap<string, readonly Compared[]> {
  const groups = new Map<string, Compared[]>();
  for (const run of runs) {
    const key = `${run.target} of ${run.data}`;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  for (const [key, members] of groups) {
    const [name = ""] = members.flatMap(({ score }) => Object.keys(score));
    const sign = HIGHER.includes(name) ? -1 : 1;
    const worth = ({ score }: Compared): number =>
      score[name] === undefined ? Number.POSITIVE_INFINITY : sign * score[name];
    groups.set(
      key,
      members.toSorted((a, b) => worth(a) - worth(b) || (a.path < b.path ? -1 : 1)),
    );
  }
  return groups;
}

const text = (value: unknown): string => (value === undefined || value === null ? "·" : String(value));

function tableOf(runs: readonly Compared[]): string {
  const figures = [...new Set(runs.flatMap(({ score }) => Object.keys(score)))];
  const head = ["run", "preset", ...figures, "time", "members", "epochs", "rows", "weights", "seed", "state"];
  const lines = runs.map(({ path, facts, score }) => {
    const { preset, seconds, members, epochs, rows, parameters, seed, reason } = facts;
    const measured = figures.map((name) => (score[name] === undefined ? "·" : figureText(score[name])));
    const time = typeof seconds === "number" ? durationText(seconds) : "·";
    return [path, text(preset), ...measured, time, ...[members, epochs, rows, parameters, seed, reason].map(text)];
  });
  return columnsText([head, ...lines], 2);
}

/** Puts runs side by side. */
export async function compare(paths: readonly string[], json: boolean): Promise<Status> {
  const folders = (await Promise.all((paths.length === 0 ? ["runs"] : paths).map(foldersIn))).flat();
  const runs = await Promise.all([...new Set(folders)].map(comparedOf));
  if (json) print(JSON.stringify(runs, null, 2));
  else if (runs.length === 0) complain(`no runs in ${paths.join(", ") || "runs"}`);
  else print([...groupsOf(runs)].map(([key, members]) => `${key}\n${tableOf(members)}`).join("\n\n"));
  return 0;
}
