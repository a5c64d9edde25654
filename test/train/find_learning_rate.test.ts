import { adam, findLearningRate, fit, linear, mse, sequential, sgd, tanh, tensor } from "carillon";
import { expect, test } from "vitest";

/** y = sin 3x + noise-free second feature, 256 rows. */
function examples(): { readonly x: Float32Array; readonly y: Float32Array } {
  const x = new Float32Array(512);
  const y = new Float32Array(256);
  for (let row = 0; row < y.length; row++) {
    const u = ((row * 0.6180339887498949) % 1) * 2 - 1;
    const v = ((row * 0.7548776662466927) % 1) * 2 - 1;
    x.set([u, v], 2 * row);
    y[row] = Math.sin(3 * u) - 0.5 * v;
  }
  return { x, y };
}

const model = () => sequential(linear(2, 32), tanh(), linear(32, 1)).initialize(3);

test.each([
  ["sgd", (lr: number) => sgd({ lr })],
  ["adam", (lr: number) => adam({ lr })],
] as const)("the suggestion for %s trains, a hundredth of it far less", async (_, optimizer) => {
  const data = examples();
  const { curve, suggestion } = await findLearningRate(model(), {
    data,
    loss: mse(),
    optimizer: optimizer(1),
    seed: 2,
  });
  expect(suggestion).toBeDefined();
  const lossOf = async (lr: number): Promise<number> => {
    const { history } = await fit(model(), { data, loss: mse(), optimizer: optimizer(lr), epochs: 30, seed: 2 });
    return history.at(-1)?.loss ?? Number.NaN;
  };
  const first = curve[0]?.loss ?? Number.NaN;
  const trained = await lossOf(suggestion ?? 0);
  expect(trained).toBeLessThan(0.2 * first);
  expect(trained).toBeLessThan(0.5 * (await lossOf((suggestion ?? 0) / 100)));
});

test("rates grow by a constant factor, and the search ends where the loss explodes", async () => {
  const options = { data: examples(), loss: mse(), optimizer: sgd({ lr: 1 }), from: 1e-4, to: 1e4, steps: 60 };
  const { curve } = await findLearningRate(model(), options);
  expect(curve.length).toBeGreaterThan(20);
  expect(curve.length).toBeLessThan(60);
  expect(curve[0]?.lr).toBe(1e-4);
  for (const [index, { lr, loss }] of curve.entries()) {
    // 10^(8/59) a step, in double.
    expect(Math.abs(lr / (1e-4 * 10 ** ((8 * index) / 59)) - 1)).toBeLessThan(1e-13);
    expect(Number.isFinite(loss)).toBe(true);
  }
  const least = Math.min(...curve.map(({ smoothed }) => smoothed));
  expect(curve.at(-1)?.loss).toBeGreaterThan(4 * least);
});

test("the whole range is walked where nothing explodes", async () => {
  const options = { data: examples(), loss: mse(), optimizer: sgd({ lr: 1 }), from: 1e-6, to: 1e-2, steps: 25 };
  const { curve } = await findLearningRate(model(), options);
  expect(curve.length).toBe(25);
  expect(curve.at(-1)?.lr).toBeCloseTo(1e-2, 15);
});

test("the model stays as it is", async () => {
  const one = model();
  const before = [...one.weights()].map(([name, { data }]) => [name, data.slice()]);
  await findLearningRate(one, { data: examples(), loss: mse(), optimizer: adam(), steps: 20 });
  expect([...one.weights()].map(([name, { data }]) => [name, data])).toEqual(before);
  const fresh = sequential(linear(2, 1));
  await findLearningRate(fresh, { data: examples(), loss: mse(), optimizer: adam(), steps: 20 });
  expect(fresh.initialized).toBe(false);
});

test("the same seed finds the same", async () => {
  const find = () =>
    findLearningRate(model(), { data: examples(), loss: mse(), optimizer: adam(), steps: 30, seed: 9 });
  expect(await find()).toEqual(await find());
});

test("a loss that falls nowhere gives no suggestion", async () => {
  const x = new Float32Array(64).fill(1);
  const perfect = sequential(linear(1, 1, { init: 0 })).initialize(0);
  const y = perfect.predictSync(tensor([[1]])).data[0] ?? 0;
  const data = { x, y: new Float32Array(64).fill(y) };
  const { suggestion, curve } = await findLearningRate(perfect, {
    data,
    loss: mse(),
    optimizer: sgd({ lr: 1 }),
    steps: 20,
  });
  expect(suggestion).toBeUndefined();
  expect(curve.length).toBe(20);
});

test.each<[object, string, string]>([
  [{ from: 0 }, "ERR_OPTION", "findLearningRate.from"],
  [{ from: 1, to: 1 }, "ERR_OPTION", "findLearningRate.to"],
  [{ steps: 15 }, "ERR_OPTION", "findLearningRate.steps"],
  [{ epochs: 3 }, "ERR_UNKNOWN_OPTION", "findLearningRate.epochs"],
  [{ optimizer: 0.1 }, "ERR_OPTION", "findLearningRate.optimizer"],
  [{ batchSize: 0 }, "ERR_OPTION", "fit.batchSize"],
])("refuses %o", async (options, code, where) => {
  const all = { data: examples(), loss: mse(), optimizer: adam(), ...options };
  await expect(findLearningRate(model(), all)).rejects.toThrow(expect.objectContaining({ code, where }));
});

test("an aborted signal rejects with its reason", async () => {
  const signal = AbortSignal.abort(new Error("enough"));
  const options = { data: examples(), loss: mse(), optimizer: adam(), signal };
  await expect(findLearningRate(model(), options)).rejects.toThrow("enough");
});
