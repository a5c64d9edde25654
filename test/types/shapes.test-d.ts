// Shapes and elements of a chain of layers, checked by the compiler. A line under @ts-expect-error must not compile.
import {
  averagePool2d,
  concat,
  conv1d,
  conv2d,
  defineLayer,
  flatten,
  globalAveragePool,
  type Layer,
  linear,
  type Model,
  maxPool2d,
  network,
  ops,
  relu,
  reshape,
  residual,
  sequential,
  spec,
  type Value,
} from "carillon";
import type { Chained, Last } from "../../lib/nn/structure/chain.js";
import type { Product } from "../../lib/nn/structure/size_product.js";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the type argument is exactly `true`. */
declare function holds<T extends true>(): T;

/** A pooling of channels: rows of a whole shape. */
declare function pool(): Layer<readonly [28, 28, 1], readonly [14, 14, 8]>;
/** A convolution: channels alone are known. */
declare function convolve<const In extends number, const Out extends number>(
  from: In,
  to: Out,
): Layer<In, { last: Out }>;
declare function embed<const N extends number>(count: number, size: N): Layer<number, { append: N }, "i32">;

// A model knows the shape of its rows; one axis is a number.
const net = sequential({ input: [28, 28, 1] }, flatten(), linear(784, 10));
holds<Equal<typeof net, Model<readonly [28, 28, 1], 10, "f32">>>();
const kept = sequential({ input: [28, 28, 1] }, linear(1, 8), relu());
holds<Equal<typeof kept, Model<readonly [28, 28, 1], readonly [28, 28, 8], "f32">>>();
const plain = sequential({ input: [784] }, linear(784, 10));
holds<Equal<typeof plain, Model<784, 10, "f32">>>();
const pooled = sequential(pool(), flatten(), linear(1568, 10));
holds<Equal<typeof pooled, Model<readonly [28, 28, 1], 10>>>();
const shaped = sequential(linear(8, 12), reshape([3, 4]), linear(4, 2));
holds<Equal<typeof shaped, Model<8, readonly [3, 2], "f32">>>();
const table = sequential({ input: spec(["batch", 5], "i32") }, embed(100, 32), flatten(), linear(160, 1));
holds<Equal<typeof table, Model<5, 1, "i32">>>();

sequential(
  { input: [28, 28, 1] },
  flatten(),
  relu(),
  // @ts-expect-error layer 3 takes 576 features, but layer 1 gives 784
  linear(576, 10),
);
sequential(
  { input: [28, 28, 1] },
  // @ts-expect-error layer 1 takes 784 features, but the input has 1
  linear(784, 10),
);
sequential(
  { input: [28, 14, 1] },
  // @ts-expect-error layer 1 takes [28, 28, 1], but the input has [28, 14, 1]
  pool(),
);
sequential(
  linear(4, 8),
  // @ts-expect-error layer 2 takes i32, but layer 1 gives f32
  embed(10, 4),
);
sequential(
  { input: spec(["batch", 8], "i32") },
  // @ts-expect-error layer 1 takes f32, but the input has i32
  linear(8, 2),
);
// Elements pass through what takes any; an embedding takes them.
sequential({ input: spec(["batch", 2, 4], "i32") }, flatten(), embed(10, 3), flatten(), linear(24, 1));

// Sentences.
type Flat = Layer<number, "flat", "any">;
type Small = [Layer<576, 10>];
holds<
  Equal<
    Chained<[Flat, Layer<576, 10>], readonly [28, 28, 1], 0, "f32">,
    [Flat, "layer 2 takes 576 features, but layer 1 gives 784"]
  >
>();
holds<
  Equal<
    Chained<[Layer<readonly [28, 28, 1], 4>], readonly [14, 14, 8], 0, "f32">,
    ["layer 1 takes [28, 28, 1], but the input has [14, 14, 8]"]
  >
>();
holds<Equal<Chained<[Layer<number, 4, "i32">], 5, 0, "f32">, ["layer 1 takes i32, but the input has f32"]>>();
holds<Equal<Chained<Small, readonly [], 0, "f32">, ["layer 1 takes 576 features, but the input has []"]>>();
// Where sizes are known at run time alone, it is left to that.
declare const width: number;
sequential({ input: [width, 28, 1] }, flatten(), linear(784, 10));
sequential(linear(4, 8), convolve(8, 16), flatten(), linear(99, 1));

// A plain chain has rows of one axis, so that what flattens, reshapes or adds is checked without { input }.
const flattened = sequential(linear(4, 8), relu(), flatten(), linear(8, 2));
holds<Equal<typeof flattened, Model<4, 2, "f32">>>();
holds<Equal<typeof ended, Model<4, 8, "f32">>>();
const ended = sequential(linear(4, 8), flatten());
sequential(
  linear(4, 8),
  flatten(),
  // @ts-expect-error layer 3 takes 9 features, but layer 2 gives 8
  linear(9, 2),
);
sequential(
  { name: "net" },
  linear(4, 12),
  reshape([3, 4]),
  flatten(),
  // @ts-expect-error layer 4 takes 13 features, but layer 3 gives 12
  linear(13, 2),
);
sequential(
  linear(4, 12),
  // @ts-expect-error layer 2 takes 10 elements, but layer 1 gives [12]
  reshape([5, 2]),
);
sequential(
  linear(4, 8),
  // @ts-expect-error layer 2 takes [28, 28, 1], but layer 1 gives [8]
  pool(),
);
sequential(
  linear(4, 8),
  residual(linear(8, 16), relu(), linear(16, 8)),
  flatten(),
  // @ts-expect-error layer 4 takes 9 features, but layer 3 gives 8
  linear(9, 2),
);
sequential(
  linear(4, 8),
  residual({ project: true }, linear(8, 6)),
  flatten(),
  // @ts-expect-error layer 4 takes 8 features, but layer 3 gives 6
  linear(8, 2),
);
sequential(
  linear(4, 8),
  concat(linear(8, 4), relu()),
  flatten(),
  // @ts-expect-error layer 4 takes 11 features, but layer 3 gives 12
  linear(11, 2),
);
sequential(
  { input: [2, 8] },
  concat(linear(8, 4), residual(linear(8, 8)), concat(relu(), linear(8, 8))),
  flatten(),
  // @ts-expect-error layer 3 takes 20 features, but layer 2 gives 56
  linear(20, 2),
);
residual(
  linear(8, 16),
  flatten(),
  // @ts-expect-error layer 3 takes 15 features, but layer 2 gives 16
  linear(15, 8),
);
residual(
  linear(12, 12),
  // @ts-expect-error the layers give [3, 4], but the input that is added has [12]
  reshape([3, 4]),
);
// A model in another one: what it says of rows with one axis, and no more than features of all others.
sequential(
  linear(4, 8),
  sequential(linear(8, 6), relu()),
  flatten(),
  // @ts-expect-error layer 4 takes 9 features, but layer 3 gives 6
  linear(9, 2),
);
sequential({ input: [5, 8] }, sequential(linear(8, 6)), flatten(), linear(30, 2));
sequential({ input: [5, 8] }, concat(sequential(linear(8, 4), flatten()), flatten()), linear(60, 2));

// Integers where floats are wanted, and floats where integers are, inside of blocks and models too.
const ids = sequential({ input: spec(["batch", 4], "i32") }, embed(10, 3), flatten(), linear(12, 2));
sequential(
  linear(8, 4),
  // @ts-expect-error layer 2 takes i32, but layer 1 gives f32
  ids,
);
sequential(
  { input: spec(["batch", 8], "i32") },
  // @ts-expect-error layer 1 takes f32, but the input has i32
  sequential(linear(8, 2)),
);
sequential(
  { input: spec(["batch", 2, 4], "i32") },
  flatten(),
  // @ts-expect-error layer 2 takes f32, but layer 1 gives i32
  linear(8, 2),
);
residual(
  // @ts-expect-error layer 1 takes i32, but the input has f32
  embed(10, 3),
);
concat(
  linear(8, 4),
  // @ts-expect-error branch 2 takes i32, but the input has f32
  ids,
);
holds<Equal<typeof ids, Model<4, 2, "i32">>>();
holds<Equal<Chained<[Layer<4, 12>, Layer<number, { readonly shape: readonly [5, 2] }, "any">]>[1], Reshaped>>();
type Reshaped = "layer 2 takes 10 elements, but layer 1 gives [12]";

// Products of sizes.
holds<Equal<Product<[28, 28, 1]>, 784>>();
holds<Equal<Product<[]>, 1>>();
holds<Equal<Product<[7, 7, 64]>, 3136>>();
holds<Equal<Product<[1024, 1024, 999]>, 1047527424>>();
holds<Equal<Product<[99, 99]>, 9801>>();
holds<Equal<Product<[1000, 1000]>, 1000000>>();
holds<Equal<Product<[number, 3]>, number>>();

// A model is a layer, a block too.
const inner = sequential(linear(8, 8), relu());
const outer = sequential(linear(4, 8), inner, linear(8, 2));
holds<Equal<typeof outer, Model<4, 2, "f32">>>();
sequential(
  linear(4, 9),
  // @ts-expect-error layer 2 takes 8 features, but layer 1 gives 9
  inner,
);
sequential(
  { input: [28, 28, 1] },
  sequential({ input: [28, 28, 1] }, flatten(), linear(784, 10)),
  flatten(),
  linear(10, 2),
);
sequential(linear(4, 8), residual(linear(8, 16), relu(), linear(16, 8)), linear(8, 2));
residual(
  linear(8, 16),
  // @ts-expect-error the layers give 7 features, but the input that is added has 8
  linear(16, 7),
);
sequential(linear(4, 8), concat(linear(8, 4), relu(), sequential(linear(8, 99), relu())), linear(111, 2));
sequential(
  concat(linear(8, 4), linear(8, 96)),
  // @ts-expect-error layer 2 takes 99 features, but layer 1 gives 100
  linear(99, 2),
);
concat(
  linear(8, 4),
  // @ts-expect-error branch 2 takes 7 features, but branch 1 takes 8
  linear(7, 4),
);
sequential(residual({ project: true }, linear(8, 16)), linear(16, 2));
sequential(
  residual(linear(8, 8)),
  // @ts-expect-error layer 2 takes 9 features, but layer 1 gives 8
  linear(9, 2),
);
// @ts-expect-error no such option
residual({ projects: true }, linear(8, 16));
// @ts-expect-error no such option
sequential({ inputs: [8] }, linear(8, 16));

// States and layers inside have their names.
const layer = defineLayer({
  kind: "centred",
  inputs: 3,
  outputs: "same",
  state: { mean: { shape: [3], init: 0 } },
  layers: { inner: linear(3, 3) },
  forward(x, _parameters, { state: { mean }, layers: { inner: f }, training }) {
    const output = f(ops.subtract(x, mean));
    return training ? { output, state: { mean: ops.mean(x, { axis: 0 }) } } : output;
  },
});
holds<Equal<typeof layer, Layer<3, "same", "f32">>>();
defineLayer({
  kind: "wrong",
  outputs: "same",
  state: { mean: { shape: [3], init: 0 } },
  // @ts-expect-error no such state
  forward: (x, _parameters, { state: { variance } }) => ops.subtract(x, variance),
});
defineLayer({
  kind: "wrong",
  outputs: "same",
  state: { mean: { shape: [3], init: 0 } },
  // @ts-expect-error no such state is kept
  forward: (x) => ({ output: x, state: { variance: x } }),
});

// 200 layers of whole shapes.
type Repeat<T, N extends number, Done extends T[] = []> = Done["length"] extends N ? Done : Repeat<T, N, [...Done, T]>;
type Deep = Repeat<Layer<8, 8>, 200>;
holds<Equal<Chained<Deep, readonly [4, 8], 0, "f32">, Deep>>();
holds<Equal<Last<Deep, readonly [4, 8]>, readonly [4, 8]>>();
declare const listed: Layer[];
holds<Equal<typeof unknown, Model<64, number, "f32">>>();
const unknown = sequential(linear(64, 128), ...listed);

// A network knows its inputs and layers by name.
const towers = network({
  inputs: { user: spec(["batch"], "i32"), image: spec(["batch", 8, 8]), age: spec(["batch", 1]) },
  layers: { users: embed(10, 4), head: sequential(linear(5, 8), relu(), linear(8, 1)) },
  forward: ({ user, age }, { users, head }) => head(ops.concat([users(user), age])),
});
type Towers = { readonly user: readonly []; readonly image: readonly [8, 8]; readonly age: 1 };
type Elements = { readonly user: "i32"; readonly image: "f32"; readonly age: "f32" };
holds<Equal<typeof towers, Model<Towers, number, Elements>>>();
declare const value: Value;
holds<Equal<ReturnType<typeof towers.forward>, Value>>();
towers.forward({ user: value, image: value, age: value });
// @ts-expect-error an input is missing
towers.forward({ user: value, age: value });
// @ts-expect-error an input is misspelt
towers.forward({ user: value, image: value, ages: value });
const two = network({
  inputs: { x: spec(["batch", 5]) },
  layers: { left: linear(5, 1), right: linear(5, 2) },
  forward: ({ x }, { left, right }) => ({ rating: left(x), click: right(x) }),
});
holds<Equal<keyof (typeof two)["outputs"], "rating" | "click">>();
network({
  inputs: { x: spec(["batch", 5]) },
  layers: { left: linear(5, 1) },
  // @ts-expect-error no such input
  forward: ({ y }, { left }) => left(y),
});
network({
  inputs: { x: spec(["batch", 5]) },
  layers: { left: linear(5, 1) },
  // @ts-expect-error no such layer
  forward: ({ x }, { right }) => right(x),
});

// Windows: the compiler knows the places behind them.
const lenet = sequential(
  { input: [28, 28, 1] },
  conv2d(1, 16, { kernel: 5 }),
  maxPool2d(2),
  conv2d(16, 32, { kernel: 5 }),
  maxPool2d(2),
  flatten(),
  linear(512, 10),
);
export const windowed: Model<readonly [28, 28, 1], 10> = lenet;
sequential(
  { input: [28, 28, 1] },
  conv2d(1, 16, { kernel: [3, 5], stride: 2, padding: "same" }),
  conv2d(16, 8, { kernel: 3, dilation: [2, 1], padding: [1, 0] }),
  averagePool2d(3, { stride: 2 }),
  flatten(),
  linear(5 * 5 * 8, 10),
  relu(),
);
sequential(
  { input: [28, 28, 1] },
  conv2d(1, 16, { kernel: 5 }),
  flatten(),
  // @ts-expect-error layer 3 takes 9217 features, but layer 2 gives 9216
  linear(9217, 10),
);
sequential(
  { input: [100, 3] },
  conv1d(3, 4, { kernel: 3, padding: "causal", stride: 3 }),
  flatten(),
  // @ts-expect-error layer 3 takes 99 features, but layer 2 gives 136
  linear(99, 10),
);
// @ts-expect-error layer 2 takes 8 features, but layer 1 gives 16
sequential({ input: [28, 28, 1] }, conv2d(1, 16, { kernel: 5 }), conv2d(8, 16, { kernel: 5 }));
sequential({ input: [28, 28, 3] }, conv2d(3, 16, { kernel: 5 }), relu(), globalAveragePool(), linear(16, 10));
// @ts-expect-error a kernel is needed
conv2d(1, 16, {});
// @ts-expect-error of images nothing is causal
conv2d(1, 16, { kernel: 3, padding: "causal" });
