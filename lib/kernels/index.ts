/// <reference types="node" preserve="true" />
export { CarillonError, type ErrorCode, type ErrorData } from "../errors.js";
export { runtime } from "../runtime.js";
export { philox } from "../tensor/philox.js";
export type { ThreadOptions } from "./arguments.js";
export { type BinaryKernel, type BinaryName, binary } from "./binary.js";
export {
  type DrawOptions,
  type DropoutBackwardOptions,
  type DropoutForwardOptions,
  dropoutBackward,
  dropoutForward,
  type GaussianNoiseOptions,
  gaussianNoise,
  type KeepOptions,
} from "./draws.js";
export {
  type GemmActivation,
  type GemmOptions,
  gemm,
  type PackOptions,
  packedLength,
  packWeights,
} from "./gemm.js";
export { type ConvertOptions, convertU8, copy, fill, type GatherOptions, gather } from "./memory.js";
export {
  type ArgmaxOptions,
  argmax,
  type CrossEntropyGradientOptions,
  type CrossEntropyOptions,
  countEqual,
  logSoftmax,
  type OneHotOptions,
  oneHot,
  type SoftmaxOptions,
  softmax,
  softmaxCrossEntropy,
  softmaxCrossEntropyGradient,
} from "./rows.js";
export {
  type AdadeltaStepOptions,
  type AdagradStepOptions,
  type AdamaxStepOptions,
  type AdamStepOptions,
  type AmsgradStepOptions,
  adadeltaStep,
  adagradStep,
  adamaxStep,
  adamStep,
  adamwStep,
  amsgradStep,
  type LionStepOptions,
  lionStep,
  type NadamStepOptions,
  nadamStep,
  type RadamStepOptions,
  type RmspropStepOptions,
  radamStep,
  rmspropStep,
  type SgdMomentumStepOptions,
  type SgdStepOptions,
  sgdMomentumStep,
  sgdStep,
} from "./steps.js";
export { columnSum, type MatrixSumOptions, rowSum, sum, sumSquares } from "./sums.js";
export { type UnaryKernel, type UnaryName, unary } from "./unary.js";
export type { StepOptions } from "./update.js";
