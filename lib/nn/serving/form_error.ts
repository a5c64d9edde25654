import type { InputMember } from "../../data/block.js";
import { Turns } from "../../data/turns.js";
import { CarillonError } from "../../errors.js";
import type { WeightForm } from "../../graph/passes/frozen_products.js";
import type { Normalization, PredictedLabels } from "../meaning/meaning.js";
import { labelTaker, Parts, RowOutputs } from "./answers.js";
import { FrozenCopy, type Network } from "./frozen_copy.js";
import { callInputs, membersOfCall } from "./rows.js";

/** How far the answers of a form of the weights are from those of f32. */
export interface FormError {
  readonly rows: number;
  /** The largest |answer − answer of f32|. */
  readonly maxAbsolute: number;
  /** √ of the mean of (answer − answer of f32)², over all outputs of all rows. */
  readonly rootMeanSquare: number;
  /** Share of the rows that have the same labels; `undefined` for a model whose outputs are no labels. */
  readonly labelAgreement: number | undefined;
}

/** Of one moment of a network: what both forms of the weights give for every row. */
export async function measureError(
  where: string,
  network: Network,
  {
    formOf,
    normalizations,
    maxBatch,
  }: {
    readonly formOf: (parameter: string) => WeightForm;
    readonly normalizations: readonly Normalization[];
    readonly maxBatch: number;
  },
  x: unknown,
): Promise<FormError> {
  const { rows } = network;
  const members = membersOfCall(where, x, callInputs(rows.inputs));
  const still = await network.clone();
  const outputsOf = async (
    form: (parameter: string) => WeightForm,
    as: readonly Normalization[],
  ): Promise<Float32Array> => {
    return await computeAll(new FrozenCopy(still, as, maxBatch, form), members, new RowOutputs(rows));
  };
  const [given, exact] = [await outputsOf(formOf, normalizations), await outputsOf(() => "f32", normalizations)];
  let [largest, squares] = [0, 0];
  for (const [index, value] of given.entries()) {
    const difference = Math.abs(value - (exact[index] ?? 0));
    if (!(difference <= largest)) largest = difference;
    squares += difference * difference;
  }
  const count = members[0]?.rows ?? 0;
  const raw = normalizations.every((normalization) => normalization === "none");
  const labels = labelsIn(where, still, raw ? given : await outputsOf(formOf, []), count);
  const expected = labelsIn(where, still, raw ? exact : await outputsOf(() => "f32", []), count);
  const isSame = (_: unknown, row: number): boolean =>
    labels?.every((own, output) => own[row] === expected?.[output]?.[row]) ?? false;
  const same = labels && Array.from({ length: count }).filter(isSame).length;
  return {
    rows: count,
    maxAbsolute: largest,
    rootMeanSquare: Math.sqrt(squares / given.length),
    labelAgreement: same === undefined ? undefined : same / count,
  };
}

/** Answers for all rows, on native threads. */
async function computeAll(
  copy: FrozenCopy,
  members: readonly InputMember[],
  outputs: RowOutputs,
): Promise<Float32Array> {
  await copy.take();
  const { program, described } = copy;
  const turns = new Turns();
  const parts = new Parts(program, members, described.inputs);
  for (let x = parts.next(); x !== undefined; x = parts.next()) {
    await program.runAsync(x, parts.rows, parts.y, 1, parts.begin);
    if (turns.over) await turns.next();
  }
  outputs.restore(parts.all, described);
  return parts.all;
}

/** Labels of raw outputs, by output; `undefined` where they are none. */
function labelsIn(
  where: string,
  network: Network,
  outputs: Float32Array,
  rows: number,
): readonly PredictedLabels[] | undefined {
  try {
    const labels = labelTaker(where, new RowOutputs(network.rows))(outputs, 0, rows, network.described());
    return isArray(labels) ? [labels] : Object.values(labels);
  } catch (error) {
    if (error instanceof CarillonError && error.code === "ERR_STATE") return undefined;
    throw error;
  }
}

/** `Array.isArray` of arrays that nobody writes to. */
function isArray<T>(value: readonly T[] | object): value is readonly T[] {
  return Array.isArray(value);
}
