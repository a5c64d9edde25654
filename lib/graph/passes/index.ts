import { fuseCrossEntropies } from "./cross_entropies.js";
import { fuseNorms } from "./norms.js";
import type { Pass } from "./pass.js";
import { fuseProducts } from "./products.js";

/** What is done to the steps of every trace, one pass after another. */
export const PASSES: readonly Pass[] = [fuseCrossEntropies, fuseProducts, fuseNorms, (draft) => draft.removeUnused()];
