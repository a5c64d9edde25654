// Options of carillon/kernels, checked by the compiler. A line under @ts-expect-error must not compile.
import {
  adamStep,
  binary,
  dropoutForward,
  gather,
  gemm,
  lionStep,
  rmspropStep,
  sgdStep,
  type sum,
  type UnaryName,
  unary,
} from "carillon/kernels";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the type argument is exactly `true`. */
declare function holds<T extends true>(): T;

declare const x: Float32Array;
declare const labels: Int32Array;
declare const bytes: Uint8Array;
declare const name: UnaryName;

gemm({ m: 1, n: 1, k: 1, a: x, b: x, c: x });
gemm({ m: 1, n: 1, k: 1, a: x, b: x, c: x, bias: undefined, activation: "tanh", threads: 2 });
// @ts-expect-error An array is missing.
gemm({ m: 1, n: 1, k: 1, a: x, b: x });
// @ts-expect-error There is no such option.
gemm({ m: 1, n: 1, k: 1, a: x, b: x, c: x, transposeC: true });
// @ts-expect-error There is no such activation in a product.
gemm({ m: 1, n: 1, k: 1, a: x, b: x, c: x, activation: "gelu" });

unary[name](x, x);
unary.exp(x, x, { threads: 2 });
// @ts-expect-error There is no such function.
unary.sine(x, x);
// @ts-expect-error Labels are no floats.
unary.exp(labels, x);
binary.add(x, 2, x);
// @ts-expect-error The result is written into an array.
binary.add(x, x);
holds<Equal<ReturnType<typeof sum>, number>>();

dropoutForward({ x, y: x, rate: 0.5, seed: 1, step: 1, site: 0 });
// @ts-expect-error A draw needs its seed.
dropoutForward({ x, y: x, rate: 0.5, step: 1, site: 0 });

gather({ columns: 3, indices: labels, source: bytes, y: x, scale: 1 / 255 });
gather({ columns: 3, indices: labels, source: labels, y: labels });
// @ts-expect-error Rows of integers are integers.
gather({ columns: 3, indices: labels, source: labels, y: x });
// @ts-expect-error Only bytes are scaled.
gather({ columns: 3, indices: labels, source: x, y: x, scale: 2 });

const common = { parameters: x, gradients: x, step: 1 };
adamStep({ ...common, states: { firstMoment: x, secondMoment: x }, beta1: 0.9, weightDecay: 0.1 });
// @ts-expect-error A state is missing.
adamStep({ ...common, states: { firstMoment: x } });
// @ts-expect-error A step has one rate.
adamStep({ ...common, states: { firstMoment: x, secondMoment: x }, lr: () => 0.1 });
sgdStep({ ...common, lr: 0.1 });
sgdStep({ ...common, lr: 0.1, momentum: 0.9, states: { velocity: x } });
// @ts-expect-error SGD has no rate of its own.
sgdStep({ ...common });
rmspropStep({ ...common, states: { secondMoment: x, mean: x }, centered: true });
// @ts-expect-error The momentum of Lion is a state, not an option.
lionStep({ ...common, states: { momentum: x }, momentum: 0.9 });
