import { Family, kind, plain } from "../../described.js";
import { binaryCrossEntropy, crossEntropy, hinge, klDivergence } from "../losses/classification.js";
import type { Loss } from "../losses/loss.js";
import { cosineSimilarity, huber, mae, mse } from "../losses/regression.js";

/** Losses by kind. */
export const losses = new Family<Loss>("loss", {
  mse: kind(mse, {}),
  mae: kind(mae, {}),
  huber: kind(huber, { delta: plain }),
  cosineSimilarity: kind(cosineSimilarity, { epsilon: plain }),
  crossEntropy: kind(crossEntropy, { labelSmoothing: plain, target: plain }),
  binaryCrossEntropy: kind(binaryCrossEntropy, {}),
  hinge: kind(hinge, {}),
  klDivergence: kind(klDivergence, {}),
});
