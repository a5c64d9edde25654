// What layers are in PyTorch: names of its state dicts, how its weights lie, and in which order gates stand.
import { type Crossing, crossing, nothing, same } from "../crossing.js";

import { ACTIVATIONS, DROPOUTS, isSet, numberOf, pairOf } from "./options.js";
import { recurrentCrossings } from "./pytorch_recurrent.js";
import { type Crossed, type Flow, PLAIN, type Refusal, type Rule } from "./rule.js";

const at = ({ place }: Crossed, key: string): string => `${place.owner}.${key}`;

/** A weight [out, in] and its bias; columns in the order of what flows in. */
function linear(crossed: Crossed): readonly Crossing[] {
  const { place, prefix, flow } = crossed;
  const from = [numberOf(place, "outputs"), numberOf(place, "inputs")];
  const orders = flow.order === undefined ? undefined : new Map([[1, flow.order]]);
  return [
    crossing(`${prefix}weight`, at(crossed, "weight"), { from, axes: [0, 1], orders }),
    ...(isSet(place, "bias") ? [same(`${prefix}bias`, at(crossed, "bias"), from.slice(0, 1))] : []),
  ];
}

/** Ours [out, …kernel, in/groups] is theirs [out, in/groups, …kernel]; of the transposed one the first two axes are in and out/groups. */
function convolution(crossed: Crossed): readonly Crossing[] {
  const { place, prefix } = crossed;
  const [inputs, outputs, groups] = ["inputs", "outputs", "groups"].map((name) => numberOf(place, name));
  const [first = 1, last = 1] = place.kind === "convTransposed2d" ? [inputs, outputs] : [outputs, inputs];
  const kernel = place.kind === "conv1d" ? [numberOf(place, "kernel")] : pairOf(place, "kernel");
  const from = [first, ...kernel, last / (groups ?? 1)];
  const axes = [0, kernel.length + 1, ...kernel.map((_, axis) => axis + 1)];
  return [
    crossing(`${prefix}weight`, at(crossed, "weight"), { from, axes }),
    ...(isSet(place, "bias") ? [same(`${prefix}bias`, at(crossed, "bias"), [outputs ?? 1])] : []),
  ];
}

/** One vector, in the order of what flows in. */
function vector(crossed: Crossed, theirs: string, ours: string): Crossing {
  const { place, prefix, flow } = crossed;
  const from = [numberOf(place, "inputs")];
  const orders = flow.order === undefined ? undefined : new Map([[0, flow.order]]);
  return crossing(`${prefix}${theirs}`, at(crossed, ours), { from, axes: [0], orders });
}

const scaleAndShift = (crossed: Crossed): readonly Crossing[] =>
  isSet(crossed.place, "affine") ? [vector(crossed, "weight", "scale"), vector(crossed, "bias", "shift")] : [];

const TRACKED = { dtype: "i64" } as const;

function batchNorm(crossed: Crossed): readonly Crossing[] {
  const running = [vector(crossed, "running_mean", "mean"), vector(crossed, "running_var", "variance")];
  return [...scaleAndShift(crossed), ...running, nothing(`${crossed.prefix}num_batches_tracked`, [], TRACKED)];
}

function table(crossed: Crossed): readonly Crossing[] {
  const { place, prefix } = crossed;
  return [same(`${prefix}weight`, at(crossed, "table"), [numberOf(place, "count"), numberOf(place, "size")])];
}

function attention(crossed: Crossed): readonly Crossing[] | Refusal {
  const { place, prefix } = crossed;
  const size = numberOf(place, "size");
  const heads = numberOf(place, "heads");
  if ((place.options?.keyValueHeads ?? heads) !== heads)
    return {
      refused: "nn.MultiheadAttention has as many heads of keys and values as of queries: keyValueHeads as heads",
    };
  if (typeof place.options?.rotary === "number" || place.options?.rotary === true)
    return { refused: "nn.MultiheadAttention turns nothing by its place: rotary: false, with positions() before" };
  const biased = isSet(place, "bias");
  return [
    same(`${prefix}in_proj_weight`, at(crossed, "weight"), [3 * size, size]),
    ...(biased ? [same(`${prefix}in_proj_bias`, at(crossed, "bias"), [3 * size])] : []),
    same(`${prefix}out_proj.weight`, at(crossed, "outputWeight"), [size, size]),
    ...(biased ? [same(`${prefix}out_proj.bias`, at(crossed, "outputBias"), [size])] : []),
  ];
}

/** Layers of a block by the names that nn.TransformerEncoderLayer has for them, in its order. */
const ENCODER = [
  ["self_attn", "attention"],
  ["linear1", "linear1"],
  ["linear2", "linear2"],
  ["norm1", "norm1"],
  ["norm2", "norm2"],
] as const;

function transformerBlock(crossed: Crossed): readonly Crossing[] | Refusal {
  const { place, prefix } = crossed;
  const found: Crossing[] = [];
  for (const [theirs, ours] of ENCODER) {
    const inner = place.inside.find(({ path }) => path.endsWith(`.${ours}`));
    if (inner === undefined) return { refused: `it has no ${ours}` };
    const tensors = RULES[inner.kind]?.tensors?.({ place: inner, prefix: `${prefix}${theirs}.`, flow: PLAIN });
    if (tensors === undefined || "refused" in tensors) return tensors ?? { refused: `it has a ${inner.kind}` };
    found.push(...tensors);
  }
  return found;
}

const channelsFirst = (): Flow => ({ channelsFirst: true });
const channelsLast = (): Flow => ({ channelsFirst: false });

/** Sizes of a row that flows in, where they are known. */
const rowOf = ({ place }: Crossed): readonly number[] | undefined => place.given?.shape.slice(1).map(Number);

/** Norms of a feature take it from axis 1 there, also where they are the first that says so: of a series [time, channels] it is [channels, time]. */
const featureFirst = (crossed: Crossed): Flow => {
  const { flow } = crossed;
  const isSeries = (rowOf(crossed)?.length ?? 1) > 1;
  return flow.channelsFirst === undefined && isSeries ? { ...flow, channelsFirst: true } : flow;
};

/** Images lie as [channels, …] there, so that a flattened one has its elements in another order. */
function flattened(crossed: Crossed): Flow | Refusal {
  const { flow } = crossed;
  const row = rowOf(crossed);
  const isImage = flow.channelsFirst ?? (row !== undefined && row.length === 3);
  if (row === undefined)
    return isImage
      ? { refused: "its input is not known: sequential tells it, in network say { images } of the layer behind it" }
      : { channelsFirst: false };
  const last = row.length === 1 || !isImage;
  return last ? { ...flow, channelsFirst: false } : { channelsFirst: false, order: orderOfImage(row) };
}

/** Which feature of ours each of theirs is, of a flattened image [height, width, channels] that is [channels, height, width] there. */
export function orderOfImage(row: readonly number[]): readonly number[] {
  const channels = row.at(-1) ?? 1;
  const places = row.slice(0, -1).reduce((product, size) => product * size, 1);
  return Array.from(
    { length: places * channels },
    (_, theirs) => (theirs % places) * channels + Math.floor(theirs / places),
  );
}

function reshaped(crossed: Crossed): Flow | Refusal {
  const shape = crossed.place.options?.shape;
  const sizes = Array.isArray(shape) ? shape.length : 0;
  if (sizes === 1) return flattened(crossed);
  const isMoved = crossed.flow.order !== undefined || crossed.flow.channelsFirst === true || sizes > 2;
  if (!isMoved) return { channelsFirst: false };
  return {
    refused:
      "images lie as [channels, height, width] there, so that another shape takes other elements: reshape in a network of your own on both sides",
  };
}

const NONE: Rule = { module: "no parameters" };

/** PyTorch's module of each kind of layer. Kinds that are not here have none. */
export const RULES: Readonly<Record<string, Rule>> = {
  linear: { module: "nn.Linear", tensors: linear, flow: ({ flow }) => ({ channelsFirst: flow.channelsFirst }) },
  conv1d: { module: "nn.Conv1d", tensors: convolution, flow: channelsFirst },
  conv2d: { module: "nn.Conv2d", tensors: convolution, flow: channelsFirst },
  convTransposed2d: { module: "nn.ConvTranspose2d", tensors: convolution, flow: channelsFirst },
  maxPool1d: { module: "nn.MaxPool1d", flow: channelsFirst },
  maxPool2d: { module: "nn.MaxPool2d", flow: channelsFirst },
  averagePool1d: { module: "nn.AvgPool1d", flow: channelsFirst },
  averagePool2d: { module: "nn.AvgPool2d", flow: channelsFirst },
  globalAveragePool: { module: "nn.AdaptiveAvgPool2d", flow: channelsLast },
  globalMaxPool: { module: "nn.AdaptiveMaxPool2d", flow: channelsLast },
  embedding: { module: "nn.Embedding", tensors: table, flow: channelsLast },
  embeddingBag: { module: "nn.EmbeddingBag", tensors: table, flow: channelsLast },
  positions: {
    module: "nn.Embedding",
    flow: channelsLast,
    tensors: (crossed) =>
      crossed.place.options?.form === "learned"
        ? [
            same(`${crossed.prefix}weight`, at(crossed, "table"), [
              numberOf(crossed.place, "time"),
              numberOf(crossed.place, "size"),
            ]),
          ]
        : [],
  },
  batchNorm: { module: "nn.BatchNorm", tensors: batchNorm, flow: featureFirst },
  layerNorm: { module: "nn.LayerNorm", tensors: scaleAndShift },
  groupNorm: { module: "nn.GroupNorm", tensors: scaleAndShift, flow: featureFirst },
  rmsNorm: {
    module: "nn.RMSNorm",
    tensors: (crossed) => (isSet(crossed.place, "affine") ? [vector(crossed, "weight", "scale")] : []),
  },
  lstm: { module: "nn.LSTM", tensors: recurrentCrossings, flow: channelsLast },
  gru: { module: "nn.GRU", tensors: recurrentCrossings, flow: channelsLast },
  rnn: { module: "nn.RNN", tensors: recurrentCrossings, flow: channelsLast },
  attention: { module: "nn.MultiheadAttention", tensors: attention, flow: channelsLast },
  transformerBlock: { module: "nn.TransformerEncoderLayer", tensors: transformerBlock, flow: channelsLast },
  flatten: { module: "nn.Flatten", flow: flattened },
  reshape: { module: "nn.Unflatten", flow: reshaped },
  images: { module: "transforms of torchvision" },
  ...Object.fromEntries([...ACTIVATIONS, ...DROPOUTS, "smoothClip", "monotoneQuantiles"].map((kind) => [kind, NONE])),
};

/** What would cross in the place of kinds that have no module there. */
export const INSTEAD: Readonly<Record<string, string>> = {
  ntkLinear: "linear, whose weight is this one by the root of its inputs",
  scale: "linear without bias behind it, or a network whose other side is your own module",
  parametricActivation: "an activation without shares",
  clampOutput: "bounds in the code on the other side",
};
