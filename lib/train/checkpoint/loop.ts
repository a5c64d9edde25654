import { CarillonError, fail } from "../../errors.js";
import { type Program, type Spec, TracedProgram } from "../../graph/program.js";
import { Calls } from "../../graph/shared.js";
import type { UpdateCounts } from "../../graph/update_counter.js";
import type { StoredTensor } from "../../io/element_types.js";
import { writeFileAtomic } from "../../io/file.js";
import { type CheckedLimits, checkLimits, type FileLimits } from "../../io/limits.js";
import type { Part } from "../../io/part.js";
import { refuseFile } from "../../io/refusal.js";
import type { StoredFile } from "../../io/safetensors.js";
import { openSealed } from "../../io/seal.js";
import { openFile } from "../../io/source.js";
import { encodeState, readArrays, type State } from "../../io/state.js";
import { decodeState, parsePlain } from "../../io/state_reader.js";
import { describeLayers, FORMATS, WEIGHTS } from "../../nn/files/saved.js";
import type { Stretch } from "../../nn/memory/slab.js";
import { type AnyModel, Model } from "../../nn/model/model.js";
import { Minimizer } from "../../optim/minimizer.js";
import type { Telling } from "../../optim/words.js";
import { checkKeys, checkString } from "../../options.js";
import type { Value } from "../../tensor/value.js";
import { MOST_STEPS } from "../run/epochs.js";
import { section, stage } from "./checkpoint.js";
import { differenceOf } from "./difference.js";
import { numericsMetadata } from "./progress.js";
import { Snapshot } from "./snapshot.js";
import { checkNumerics } from "./sound.js";

const FORMAT = FORMATS.loop;

/** How {@link loadCheckpoint} reads. */
export interface LoopLoadOptions {
  /** Limits of what the file may ask for. */
  readonly limits?: FileLimits | undefined;
}

/** Any program. */
type AnyProgram = Program<Readonly<Record<string, Spec>>, Readonly<Record<string, Value>>>;

/** One of a kind, or several by name. */
type Named<T> = T | Readonly<Record<string, T>>;

/** Parts of a loop written by hand. */
export interface LoopParts {
  /** All models whose weights are trained. */
  readonly models: Named<AnyModel>;
  /** Their states and counts of updates; every model of a minimizer must be among `models`. */
  readonly minimizers?: Named<Minimizer> | undefined;
  /** Their step counts, on which what they draw depends. */
  readonly programs?: Named<AnyProgram> | undefined;
}

/** A loop, and what else it wants back. */
export interface SavedLoop extends LoopParts {
  /** Data that comes back as it was, such as the place in the data set. */
  readonly state?: State | undefined;
}

/** The parts by name, checked. */
interface Checked {
  readonly models: ReadonlyMap<string, AnyModel>;
  readonly minimizers: ReadonlyMap<string, Minimizer>;
  readonly programs: ReadonlyMap<string, TracedProgram>;
}

const NAME = /^[\w-]+$/;

function named<T>(where: string, given: unknown, what: string, isOne: (value: unknown) => value is T): Map<string, T> {
  if (given === undefined) return new Map();
  if (isOne(given)) return new Map([[what, given]]);
  checkKeys(where, given, typeof given === "object" && given !== null ? Object.keys(given) : []);
  return new Map(
    Object.entries(given as object).map(([name, value]: [string, unknown]): [string, T] => {
      if (!NAME.test(name)) fail("ERR_OPTION", where, "names of letters, digits, _ and -", name);
      return [name, isOne(value) ? value : fail("ERR_OPTION", `${where}.${name}`, `a ${what}`, value)];
    }),
  );
}

/** The parts, none of them at work: a step under way would be saved half. Who only looks may do so beside those who read. */
function checkParts(where: string, parts: LoopParts, writes: boolean): Checked {
  const models = named(`${where}.models`, parts.models, "model", (value) => value instanceof Model);
  if (models.size === 0) fail("ERR_OPTION", `${where}.models`, "a model, or several by name", parts.models);
  const minimizers = named(`${where}.minimizers`, parts.minimizers, "minimizer", (value) => value instanceof Minimizer);
  const programs = named(`${where}.programs`, parts.programs, "program", (value) => value instanceof TracedProgram);
  const known = [...models.values()];
  for (const model of known) {
    if (writes) model.expectIdle(where);
    else model.expectStill(where);
  }
  for (const [name, minimizer] of minimizers) {
    if (minimizer.models.every((model) => known.includes(model))) continue;
    throw new CarillonError("ERR_OPTION", `${where}.models`, `expected all models of the minimizer '${name}'`);
  }
  expectIdlePrograms(where, programs);
  return { models, minimizers, programs };
}

function expectIdlePrograms(where: string, programs: ReadonlyMap<string, TracedProgram>): void {
  for (const [name, program] of programs) {
    if (program.idle) continue;
    throw new CarillonError("ERR_BUSY", where, `expected an idle program for '${name}' but a step is under way`);
  }
}

function stretchesOf({ models, minimizers }: Checked): readonly Stretch[] {
  const weights = [...models].flatMap(([name, model]) =>
    model.stretches.map((stretch) => ({ ...stretch, key: `${WEIGHTS}${name}/${stretch.key}` })),
  );
  const states = [...minimizers].flatMap(([name, minimizer]) =>
    minimizer.models.flatMap((model, index) =>
      minimizer.stretches(model).map((stretch) => ({ ...stretch, key: `${statePrefix(name, index)}${stretch.key}` })),
    ),
  );
  return [...weights, ...states];
}

function statePrefix(minimizer: string, model: number): string {
  return `states/${minimizer}/${model}/`;
}

/** Of files that are written; those without the key have words. */
const TELLING = "descriptions";

/** Description of the parts with which the file must agree, as plain data. */
function description({ models, minimizers, programs }: Checked, telling: Telling): Readonly<Record<string, unknown>> {
  return {
    layers: Object.fromEntries([...models].map(([name, model]) => [name, describeLayers(model.described)])),
    minimizers: Object.fromEntries([...minimizers].map(([name, minimizer]) => [name, minimizer.told(telling)])),
    seeds: Object.fromEntries([...programs].map(([name, { seed }]) => [name, seed])),
  };
}

/** {@link description} as metadata. */
function descriptionText(parts: Checked, telling: Telling): Record<string, string> {
  const entries = Object.entries(description(parts, telling));
  return Object.fromEntries(entries.map(([name, value]) => [name, JSON.stringify(value)]));
}

/** `ERR_FILE` with the first place where the parts are not those of the file. */
function checkDescription(path: string, metadata: Readonly<Record<string, string>>, parts: Checked): void {
  const { telling } = metadata;
  if (telling !== undefined && telling !== TELLING) refuseFile(path, `telling ${TELLING}`, telling);
  for (const [name, text] of Object.entries(descriptionText(parts, telling ?? "words"))) {
    const then = parsePlain(metadata[name], path, name).value;
    const difference = differenceOf(name, then, JSON.parse(text));
    if (difference !== undefined) refuseFile(path, `${difference.path} ${difference.saved}`, difference.given);
  }
}

/**
 * Writes all that a loop of programs needs to go on: weights, states of the minimizers, step counts, and `state`. The copy
 * is made before the call returns, so the next step may begin at once; the promise resolves when the file is on the disk.
 * After a crash at any moment the file is the old one or the new one in full, sealed with its SHA-256.
 *
 * Rejects with `ERR_BUSY` (a step or a run is under way), `ERR_OPTION` and `ERR_FILE`.
 *
 * @example
 * await saveCheckpoint('gan.safetensors', {
 *   models: { generator, discriminator }, minimizers: { trainG, trainD }, programs: step, state: { epoch } });
 */
export async function saveCheckpoint(path: string, loop: SavedLoop): Promise<void> {
  const where = "saveCheckpoint";
  checkString(`${where}.path`, path);
  checkKeys(where, loop, ["models", "minimizers", "programs", "state"]);
  const parts = checkParts(where, loop, false);
  for (const model of parts.models.values()) if (!model.initialized) model.initialize(0);
  const snapshot = new Snapshot(stretchesOf(parts));
  snapshot.take();
  const steps = [...parts.programs].map(([name, { step }]) => [name, step]);
  const counts = [...parts.minimizers].map(([name, minimizer]) => [name, minimizer.counts]);
  const arrays = new Map<string, StoredTensor>();
  const metadata = {
    format: FORMAT,
    ...numericsMetadata(),
    telling: TELLING,
    ...descriptionText(parts, TELLING),
    steps: JSON.stringify(Object.fromEntries(steps)),
    counts: JSON.stringify(Object.fromEntries(counts)),
    state: encodeState(loop.state ?? null, arrays, `${where}.state`),
  };
  await writeFileAtomic(path, snapshot.pieces({ metadata, arrays }));
}

/**
 * Brings a loop back to where {@link saveCheckpoint} left it, and gives its `state`. The parts are made as for the loop
 * that was saved, under the same names; what is not the same is refused before anything is written: `ERR_FILE` for another
 * model, minimizer, seed or numerics version, and for a file that is cut or damaged. `ERR_BUSY`, `ERR_OPTION` as there. Until it is
 * done nothing else changes the models.
 */
export async function loadCheckpoint(path: string, loop: LoopParts, options: LoopLoadOptions = {}): Promise<State> {
  const where = "loadCheckpoint";
  checkString(`${where}.path`, path);
  checkKeys(where, loop, ["models", "minimizers", "programs"]);
  checkKeys(where, options, ["limits"]);
  const limits = checkLimits(`${where}.limits`, options.limits);
  const parts = checkParts(where, loop, true);
  const slabs = new Set(stretchesOf(parts).map(({ slab }) => slab));
  const call = new Calls([...slabs].map((slab) => ({ slab, writable: true }))).enter(where);
  try {
    return await restoreLoop(path, parts, limits, call.ready);
  } finally {
    await call.ready;
    call.end();
  }
}

async function restoreLoop(
  path: string,
  parts: Checked,
  limits: CheckedLimits,
  ready: Promise<unknown> | undefined,
): Promise<State> {
  const source = await openFile(path);
  try {
    return await readLoop(await openSealed(source, FORMAT, limits), path, parts, ready);
  } finally {
    await source.close();
  }
}

async function readLoop(
  file: StoredFile,
  path: string,
  parts: Checked,
  ready: Promise<unknown> | undefined,
): Promise<State> {
  const { entries, metadata } = file;
  checkNumerics(path, metadata);
  checkDescription(path, metadata, parts);
  const arrays = await readArrays(file);
  const stretches = stretchesOf(parts);
  const expected = stretches.length + arrays.size;
  if (entries.size !== expected) refuseFile(path, `${expected} tensors`, `${entries.size}`);
  const shapes = stretches.map(({ key, shape }) => [key, shape] as const);
  const stored = section(path, "", shapes, entries);
  const steps = parsePlain(metadata.steps, path, "steps");
  const counts = parsePlain(metadata.counts, path, "counts");
  const state = decodeState(metadata.state, path, "state", arrays);
  const stepsOf = [...parts.programs].map(([name, program]) => [program, steps.at(name).count(0, MOST_STEPS)] as const);
  const countsOf = [...parts.minimizers].map(([name, minimizer]) => [minimizer, countsIn(counts.at(name))] as const);
  const staging = await stage(file, stretches, stored);
  await ready;
  expectIdlePrograms("loadCheckpoint", parts.programs); // again: a step may have been asked for meanwhile
  // Everything fits: only now is anything written.
  staging.commit();
  for (const model of parts.models.values()) model.noteWritten();
  for (const [minimizer, count] of countsOf) minimizer.recount(count);
  for (const [program, step] of stepsOf) program.restore(step);
  return state as State; // of the kinds that encodeState writes
}

/** A step that updates does so once or several times. */
function countsIn(part: Part): UpdateCounts {
  const steps = part.at("steps").count(0, MOST_STEPS);
  const updates = part.at("updates").count(steps);
  part.at("updates").expect((steps === 0) === (updates === 0), `updates of ${steps} steps`);
  return { steps, updates };
}
