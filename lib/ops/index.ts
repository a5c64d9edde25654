export {
  elu,
  type GeluOptions,
  gelu,
  hardSigmoid,
  hardSilu,
  hardTanh,
  leakyRelu,
  mish,
  relu6,
  selu,
  silu,
  softplus,
} from "./activations.js";
export type { Of, Operand } from "./apply.js";
export {
  type AlongOptions,
  type ConcatOptions,
  concat,
  type Moved,
  pad,
  type StackOptions,
  slice,
  stack,
  transpose,
} from "./arrange.js";
export { type AttentionOptions, attention } from "./attention.js";
export { type AugmentOptions, augment, centerCrop, type ImageAugmentation } from "./augment.js";
export type { Axes } from "./axis.js";
export { argmax, countEqual, logSoftmax, oneHot, softmax, softmaxCrossEntropy } from "./classification.js";
export { type BatchNormed, type BatchNormOptions, batchNorm, scaleShift } from "./column_norm.js";
export {
  type Conv1dOptions,
  type Conv2dOptions,
  type ConvTransposed2dOptions,
  conv1d,
  conv2d,
  convTransposed2d,
} from "./convolution.js";
export {
  absolute,
  add,
  clip,
  cos,
  divide,
  equal,
  erf,
  exp,
  expm1,
  flush,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log,
  log1p,
  maximum,
  minimum,
  multiply,
  negate,
  notEqual,
  reciprocal,
  relu,
  sigmoid,
  sign,
  sin,
  sqrt,
  square,
  subtract,
  tanh,
} from "./elementwise.js";
export { type ExtremeOptions, max, min } from "./extremes.js";
export {
  averagePool1d,
  averagePool2d,
  type Counting,
  maxPool1d,
  maxPool2d,
  type Pool1dOptions,
  type Pool2dOptions,
} from "./pool.js";
export { linear, type MatmulOptions, matmul } from "./products.js";
export {
  alphaDropout,
  type DropoutOptions,
  type DropoutScaling,
  dropout,
  type GaussianDropoutOptions,
  gaussianDropout,
  spatialDropout,
} from "./random.js";
export { groupNorm, layerNorm, type NormOptions, rmsNorm } from "./row_norm.js";
export { attendTo, sequence } from "./sequence.js";
export { broadcast, type FlattenOptions, flatten, reshape } from "./shape.js";
export { mean, rowCount, type SumAxis, type SumOptions, sum, sumSquares } from "./sums.js";
export { type BagOptions, bag, take } from "./take.js";
export { where } from "./where.js";
