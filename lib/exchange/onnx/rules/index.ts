import type { OperationName } from "../../../tensor/attributes.js";
import { arrangeRules } from "./arrange.js";
import { attentionRules } from "./attention.js";
import { normRules, trainingRules } from "./norms.js";
import { pointwiseRules } from "./pointwise.js";
import { productRules } from "./products.js";
import { recurrenceRules } from "./recurrence.js";
import type { Rules } from "./rule.js";
import { tableRules } from "./tables.js";
import { windowRules } from "./windows.js";

/** How every operation is written in ONNX, or why none is: one that is missing does not compile. */
export const onnxRules: Rules<OperationName> = {
  ...arrangeRules,
  ...attentionRules,
  ...normRules,
  ...pointwiseRules,
  ...productRules,
  ...recurrenceRules,
  ...tableRules,
  ...trainingRules,
  ...windowRules,
};
