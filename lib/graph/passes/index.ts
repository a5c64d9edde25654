import { fuseCrossEntropies } from "./cross_entropies.js";
import { fuseNorms } from "./norms.js";
import { fuseParametric } from "./parametric.js";
import type { Pass } from "./pass.js";
import { fusePeriodic } from "./periodic.js";
import { fusePools } from "./pools.js";
import { fuseProducts } from "./products.js";

/** The passes over the steps of every trace, in their order. */
export const PASSES: readonly Pass[] = [
  fuseCrossEntropies,
  fuseProducts,
  fuseNorms,
  fusePools,
  fusePeriodic,
  fuseParametric,
  (draft) => draft.removeUnused(),
];
