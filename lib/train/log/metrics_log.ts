import { dirname, resolve } from "node:path";
import { madeBy } from "../../described.js";
import { codeOf } from "../../errors.js";
import { fileError, fileSystem, writeFileAtomic } from "../../io/file.js";
import { checkKeys, checkString } from "../../options.js";
import { describedBy } from "../../tensor/inspect.js";
import type { Callback, CallbackHooks, Decision } from "../callbacks/callback.js";
import { VALIDATION } from "../callbacks/figure_ranges.js";
import { checkEvery } from "../checkpoint/options.js";
import { type LogOptions, today, trainingFigures, validationFigures } from "./figures.js";

/** Options of {@link metricsLog}. */
export interface MetricsLogOptions extends LogOptions {
  /** The file, `metrics.jsonl` say; missing folders are made. */
  readonly path: string;
}

/**
 * Writes the figures of a run into a file, a line of JSON each time: `step`, `epoch`, `time`, `loss`, metrics by their names, those of the
 * validation set as `validation.loss`, … where it was measured at that step. With a penalty `dataLoss` and `penalty`, too. NaN and infinities are `null`.
 *
 * A run from its beginning begins the file anew; one that is resumed keeps the lines of the steps before. `ERR_FILE` ends the run where the file cannot be
 * written. `ERR_OPTION`, `ERR_UNKNOWN_OPTION`.
 *
 * @example metricsLog({ path: 'runs/churn/metrics.jsonl' })
 */
export function metricsLog(options: MetricsLogOptions): Callback {
  checkKeys("metricsLog", options, ["path", "every", "name"]);
  const path = checkString("metricsLog.path", options.path);
  const every = options.every === undefined ? undefined : checkEvery("metricsLog.every", options.every);
  const name = checkString("metricsLog.name", options.name ?? "metricsLog");
  const begin = (): CallbackHooks => {
    const file = resolve(path);
    /** The step that the run goes on behind, until the file has been cut. */
    let from: number | undefined = 0;
    return {
      start({ step }) {
        from = step;
      },
      async decide(at) {
        if (from !== undefined) await cutBehind(file, Math.min(from, at.step - 1)); // a resumed run may do its first step's validation once more
        from = undefined;
        await fileSystem().appendFile(file, lineOf(at)).catch(refuse(file));
      },
    };
  };
  const callback = Object.assign(begin(), { name, every, begin });
  return madeBy(
    "metricsLog",
    { ...options, name },
    describedBy(callback, () => ({ title: `Callback ${name}`, fields: { path } })),
  );
}

function lineOf(at: Decision): string {
  const validation = validationFigures(at).map(([key, value]) => [`${VALIDATION}${key}`, value] as const);
  const figures = Object.fromEntries([...trainingFigures(at), ...validation]);
  return `${JSON.stringify({ step: at.step, epoch: at.epoch, time: today().toISOString(), ...figures })}\n`;
}

/** Leaves the lines of steps up to `step`. */
async function cutBehind(file: string, step: number): Promise<void> {
  await fileSystem().mkdir(dirname(file), { recursive: true }).catch(refuse(file));
  const text =
    step === 0 ? "" : await fileSystem().readFile(file, "utf8").catch(unless("ENOENT", "")).catch(refuse(file));
  const kept = text.split("\n").filter((line) => stepOf(line) <= step);
  await writeFileAtomic(file, new TextEncoder().encode(kept.map((line) => `${line}\n`).join("")));
}

/** Of a line; of one that was cut off as it was written, or that is none of ours, infinity. */
function stepOf(line: string): number {
  try {
    const step: unknown = Reflect.get(Object(JSON.parse(line)), "step");
    return typeof step === "number" ? step : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function unless<T>(code: string, instead: T): (cause: unknown) => T {
  return (cause) => {
    if (codeOf(cause) === code) return instead;
    throw cause;
  };
}

function refuse(file: string): (cause: unknown) => never {
  return (cause) => {
    throw fileError(file, "a file that can be written", cause);
  };
}
