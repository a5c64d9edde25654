// Keras' layers as layers of ours.
import type { Place } from "../places.js";
import { depthwise, KERAS_RULES, type Variable } from "../rules/keras.js";
import { activationOf, type Config, type Described } from "./config.js";

/** A layer of ours that a layer of Keras becomes, or one of several. */
export interface Made extends Described {
  /** Its variables there, where they lie otherwise than those of its kind. */
  readonly variables?: ((place: Place) => readonly Variable[]) | undefined;
  /** An option there that is otherwise here, for notes. */
  readonly note?: string | undefined;
}

/** Sizes of a row that goes in, without the batch. */
type Row = readonly number[];

type Maker = (config: Config, row: Row) => readonly Made[];

const last = (row: Row): number => row.at(-1) ?? 1;

const channelsLast = (config: Config): void => config.only("data_format", "channels_last");

function dense(config: Config, row: Row): readonly Made[] {
  const options = { inputs: last(row), outputs: config.number("units"), bias: config.flag("use_bias", true) };
  return [{ kind: "linear", options }, ...activationOf(config)];
}

/** Paddings are named as here. */
function windows(config: Config, axes: number, size: string): Described["options"] {
  channelsLast(config);
  const flat = (sizes: readonly number[]): number | readonly number[] => (axes === 1 ? (sizes[0] ?? 1) : sizes);
  return {
    [size === "pool_size" ? "size" : "kernel"]: flat(config.sizes(size, axes)),
    padding: config.text("padding", "valid").toLowerCase(),
  };
}

const strided = (config: Config, axes: number): number | readonly number[] => {
  const sizes = config.sizes("strides", axes, 1);
  return axes === 1 ? (sizes[0] ?? 1) : sizes;
};

const dilated = (config: Config, axes: number): number | readonly number[] => {
  const sizes = config.sizes("dilation_rate", axes, 1);
  return axes === 1 ? (sizes[0] ?? 1) : sizes;
};

const convolution =
  (axes: number): Maker =>
  (config, row) => {
    const options = {
      ...{ inputs: last(row), outputs: config.number("filters"), ...windows(config, axes, "kernel_size") },
      ...{ stride: strided(config, axes), dilation: dilated(config, axes), groups: config.number("groups", 1) },
      bias: config.flag("use_bias", true),
    };
    return [{ kind: `conv${axes}d`, options }, ...activationOf(config)];
  };

const depthwiseConvolution =
  (axes: number): Maker =>
  (config, row) => {
    const channels = last(row);
    const options = {
      ...{
        inputs: channels,
        outputs: channels * config.number("depth_multiplier", 1),
        ...windows(config, axes, "kernel_size"),
      },
      ...{
        stride: strided(config, axes),
        dilation: dilated(config, axes),
        groups: channels,
        bias: config.flag("use_bias", true),
      },
    };
    return [{ kind: `conv${axes}d`, options, variables: depthwise }, ...activationOf(config)];
  };

const transposed: Maker = (config, row) => {
  config.only("output_padding", null, null);
  const { kernel, padding = "valid" } = windows(config, 2, "kernel_size");
  const stride = strided(config, 2);
  config.only("dilation_rate", [1, 1]);
  const smaller =
    Array.isArray(kernel) &&
    Array.isArray(stride) &&
    padding === "valid" &&
    kernel.some((size, axis) => size < (stride[axis] ?? 1));
  if (smaller) config.refuse("kernel_size", "a kernel not smaller than its strides");
  const options = {
    inputs: last(row),
    outputs: config.number("filters"),
    kernel: kernel ?? 1,
    padding,
    stride,
    bias: config.flag("use_bias", true),
  };
  return [{ kind: "convTransposed2d", options }, ...activationOf(config)];
};

const pool =
  (kind: string, axes: number): Maker =>
  (config) => {
    const options = windows(config, axes, "pool_size");
    const stride = config.raw("strides") === undefined ? {} : { stride: strided(config, axes) };
    return [{ kind, options: { ...options, ...stride } }];
  };

const globalPool =
  (kind: string): Maker =>
  (config) => {
    channelsLast(config);
    config.only("keepdims", false);
    return [{ kind, options: {} }];
  };

/** Axes of a normalization have to be the last one. */
function lastAxis(config: Config, row: Row): void {
  const axis = config.raw("axis") ?? -1;
  const only: unknown = Array.isArray(axis) && axis.length === 1 ? axis[0] : axis;
  if (only !== -1 && only !== row.length) config.refuse("axis", "the last axis");
}

/**
 * Whether a scale and a shift are learned there. Where one of them is, both are here: what there is none of begins as that of a new layer, which changes nothing, and can be
 * trained, which `notes` tells.
 */
function learned(config: Config): Pick<Made, "variables" | "note"> & { readonly affine: boolean } {
  const [shift, scale] = [config.flag("center", true), config.flag("scale", true)];
  if (shift === scale) return { affine: scale };
  const absent = scale ? "beta" : "gamma";
  const variables = (place: Place): readonly Variable[] => {
    const all = KERAS_RULES[place.kind]?.variables(place) ?? [];
    return "refused" in all ? [] : all.filter(({ name }) => name !== absent);
  };
  return { affine: true, variables, note: scale ? "center" : "scale" };
}

/** A normalization of so many features. */
function normalization(kind: string, config: Config, options: Described["options"]): readonly Made[] {
  const { affine, ...more } = learned(config);
  return [{ kind, options: { ...options, affine }, ...more }];
}

const batchNorm: Maker = (config, row) => {
  lastAxis(config, row);
  config.only("renorm", false);
  const options = { inputs: last(row), epsilon: config.number("epsilon", 1e-3), keep: config.number("momentum", 0.99) };
  return normalization("batchNorm", config, { ...options, preset: "keras" });
};

const layerNorm: Maker = (config, row) => {
  lastAxis(config, row);
  config.only("rms_scaling", false);
  return normalization("layerNorm", config, { inputs: last(row), epsilon: config.number("epsilon", 1e-3) });
};

const groupNorm: Maker = (config, row) => {
  lastAxis(config, row);
  const groups = config.number("groups", 32);
  const options = {
    inputs: last(row),
    groups: groups === -1 ? last(row) : groups,
    epsilon: config.number("epsilon", 1e-3),
  };
  return normalization("groupNorm", config, options);
};

const rmsNorm: Maker = (config, row) => {
  lastAxis(config, row);
  return [{ kind: "rmsNorm", options: { inputs: last(row), epsilon: config.number("epsilon", 1e-6) } }];
};

/** What all recurrent layers have. */
function recurrentOptions(config: Config, row: Row): Described["options"] {
  for (const name of ["go_backwards", "stateful", "return_state"]) config.only(name, false);
  const [dropout, recurrentDropout] = [config.number("dropout", 0), config.number("recurrent_dropout", 0)];
  if (dropout > 0) config.refuse("dropout", "0: a dropout() in front of the layer drops its inputs");
  return {
    ...{ inputs: last(row), hidden: config.number("units"), sequences: config.flag("return_sequences", false) },
    ...{ bias: config.flag("use_bias", true), recurrentDropout, preset: "keras" },
  };
}

const lstm: Maker = (config, row) => {
  config.only("activation", "tanh");
  config.only("recurrent_activation", "sigmoid");
  return [{ kind: "lstm", options: recurrentOptions(config, row) }];
};

const gru: Maker = (config, row) => {
  config.only("activation", "tanh");
  config.only("recurrent_activation", "sigmoid");
  return [{ kind: "gru", options: { ...recurrentOptions(config, row), resetAfter: config.flag("reset_after", true) } }];
};

const rnn: Maker = (config, row) => {
  const activation = config.text("activation", "tanh");
  if (activation !== "tanh" && activation !== "relu") config.refuse("activation", "tanh or relu");
  return [{ kind: "rnn", options: { ...recurrentOptions(config, row), activation } }];
};

const embedding: Maker = (config) => {
  config.only("mask_zero", false);
  return [{ kind: "embedding", options: { count: config.number("input_dim"), size: config.number("output_dim") } }];
};

const rate =
  (kind: string): Maker =>
  (config) => {
    const dropped = config.number("rate");
    return dropped === 0 ? [] : [{ kind, options: { rate: dropped } }];
  };

const relu: Maker = (config) => {
  const [most, slope] = [config.raw("max_value"), config.number("negative_slope", 0)];
  config.only("threshold", 0);
  if (most === undefined)
    return [slope === 0 ? { kind: "relu", options: {} } : { kind: "leakyRelu", options: { slope } }];
  return most === 6 && slope === 0
    ? [{ kind: "relu6", options: {} }]
    : config.refuse("max_value", "none, or 6 without a slope");
};

const softmax: Maker = (config, row) => {
  lastAxis(config, row);
  return [{ kind: "softmax", options: {} }];
};

const reshape: Maker = (config, row) => {
  const given = config.raw("target_shape");
  if (!Array.isArray(given)) return config.refuse("target_shape", "sizes");
  const sizes = given.map(Number);
  const all = row.reduce((product, size) => product * size, 1);
  const known = sizes.filter((size) => size > 0).reduce((product, size) => product * size, 1);
  return [{ kind: "reshape", options: { shape: sizes.map((size) => (size === -1 ? all / known : size)) } }];
};

const attention: Maker = (config, row) => {
  const [heads, own] = [config.number("num_heads"), config.number("key_dim")];
  const value = config.raw("value_dim") ?? own;
  if (value !== own || heads * own !== last(row))
    config.refuse("key_dim", `heads that come to the ${last(row)} features of a step together`);
  config.only("output_shape", null, null);
  config.only("use_gate", false);
  const axes = config.raw("attention_axes") ?? [1];
  if (JSON.stringify(axes) !== "[1]" || row.length !== 2) config.refuse("attention_axes", "the axis of the steps");
  return [
    {
      kind: "attention",
      options: { size: last(row), heads, dropout: config.number("dropout", 0), bias: config.flag("use_bias", true) },
    },
  ];
};

/** Layers of ours by the class there. What is not here does not cross. */
export const CLASSES: Readonly<Record<string, Maker>> = {
  Dense: dense,
  Conv1D: convolution(1),
  Conv2D: convolution(2),
  DepthwiseConv1D: depthwiseConvolution(1),
  DepthwiseConv2D: depthwiseConvolution(2),
  Conv2DTranspose: transposed,
  MaxPooling1D: pool("maxPool1d", 1),
  MaxPooling2D: pool("maxPool2d", 2),
  AveragePooling1D: pool("averagePool1d", 1),
  AveragePooling2D: pool("averagePool2d", 2),
  GlobalAveragePooling1D: globalPool("globalAveragePool"),
  GlobalAveragePooling2D: globalPool("globalAveragePool"),
  GlobalMaxPooling1D: globalPool("globalMaxPool"),
  GlobalMaxPooling2D: globalPool("globalMaxPool"),
  BatchNormalization: batchNorm,
  LayerNormalization: layerNorm,
  GroupNormalization: groupNorm,
  RMSNormalization: rmsNorm,
  Embedding: embedding,
  LSTM: lstm,
  GRU: gru,
  SimpleRNN: rnn,
  MultiHeadAttention: attention,
  Dropout: rate("dropout"),
  SpatialDropout1D: rate("spatialDropout"),
  SpatialDropout2D: rate("spatialDropout"),
  AlphaDropout: rate("alphaDropout"),
  GaussianDropout: rate("gaussianDropout"),
  Activation: (config) => activationOf(config),
  ReLU: relu,
  LeakyReLU: (config) => {
    const older = config.number("alpha", 0.3); // the name that Keras 2 and TensorFlow.js have for it
    return [{ kind: "leakyRelu", options: { slope: config.number("negative_slope", older) } }];
  },
  ELU: (config) => [{ kind: "elu", options: { alpha: config.number("alpha", 1) } }],
  Softmax: softmax,
  Flatten: (config) => {
    channelsLast(config);
    return [{ kind: "flatten", options: {} }];
  },
  Reshape: reshape,
  InputLayer: () => [],
  Identity: () => [],
};
