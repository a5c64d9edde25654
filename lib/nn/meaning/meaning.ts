// What the outputs of a model mean: the loss of its training says it, which the model and its files remember.
import type { ClassNames } from "../../data/labels.js";
import type { Affine } from "../../data/transform.js";
import type { Json } from "../../described.js";
import { CarillonError } from "../../errors.js";
import { extent } from "../../tensor/shape.js";
import type { Ending } from "../losses/ending.js";
import { type Loss, toldShape } from "../losses/loss.js";
import { largest } from "../metrics/labels.js";

/** Units, kind of the loss and names of the classes of an output, as a training has left them. */
export interface OutputMeaning {
  /** The change of units of its targets. */
  readonly units: Affine | undefined;
  /** Kind of its loss, if it is a built-in one. */
  readonly lossKind: string | undefined;
  /** Names of the classes in the order of their integers, if they have some. */
  readonly classNames: ClassNames | undefined;
}

/** Meaning of the inputs and outputs of a model, in their order, as a training has left it. */
export interface Meaning {
  /** Changes of units between the data and the network. */
  readonly inputs: readonly (Affine | undefined)[];
  readonly outputs: readonly OutputMeaning[];
  /** What raw rows go through before they are inputs, as JSON; where nobody says, it stays what it was. */
  readonly preparation?: Json | undefined;
}

/** Of a model that nothing has trained. */
export const NO_MEANING: Meaning = { inputs: [], outputs: [] };

/** Of an output that nothing has trained. */
export const NO_OUTPUT_MEANING: OutputMeaning = { units: undefined, lossKind: undefined, classNames: undefined };

/** The function that makes probabilities of outputs: `'exp'` of their logarithms; `'none'` where they are some. */
export type Normalization = "softmax" | "sigmoid" | "exp" | "none";

/** Normalization of the outputs that each built-in loss trains, or why there is none. */
const LOSSES: Readonly<Record<string, "softmax" | "sigmoid" | { readonly without: string }>> = {
  crossEntropy: "softmax",
  klDivergence: "softmax",
  binaryCrossEntropy: "sigmoid",
  hinge: { without: "hinge trains margins, which are no logits of probabilities" },
  mse: { without: "mse trains values" },
  mae: { without: "mae trains values" },
  huber: { without: "huber trains values" },
  cosineSimilarity: { without: "cosineSimilarity trains directions" },
  focal: "softmax",
  binaryFocal: "sigmoid",
  pinball: { without: "pinball trains quantiles" },
  bpr: { without: "bpr trains scores" },
  inBatchSoftmax: { without: "inBatchSoftmax trains vectors of two sides" },
  sampledSoftmax: "softmax",
  triplet: { without: "triplet trains places in a space" },
  contrastive: { without: "contrastive trains places in a space" },
};

/** The kind of a loss that a model remembers; `undefined` of one's own. */
export function rememberedKind(kind: string | undefined): string | undefined {
  return kind !== undefined && Object.hasOwn(LOSSES, kind) ? kind : undefined;
}

/**
 * Classes that the labels of a loss can be, for the shape of a row of outputs: an output each, two of a single one; `undefined` for targets that are no labels of
 * examples, as those of several places are none.
 */
export function labelClasses(loss: Loss, shape: readonly number[]): number | undefined {
  const { kind, target } = loss;
  const told = target === "classes" ? toldShape(loss, shape) : [];
  if (target === "classes") return told.length === 1 ? told[0] : undefined;
  return extent(shape) === 1 && (kind === "binaryCrossEntropy" || kind === "binaryFocal") ? 2 : undefined;
}

/** Classes that weights of a loss can tell apart: those of examples, or of each of several places, signs of a single output, and pairs; `undefined` for targets that are none. */
export function weightedClasses(loss: Loss, shape: readonly number[]): number | undefined {
  const { kind, target } = loss;
  if (target === "classes") return toldShape(loss, shape).at(-1);
  if (kind === "contrastive" || (kind === "hinge" && extent(shape) === 1)) return 2;
  return labelClasses(loss, shape);
}

/** Units of targets as those of outputs, several of which may tell one target, side by side. */
export function outputUnits(units: Affine | undefined, outputs: number): Affine | undefined {
  if (units === undefined || units.shift.length === outputs) return units;
  const told = outputs / units.shift.length;
  const all = (values: readonly number[]): readonly number[] =>
    values.flatMap((value) => new Array<number>(told).fill(value));
  return { ...units, shift: all(units.shift), scale: all(units.scale) };
}

/** The targets' of units of outputs that {@link outputUnits} has given. */
export function targetUnits(units: Affine | undefined, targets: number): Affine | undefined {
  if (units === undefined || units.shift.length === targets) return units;
  const told = units.shift.length / targets;
  const some = (values: readonly number[]): readonly number[] => values.filter((_, index) => index % told === 0);
  return { ...units, shift: some(units.shift), scale: some(units.scale) };
}

/** An output as it is asked about. */
export interface DescribedOutput extends OutputMeaning {
  /** Numbers a row. */
  readonly outputs: number;
  /** Places of a row in front of the last axis, the steps of a sequence for an example: 1 by default. */
  readonly places?: number | undefined;
  readonly ending: Ending | undefined;
}

/** A model as its outputs are asked about. */
export interface Described extends Pick<Meaning, "inputs"> {
  readonly outputs: readonly DescribedOutput[];
}

/** Of weights that nobody has taken yet. */
export const UNDESCRIBED: Described = { inputs: [], outputs: [] };

function refuse(where: string, expected: string, reason: string, instead: string): never {
  throw new CarillonError("ERR_STATE", where, `expected ${expected} for '${where}' but ${reason}: ${instead}`);
}

/** How a caller wants probabilities made. */
export type ProbabilitiesAs = "softmax" | "sigmoid" | "outputs";

/**
 * The function that makes probabilities of the outputs: `as`, if it is given; none where the network ends in a softmax or sigmoids (an
 * exponential behind a logSoftmax); what the loss of the training says; sigmoid of a single output and softmax of several, if it
 * says nothing. `ERR_STATE` where outputs are no probabilities: targets with units, losses of values, hinge.
 */
export function normalizationOf(
  where: string,
  model: DescribedOutput,
  as?: ProbabilitiesAs | undefined,
): Normalization {
  return normalizationFor("probabilities", where, model, as);
}

/** The result of `decide` for an output; `undefined` where that is refused, as the output has no such answers. */
function unlessRefused<T>(decide: () => T): T | undefined {
  try {
    return decide();
  } catch (error) {
    if (error instanceof CarillonError && error.code === "ERR_STATE") return undefined;
    throw error;
  }
}

/** {@link normalizationOf} of each output; `undefined` of one among several that has no probabilities. `ERR_STATE` where none has. */
export function normalizationsOf(
  where: string,
  outputs: readonly DescribedOutput[],
  as: ProbabilitiesAs | "probabilities",
): readonly (Normalization | undefined)[] {
  const own = as === "probabilities" ? undefined : as;
  const decide = (output: DescribedOutput): Normalization => normalizationOf(where, output, own);
  const found = outputs.map((output) => unlessRefused(() => decide(output)));
  return found.every((one) => one === undefined) ? outputs.map(decide) : found;
}

/** {@link normalizationOf} of an output; `undefined` where it has no probabilities. */
export function normalizationIfAny(where: string, output: DescribedOutput): Normalization | undefined {
  return unlessRefused(() => normalizationOf(where, output));
}

/** Keeps the result of `decide` until other outputs are described: one that is refused takes longer than a call. */
export function decidedOnce<T>(decide: (outputs: readonly DescribedOutput[]) => T): (described: Described) => T {
  let known: { readonly of: Described; readonly is: T } | undefined;
  return (described) => {
    if (known?.of !== described) known = { of: described, is: decide(described.outputs) };
    return known.is;
  };
}

/** Which outputs have labels. `ERR_STATE` where none has. */
export function labelledOf(where: string, outputs: readonly DescribedOutput[]): readonly boolean[] {
  const decide = (output: DescribedOutput): boolean => labelsOfRows(where, output, new Float32Array()).length === 0;
  const found = outputs.map((output) => unlessRefused(() => decide(output)) ?? false);
  return found.includes(true) ? found : outputs.map(decide);
}

/** The same for labels, which are told by probabilities. */
function normalizationFor(
  wanted: "labels" | "probabilities",
  where: string,
  model: DescribedOutput,
  as?: ProbabilitiesAs | undefined,
): Normalization {
  const { outputs, lossKind, ending, units } = model;
  if (as === "outputs") return "none";
  if (units !== undefined) {
    refuse(where, `outputs that are ${wanted}`, "the targets have units", "predict() gives values in them");
  }
  if (as !== undefined) return as;
  if (ending !== undefined) return ending === "logSoftmax" ? "exp" : "none";
  const trained = lossKind === undefined ? undefined : LOSSES[lossKind];
  if (trained === undefined) return outputs === 1 ? "sigmoid" : "softmax";
  if (typeof trained === "string") return trained;
  const made = "{ as: 'sigmoid' } or { as: 'softmax' } makes probabilities of them all the same";
  const instead = wanted === "labels" ? "predict() gives values" : `predict() gives the outputs, ${made}`;
  return refuse(where, `a model of ${wanted}`, trained.without, instead);
}

/** Labels of rows: names where the classes have some, integers otherwise. */
export type PredictedLabels = readonly string[] | readonly number[];

/**
 * Labels of raw outputs, [rows, outputs], one a place where a row has several: of several classes the place of the largest output, the first among equals; of a single
 * output 1 where its probability is above ½, else 0 (hinge: 1 and −1). `ERR_STATE` where outputs are no classes, `ERR_NON_FINITE`
 * for NaN.
 */
export function labelsOfRows(where: string, model: DescribedOutput, data: Float32Array): PredictedLabels {
  const decide = decisionOf(where, model);
  const { outputs: all, places = 1, classNames } = model;
  const outputs = all / places;
  const labels: number[] = [];
  for (let begin = 0; begin < data.length; begin += outputs) {
    const label = decide(data, begin);
    if (Number.isNaN(label)) {
      const row = Math.floor(begin / all);
      throw new CarillonError("ERR_NON_FINITE", where, `expected numbers as outputs of row ${row} but received NaN`);
    }
    labels.push(label);
  }
  return classNames === undefined ? labels : labels.map((label) => classNames[label] ?? String(label));
}

/** The label of the row that begins at a place; NaN if an output is. */
function decisionOf(where: string, model: DescribedOutput): (data: Float32Array, begin: number) => number {
  const { places = 1, lossKind, ending } = model;
  const outputs = model.outputs / places;
  if (lossKind === "hinge" && outputs === 1) return (data, begin) => sideOf(data[begin] ?? 0, 0, -1);
  const normalization = lossKind === "hinge" ? "sigmoid" : normalizationFor("labels", where, model);
  const apart = normalization === "sigmoid" || (normalization === "none" && ending === "sigmoid");
  if (outputs > 1 && !apart) {
    return (data, begin) => {
      const place = largest(data, begin, outputs);
      return place < 0 ? Number.NaN : place;
    };
  }
  if (outputs > 1) {
    refuse(
      where,
      "one class an example",
      "each output is a label by itself",
      "predictProbabilities() gives one of each",
    );
  }
  const HALF = 0.5;
  return (data, begin) => sideOf(data[begin] ?? 0, normalization === "none" ? HALF : 0, 0);
}

/** 1 above `middle`, else `no`. */
function sideOf(value: number, middle: number, no: number): number {
  if (Number.isNaN(value)) return value;
  return value > middle ? 1 : no;
}
