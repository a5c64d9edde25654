export { type CosineDecayOptions, cosineDecay, type OneCycleOptions, oneCycle, type Restarts } from "./cosine.js";
export {
  type ExponentialDecayOptions,
  exponentialDecay,
  type PolynomialDecayOptions,
  polynomialDecay,
  type StepDecayOptions,
  stepDecay,
} from "./decay.js";
export type { Period } from "./period.js";
export { type WarmupOptions, warmup } from "./warmup.js";
