import { currentTrace } from "../../lib/graph/trace.js";
import * as ops from "../../lib/ops/index.js";
import { scheduleValue } from "../../lib/ops/sums.js";
import { philox } from "../../lib/tensor/philox.js";
import { type Bound, exact, gamma, sumDepth, U } from "./bounds.js";
import { oneInput } from "./builders.js";
import { apart, floats, type OperationSamples, sample, size } from "./sample.js";

/** Of the only step of a program made by ways.ts. */
const DRAW = { seed: 77, step: 1 } as const;
const SITE = 5;
const PURPOSE = 6;
const KEEP = 0.75;

/** The normals of native/kernels/noise-inl.h, written from its definition: Box and Muller over blocks of 64 elements. */
function normals(count: number): readonly number[] {
  return Array.from({ length: count }, (_, element) => {
    const place = element % 64;
    const block = Math.floor(element / 64) * 16 + (place % 16);
    const words = [...philox([block, DRAW.step, SITE, PURPOSE], [DRAW.seed, 0])];
    const k = Math.floor(place / 16);
    const pair = 2 * Math.floor(k / 2);
    const radius = Math.sqrt(-2 * Math.log(((words[pair] ?? 0) + 1) / 2 ** 32));
    const turn = (2 * Math.PI * (words[pair + 1] ?? 0)) / 2 ** 32;
    return radius * (k % 2 === 0 ? Math.cos(turn) : Math.sin(turn));
  });
}

const DEVIATION = Math.sqrt((1 - KEEP) / KEEP);

/**
 * Of x·(1 + σn): n is at most 6.66·2⁻²³ from its sine or cosine and 3 roundings of the radius off (its logarithm 1 ulp,
 * halved by the root), σ, the sum and the product one rounding each, with |σn| ≤ 6.66σ.
 */
const noisy: Bound = (_y, x = { shape: [], data: [] }) => {
  const normal = 6.66 * 2 * U + 6.66 * 4 * U;
  return x.data.map((value) => Math.abs(value) * (DEVIATION * (normal + 6.66 * U) + 2 * U * (1 + DEVIATION * 6.66)));
};

/** A lane of the trace under way; outside of one, where only shapes are asked, any number. */
function reservedLane(): number {
  try {
    return currentTrace("sample").lane(() => 0.375).first;
  } catch {
    return 0;
  }
}

/** Samples of what was added beside dropout: noise, sums of squares, values of schedules. */
export const drawingSamples: {
  readonly noise: OperationSamples;
  readonly sumSquares: OperationSamples;
  readonly scheduleValue: OperationSamples;
} = {
  noise: [
    {
      apply: (x) => ops.gaussianDropout(x, { keep: KEEP, site: SITE, ...DRAW }),
      reference: ({ data }) => {
        const drawn = normals(data.length);
        return data.map((value, index) => value * (1 + DEVIATION * (drawn[index] ?? 0)));
      },
      error: noisy,
      ...oneInput(apart(0.25, 2)),
      differentiable: [0],
      // The slope 1 + σn is a sum of which each part has its own roundings.
      cancellation: 1 + 6.66 * DEVIATION,
      refusals: [{ inputs: [[[3], "i32"]], code: "ERR_DTYPE", where: "noise" }],
    },
  ],
  sumSquares: [
    {
      apply: ops.sumSquares,
      reference: ({ data }) => [data.reduce((total, value) => total + value * value, 0)],
      // A fused multiply-add a term: one rounding more than a sum.
      error: (_y, x = { shape: [], data: [] }) => [
        gamma(sumDepth(size(x.shape)) + 1) * x.data.reduce((total, value) => total + value * value, 0),
      ],
      ...oneInput(apart(0.25, 2)),
      differentiable: [0],
      refusals: [{ inputs: [[[3], "i32"]], code: "ERR_DTYPE", where: "sumSquares" }],
    },
  ],
  scheduleValue: [
    {
      apply: () => scheduleValue(reservedLane()),
      reference: () => [0.375],
      error: exact,
      samples: [sample([floats([1, 2])]), sample([floats([17, 2])])],
      programOnly: true,
    },
  ],
};
