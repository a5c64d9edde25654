// Convolutions and pools: runs of PyTorch and Keras, shapes, errors and files.
import { readFileSync } from "node:fs";
import {
  averagePool2d,
  batchNorm,
  CarillonError,
  conv1d,
  conv2d,
  convTransposed2d,
  crossEntropy,
  dropout,
  fit,
  flatten,
  fromDescription,
  globalAveragePool,
  globalMaxPool,
  grad,
  groupNorm,
  type Layer,
  linear,
  loadModel,
  type Model,
  maxNorm,
  maxPool2d,
  mse,
  ops,
  program,
  relu,
  residual,
  sequential,
  sgd,
  spatialDropout,
  spec,
  tanh,
  tensor,
  type Value,
} from "carillon";
import { describe, expect, test } from "vitest";

type Numbers = Readonly<Record<string, readonly number[]>>;

interface Data {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Case {
  readonly framework: string;
  readonly layers: readonly Readonly<Record<string, unknown> & { readonly kind: string }>[];
  readonly first: Numbers;
  readonly output: readonly number[];
  readonly gradient: readonly number[];
  readonly one: Numbers;
  readonly last: Numbers;
  readonly distance: number;
}

const fixture = JSON.parse(readFileSync(new URL("fixtures/convolution.json", import.meta.url), "utf8")) as {
  readonly steps: number;
  readonly batch: number;
  readonly rate: number;
  readonly images: Data;
  readonly series: Data;
  readonly y: readonly number[];
  readonly cases: readonly Case[];
};

const OUT = 3;
const KINDS = ["conv1d", "conv2d", "maxPool1d", "maxPool2d", "averagePool1d", "averagePool2d", "convTransposed2d"];
const cases = fixture.cases.filter(({ layers }) => layers.every(({ kind }) => KINDS.includes(kind)));

const scaled = ({ shape, data }: Data) =>
  tensor(
    Float32Array.from(data, (value) => value / 64),
    shape,
  );

/** Layers of a case: those with weights are called layer1, layer2, …. */
function layersOf({ layers }: Case): readonly Layer[] {
  let number = 0;
  return layers.map(({ kind, ...options }) => {
    const name = kind.startsWith("conv") ? { name: `layer${++number}` } : {};
    return fromDescription("layer", { kind, options: { ...options, ...name } });
  });
}

function networkOf(one: Case): { readonly model: Model; readonly x: ReturnType<typeof scaled> } {
  const { shape } = one.layers.some(({ kind }) => kind.endsWith("1d")) ? fixture.series : fixture.images;
  const x = scaled(shape === fixture.series.shape ? fixture.series : fixture.images);
  const own = layersOf(one);
  const size = (one.first["linear1.weight"]?.length ?? 0) / OUT;
  const model = sequential(
    { input: shape.slice(1) },
    ...(own as Layer[]),
    tanh(),
    flatten(),
    linear(size, OUT) as Layer,
  );
  model.initialize(0);
  const weights = Object.entries(one.first).map(([name, data]): [string, Float32Array] => {
    return [name, Float32Array.from(data, (value) => value / (name === "linear1.weight" ? 256 : 64))];
  });
  model.setWeights(Object.fromEntries(weights));
  return { model, x };
}

function distanceOf(a: ReadonlyMap<string, { readonly data: Float32Array }>, b: Numbers): number {
  const all = Object.entries(b).flatMap(([name, values]) =>
    values.map((value, i) => (value - (a.get(name)?.data[i] ?? Number.NaN)) ** 2),
  );
  return Math.sqrt(all.reduce((sum, square) => sum + square, 0));
}

const farthest = (found: Float32Array, wanted: readonly number[]): number => {
  expect(found.length).toBe(wanted.length);
  return Math.max(...wanted.map((value, i) => Math.abs(value - (found[i] ?? Number.NaN))));
};

/*
 * Sums have at most 48 terms below 1·1 and the bias: γ(50)·49 < 2⁻¹³. Of the gradient, which is a mean over 12 answers of products
 * of weights below 1, terms are fewer and smaller. A step rounds likewise, at a rate of 0.02, in each of some 500 numbers.
 */
const ONE = 2 ** -13;

describe.each(cases.map((one) => [`${one.framework}: ${JSON.stringify(one.layers)}`, one] as const))(
  "%s",
  (_n, one) => {
    test("outputs, and the gradient to the input", () => {
      const { model, x } = networkOf(one);
      const [rows = 1, ...row] = x.shape as readonly number[];
      const size = x.data.length / rows;
      const some = (count: number) => tensor(x.data.slice(0, count * size), [count, ...row]);
      const own = layersOf(one);
      const head = sequential({ input: row }, ...(own as Layer[]));
      const known = model.weights();
      head.initialize(0);
      const given = [...head.weights().keys()].map(
        (name) => [name, known.get(name)?.data ?? new Float32Array()] as const,
      );
      head.setWeights(Object.fromEntries(given));
      expect(farthest(head.predictSync(some(1)).data, one.output)).toBeLessThan(ONE);

      const weight = (name: string) => known.get(name) ?? tensor([0]);
      const functions = own.map((layer, place) => (value: Value): Value => {
        const name = layer.name ?? `${place}`;
        const parameters = { weight: weight(`${name}.weight`), bias: weight(`${name}.bias`) };
        return (layer.forward as (x: Value, p: object, context: object) => Value)(value, parameters, {});
      });
      const y = tensor(
        Float32Array.from(fixture.y.slice(0, fixture.batch * OUT), (value) => value / 64),
        [4, OUT],
      );
      const loss = (value: Value): Value => {
        const bent = ops.flatten(ops.tanh(functions.reduce((each, f) => f(each), value)));
        const answer = ops.linear(bent, weight("linear1.weight"), weight("linear1.bias"));
        return ops.mean(ops.square(ops.subtract(answer, y)));
      };
      const [gradient] = grad(loss)(some(fixture.batch));
      expect(farthest(gradient.data.slice(0, size), one.gradient)).toBeLessThan(ONE);
    });

    test("one step and a hundred", async () => {
      const trained = async (steps: number) => {
        const { model, x } = networkOf(one);
        const data = { x, y: scaled({ shape: [x.shape[0] as number, OUT], data: fixture.y }) };
        const own = { batchSize: fixture.batch, shuffle: false, optimizer: sgd({ lr: fixture.rate }), loss: mse() };
        await fit(model, { data, steps, ...own });
        return new Map([...model.weights(), ["predicted", await model.predict(x)] as const]);
      };
      expect(distanceOf(await trained(1), one.one)).toBeLessThan(ONE);
      expect(distanceOf(await trained(fixture.steps), one.last)).toBeLessThan(2 * one.distance);
    });
  },
);

describe("shapes", () => {
  const outputOf = (input: readonly number[], ...layers: readonly Layer[]) =>
    sequential({ input }, ...(layers as Layer[])).outputs;

  test("padding and strides as TensorFlow, PyTorch and Keras tell them", () => {
    expect(outputOf([28, 28, 1], conv2d(1, 6, { kernel: 5 }))).toEqual([24, 24, 6]);
    expect(outputOf([28, 27, 1], conv2d(1, 6, { kernel: 5, stride: 2, padding: "same" }))).toEqual([14, 14, 6]);
    expect(outputOf([7, 8, 2], conv2d(2, 3, { kernel: 3, stride: [2, 3], padding: [1, 0] }))).toEqual([4, 2, 3]);
    expect(outputOf([9, 9, 2], conv2d(2, 3, { kernel: 3, dilation: 2 }))).toEqual([5, 5, 3]);
    expect(outputOf([10, 4], conv1d(4, 3, { kernel: 4, padding: "causal", stride: 3 }))).toEqual([4, 3]);
    expect(outputOf([5, 7, 3], maxPool2d(2))).toEqual([2, 3, 3]);
    const doubled = { kernel: 3, stride: 2, padding: 1, outputPadding: 1 } as const;
    expect(outputOf([5, 7, 3], convTransposed2d(3, 4, doubled))).toEqual([10, 14, 4]);
    expect(outputOf([5, 7, 3], convTransposed2d(3, 4, { kernel: 3, stride: 2, padding: "same" }))).toEqual([10, 14, 4]);
    expect(outputOf([5, 7, 3], averagePool2d(2, { padding: "same" }))).toEqual([3, 4, 3]);
    expect(outputOf([5, 7, 3], globalMaxPool())).toEqual(3);
    expect(outputOf([5, 3], globalAveragePool())).toEqual(3);
  });

  test("what does not fit is refused with the layer and the sizes", () => {
    const small = () => sequential({ input: [8, 8, 1] }, conv2d(1, 4, { kernel: 3 }), conv2d(4, 4, { kernel: [7, 5] }));
    expect(small).toThrow(
      "layer 2 (conv2d): expected an input as large as the kernel of 7 × 5 for 'conv2d' but received 6 × 6",
    );
    expect(() => sequential({ input: [8, 8] }, conv2d(8, 4, { kernel: 3 }) as Layer)).toThrow(
      "layer 1 (conv2d): expected [batch, height, width, channels] for 'conv2d' but received [batch, 8, 8]",
    );
    expect(() => sequential({ input: [4, 2] }, conv1d(2, 4, { kernel: 3, dilation: 2 }))).toThrow(
      "which reaches over 5",
    );
    expect(() => sequential({ input: [3, 3, 2] }, maxPool2d(4))).toThrow("layer 1 (maxPool2d)");
    expect(() => sequential({ input: [8, 8, 3] }, conv2d(1, 4, { kernel: 3 }) as Layer)).toThrow(
      "layer 1 takes 1 features, but the input has 3",
    );
    expect(() => conv2d(4, 6, { kernel: 3, groups: 4 })).toThrow(/conv2d.groups/);
    expect(() => conv2d(4, 6, { kernel: 0 })).toThrow(/conv2d.kernel/);
    expect(() => conv2d(4, 6, { kernel: 3, padding: "causal" as never })).toThrow(/conv2d.padding/);
    expect(() => conv2d(4, 6, { kernel: 3, stride: 2, padding: "same", preset: "pytorch" })).toThrow(/conv2d.padding/);
    expect(() => maxPool2d(2, { padding: 2 })).toThrow(/maxPool2d.padding/);
    expect(() => sequential(conv2d(4, 6, { kernel: 3 }))).toThrow(/expected { input }/);
  });

  test("blocks of convolutions know their channels without knowing the image", () => {
    const block = residual(conv2d(4, 4, { kernel: 3, padding: "same" }), batchNorm(4), relu());
    expect(outputOf([6, 5, 4], block, globalAveragePool(), linear(4, 2))).toEqual(2);
    expect(() => residual(conv2d(4, 6, { kernel: 3, padding: "same" }), batchNorm(4) as Layer)).toThrow(CarillonError);
    const projected = residual({ project: true }, conv2d(4, 6, { kernel: 3, padding: "same" }), relu());
    expect(outputOf([6, 5, 4], projected)).toEqual([6, 5, 6]);
    expect(() => outputOf([6, 5, 4], residual(conv2d(4, 4, { kernel: 3 })))).toThrow(/input that is added/);
  });
});

describe("networks of convolutions", () => {
  const rows = 20;
  const x = tensor(
    Float32Array.from({ length: rows * 8 * 8 * 2 }, (_, i) => Math.fround(((i * 37) % 101) / 50 - 1)),
    [...[rows, 8, 8, 2]],
  );
  const y = tensor(Int32Array.from({ length: rows }, (_, i) => i % 3));
  const network = () =>
    sequential(
      { input: [8, 8, 2] },
      conv2d(2, 6, { kernel: 3, padding: "same" }),
      batchNorm(6),
      relu(),
      spatialDropout(0.2),
      maxPool2d(2),
      conv2d(6, 8, { kernel: 3, groups: 2, bias: false }),
      groupNorm(8, 2),
      relu(),
      dropout(0.25),
      averagePool2d(2),
      flatten(),
      linear(8, 3),
    );
  const training = { data: { x, y }, loss: crossEntropy(), optimizer: sgd({ lr: 0.1 }), batchSize: 8, seed: 3 };
  const weightsOf = (model: Model) => [...model.weights()].map(([name, { data }]) => [name, Array.from(data)] as const);

  test("the same bits with one to four threads, and in a loaded model", async () => {
    const runs = await Promise.all(
      [1, 2, 3, 4].map(async (threads) => {
        const model = network();
        await fit(model, { ...training, steps: 6, threads });
        return model;
      }),
    );
    const [first, ...others] = runs.map(weightsOf);
    for (const other of others) expect(other).toEqual(first);
    const [model] = runs;
    if (model === undefined) return;
    const loaded = await loadModel(model.bytes());
    expect((await loaded.predict(x)).data).toEqual((await model.predict(x)).data);
    const predictor = await loaded.predictor({ maxBatch: 32 });
    expect(predictor.run(x).data).toEqual((await model.predict(x)).data);
  });

  test("micro-batches sum to the gradient of the batch", async () => {
    const plain = () =>
      sequential({ input: [8, 8, 2] }, conv2d(2, 6, { kernel: 3 }), tanh(), flatten(), linear(6 * 36, 3));
    const [whole, parts] = [plain(), plain()];
    await fit(whole, { ...training, steps: 1 });
    await fit(parts, { ...training, steps: 1, accumulate: 4 });
    const [a, b] = [whole, parts].map((model) => model.weights().get("conv2d1.weight")?.data ?? new Float32Array());
    expect(farthest(a as Float32Array, Array.from(b as Float32Array))).toBeLessThan(2 ** -20);
  });

  test("a bound of norms is one of each filter", async () => {
    const model = sequential(
      { input: [8, 8, 2] },
      conv2d(2, 3, { kernel: 3, regularizer: maxNorm(0.5) }),
      flatten(),
      linear(108, 3),
    );
    await fit(model, { ...training, steps: 4 });
    const data = model.weights().get("conv2d1.weight")?.data ?? new Float32Array();
    for (let filter = 0; filter < 3; filter++) {
      const squares = data.slice(filter * 18, (filter + 1) * 18).reduce((sum, value) => sum + value * value, 0);
      expect(Math.sqrt(squares)).toBeLessThan(0.5 + 1e-6);
    }
  });

  test("activation, dropout and gate behind a convolution have the bits of the steps by themselves", () => {
    const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => ((i * 7) % 11) / 8 - 0.6);
    const [w, b] = [tensor(numbers(54), [3, 3, 3, 2]), tensor(numbers(3), [3])];
    const options = { padding: "same", stride: 2 } as const;
    const eager = ops.relu(ops.conv2d(x, w, b, options));
    const made = program({
      inputs: { x: spec([rows, 8, 8, 2]) },
      body: (given) => ({ y: ops.relu(ops.conv2d(given.x, w, b, options)) }),
    });
    expect(Array.from(made.runSync({ x }).y.data)).toEqual(Array.from(eager.data));
  });
});
