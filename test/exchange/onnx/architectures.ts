// Models of all layers, drawn by a seed: what `exportOnnx` is held against ONNX Runtime with.
import {
  type AnyModel,
  alphaDropout,
  attention,
  averagePool1d,
  averagePool2d,
  batchEnsemble,
  batchNorm,
  bytes,
  categoryEmbedding,
  clampOutput,
  concat,
  conv1d,
  conv2d,
  convTransposed2d,
  dropout,
  elu,
  embedding,
  embeddingBag,
  flatten,
  gaussianDropout,
  gelu,
  globalAveragePool,
  globalMaxPool,
  groupNorm,
  gru,
  hardSigmoid,
  hardSilu,
  hardTanh,
  images,
  type Layer,
  layerNorm,
  leakyRelu,
  linear,
  logSoftmax,
  lstm,
  maxPool1d,
  maxPool2d,
  meanOfMembers,
  memberLinear,
  mish,
  monotoneQuantiles,
  network,
  ntkLinear,
  numericEmbedding,
  ops,
  parametricActivation,
  positions,
  ragged,
  relu,
  relu6,
  reshape,
  residual,
  rmsNorm,
  rnn,
  scale,
  selu,
  sequential,
  sigmoid,
  silu,
  smoothClip,
  softmax,
  softplus,
  spatialDropout,
  spec,
  tanh,
  transformerBlock,
} from "carillon";

/** An input of rows: floats, integers below a bound, bytes, or lists of such integers. */
export type InputKind =
  | { readonly kind: "f32" }
  | { readonly kind: "i32"; readonly below: number | readonly number[]; readonly least?: number }
  | { readonly kind: "u8" }
  | { readonly kind: "lists"; readonly below: number };

export interface Architecture {
  readonly name: string;
  readonly model: AnyModel;
  /** In the order of the model's inputs. */
  readonly inputs: readonly InputKind[];
}

/** Draws from a seed: a counter through a mix of its bits (splitmix of 32 bits), the same everywhere. */
export class Draws {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b;
  }

  /** [0, 1) */
  share(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 4_294_967_296;
  }

  /** An integer of [low, high]. */
  between(low: number, high: number): number {
    return low + Math.floor(this.share() * (high - low + 1));
  }

  oneOf<T>(values: readonly T[]): T {
    return values[this.between(0, values.length - 1)] as T; // of some
  }

  flag(): boolean {
    return this.share() < 0.5;
  }
}

const ACTIVATIONS: readonly (() => Layer)[] = [
  ...[relu, relu6, tanh, sigmoid, softplus, silu, mish, selu, hardTanh, hardSigmoid, hardSilu],
  () => gelu(),
  () => gelu({ approximate: "tanh" }),
  () => leakyRelu(),
  () => leakyRelu({ slope: 0.2 }),
  () => elu(),
  () => elu({ alpha: 0.5 }),
  ...[softmax, logSoftmax],
];

/** A norm of features, or none. */
function normOf(draws: Draws, size: number): readonly Layer[] {
  const groups = [4, 3, 2].find((each) => size % each === 0) ?? 1;
  return draws.oneOf<readonly Layer[]>([
    [],
    [batchNorm(size)],
    [batchNorm(size, { affine: false, epsilon: 1e-3 })],
    [layerNorm(size)],
    [layerNorm(size, { affine: false })],
    [rmsNorm(size)],
    [groupNorm(size, groups)],
  ]);
}

const dropOf = (draws: Draws): readonly Layer[] =>
  draws.oneOf<readonly Layer[]>([[], [dropout(0.3)], [alphaDropout(0.1)], [gaussianDropout(0.2)]]);

/** Ends of networks of values. */
function endOf(draws: Draws, size: number): readonly Layer[] {
  return draws.oneOf<readonly Layer[]>([
    [],
    [softmax()],
    [logSoftmax()],
    [clampOutput({ low: -0.3, high: 0.4 })],
    [smoothClip({ limit: 1 })],
    ...(size % 3 === 0 ? [[monotoneQuantiles(3)]] : []),
  ]);
}

function dense(draws: Draws): Architecture {
  let size = draws.between(1, 12);
  const layers: Layer[] = draws.flag() ? [scale(size)] : [];
  for (let depth = draws.between(1, 4); depth > 0; depth--) {
    const next = draws.between(2, 16);
    const make = draws.oneOf<(inputs: number, outputs: number) => Layer>([
      (inputs, outputs) => linear(inputs, outputs),
      (inputs, outputs) => linear(inputs, outputs, { bias: false }),
      (inputs, outputs) => ntkLinear(inputs, outputs),
    ]);
    layers.push(make(size, next), ...normOf(draws, next), draws.oneOf(ACTIVATIONS)(), ...dropOf(draws));
    if (draws.flag()) layers.push(parametricActivation(next, mish()));
    size = next;
  }
  const block = draws.between(0, 3);
  if (block === 1) layers.push(residual(linear(size, size + 2), relu(), linear(size + 2, size)));
  if (block === 2) layers.push(residual({ project: true }, linear(size, 7), tanh()));
  if (block === 3) layers.push(concat(linear(size, 3), sequential(linear(size, 4), relu()), tanh()));
  if (block === 2) size = 7;
  if (block === 3) size += 7;
  const outputs = draws.between(1, 6);
  layers.push(linear(size, outputs), ...endOf(draws, outputs));
  return { name: "dense", model: sequential(...layers), inputs: [{ kind: "f32" }] };
}

function imagesOf(draws: Draws): Architecture {
  let [height, width, channels] = [draws.between(9, 14), draws.between(9, 14), draws.between(1, 4)];
  const isBytes = draws.flag();
  const layers: Layer[] = [];
  const input = [height, width, channels];
  if (isBytes) {
    layers.push(images({ height, width, channels, augment: { crop: 8 }, normalize: { mean: 0.4, std: 0.3 } }));
    [height, width] = [8, 8];
  }
  for (let depth = draws.between(1, 3); depth > 0; depth--) {
    const groups = draws.flag() ? channels : 1;
    const outputs = groups * draws.between(1, 4);
    const kernel = draws.oneOf<number | readonly [number, number]>([1, 2, 3, [3, 2]]);
    const padding = draws.oneOf<"valid" | "same" | number | readonly [number, number]>(["same", "valid", 1, [1, 0]]);
    const isSame = padding === "same";
    const stride = isSame ? draws.oneOf([1, 2]) : 1;
    const dilation = !isSame && Math.min(height, width) > 6 ? draws.oneOf([1, 2]) : 1;
    if (Math.min(height, width) < 6 && !isSame) break;
    layers.push(conv2d(channels, outputs, { kernel, padding, stride, dilation, groups, bias: draws.flag() }));
    layers.push(...normOf(draws, outputs), draws.oneOf(ACTIVATIONS.slice(0, -2))());
    const taps = typeof kernel === "number" ? [kernel, kernel] : kernel;
    const pads = typeof padding === "number" ? [padding, padding] : typeof padding === "string" ? [0, 0] : padding;
    [height = 1, width = 1] = [height, width].map((size, axis) =>
      isSame ? Math.ceil(size / stride) : size + 2 * (pads[axis] ?? 0) - ((taps[axis] ?? 1) - 1) * dilation,
    );
    channels = outputs;
    if (Math.min(height, width) >= 4 && draws.flag()) {
      const same = draws.flag();
      const pool = draws.oneOf<() => Layer>([
        () => maxPool2d(2),
        () => maxPool2d(3, { stride: 2, padding: same ? "same" : 1 }),
        () => averagePool2d(2, { stride: 1 }),
        () => averagePool2d(3, { stride: 2, padding: 1, countPadding: same }),
        () => averagePool2d([2, 3], { padding: "same", countPadding: same }),
      ]);
      const made = pool();
      const shape = sequential({ input: [height, width, channels] }, made).outputs;
      [height = 1, width = 1] = Array.isArray(shape) ? shape.map(Number) : [1, 1];
      layers.push(made);
    }
    if (draws.flag()) layers.push(spatialDropout(0.2));
  }
  const head = draws.between(0, 3);
  if (head === 0) layers.push(flatten(), linear(height * width * channels, 5));
  if (head === 1) layers.push(globalAveragePool(), linear(channels, 4), softmax());
  if (head === 2) layers.push(globalMaxPool(), linear(channels, 3));
  if (head === 3) {
    layers.push(
      convTransposed2d(
        channels,
        3,
        draws.oneOf([
          { kernel: 3, stride: 2, padding: 1, outputPadding: 1 },
          { kernel: 2, stride: 2 },
          { kernel: 3, padding: "same" as const },
        ]),
      ),
      tanh(),
    );
  }
  const model = isBytes ? sequential(...layers) : sequential({ input }, ...layers);
  return { name: "images", model, inputs: [{ kind: isBytes ? "u8" : "f32" }] };
}

function series(draws: Draws): Architecture {
  const time = draws.between(6, 12);
  let channels = draws.between(1, 5);
  const layers: Layer[] = [];
  const input = [time, channels];
  for (let depth = draws.between(1, 3); depth > 0; depth--) {
    const outputs = draws.between(2, 6);
    const padding = draws.oneOf<"same" | "causal" | number>(["same", "causal", 1]);
    const kernel = padding === 1 ? 3 : draws.between(1, 3);
    const dilation = padding === "causal" ? draws.between(1, 2) : 1;
    layers.push(conv1d(channels, outputs, { kernel, padding, dilation, bias: draws.flag() }));
    layers.push(...normOf(draws, outputs), draws.oneOf(ACTIVATIONS.slice(0, -2))());
    channels = outputs;
  }
  const end = draws.between(0, 3);
  if (end === 0) layers.push(maxPool1d(2, { padding: "same" }), flatten(), linear(Math.ceil(time / 2) * channels, 2));
  if (end === 1) layers.push(averagePool1d(3, { stride: 2, padding: 1 }), globalMaxPool());
  if (end === 2) layers.push(globalAveragePool(), linear(channels, 2));
  if (end === 3) layers.push(linear(channels, 3));
  return { name: "series", model: sequential({ input }, ...layers), inputs: [{ kind: "f32" }] };
}

function recurrentLayer(draws: Draws, inputs: number, hidden: number, sequences: boolean): Layer {
  const options = {
    sequences,
    layers: draws.between(1, 2),
    bidirectional: draws.flag(),
    bias: draws.share() < 0.8,
    preset: draws.oneOf([undefined, "pytorch", "keras"] as const),
  };
  const kind = draws.between(0, 3);
  if (kind === 0) return lstm(inputs, hidden, options);
  if (kind === 1) return gru(inputs, hidden, options);
  const { preset } = options;
  if (kind === 2)
    return gru(inputs, hidden, { ...options, preset: preset === "pytorch" ? undefined : preset, resetAfter: false });
  return rnn(inputs, hidden, { ...options, activation: draws.oneOf(["tanh", "relu"] as const) });
}

function recurrent(draws: Draws): Architecture {
  const [time, inputs, hidden] = [draws.between(1, 7), draws.between(1, 5), draws.between(1, 6)];
  const isMeasured = draws.flag();
  const sequences = draws.flag();
  const layer = recurrentLayer(draws, inputs, hidden, sequences);
  const width = Number(sequential({ input: [time, inputs] }, layer).rows.outputs[0]?.shape.at(-1));
  const head = linear(width, 2);
  if (!isMeasured) {
    const all = sequences && draws.flag() ? [layer, globalMaxPool(), head] : [layer, head];
    return { name: "recurrent", model: sequential({ input: [time, inputs] }, ...all), inputs: [{ kind: "f32" }] };
  }
  const pool = draws.oneOf([globalAveragePool(), globalMaxPool()]);
  const model = network({
    inputs: { x: spec(["batch", time, inputs]), lengths: spec(["batch"], "i32") },
    layers: { layer, pool, head },
    forward: ({ x, lengths }, { layer: step, pool: over, head: last }) => {
      const y = step(ops.sequence(x, lengths));
      return last(sequences ? over(y) : y);
    },
  });
  return { name: "lengths", model, inputs: [{ kind: "f32" }, { kind: "i32", least: 1, below: time + 1 }] };
}

function transformer(draws: Draws): Architecture {
  const heads = draws.oneOf([1, 2, 4]);
  const size = heads * 2 * draws.between(1, 3);
  const [time, vocabulary] = [draws.between(1, 8), draws.between(3, 20)];
  const keyValueHeads = heads % 2 === 0 && draws.flag() ? heads / 2 : heads;
  const block = (): Layer =>
    transformerBlock<number, number>(size, heads, {
      causal: draws.flag(),
      rotary: draws.flag(),
      keyValueHeads,
      norm: draws.oneOf(["pre", "post"] as const),
      activation: draws.oneOf(["gelu", "relu", "silu"] as const),
      feedForward: draws.between(2, 9),
      bias: draws.flag(),
    });
  const place = positions(draws.oneOf(["sinusoidal", "learned"] as const), { time: time + draws.between(0, 2), size });
  if (draws.flag()) {
    const model = network({
      inputs: { tokens: spec(["batch", time], "i32"), lengths: spec(["batch"], "i32") },
      layers: {
        table: embedding(vocabulary, size),
        place,
        block: block(),
        mean: globalAveragePool(),
        head: linear(size, 3),
      },
      forward: ({ tokens, lengths }, layers) =>
        layers.head(layers.mean(layers.block(layers.place(ops.sequence(layers.table(tokens), lengths))))),
    });
    return {
      name: "sequences",
      model,
      inputs: [
        { kind: "i32", below: vocabulary },
        { kind: "i32", least: 0, below: time + 1 },
      ],
    };
  }
  const layers = [embedding(vocabulary, size), place, block(), block(), rmsNorm(size), linear(size, vocabulary)];
  const model = sequential({ input: spec(["batch", time], "i32") }, ...layers);
  return { name: "transformer", model, inputs: [{ kind: "i32", below: vocabulary }] };
}

function crossing(draws: Draws): Architecture {
  const [time, keys, size] = [draws.between(1, 5), draws.between(1, 6), 4];
  const model = network({
    inputs: { x: spec(["batch", time, size]), memory: spec(["batch", keys, size]) },
    layers: { look: attention(size, 2), norm: layerNorm(size) },
    forward: ({ x, memory }, { look, norm }) => ({ seen: look(ops.attendTo(x, norm(memory))), same: norm(x) }),
  });
  return { name: "memory", model, inputs: [{ kind: "f32" }, { kind: "f32" }] };
}

function tables(draws: Draws): Architecture {
  const [count, size, width] = [draws.between(2, 12), draws.between(1, 5), draws.between(1, 4)];
  const mode = draws.oneOf(["sum", "mean", "sqrtn"] as const);
  const padding = draws.flag() ? draws.between(0, count - 1) : undefined;
  const kind = draws.between(0, 3);
  if (kind === 0) {
    const model = sequential({ input: ragged("i32") }, embeddingBag(count, size, { mode, padding }), linear(size, 2));
    return { name: "lists", model, inputs: [{ kind: "lists", below: count }] };
  }
  if (kind === 1) {
    const layers = [embeddingBag(count, size, { mode, padding }), linear(size, 2)];
    const model = sequential({ input: spec(["batch", width], "i32") }, ...layers);
    return { name: "bags", model, inputs: [{ kind: "i32", least: -1, below: count }] };
  }
  if (kind === 2) {
    const options = draws.flag() ? { maxNorm: 0.5, preset: "pytorch" as const } : {};
    const layers = [embedding(count, size, { padding, ...options }), flatten(), linear(width * size, 2)];
    const model = sequential({ input: spec(["batch", width], "i32") }, ...layers);
    return { name: "table", model, inputs: [{ kind: "i32", below: count }] };
  }
  const counts = Array.from({ length: width }, () => draws.between(1, 6));
  const model = network({
    inputs: { numbers: spec(["batch", 3]), codes: spec(["batch", width], "i32") },
    layers: { codes: categoryEmbedding(counts, size), head: linear(3 + width * size, 2) },
    forward: ({ numbers, codes }, layers) => layers.head(ops.concat([numbers, layers.codes(codes)])),
  });
  return { name: "categories", model, inputs: [{ kind: "f32" }, { kind: "i32", below: counts }] };
}

function columns(draws: Draws): Architecture {
  const inputs = draws.between(1, 5);
  const size = draws.between(2, 4);
  const edges = Array.from({ length: inputs }, (_, at) => [-1, -0.2 * at - 0.1, 0.4, 1.5].slice(0, 2 + (at % 3)));
  const embed = draws.oneOf<() => Layer>([
    () => numericEmbedding(inputs, { form: "pbld", size, frequencies: 5 }),
    () => numericEmbedding(inputs, { form: "plr", size, frequencies: 4 }),
    () => numericEmbedding(inputs, { form: "ple", size, edges }),
  ]);
  const [members, hidden] = [draws.between(1, 4), draws.between(2, 6)];
  const outputs = draws.between(1, 3);
  const of = draws.oneOf(["classes", "labels", "values"] as const);
  const model = sequential(
    embed(),
    batchEnsemble(inputs * size, hidden, { members }),
    draws.oneOf(ACTIVATIONS.slice(0, -2))(),
    batchEnsemble(hidden, hidden, { members, bias: false }),
    memberLinear(hidden, outputs, { members }),
    meanOfMembers({ of }),
  );
  return { name: "columns", model, inputs: [{ kind: "f32" }] };
}

/** Operations that layers alone do not use. */
function operations(draws: Draws): Architecture {
  const size = draws.between(2, 6);
  const kind = draws.between(0, 5);
  const model = network({
    inputs: { a: spec(["batch", size]), b: spec(["batch", size]) },
    layers: { head: linear(size, size) },
    forward: ({ a, b }, { head }) => {
      const y = head(a);
      switch (kind) {
        case 0:
          return ops.where(ops.greater(y, b), ops.maximum(y, 0.1), ops.minimum(b, ops.square(y)));
        case 1:
          return ops.divide(ops.expm1(y), ops.add(ops.log1p(ops.absolute(b)), 1));
        case 2:
          return ops.concat([
            ops.max(y, { axis: -1, keepDims: true }),
            ops.min(b, { axis: -1, keepDims: true }),
            ops.sin(y),
          ]);
        case 3: {
          const pairs = ops.matmul(ops.reshape(y, ["batch", size, 1]), ops.reshape(b, ["batch", 1, size]));
          return { pairs, turned: ops.transpose(pairs), mean: ops.mean(pairs, { axis: [1, 2] }) };
        }
        case 4:
          return ops.multiply(ops.oneHot(ops.argmax(y), size), ops.sqrt(ops.absolute(b)));
        default:
          return ops.pad(ops.slice(ops.multiply(ops.sign(y), ops.erf(b)), 1), 1, 2);
      }
    },
  });
  return { name: `operations${kind}`, model, inputs: [{ kind: "f32" }, { kind: "f32" }] };
}

function mixed(draws: Draws): Architecture {
  const size = draws.between(4, 8);
  const model = network({
    inputs: { picture: bytes([size, size, 1]), numbers: spec(["batch", 2]) },
    layers: {
      see: sequential(
        { input: [size, size, 1] },
        conv2d(1, 3, { kernel: 3, bias: false }),
        batchNorm(3),
        relu(),
        globalAveragePool(),
      ),
      head: linear(5, 2),
      values: linear(5, 1),
    },
    forward: ({ picture, numbers }, { see, head, values }) => {
      const both = ops.concat([see(ops.divide(picture, 255)), numbers]);
      return { classes: head(both), value: values(both) };
    },
  });
  return { name: "mixed", model, inputs: [{ kind: "u8" }, { kind: "f32" }] };
}

function shapes(draws: Draws): Architecture {
  const [a, b] = [draws.between(2, 3), draws.between(2, 4)];
  const model = sequential(
    linear(3, a * b * 2),
    reshape([a, b, 2]),
    conv2d(2, 2, { kernel: 1 }),
    batchNorm(2),
    relu(),
    flatten(),
    linear(a * b * 2, 2),
  );
  return { name: "shapes", model, inputs: [{ kind: "f32" }] };
}

const FAMILIES: readonly ((draws: Draws) => Architecture)[] = [
  ...[dense, imagesOf, recurrent, transformer, dense, series, tables, columns, imagesOf, recurrent],
  ...[operations, dense, transformer, crossing, mixed, shapes],
];

/** How many there are. */
export const ARCHITECTURES = 240;

/** The architecture of a number, with weights of its own, and figures of norms as a training leaves them. */
export function architecture(number: number): Architecture {
  const draws = new Draws(number + 1);
  const make = FAMILIES[number % FAMILIES.length] ?? dense;
  const made = make(draws);
  made.model.initialize(number);
  const weights = new Map(made.model.weights());
  for (const [name, tensor] of weights) {
    if (/(?:mean|scale|shift|bias|Bias)$/.test(name))
      for (let at = 0; at < tensor.data.length; at++) tensor.data[at] = (tensor.data[at] ?? 0) + draws.share() - 0.4;
    if (/variance$/.test(name)) for (let at = 0; at < tensor.data.length; at++) tensor.data[at] = 0.3 + draws.share();
    if (/table/.test(name) && /\.low$|\.high$/.test(name)) weights.set(name, tensor);
  }
  made.model.setWeights(weights);
  return made;
}

/** Rows of an input, in the form of `predict`, and the arrays of a file's inputs. */
export interface DrawnInput {
  readonly rows: unknown;
  readonly arrays: Readonly<
    Record<string, { readonly data: Float32Array | Int32Array | Uint8Array; readonly dims: readonly number[] }>
  >;
}

/** So many rows of an input of a model. */
export function drawnInput(draws: Draws, { model, inputs }: Architecture, at: number, rows: number): DrawnInput {
  const spec = model.rows.inputs[at];
  const kind = inputs[at];
  if (spec === undefined || kind === undefined) throw new Error("no such input");
  const dims = [rows, ...spec.shape];
  const count = dims.reduce((product, size) => product * size, 1);
  const { name } = spec;
  if (kind.kind === "lists") {
    const lengths = Array.from({ length: rows }, () => draws.between(0, 4));
    const offsets = Int32Array.from([
      0,
      ...lengths.map((_, row) => lengths.slice(0, row + 1).reduce((sum, each) => sum + each, 0)),
    ]);
    const ids = Int32Array.from({ length: offsets[rows] ?? 0 }, () => draws.between(0, kind.below - 1));
    return {
      rows: { offsets, ids },
      arrays: {
        [name]: { data: ids, dims: [ids.length] },
        [`${name}.ends`]: { data: offsets.slice(1), dims: [rows] },
      },
    };
  }
  const value = (place: number): number => {
    if (kind.kind === "f32") return Math.fround(4 * draws.share() - 2);
    if (kind.kind === "u8") return draws.between(0, 255);
    const below = typeof kind.below === "number" ? kind.below : (kind.below[place % kind.below.length] ?? 1);
    return draws.between(kind.least ?? 0, below - 1);
  };
  const values = Array.from({ length: count }, (_, place) => value(place));
  const data =
    kind.kind === "f32"
      ? Float32Array.from(values)
      : kind.kind === "u8"
        ? Uint8Array.from(values)
        : Int32Array.from(values);
  return { rows: { data, shape: dims }, arrays: { [name]: { data, dims } } };
}
