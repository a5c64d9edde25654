// What layers are in Keras 3 and in TensorFlow.js: classes, names of their variables in the order in which files have them, and how these lie.
import type { Arrangement } from "../arrangement.js";
import { type Crossing, crossing, same } from "../crossing.js";
import type { Place } from "../places.js";
import { isSet, numberOf, pairOf } from "./options.js";
import { GATES } from "./pytorch_recurrent.js";
import type { Refusal } from "./rule.js";

/** A variable of a layer there. */
export interface Variable {
  /** The part of the layer that has it, such as `cell`; empty where it is the layer itself. */
  readonly part: string;
  /** Its name, such as `kernel`. */
  readonly name: string;
  /** What it is under a name of a file. */
  readonly as: (theirs: string) => Crossing;
}

/** A kind of layer there. */
export interface KerasRule {
  /** Its class. */
  readonly module: (place: Place) => string;
  /** Its variables in their order; trained ones first. */
  readonly variables: (place: Place) => readonly Variable[] | Refusal;
}

/** A variable that is a weight of ours whose axes lie otherwise. */
function variable(
  place: Place,
  name: string,
  key: string,
  how: Arrangement,
  part = "",
  shape?: readonly number[],
): Variable {
  return {
    part,
    name,
    as: (theirs) => crossing(theirs, `${place.owner}.${key}`, how, shape === undefined ? {} : { shape }),
  };
}

const vector = (place: Place, name: string, key: string, size: number, part = ""): Variable =>
  variable(place, name, key, { from: [size], axes: [0] }, part);

const biasOf = (place: Place, size: number): readonly Variable[] =>
  isSet(place, "bias") ? [vector(place, "bias", "bias", size)] : [];

function dense(place: Place): readonly Variable[] {
  const from = [numberOf(place, "outputs"), numberOf(place, "inputs")];
  return [variable(place, "kernel", "weight", { from, axes: [1, 0] }), ...biasOf(place, from[0] ?? 1)];
}

const kernelOf = (place: Place): readonly number[] =>
  place.kind === "conv1d" ? [numberOf(place, "kernel")] : pairOf(place, "kernel");

/** Ours [out, …kernel, in/groups] is theirs […kernel, in/groups, out]; of the transposed one [in, …kernel, out] is […kernel, out, in]. */
function convolution(place: Place): readonly Variable[] | Refusal {
  const [inputs = 1, outputs = 1, groups = 1] = ["inputs", "outputs", "groups"].map((name) => numberOf(place, name));
  const isTransposed = place.kind === "convTransposed2d";
  if (isTransposed && groups > 1) return { refused: "Conv2DTranspose has no groups: groups: 1" };
  const kernel = kernelOf(place);
  const from = isTransposed ? [inputs, ...kernel, outputs] : [outputs, ...kernel, inputs / groups];
  const axes = [...kernel.map((_, axis) => axis + 1), kernel.length + 1, 0];
  return [variable(place, "kernel", "weight", { from, axes }), ...biasOf(place, outputs)];
}

/** A convolution of each channel by itself: […kernel, channels, multiplier] there. */
export function depthwise(place: Place): readonly Variable[] {
  const [inputs, outputs] = [numberOf(place, "inputs"), numberOf(place, "outputs")];
  const kernel = kernelOf(place);
  const from = [inputs, outputs / inputs, ...kernel];
  return [
    variable(place, "kernel", "weight", { from, axes: [...kernel.map((_, axis) => axis + 2), 0, 1] }),
    ...biasOf(place, outputs),
  ];
}

function norm(place: Place): readonly Variable[] {
  const size = numberOf(place, "inputs");
  return isSet(place, "affine") ? [vector(place, "gamma", "scale", size), vector(place, "beta", "shift", size)] : [];
}

function batchNorm(place: Place): readonly Variable[] {
  const size = numberOf(place, "inputs");
  return [
    ...norm(place),
    vector(place, "moving_mean", "mean", size),
    vector(place, "moving_variance", "variance", size),
  ];
}

/** One direction of a recurrent layer: its keys here, and its part there. */
interface Direction {
  readonly key: (name: string) => string;
  readonly part: string;
}

const reversed = (name: string): string => `reverse${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;

function recurrent(place: Place): readonly Variable[] | Refusal {
  const [inputs, hidden, layers] = [numberOf(place, "inputs"), numberOf(place, "hidden"), numberOf(place, "layers")];
  const { preset } = place.options ?? {};
  if (layers > 1) return { refused: "a layer of Keras is one of them: layers: 1, several one behind the other" };
  if (preset === "pytorch" && isSet(place, "bias"))
    return { refused: "a layer of Keras has one bias: no preset, or preset: 'keras'" };
  const gates = GATES[place.kind] ?? 1;
  const isFirst = place.kind === "gru" && preset !== "keras";
  const orders = isFirst ? new Map([[0, [1, 0, 2]]]) : undefined;
  const directions: readonly Direction[] = isSet(place, "bidirectional")
    ? [
        { key: (name) => name, part: "forward_layer/cell" },
        { key: reversed, part: "backward_layer/cell" },
      ]
    : [{ key: (name) => name, part: "cell" }];
  return directions.flatMap(({ key, part }) => {
    const matrix = (name: string, ours: string, rows: number): Variable =>
      variable(place, name, key(ours), { from: [gates, hidden, rows], axes: [2, 0, 1], orders }, part, [
        rows,
        gates * hidden,
      ]);
    const weights = [matrix("kernel", "weight", inputs), matrix("recurrent_kernel", "recurrent", hidden)];
    if (!isSet(place, "bias")) return weights;
    const biased = { place, hidden, gates, key: (name: string) => `${place.owner}.${key(name)}`, orders };
    return [...weights, { part, name: "bias", as: (theirs: string) => biasCrossing(theirs, biased) }];
  });
}

interface Biased {
  readonly place: Place;
  readonly hidden: number;
  readonly gates: number;
  readonly key: (name: string) => string;
  readonly orders: ReadonlyMap<number, readonly number[]> | undefined;
}

/** The bias of a recurrent layer: of a GRU whose gate resets behind the product two rows, that of the input and that of the state. */
function biasCrossing(theirs: string, { place, hidden, gates, key, orders }: Biased): Crossing {
  const from = [gates, hidden];
  const row = crossing(theirs, key("bias"), { from, axes: [0, 1], orders }, { shape: [gates * hidden] });
  if (place.kind !== "gru" || place.options?.resetAfter === false) return row;
  const second = crossing(theirs, key("recurrentBias"), { from, axes: [0, 1], orders });
  const candidate = key("candidateBias");
  const hasSecond = place.options?.preset === "keras";
  const count = gates * hidden;
  return {
    ...row,
    ...{ isSame: false, shape: [2, count], ours: [key("bias"), hasSecond ? key("recurrentBias") : candidate] },
    change: hasSecond
      ? "two rows: bias, recurrentBias"
      : "two rows: bias, and candidateBias as the last third of the second",
    read(weights) {
      const both = new Float32Array(2 * count);
      both.set(row.read(weights));
      if (hasSecond) both.set(second.read(weights), count);
      else both.set(weights(candidate), count + 2 * hidden);
      return both;
    },
    write(values, weights) {
      row.write(values.subarray(0, count), weights);
      if (hasSecond) return second.write(values.subarray(count), weights);
      weights(candidate).set(values.subarray(count + 2 * hidden));
      const bias = weights(key("bias")); // gates r, z here, z, r there
      for (let at = 0; at < 2 * hidden; at++) {
        const added = values[count + ((at + hidden) % (2 * hidden))] ?? 0;
        if (added !== 0) bias[at] = (bias[at] ?? 0) + added;
      }
    },
  };
}

/** A stretch of rows of a weight of ours, as a tensor of its own. */
function stretch(theirs: string, ours: string, begin: number, how: Arrangement, change: string): Crossing {
  const count = how.from.reduce((product, size) => product * size, 1);
  const inner = crossing(theirs, ours, how);
  return {
    ...inner,
    ...{ change, isSame: false },
    read: (weights) => inner.read((name) => weights(name).subarray(begin, begin + count)),
    write: (values, weights) => inner.write(values, (name) => weights(name).subarray(begin, begin + count)),
  };
}

const PARTS = ["query", "key", "value"] as const;

/** Queries, keys and values lie one behind the other here; there a kernel [size, heads, own] each. */
function attention(place: Place): readonly Variable[] | Refusal {
  const [size, heads] = [numberOf(place, "size"), numberOf(place, "heads")];
  if ((place.options?.keyValueHeads ?? heads) !== heads)
    return { refused: "MultiHeadAttention has as many heads of keys and values as of queries" };
  if (place.options?.rotary !== undefined && place.options.rotary !== false)
    return { refused: "MultiHeadAttention turns nothing by its place: rotary: false" };
  const own = size / heads;
  const biased = isSet(place, "bias");
  const inputs = PARTS.flatMap((part, at): readonly Variable[] => [
    {
      ...{ part: `${part}_dense`, name: "kernel" },
      as: (theirs) =>
        stretch(
          theirs,
          `${place.owner}.weight`,
          at * size * size,
          { from: [heads, own, size], axes: [2, 0, 1] },
          `${part}: a third of the rows`,
        ),
    },
    ...(biased
      ? [
          {
            ...{ part: `${part}_dense`, name: "bias" },
            as: (theirs: string) =>
              stretch(
                theirs,
                `${place.owner}.bias`,
                at * size,
                { from: [heads, own], axes: [0, 1] },
                `${part}: a third`,
              ),
          },
        ]
      : []),
  ]);
  return [
    ...inputs,
    variable(place, "kernel", "outputWeight", { from: [size, heads, own], axes: [1, 2, 0] }, "output_dense"),
    ...(biased ? [vector(place, "bias", "outputBias", size, "output_dense")] : []),
  ];
}

const fixed = (module: string) => (): string => module;

/** Keras' class of each kind of layer that has variables. */
export const KERAS_RULES: Readonly<Record<string, KerasRule>> = {
  linear: { module: fixed("Dense"), variables: dense },
  conv1d: { module: fixed("Conv1D"), variables: convolution },
  conv2d: { module: fixed("Conv2D"), variables: convolution },
  convTransposed2d: { module: fixed("Conv2DTranspose"), variables: convolution },
  embedding: {
    module: fixed("Embedding"),
    variables: (place) => [
      {
        ...{ part: "", name: "embeddings" },
        as: (theirs) => same(theirs, `${place.owner}.table`, [numberOf(place, "count"), numberOf(place, "size")]),
      },
    ],
  },
  batchNorm: { module: fixed("BatchNormalization"), variables: batchNorm },
  layerNorm: { module: fixed("LayerNormalization"), variables: norm },
  groupNorm: { module: fixed("GroupNormalization"), variables: norm },
  rmsNorm: {
    module: fixed("RMSNormalization"),
    variables: (place) => (isSet(place, "affine") ? [vector(place, "scale", "scale", numberOf(place, "inputs"))] : []),
  },
  lstm: { module: (place) => (isSet(place, "bidirectional") ? "Bidirectional" : "LSTM"), variables: recurrent },
  gru: { module: (place) => (isSet(place, "bidirectional") ? "Bidirectional" : "GRU"), variables: recurrent },
  rnn: { module: (place) => (isSet(place, "bidirectional") ? "Bidirectional" : "SimpleRNN"), variables: recurrent },
  attention: { module: fixed("MultiHeadAttention"), variables: attention },
};

/** `SimpleRNN` as `simple_rnn`, as Keras names groups in its files. */
export function snakeCase(name: string): string {
  return name
    .replaceAll(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replaceAll(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}

/** Names that are counted: `dense`, `dense_1`, … */
export class Counted {
  readonly #used = new Map<string, number>();

  next(name: string): string {
    const count = this.#used.get(name);
    this.#used.set(name, (count ?? -1) + 1);
    return count === undefined ? name : `${name}_${count + 1}`;
  }
}
