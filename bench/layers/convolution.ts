// Convolutions: a LeNet, a small residual net, and single ones; cross-entropy, Adam.
import {
  adam,
  batchNorm,
  conv2d,
  crossEntropy,
  dropout,
  fit,
  flatten,
  globalAveragePool,
  type Layer,
  linear,
  type Model,
  maxPool2d,
  relu,
  residual,
  scale,
  sequential,
  tensor,
} from "../../lib/index.js";
import { median } from "../report.js";
import { Clock, stepsOfStretch } from "../train/clock.js";
import type { Asked } from "../train/peers.js";
import type { LayerCase } from "./case.js";

/** A convolution by itself: behind a scale, so that its input has a gradient, and in front of a mean of each channel. */
interface Single {
  readonly size: number;
  readonly channels: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride: number;
  readonly groups: number;
}

interface Case {
  readonly name: string;
  readonly network: "lenet" | "residual" | "convolution";
  readonly input: readonly [number, number, number];
  readonly batch: number;
  readonly single: Single | undefined;
  readonly asks: number;
}

function single(size: number, channels: number, outputs: number, kernel: number, stride = 1, groups = 1): Case {
  const form = `${kernel} × ${kernel}${stride === 1 ? "" : `, stride ${stride}`}${groups === 1 ? "" : ", depthwise"}`;
  return {
    name: `${form}, ${channels} → ${outputs} at ${size} × ${size}`,
    ...{ network: "convolution", input: [size, size, channels], batch: 16 },
    ...{ single: { size, channels, outputs, kernel, stride, groups }, asks: 0.7 },
  };
}

const CASES: readonly Case[] = [
  { name: "LeNet", network: "lenet", input: [28, 28, 1], batch: 64, single: undefined, asks: 4 },
  { name: "residual net", network: "residual", input: [32, 32, 3], batch: 32, single: undefined, asks: 1.6 },
  single(32, 16, 16, 1),
  single(16, 64, 64, 1),
  single(8, 256, 64, 1),
  single(8, 64, 256, 1),
  single(32, 8, 8, 3),
  single(32, 16, 16, 3),
  single(32, 16, 32, 3),
  single(16, 32, 32, 3),
  single(16, 64, 64, 3),
  single(8, 64, 64, 3),
  single(8, 128, 128, 3),
  single(8, 256, 256, 3),
  single(28, 8, 16, 5),
  single(16, 16, 32, 5),
  single(16, 32, 64, 5),
  single(32, 16, 32, 3, 2),
  single(16, 64, 128, 3, 2),
  single(16, 64, 128, 1, 2),
  single(32, 32, 32, 3, 1, 32),
  single(16, 128, 128, 3, 1, 128),
];

const CLASSES = 10;

/** Batches of examples. */
const BATCHES = 4;

/** What a peer is told. */
const askedOf = ({ network, input, batch, single: one }: Case): Asked => ({
  ...{ network, input, batch },
  ...(one === undefined ? {} : { single: one }),
});

const block = (channels: number): Layer => {
  const convolution = conv2d(channels, channels, { kernel: 3, padding: "same", bias: false });
  const second = conv2d(channels, channels, { kernel: 3, padding: "same", bias: false });
  return residual(convolution, batchNorm(channels), relu(), second, batchNorm(channels)) as Layer;
};

function singleModel({ channels, outputs, kernel, stride, groups }: Single, input: Case["input"]): Model {
  const convolution = conv2d(channels, outputs, { kernel, stride, groups, padding: kernel >> 1 });
  return sequential(
    { input },
    scale(channels),
    convolution as Layer,
    globalAveragePool(),
    linear(outputs, CLASSES) as Layer,
  );
}

function modelOf({ network, input, single: one }: Case): Model {
  if (one !== undefined) return singleModel(one, input);
  if (network === "lenet") {
    return sequential(
      { input: [28, 28, 1] },
      ...[conv2d(1, 16, { kernel: 5 }), relu(), maxPool2d(2), conv2d(16, 32, { kernel: 5 }), relu(), maxPool2d(2)],
      ...[flatten(), linear(512, 128), relu(), dropout(0.5), linear(128, CLASSES)],
    );
  }
  return sequential(
    { input: [32, 32, 3] },
    ...[conv2d(3, 16, { kernel: 3, padding: 1 }), block(16), relu(), block(16), relu()],
    ...[conv2d(16, 32, { kernel: 3, stride: 2, padding: 1 }), block(32), relu()],
    ...[
      conv2d(32, 64, { kernel: 3, stride: 2, padding: 1 }),
      block(64),
      relu(),
      globalAveragePool(),
      linear(64, CLASSES),
    ],
  );
}

/** A product of a step: floats of an example that go into it and come out, and its multiply-adds. */
interface Product {
  readonly from: number;
  readonly to: number;
  readonly terms: number;
  /** Whether its input has a gradient. */
  readonly back: boolean;
}

const convolutionOf = (
  size: number,
  places: number,
  channels: number,
  outputs: number,
  kernel: number,
  groups = 1,
) => ({
  ...{ from: size * size * channels, to: places * places * outputs, back: true },
  terms: (places * places * outputs * kernel * kernel * channels) / groups,
});

const dense = (inputs: number, outputs: number): Product => {
  return { from: inputs, to: outputs, terms: inputs * outputs, back: true };
};

/** Convolutions and linear layers of a network. */
function productsOf({ network, single: one }: Case): readonly Product[] {
  if (one !== undefined) {
    const { size, channels, outputs, kernel, stride, groups } = one;
    return [convolutionOf(size, Math.ceil(size / stride), channels, outputs, kernel, groups), dense(outputs, CLASSES)];
  }
  if (network === "lenet") {
    const first = { ...convolutionOf(28, 24, 1, 16, 5), back: false };
    return [first, convolutionOf(12, 8, 16, 32, 5), dense(512, 128), dense(128, CLASSES)];
  }
  const blockOf = (size: number, channels: number): readonly Product[] =>
    Array<Product>(2).fill(convolutionOf(size, size, channels, channels, 3));
  return [
    { ...convolutionOf(32, 32, 3, 16, 3), back: false },
    ...[...blockOf(32, 16), ...blockOf(32, 16), convolutionOf(32, 16, 16, 32, 3)],
    ...[...blockOf(16, 32), convolutionOf(16, 8, 32, 64, 3), ...blockOf(8, 64), dense(64, CLASSES)],
  ];
}

const summed = (products: readonly Product[], of: (product: Product) => number): number =>
  products.reduce((sum, product) => sum + of(product), 0);

/** Floating-point operations of a step: three products a layer, two of one whose input has no gradient; a multiply-add is two. */
const flopsOf = (of: Case): number =>
  2 * of.batch * summed(productsOf(of), ({ terms, back }) => (back ? 3 : 2) * terms);

/** Bytes that these products read and write, each once: x and y; g and x; g and the gradient of x. */
const bytesOf = (of: Case): number =>
  4 * of.batch * summed(productsOf(of), ({ from, to, back }) => (back ? 3 : 2) * (from + to));

/** Noise in [0, 1), and 0.5 more at every pixel whose number modulo the classes is the label. */
function examplesOf({ input, batch }: Case) {
  const rows = BATCHES * batch;
  const size = input.reduce((product, each) => product * each, 1);
  let state = 1;
  const draw = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const y = Int32Array.from({ length: rows }, () => Math.floor(draw() * CLASSES));
  const x = new Float32Array(rows * size);
  for (let at = 0; at < x.length; at++) x[at] = draw() + ((at % size) % CLASSES === y[Math.floor(at / size)] ? 0.5 : 0);
  return { x: tensor(x, [rows, ...input]), y };
}

function caseOf(of: Case): LayerCase {
  let examples: ReturnType<typeof examplesOf> | undefined;
  const guesses = new Map<number, number>();
  const stretches = async (threads: number, every: number, count: number): Promise<readonly number[]> => {
    const clock = new Clock(every, every);
    const own = { batchSize: of.batch, optimizer: adam(), loss: crossEntropy(), threads };
    examples ??= examplesOf(of);
    await fit(modelOf(of), { data: examples, ...own, steps: every * (count + 1), callbacks: [clock] });
    return clock.times;
  };
  const model = modelOf(of);
  model.initialize(0);
  return {
    name: of.name,
    batch: of.batch,
    flops: flopsOf(of),
    bytes: bytesOf(of),
    ...(of.single === undefined ? {} : { single: true }),
    parameters: [...model.weights().values()].reduce((sum, { data }) => sum + data.length, 0),
    asked: askedOf(of),
    asks: of.asks,
    async measure(threads, seconds) {
      const guess = guesses.get(threads) ?? median(await stretches(threads, 2, 2));
      const every = stepsOfStretch(guess);
      const count = Math.max(2, Math.round((seconds * 1e6) / (every * guess)));
      const measured = median(await stretches(threads, every, count));
      guesses.set(threads, measured);
      return measured;
    },
  };
}

/** The rows of convolution. */
export const convolution: readonly LayerCase[] = CASES.map(caseOf);
