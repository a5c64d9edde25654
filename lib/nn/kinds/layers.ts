import { Family, type Form, type Kind, kind, listOf, plain } from "../../described.js";
import { penalties } from "../../regularizers/kinds.js";
import type { Layer } from "../layer.js";
import * as activations from "../layers/activations.js";
import {
  alphaDropout,
  type DropoutLayerOptions,
  dropout,
  gaussianDropout,
  type RateOptions,
  spatialDropout,
} from "../layers/dropout.js";
import { groupNorm } from "../layers/group_norm.js";
import { layerNorm, type NormLayerOptions } from "../layers/layer_norm.js";
import { type LinearOptions, linear } from "../layers/linear.js";
import { type ResidualOptions, residualOf } from "../layers/residual.js";
import { rmsNorm } from "../layers/rms_norm.js";
import { flatten, reshape } from "../layers/shapes.js";
import { filling } from "./initializers.js";

const NORM = { inputs: plain, epsilon: plain, affine: plain, name: plain };
const RATE = { rate: plain, keep: plain, name: plain };

/** Features of a layer that gives as many as it takes. */
interface Inputs {
  readonly inputs: number;
}

/** Activations by kind. */
export const activationLayers: Readonly<Record<string, Kind<Layer>>> = {
  relu: kind(activations.relu, {}),
  relu6: kind(activations.relu6, {}),
  tanh: kind(activations.tanh, {}),
  sigmoid: kind(activations.sigmoid, {}),
  softplus: kind(activations.softplus, {}),
  silu: kind(activations.silu, {}),
  mish: kind(activations.mish, {}),
  selu: kind(activations.selu, {}),
  hardTanh: kind(activations.hardTanh, {}),
  hardSigmoid: kind(activations.hardSigmoid, {}),
  hardSilu: kind(activations.hardSilu, {}),
  softmax: kind(activations.softmax, {}),
  logSoftmax: kind(activations.logSoftmax, {}),
  leakyRelu: kind(activations.leakyRelu, { slope: plain }),
  elu: kind(activations.elu, { alpha: plain }),
  gelu: kind(activations.gelu, { approximate: plain }),
};

/** Layers of a block. */
const inOrder: Form = {
  describe: (where, value) => listOf(layers, "layers").describe(where, value),
  make: (where, given, reading) => listOf(layers, "layers").make(where, given, reading),
};

/** Layers by kind. */
export const layers = new Family<Layer>("layer", {
  linear: kind(
    ({ inputs, outputs, ...options }: LinearOptions & { readonly inputs: number; readonly outputs: number }) => {
      return linear(inputs, outputs, options);
    },
    {
      inputs: plain,
      outputs: plain,
      bias: plain,
      init: filling,
      biasInit: filling,
      regularizer: penalties,
      biasRegularizer: penalties,
      dropConnect: plain,
      name: plain,
    },
  ),
  ...activationLayers,
  layerNorm: kind(({ inputs, ...options }: NormLayerOptions & Inputs) => layerNorm(inputs, options), NORM),
  rmsNorm: kind(({ inputs, ...options }: NormLayerOptions & Inputs) => rmsNorm(inputs, options), NORM),
  groupNorm: kind(
    ({ inputs, groups, ...options }: NormLayerOptions & Inputs & { readonly groups: number }) => {
      return groupNorm(inputs, groups, options);
    },
    { ...NORM, groups: plain },
  ),
  dropout: kind((options: DropoutLayerOptions) => dropout(options), { ...RATE, scaling: plain }),
  spatialDropout: kind((options: DropoutLayerOptions) => spatialDropout(options), { ...RATE, scaling: plain }),
  alphaDropout: kind((options: RateOptions) => alphaDropout(options), RATE),
  gaussianDropout: kind((options: RateOptions) => gaussianDropout(options), RATE),
  flatten: kind(flatten, {}),
  reshape: kind(({ shape }: { readonly shape: readonly number[] }) => reshape(shape), { shape: plain }),
  residual: kind(
    ({ layers: inside, ...options }: Omit<ResidualOptions, "kind"> & { readonly layers: readonly Layer[] }) =>
      residualOf(inside, options),
    { layers: inOrder, project: plain, name: plain },
  ),
});
