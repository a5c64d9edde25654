export { binaryCrossEntropy, type CrossEntropyOptions, crossEntropy, hinge, klDivergence } from "./classification.js";
export type { Loss, LossTarget } from "./loss.js";
export {
  type CosineSimilarityOptions,
  cosineSimilarity,
  type HuberOptions,
  huber,
  mae,
  mse,
} from "./regression.js";
