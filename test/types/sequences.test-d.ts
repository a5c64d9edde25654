// What the compiler says about windows, lanes and batches by length, checked by `tsc -p test/types`: a line under an expected error must not
// compile.
import {
  adam,
  attention,
  crossEntropy,
  embedding,
  fit,
  gru,
  linear,
  lstm,
  type Metric,
  mse,
  network,
  ops,
  recallAt,
  residual,
  sequential,
  spec,
  type Tensor,
  windows,
} from "carillon";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the type argument is exactly `true`. */
declare function holds<T extends true>(): T;

declare const series: readonly number[];
declare const several: readonly Float32Array[];

// Windows are floats unless they are said to be integers, and say where they go on if they do.
const plain = windows(series, { length: 4 });
holds<Equal<typeof plain.x, Tensor<"f32">>>();
// @ts-expect-error they stand by themselves
plain.carry;
const ids = windows(several, { length: 4, dtype: "i32", carry: true, sequences: true });
holds<Equal<typeof ids.x, Tensor<"i32">>>();
holds<Equal<typeof ids.carry, Tensor<"i32">>>();
const { train, validation } = windows(series, { length: 4, validation: 0.2, carry: true });
holds<Equal<typeof train.carry, typeof validation.carry>>();
// @ts-expect-error a type that no window has
windows(series, { length: 4, dtype: "u8" });
// @ts-expect-error the length is required
windows(series, { carry: true });

// Data may go on.
const options = { optimizer: adam(), epochs: 1 };
const ahead = sequential({ input: [4, 1] }, gru(1, 8), linear(8, 1));
fit(ahead, { ...options, data: train, validation, loss: mse() });
const letters = sequential(
  { input: spec(["batch", 4], "i32") },
  embedding(9, 6),
  gru(6, 8, { sequences: true }),
  linear(8, 9),
);
fit(letters, { ...options, data: ids, loss: crossEntropy() });
// @ts-expect-error the model takes i32
fit(letters, { ...options, data: train, loss: crossEntropy() });

// Batches by length name an input.
const reader = network({
  inputs: { steps: spec(["batch", 4, 2]), lengths: spec(["batch"], "i32") },
  layers: { cell: lstm(2, 8, { recurrentDropout: 0.1, recurrentMask: "step" }), head: linear(8, 1) },
  forward: ({ steps, lengths }, { cell, head }) => head(cell(ops.sequence(steps, lengths))),
});
declare const rows: { readonly steps: Tensor<"f32">; readonly lengths: Tensor<"i32"> };
const named = { ...options, data: { x: rows, y: [1] }, loss: mse() };
fit(reader, { ...named, batchBy: { lengths: "lengths", pool: 20 } });
// @ts-expect-error no input has that name
fit(reader, { ...named, batchBy: { lengths: "length" } });
// @ts-expect-error masks are of sequences or of steps
lstm(2, 8, { recurrentMask: "steps" });

// A metric has its number in its name.
const first = recallAt(5);
holds<Equal<typeof first, Metric<"recallAt5">>>();

// Blocks of steps need no sizes but those of features.
residual(attention(8, 2));
// @ts-expect-error the layers give 4 features, but the input that is added has 8
residual(gru(8, 4, { sequences: true }));
