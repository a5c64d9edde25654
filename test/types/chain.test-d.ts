// Sizes of a chain of layers, checked by the compiler: `tsc -p test/types`. A line under @ts-expect-error must not compile.
import type { Agree, Chained, First, Last, Sized } from "../../lib/nn/structure/chain.js";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the type argument is exactly `true`. */
declare function holds<T extends true>(): T;

declare function linear<const In extends number, const Out extends number>(inputs: In, outputs: Out): Sized<In, Out>;
declare function relu(): Sized<number, "same">;
declare function batchNorm<const Size extends number>(size: Size): Sized<Size, "same">;
declare function sequential<const L extends readonly Sized[]>(...layers: Chained<L>): Sized<First<L>, Last<L>>;

// What fits compiles, and the whole chain is a layer of its own sizes.
const net = sequential(linear(64, 128), relu(), linear(128, 10));
holds<Equal<typeof net, Sized<64, 10>>>();
const nested = sequential(relu(), net, relu(), batchNorm(10), linear(10, 3), relu());
holds<Equal<typeof nested, Sized<64, 3>>>();
const through = sequential(relu(), relu());
holds<Equal<typeof through, Sized<number, "same">>>();
const normed = sequential(batchNorm(7), relu());
holds<Equal<typeof normed, Sized<7, 7>>>();
const empty = sequential();
holds<Equal<typeof empty, Sized<number, "same">>>();

// The sentence stands at the argument at fault.
type Wrong = [Sized<64, 256>, Sized<number, "same">, Sized<128, 10>];
holds<
  Equal<Chained<Wrong>, [Sized<64, 256>, Sized<number, "same">, "layer 3 takes 128 features, but layer 1 gives 256"]>
>();
sequential(
  linear(64, 256),
  relu(),
  // @ts-expect-error layer 3 takes 128 features, but layer 1 gives 256
  linear(128, 10),
);
sequential(
  linear(64, 256),
  relu(),
  // @ts-expect-error layer 3 takes 128 features, but layer 1 gives 256
  batchNorm(128),
  linear(128, 10),
);
sequential(
  linear(64, 32),
  // @ts-expect-error layer 2 takes 64 features, but layer 1 gives 32
  net,
  // what comes after the first misfit is not checked
  linear(5, 5),
);

// Sizes known only at run time are left to the run time.
declare const width: number;
const late = sequential(linear(64, width), linear(32, 10));
holds<Equal<typeof late, Sized<64, 10>>>();
const open = sequential(linear(width, 10));
holds<Equal<typeof open, Sized<number, 10>>>();
declare const layers: Sized[];
const listed = sequential(...layers);
holds<Equal<typeof listed, Sized<number, number | "same">>>();
declare const any: Sized;
const unknown = sequential(linear(64, 128), any, linear(5, 10));
holds<Equal<typeof unknown, Sized<64, 10>>>();

holds<Equal<Agree<1, 2>, false>>();
holds<Equal<Agree<1, 1>, true>>();
holds<Equal<Agree<1 | 2, 2>, true>>();
holds<Equal<Agree<number, 2>, true>>();
holds<Equal<Agree<2, number>, true>>();

// Depth: 200 layers, so the recursion is a tail recursion.
type Repeat<T, N extends number, Done extends T[] = []> = Done["length"] extends N ? Done : Repeat<T, N, [...Done, T]>;
type Deep = Repeat<Sized<8, 8>, 200>;
holds<Equal<Chained<Deep>, Deep>>();
holds<Equal<First<Deep>, 8>>();
holds<Equal<Last<Deep>, 8>>();
type DeepWrong = [...Deep, Sized<9, 8>];
holds<Equal<Chained<DeepWrong>, [...Deep, "layer 201 takes 9 features, but layer 200 gives 8"]>>();
