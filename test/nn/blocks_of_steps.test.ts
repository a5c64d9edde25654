// Blocks of layers that take sequences: nothing says how many steps there are before the model does.
import {
  attention,
  batchNorm,
  concat,
  conv1d,
  defineLayer,
  embedding,
  gru,
  type Layer,
  layerNorm,
  linear,
  loadModel,
  ops,
  positions,
  relu,
  residual,
  sequential,
  spec,
  type Tensor,
  tensor,
  transformerBlock,
} from "carillon";
import { describe, expect, test } from "vitest";

const [TIME, SIZE] = [5, 8];
const x = tensor(
  Array.from({ length: 3 }, (_, row) =>
    Array.from({ length: TIME }, (_own, t) => Array.from({ length: SIZE }, (_column, k) => Math.sin(row + 3 * t + k))),
  ),
);

const BLOCKS = {
  attention: () => [attention(SIZE, 2, { causal: true })],
  "attention behind a norm": () => [layerNorm(SIZE), attention(SIZE, 2)],
  "a recurrent layer": () => [gru(SIZE, SIZE, { sequences: true })],
  "features that change on the way": () => [linear(SIZE, 6), relu(), gru(6, 4, { sequences: true }), linear(4, SIZE)],
  "positions and a block of a transformer": () => [
    positions("sinusoidal", { time: 9, size: SIZE }),
    transformerBlock(SIZE, 2),
  ],
  "one in another": () => [residual(attention(SIZE, 4)), linear(SIZE, SIZE)],
  windows: () => [conv1d(SIZE, SIZE, { kernel: 3, padding: "same" })],
  "windows behind a norm": () => [batchNorm(SIZE), relu(), conv1d(SIZE, SIZE, { kernel: 3, padding: "same" })],
  "windows in a block in another": () => [residual(conv1d(SIZE, SIZE, { kernel: 3, padding: "same" }), relu())],
  "windows side by side behind a norm": () => [
    batchNorm(SIZE),
    concat(conv1d(SIZE, 3, { kernel: 3, padding: "same" }), conv1d(SIZE, 5, { kernel: 1 })),
  ],
  "layers side by side": () => [concat(attention(SIZE, 2), gru(SIZE, 3, { sequences: true })), linear(11, SIZE)],
} as const satisfies Readonly<Record<string, () => readonly Layer[]>>;

const block = residual as (...layers: readonly unknown[]) => Layer<number, "same", "f32">;
const chain = sequential as unknown as (...layers: readonly unknown[]) => ReturnType<typeof sequential>;

describe.each(Object.entries(BLOCKS))("%s", (_name, layers) => {
  test("the input is added to what the layers give", async () => {
    const model = chain({ input: [TIME, SIZE] }, block(...layers())).initialize(4);
    const alone = chain({ input: [TIME, SIZE] }, ...layers()).initialize(1);
    const values = [...model.weights().values()].map(({ data }) => Float32Array.from(data));
    alone.setWeights(
      Object.fromEntries([...alone.weights().keys()].map((name, at) => [name, values[at] ?? new Float32Array()])),
    );
    const [sum, given] = [(await model.predict(x)) as Tensor<"f32">, (await alone.predict(x)) as Tensor<"f32">];
    expect(sum.data).toEqual(given.data.map((value, at) => Math.fround(value + (x.data[at] ?? 0))));
    const loaded = await loadModel(model.bytes());
    expect((await loaded.predict(x)).data).toEqual(sum.data);
  });

  test("a model says how many steps there are, or is told that it has to", () => {
    expect(() => chain(block(...layers()))).toThrow(
      /sequential\(\{ input: \[time, \d\] \}|expected \{ input \}, the shape of a row, as the first argument of 'sequential'/,
    );
  });
});

test("another number of features is told with the sizes", () => {
  expect(() => block(gru(SIZE, 3, { sequences: true }))).toThrow(
    /the layers give 3 features, but the input that is added has 8: \{ project: true \} fits it/,
  );
  const projected = block({ project: true }, gru(SIZE, 3, { sequences: true }));
  expect(chain({ input: [TIME, SIZE] }, projected).outputs).toEqual([TIME, 3]);
  expect(() => block(attention(SIZE, 2), linear(7, SIZE))).toThrow(/layer 2 takes 7 features, but layer 1 gives 8/);
  // The last state is a row of one axis, which a sequence is not added to.
  expect(() => chain({ input: [TIME, SIZE] }, block(gru(SIZE, SIZE)))).toThrow(/the layers give \[8\]/);
});

test("behind tokens", () => {
  const model = sequential({ input: spec(["batch", TIME], "i32") }, embedding(9, SIZE), residual(attention(SIZE, 2)));
  expect(model.outputs).toEqual([TIME, SIZE]);
});

test("a layer of one's own says that it takes steps", () => {
  const sum = (steps?: true) =>
    defineLayer({
      kind: "sum",
      inputs: SIZE,
      outputs: "same",
      steps,
      infer(given) {
        if (given.shape.length !== 3) throw new Error("no steps");
        return given;
      },
      forward: (value) => ops.multiply(value, 2),
    });
  expect(() => residual(sum())).toThrow("no steps");
  expect(chain({ input: [TIME, SIZE] }, residual(sum(true))).outputs).toEqual([TIME, SIZE]);
  const without = { kind: "sum", inputs: SIZE, outputs: "same", steps: true, forward: (value: unknown) => value };
  expect(() => defineLayer(without as never)).toThrow(/'steps' says that rows have an axis more/);
});

test("blocks of windows whose features do not fit are refused when they are made", () => {
  const windows = (inputs: number, outputs: number) => conv1d(inputs, outputs, { kernel: 3, padding: "same" });
  expect(() => block(batchNorm(8), windows(8, 4))).toThrow(/the layers give 4 features.*added has 8/);
  expect(() => block(batchNorm(8), windows(4, 8))).toThrow(/layer 2 takes 4 features, but layer 1 gives 8/);
});
