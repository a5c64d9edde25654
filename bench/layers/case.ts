// What a row of the suite `layers` is: a network with one kind of layer, and what a step of it costs at least.
import type { Asked } from "../train/peers.js";

/** A network with its examples, of which a step takes a batch. */
export interface LayerCase {
  readonly name: string;
  readonly batch: number;
  /** Multiply-adds of a step count two. */
  readonly flops: number;
  /** Parameters, which Adam goes through. */
  readonly parameters: number;
  /** Bytes that the products of a step read and write besides: what goes into each and what comes out. */
  readonly bytes: number;
  /** µs a step with so many threads, measured for about so many seconds. */
  readonly measure: (threads: number, seconds: number) => Promise<number>;
  /** Whether it is one of the single convolutions, of which a summary tells by themselves. */
  readonly single?: true | undefined;
  /** What the peer is told. */
  readonly asked: Asked;
  /** How many times faster than the best setting of the peer it is to be at least. */
  readonly asks: number;
}
