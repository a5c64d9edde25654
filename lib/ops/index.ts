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
export { argmax, countEqual, logSoftmax, oneHot, softmax, softmaxCrossEntropy } from "./classification.js";
export {
  absolute,
  add,
  clip,
  divide,
  erf,
  exp,
  expm1,
  flush,
  greater,
  log,
  log1p,
  maximum,
  minimum,
  multiply,
  negate,
  reciprocal,
  relu,
  sigmoid,
  sign,
  sqrt,
  square,
  subtract,
  tanh,
} from "./elementwise.js";
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
export { broadcast, reshape } from "./shape.js";
export { mean, rowCount, type SumOptions, sum, sumSquares } from "./sums.js";
