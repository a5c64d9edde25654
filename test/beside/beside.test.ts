// docs/beside.md: every row of its tables has a test here by its name, with figures of PyTorch and Keras (make_beside_fixture.py).
import { readFileSync } from "node:fs";
import {
  adagrad,
  adam,
  adamw,
  type Callback,
  cosineDecay,
  cosineSimilarity,
  crossEntropy,
  defineLayer,
  elu,
  fit,
  heNormal,
  heUniform,
  hinge,
  huber,
  type Initializer,
  klDivergence,
  type Layer,
  type Loss,
  l2,
  leakyRelu,
  linear,
  type MinimizerOptions,
  type Model,
  mse,
  muon,
  type Optimizer,
  oneCycle,
  ops,
  reduceOnPlateau,
  rmsprop,
  selu,
  sequential,
  sgd,
  split,
  type Tensor,
  tensor,
  topK,
  truncatedNormal,
  type Value,
  valueAndGrad,
} from "carillon";
import { expect, test } from "vitest";
import { path, type Start, stepper } from "../optim/stepper.js";

interface Row {
  readonly pytorch?: unknown;
  readonly keras?: unknown;
}

const fixture = JSON.parse(readFileSync(new URL("fixtures/beside.json", import.meta.url), "utf8")) as {
  readonly rows: Readonly<Record<string, Row>>;
};

/** Rows of the page that other tests hold. */
const ELSEWHERE: readonly string[] = ["`classWeights` with `labelSmoothing`", '`classWeights` with `compat: "keras"`'];

/** First cells of the rows of the page's tables. */
const named = [...readFileSync(new URL("../../docs/beside.md", import.meta.url), "utf8").matchAll(/^\| ([^|].*?) \|/gm)]
  .map(([, cell = ""]) => cell)
  .filter((cell) => cell.trim() !== "");

/** Equal but for a few roundings of float32. */
function close(ours: unknown, theirs: unknown): void {
  const [left, right] = [[ours].flat(9), [theirs].flat(9)].map((list) => list.map(Number));
  expect(left?.length).toBe(right?.length);
  for (const [index, value] of (left ?? []).entries()) {
    const other = right?.[index] ?? Number.NaN;
    expect(Math.abs(value - other), `${String(ours)}, ${String(theirs)}`).toBeLessThanOrEqual(
      2e-6 * Math.max(1e-3, Math.abs(other)),
    );
  }
}

const matrix = (rows: readonly (readonly number[])[]): Tensor => tensor(rows.map((row) => [...row]));
const mean = ({ data }: Tensor): number => Array.from(data).reduce((sum, value) => sum + value, 0) / data.length;
const lossOf = (loss: Loss, output: Tensor, target: Tensor): number => mean(loss(output, target) as Tensor);

/** The bias after a step of SGD, η = 1, from weight 0 and bias 0: x = 0, y = 1. */
async function bias(activation: Layer | ((x: Value) => Value)): Promise<number> {
  const own = (forward: (x: Value) => Value) => defineLayer({ kind: "own", inputs: 1, outputs: 1, forward });
  const layer = typeof activation === "function" ? own(activation) : activation;
  const model = sequential(linear(1, 1, { init: 0 }), layer as Layer<1, 1>);
  const data = { x: [[0]], y: [[1]] };
  await fit(model, { data, loss: mse(), optimizer: sgd({ lr: 1 }), epochs: 1 });
  return model.weights().get("linear1.bias")?.data[0] ?? Number.NaN;
}

/** The mathematics of elu, whose slope at 0 is α. */
const eluAsThere = (x: Value, alpha: number): Value =>
  ops.add(ops.multiply(alpha, ops.expm1(ops.minimum(x, 0))), ops.maximum(0, x));

/** θ after a step from 0 under the gradient `g`. */
const first = (optimizer: Optimizer, g: number): number => path(optimizer, [0], 1, () => [g])[0]?.[0] ?? Number.NaN;

/** A weight [1, 1] and a bias after a step. */
function step(optimizer: Optimizer, from: number, gradients: readonly number[], options: MinimizerOptions = {}) {
  const start: Record<string, Start> = {
    weight: { shape: [1, 1], data: [from] },
    bias: { shape: [1], data: [from] },
  };
  const one = stepper(optimizer, start, options);
  one.step(gradients);
  return [...one.theta];
}

const LOGITS = matrix([
  [0.2, 0.8],
  [0.6, 0.4],
]);

function identity(outputs: number): Model {
  const unit = Float32Array.from({ length: outputs * outputs }, (_, i) => (i % (outputs + 1) === 0 ? 1 : 0));
  const model: Model = sequential(linear(outputs, outputs, { bias: false }));
  return model.setWeights(new Map([["linear1.weight", unit]]));
}

function drawn(init: Initializer, [rows, columns]: readonly [number, number]): Float32Array {
  const model = sequential(linear(columns, rows, { init, bias: false })).initialize(1);
  return model.weights().get("linear1.weight")?.data ?? new Float32Array();
}

function deviation(values: Float32Array): number {
  const middle = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / values.length);
}

const largest = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** `rateScale` after each of twelve epochs of a loss that stays. */
async function plateau(patience: number): Promise<number[]> {
  const scales: number[] = [];
  const look: Callback = {
    name: "look",
    decide: ({ rateScale }) => {
      scales.push(rateScale);
    },
  };
  const model = sequential(linear(1, 1, { init: 0 }));
  await fit(model, {
    data: { x: [[1]], y: [[1]] },
    loss: mse(),
    optimizer: sgd({ lr: 0 }),
    epochs: 12,
    callbacks: [reduceOnPlateau({ monitor: "loss", factor: 0.5, patience }), look],
  });
  return scales;
}

const ROWS: Readonly<Record<string, (row: { pytorch: unknown; keras: unknown }) => void | Promise<void>>> = {
  "`leakyRelu` at 0": async ({ pytorch, keras }) => {
    expect(await bias(leakyRelu({ slope: 0.1 }))).toBe(2);
    const theirs = await bias((x) => ops.maximum(ops.multiply(0.1, x), x));
    close([pytorch, keras], [theirs, theirs]);
  },
  "`elu` at 0": async ({ pytorch, keras }) => {
    expect(await bias(elu({ alpha: 2 }))).toBe(2);
    const theirs = await bias((x) => eluAsThere(x, 2));
    close([pytorch, keras], [theirs, theirs]);
  },
  "`selu` at 0": async ({ pytorch, keras }) => {
    const [scale, alpha] = [1.0507009873554805, 1.6732632423543772];
    close(await bias(selu()), 2 * scale);
    const theirs = await bias((x) => ops.multiply(scale, eluAsThere(x, alpha)));
    close([pytorch, keras], [theirs, theirs]);
  },
  "ties of `maximum`, `minimum`": ({ pytorch, keras }) => {
    const slopes = [ops.maximum, ops.minimum].flatMap((either) => {
      const [, gradients] = valueAndGrad((a, b) => ops.sum(either(a, b)))(tensor([1]), tensor([1]));
      return gradients.map(({ data }) => data[0]);
    });
    expect(slopes).toEqual([1, 0, 1, 0]);
    expect([pytorch, keras]).toEqual([
      [0.5, 0.5, 0.5, 0.5],
      [0.5, 0.5, 0.5, 0.5],
    ]);
  },
  "`leakyRelu()`": ({ pytorch, keras }) => {
    close(ops.leakyRelu(tensor([-1])).data[0], pytorch);
    close(
      [0.3, 0.2].map((slope) => ops.leakyRelu(tensor([-1]), slope).data[0]),
      keras,
    );
  },
  "`crossEntropy` takes logits": ({ pytorch, keras }) => {
    const labels = tensor(Int32Array.of(1, 1), [2]);
    const ours = lossOf(crossEntropy(), LOGITS, labels);
    close(ours, pytorch);
    const [ofProbabilities, ofLogits] = keras as readonly number[];
    close(ours, ofLogits);
    expect(Math.abs(ours - Number(ofProbabilities))).toBeGreaterThan(0.04);
  },
  "a label to ignore": async ({ pytorch, keras }) => {
    const model = identity(2);
    const x = LOGITS;
    const options = { loss: crossEntropy() };
    const ignored = model.evaluate({ x, y: [-1, 1] }, options);
    await expect(ignored).rejects.toMatchObject({ code: "ERR_LABEL" });
    const { loss } = await model.evaluate({ x, y: [0, 1], weight: [0, 1] }, options);
    close([loss, loss], [pytorch, keras]);
  },
  "`klDivergence`": ({ pytorch, keras }) => {
    const targets = matrix([
      [0.3, 0.7],
      [0.9, 0.1],
    ]);
    const ours = lossOf(klDivergence(), LOGITS, targets);
    const [byElements, byBatch] = pytorch as readonly number[];
    close([ours, ours, ours / 2], [byBatch, keras, byElements]);
  },
  "`cosineSimilarity`": ({ pytorch, keras }) => {
    const ours = lossOf(cosineSimilarity(), matrix([[1, 2]]), matrix([[2, 1]]));
    close([ours, ours], [1 - Number(pytorch), 1 + Number(keras)]);
  },
  "`huber({ delta })`": ({ pytorch, keras }) => {
    const ours = lossOf(huber({ delta: 2 }), matrix([[3]]), matrix([[0]]));
    close([[ours, ours / 2], ours], [pytorch, keras]);
  },
  "`hinge` targets": ({ keras }) => {
    const outputs = matrix([[0.5], [0.5]]);
    close(lossOf(hinge(), outputs, matrix([[-1], [1]])), keras);
    expect(lossOf(hinge(), outputs, matrix([[0], [1]]))).toBe(0.75);
  },
  "`crossEntropy` of one output": async ({ pytorch, keras }) => {
    expect([pytorch, keras]).toEqual([0, 0]);
    const evaluated = identity(1).evaluate({ x: [[0.5], [-2]], y: [0, 0] }, { loss: crossEntropy() });
    await expect(evaluated).rejects.toMatchObject({ code: "ERR_SHAPE" });
  },
  "weights of examples": async ({ keras }) => {
    const { loss } = await identity(1).evaluate({ x: [[1], [2]], y: [[0], [0]], weight: [1, 3] }, { loss: mse() });
    expect(loss).toBe(3.25);
    close((loss * (1 + 3)) / 2, keras);
  },
  "loss of `validation`, `evaluate`": async ({ keras }) => {
    const model = sequential(linear(1, 1, { init: 1, regularizer: l2(1) })).initialize(0);
    const { loss } = await model.evaluate({ x: [[1]], y: [[0]] }, { loss: mse() });
    expect([loss, keras]).toEqual([1, 1.5]);
  },
  "`l2(λ)`": ({ pytorch, keras }) => {
    const weight = (lambda: number) => step(sgd({ lr: 0.1 }), 1, [0, 0], { regularizer: l2(lambda) })[0];
    close([weight(0.5), weight(1)], [pytorch, keras]);
  },
  "penalties on biases": ({ pytorch, keras }) => {
    const left = (options: MinimizerOptions) => step(sgd({ lr: 0.1 }), 1, [0, 0], options)[1];
    expect(left({ regularizer: l2(0.5) })).toBe(1);
    close(left({ regularizer: l2(0.5), biasRegularizer: l2(0.5) }), pytorch);
    close([left({}), left({ biasRegularizer: l2(1) })], keras);
  },
  "`adamw` on biases": ({ pytorch, keras }) => {
    const settings = { lr: 0.1, weightDecay: 0.5 };
    close(step(adamw(settings), 1, [0, 0]), [0.95, 1]);
    close(step(adamw({ ...settings, compat: "pytorch" }), 1, [0, 0]), pytorch);
    close(step(adamw({ ...settings, compat: "keras" }), 1, [0, 0]), keras);
  },
  "`clip: { norm }`": ({ keras }) => {
    const [apart, together] = keras as readonly (readonly number[])[];
    close(step(sgd({ lr: 1 }), 0, [3, 4], { clip: { norm: 1 } }), together);
    expect(apart).toEqual([-1, -1]);
  },
  "`sgd` rate": ({ pytorch, keras }) => {
    expect(() => sgd({} as never)).toThrow(expect.objectContaining({ code: "ERR_OPTION", where: "sgd.lr" }));
    close([first(sgd({ compat: "pytorch" }), 1), first(sgd({ compat: "keras" }), 1)], [pytorch, keras]);
  },
  "`rmsprop` defaults": ({ pytorch, keras }) => {
    close(first(rmsprop(), 1), -0.001 / Math.sqrt(0.1));
    close([first(rmsprop({ compat: "pytorch" }), 1), first(rmsprop({ compat: "keras" }), 1)], [pytorch, keras]);
  },
  "`adagrad` defaults": ({ pytorch, keras }) => {
    close(first(adagrad(), 0.1), -0.01);
    close([first(adagrad({ compat: "pytorch" }), 0.1), first(adagrad({ compat: "keras" }), 0.1)], [pytorch, keras]);
  },
  "`adam`: ε": ({ pytorch, keras }) => {
    close([first(adam(), 1e-6), first(adam({ compat: "keras" }), 1e-6)], [pytorch, keras]);
  },
  "Nesterov without momentum": ({ pytorch, keras }) => {
    const made = () => sgd({ lr: 0.1, nesterov: true });
    expect(made).toThrow(expect.objectContaining({ code: "ERR_OPTION", where: "sgd.momentum" }));
    expect(pytorch).toContain("requires a momentum");
    close(first(sgd({ lr: 0.1 }), 1), keras);
  },
  "`muon`": ({ pytorch, keras }) => {
    const [decayed = [], plain = []] = pytorch as readonly (readonly number[])[];
    const one = stepper(muon({ lr: 0.1 }), { weight: { shape: [2, 3], data: new Array<number>(6).fill(1) } });
    one.step([1, -2, 3, 0.5, 0.25, -1]);
    // Five products of bfloat16, 2⁻⁹ each, of elements below 1.3.
    for (const [index, value] of one.theta.entries()) {
      expect(Math.abs(value - (plain[index] ?? 0))).toBeLessThan(0.1 * 1.3 * 10 * 2 ** -9);
      close((decayed[index] ?? 0) + 0.1 * 0.1, plain[index]);
    }
    expect(one.theta).not.toEqual(Float32Array.from(plain));
    // Keras: the same direction at another length; θ was 1, its decay is 0.
    const way = (values: readonly number[]): number => Math.hypot(...values.map((value) => value - 1));
    const [ours, theirs] = [way([...one.theta]), way(keras as readonly number[])];
    const along = (keras as readonly number[]).reduce((sum, v, i) => sum + (v - 1) * ((one.theta[i] ?? 0) - 1), 0);
    expect(along / (ours * theirs)).toBeGreaterThan(0.999);
    expect(theirs / ours).toBeCloseTo(0.2 * Math.sqrt(3), 3);
  },
  "`averageWeights`": ({ pytorch, keras }) => {
    const averages = (start: "initial" | "firstStep") => {
      const one = stepper(
        sgd({ lr: 1 }),
        { theta: { shape: [1], data: [3] } },
        { averageWeights: { decay: 0.9, start } },
      );
      return [0, 1].map(() => {
        one.step([1]);
        return one.average[0];
      });
    };
    close(averages("initial"), [2.9, 2.71]);
    close([averages("firstStep"), averages("firstStep")], [pytorch, keras]);
  },
  "`reduceOnPlateau`": async ({ pytorch, keras }) => {
    expect(await plateau(3)).toEqual(keras);
    expect(await plateau(4)).toEqual(pytorch);
  },
  "`cosineDecay` behind its end": ({ pytorch, keras }) => {
    const schedule = cosineDecay({ lr: 1, steps: 4 });
    const ours = Array.from({ length: 9 }, (_, index) => schedule({ step: index + 1, steps: 9, epoch: 1 }));
    close(ours.slice(0, 5), (pytorch as number[]).slice(0, 5));
    close(ours, keras);
    expect((pytorch as number[])[8]).toBeCloseTo(1, 6);
  },
  "`oneCycle`": ({ pytorch }) => {
    const schedule = oneCycle({ max: 1, steps: 11 });
    const both = pytorch as readonly (readonly [number, number])[];
    close(
      both.map((_, index) => schedule({ step: index + 1, steps: 11, epoch: 1 })),
      both.map(([rate]) => rate),
    );
    const momenta = both.map(([, momentum]) => momentum);
    expect([Math.max(...momenta), Math.min(...momenta) < 0.86]).toEqual([0.95, true]);
  },
  "`linear`: initial weights and biases": ({ pytorch, keras }) => {
    const model = sequential(linear(4, 20000)).initialize(1);
    const [weight, shift] = [...model.weights().values()].map(({ data }) => largest(data));
    expect(Math.abs(Number(weight) - Number((keras as number[])[0]))).toBeLessThan(1e-5);
    expect([shift, (keras as number[])[1]]).toEqual([0, 0]);
    const theirs = largest(drawn(heUniform({ gain: Math.sqrt(1 / 3) }), [20000, 4]));
    for (const bound of [theirs, ...(pytorch as number[])]) expect(Math.abs(bound - 0.5)).toBeLessThan(1e-4);
  },
  "`linear`: shape of the weight": ({ pytorch, keras }) => {
    const [weight] = sequential(linear(4, 20000)).parameters;
    expect([weight?.shape, [...(weight?.shape ?? [])].reverse()]).toEqual([pytorch, keras]);
  },
  "`truncatedNormal`": ({ pytorch, keras }) => {
    expect(deviation(drawn(truncatedNormal({ deviation: 1 }), [300, 300]))).toBeCloseTo(1, 2);
    for (const theirs of [pytorch, keras]) expect(Number(theirs)).toBeCloseTo(0.88, 2);
    expect(deviation(drawn(truncatedNormal({ deviation: 0.8796256610342398 }), [300, 300]))).toBeCloseTo(0.88, 2);
  },
  "`heNormal`, `xavierNormal`, `lecunNormal`": ({ pytorch, keras }) => {
    const bound = 2.3 * Math.sqrt(2 / 300);
    const values = drawn(heNormal(), [300, 300]);
    const kept = values.filter((value) => Math.abs(value) < bound).length / values.length;
    // P(|z| < 2.3) = 0.9786 of a normal; one that is cut has nothing there.
    for (const share of [kept, Number(pytorch)]) expect(Math.abs(share - 0.9786)).toBeLessThan(3e-3);
    expect(Number(keras)).toBeGreaterThan(0.9999);
    const cut = drawn(truncatedNormal({ deviation: Math.sqrt(2 / 300) }), [300, 300]);
    expect(largest(cut)).toBeLessThan(bound);
    expect(deviation(cut)).toBeCloseTo(Math.sqrt(2 / 300), 2);
  },
  "`rmse` of several columns": async ({ keras }) => {
    const data = {
      x: [
        [1, 2],
        [3, 4],
      ],
      y: [
        [0, 0],
        [0, 0],
      ],
    };
    const { metrics, loss } = await identity(2).evaluate(data, { loss: mse(), metrics: ["rmse"] });
    close(metrics.rmse, (Math.sqrt(5) + Math.sqrt(10)) / 2);
    close(Math.sqrt(loss), keras);
  },
  "`auc`": async ({ keras }) => {
    const scores = [0.1, 0.1001, 0.1002, 0.9, 0.0999];
    const x = scores.map((p) => [0, Math.log(p / (1 - p))]);
    const { metrics } = await identity(2).evaluate(
      { x, y: [0, 1, 0, 1, 1] },
      { loss: crossEntropy(), metrics: ["auc"] },
    );
    expect(metrics.auc).toBe(0.5);
    close(keras, 2 / 3);
  },
  "`topK`, equal outputs": async ({ pytorch, keras }) => {
    const x = [0, 1, 2, 3].map(() => [1, 1, 1, 1]);
    const { metrics } = await identity(4).evaluate(
      { x, y: [0, 1, 2, 3] },
      { loss: crossEntropy(), metrics: [topK(2)] },
    );
    expect([metrics.top2, mean(tensor(pytorch as number[])), keras]).toEqual([0.5, 0.5, 1]);
  },
  "outputs that are NaN": async ({ pytorch, keras }) => {
    expect([pytorch, keras]).toEqual([1, 0.5]);
    const broken = identity(2).setWeights({ "linear1.weight": new Float32Array(4).fill(Number.NaN) });
    const data = {
      x: matrix([
        [1, 1],
        [1, 1],
      ]),
      y: [0, 1],
    };
    const { metrics } = await broken.evaluate(data, { loss: crossEntropy(), metrics: ["accuracy", "logLoss"] });
    expect(metrics).toEqual({ accuracy: 0, logLoss: Number.NaN });
  },
  "`batchSize`, `shuffle`": async ({ pytorch, keras }) => {
    expect([pytorch, keras]).toEqual([
      [1, "SequentialSampler"],
      [32, true],
    ]);
    const x = Array.from({ length: 65 }, (_, i) => [i / 65]);
    const run = async (options: { readonly shuffle?: boolean } = {}) => {
      const model = sequential(linear(1, 1)).initialize(1);
      const shared = { data: { x, y: x }, loss: mse(), optimizer: sgd({ lr: 0.1 }), epochs: 1 };
      const { step: steps } = await fit(model, { ...shared, ...options });
      return { steps, weight: model.weights().get("linear1.weight")?.data[0] };
    };
    const [ours, shuffled, ordered] = [await run(), await run({ shuffle: true }), await run({ shuffle: false })];
    expect(ours).toEqual(shuffled);
    expect(ours.steps).toBe(3);
    expect(ordered.weight).not.toBe(shuffled.weight);
  },
  "rows held out": ({ keras }) => {
    expect(keras).toEqual([8, 9]);
    const x = Array.from({ length: 10 }, (_, i) => [i]);
    const { validation } = split({ x, y: x }, { validation: 0.2, seed: 1 });
    const held = validation.x.map(([row]) => row);
    expect(held).toHaveLength(2);
    expect(held).not.toEqual([8, 9]);
  },
};

test("every row of the page has its test, and every test a row", () => {
  expect(named.length).toBeGreaterThan(20);
  expect([...Object.keys(ROWS), ...ELSEWHERE].sort()).toEqual([...named].sort());
  expect(Object.keys(fixture.rows).sort()).toEqual(Object.keys(ROWS).sort());
});

test.each(Object.entries(ROWS))("%s", async (name, run) => {
  const { pytorch, keras } = fixture.rows[name] ?? {};
  await run({ pytorch, keras });
});
