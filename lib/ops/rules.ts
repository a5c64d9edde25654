import type { OperationName } from "../tensor/attributes.js";
import type { Rule } from "../tensor/value.js";
import { activationRules } from "./activations.js";
import { arrangeRules } from "./arrange.js";
import { attentionRules } from "./attention.js";
import { augmentRules } from "./augment.js";
import { broadcastRules } from "./broadcast.js";
import { candidateRules } from "./candidates.js";
import { classificationRules } from "./classification.js";
import { columnNormRules } from "./column_norm.js";
import { convolutionRules } from "./convolution.js";
import { binaryRules, unaryRules } from "./elementwise.js";
import { poolRules } from "./pool.js";
import { productRules } from "./products.js";
import { randomRules } from "./random.js";
import { recurrenceRules } from "./recurrence.js";
import { rowNormRules } from "./row_norm.js";
import { sequenceRules } from "./sequence.js";
import { sumRules } from "./sums.js";
import { takeRules } from "./take.js";
import { whereRules } from "./where.js";

export type { OperationName } from "../tensor/attributes.js";

/** The rule of every operation: one that is missing does not compile. Tests walk them, so that none is forgotten. */
export const rules: { readonly [K in OperationName]: Rule<K> } = {
  ...unaryRules,
  ...binaryRules,
  ...activationRules,
  ...arrangeRules,
  ...attentionRules,
  ...augmentRules,
  ...broadcastRules,
  ...candidateRules,
  ...classificationRules,
  ...columnNormRules,
  ...convolutionRules,
  ...poolRules,
  ...productRules,
  ...randomRules,
  ...recurrenceRules,
  ...rowNormRules,
  ...sequenceRules,
  ...sumRules,
  ...takeRules,
  ...whereRules,
};
