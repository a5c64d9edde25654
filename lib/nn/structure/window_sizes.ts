// Places of windows in the compiler: ⌊(size + padding − reach)/stride⌋ + 1 with the arithmetic of tuples.
import type { Length } from "./size_product.js";

/** One number for all axes, or one an axis. */
export type PerAxis = number | readonly number[];

/** Windows as the type of a layer has them. */
export interface WindowTypes {
  readonly kernel: PerAxis;
  readonly stride: PerAxis;
  readonly dilation: PerAxis;
  readonly padding: PerAxis | string;
}

/** A − B, or `never`. */
type Less<A, B> = B extends readonly unknown[] ? (A extends readonly [...B, ...infer Rest] ? Rest : never) : never;

/** ⌈A/B⌉. */
type Divided<A, B, Done extends readonly unknown[] = []> = B extends readonly [unknown]
  ? A
  : A extends readonly []
    ? Done
    : B extends readonly unknown[]
      ? A extends readonly [...B, ...infer Rest]
        ? Divided<Rest, B, [...Done, 0]>
        : [...Done, 0]
      : never;

/** A·B of small numbers. */
type Repeated<A, B, Done extends readonly unknown[] = []> = B extends readonly [unknown, ...infer Rest]
  ? A extends readonly unknown[]
    ? Repeated<A, Rest, [...Done, ...A]>
    : never
  : Done;

/** A − 1. */
type Before<A> = A extends readonly [unknown, ...infer Rest] ? Rest : never;

/** A + 2·B. */
type Padded<A, B> = A extends readonly unknown[] ? (B extends readonly unknown[] ? [...A, ...B, ...B] : never) : never;

/** Places that windows of kernel K, stride S and dilation D have on an axis of N elements with padding P. */
type Places<N, K, S, D, P> = P extends "same" | "causal"
  ? Divided<N, S>
  : Divided<Less<P extends number ? Padded<N, Length<P>> : N, Repeated<D, Before<K>>>, S>;

type Size<A> = [A] extends [never] ? number : A extends { readonly length: infer N extends number } ? N : number;

type At<V, Index> = V extends readonly unknown[] ? (Index extends keyof V ? V[Index] : never) : V;

/** The places of one axis; `number` where something is not known, or nothing fits. */
type Axis<N, K, S, D, P> = number extends N | K | S | D | P
  ? number
  : string extends P
    ? number
    : [N, K, S, D] extends [
          infer A extends number,
          infer B extends number,
          infer C extends number,
          infer E extends number,
        ]
      ? Size<Places<Length<A>, Length<B>, Length<C>, Length<E>, P>>
      : number;

/** Sizes of `Axes` after windows. */
export type Windowed<Axes extends readonly number[], W extends WindowTypes> = {
  readonly [I in keyof Axes]: Axis<
    Axes[I],
    At<W["kernel"], I>,
    At<W["stride"], I>,
    At<W["dilation"], I>,
    At<W["padding"], I>
  >;
};
