import type { ClassWeights } from "../../data/bind.js";
import type { CheckedBatchBy } from "../../data/by_length.js";
import { describeLayers } from "../../nn/files/saved.js";
import { losses } from "../../nn/kinds/losses.js";
import type { Loss } from "../../nn/losses/loss.js";
import type { OutputLoss } from "../../nn/losses/outputs.js";
import { inWords } from "../../nn/meaning/meaning_words.js";
import type { AnyModel } from "../../nn/model/model.js";
import type { Minimizer } from "../../optim/minimizer.js";
import type { Clip } from "../../optim/minimizer_options.js";
import { rateTold, type Telling } from "../../optim/words.js";
import type { Regularizers } from "../../regularizers/index.js";
import { penalties } from "../../regularizers/kinds.js";
import { isFloats } from "../../tensor/arrays.js";
import { areNamed, type RowSpec } from "../../tensor/row_spec.js";
import { extent } from "../../tensor/shape.js";
import { tensor } from "../../tensor/tensor.js";
import type { Every } from "../callbacks/callback.js";
import { type Difference, differenceOf } from "./difference.js";

/** Settings that a resumed run must share with the one that it continues, as the checkpoint has them. */
export const COMPARED = [
  "layers",
  "loss",
  "optimizer",
  "lr",
  "regularizer",
  "biasRegularizer",
  "clip",
  "accumulate",
  "averageWeights",
  "classWeights",
  "validate",
  "batchSize",
  "shuffle",
  "shuffleBuffer",
  "batchBy",
] as const;

/** Settings that decide which examples a batch has: other ones need the beginning of an epoch, which `data: 'changed'` asks for. */
export const OF_THE_ORDER = ["batchSize", "shuffle", "shuffleBuffer", "batchBy"] as const;

/** Settings, and what a checkpoint keeps in another form: units, and the states of metrics and callbacks. */
export const SETTINGS = [...COMPARED, "inputs", "targets", "classes", "metrics", "callbacks"] as const;

/** A setting that a resumed run has in common with the one that it continues, unless it says that it was changed. */
export type Setting = (typeof SETTINGS)[number];

/** Each setting as plain data: descriptions, and for what has none words; functions of one's own are told by what they give. */
export type Settings = Readonly<Record<(typeof COMPARED)[number], unknown>> & { readonly telling?: Telling };

/** In the place of the rows that a stream is shuffled with. */
export const IN_MEMORY = "that of data in memory";

/** Source of the settings of a run. */
export interface SettingsSource {
  readonly losses: readonly OutputLoss[];
  readonly regularizer: Regularizers;
  readonly biasRegularizer: Regularizers | undefined;
  readonly clip: Clip | undefined;
  readonly accumulate: number;
  /** Of each output. */
  readonly classWeights: readonly (ClassWeights | undefined)[];
  /** `null` without a validation set. */
  readonly validate: Every | null;
  readonly batchSize: number;
  readonly shuffle: boolean;
  /** Of a stream; `null` for data in memory. */
  readonly shuffleBuffer: number | null;
  readonly batchBy: CheckedBatchBy | undefined;
}

/** The settings of a run as checkpoints have them, those of the first files too. */
export type ToldSettings = (telling: Telling) => Settings;

/** The settings of a run, as the JSON of a checkpoint gives them back. */
export function settingsOf(model: AnyModel, minimizer: Minimizer, source: SettingsSource, telling: Telling): Settings {
  const { losses: given, regularizer, biasRegularizer, clip, accumulate, classWeights, validate } = source;
  const { batchSize, shuffle, shuffleBuffer, batchBy } = source;
  const told = (given: Regularizers): unknown => {
    return telling === "words" ? given : penalties.describe("regularizer", given, []);
  };
  const own = model.segments.flatMap(({ name, spec }) =>
    spec.regularizer === undefined ? [] : [[name, told(spec.regularizer)] as const],
  );
  const settings: Settings = {
    ...(telling === "words" ? {} : { telling }),
    layers: describeLayers(model.described),
    loss: lossesTold(given, model.rows.outputs, telling),
    ...minimizer.told(telling),
    lr: ratesTold(minimizer.rates, telling),
    regularizer: { model: told(regularizer), ...Object.fromEntries(own) },
    biasRegularizer: told(biasRegularizer ?? null),
    clip: clip ?? null,
    accumulate,
    classWeights: inWords("y", model.rows.outputs, classWeights) ?? null,
    validate,
    batchSize,
    shuffle,
    shuffleBuffer: shuffleBuffer ?? IN_MEMORY,
    batchBy,
  };
  return JSON.parse(JSON.stringify(settings)) as Settings; // the same keys
}

/** Those of named outputs by their names, with what each counts. */
function lossesTold(given: readonly OutputLoss[], outputs: readonly RowSpec[], telling: Telling): unknown {
  const told = given.map(({ loss, weight }, at) => {
    const own = lossTold(loss, outputs[at]?.shape ?? [], telling);
    return areNamed("y", outputs) ? { loss: own, weight } : own;
  });
  return inWords("y", outputs, told);
}

/** A loss of one's own is told by its name, its options, and by what it gives for three examples. */
function lossTold(loss: Loss, shape: readonly number[], telling: Telling): unknown {
  const known = telling === "words" ? undefined : losses.kindOf(loss);
  if (known !== undefined) return losses.describe(known, loss);
  const kind = loss.kind ?? (loss.name === "" ? "a function" : loss.name);
  return { kind, ...loss.options, "what it gives for three examples": givenBy(loss, shape) };
}

function givenBy(loss: Loss, shape: readonly number[]): readonly number[] | null {
  const ROWS = 3;
  const outputs = extent(shape);
  const count = ROWS * outputs;
  const output = tensor(
    Float32Array.from({ length: count }, (_, index) => ((index * 37) % 23) / 8 - 1),
    [ROWS, ...shape],
  );
  const target =
    loss.target === "classes"
      ? tensor(Int32Array.from({ length: ROWS }, (_, row) => (row * 2) % outputs))
      : tensor(
          Float32Array.from({ length: count }, (_, index) => ((index * 13) % 7) / 8),
          [ROWS, ...shape],
        );
  try {
    const losses: unknown = loss(output, target);
    const data = typeof losses === "object" && losses !== null && "data" in losses ? losses.data : undefined;
    return isFloats(data) ? [...data] : null;
  } catch {
    return null; // one that works inside of a program only
  }
}

/** The one rate, or those of a partition by its patterns. */
function ratesTold(rates: Minimizer["rates"], telling: Telling): unknown {
  const [first] = rates;
  if (rates.length === 1 && first?.[0] === "*") return rateTold(first[1], telling);
  return Object.fromEntries(rates.map(([pattern, lr]) => [pattern, rateTold(lr, telling)]));
}

/** A setting that differs, and where. */
export interface ChangedSetting extends Difference {
  readonly setting: Setting;
}

/** All settings that differ, each with the first place where it does. */
export function changesOf(then: Readonly<Record<string, unknown>>, told: ToldSettings): readonly ChangedSetting[] {
  const now = told(then.telling === "descriptions" ? "descriptions" : "words");
  return COMPARED.flatMap((setting) => {
    const difference = differenceOf(setting, then[setting], now[setting]);
    return difference === undefined ? [] : [{ setting, ...difference }];
  });
}
