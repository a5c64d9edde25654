import { activationRules } from "./activations.js";
import { broadcastRules } from "./broadcast.js";
import { classificationRules } from "./classification.js";
import { binaryRules, unaryRules } from "./elementwise.js";
import { productRules } from "./products.js";
import { randomRules } from "./random.js";
import { sumRules } from "./sums.js";

/** Every operation by name: what tests walk so that none is forgotten. */
export const rules = {
  ...unaryRules,
  ...binaryRules,
  ...activationRules,
  ...broadcastRules,
  ...classificationRules,
  ...productRules,
  ...randomRules,
  ...sumRules,
} as const;

export type OperationName = keyof typeof rules;
