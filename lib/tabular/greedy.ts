// Weights of an ensemble by greedy selection.
import { countOf } from "../counts.js";
import { CarillonError, fail } from "../errors.js";
import { checkFunction, checkKeys, checkNumber } from "../options.js";
import { isNumberArray } from "../tensor/arrays.js";

/** Rounds of the selection, by default. */
const ROUNDS = 50;

/** Options of {@link greedyWeights}. */
export interface GreedyOptions {
  /** 50 by default. */
  readonly rounds?: number | undefined;
}

/** {@link greedyWeights} */
export function selectWeights(
  answers: readonly ArrayLike<number>[],
  loss: (answers: Float64Array) => number,
  options: GreedyOptions,
): readonly number[] {
  checkFunction("greedyWeights.loss", loss);
  const trials = selection(answers, options);
  let next = trials.next(0);
  while (next.done !== true) next = trials.next(loss(next.value));
  return next.value;
}

/** The same of a loss that takes turns of the event loop. */
export async function selectWeightsInTurns(
  answers: readonly ArrayLike<number>[],
  loss: (answers: Float64Array) => Promise<number>,
): Promise<readonly number[]> {
  const trials = selection(answers, {});
  let next = trials.next(0);
  while (next.done !== true) next = trials.next(await loss(next.value));
  return next.value;
}

/** Gives answers whose loss it is told next, and in the end the weights. */
function* selection(
  answers: readonly ArrayLike<number>[],
  options: GreedyOptions,
): Generator<Float64Array, readonly number[], number> {
  checkKeys("greedyWeights", options, ["rounds"]);
  const rounds = checkNumber("greedyWeights.rounds", options.rounds ?? ROUNDS, { min: 1, integer: true });
  const isList: boolean = Array.isArray(answers);
  const [first] = isList ? answers : [];
  if (first === undefined) return fail("ERR_OPTION", "greedyWeights", "answers of a member or more", answers);
  for (const [at, one] of answers.entries())
    if (!Array.isArray(one) && !isNumberArray(one))
      fail("ERR_OPTION", `greedyWeights.answers[${at}]`, "a list of numbers", one);
  const { length } = first;
  const odd = answers.findIndex((one) => one.length !== length);
  if (odd >= 0)
    throw new CarillonError(
      "ERR_DATA",
      "greedyWeights",
      `expected ${countOf(length, "number")} of each member but received ${answers[odd]?.length} of member ${odd + 1}`,
    );
  const sum = new Float64Array(length);
  const trial = new Float64Array(length);
  const counts = new Array<number>(answers.length).fill(0);
  let best: { readonly loss: number; readonly counts: readonly number[] } | undefined;
  for (let round = 1; round <= rounds; round++) {
    let chosen: { readonly member: number; readonly loss: number } | undefined;
    for (const [member, own] of answers.entries()) {
      for (let at = 0; at < length; at++) trial[at] = ((sum[at] ?? 0) + (own[at] ?? 0)) / round;
      const found = yield trial;
      if (chosen === undefined || found < chosen.loss) chosen = { member, loss: found };
    }
    if (chosen === undefined) break;
    const own = answers[chosen.member];
    for (let at = 0; at < length; at++) sum[at] = (sum[at] ?? 0) + (own?.[at] ?? 0);
    counts[chosen.member] = (counts[chosen.member] ?? 0) + 1;
    if (best === undefined || chosen.loss < best.loss) best = { loss: chosen.loss, counts: [...counts] };
  }
  const taken = best?.counts ?? counts;
  const total = taken.reduce((all, count) => all + count, 0);
  return taken.map((count) => count / total);
}
