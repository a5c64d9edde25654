// Whether a file is a checkpoint that a run can have written: each value, and what they say of one another.
import type { StoredTensor } from "../../io/element_types.js";
import { Part, refusePart } from "../../io/part.js";
import { refuseFile } from "../../io/refusal.js";
import type { StoredEntry, StoredFile } from "../../io/safetensors.js";
import { PREFIX as ARRAYS, countArrays } from "../../io/state.js";
import { parsePlain, readState } from "../../io/state_reader.js";
import { AVERAGE, checkLayout, parseAveraging, STATES, WEIGHTS } from "../../nn/files/saved.js";
import { describedStructure } from "../../nn/model/load.js";
import { power } from "../../tensor/exact.js";
import { formatShape, sameShape } from "../../tensor/shape.js";
import { differenceOf } from "./difference.js";
import { numericsMetadata, type Progress } from "./progress.js";
import { checkProgress, type Reader } from "./progress_schema.js";
import { checkSettingsPart, type StoredSettings } from "./settings_schema.js";

/** A checkpoint whose settings and tensors a run can have written, be it another run. */
export interface DescribedCheckpoint {
  readonly file: StoredFile;
  /** Its progress. */
  readonly arrays: ReadonlyMap<string, StoredTensor>;
  readonly where: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly stored: StoredSettings;
  readonly parameters: readonly string[];
}

/** The same of all of it. */
export interface SoundCheckpoint extends DescribedCheckpoint {
  readonly progress: Progress;
}

/** `ERR_FILE` unless what was computed then is what would be computed now. */
export function checkNumerics(where: string, { numericsVersion = "none" }: Readonly<Record<string, string>>): void {
  const { numericsVersion: version } = numericsMetadata();
  if (numericsVersion !== version) refuseFile(where, `numericsVersion ${version}`, numericsVersion);
}

/**
 * Reads what a checkpoint says of its run. Here, and for the rest, `ERR_FILE` names the first value that no run writes, what was expected there
 * and what came.
 */
export function describedCheckpoint(file: StoredFile, arrays: DescribedCheckpoint["arrays"]): DescribedCheckpoint {
  const { entries, metadata, source } = file;
  const { where } = source;
  checkLayout(where, metadata);
  checkNumerics(where, metadata);
  const settings = parsePlain(metadata.settings, where, "settings");
  const stored = checkSettingsPart(settings);
  expectSame(where, "layers", settings.at("layers").value, parsePlain(metadata.layers, where, "layers").value);
  const shapes = checkWeights(where, entries, settings.at("layers"));
  checkStates(where, entries, shapes, stored);
  return { where, file, arrays, settings: plainOf(settings), stored, parameters: [...shapes.keys()] };
}

/** Reads the rest of a checkpoint of a run with such settings, metrics and callbacks. */
export function soundCheckpoint(described: DescribedCheckpoint, reader: Reader): SoundCheckpoint {
  const { where, file, arrays, stored } = described;
  const { part, expectAll } = readState(file.metadata.progress, where, "progress", arrays);
  const progress = checkProgress(part, stored, reader);
  expectAll();
  checkAverages(described, progress.step);
  checkDescription(described, progress);
  return { ...described, progress };
}

/** Least value of a weight or a state: all are finite, as in any file of a folder, and no sum of squares is negative. */
export function leastOf({ parameters, stored }: DescribedCheckpoint): (key: string) => number {
  const positive = new Set(
    parameters.flatMap((parameter) =>
      stored.statesOf(parameter).flatMap(({ name, isPositive }) => (isPositive ? [`${name}/${parameter}`] : [])),
    ),
  );
  return (key) => (positive.has(key) ? 0 : Number.NEGATIVE_INFINITY);
}

function plainOf(settings: Part): Readonly<Record<string, unknown>> {
  return Object.fromEntries([...settings.members()].map(([key, { value }]) => [key, value]));
}

function expectSame(where: string, name: string, then: unknown, now: unknown): void {
  const difference = differenceOf(name, then, now);
  if (difference !== undefined) refusePart(where, difference.path, difference.saved, difference.given);
}

function expectTensor(where: string, name: string, shape: readonly number[], stored: StoredEntry | undefined): void {
  if (stored?.dtype === "f32" && sameShape(stored.shape, shape)) return;
  const received = stored === undefined ? "nothing" : `${stored.dtype} ${formatShape(stored.shape)}`;
  refusePart(where, name, `f32 ${formatShape(shape)}`, received);
}

/** The shapes of the parameters, which are those that the layers say, as far as these are built-in ones. */
function checkWeights(
  where: string,
  tensors: StoredFile["entries"],
  layers: Part,
): ReadonlyMap<string, readonly number[]> {
  const known = describedStructure(layers);
  for (const [prefix, all] of [
    [WEIGHTS, known?.parameters],
    [STATES, known?.states],
  ] as const) {
    for (const [name, { shape }] of all ?? []) expectTensor(where, prefix + name, shape, tensors.get(prefix + name));
  }
  const shapes = new Map<string, readonly number[]>();
  for (const [key, { shape }] of tensors) {
    if (!key.startsWith(WEIGHTS)) continue;
    const name = key.slice(WEIGHTS.length);
    if (known?.parameters.has(name) === false) refusePart(where, key, "the parameters of its layers alone", "another");
    shapes.set(name, shape);
  }
  const stray = [...tensors.keys()].find(
    (key) => key.startsWith(STATES) && known?.states.has(key.slice(STATES.length)) === false,
  );
  if (stray !== undefined) refusePart(where, stray, "the states of its layers alone", "another");
  return shapes;
}

/** Every parameter has its states and, where there are averages, one; there are no other tensors. */
function checkStates(
  where: string,
  tensors: StoredFile["entries"],
  shapes: ReadonlyMap<string, readonly number[]>,
  { average, statesOf }: StoredSettings,
): void {
  const expected = new Set([...tensors.keys()].filter((key) => key.startsWith(STATES)));
  for (const [parameter, shape] of shapes) {
    const prefixes = [WEIGHTS, ...statesOf(parameter).map(({ name }) => `${name}/`), ...(average ? [AVERAGE] : [])];
    for (const prefix of prefixes) {
      expected.add(prefix + parameter);
      expectTensor(where, prefix + parameter, shape, tensors.get(prefix + parameter));
    }
  }
  if (tensors.size === expected.size + countArrays(tensors)) return;
  const stray = [...tensors.keys()].find((name) => !expected.has(name) && !name.startsWith(ARRAYS));
  refusePart(where, stray ?? "arrays", "the tensors of a checkpoint alone", "another");
}

/** How averages become weights follows from the steps. */
function checkAverages({ where, file, stored: { average }, parameters }: DescribedCheckpoint, step: number): void {
  const { averages: text } = file.metadata;
  if (average === undefined || text === undefined) {
    const isThere = (value: unknown): string => (value === undefined ? "none" : "some");
    if (average !== text) refusePart(where, "averages", isThere(average), isThere(text));
    return;
  }
  const { scale, except } = parseAveraging(where, text);
  const isCorrected = average.biasCorrection && step > 0;
  const expected = isCorrected ? 1 / (1 - power(average.decay, step)) : 1;
  if (scale !== expected) refusePart(where, "averages.scale", String(expected), String(scale));
  const stray = except.find((name) => !average.biasCorrection || !parameters.includes(name));
  if (stray !== undefined) refusePart(where, "averages.except", "parameters without an average", stray);
}

/** Checks that the model's metadata, but for the loss, says what the progress does. */
function checkDescription({ where, file, stored: { loss } }: DescribedCheckpoint, { data }: Progress): void {
  const { metadata } = file;
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));
  const { inputs, targets } = data.transforms;
  for (const [name, value] of Object.entries({ inputs, targets, classes: data.classes })) {
    const text = metadata[name];
    expectSame(where, name, plain(value), text === undefined ? null : parsePlain(text, where, name).value);
  }
  if (metadata.loss === undefined) return;
  if (typeof loss === "string") new Part(where, "loss", metadata.loss).equal(loss);
  else {
    // Those that a model remembers.
    for (const [name, kind] of parsePlain(metadata.loss, where, "loss").members()) kind.equal(loss[name] ?? null);
  }
}
