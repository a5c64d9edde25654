import { CarillonError } from "../errors.js";
import type { StoredTensors } from "../io/safetensors.js";
import { openSealed, readSealed } from "../io/seal.js";
import type { Model } from "../nn/model.js";
import type { Minimizer } from "../optim/minimizer.js";
import { type DecodedCheckpoint, decodeCheckpoint, FORMAT } from "./checkpoint.js";
import type { CheckedResume } from "./checkpoint_options.js";
import { listCheckpoints } from "./checkpoint_store.js";
import { checkDataProgress, type StreamProgress } from "./course.js";
import { samplesOf, shuffleBufferOf } from "./data.js";
import type { PassedOver } from "./events.js";
import type { CheckedOptions } from "./options.js";
import { differing, settingsOf } from "./settings.js";

/** What a run continues, and what it does not. */
export interface Resumed {
  /** `undefined`: the run begins at its beginning. */
  readonly checkpoint: DecodedCheckpoint | undefined;
  /** Its place in a stream; `null` for data in memory. */
  readonly place: StreamProgress | null;
  /** Of the file, if it is one. */
  readonly path: string | null;
  readonly passedOver: readonly PassedOver[];
  /** The callback that has stopped this very run: it is over, and ends at once with its result. */
  readonly stoppedBy: string | null;
}

/** A run from its beginning. */
export const FROM_THE_BEGINNING: Resumed = {
  checkpoint: undefined,
  place: null,
  path: null,
  passedOver: [],
  stoppedBy: null,
};

/** The name under which a checkpoint that does not fit is refused. */
export const RESUME = "fit.resume";

type Fitting = Pick<Resumed, "place" | "stoppedBy"> & { readonly checkpoint: DecodedCheckpoint };

/** A checkpoint, if it is one of this very run; otherwise `ERR_FILE` or `ERR_STATE` says what differs. */
function fitting(
  stored: StoredTensors,
  where: string,
  model: Model,
  minimizer: Minimizer,
  options: CheckedOptions,
  changed: CheckedResume["changed"],
): Fitting {
  const checkpoint = decodeCheckpoint(stored, where, model, minimizer);
  const { progress } = checkpoint;
  const samples = samplesOf(options);
  const { batchSize, shuffle, seed = progress.seed } = options;
  const own = settingsOf(model, minimizer, options);
  const settings = differing(own, checkpoint.settings, changed);
  for (const [name, now, then] of [
    ["seed", seed, progress.seed],
    ["samples", samples, progress.samples],
    ["batchSize", batchSize, progress.batchSize],
    ["shuffle", shuffle, progress.shuffle],
    ...(settings === undefined ? [] : [settings]),
  ] as const) {
    if (now === then) continue;
    throw new CarillonError(
      "ERR_STATE",
      `${RESUME}.${name}`,
      `expected ${name} ${then} for '${where}' but received ${now}`,
    );
  }
  for (const { name, restore } of options.callbacks) {
    if (restore === undefined || name in progress.callbacks) continue;
    throw new CarillonError("ERR_STATE", RESUME, `expected the state of callback '${name}' in '${where}'`);
  }
  const { transforms, classNames } = options;
  const place = checkDataProgress(RESUME, progress.data, {
    shuffleBuffer: shuffleBufferOf(options),
    transforms,
    classNames,
  });
  const isOver =
    options.callbacks.some(({ name }) => name === progress.stoppedBy) &&
    differing(own, checkpoint.settings, []) === undefined;
  return { checkpoint, place, stoppedBy: isOver ? progress.stoppedBy : null };
}

/**
 * Finds and verifies what `resume` names; nothing is written. With `'auto'` a run that a callback has stopped is over, unless the
 * callback is gone or a setting was changed; who names the checkpoint goes on from it.
 */
export async function findCheckpoint(model: Model, minimizer: Minimizer, options: CheckedOptions): Promise<Resumed> {
  const { resume, checkpoint: folder } = options;
  if (resume === undefined) return FROM_THE_BEGINNING;
  const { from, changed } = resume;
  const decode = (stored: StoredTensors, where: string): Fitting =>
    fitting(stored, where, model, minimizer, options, changed);
  if (from === "auto") return await newestSound(folder?.dir ?? "", decode);
  if (typeof from === "string") {
    return { ...decode(await readSealed(from, FORMAT), from), path: from, passedOver: [], stoppedBy: null };
  }
  return { ...decode(openSealed(from, RESUME, FORMAT), RESUME), path: null, passedOver: [], stoppedBy: null };
}

/**
 * The newest checkpoint of a folder that is whole and of this run. If none is, damaged ones are no reason not to begin
 * anew; sound ones of another run are (`ERR_STATE`), as the new run would mix with it.
 */
async function newestSound(dir: string, decode: (stored: StoredTensors, where: string) => Fitting): Promise<Resumed> {
  const passedOver: PassedOver[] = [];
  let foreign = false;
  for (const { path } of await listCheckpoints(dir)) {
    let whole = false;
    try {
      const stored = await readSealed(path, FORMAT);
      whole = true;
      return { ...decode(stored, path), path, passedOver };
    } catch (error) {
      if (!(error instanceof CarillonError)) throw error;
      passedOver.push({ path, reason: error.message });
      foreign ||= whole;
    }
  }
  if (!foreign) return { ...FROM_THE_BEGINNING, passedOver };
  const reasons = passedOver.map(({ reason }) => reason).join("; ");
  throw new CarillonError("ERR_STATE", RESUME, `expected a checkpoint of this run in '${dir}': ${reasons}`);
}
