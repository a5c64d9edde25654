import { resolve } from "node:path";
import { COPIED_AT_ONCE } from "../../data/turns.js";
import { CarillonError, fail } from "../../errors.js";
import { type CheckedLimits, checkLimits, type FileLimits } from "../../io/limits.js";
import { checkBoolean, checkKeys, checkNumber, checkOneOf, checkString } from "../../options.js";
import { isUint8Array } from "../../tensor/arrays.js";
import { copied } from "../../tensor/copied.js";
import { isDetached } from "../../tensor/detached.js";
import type { Every } from "../callbacks/callback.js";
import { Monitor, type MonitorMode } from "../callbacks/monitor.js";
import { OF_THE_ORDER, SETTINGS, type Setting } from "./settings.js";

/** The figure by which the best checkpoint is known. */
export interface BestOptions {
  /** `loss`, `dataLoss` or a metric's name, of the epoch so far; `validation.loss` or `validation.NAME` of the last validation. */
  readonly monitor: string;
  /** Whether less or more is better; by default less of losses, `mae` and `rmse`, more of anything else. */
  readonly mode?: MonitorMode | undefined;
}

/** Where and when checkpoints are written. */
export interface CheckpointOptions {
  /** A folder of this run's own; it is made if it is missing. A relative one is that of the call. */
  readonly dir: string;
  /** `{ epochs: 1 }` by default; besides, one at the end and when the run is stopped. */
  readonly every?: Every | undefined;
  /** Newest ones kept, 3 by default. */
  readonly keep?: number | undefined;
  /** Keeps the best one as well. */
  readonly best?: BestOptions | undefined;
  /**
   * Takes the folder from a run of another host of which nobody here can say whether it is still at work, false by default; needed
   * only on file systems without locks.
   */
  readonly takeOver?: boolean | undefined;
}

/** Options of checkpoints with every default filled in. */
export interface CheckedCheckpoint {
  /** Absolute. */
  readonly dir: string;
  readonly every: Every;
  readonly keep: number;
  readonly best: Monitor | undefined;
  readonly takeOver: boolean;
}

/** A checkpoint's bytes, of which more than 4 MB must stay as they are until the start event, its path, or `'auto'`: the newest sound one in `checkpoint.dir`, or a new run if there is none. */
export type ResumeFrom = Uint8Array | string;

/** {@link ResumeFrom}, and what may differ from what the checkpoint has. */
export interface ResumeOptions {
  readonly from: ResumeFrom;
  /** Settings that were changed on purpose. */
  readonly changed?: readonly Setting[] | undefined;
  /**
   * The training data is another: the run begins the next epoch with a new order of the rows that there are now, with the weights and
   * states of the checkpoint and in its units. `epochs` counts the epochs before too; `steps` and schedules go by all steps.
   */
  readonly data?: "changed" | undefined;
  /** Limits of what the file may ask for. */
  readonly limits?: FileLimits | undefined;
}

/** The checkpoint from which a run is asked to go on, and its changes. */
export interface CheckedResume {
  readonly from: ResumeFrom;
  readonly changed: readonly Setting[];
  /** Whether the data is another. */
  readonly newData: boolean;
  readonly limits: CheckedLimits;
}

/** A copy of { steps } or { epochs }, checked. */
export function checkEvery(where: string, every: Every): Every {
  checkKeys(where, every, ["steps", "epochs"]);
  if ((every.steps === undefined) === (every.epochs === undefined)) {
    fail("ERR_OPTION", where, "either steps or epochs", every);
  }
  checkNumber(where, every.steps ?? every.epochs, { min: 1, integer: true });
  return { ...every };
}

const KEPT = 3;

/** Checks the name of a figure as {@link checkMonitor} does, for a run. */
export type MonitorCheck = (where: string, figure: unknown) => void;

/** Checks `fit.checkpoint`. */
export function checkCheckpoint(
  given: CheckpointOptions | undefined,
  checkFigure: MonitorCheck,
): CheckedCheckpoint | undefined {
  const where = "fit.checkpoint";
  if (given === undefined) return undefined;
  checkKeys(where, given, ["dir", "every", "keep", "best", "takeOver"]);
  const { dir, every = { epochs: 1 }, keep = KEPT, best, takeOver = false } = given;
  return {
    dir: resolve(checkString(`${where}.dir`, dir)),
    every: checkEvery(`${where}.every`, every),
    keep: checkNumber(`${where}.keep`, keep, { min: 1, integer: true }),
    best: best === undefined ? undefined : checkBest(`${where}.best`, best, checkFigure),
    takeOver: checkBoolean(`${where}.takeOver`, takeOver),
  };
}

function checkBest(where: string, best: BestOptions, checkFigure: MonitorCheck): Monitor {
  checkKeys(where, best, ["monitor", "mode"]);
  checkFigure(`${where}.monitor`, best.monitor);
  return new Monitor(where, best);
}

/** Checks `fit.resume`. */
export function checkResume(
  given: ResumeFrom | ResumeOptions | undefined,
  checkpoint: CheckedCheckpoint | undefined,
): CheckedResume | undefined {
  const where = "fit.resume";
  if (given === undefined) return undefined;
  const whole: ResumeOptions = typeof given === "string" || isUint8Array(given) ? { from: given } : given;
  checkKeys(where, whole, ["from", "changed", "data", "limits"]);
  const { from, changed = [], data } = whole;
  const limits = checkLimits(`${where}.limits`, whole.limits);
  const newData = data !== undefined && checkOneOf(`${where}.data`, data, ["changed"]) === "changed";
  if (isUint8Array(from)) {
    if (isDetached(from)) fail("ERR_DETACHED", where, "the bytes of a checkpoint", from);
  } else {
    if (typeof from !== "string") fail("ERR_OPTION", where, "the bytes of a checkpoint, a path or 'auto'", from);
    checkString(where, from);
  }
  if (!Array.isArray(changed)) fail("ERR_OPTION", `${where}.changed`, "an array of settings", changed);
  for (const [index, name] of changed.entries()) {
    checkOneOf(`${where}.changed[${index}]`, name, SETTINGS);
    if (newData || !OF_THE_ORDER.some((one) => one === name)) continue;
    throw new CarillonError(
      "ERR_OPTION",
      `${where}.changed[${index}]`,
      `expected data: 'changed' beside '${name}', as batches of another kind need the beginning of an epoch`,
    );
  }
  if (from === "auto" && checkpoint === undefined) {
    throw new CarillonError("ERR_OPTION", where, "expected 'fit.checkpoint', whose folder 'auto' looks into");
  }
  const own = typeof from === "string" ? (from === "auto" ? from : resolve(from)) : copyOfFew(from);
  return { from: own, changed: [...changed], newData, limits };
}

/** Many bytes are read where they are. */
function copyOfFew(bytes: Uint8Array): Uint8Array {
  return bytes.length > COPIED_AT_ONCE ? bytes : copied(bytes);
}
