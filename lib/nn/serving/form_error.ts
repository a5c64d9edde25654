import type { Features } from "../../data/dataset.js";
import type { Member } from "../../data/member.js";
import { restoreRows } from "../../data/transform.js";
import { Turns } from "../../data/turns.js";
import { CarillonError } from "../../errors.js";
import type { WeightForm } from "../../graph/passes/frozen_products.js";
import { labelsOfRows, type Normalization } from "../meaning.js";
import { batchesOf } from "./answers.js";
import { FrozenCopy, type Network } from "./frozen_copy.js";
import { memberOfCall } from "./rows.js";

/** How far the answers of a form of the weights are from those of f32. */
export interface FormError {
  readonly rows: number;
  /** The largest |answer − answer of f32|. */
  readonly maxAbsolute: number;
  /** √ of the mean of (answer − answer of f32)², over all outputs of all rows. */
  readonly rootMeanSquare: number;
  /** Share of the rows that have the same label; `undefined` for a model whose outputs are no labels. */
  readonly labelAgreement: number | undefined;
}

/** Of one moment of a network: what both forms of the weights give for every row. */
export async function measureError(
  where: string,
  network: Network,
  {
    formOf,
    normalization,
    maxBatch,
  }: {
    readonly formOf: (parameter: string) => WeightForm;
    readonly normalization: Normalization;
    readonly maxBatch: number;
  },
  x: Features,
): Promise<FormError> {
  const { inputs } = network;
  const member = memberOfCall(where, x, inputs);
  const still = await network.clone();
  const outputsOf = async (form: (parameter: string) => WeightForm, as: Normalization): Promise<Float32Array> => {
    return await computeAll(new FrozenCopy(still, as, maxBatch, form), member);
  };
  const [given, exact] = [await outputsOf(formOf, normalization), await outputsOf(() => "f32", normalization)];
  let [largest, squares] = [0, 0];
  for (const [index, value] of given.entries()) {
    const difference = Math.abs(value - (exact[index] ?? 0));
    if (!(difference <= largest)) largest = difference;
    squares += difference * difference;
  }
  const raw = normalization === "none";
  const labels = labelsIn(where, still, raw ? given : await outputsOf(formOf, "none"));
  const expected = labelsIn(where, still, raw ? exact : await outputsOf(() => "f32", "none"));
  const same = labels?.filter((label, row) => label === expected?.[row]).length;
  return {
    rows: member.rows,
    maxAbsolute: largest,
    rootMeanSquare: Math.sqrt(squares / given.length),
    labelAgreement: same === undefined ? undefined : same / member.rows,
  };
}

/** Answers for all rows, on native threads. */
async function computeAll(copy: FrozenCopy, member: Member): Promise<Float32Array> {
  await copy.take();
  const { program, described } = copy;
  const { inputs, targets } = described.transforms;
  const turns = new Turns();
  const all = new Float32Array(member.rows * program.outputs);
  for (const { x, begin, rows, y } of batchesOf(program, member, inputs, all)) {
    await program.runAsync(x, rows, y, 1, begin);
    if (turns.over) await turns.next();
  }
  if (targets !== undefined) restoreRows(targets, all);
  return all;
}

/** Labels of raw outputs; `undefined` where they are none. */
function labelsIn(where: string, network: Network, outputs: Float32Array): readonly (string | number)[] | undefined {
  try {
    return labelsOfRows(where, network.described(), outputs);
  } catch (error) {
    if (error instanceof CarillonError && error.code === "ERR_STATE") return undefined;
    throw error;
  }
}
