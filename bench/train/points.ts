// What the suite `scaling` measures.
import type { Network } from "./networks.js";

export const SERIES = ["batch", "width", "depth"] as const;
export type Series = (typeof SERIES)[number];

/** A network and what is varied in it. */
export interface Point {
  readonly series: Series;
  /** Examples a batch, units of the hidden layer, or hidden layers. */
  readonly value: number;
  readonly network: Network;
}

export interface ScalingRow {
  readonly series: Series;
  readonly value: number;
  readonly network: string;
  readonly batch: number;
  readonly threads: number;
  readonly microseconds: number;
  readonly rooflineMicroseconds: number;
}

/** 2^from … 2^to. */
function powers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => 2 ** (from + index));
}

/** Around 784-256-10 at 128. */
export function points(): Point[] {
  // Behind seven layers with dropout 0.5 nothing is learned in the time of a measurement.
  const depths = Array.from({ length: 6 }, (_, index) => index + 1);
  return [
    ...powers(0, 10).map(
      (value): Point => ({ series: "batch", value, network: { sizes: [784, 256, 10], batch: value } }),
    ),
    ...powers(4, 11).map(
      (value): Point => ({ series: "width", value, network: { sizes: [784, value, 10], batch: 128 } }),
    ),
    ...depths.map((value): Point => {
      const hidden = Array.from({ length: value }, () => 256);
      return { series: "depth", value, network: { sizes: [784, ...hidden, 10], batch: 128 } };
    }),
  ];
}
