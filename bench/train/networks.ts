// The networks of the suite `train`, and the examples that they are trained on.
import { batchNorm, dropout, type Layer, layerNorm, linear, type Model, relu, sequential } from "../../lib/index.js";
import type { SuiteOptions } from "../report.js";
import type { Asked } from "./peers.js";

export interface Network {
  /** Inputs, hidden widths, classes. */
  readonly sizes: readonly number[];
  readonly batch: number;
  /** In front of every hidden relu, in the place of dropout behind it. */
  readonly norm?: "batch" | "layer" | undefined;
}

export const NETWORKS: readonly Network[] = [
  { sizes: [32, 64, 64, 2], batch: 32 },
  { sizes: [784, 256, 10], batch: 32 },
  { sizes: [784, 256, 10], batch: 128 },
  { sizes: [784, 512, 512, 10], batch: 128 },
  { sizes: [784, 1024, 1024, 10], batch: 512 },
  { sizes: [100, 128, 64, 2], batch: 256 },
  { sizes: [128, 512, 512, 10], batch: 128, norm: "batch" },
  { sizes: [128, 512, 512, 10], batch: 128, norm: "layer" },
];

/** A network as peers are told of it. */
export const askedOf = ({ sizes, norm, batch }: Network): Asked => ({ network: sizes, norm, batch });

/** The networks of a suite that `--only` and `--quick` leave; quickly the first one, which is the smallest. */
export function chosenOf(
  networks: readonly Network[],
  { only, quick }: Pick<SuiteOptions, "only" | "quick">,
): Network[] {
  const wanted = networks.filter((network) => only?.test(titleOf(network)) ?? true);
  return quick ? wanted.slice(0, 1) : wanted;
}

/** The widths of the layers, joined, and the normalization: `784-256-10`, `784-256-10 batch norm`. */
export function nameOf({ sizes, norm }: Network): string {
  return `${sizes.join("-")}${norm === undefined ? "" : ` ${norm} norm`}`;
}

/** What `--only` looks at: `784-256-10 at 32`. */
export function titleOf(network: Network): string {
  return `${nameOf(network)} at ${network.batch}`;
}

/** Dense layers; relu and dropout 0.5 behind every hidden one, or normalization and relu. */
export function modelOf({ sizes, norm }: Pick<Network, "sizes" | "norm">): Model {
  const layers = sizes.slice(1).flatMap((width, index): Layer[] => {
    const dense = linear(sizes[index] ?? 0, width);
    if (index + 2 === sizes.length) return [dense];
    if (norm === undefined) return [dense, relu(), dropout(0.5)];
    return [dense, norm === "batch" ? batchNorm(width) : layerNorm(width), relu()];
  });
  return sequential(...(layers as [Layer, ...Layer[]]));
}

export const EXAMPLES = 4096;

/** Numbers in [0, 1) that need no quality: a multiplicative generator modulo 2³¹ − 1. */
function generator(): () => number {
  let state = 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/**
 * x: [EXAMPLES, inputs], y: [EXAMPLES]. Noise in [0, 1), and 0.5 more at every feature whose index modulo `classes` is the
 * label. A quarter of the labels is drawn again, so that the loss stays away from 0 and gradients from denormal numbers.
 * The peers make theirs by the same rule (bench/peers/).
 */
export function examplesOf(inputs: number, classes: number): { readonly x: Float32Array; readonly y: Int32Array } {
  const draw = generator();
  const x = new Float32Array(EXAMPLES * inputs);
  const y = new Int32Array(EXAMPLES);
  for (let row = 0; row < EXAMPLES; row++) {
    const label = Math.floor(draw() * classes);
    for (let column = 0; column < inputs; column++) {
      x[row * inputs + column] = draw() + (column % classes === label ? 0.5 : 0);
    }
    y[row] = draw() < 0.25 ? Math.floor(draw() * classes) : label;
  }
  return { x, y };
}
