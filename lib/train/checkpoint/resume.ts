import { basename } from "node:path";
import type { Affine, Transform } from "../../data/transform.js";
import { CarillonError, messageOf, shortened } from "../../errors.js";
import type { StoredTensor } from "../../io/element_types.js";
import { Part } from "../../io/part.js";
import type { StoredFile } from "../../io/safetensors.js";
import { openSealed } from "../../io/seal.js";
import { type ByteSource, bytesSource, openFile } from "../../io/source.js";
import { readArrays } from "../../io/state.js";
import { measuredSets } from "../../nn/evaluation/evaluator.js";
import { namesIn, unitsIn } from "../../nn/meaning/meaning_words.js";
import type { Staging } from "../../nn/memory/staging.js";
import type { AnyModel } from "../../nn/model/model.js";
import type { Minimizer } from "../../optim/minimizer.js";
import { pathsOf, type RowSpec, type Whole } from "../../tensor/row_spec.js";
import { refuseOneShot, samplesOf, shuffleBufferOf, type TakenUp } from "../data.js";
import type { CheckedOptions, CheckedSettings } from "../options.js";
import { type DataProgress, NO_TURNING } from "../run/epochs.js";
import type { PassedOver } from "../run/events.js";
import { type DecodedCheckpoint, decodeCheckpoint, FORMAT, stage, stretchesOf } from "./checkpoint.js";
import { differenceOf } from "./difference.js";
import type { CheckpointFile, CheckpointFolder } from "./folder.js";
import type { CheckedResume } from "./options.js";
import type { Progress } from "./progress.js";
import type { Reader } from "./progress_schema.js";
import { type ChangedSetting, changesOf, type ToldSettings } from "./settings.js";
import { describedCheckpoint, leastOf, soundCheckpoint } from "./sound.js";

/** The beginning of a run: what it continues, and what it does not. */
export interface Resumed extends TakenUp {
  /** `undefined`: the run begins at its beginning. */
  readonly checkpoint: DecodedCheckpoint | undefined;
  /** Its weights and states, to be put into their place. */
  readonly staging: Staging | undefined;
  /** Whether the run has the bits of one that nobody has changed on its way. */
  readonly bitEqual: boolean;
  /** Of the file, if it is one. */
  readonly path: string | null;
  readonly passedOver: readonly PassedOver[];
}

/** A run from its beginning. */
export const FROM_THE_BEGINNING: Resumed = {
  checkpoint: undefined,
  staging: undefined,
  ...NO_TURNING,
  place: null,
  units: {},
  names: undefined,
  bitEqual: true,
  path: null,
  passedOver: [],
  stoppedBy: null,
};

/** The name under which a checkpoint that does not fit is refused. */
export const RESUME = "fit.resume";

/** A run that a checkpoint is compared with. */
interface Own {
  readonly model: AnyModel;
  readonly minimizer: Minimizer;
  readonly options: CheckedSettings;
  readonly settings: ToldSettings;
  readonly resume: CheckedResume;
  readonly reader: Reader;
}

function differs(where: string, { setting, path, saved, given }: ChangedSetting, hint: string): CarillonError {
  return new CarillonError(
    "ERR_STATE",
    `${RESUME}.${setting}`,
    `expected ${path} ${saved}, as '${where}' has it, but received ${given}: ${hint}`,
  );
}

/** A checkpoint, if it is one of this very run, as far as that does not depend on data; otherwise `ERR_FILE` or `ERR_STATE` says what differs. */
async function ofThisRun(file: StoredFile, arrays: ReadonlyMap<string, StoredTensor>, own: Own): Promise<Found> {
  const { model, minimizer, options, settings, resume, reader } = own;
  const { where } = file.source;
  const described = describedCheckpoint(file, arrays);
  const changes = changesOf(described.settings, settings);
  for (const change of changes) {
    const { setting } = change;
    if (resume.changed.includes(setting) || (setting === "shuffleBuffer" && resume.newData)) continue;
    throw differs(where, change, `resume: { from, ${hintFor(setting)} } goes on with it`);
  }
  const newAverages = changes.some(({ setting }) => setting === "averageWeights");
  const sound = soundCheckpoint(described, reader);
  const checkpoint = decodeCheckpoint(sound, model, minimizer, newAverages);
  if (checkpoint.averagesBegin && options.averageWeights?.biasCorrection === true) {
    throw new CarillonError(
      "ERR_STATE",
      `${RESUME}.averageWeights`,
      "expected averageWeights without biasCorrection, which counts from the first step of a run",
    );
  }
  const { progress } = checkpoint;
  const { seed = progress.seed } = options;
  if (seed !== progress.seed) {
    throw new CarillonError(
      "ERR_STATE",
      `${RESUME}.seed`,
      `expected seed ${progress.seed}, as '${where}' has it, but received ${seed}: leave it out`,
    );
  }
  checkMetrics(where, own, checkpoint);
  const callbacks = callbackChanges(where, own, checkpoint);
  const names = namesOf(where, own, progress.data.classes);
  const units = unitsOf(where, own, progress.data.transforms);
  const isSame =
    changes.length === 0 && !callbacks && units.changed === undefined && names !== undefined && !resume.newData;
  return {
    checkpoint,
    staging: await stage(file, stretchesOf(model, minimizer), checkpoint.stored, leastOf(described)),
    ...continuationOf(checkpoint, own),
    units: units.kept,
    names,
    bitEqual: isSame && progress.bitEqual,
    stoppedBy: isSame && options.callbacks.some(({ name }) => name === progress.stoppedBy) ? progress.stoppedBy : null,
  };
}

function hintFor(setting: string): string {
  return ["batchSize", "shuffle", "batchBy"].includes(setting)
    ? `data: 'changed', changed: ['${setting}']`
    : setting === "shuffleBuffer"
      ? "data: 'changed'"
      : `changed: ['${setting}']`;
}

const listed = (names: readonly string[]): string => (names.length === 0 ? "none" : names.join(", "));

/** A metric that the checkpoint does not know would measure the rest of the epoch that is under way. */
function checkMetrics(where: string, { options, resume }: Own, { progress }: DecodedCheckpoint): void {
  const then = Object.keys(progress.metrics);
  const now = options.metrics.map(({ name }) => name);
  const added = now.filter((name) => !then.includes(name));
  if (added.length === 0 || resume.newData || resume.changed.includes("metrics") || !isUnderWay(progress)) return;
  const difference = { setting: "metrics", path: "metrics", saved: listed(then), given: listed(now) } as const;
  throw differs(
    where,
    difference,
    `an epoch is under way; changed: ['metrics'] lets ${listed(added)} see the rest of it`,
  );
}

/** Whether the last step has not ended its epoch, or metrics of it are still wanted. */
function isUnderWay({ step, samples, batchSize, undecided, data: { stream, origin } }: Progress): boolean {
  const steps = step - (origin?.step ?? 0);
  const isOpen = stream === null ? steps % Math.ceil(samples / batchSize) !== 0 : !stream.ended;
  return undecided || (isOpen && step > 0);
}

/** Whether there are other callbacks with a state than the checkpoint has. A new one may be an old one by another name. */
function callbackChanges(where: string, { options, resume }: Own, { progress }: DecodedCheckpoint): boolean {
  const then = Object.keys(progress.callbacks);
  const now = options.callbacks.map(({ name }) => name);
  const added = options.callbacks.filter(({ name, restore }) => restore !== undefined && !then.includes(name));
  if (added.length > 0 && !resume.changed.includes("callbacks")) {
    const difference = { setting: "callbacks", path: "callbacks", saved: listed(then), given: listed(now) } as const;
    const whose = added.map(({ name }) => `'${name}'`).join(", ");
    throw differs(where, difference, `there is no state of ${whose}; changed: ['callbacks'] lets it begin anew`);
  }
  const isStateful = (name: string): boolean => progress.callbacks[name] !== null;
  return added.length > 0 || then.some((name) => isStateful(name) && !now.includes(name));
}

const UNITS = ["inputs", "targets"] as const;

/** Which units come from the checkpoint; a transform of another kind is refused unless it is named. */
function unitsOf(
  where: string,
  { model, options, resume }: Own,
  transforms: DataProgress["transforms"],
): { readonly kept: Resumed["units"]; readonly changed: string | undefined } {
  const kept: { inputs?: Resumed["units"]["inputs"]; targets?: Resumed["units"]["targets"] } = {};
  let changed: string | undefined;
  for (const name of UNITS) {
    if (resume.changed.includes(name)) {
      changed = name;
      continue;
    }
    const [whole, specs] = rowsOf(name, model);
    const saved = savedUnits(where, name, model, transforms);
    const paths = pathsOf(whole, specs, name);
    kept[name] = saved.map((is, at) => {
      const given = options[name][at];
      const [then, now] = [is?.kind ?? "none", kindOf(given, is?.kind)];
      if (then !== now) {
        throw differs(
          where,
          { setting: name, path: paths[at] ?? name, saved: then, given: now },
          `changed: ['${name}'] goes on with it`,
        );
      }
      return given === undefined || resume.newData ? { is } : undefined;
    });
  }
  return { kept, changed };
}

/** Rows that units of a name are for. */
function rowsOf(name: (typeof UNITS)[number], { rows }: AnyModel): readonly [Whole, readonly RowSpec[]] {
  return name === "inputs" ? ["x", rows.inputs] : ["y", rows.outputs];
}

/** Units of a checkpoint, which are checked, in the order of inputs or outputs. */
function savedUnits(
  where: string,
  name: (typeof UNITS)[number],
  model: AnyModel,
  transforms: DataProgress["transforms"],
): readonly (Affine | undefined)[] {
  return unitsIn(...rowsOf(name, model), new Part(where, name, transforms[name]));
}

/** The names of classes, which come from the checkpoint unless they are said to be others; then `undefined`. */
function namesOf(where: string, { model, options, resume }: Own, saved: DataProgress["classes"]): Resumed["names"] {
  if (resume.changed.includes("classes")) return undefined;
  const { outputs } = model.rows;
  const is = namesIn(outputs, new Part(where, "classes", saved));
  const paths = pathsOf("y", outputs, "classes");
  for (const [at, given] of options.classes.entries()) {
    const path = paths[at] ?? "classes";
    const difference = given === undefined ? undefined : differenceOf(path, is[at] ?? null, given);
    if (difference === undefined) continue;
    throw differs(where, { setting: "classes", ...difference }, "changed: ['classes'] goes on with them");
  }
  return { is };
}

function kindOf(given: Transform | null | undefined, kept: string | undefined): string {
  return given === undefined ? (kept ?? "none") : (given?.kind ?? "none");
}

/** Where a run goes on: at the very place, or, over other data, behind the epoch that was begun. */
function continuationOf(
  { progress }: DecodedCheckpoint,
  { resume, options }: Own,
): Pick<Resumed, "place" | "origin" | "cut"> {
  const { step, samples, batchSize, data } = progress;
  const { stream, origin } = data;
  if (!resume.newData) return { place: stream, origin, cut: false };
  const { step: begin, epoch } = origin ?? { step: 0, epoch: 0 };
  const epochs = stream === null ? epoch + (step - begin) / Math.ceil(samples / batchSize) : stream.epoch;
  const cut = stream === null ? !Number.isInteger(epochs) : !stream.ended;
  const [shuffleBuffer, done] = [shuffleBufferOf(options), Math.ceil(epochs)];
  if (shuffleBuffer === null) return { place: null, origin: { step, epoch: done }, cut };
  return { place: { epoch: done, begin: step, ended: true, shuffleBuffer }, origin: undefined, cut };
}

/**
 * Finds and verifies what `resume` names, before the data is looked at; nothing is written. With `'auto'` a run that a callback has
 * stopped is over, unless the callback is gone or a setting was changed; who names the checkpoint goes on from it.
 */
export async function findCheckpoint(
  model: AnyModel,
  minimizer: Minimizer,
  options: CheckedSettings,
  folder: CheckpointFolder | undefined,
  settings: ToldSettings,
): Promise<Resumed> {
  const { resume } = options;
  if (resume === undefined) return FROM_THE_BEGINNING;
  const { metrics, callbacks, losses } = options;
  const sets = measuredSets("fit.metrics", model, losses, metrics, []);
  const accumulators = new Map(
    metrics.flatMap((metric) => {
      const set = sets[metric.output];
      return set === undefined ? [] : [[metric.name, metric.begin(set)] as const];
    }),
  );
  const own: Own = { model, minimizer, options, settings, resume, reader: { model, metrics, accumulators, callbacks } };
  const { from } = resume;
  const found = from === "auto" ? await newestSound(folder, own) : { ...(await named(from, own)), stoppedBy: null };
  if (found.checkpoint !== undefined && !resume.newData) refuseOneShot(options.data);
  return found;
}

async function named(from: string | Uint8Array, own: Own): Promise<Resumed> {
  if (typeof from === "string") return { ...(await read(await openFile(from), own)), path: from, passedOver: [] };
  return { ...(await read(bytesSource(from, RESUME), own)), path: null, passedOver: [] };
}

/** A checkpoint that was found, apart from its path and the files that were passed over. */
type Found = Omit<Resumed, "path" | "passedOver">;

/** A checkpoint that is whole and of this run; `verified` is called once it is known to be one. */
async function read(source: ByteSource, own: Own, verified: () => void = () => undefined): Promise<Found> {
  try {
    const file = await openSealed(source, FORMAT, own.resume.limits);
    verified();
    return await ofThisRun(file, await readArrays(file), own);
  } finally {
    await source.close();
  }
}

/** Fate of a file of the folder. `sealed`: it is a checkpoint, if none that this run can go on from. */
type Tried = { readonly found: Found } | { readonly error: unknown; readonly sealed: boolean };

/** Whatever is wrong with a file is no reason to give up: the one before it may be sound. */
async function tried({ path, step }: CheckpointFile, own: Own): Promise<Tried> {
  let sealed = false;
  try {
    const found = await read(await openFile(path), own, () => {
      sealed = true;
    });
    new Part(path, "progress.step", found.checkpoint?.progress.step).equal(step); // as its name says
    return { found };
  } catch (error) {
    return { error, sealed };
  }
}

/** Characters of a reason. */
const REASON = 400;
const BRIEF = 120;
/** Files whose reasons an error tells. */
const TOLD = 4;

const reasonOf = (error: unknown): string => shortened(messageOf(error), REASON);

/**
 * The newest checkpoint of a folder that is whole and of this run. If none is, damaged files are no reason not to begin anew;
 * checkpoints that are whole are (`ERR_STATE`), be they of another run, with which the new one would mix, or such as no run writes.
 */
async function newestSound(folder: CheckpointFolder | undefined, own: Own): Promise<Resumed> {
  const passedOver: PassedOver[] = [];
  let foreign: unknown;
  const files = (await folder?.list()) ?? [];
  if (files.length > 0) own.settings("descriptions"); // a schedule or a loss that throws is no fault of a file
  for (const file of files) {
    const one = await tried(file, own);
    if ("found" in one) return { ...one.found, path: file.path, passedOver };
    passedOver.push({ path: file.path, reason: reasonOf(one.error) });
    if (one.sealed) foreign ??= one.error; // the newest one tells what differs
  }
  if (foreign === undefined) return { ...FROM_THE_BEGINNING, passedOver };
  const message = reasonOf(foreign);
  const named = foreign instanceof CarillonError && foreign.where.startsWith(`${RESUME}.`) ? foreign.where : RESUME;
  throw new CarillonError(
    "ERR_STATE",
    named,
    `expected a checkpoint of this run in '${folder?.dir}': ${message}${othersText(passedOver, message)}`,
  );
}

/** Why other files were not taken either, in brief, where it is not what was told. */
function othersText(passedOver: readonly PassedOver[], told: string): string {
  if (passedOver.length < 2) return "";
  const briefly = passedOver.map(({ path, reason }) => {
    const text = reason.replaceAll(path, "it");
    return { isTold: reason === told, text, line: `; ${basename(path)}: ${text.slice(0, BRIEF)}` };
  });
  const known = briefly.find(({ isTold }) => isTold)?.text;
  const others = briefly.filter(({ text }) => text !== known).map(({ line }) => line);
  const rest = others.length > TOLD ? "; …" : "";
  return ` (${passedOver.length} files, none of this run${others.slice(0, TOLD).join("")}${rest})`;
}

/** Whether the data is that of the checkpoint, as far as it shows; otherwise `ERR_STATE` says in which figure it differs. */
export function checkData(model: AnyModel, { checkpoint, units, path }: Resumed, options: CheckedOptions): void {
  const { resume } = options;
  if (checkpoint === undefined || resume === undefined || resume.newData) return;
  const { progress } = checkpoint;
  const where = path ?? RESUME;
  const refuse = (name: string, then: string, now: string): never => {
    throw new CarillonError(
      "ERR_STATE",
      `${RESUME}.${name}`,
      `expected ${then}, as '${where}' has it, but received ${now}: ` +
        "resume: { from, data: 'changed' } begins the next epoch with the data as it is, in the units of the checkpoint",
    );
  };
  const samples = samplesOf(options);
  if (samples !== progress.samples) refuse("samples", `samples ${progress.samples}`, `${samples}`);
  const [kept, carries] = [progress.data.lanes, options.train.carry];
  const lanes = (has: unknown): string => (has === undefined ? "data without 'carry'" : "data with 'carry'");
  if ((kept === undefined) !== (carries === undefined)) refuse("carry", lanes(kept), lanes(carries));
  for (const name of UNITS) {
    if (resume.changed.includes(name)) continue;
    for (const [at, then] of savedUnits(where, name, model, progress.data.transforms).entries()) {
      const now = options.units[name][at];
      if (units[name]?.[at] !== undefined || then === undefined || now === undefined) continue;
      const column = then.shift.findIndex(
        (shift, each) => shift !== now.shift[each] || then.scale[each] !== now.scale[each],
      );
      if (column < 0) continue;
      const figures = ({ shift, scale }: Affine): string => `shift ${shift[column]} and scale ${scale[column]}`;
      const path = pathsOf(...rowsOf(name, model), name)[at] ?? name;
      refuse(path, `${path} with ${figures(then)} in column ${column}`, figures(now));
    }
  }
}
