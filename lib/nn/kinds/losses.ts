import { Family, kind, plain } from "../../described.js";
import { inBatchSoftmax, sampledSoftmax } from "../losses/candidates.js";
import { binaryCrossEntropy, crossEntropy, hinge, klDivergence } from "../losses/classification.js";
import { binaryFocal, focal } from "../losses/focal.js";
import type { Loss } from "../losses/loss.js";
import { pinball } from "../losses/quantiles.js";
import { bpr, contrastive, triplet } from "../losses/ranking.js";
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
  focal: kind(focal, { gamma: plain, alpha: plain, target: plain }),
  binaryFocal: kind(binaryFocal, { gamma: plain, alpha: plain }),
  pinball: kind(pinball, { quantiles: plain }),
  bpr: kind(bpr, {}),
  triplet: kind(triplet, { margin: plain, squared: plain }),
  inBatchSoftmax: kind(inBatchSoftmax, { items: plain, temperature: plain, frequencies: plain }),
  sampledSoftmax: kind(sampledSoftmax, { samples: plain, draw: plain, correct: plain }),
  contrastive: kind(contrastive, { margin: plain }),
});
