import { fuseCrossEntropies } from "./cross_entropies.js";
import { fuseNorms } from "./norms.js";
import type { Pass } from "./pass.js";
import { fuseProducts } from "./products.js";

/** The passes over the steps of every trace, in their order. */
export const PASSES: readonly Pass[] = [fuseCrossEntropies, fuseProducts, fuseNorms, (draft) => draft.removeUnused()];
