// What programs use of estimators for tables. All of it is a part of the bundle that comes with the first call (scripts/parts.mjs).
import type { LoadOptions } from "../nn/files/saved.js";
import { type GreedyOptions, selectWeights } from "./greedy.js";
import { checkTabular, type TabularOptions } from "./options.js";
import { Tabular } from "./tabular.js";
import { readTabular, type TabularModel } from "./tabular_model.js";

/**
 * An estimator for tables: from raw rows to a model that takes raw rows. `fast` is RealMLP-TD-S, with a fifth of the rows held out; `auto`, the default, RealMLP-TD, five
 * members that have each seen four fifths; `best` a bag of different networks whose weights are chosen by greedy selection. Holzmüller, Grinsztajn, Steinwart 2024.
 * `ERR_OPTION`, `ERR_UNKNOWN_OPTION`.
 *
 * @example
 * const model = await tabular({ preset: "fast" }).fit("churn.csv", { target: "churned" });
 * const { labels, probabilities } = await model.predict({ minutes: 12, plan: "pro" });
 */
export function tabular(options: TabularOptions = {}): Tabular {
  return new Tabular(checkTabular(options));
}

/**
 * A tabular model of a file that {@link TabularModel.save} has written, by its path or its bytes, in any process: it takes raw rows and gives the same bits.
 * `ERR_FILE` for what is none.
 *
 * @example
 * const model = await loadTabular("churn.safetensors");
 * const { labels } = await model.predict({ minutes: 12, plan: "pro" });
 */
export async function loadTabular(source: string | Uint8Array, options: LoadOptions = {}): Promise<TabularModel> {
  return await readTabular(source, options);
}

/**
 * Weights of members by greedy selection with replacement: in each of `rounds` the member is taken once more whose answers, averaged with those taken so
 * far, have the least `loss`; of several that are alike the first. A weight is the share of the rounds, up to the best one, in which its member was taken.
 *
 * `answers` has one list of numbers a member, all as long as one another: on rows that no member was trained on. `loss` is of such a list.
 *
 * Caruana, Niculescu-Mizil, Crew, Ksikes 2004.
 *
 * @example greedyWeights([first, second], (answers) => meanSquaredError(answers, targets));
 */
export function greedyWeights(
  answers: readonly ArrayLike<number>[],
  loss: (answers: Float64Array) => number,
  options: GreedyOptions = {},
): readonly number[] {
  return selectWeights(answers, loss, options);
}
