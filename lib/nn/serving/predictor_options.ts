import { THREADS } from "../../binding/threads.js";
import { fail } from "../../errors.js";
import type { WeightForm } from "../../graph/passes/frozen_products.js";
import { checkBoolean, checkKeys, checkNumber, checkOneOf, checkString } from "../../options.js";
import { matchesPattern } from "../../words.js";
import type { ProbabilitiesAs } from "../meaning/meaning.js";
import type { LabelsOf, OutputsOf, ProbabilitiesOf } from "../meaning/row_types.js";
import type { Segment } from "../memory/slab.js";
import type { Taken } from "../structure/chain.js";
import type { Sizes } from "../structure/sequence.js";

/**
 * Form of a predictor's answers: `'outputs'` as they are; `'probabilities'` as the loss of the training has them, `'softmax'`
 * or `'sigmoid'` whatever that was; `'labels'`, the class of each row.
 */
export type PredictedAs = ProbabilitiesAs | "probabilities" | "labels";

/** Answer of a predictor. */
export type Predicted<A extends PredictedAs, Out extends Sizes = Taken> = A extends "labels"
  ? LabelsOf<Out>
  : A extends "outputs"
    ? OutputsOf<Out>
    : ProbabilitiesOf<Out>;

/**
 * The form in which weights are kept: one for all, or one by parameter: each has that of the first pattern that matches its whole name,
 * in which `*` stands for any characters, and is f32 where none does. Vectors (biases) are f32 in any case.
 */
export type WeightForms = WeightForm | readonly (readonly [pattern: string, form: WeightForm])[];

/** Options of `Model.predictor`. */
export interface PredictorOptions<A extends PredictedAs = PredictedAs> {
  /** Most rows of a call and of a batch, 256 by default. Memory for so many is taken once. */
  readonly maxBatch?: number | undefined;
  /** Native threads of a batch, at most; by default and in no case more than `runtime.threads`. The bits do not depend on it. */
  readonly threads?: number | undefined;
  /** `'f32'` by default. Of `'bf16'` and `'int8'` `Predictor.error` says what they cost; the sums are f32 in every form. */
  readonly weights?: WeightForms | undefined;
  /** `'outputs'` by default. */
  readonly as?: A | undefined;
  /**
   * Whether calls are steps of streams: row r of each is the next step of lane r, and recurrent layers go on from the state that the call before has left, to the bits of the
   * whole sequence. Rows then have one step, [1, features]; `run` alone answers, and `reset` begins anew. False by default.
   */
  readonly stateful?: boolean | undefined;
  /** Rows of `submit` that may wait; 10,000 by default, and at least `maxBatch`. One more is `ERR_QUEUE_FULL`. */
  readonly maxQueue?: number | undefined;
}

/** {@link PredictorOptions}, checked. */
export interface PredictorSettings {
  readonly maxBatch: number;
  readonly threads: number | undefined;
  readonly formOf: (parameter: string) => WeightForm;
  readonly as: PredictedAs;
  readonly stateful: boolean;
  readonly maxQueue: number;
}

const FORMS: readonly WeightForm[] = ["f32", "bf16", "int8"];
const KINDS: readonly PredictedAs[] = ["outputs", "probabilities", "softmax", "sigmoid", "labels"];

/** Most rows of a batch. */
const MOST_ROWS = 1_048_576;
const QUEUE = 10_000;
const BATCH = 256;

export function checkPredictor(options: PredictorOptions, segments: readonly Segment[]): PredictorSettings {
  const where = "predictor";
  checkKeys(where, options, ["maxBatch", "threads", "weights", "as", "stateful", "maxQueue"]);
  const { threads, weights = "f32", as = "outputs" } = options;
  const maxBatch = checkNumber(`${where}.maxBatch`, options.maxBatch ?? BATCH, {
    min: 1,
    max: MOST_ROWS,
    integer: true,
  });
  if (threads !== undefined) checkNumber(`${where}.threads`, threads, THREADS);
  const queue = options.maxQueue ?? Math.max(QUEUE, maxBatch);
  return {
    maxBatch,
    threads,
    formOf: checkForms(`${where}.weights`, weights, segments),
    as: checkOneOf(`${where}.as`, as, KINDS),
    stateful: checkBoolean(`${where}.stateful`, options.stateful ?? false),
    maxQueue: checkNumber(`${where}.maxQueue`, queue, { min: maxBatch, integer: true }),
  };
}

/** The form of every parameter. A pattern that matches none is `ERR_OPTION`: it was meant for one. */
function checkForms(
  where: string,
  weights: WeightForms,
  segments: readonly Segment[],
): (parameter: string) => WeightForm {
  if (!Array.isArray(weights)) {
    const form = checkOneOf(where, weights, FORMS);
    return () => form;
  }
  const forms = weights.map((entry: unknown, index): readonly [string, WeightForm] => {
    const place = `${where}[${index}]`;
    if (!Array.isArray(entry) || entry.length !== 2) fail("ERR_OPTION", place, "[pattern, form]", entry);
    const pattern = checkString(place, entry[0]);
    if (!segments.some(({ name }) => matchesPattern(pattern, name))) {
      fail(
        "ERR_OPTION",
        place,
        `a pattern that matches a parameter (${segments.map(({ name }) => name).join(", ")})`,
        pattern,
      );
    }
    return [pattern, checkOneOf(place, entry[1], FORMS)];
  });
  return (parameter) => forms.find(([pattern]) => matchesPattern(pattern, parameter))?.[1] ?? "f32";
}
