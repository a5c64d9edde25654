import type { StoredTensor } from "../../io/element_types.js";
import { refuseFile } from "../../io/refusal.js";
import type { StoredEntry, StoredFile } from "../../io/safetensors.js";
import { encodeState } from "../../io/state.js";
import { AVERAGE, describeModel, FORMATS, STATES, WEIGHTS } from "../../nn/files/saved.js";
import type { Stretch } from "../../nn/memory/slab.js";
import { Staging } from "../../nn/memory/staging.js";
import type { AnyModel } from "../../nn/model/model.js";
import type { Minimizer } from "../../optim/minimizer.js";
import { sameShape } from "../../tensor/shape.js";
import { numericsMetadata, type Progress } from "./progress.js";
import type { Settings } from "./settings.js";
import type { SoundCheckpoint } from "./sound.js";

/** Format of a checkpoint's file. */
export const FORMAT = FORMATS.checkpoint;

/** Beside the weights and states: metadata, and the typed arrays that stand in it, as tensors. */
export interface Contents {
  readonly metadata: Readonly<Record<string, string>>;
  readonly arrays: ReadonlyMap<string, StoredTensor>;
}

/** Where everything lies that a checkpoint holds: weights, states of layers, one tensor a state and parameter. */
export function stretchesOf(model: AnyModel, minimizer: Minimizer): readonly Stretch[] {
  const states = new Set(model.state.map(({ name }) => name));
  const own = model.stretches.map((stretch) => {
    return { ...stretch, key: `${states.has(stretch.key) ? STATES : WEIGHTS}${stretch.key}` };
  });
  return [...own, ...minimizer.stretches(model)];
}

/** Metadata and arrays of a checkpoint; arrays are copies. */
export function contentsOf(model: AnyModel, minimizer: Minimizer, settings: Settings, progress: Progress): Contents {
  const arrays = new Map<string, StoredTensor>();
  const averaging = minimizer.averaging(model);
  const metadata = {
    format: FORMAT,
    ...describeModel(model),
    ...(averaging === undefined ? {} : { averages: JSON.stringify(averaging) }),
    ...numericsMetadata(),
    progress: encodeState(progress, arrays, "checkpoint"),
    settings: JSON.stringify(settings),
  };
  return { metadata, arrays };
}

/** The tensors of these keys and shapes, by key without `prefix`; else `ERR_FILE`. */
export function section(
  where: string,
  prefix: string,
  shapes: Iterable<readonly [string, readonly number[]]>,
  entries: ReadonlyMap<string, StoredEntry>,
): ReadonlyMap<string, StoredEntry> {
  return new Map(
    [...shapes].map(([name, shape]) => {
      const stored = entries.get(`${prefix}${name}`);
      if (stored?.dtype !== "f32" || !sameShape(stored.shape, shape)) {
        const received = stored === undefined ? "nothing" : `${stored.dtype} [${stored.shape.join(", ")}]`;
        refuseFile(where, `f32 [${shape.join(", ")}] as ${prefix}${name}`, received);
      }
      return [name, stored];
    }),
  );
}

/**
 * Reads what is stored by the keys of these stretches into memory that is to take the place of theirs.
 *
 * @param leastOf What no element of a key is below; where it says something, all are finite, else `ERR_FILE`.
 */
export async function stage(
  file: StoredFile,
  stretches: readonly Stretch[],
  stored: ReadonlyMap<string, StoredEntry>,
  leastOf: (key: string) => number | undefined = () => undefined,
): Promise<Staging> {
  const fillings = stretches.flatMap((stretch) => {
    const entry = stored.get(stretch.key);
    return entry === undefined ? [] : [{ stretch, entry, least: leastOf(stretch.key) }];
  });
  return await Staging.fill(file, fillings, file.source.where);
}

/** A checkpoint, verified against the model and the optimizer that it is to continue. */
export interface DecodedCheckpoint {
  readonly progress: Progress;
  /** Weights and states, by the keys of {@link stretchesOf}. */
  readonly stored: ReadonlyMap<string, StoredEntry>;
  /** Whether it has no averages, although the run is to have some: they begin at the weights. */
  readonly averagesBegin: boolean;
}

/**
 * Takes what a run goes on from out of a checkpoint. `ERR_FILE` says what does not fit: parameters of another model, states of
 * another optimizer.
 *
 * @param newAverages Whether the run may have averages where the checkpoint has none, or none where it has.
 */
export function decodeCheckpoint(
  { where, file: { entries }, arrays, progress }: SoundCheckpoint,
  model: AnyModel,
  minimizer: Minimizer,
  newAverages: boolean,
): DecodedCheckpoint {
  const names = [...entries.keys()];
  const shapes = [...minimizer.stateShapes(model)];
  const averages = names.filter((name) => name.startsWith(AVERAGE)).length;
  const averagesBegin = newAverages && averages === 0;
  const expectedStates = shapes.filter(([name]) => !(averagesBegin && name.startsWith(AVERAGE)));
  const shapesOf = (all: typeof model.parameters) => all.map(({ name, shape }) => [name, shape] as const);
  const weights = section(where, WEIGHTS, shapesOf(model.parameters), entries);
  const kept = section(where, STATES, shapesOf(model.state), entries);
  const states = section(where, "", expectedStates, entries);
  const useless = newAverages && !shapes.some(([name]) => name.startsWith(AVERAGE)) ? averages : 0;
  const expected = states.size + weights.size + kept.size + arrays.size + useless;
  if (entries.size !== expected) refuseFile(where, `${expected} tensors`, `${entries.size}`);
  const stored = new Map([...states, ...[...kept].map(([name, entry]) => [`${STATES}${name}`, entry] as const)]);
  for (const [name, entry] of weights) {
    stored.set(`${WEIGHTS}${name}`, entry);
    if (averagesBegin) stored.set(`${AVERAGE}${name}`, entry);
  }
  return { progress, stored, averagesBegin };
}
