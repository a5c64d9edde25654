// The steps of the suite `tabular`: RealMLP-TD-S and RealMLP-TD, for classes and for values.
import {
  adam,
  adamw,
  crossEntropy,
  dropout,
  flatCosine,
  type Layer,
  type Loss,
  logCosine,
  mish,
  mse,
  ntkLinear,
  numericEmbedding,
  type Optimizer,
  parametricActivation,
  scale,
  selu,
  sequential,
  smoothClip,
} from "../../lib/index.js";
import { parametersOf, stepFlops } from "../roofline.js";

export interface TabularCase {
  readonly network: "RealMLP-TD-S" | "RealMLP-TD";
  readonly target: "classes" | "values";
}

export const COLUMNS = 14;
export const ROWS = 20_000;
export const BATCH = 256;
const HIDDEN = [256, 256, 256];

export const CASES: readonly TabularCase[] = [
  { network: "RealMLP-TD-S", target: "classes" },
  { network: "RealMLP-TD-S", target: "values" },
  { network: "RealMLP-TD", target: "classes" },
  { network: "RealMLP-TD", target: "values" },
];

/** What `--only` looks at. */
export const titleOf = ({ network, target }: TabularCase): string => `${network}, ${target}`;

const isLarge = ({ network }: TabularCase): boolean => network === "RealMLP-TD";
const outputsOf = ({ target }: TabularCase): number => (target === "classes" ? 2 : 1);

/** Of the numbers that a column becomes, with itself. */
const EMBEDDED = 4;
const FREQUENCIES = 16;

/** Inputs, hidden widths, outputs. */
const sizesOf = (of: TabularCase): readonly number[] => [
  isLarge(of) ? COLUMNS * EMBEDDED : COLUMNS,
  ...HIDDEN,
  outputsOf(of),
];

/** Operations of the products of a step, and parameters: what numbers become has gradients where it is learned. */
export function workOf(of: TabularCase): { readonly flops: number; readonly parameters: number } {
  const sizes = sizesOf(of);
  const [features = 0, units = 0] = sizes;
  const [flops, parameters] = [stepFlops(sizes, BATCH), parametersOf(sizes)];
  if (!isLarge(of)) return { flops, parameters };
  const mixed = COLUMNS * FREQUENCIES * (EMBEDDED - 1);
  return { flops: flops + 2 * BATCH * (features * units + 3 * mixed), parameters: parameters + mixed };
}

const SLOW = { rateFactor: 0.1, decayFactor: 0.1 } as const;
const BIAS = { biasRateFactor: 0.1 } as const;

function modelOf(of: TabularCase) {
  const large = isLarge(of);
  const activation = of.target === "classes" ? selu : mish;
  const [features = 0, ...widths] = sizesOf(of);
  const outputs = widths.pop() ?? 1;
  const layers: Layer[] = [scale(features, { rateFactor: 6, decayFactor: large ? 6 : 0 })];
  let taken = features;
  for (const units of widths) {
    layers.push(ntkLinear(taken, units, BIAS));
    if (large) layers.push(parametricActivation(units, activation(), SLOW), dropout({ rate: 0.15, fade: 0.5 }));
    else layers.push(activation());
    taken = units;
  }
  layers.push(ntkLinear(taken, outputs, large ? BIAS : { ...BIAS, init: 0, biasInit: 0 }));
  const front: Layer[] = large ? [smoothClip(), numericEmbedding(COLUMNS, SLOW)] : [smoothClip()];
  return sequential({ input: [COLUMNS] }, ...([...front, ...layers] as [Layer, ...Layer[]]));
}

const lossOf = ({ target }: TabularCase): Loss =>
  target === "classes" ? crossEntropy({ labelSmoothing: 0.1 }) : mse();

function optimizerOf(of: TabularCase): Optimizer {
  const high = isLarge(of) ? 0.2 : 0.07;
  const lr = logCosine({ lr: of.target === "classes" ? 0.04 : high });
  if (!isLarge(of)) return adam({ lr, beta2: 0.95 });
  return adamw({ lr, beta2: 0.95, weightDecay: flatCosine({ value: 0.02 }) });
}

/** Numbers in [0, 1) that need no quality: a multiplicative generator modulo 2³¹ − 1. */
function generator(): () => number {
  let state = 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Columns around 0, as a robust scale leaves them, and a target that products of them tell. */
function examplesOf(of: TabularCase) {
  const draw = generator();
  const x = Float32Array.from({ length: ROWS * COLUMNS }, () => 2 * draw() - 1);
  const told = Float32Array.from({ length: ROWS }, (_, row) => {
    const at = (column: number): number => x[row * COLUMNS + column] ?? 0;
    return at(0) * at(1) + at(2) * at(3) + 0.5 * at(4) + 0.2 * (draw() - 0.5);
  });
  return of.target === "classes" ? { x, y: Int32Array.from(told, (value) => (value > 0 ? 1 : 0)) } : { x, y: told };
}

/** What a run of a case is made of, new. */
export const made = (of: TabularCase) => ({
  model: modelOf(of),
  loss: lossOf(of),
  optimizer: optimizerOf(of),
  examples: examplesOf(of),
});
